//! The consumer side of a fence.
//!
//! - [`inner`]: what a fence consists of
//! - [`transition`]: the three things that can happen to it: link, signal, abandon

mod inner;
mod transition;

pub(crate) use inner::{ContextRef, Inner};

use crate::array::ArrayNode;
use crate::callback::{self, Declined, FenceCallback, Interest};
use crate::outcome::{Outcome, Signal, Status};
use crate::shared::Shared;
use crate::sync::Life;
use crate::time::Timestamp;
use alloc::borrow::Cow;
use core::fmt;

/// The shared consumer side of a fence: query it, wait for it, be called back, tell it from others.
///
/// Eight bytes, cheap to clone. It may outlive its producer, its context and the engine behind them.
///
/// ```
/// use dma_fence::{FenceContext, Status};
/// let context = FenceContext::hardware("gpu", "ring 0");
/// let producer = context.new_fence();
/// let fence = producer.fence();
/// assert_eq!(fence.status(), Status::Pending);
/// producer.signal(Ok(()));
/// assert!(fence.is_signaled());
/// assert_eq!(fence.wait(), Ok(()));
/// ```
#[doc(alias = "dma_fence")]
#[derive(Clone)]
pub struct Fence(pub(crate) Shared<Inner>);

impl Fence {
    /// Has the operation ended? True also when it failed; never true for an abandoned fence.
    ///
    /// # Context
    /// One load, unless the fence has a [poll hook](crate::FenceOps::poll) or is an array; then the
    /// answer "done" signals it, which runs its callbacks. Never enables signaling.
    #[doc(alias = "dma_fence_is_signaled")]
    #[inline]
    pub fn is_signaled(&self) -> bool {
        let state = self.0.lock.load();
        state.is_signaled() || (state.is_polled() && self.poll() == Life::Signaled)
    }

    /// The state now; for an array all members are asked.
    ///
    /// # Context
    /// As [`is_signaled`](Self::is_signaled).
    #[doc(alias = "dma_fence_get_status")]
    pub fn status(&self) -> Status {
        let state = self.0.lock.load();
        let life =
            if state.is_polled() && !state.is_signaled() { self.poll() } else { state.life() };
        match life {
            Life::Pending => Status::Pending,
            Life::Abandoned => Status::Abandoned,
            Life::Signaled => Status::Signaled(self.0.signal_record()),
        }
    }

    /// The number of the context, unique in the process.
    pub fn context(&self) -> u64 {
        self.0.context.id()
    }

    /// The position on the context's timeline.
    pub fn seqno(&self) -> u64 {
        self.0.seqno
    }

    /// The driver's name.
    #[doc(alias = "dma_fence_driver_name")]
    pub fn driver_name(&self) -> Cow<'_, str> {
        let named = self.ops().and_then(|ops| Some(Cow::Owned(ops.driver_name()?.into())));
        named.unwrap_or(Cow::Borrowed(self.0.context.driver_name()))
    }

    /// The timeline's name.
    #[doc(alias = "dma_fence_timeline_name")]
    pub fn timeline_name(&self) -> Cow<'_, str> {
        let named = self.ops().and_then(|ops| Some(Cow::Owned(ops.timeline_name()?.into())));
        named.unwrap_or(Cow::Borrowed(self.0.context.timeline_name()))
    }

    /// Does this fence come after `other` on their timeline? `None` on different timelines, and on one
    /// [without order](crate::SeqnoOrder::Unordered), for there is no answer.
    ///
    /// Contexts with 32-bit sequence numbers compare with wrap-around.
    #[doc(alias = "dma_fence_is_later")]
    pub fn is_later_than(&self, other: &Fence) -> Option<bool> {
        if self.context() != other.context() {
            return None;
        }
        self.0.context.seqno_is_later(self.seqno(), other.seqno())
    }

    /// Are both handles of one fence?
    pub fn same_fence(&self, other: &Fence) -> bool {
        self.0.same(&other.0)
    }

    /// Does the fence stand for others?
    #[doc(alias = "dma_fence_is_container")]
    pub fn is_container(&self) -> bool {
        self.0.array.is_some()
    }

    /// The members of an array, signaled ones included; `None` for any other fence.
    pub fn members(&self) -> Option<&[Fence]> {
        self.array().map(ArrayNode::members)
    }

    /// Calls `callback` when the fence has signaled; this is how memory gets reused.
    ///
    /// An abandoned fence does not call: it may signal later, when its context is declared idle.
    ///
    /// # Errors
    /// Hands the callback back, unrun, if the fence has signaled already.
    ///
    /// # Context
    /// The callback runs once, on the thread that signals, after the state is visible, in the order
    /// of registration and under no lock. The first registration enables signaling.
    #[doc(alias = "dma_fence_add_callback")]
    pub fn on_signal<F>(&self, callback: F) -> Result<FenceCallback, Declined<F>>
    where
        F: FnOnce(&Signal) + Send + 'static,
    {
        // A struct and not a closure, so that the callback can be handed back.
        let adapter = OnSignal(callback);
        callback::register(self, Interest::Signal, adapter)
            .map_err(|(OnSignal(callback), outcome)| Declined { callback, outcome })
    }

    /// Calls `callback` when the fence has signaled or was abandoned, whichever comes first; this is
    /// how a dependency is waited for.
    ///
    /// # Errors
    /// Hands the callback back, unrun, if the fence is decided already.
    ///
    /// # Context
    /// As [`on_signal`](Self::on_signal); an abandonment calls on the thread that lost the producer.
    #[doc(alias = "dma_fence_add_callback")]
    pub fn on_outcome<F>(&self, callback: F) -> Result<FenceCallback, Declined<F>>
    where
        F: FnOnce(&Outcome) + Send + 'static,
    {
        callback::register(self, Interest::Outcome, OnOutcome(callback))
            .map_err(|(OnOutcome(callback), outcome)| Declined { callback, outcome })
    }

    /// Somebody would like the fence to signal by `deadline`; arrays pass it on to their members.
    #[doc(alias = "dma_fence_set_deadline")]
    pub fn set_deadline(&self, deadline: Timestamp) {
        if let Some(ops) = self.ops() {
            ops.set_deadline(deadline);
        }
        for member in self.members().unwrap_or_default() {
            member.set_deadline(deadline);
        }
    }

    pub(crate) fn array(&self) -> Option<&ArrayNode> {
        self.0.array.as_deref()
    }
}

/// `driver timeline context:seqno state`
impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (driver, timeline) = (self.driver_name(), self.timeline_name());
        let (context, seqno) = (self.context(), self.seqno());
        write!(f, "{driver} {timeline} {context}:{seqno} {}", self.status())
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence({self})")
    }
}

struct OnSignal<F>(F);
struct OnOutcome<F>(F);

impl<F: FnOnce(&Signal) + Send + 'static> callback::Call for OnSignal<F> {
    fn call(self, outcome: &Outcome) {
        match outcome {
            Outcome::Signaled(signal) => (self.0)(signal),
            Outcome::Abandoned => unreachable!("an abandonment leaves on-signal callbacks alone"),
        }
    }
}

impl<F: FnOnce(&Outcome) + Send + 'static> callback::Call for OnOutcome<F> {
    fn call(self, outcome: &Outcome) {
        (self.0)(outcome);
    }
}
