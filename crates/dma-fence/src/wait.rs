//! Blocking waits.

use crate::callback::{Interest, drain};
use crate::fence::Fence;
use crate::outcome::{FenceError, Outcome, Status, WaitError};
use crate::sync::Parker;
use crate::time::Timestamp;
use crate::{Declined, FenceCallback};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::time::Instant;

impl Fence {
    /// Blocks until the fence has signaled or was abandoned.
    ///
    /// # Errors
    /// The fence signaled with an error, or lost its producer.
    ///
    /// # Context
    /// Sleeps; enables signaling. Do not call it where the signal has to come from. Called from inside a
    /// callback it first runs what is queued behind that callback, so hold no lock over it that one of
    /// those callbacks takes.
    #[doc(alias = "dma_fence_wait")]
    pub fn wait(&self) -> Result<(), FenceError> {
        // Without a limit there is always an outcome.
        self.outcome_by(None).map_or(Ok(()), |outcome| outcome.result())
    }

    /// As [`wait`](Self::wait), for at most `timeout`; zero never sleeps.
    ///
    /// # Errors
    /// Also [`WaitError::TimedOut`].
    #[doc(alias = "dma_fence_wait_timeout")]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), WaitError> {
        let outcome = match timeout {
            Duration::ZERO => self.ask(),
            // A limit beyond the clock's range is none.
            _ => self.outcome_by(Instant::now().checked_add(timeout)),
        };
        outcome.map_or(Err(WaitError::TimedOut), |outcome| Ok(outcome.result()?))
    }

    /// As [`wait`](Self::wait), until `deadline` at the latest; a deadline in the past never sleeps.
    ///
    /// # Errors
    /// Also [`WaitError::TimedOut`].
    pub fn wait_until(&self, deadline: Timestamp) -> Result<(), WaitError> {
        let left = deadline.as_nanos().saturating_sub(Timestamp::now().as_nanos());
        self.wait_timeout(Duration::from_nanos(left))
    }

    /// What became of the fence; `None` if the time was over first.
    fn outcome_by(&self, until: Option<Instant>) -> Option<Outcome> {
        let parker = Arc::new(Parker::new());
        let waker = parker.clone();
        match self.on_outcome(move |_| waker.unpark()) {
            Err(Declined { outcome, .. }) => Some(outcome),
            Ok(callback) => {
                let mut outcome = self.ask();
                while outcome.is_none() && (drain::help() || parker.park(until)) {
                    outcome = self.outcome();
                }
                callback.abandon();
                // The signal may have come with the last moment of the limit.
                outcome.or_else(|| self.outcome())
            }
        }
    }

    /// What became of the fence, asking its backend or members: once a wait, before it sleeps or
    /// instead. A member
    /// that is lost may be far from the walk, and a backend may know before its interrupt comes.
    fn ask(&self) -> Option<Outcome> {
        self.status();
        self.outcome()
    }

    /// What became of the fence so far. Asks no hook: the state is enough once it was waited for.
    fn outcome(&self) -> Option<Outcome> {
        self.decided(Interest::Outcome)
    }
}

/// Blocks until one of the fences is decided; the index of the first that is. `None` if there are
/// none.
///
/// # Context
/// As [`Fence::wait`]. Enables signaling on those before the winner, and on all if it sleeps.
#[doc(alias = "dma_fence_wait_any_timeout")]
pub fn wait_any(fences: &[Fence]) -> Option<usize> {
    if fences.is_empty() {
        return None;
    }
    let parker = Arc::new(Parker::new());
    let mut callbacks = Vec::with_capacity(fences.len());
    for (index, fence) in fences.iter().enumerate() {
        let waker = parker.clone();
        match fence.on_outcome(move |_| waker.unpark()) {
            Err(_) => {
                forget_all(callbacks);
                return Some(index);
            }
            Ok(callback) => callbacks.push(callback),
        }
    }
    let mut winner = fences.iter().position(|fence| fence.ask().is_some());
    while winner.is_none() {
        if !drain::help() {
            parker.park(None);
        }
        winner = fences.iter().position(|fence| fence.outcome().is_some());
    }
    forget_all(callbacks);
    winner
}

/// Takes the callbacks back; one that is about to wake us finds nobody, which is no harm.
fn forget_all(callbacks: Vec<FenceCallback>) {
    callbacks.into_iter().for_each(FenceCallback::abandon);
}

/// Blocks until every fence has signaled, or one is found to be abandoned.
///
/// # Errors
/// A fence is abandoned; else the first one in the slice that failed, when all have signaled.
///
/// # Context
/// As [`Fence::wait`].
pub fn wait_all(fences: &[Fence]) -> Result<(), FenceError> {
    if fences.iter().any(|fence| fence.status() == Status::Abandoned) {
        return Err(FenceError::Abandoned);
    }
    let mut first_error = Ok(());
    for fence in fences {
        match fence.wait() {
            Err(FenceError::Abandoned) => return Err(FenceError::Abandoned),
            result => first_error = first_error.and(result),
        }
    }
    first_error
}
