//! The model's clock and the real one.

use crate::model::NOW;
use dma_fence::{Signal, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What the real clock showed at each reading of the model's.
#[derive(Default)]
pub(super) struct Times {
    /// Between which moments.
    windows: Vec<(Timestamp, Timestamp)>,
    begun: Option<Timestamp>,
    /// Exactly, once it has been seen.
    seen: RefCell<BTreeMap<u64, Timestamp>>,
}

impl Times {
    /// A step begins.
    pub(super) fn begin(&mut self) {
        self.begun = Some(Timestamp::now());
    }

    /// It has ended, and there have been so many readings by now.
    pub(super) fn end(&mut self, readings: u64) {
        let now = Timestamp::now();
        self.windows.resize(readings as usize, (self.begun.unwrap_or(now), now));
    }

    /// Are both the same result at the same time?
    pub(super) fn same(&self, model: Signal, real: Signal) -> bool {
        model.result == real.result && self.same_time(model.timestamp, real.timestamp)
    }

    pub(super) fn same_time(&self, model: Timestamp, real: Timestamp) -> bool {
        match model.as_nanos().checked_sub(NOW) {
            Some(reading) => self.is_in_window(reading, real) && self.is_in_order(reading, real),
            None => model == real,
        }
    }

    fn is_in_window(&self, reading: u64, real: Timestamp) -> bool {
        // Within the step itself there is no window yet; what it did is looked at again after it.
        self.windows.get(reading as usize).is_none_or(|(from, to)| (*from..=*to).contains(&real))
    }

    /// A reading stays what it is, and later ones are not earlier.
    fn is_in_order(&self, reading: u64, real: Timestamp) -> bool {
        let mut seen = self.seen.borrow_mut();
        let first = *seen.entry(reading).or_insert(real);
        let before = seen.range(..reading).next_back().is_none_or(|(_, it)| *it <= real);
        let after = seen.range(reading + 1..).next().is_none_or(|(_, it)| *it >= real);
        first == real && before && after
    }
}
