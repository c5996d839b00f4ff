//! What several signals amount to.

use crate::outcome::Signal;
use crate::{Errno, Timestamp};

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

    /// Both together. Of two errors at the same time ours counts.
    pub(crate) fn and(self, other: Tally) -> Tally {
        let first_error = match (self.first_error, other.first_error) {
            (Some(ours), Some(theirs)) if theirs.0 < ours.0 => Some(theirs),
            (ours, theirs) => ours.or(theirs),
        };
        Tally { first_error, latest: self.latest.max(other.latest) }
    }

    /// As one signal.
    pub(crate) fn signal(self) -> Signal {
        let result = self.first_error.map_or(Ok(()), |(_, error)| Err(error));
        Signal { result, timestamp: self.latest }
    }
}
