//! What can happen to a fence: somebody waits, it signals, it is abandoned.
//!
//! | transition | from | to | under the lock | after the unlock |
//! |---|---|---|---|---|
//! | link | Pending, Abandoned* | same | append the node | – |
//! | unlink | Pending, Abandoned* | same | remove the node | drop what it held |
//! | complete | Pending, Abandoned | Signaled | result, timestamp; detach all nodes; take the hooks | tell, drop the hooks, run the nodes |
//! | abandon | Pending | Abandoned | detach the on-outcome nodes | tell, run them |
//!
//! \* on-signal nodes only.
//!
//! LINKED-BY-STATE: a registered, not cancelled node is on the fence's list exactly while the fence
//! is undecided for the node's interest: *on signal* until Signaled, *on outcome* while Pending. So
//! the state, read under the lock, says whether a node may be unlinked.
//!
//! NO-USER-CODE: no hook, callback or drop of either happens under the lock.
#![allow(unsafe_code)]

use super::inner::Guarded;
use super::{Fence, kind, lost};
use crate::callback::{Interest, NodeRef, drain};
use crate::errno::Errno;
use crate::ops::{Enabled, FenceOps};
use crate::outcome::{Outcome, Signal, Status};
use crate::sync::{Life, State, StateGuard};
use crate::time::Timestamp;
use crate::trace;
use alloc::sync::Arc;

#[inline]
fn undecided(state: State, interest: Interest) -> bool {
    match interest {
        Interest::Signal => !state.is_signaled(),
        Interest::Outcome => state.life() == Life::Pending,
    }
}

impl Fence {
    #[inline]
    fn lock(&self) -> StateGuard<'_, Guarded> {
        self.0.lock.lock()
    }

    /// What somebody with that interest would be told now.
    #[inline]
    pub(crate) fn decided(&self, interest: Interest) -> Option<Outcome> {
        let mut state = self.0.lock.load();
        if state.life() == Life::Abandoned && self.is_container() {
            // What it stands for may have signaled after all, and nobody waits for that yet.
            self.poll();
            state = self.0.lock.load();
        }
        if undecided(state, interest) { None } else { Some(self.decision(state)) }
    }

    /// What it has been decided to.
    #[inline(never)]
    fn decision(&self, state: State) -> Outcome {
        match state.life() {
            Life::Signaled => Outcome::Signaled(self.0.signal_record()),
            _ => Outcome::Abandoned,
        }
    }

    /// Puts a node on the list, or gives it back if the fence is decided. Enables signaling first, and runs
    /// `linked` under the lock once the node is there.
    pub(crate) fn link(
        &self,
        node: NodeRef,
        interest: Interest,
        linked: impl FnOnce(),
    ) -> Result<(), (NodeRef, Outcome)> {
        self.enable();
        let mut guard = self.lock();
        if !undecided(guard.state(), interest) {
            return Err((node, self.decision(guard.state())));
        }
        guard.callbacks.push_back(node, interest);
        linked();
        Ok(())
    }

    /// Takes a node off the list if it is still there.
    ///
    /// # Safety
    /// The node was linked on this fence with this interest, and has not been unlinked.
    pub(crate) unsafe fn unlink(&self, node: &NodeRef, interest: Interest) -> Option<NodeRef> {
        let mut guard = self.lock();
        // SAFETY: LINKED-BY-STATE, with the caller's word that it was linked here.
        undecided(guard.state(), interest).then(|| unsafe { guard.callbacks.unlink(node) })
    }

    /// Runs `f` under the lock if nodes with that interest are still on the list.
    pub(crate) fn if_linked(&self, interest: Interest, f: impl FnOnce()) {
        let guard = self.lock();
        if undecided(guard.state(), interest) {
            f();
        }
    }

    /// Pending or Abandoned → Signaled. False if it had signaled before.
    #[inline]
    pub(crate) fn complete(&self, result: Result<(), Errno>, timestamp: Timestamp) -> bool {
        self.complete_from(Life::Abandoned, result, timestamp)
    }

    /// What a hook says counts only as long as the producer is there.
    fn complete_for_hook(&self, signal: Signal) {
        self.complete_from(Life::Pending, signal.result, signal.timestamp);
    }

    #[inline(always)]
    fn complete_from(
        &self,
        at_most: Life,
        result: Result<(), Errno>,
        timestamp: Timestamp,
    ) -> bool {
        let moment = trace::moment();
        let mut guard = self.lock();
        let state = guard.state();
        if state.life() > at_most {
            return false;
        }
        self.0.record(timestamp);
        let callbacks = guard.callbacks.take();
        // Most have none, and to take nothing costs more than to look.
        let ops = if guard.ops.is_some() { guard.ops.take() } else { None };
        guard.unlock_as(state.signaled(result));
        moment.signaled(&self.0, result);
        if state.life() == Life::Abandoned && !self.is_container() {
            lost::one_fewer();
        }
        let outcome = Outcome::Signaled(Signal { result, timestamp });
        match ops {
            None => drain::run(callbacks, outcome),
            // The backend goes before the callbacks run, and if its drop panics, they run all the same.
            Some(ops) => drain::scope(|| {
                drain::run(callbacks, outcome);
                drain::guarded(|| drop(ops));
            }),
        }
        true
    }

    /// Pending → Abandoned. False if it was decided before.
    pub(crate) fn abandon(&self) -> bool {
        let moment = trace::moment();
        let mut guard = self.lock();
        let state = guard.state();
        if state.life() != Life::Pending {
            return false;
        }
        let callbacks = guard.callbacks.take_outcomes();
        if !self.is_container() {
            lost::one_more();
        }
        guard.unlock_as(state.with_life(Life::Abandoned));
        moment.abandoned(&self.0);
        drain::run(callbacks, Outcome::Abandoned);
        true
    }

    /// The hooks, as long as they may be called.
    pub(crate) fn ops(&self) -> Option<Arc<dyn FenceOps>> {
        if self.life() != Life::Pending {
            return None;
        }
        let guard = self.lock();
        if guard.state().life() == Life::Pending { guard.ops.clone() } else { None }
    }

    /// Asks the hook, or what a container stands for, whether the fence has signaled, and follows the
    /// answer.
    #[cold]
    pub(crate) fn poll(&self) -> Life {
        if self.is_container() {
            kind::poll(self);
        } else if let Some(signal) = self.ops().and_then(|ops| ops.poll()) {
            self.complete_for_hook(signal);
        }
        self.life()
    }

    /// Is it abandoned, or anything that it stands for, of which a container may not know yet? Asks no hook.
    #[inline]
    pub(super) fn is_lost(&self) -> bool {
        let is_abandoned = |fence: Fence| fence.life() == Life::Abandoned;
        self.life() == Life::Abandoned
            || self.is_container() && lost::any() && self.leaves().any(is_abandoned)
    }

    /// As [`poll`](Self::poll), and looks for what has been lost, anywhere in a container.
    #[cold]
    pub(crate) fn poll_all(&self) -> Life {
        let life = self.poll();
        let is_lost = |fence: Fence| fence.status() == Status::Abandoned;
        let may_be_lost = life == Life::Pending && self.is_container() && lost::any();
        if may_be_lost && self.leaves().any(is_lost) {
            self.abandon();
        }
        self.life()
    }

    /// Makes sure, once, that a signal will come.
    #[inline]
    pub(super) fn enable(&self) {
        if self.0.lock.load().is_to_enable() {
            self.enable_now();
        }
    }

    /// The caller is the first waiter, or one of them.
    #[cold]
    fn enable_now(&self) {
        let moment = trace::moment();
        let guard = self.lock();
        let state = guard.state();
        if !state.is_to_enable() || state.is_signaled() {
            return;
        }
        let ops = if state.life() == Life::Pending { guard.ops.clone() } else { None };
        guard.unlock_as(state.to_enable(false));
        moment.enabled(&self.0);
        // In a scope: callbacks wait until the walk of a container is done, and a panic until the hook's
        // caller has done its part.
        drain::scope(|| match ops {
            _ if self.is_container() => kind::enable(self),
            Some(ops) => {
                if let Some(Enabled::Done(signal)) = drain::guarded(|| ops.enable_signaling(self)) {
                    self.complete_for_hook(signal);
                }
                drain::guarded(|| drop(ops));
            }
            None => {}
        });
    }

    /// Where the fence is in its life, as far as anybody has noticed: no hook and no member is asked.
    #[inline]
    pub(crate) fn life(&self) -> Life {
        self.0.lock.load().life()
    }
}
