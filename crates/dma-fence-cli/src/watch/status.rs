//! The first line: what is watched, and how it stands.

use dma_fence_trace::report::{Fence, Report};

use super::{fences::is_listed, pace::Speed, text::duration};
use crate::shown::clean;

/// Longer than this, and it is said that nothing happens.
const SILENCE_NS: u64 = 1_000_000_000;

/// What is watched.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Status {
    /// The file, or the kernel.
    pub(super) name: String,
    pub(super) paused: bool,
    /// How long the kernel has been watched: it may be long before anything happens.
    pub(super) watched_ns: Option<u64>,
    /// Of a replay.
    pub(super) replay: Option<Replaying>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Replaying {
    pub(super) speed: Speed,
    pub(super) ended: bool,
    /// How long nothing happens in the trace.
    pub(super) silence_ns: Option<u64>,
}

impl Status {
    /// What matters most first: a narrow terminal shows no more.
    pub(super) fn line(&self, report: &Report) -> String {
        let count = |is: fn(&Fence) -> bool| report.fences.iter().filter(|fence| is(fence)).count();
        let mut parts = vec![
            format!("{} stuck", count(Fence::is_stuck)),
            format!("{} pending", count(is_listed)),
            duration(self.watched_ns.unwrap_or(report.span_ns)),
        ];
        match self.replay {
            Some(Replaying { ended: true, .. }) => parts.push("ENDED".into()),
            Some(replaying) => parts.push(replaying.speed.to_string()),
            None => {}
        }
        if self.paused {
            parts.push("PAUSED".into());
        }
        parts.push(format!("{} events", report.events));
        parts.push(format!("{} lost", report.lost));
        let silence = self.replay.and_then(|replaying| replaying.silence_ns);
        if let Some(silence) = silence.filter(|&silence| silence > SILENCE_NS) {
            parts.push(format!("next event in {}", duration(silence)));
        }
        parts.push(clean(&self.name));
        parts.join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::frozen;

    #[test]
    fn what_the_first_line_says() {
        let mut status = Status {
            name: "the kernel".into(),
            paused: false,
            watched_ns: Some(7_000_000_000),
            replay: None,
        };
        let line = status.line(&frozen());
        assert_eq!(line, "2 stuck  3 pending  7.0 s  304001 events  12 lost  the kernel");
        let mut replaying =
            Replaying { speed: Speed::Times(0.5), ended: false, silence_ns: Some(2_500_000_000) };
        status.name = "a\x1b.trace".into();
        (status.paused, status.watched_ns, status.replay) = (true, None, Some(replaying));
        let line = status.line(&frozen());
        assert!(line.starts_with("2 stuck  3 pending  1 m 00 s  "), "{line}");
        assert!(
            line.contains("  ×0.5  PAUSED  304001 events  12 lost  next event in 2.5 s  "),
            "{line}"
        );
        assert!(line.ends_with(r"a\u{1b}.trace"), "{line}");
        replaying.ended = true;
        status.replay = Some(replaying);
        assert!(status.line(&frozen()).contains("  ENDED  "));
    }
}
