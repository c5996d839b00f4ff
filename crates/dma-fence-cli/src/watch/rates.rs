//! How many fences a timeline makes and signals in a second: from one report to the next.

use std::collections::{HashMap, VecDeque};

use dma_fence_trace::report::{Report, Timeline};

/// How much of the trace's time lies between two samples, at least: of less, a rate says nothing.
const INTERVAL_NS: u64 = 500_000_000;
/// How many samples are remembered: as many as the widest trend has columns.
const SAMPLES: usize = 32;

/// Which timeline: its context, or its names where it has many.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Key {
    Context(u32),
    Names(String, String),
}

impl Key {
    pub(super) fn of(timeline: &Timeline) -> Self {
        match timeline.context {
            Some(context) => Self::Context(context),
            None => Self::Names(timeline.driver.clone(), timeline.timeline.clone()),
        }
    }
}

/// Per second.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Rate {
    pub(super) made: f64,
    pub(super) signaled: f64,
}

#[derive(Debug, Default)]
pub(super) struct Rates {
    timelines: HashMap<Key, History>,
    /// Of the last sample.
    end_ns: Option<u64>,
}

#[derive(Debug, Default)]
struct History {
    made: u64,
    signaled: u64,
    samples: VecDeque<Rate>,
}

impl Rates {
    /// Counts what is new in a report, if there is time enough since the last one that was counted.
    pub(super) fn sample(&mut self, report: &Report) {
        let passed = report.end_ns.saturating_sub(self.end_ns.unwrap_or(report.begin_ns));
        if passed < INTERVAL_NS {
            return;
        }
        self.end_ns = Some(report.end_ns);
        let seconds = passed as f64 / 1e9;
        // Those that the report does not have any more are forgotten.
        let mut before = std::mem::take(&mut self.timelines);
        for timeline in &report.timelines {
            let key = Key::of(timeline);
            let mut history = before.remove(&key).unwrap_or_default();
            let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
            history.samples.push_back(Rate {
                made: per_second(timeline.fences, history.made),
                signaled: per_second(timeline.signaled, history.signaled),
            });
            if history.samples.len() > SAMPLES {
                history.samples.pop_front();
            }
            (history.made, history.signaled) = (timeline.fences, timeline.signaled);
            self.timelines.insert(key, history);
        }
    }

    /// The latest rate; before there is one, that of the whole trace.
    pub(super) fn of(&self, timeline: &Timeline, report: &Report) -> Rate {
        let history = self.timelines.get(&Key::of(timeline));
        if let Some(rate) = history.and_then(|history| history.samples.back()) {
            return *rate;
        }
        let seconds = report.end_ns.saturating_sub(report.begin_ns) as f64 / 1e9;
        if seconds == 0.0 {
            return Rate::default();
        }
        Rate {
            made: timeline.fences as f64 / seconds,
            signaled: timeline.signaled as f64 / seconds,
        }
    }

    /// The rates of signaling as bars, the latest on the right; the highest bar is the timeline's own best.
    pub(super) fn trend(&self, timeline: &Timeline, width: usize) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let Some(history) = self.timelines.get(&Key::of(timeline)) else { return String::new() };
        let rates = history.samples.iter().map(|rate| rate.signaled);
        let most = rates.clone().fold(0.0, f64::max);
        let bar = |rate: f64| match rate {
            0.0 => ' ',
            rate => BARS[((rate / most * BARS.len() as f64) as usize).min(BARS.len() - 1)],
        };
        let skipped = history.samples.len().saturating_sub(width);
        rates.skip(skipped).map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample;

    fn report(end_ns: u64, fences: u64, signaled: u64) -> Report {
        let timeline = Timeline { fences, signaled, ..sample::timeline("gpu", "gfx", Some(5)) };
        Report { end_ns, begin_ns: 0, timelines: vec![timeline], ..sample::report() }
    }

    #[test]
    fn rates_are_what_is_new_since_the_report_before() {
        let mut rates = Rates::default();
        let first = report(1_000_000_000, 100, 90);
        let timeline = &first.timelines[0];
        assert_eq!(rates.of(timeline, &first), Rate { made: 100.0, signaled: 90.0 });
        rates.sample(&first);
        assert_eq!(rates.of(timeline, &first), Rate { made: 100.0, signaled: 90.0 });
        rates.sample(&report(3_000_000_000, 110, 130));
        let rate = rates.of(timeline, &first);
        assert_eq!(rate, Rate { made: 5.0, signaled: 20.0 });
        // Too soon after the last one to say anything.
        rates.sample(&report(3_100_000_000, 1000, 1000));
        assert_eq!(rates.of(timeline, &first), rate);
    }

    #[test]
    fn a_trend_shows_the_latest_on_the_right_and_does_not_grow() {
        let mut rates = Rates::default();
        let counts = [8, 8, 12, 13];
        for (second, signaled) in counts.into_iter().enumerate() {
            rates.sample(&report((second as u64 + 1) * 1_000_000_000, 0, signaled));
        }
        let timeline = sample::timeline("gpu", "gfx", Some(5));
        assert_eq!(rates.trend(&timeline, 8), "█ ▅▂");
        assert_eq!(rates.trend(&timeline, 2), "▅▂");
        for second in 10..1000 {
            rates.sample(&report(second * 1_000_000_000, 0, second));
        }
        assert_eq!(rates.trend(&timeline, 9999).chars().count(), SAMPLES);
        rates.sample(&Report { end_ns: 2_000_000_000_000, ..sample::report() });
        assert!(rates.timelines.is_empty(), "nobody has heard of it any more");
    }
}
