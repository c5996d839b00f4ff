//! Names as people read them.
//!
//! Names come from whoever ran on the traced machine: they may have newlines, escape sequences that a terminal
//! would obey, and any length.

use dma_fence_trace::report::{Fence, Task, Timeline};

use crate::shown;

/// So many columns of a name are shown.
const LONGEST: usize = 48;

/// A name that is safe to print.
pub(super) fn name(name: &str) -> String {
    shown::fit(name, LONGEST)
}

/// `driver/timeline`
pub(super) fn track(driver: &str, timeline: &str) -> String {
    match (driver, timeline) {
        ("", "") => "(a timeline whose name was not seen)".into(),
        ("", timeline) => name(timeline),
        (driver, timeline) => format!("{}/{}", name(driver), name(timeline)),
    }
}

pub(super) fn track_of(fence: &Fence) -> String {
    track(&fence.driver, &fence.timeline)
}

pub(super) fn track_of_timeline(timeline: &Timeline) -> String {
    let track = track(&timeline.driver, &timeline.timeline);
    match timeline.context {
        Some(context) => format!("{track} ({context})"),
        None => track,
    }
}

/// `Xorg (pid 52)`
pub(super) fn thread(comm: &str, pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("{} (pid {pid})", name(comm)),
        None => name(comm),
    }
}

pub(super) fn task(task: &Task) -> String {
    thread(&task.comm, task.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_do_no_harm() {
        assert_eq!(name("a\nb\u{1b}[31m\u{202e}日"), "a\\nb\\u{1b}[31m\\u{202e}日");
        assert_eq!(name(&"x".repeat(300)).chars().count(), LONGEST);
        assert_eq!(track("", "ring"), "ring");
    }
}
