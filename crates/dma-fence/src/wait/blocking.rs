//! Waits that sleep.

use super::several::{Several, Sleeper};
use super::sleeping::Sleeping;
use super::{all, any};
use crate::callback::drain;
use crate::contract;
use crate::fence::Fence;
use crate::outcome::{FenceError, Outcome, WaitError};
use crate::sync::{Parker, look};
use crate::time::Timestamp;
use crate::trace;
use core::fmt;
use core::slice;
use core::time::Duration;
use std::time::Instant;

impl Sleeper for Parker {
    fn wake(&self) {
        self.unpark();
    }
}

/// How long a wait may take.
#[derive(Clone, Copy)]
enum Limit {
    None,
    Until(Instant),
    /// It only looks.
    Zero,
}

impl Limit {
    fn after(timeout: Duration) -> Limit {
        match timeout {
            Duration::ZERO => Limit::Zero,
            // A limit beyond the clock's range is none.
            _ => Instant::now().checked_add(timeout).map_or(Limit::None, Limit::Until),
        }
    }

    fn at(deadline: Timestamp) -> Limit {
        let left = deadline.as_nanos().saturating_sub(Timestamp::now().as_nanos());
        Limit::after(Duration::from_nanos(left))
    }

    /// Sleeps until `decided`; false if the time is over first.
    fn sleep(self, parker: &Parker, mut decided: impl FnMut() -> bool) -> bool {
        let until = match self {
            Limit::None => None,
            Limit::Until(until) => Some(until),
            Limit::Zero => return decided(),
        };
        let over = || until.is_some_and(|until| Instant::now() >= until);
        // Inside a callback, what is queued behind it may be what decides.
        drain::help_until(|| decided() || over());
        if look(&mut decided) {
            return true;
        }
        while !decided() && parker.park(until) {}
        // The signal may have come with the last moment.
        decided()
    }
}

// === one fence ===

impl Fence {
    /// Blocks until the fence has signaled or was abandoned.
    ///
    /// # Errors
    /// The fence signaled with an error, or lost its producer.
    ///
    /// # Context
    /// Sleeps; enables signaling. Do not call it where the signal has to come from. Called from inside a
    /// callback it first runs what is queued behind that callback, so hold no lock over it that one of
    /// those callbacks takes, and let none of them wait for what this one does afterwards. Waits in
    /// callbacks nest at most 16 deep in that way; those beyond only sleep.
    #[doc(alias = "dma_fence_wait")]
    #[track_caller]
    pub fn wait(&self) -> Result<(), FenceError> {
        // Without a limit there is always an outcome.
        self.outcome_by(Limit::None).map_or(Ok(()), |outcome| outcome.result())
    }

    /// As [`wait`](Self::wait), for at most `timeout`; zero never sleeps.
    ///
    /// # Errors
    /// Also [`WaitError::TimedOut`].
    #[doc(alias = "dma_fence_wait_timeout")]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), WaitError> {
        in_time(self.outcome_by(Limit::after(timeout)).map(|outcome| outcome.result()))
    }

    /// As [`wait`](Self::wait), until `deadline` at the latest; a deadline in the past never sleeps.
    ///
    /// # Errors
    /// Also [`WaitError::TimedOut`].
    #[track_caller]
    pub fn wait_until(&self, deadline: Timestamp) -> Result<(), WaitError> {
        in_time(self.outcome_by(Limit::at(deadline)).map(|outcome| outcome.result()))
    }

    /// What became of the fence; `None` if the time was over first.
    #[track_caller]
    fn outcome_by(&self, limit: Limit) -> Option<Outcome> {
        if matches!(limit, Limit::Zero) {
            return self.asked();
        }
        let _waiting = contract::waits_for(slice::from_ref(self));
        let _told = trace::waits(slice::from_ref(self));
        let known = self.asked();
        if known.is_some() {
            return known;
        }
        match Sleeping::register(self) {
            Err(outcome) => Some(outcome),
            Ok(sleeping) => {
                limit.sleep(sleeping.parker(), || self.outcome().is_some());
                drop(sleeping);
                self.outcome()
            }
        }
    }
}

fn in_time(result: Option<Result<(), FenceError>>) -> Result<(), WaitError> {
    Ok(result.ok_or(WaitError::TimedOut)??)
}

/// Sleeps until `needed` of the fences have signaled or one is lost; false if it is not told of that
/// before the time is over, which says little: a slow callback may be before ours.
fn sleep_for_several(fences: &[Fence], needed: usize, limit: Limit) -> bool {
    if matches!(limit, Limit::Zero) {
        return false;
    }
    let several = Several::register(fences, needed, Parker::new());
    limit.sleep(several.sleeper(), || several.is_decided())
}

// === any of several ===

/// Why a wait for any of several fences with a time limit has no winner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitAnyError {
    /// There are no fences, so none will ever be decided.
    NoFences,
    /// The time limit passed first.
    TimedOut,
}

impl fmt::Display for WaitAnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitAnyError::NoFences => "there is no fence to wait for",
            WaitAnyError::TimedOut => "none of the fences signaled in time",
        })
    }
}

impl core::error::Error for WaitAnyError {}

/// Blocks until one of the fences has signaled or was abandoned: its index, the lowest if there are
/// several. `None` if there are no fences.
///
/// # Context
/// As [`Fence::wait`]. Asks every backend first; enables signaling on all fences unless one is decided by
/// then.
///
/// ```
/// use dma_fence::{FenceContext, wait_any};
/// let context = FenceContext::hardware("gpu", "ring 0");
/// let (slow, fast) = (context.new_fence(), context.new_fence());
/// let fences = [slow.fence(), fast.fence()];
/// std::thread::spawn(move || fast.signal(Ok(())));
/// assert_eq!(wait_any(&fences), Some(1));
/// # slow.signal(Ok(()));
/// ```
#[doc(alias = "dma_fence_wait_any_timeout")]
#[track_caller]
pub fn wait_any(fences: &[Fence]) -> Option<usize> {
    // Without a limit only an empty slice has no winner.
    winner_by(fences, Limit::None).ok()
}

/// As [`wait_any`], for at most `timeout`; zero never sleeps and enables nothing.
///
/// # Errors
/// None was decided in time, or there are none, which is told at once.
#[doc(alias = "dma_fence_wait_any_timeout")]
#[track_caller]
pub fn wait_any_timeout(fences: &[Fence], timeout: Duration) -> Result<usize, WaitAnyError> {
    winner_by(fences, Limit::after(timeout))
}

/// As [`wait_any`], until `deadline` at the latest; a deadline in the past never sleeps.
///
/// # Errors
/// None was decided in time, or there are none, which is told at once.
#[doc(alias = "dma_fence_wait_any_timeout")]
#[track_caller]
pub fn wait_any_until(fences: &[Fence], deadline: Timestamp) -> Result<usize, WaitAnyError> {
    winner_by(fences, Limit::at(deadline))
}

#[track_caller]
fn winner_by(fences: &[Fence], limit: Limit) -> Result<usize, WaitAnyError> {
    if fences.is_empty() {
        return Err(WaitAnyError::NoFences);
    }
    let mut _told = None;
    if !matches!(limit, Limit::Zero) {
        contract::may_wait();
        _told = Some(trace::waits(fences));
    }
    let mut winner = any::first_decided(fences, Fence::asked);
    if winner.is_none() {
        sleep_for_several(fences, any::NEEDED, limit);
        winner = any::first_decided(fences, Fence::outcome);
    }
    winner.map(|(index, _)| index).ok_or(WaitAnyError::TimedOut)
}

// === all of several ===

/// Blocks until every fence has signaled, or one is abandoned.
///
/// # Errors
/// A fence is abandoned, before the wait or during it; else the first one in the slice that failed, when
/// all have signaled.
///
/// # Context
/// As [`Fence::wait`]. Asks every backend first; enables signaling on all fences unless they are decided
/// by then.
///
/// ```
/// use dma_fence::{Errno, FenceContext, FenceError, wait_all};
/// let context = FenceContext::hardware("gpu", "ring 0");
/// let (draw, copy) = (context.new_fence(), context.new_fence());
/// let fences = [draw.fence(), copy.fence()];
/// std::thread::spawn(move || {
///     copy.signal(Err(Errno::EIO));
///     draw.signal(Ok(()));
/// });
/// assert_eq!(wait_all(&fences), Err(FenceError::Failed(Errno::EIO)));
/// ```
#[track_caller]
pub fn wait_all(fences: &[Fence]) -> Result<(), FenceError> {
    // Without a limit there is always a verdict.
    verdict_by(fences, Limit::None).unwrap_or(Ok(()))
}

/// As [`wait_all`], for at most `timeout`; zero never sleeps and enables nothing.
///
/// # Errors
/// Also [`WaitError::TimedOut`].
#[track_caller]
pub fn wait_all_timeout(fences: &[Fence], timeout: Duration) -> Result<(), WaitError> {
    in_time(verdict_by(fences, Limit::after(timeout)))
}

/// As [`wait_all`], until `deadline` at the latest; a deadline in the past never sleeps.
///
/// # Errors
/// Also [`WaitError::TimedOut`].
#[track_caller]
pub fn wait_all_until(fences: &[Fence], deadline: Timestamp) -> Result<(), WaitError> {
    in_time(verdict_by(fences, Limit::at(deadline)))
}

#[track_caller]
fn verdict_by(fences: &[Fence], limit: Limit) -> Option<Result<(), FenceError>> {
    if matches!(limit, Limit::Zero) {
        return all::verdict(fences, Fence::asked);
    }
    let _waiting = contract::waits_for(fences);
    let _told = trace::waits(fences);
    let known = all::verdict(fences, Fence::asked);
    if known.is_some() {
        return known;
    }
    if sleep_for_several(fences, fences.len(), limit) {
        return Some(all::final_verdict(fences));
    }
    all::verdict(fences, Fence::outcome)
}
