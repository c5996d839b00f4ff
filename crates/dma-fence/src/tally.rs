//! What several signals amount to.

use crate::fence::Fence;
use crate::outcome::Signal;
use crate::{Errno, Timestamp};
use core::slice;

/// The error that came first, and the latest time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tally {
    first_error: Option<(Timestamp, Errno)>,
    latest: Timestamp,
}

impl Tally {
    /// Of no signal at all.
    pub(crate) const NONE: Tally = Tally { first_error: None, latest: Timestamp::ZERO };

    pub(crate) fn of(signal: Signal) -> Tally {
        let Signal { result, timestamp } = signal;
        Tally { first_error: result.err().map(|error| (timestamp, error)), latest: timestamp }
    }

    /// Of a fence that has signaled. An array counts with its members' own times, so that it makes no
    /// difference whether somebody looks at it or at them.
    pub(crate) fn of_signaled(fence: &Fence) -> Tally {
        let leaves = fence.members().unwrap_or(slice::from_ref(fence));
        let each = leaves.iter().map(|leaf| Tally::of(leaf.0.signal_record()));
        each.fold(Tally::NONE, Tally::and)
    }

    /// Both together, in either order: of two errors at the same time that with the lower number counts.
    pub(crate) fn and(self, other: Tally) -> Tally {
        let first_error = self.first_error.into_iter().chain(other.first_error).min();
        Tally { first_error, latest: self.latest.max(other.latest) }
    }

    /// As one signal.
    pub(crate) fn signal(self) -> Signal {
        let result = self.first_error.map_or(Ok(()), |(_, error)| Err(error));
        Signal { result, timestamp: self.latest }
    }
}
