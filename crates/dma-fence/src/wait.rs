//! Waiting: for one fence, for any of several, for all of several; blocking or with `.await`.
//!
//! - [`blocking`]: every wait that sleeps
//! - [`one`], [`any`], [`all`]: the futures
//! - [`sleeping`]: a thread on a fence's list
//! - [`several`]: one wait for many fences, woken once
//! - [`waker`]: the waker of the task that polled last
//!
//! Every wait asks each backend and each container before it sleeps, for a backend may know before its
//! interrupt comes, and a member that is lost may be far from an array's walk. A thread then listens to
//! callbacks only; a future asks again whenever it is polled.

mod all;
mod any;
#[cfg(feature = "std")]
mod blocking;
mod one;
mod several;
#[cfg(feature = "std")]
mod sleeping;
mod waker;

pub use all::{AllFuture, all_of};
pub use any::{AnyFuture, any_of};
#[cfg(feature = "std")]
pub use blocking::{
    WaitAnyError, wait_all, wait_all_timeout, wait_all_until, wait_any, wait_any_timeout,
    wait_any_until,
};
pub use one::FenceFuture;

use crate::callback::Interest;
use crate::fence::Fence;
use crate::outcome::Outcome;

impl Fence {
    /// What became of the fence, asking its backend or members.
    #[inline]
    fn asked(&self) -> Option<Outcome> {
        self.ask();
        self.outcome()
    }

    /// What became of the fence so far. The state is enough once it was waited for, but of a container that
    /// was abandoned: what is in it may have signaled after all.
    #[inline]
    fn outcome(&self) -> Option<Outcome> {
        self.decided(Interest::Outcome)
    }
}
