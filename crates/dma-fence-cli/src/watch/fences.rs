//! The table of pending fences.

use std::cmp::Reverse;

use dma_fence_trace::FenceId;
use dma_fence_trace::report::{Fence, Report};

use super::{
    table::Column,
    text::{duration, task},
    words,
};
use crate::shown::clean;

pub(super) const COLUMNS: [Column; 7] = [
    Column { title: "", least: 1, most: 1, right: false, goes: 1 },
    Column { title: "AGE", least: 8, most: 10, right: true, goes: 0 },
    Column { title: "DRIVER", least: 6, most: 16, right: false, goes: 6 },
    Column { title: "TIMELINE", least: 8, most: 28, right: false, goes: 3 },
    Column { title: "FENCE", least: 5, most: 21, right: true, goes: 2 },
    Column { title: "WAITING", least: 12, most: 48, right: false, goes: 4 },
    Column { title: "BECAUSE OF", least: 10, most: 60, right: false, goes: 5 },
];

/// Which fence, also where a number is used again.
pub(super) type Key = (FenceId, Option<u64>);

pub(super) fn key(fence: &Fence) -> Key {
    (fence.id(), fence.init_ns)
}

/// Whether it is in the table: what is stuck has not always stayed pending, it may be gone.
pub(super) fn is_listed(fence: &Fence) -> bool {
    fence.is_pending() || fence.is_stuck()
}

/// What decides who comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// What is stuck, reasons before consequences; the oldest first.
    Urgency,
    Age,
    /// The longest wait that goes on.
    Waits,
    Timeline,
}

impl Order {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Urgency => Self::Age,
            Self::Age => Self::Waits,
            Self::Waits => Self::Timeline,
            Self::Timeline => Self::Urgency,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Urgency => "urgency",
            Self::Age => "age",
            Self::Waits => "waits",
            Self::Timeline => "timeline",
        }
    }
}

/// The pending fences that match, in order: their places in the report. `filter` is in lower case.
pub(super) fn list(report: &Report, filter: &str, order: Order) -> Vec<usize> {
    let fences = &report.fences;
    let is_shown = |&index: &usize| is_listed(&fences[index]) && matches(&fences[index], filter);
    let mut list: Vec<usize> = (0..fences.len()).filter(is_shown).collect();
    let oldest = |index: &usize| (Reverse(fences[*index].age_ns), fences[*index].id());
    match order {
        Order::Urgency => list.sort_by_cached_key(|index| {
            let fence = &fences[*index];
            let stuck = fence.is_stuck();
            (!stuck, stuck && !fence.root, oldest(index))
        }),
        Order::Age => list.sort_by_cached_key(oldest),
        Order::Waits => list.sort_by_cached_key(|index| {
            let longest = open_waits(&fences[*index]).map(|waiter| waiter.waited_ns).max();
            (Reverse(longest), oldest(index))
        }),
        Order::Timeline => list.sort_by_cached_key(|index| {
            let fence = &fences[*index];
            (fence.driver.clone(), fence.timeline.clone(), oldest(index))
        }),
    }
    list
}

fn matches(fence: &Fence, filter: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(filter);
    filter.is_empty()
        || has(&fence.driver)
        || has(&fence.timeline)
        || fence.made_by.iter().any(|task| has(&task.comm))
        || fence.waiters.iter().any(|waiter| has(&waiter.comm))
        || fence.asked_by.iter().any(|asker| has(&asker.comm))
}

fn open_waits(fence: &Fence) -> impl Iterator<Item = &dma_fence_trace::report::Waiter> {
    fence.waiters.iter().filter(|waiter| waiter.open)
}

pub(super) fn cells(fence: &Fence) -> Vec<String> {
    let mark = match (fence.is_stuck(), fence.root) {
        (true, true) => "!",
        (true, false) => "·",
        (false, _) => "",
    };
    let unsure = if fence.certain { "" } else { "?" };
    vec![
        mark.to_owned(),
        format!("{}{unsure}", duration(fence.age_ns)),
        clean(&fence.driver),
        clean(&fence.timeline),
        fence.id().to_string(),
        waiting(fence),
        blamed(fence),
    ]
}

/// Who waits for how long: the longest wait, and how many others.
fn waiting(fence: &Fence) -> String {
    let name = |comm: &str, pid| clean(&task(comm, pid));
    if let Some(longest) = open_waits(fence).max_by_key(|waiter| waiter.waited_ns) {
        let who = name(&longest.comm, longest.pid);
        return format!("{} {who}{}", duration(longest.waited_ns), more(open_waits(fence).count()));
    }
    match fence.asked_by.last() {
        Some(asker) => {
            format!("asked by {}{}", name(&asker.comm, asker.pid), more(fence.asked_by.len()))
        }
        None => "nobody".to_owned(),
    }
}

fn blamed(fence: &Fence) -> String {
    match fence.blamed_on.first() {
        Some(blame) => {
            let more = more(fence.blamed_on.len());
            format!("{}{more}, {}", blame.fence, words::because_short(blame.because))
        }
        None if fence.is_stuck() && fence.root => "itself".to_owned(),
        None => String::new(),
    }
}

/// What is said of one of them, and that there are others.
fn more(count: usize) -> String {
    if count > 1 { format!(" +{}", count - 1) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::{self, frozen, id, waiter};
    use dma_fence_trace::report::Verdict;

    fn listed(filter: &str, order: Order) -> Vec<String> {
        let report = frozen();
        let list = list(&report, filter, order);
        list.into_iter().map(|index| report.fences[index].id().to_string()).collect()
    }

    #[test]
    fn the_reason_comes_first_then_what_hangs_on_it_then_what_is_in_order() {
        assert_eq!(listed("", Order::Urgency), ["7:3", "2:9", "5:100"]);
        assert_eq!(listed("", Order::Age), ["2:9", "7:3", "5:100"]);
        assert_eq!(listed("", Order::Waits), ["2:9", "7:3", "5:100"]);
        assert_eq!(listed("", Order::Timeline), ["5:100", "7:3", "2:9"]);
        let mut order = Order::Urgency;
        let orders = std::array::from_fn::<_, 4, _>(|_| {
            order = order.next();
            order.name()
        });
        assert_eq!(orders, ["age", "waits", "timeline", "urgency"]);
    }

    #[test]
    fn a_filter_looks_at_drivers_timelines_and_threads() {
        assert_eq!(listed("vkms", Order::Urgency), ["2:9"]);
        assert_eq!(listed("ring-st", Order::Urgency), ["7:3"]);
        assert_eq!(listed("compositor", Order::Urgency), ["2:9"], "who waits");
        assert_eq!(listed("game", Order::Age).len(), 3, "who made it");
        assert_eq!(listed("crtc", Order::Age), ["2:9"], "whatever the case");
        assert!(listed("nothing", Order::Age).is_empty());
    }

    #[test]
    fn only_what_is_pending_or_lost_to_somebody_is_listed() {
        let mut report = frozen();
        let verdicts = [Verdict::Late, Verdict::Unobserved, Verdict::Ok, Verdict::Lost];
        for (seqno, verdict) in verdicts.into_iter().enumerate() {
            let mut fence = sample::fence(50, seqno as u32, ("gpu", "gfx"), 5);
            (fence.verdict, fence.destroyed_ns) = (verdict, Some(59 * sample::SECOND));
            report.fences.push(fence);
        }
        assert_eq!(list(&report, "", Order::Age).len(), 3);
        report.fences.last_mut().unwrap().waiters.push(waiter("game", 1, 2));
        assert_eq!(list(&report, "", Order::Age).len(), 4);
    }

    #[test]
    fn a_row_says_who_waits_and_for_what() {
        let mut report = frozen();
        let display = &mut report.fences[1];
        display.waiters.insert(0, waiter("other", 1, 3));
        let row = cells(display);
        let expected = [
            "·",
            "42.0 s",
            "vkms",
            "CRTC:34-crtc-0",
            "2:9",
            "41.0 s compositor-52 +1",
            "7:3, display",
        ];
        assert_eq!(row, expected);
        display.waiters.clear();
        display.certain = false;
        let row = cells(display);
        assert_eq!((row[1].as_str(), row[5].as_str()), ("42.0 s?", "nobody"));
        let row = cells(&report.fences[2]);
        assert_eq!((row[0].as_str(), row[6].as_str()), ("!", "itself"));
        assert_eq!(id(7, 3), report.fences[2].id());
    }
}
