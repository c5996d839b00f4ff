//! When a fence is late, and when it is taken for one that never signals.

use crate::model::Sorted;

const SECOND: u64 = 1_000_000_000;
/// Nobody notices less: it is about 15 frames.
const NOTICED: u64 = SECOND / 4;
/// Below so many fences the 99th percentile is the slowest of them, and would hide itself.
const ENOUGH: u64 = 100;

/// How long a fence may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    given: Option<u64>,
}

impl Thresholds {
    pub(crate) fn new(given: Option<u64>) -> Self {
        Self { given }
    }

    /// Slower ones may be late, when all is known; faster ones are not, whatever comes.
    pub(crate) fn slow(&self) -> u64 {
        self.given.unwrap_or(NOTICED)
    }

    /// How long a fence may be pending: the greater of 1 s and 10 times the 99th percentile of its timeline.
    /// Where that is no more than the slowest of a few, three times the median stands for it, if that is less: one late
    /// fence must not excuse the next one.
    pub(crate) fn pending(&self, usual: &Sorted<'_>) -> u64 {
        self.given.unwrap_or_else(|| {
            let p99 = usual.percentile(99).unwrap_or(0);
            let median = usual.percentile(50).unwrap_or(0);
            let high = if usual.len() < ENOUGH { p99.min(median.saturating_mul(3)) } else { p99 };
            high.saturating_mul(10).max(SECOND)
        })
    }

    /// How long a fence that has signaled may have taken, compared with the others of its timeline. It is one
    /// of the slow ones: of the others, it stands behind the median.
    pub(crate) fn signaled(&self, usual: &Sorted<'_>) -> u64 {
        self.given.unwrap_or_else(|| {
            let others = usual.len().saturating_sub(1);
            let bound = if others == 0 {
                return SECOND;
            } else if usual.len() < ENOUGH {
                usual.nth(others.div_ceil(2) - 1).map(|median| median.saturating_mul(5))
            } else {
                usual.percentile(99).map(|p99| p99.saturating_mul(10))
            };
            bound.unwrap_or(0).max(NOTICED)
        })
    }

    /// Whether a late one is late only in comparison with its timeline.
    pub(crate) fn is_outlier(&self, latency: u64) -> bool {
        self.given.is_none() && latency <= SECOND
    }
}
