//! Who may run a callback, and who may take it back.
//!
//! A callback that is still on its fence is cancelled under the fence's lock. Once the list is
//! detached, the draining thread and a thread that cancels race for the *claim*:
//!
//! ```text
//!            drain: start                 drain: finish
//!   Waiting ─────────────► Running ──────────────────────► Done
//!      │                      │ cancel: somebody waits        ▲
//!      │ cancel               └──────────► Awaited ───────────┘
//!      └──────────► Cancelled
//! ```
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | drainer | start: Waiting → Running | AcqRel | revoke |
//! | drainer | finish: Running / Awaited → Done | AcqRel | revoke, `wait_finished` |
//! | canceller | revoke: Waiting → Cancelled | AcqRel | start |
//! | canceller | `wait_finished`: Running → Awaited | AcqRel | finish |
//!
//! CLAIM-ONCE: exactly one of *start* and *revoke from Waiting* succeeds, and who succeeds owns the
//! closure. (A drainer with the node's only handle owns it without: its registration is gone, or never was.) `runner`
//! is written before *start* publishes it.

use crate::sync::{AtomicU8, AtomicUsize, Ordering, current_thread, rendezvous};

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const AWAITED: u8 = 2;
const DONE: u8 = 3;
const CANCELLED: u8 = 4;

/// What a canceller found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Revoked {
    /// It will never run; the closure is the canceller's to drop.
    Taken,
    /// It has run, or this very thread is running it.
    Ran,
    /// Another thread is running it.
    RunsElsewhere,
}

pub(super) struct Claim {
    state: AtomicU8,
    /// The thread that runs it; meaningful from Running on.
    runner: AtomicUsize,
}

impl Claim {
    pub(super) fn new() -> Claim {
        Claim { state: AtomicU8::new(WAITING), runner: AtomicUsize::new(0) }
    }

    /// The drainer is about to run it; false when it was cancelled.
    pub(super) fn start(&self) -> bool {
        self.runner.store(current_thread(), Ordering::Relaxed);
        self.state.compare_exchange(WAITING, RUNNING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The drainer has run it.
    pub(super) fn finish(&self) {
        if self.state.swap(DONE, Ordering::AcqRel) == AWAITED {
            rendezvous::notify();
        }
    }

    /// Somebody wants it never to run.
    pub(super) fn revoke(&self) -> Revoked {
        match self.state.compare_exchange(WAITING, CANCELLED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Revoked::Taken,
            Err(RUNNING | AWAITED) if !self.runs_here() => Revoked::RunsElsewhere,
            Err(_) => Revoked::Ran,
        }
    }

    /// Blocks until the thread that runs it has come back from it.
    pub(super) fn wait_finished(&self) {
        let asked =
            self.state.compare_exchange(RUNNING, AWAITED, Ordering::AcqRel, Ordering::Acquire);
        if asked != Err(DONE) {
            rendezvous::wait_until(|| self.state.load(Ordering::Acquire) == DONE);
        }
    }

    fn runs_here(&self) -> bool {
        self.runner.load(Ordering::Relaxed) == current_thread()
    }
}
