//! The table of timelines.

use std::cmp::Reverse;

use dma_fence_trace::report::{Report, Timeline};

use super::{
    rates::Rates,
    table::Column,
    text::{duration, rate},
};
use crate::shown::clean;

/// How many bars a trend has at most.
const TREND: usize = 24;

pub(super) const COLUMNS: [Column; 8] = [
    Column { title: "DRIVER", least: 6, most: 16, right: false, goes: 6 },
    Column { title: "TIMELINE", least: 8, most: 32, right: false, goes: 0 },
    Column { title: "FENCES/s", least: 8, most: 8, right: true, goes: 3 },
    Column { title: "SIGNALED/s", least: 10, most: 10, right: true, goes: 2 },
    Column { title: "PENDING", least: 7, most: 9, right: true, goes: 1 },
    Column { title: "P50", least: 8, most: 10, right: true, goes: 5 },
    Column { title: "P99", least: 8, most: 10, right: true, goes: 4 },
    Column { title: "TREND", least: 8, most: TREND, right: false, goes: 7 },
];

/// What decides who comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Pending,
    Rate,
    Slowest,
    Name,
}

impl Order {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Pending => Self::Rate,
            Self::Rate => Self::Slowest,
            Self::Slowest => Self::Name,
            Self::Name => Self::Pending,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Rate => "rate",
            Self::Slowest => "p99",
            Self::Name => "name",
        }
    }
}

/// The timelines that match, in order: their places in the report. `filter` is in lower case.
pub(super) fn list(report: &Report, rates: &Rates, filter: &str, order: Order) -> Vec<usize> {
    let timelines = &report.timelines;
    let has = |text: &str| text.to_lowercase().contains(filter);
    let is_shown =
        |&index: &usize| has(&timelines[index].driver) || has(&timelines[index].timeline);
    let mut list: Vec<usize> = (0..timelines.len()).filter(is_shown).collect();
    let fastest = |index: &usize| {
        // As whole numbers, which have an order; a thousandth of a fence is exact enough.
        Reverse((rates.of(&timelines[*index], report).made * 1000.0) as u64)
    };
    // Where they are equal it stays as in the report: the busiest first.
    match order {
        Order::Pending => {
            list.sort_by_cached_key(|index| (Reverse(timelines[*index].pending), fastest(index)));
        }
        Order::Rate => list.sort_by_cached_key(fastest),
        Order::Slowest => list.sort_by_key(|index| Reverse(timelines[*index].p99_ns)),
        Order::Name => list.sort_by_cached_key(|index| {
            let timeline = &timelines[*index];
            (timeline.driver.clone(), timeline.timeline.clone(), timeline.context)
        }),
    }
    list
}

pub(super) fn cells(timeline: &Timeline, report: &Report, rates: &Rates) -> Vec<String> {
    let now = rates.of(timeline, report);
    let time = |nanos: Option<u64>| nanos.map_or("–".to_owned(), duration);
    vec![
        clean(&timeline.driver),
        name(timeline),
        rate(now.made),
        rate(now.signaled),
        timeline.pending.to_string(),
        time(timeline.p50_ns),
        time(timeline.p99_ns),
        rates.trend(timeline, TREND),
    ]
}

/// Names are not unique: the context follows, or how many there are.
pub(super) fn name(timeline: &Timeline) -> String {
    let name = clean(&timeline.timeline);
    match timeline.context {
        Some(context) => format!("{name} [{context}]"),
        None => format!("{name} [{} contexts]", timeline.contexts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::frozen;

    #[test]
    fn orders_and_filter() {
        let (report, rates) = (frozen(), Rates::default());
        let listed = |filter, order| -> Vec<u32> {
            let list = list(&report, &rates, filter, order);
            list.into_iter().filter_map(|index| report.timelines[index].context).collect()
        };
        assert_eq!(listed("", Order::Pending), [5, 2, 7]);
        assert_eq!(listed("", Order::Rate), [5, 2, 7]);
        assert_eq!(listed("", Order::Slowest), [5, 2, 7]);
        assert_eq!(listed("", Order::Name), [5, 7, 2]);
        assert_eq!(listed("ring", Order::Name), [7]);
        assert_eq!(listed("vkms", Order::Name), [2]);
        let mut order = Order::Pending;
        for name in ["rate", "p99", "name", "pending"] {
            order = order.next();
            assert_eq!(order.name(), name);
        }
    }

    #[test]
    fn a_row() {
        let report = frozen();
        let row = cells(&report.timelines[0], &report, &Rates::default());
        assert_eq!(row, ["gpu", "gfx [5]", "1.7", "1.6", "1", "2.0 ms", "9.0 ms", ""]);
    }
}
