//! How fast a replay goes.

use std::{fmt, time::Duration};

/// How many seconds of the trace go by in one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Speed {
    Times(f64),
    /// As fast as it can be read.
    Max,
}

const SLOWEST: f64 = 1.0 / 1024.0;
const FASTEST: f64 = 1024.0 * 1024.0;

impl Speed {
    fn faster(self) -> Self {
        match self {
            Self::Times(times) => Self::Times((times * 2.0).min(FASTEST)),
            Self::Max => Self::Max,
        }
    }

    fn slower(self) -> Self {
        match self {
            Self::Times(times) => Self::Times((times / 2.0).max(SLOWEST)),
            Self::Max => Self::Times(1.0),
        }
    }
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(0.0) => Ok(Self::Max),
            Ok(times) if (SLOWEST..=FASTEST).contains(&times) => Ok(Self::Times(times)),
            _ => Err(format!("a number from {SLOWEST} to {FASTEST}, 0 or max")),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "×{times}"),
            Self::Max => write!(f, "max"),
        }
    }
}

/// Turns the time of whoever looks into the trace's.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    paused: bool,
    /// One event is due although it is not.
    step: bool,
    /// The trace's time; `None` before its first event.
    present_ns: Option<u64>,
    /// When that was true.
    at: Duration,
}

impl Pace {
    pub(super) fn new(speed: Speed) -> Self {
        Self { speed, paused: false, step: false, present_ns: None, at: Duration::ZERO }
    }

    /// `now` is the time of whoever looks, from any beginning.
    pub(super) fn advance(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.at = now;
        if let (Some(present), Speed::Times(times), false) =
            (&mut self.present_ns, self.speed, self.paused)
        {
            *present = present.saturating_add((passed.as_nanos() as f64 * times) as u64);
        }
    }

    /// Whether what happened then may be shown now.
    pub(super) fn is_due(&mut self, time_ns: u64) -> bool {
        let present = self.present_ns.get_or_insert(time_ns);
        if time_ns <= *present {
            return true;
        }
        let goes_on = self.speed == Speed::Max && !self.paused;
        if goes_on || std::mem::take(&mut self.step) {
            *present = time_ns;
            return true;
        }
        false
    }

    pub(super) fn present_ns(&self) -> Option<u64> {
        self.present_ns
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.step = false;
    }

    /// While it is paused: on to the next event.
    pub(super) fn step(&mut self) {
        self.step = self.paused;
    }

    pub(super) fn faster(&mut self) {
        self.speed = self.speed.faster();
    }

    pub(super) fn slower(&mut self) {
        self.speed = self.speed.slower();
    }

    pub(super) fn speed(&self) -> Speed {
        self.speed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_first_event_is_due_at_once_and_the_others_as_far_apart_as_they_were() {
        let mut pace = Pace::new(Speed::Times(2.0));
        pace.advance(seconds(100.0));
        assert!(pace.is_due(5 * SECOND));
        assert!(!pace.is_due(9 * SECOND), "4 s later: in 2 s");
        pace.advance(seconds(101.9));
        assert!(!pace.is_due(9 * SECOND));
        pace.advance(seconds(102.0));
        assert!(pace.is_due(9 * SECOND));
        assert!(pace.is_due(7 * SECOND), "of another CPU, out of order");
        assert_eq!(pace.present_ns(), Some(9 * SECOND));
    }

    #[test]
    fn a_pause_stops_the_clock_and_steps_move_it_event_by_event() {
        let mut pace = Pace::new(Speed::Times(1.0));
        assert!(pace.is_due(SECOND));
        pace.pause(true);
        pace.advance(seconds(60.0));
        assert!(!pace.is_due(2 * SECOND));
        pace.step();
        assert!(pace.is_due(2 * SECOND) && !pace.is_due(3 * SECOND), "one event, not all");
        pace.pause(false);
        pace.advance(seconds(60.9));
        assert!(!pace.is_due(3 * SECOND));
        pace.advance(seconds(61.0));
        assert!(pace.is_due(3 * SECOND));
        pace.step();
        assert!(!pace.is_due(4 * SECOND), "it goes on by itself: nothing to step");
    }

    #[test]
    fn as_fast_as_possible_everything_is_due_unless_it_is_paused() {
        let mut pace = Pace::new(Speed::Max);
        assert!(pace.is_due(SECOND) && pace.is_due(1000 * SECOND));
        pace.pause(true);
        assert!(!pace.is_due(2000 * SECOND));
        assert_eq!(pace.present_ns(), Some(1000 * SECOND));
    }

    #[test]
    fn speeds() {
        for (text, speed) in [
            ("1", Speed::Times(1.0)),
            ("0.5", Speed::Times(0.5)),
            ("0", Speed::Max),
            ("max", Speed::Max),
        ] {
            assert_eq!(text.parse(), Ok(speed), "{text}");
        }
        for text in ["", "-1", "nan", "inf", "1e99", "fast", "0.00001"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
        let mut speed = Speed::Times(1.0);
        for _ in 0..100 {
            speed = speed.faster();
        }
        assert_eq!(speed, Speed::Times(FASTEST));
        assert_eq!(Speed::Times(1.0).slower().faster().to_string(), "×1");
    }
}
