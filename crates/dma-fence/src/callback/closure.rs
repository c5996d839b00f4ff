//! A user's closure as a list entry, and the guard that takes it back.
#![allow(unsafe_code)]

use super::claim::Revoked;
use super::node::{Header, Interest, Node, NodeRef};
use crate::fence::Fence;
use crate::outcome::Outcome;
use crate::shared::Shared;
use crate::sync::UnsafeCell;
use core::fmt;

/// A callback that was not registered, for there was nothing left to wait for.
pub struct Declined<F> {
    /// The callback, unrun.
    pub callback: F,
    /// What it would have been told.
    pub outcome: Outcome,
}

impl<F> fmt::Debug for Declined<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declined").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

/// What a closure node runs, once.
pub(crate) trait Call: Send + 'static {
    fn call(self, outcome: &Outcome);
}

#[repr(C)]
struct ClosureNode<F> {
    header: Header,
    /// Owned by who owns the claim (CLAIM-ONCE). Empty once run or cancelled.
    closure: UnsafeCell<Option<F>>,
    /// Set before the node is registered, or by `detach` under the fence's lock while the node is on the fence; read by
    /// the drainer.
    keep: UnsafeCell<Option<Fence>>,
}

// SAFETY: CLAIM-ONCE gives the closure to one thread, and the fence's lock orders `keep`; so `F` has
// only to be sendable.
unsafe impl<F: Send> Sync for ClosureNode<F> {}

impl<F: Call> ClosureNode<F> {
    fn of(closure: F, keep: Option<Fence>) -> Self {
        ClosureNode {
            header: Header::new::<Self>(),
            closure: UnsafeCell::new(Some(closure)),
            keep: UnsafeCell::new(keep),
        }
    }
}

impl<F> ClosureNode<F> {
    /// # Safety
    /// The caller owns the claim, or the node was never registered.
    unsafe fn take_closure(&self) -> Option<F> {
        // SAFETY: By contract nobody else reaches it.
        self.closure.with_mut(|closure| unsafe { (*closure).take() })
    }

    /// # Safety
    /// The caller holds the fence's lock with the node on the fence, or has the node detached.
    unsafe fn swap_keep(&self, keep: Option<Fence>) -> Option<Fence> {
        // SAFETY: By contract nobody else reaches it.
        self.keep.with_mut(|slot| unsafe { core::mem::replace(&mut *slot, keep) })
    }
}

// SAFETY: `repr(C)` with the header first.
unsafe impl<F: Call> Node for ClosureNode<F> {
    fn fire(this: Shared<Self>, outcome: &Outcome) {
        // SAFETY: We are the drainer.
        let _keep = unsafe { this.swap_keep(None) };
        // If so, its registration is gone: nobody can take it back, or wait for its end.
        let alone = this.is_only();
        if !alone && !this.header.claim.start() {
            return;
        }
        let _finish = (!alone).then(|| FinishOnDrop(&this));
        // SAFETY: CLAIM-ONCE: we started it, or there is nobody else.
        if let Some(closure) = unsafe { this.take_closure() } {
            closure.call(outcome);
        }
    }

    fn discard(&self) {
        // SAFETY: The caller of `discard` owns the claim.
        drop(unsafe { self.take_closure() });
    }
}

/// A callback that panics is finished too, or whoever cancels it would wait for ever.
struct FinishOnDrop<'a, F>(&'a ClosureNode<F>);

impl<F> Drop for FinishOnDrop<'_, F> {
    fn drop(&mut self) {
        self.0.header.claim.finish();
    }
}

/// Puts a closure on a fence's list.
pub(crate) fn register<F: Call>(
    fence: &Fence,
    interest: Interest,
    closure: F,
) -> Result<FenceCallback, (F, Outcome)> {
    if let Some(outcome) = fence.decided(interest) {
        return Err((closure, outcome));
    }
    let (node, ours) = Shared::new_pair(ClosureNode::of(closure, None));
    match fence.link(NodeRef::new(node), interest, || {}) {
        Ok(()) => Ok(FenceCallback(Some(Registration {
            set_keep: set_keep::<F>,
            node: NodeRef::new(ours),
            interest,
            fence: fence.clone(),
        }))),
        // SAFETY: Of this very type, and put in just above.
        Err((node, outcome)) => Err((unsafe { closure_of(node) }, outcome)),
    }
}

/// Puts a closure on a fence's list for good: nobody else has a handle of the node, or of the fence for its sake.
pub(crate) fn register_detached<F: Call>(
    fence: &Fence,
    interest: Interest,
    closure: F,
) -> Result<(), (F, Outcome)> {
    if let Some(outcome) = fence.decided(interest) {
        return Err((closure, outcome));
    }
    let keep = fence.lives_by_its_handles().then(|| fence.clone());
    let node = NodeRef::new(Shared::new(ClosureNode::of(closure, keep)));
    // SAFETY: Of this very type, and put in just above.
    let back = |(node, outcome)| (unsafe { closure_of(node) }, outcome);
    fence.link(node, interest, || {}).map_err(back)
}

/// What a node would have run that was not registered.
///
/// # Safety
/// The node is a `ClosureNode<F>`, has its closure, and was never registered.
unsafe fn closure_of<F: Call>(node: NodeRef) -> F {
    // SAFETY: By contract: nobody else reaches it.
    unsafe { node.as_ptr().cast::<ClosureNode<F>>().as_ref().take_closure().unwrap_unchecked() }
}

unsafe fn set_keep<F: Call>(node: &NodeRef, fence: Fence) {
    // SAFETY: The registration was made with this very type; lock and place are the caller's duty.
    unsafe { node.as_ptr().cast::<ClosureNode<F>>().as_ref().swap_keep(Some(fence)) };
}

struct Registration {
    node: NodeRef,
    interest: Interest,
    fence: Fence,
    set_keep: unsafe fn(&NodeRef, Fence),
}

/// A registered callback. Dropping it takes the callback back.
///
/// When the drop returns, the callback is not running, unless the drop is part of the callback itself.
///
/// # Context
/// Cancelling may wait for the callback to return on another thread: do not hold a lock that the
/// callback takes, and do not cancel inside a callback what waits for one queued behind that.
///
/// ```
/// use dma_fence::FenceContext;
/// let context = FenceContext::software("doc", "timeline");
/// let producer = context.new_fence();
/// let callback = producer.fence().on_signal(|_| unreachable!()).unwrap();
/// assert!(callback.cancel());
/// producer.signal(Ok(()));
/// ```
#[doc(alias = "dma_fence_cb")]
#[must_use = "dropping it cancels the callback; `detach` lets it run"]
pub struct FenceCallback(Option<Registration>);

impl FenceCallback {
    /// Takes the callback back. True if it never ran and never will.
    #[doc(alias = "dma_fence_remove_callback")]
    pub fn cancel(mut self) -> bool {
        self.0.take().is_some_and(|registration| registration.revoke(true))
    }

    /// Lets the callback run when its time comes; there is no way to cancel it any more.
    ///
    /// The fence stays alive until then.
    pub fn detach(mut self) {
        if let Some(registration) = self.0.take() {
            registration.detach();
        }
    }

    /// Takes the callback back without waiting for one that is running on another thread.
    pub(crate) fn cancel_without_waiting(mut self) {
        if let Some(registration) = self.0.take() {
            registration.revoke(false);
        }
    }
}

impl Drop for FenceCallback {
    fn drop(&mut self) {
        if let Some(registration) = self.0.take() {
            registration.revoke(true);
        }
    }
}

impl fmt::Debug for FenceCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FenceCallback").finish_non_exhaustive()
    }
}

impl Registration {
    fn revoke(&self, wait: bool) -> bool {
        // SAFETY: We registered this node on this fence with this interest.
        let on_fence = unsafe { self.fence.unlink(&self.node, self.interest) };
        // Off the fence, nobody else is left who could claim it; detached, the drainer may.
        match self.node.claim().revoke() {
            Revoked::Taken => {
                self.node.discard();
                true
            }
            Revoked::Ran => false,
            Revoked::RunsElsewhere => {
                debug_assert!(on_fence.is_none());
                if wait {
                    self.node.claim().wait_finished();
                }
                false
            }
        }
    }

    /// A producer keeps its fence alive until it is decided, but containers and observed fences live by
    /// their handles only: there the callback itself becomes one.
    fn detach(self) {
        if !self.fence.lives_by_its_handles() {
            return;
        }
        let keep = self.fence.clone();
        self.fence.if_linked(self.interest, || {
            // SAFETY: The node is on the fence, and `if_linked` holds the lock.
            unsafe { (self.set_keep)(&self.node, keep) };
        });
    }
}
