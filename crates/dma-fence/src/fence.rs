//! The consumer side of a fence.
//!
//! - [`inner`]: what a fence consists of
//! - [`kind`]: what kind of fence it is: plain, array, chain or stub
//! - [`transition`]: the three things that can happen to it: link, signal, abandon
//! - [`lost`]: how many are abandoned now
//! - [`describe`]: what people read
//! - [`stub`]: fences that have signaled from the start

mod describe;
mod inner;
mod kind;
mod lost;
mod stub;
mod transition;

pub use describe::Description;
pub(crate) use inner::Inner;
pub(crate) use kind::Kind;

use crate::array::ArrayNode;
use crate::callback::{self, Declined, FenceCallback, Interest};
use crate::chain::ChainNode;
use crate::errno::Errno;
use crate::outcome::{Outcome, Signal, Status};
use crate::shared::{Shared, Slot};
use crate::sync::Life;
use crate::time::Timestamp;
use crate::trace;
use alloc::borrow::Cow;

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
    /// One load, unless the fence has a [poll hook](crate::FenceOps::poll) or is a container; then the
    /// answer "done" signals it, which runs its callbacks. Never enables signaling.
    #[doc(alias = "dma_fence_is_signaled")]
    #[inline]
    pub fn is_signaled(&self) -> bool {
        let state = self.0.lock.load();
        state.is_signaled() || (state.is_polled() && self.poll() == Life::Signaled)
    }

    /// The state now. A container is asked up to the first fence that is pending, and all of it while any
    /// fence of the process is abandoned, for that one may be in it.
    ///
    /// # Context
    /// As [`is_signaled`](Self::is_signaled).
    #[doc(alias = "dma_fence_get_status")]
    pub fn status(&self) -> Status {
        self.known(self.ask())
    }

    /// The state that goes with where it is in its life.
    fn known(&self, life: Life) -> Status {
        match life {
            Life::Pending => Status::Pending,
            Life::Abandoned => Status::Abandoned,
            Life::Signaled => Status::Signaled(self.0.signal_record()),
        }
    }

    /// Where it is in its life, by what it is asked.
    #[inline]
    pub(crate) fn ask(&self) -> Life {
        let state = self.0.lock.load();
        if state.is_polled() && !state.is_signaled() { self.poll_all() } else { state.life() }
    }

    /// As [`ask`](Self::ask), but for what a container does not know to be lost.
    fn ask_all_but_losses(&self) -> Life {
        if self.is_signaled() { Life::Signaled } else { self.life() }
    }

    /// When the operation ended; `None` before.
    ///
    /// # Context
    /// As [`is_signaled`](Self::is_signaled).
    #[doc(alias = "dma_fence_timestamp")]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.is_signaled().then(|| self.0.signal_record().timestamp)
    }

    /// Why the operation failed; `None` if it succeeded or has not ended.
    ///
    /// # Context
    /// As [`is_signaled`](Self::is_signaled).
    pub fn error(&self) -> Option<Errno> {
        if self.is_signaled() { self.0.signal_record().result.err() } else { None }
    }

    /// The number of the context, unique in the process; 0 for a [stub](Self::signaled).
    #[inline]
    pub fn context(&self) -> u64 {
        self.0.kind.context()
    }

    /// The position on the context's timeline.
    #[inline]
    pub fn seqno(&self) -> u64 {
        self.0.seqno
    }

    /// The driver's name.
    #[doc(alias = "dma_fence_driver_name")]
    pub fn driver_name(&self) -> Cow<'_, str> {
        let named = self.ops().and_then(|ops| Some(Cow::Owned(ops.driver_name()?.into())));
        named.unwrap_or(Cow::Borrowed(self.0.kind.driver_name()))
    }

    /// The timeline's name.
    #[doc(alias = "dma_fence_timeline_name")]
    pub fn timeline_name(&self) -> Cow<'_, str> {
        let named = self.ops().and_then(|ops| Some(Cow::Owned(ops.timeline_name()?.into())));
        named.unwrap_or(Cow::Borrowed(self.0.kind.timeline_name()))
    }

    /// Does this fence come after `other` on their timeline? `None` on different timelines, and on one
    /// [without order](crate::SeqnoOrder::Unordered), for there is no answer.
    ///
    /// Contexts with 32-bit sequence numbers compare with wrap-around.
    #[doc(alias = "dma_fence_is_later")]
    #[inline]
    pub fn is_later_than(&self, other: &Fence) -> Option<bool> {
        if self.context() != other.context() {
            return None;
        }
        self.0.kind.seqnos().is_later(self.seqno(), other.seqno())
    }

    /// As [`is_later_than`](Self::is_later_than), and true for the fence itself.
    #[doc(alias = "dma_fence_is_later_or_same")]
    pub fn is_later_or_same(&self, other: &Fence) -> Option<bool> {
        if self.same_fence(other) { Some(true) } else { self.is_later_than(other) }
    }

    /// The later one of two fences of a timeline; `None` where that has no answer.
    #[doc(alias = "dma_fence_later")]
    pub fn later<'a>(one: &'a Fence, other: &'a Fence) -> Option<&'a Fence> {
        Some(if one.is_later_or_same(other)? { one } else { other })
    }

    /// Does our signal say that the operation of `other` has ended, too? Not of one that was lost.
    #[inline]
    pub(crate) fn supersedes(&self, other: &Fence) -> bool {
        self.is_later_than(other) == Some(true) && !other.is_lost()
    }

    /// Are both handles of one fence?
    pub fn same_fence(&self, other: &Fence) -> bool {
        self.0.same(&other.0)
    }

    /// Does the fence stand for others?
    #[doc(alias = "dma_fence_is_container")]
    #[inline]
    pub fn is_container(&self) -> bool {
        self.0.kind.is_container()
    }

    /// Is it an array?
    #[doc(alias = "dma_fence_is_array")]
    pub fn is_array(&self) -> bool {
        self.array().is_some()
    }

    /// Is it a chain?
    #[doc(alias = "dma_fence_is_chain")]
    pub fn is_chain(&self) -> bool {
        self.chain().is_some()
    }

    /// The members of an array, signaled ones included; `None` for any other fence.
    pub fn members(&self) -> Option<&[Fence]> {
        self.array().map(|array| array.members())
    }

    /// Is everything that this fence stands for of that context?
    #[doc(alias = "dma_fence_match_context")]
    pub fn match_context(&self, context: u64) -> bool {
        self.leaves().all(|leaf| leaf.context() == context)
    }

    /// Makes sure that a signal will come, as the first waiter does.
    ///
    /// # Context
    /// Calls [`FenceOps::enable_signaling`](crate::FenceOps::enable_signaling), once; of a container,
    /// registers its callback. May signal the fence.
    #[doc(alias = "dma_fence_enable_sw_signaling")]
    pub fn enable_signaling(&self) {
        self.enable();
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

    /// As [`on_signal`](Self::on_signal), for good: there is no way to take the callback back, so it costs
    /// less. The fence stays alive until then.
    ///
    /// ```
    /// # use dma_fence::FenceContext;
    /// let context = FenceContext::hardware("gpu", "ring 0");
    /// let render = context.new_fence();
    /// let flip = render.fence().on_signal_detached(|signal| println!("show it: {:?}", signal.result));
    /// assert!(flip.is_ok(), "it is pending");
    /// render.signal(Ok(()));
    /// ```
    ///
    /// # Errors
    /// As [`on_signal`](Self::on_signal).
    ///
    /// # Context
    /// As [`on_signal`](Self::on_signal).
    #[doc(alias = "dma_fence_add_callback")]
    pub fn on_signal_detached<F>(&self, callback: F) -> Result<(), Declined<F>>
    where
        F: FnOnce(&Signal) + Send + 'static,
    {
        callback::register_detached(self, Interest::Signal, OnSignal(callback))
            .map_err(|(OnSignal(callback), outcome)| Declined { callback, outcome })
    }

    /// Calls `callback` when the fence has signaled or was abandoned, whichever comes first; this is
    /// how a dependency is waited for.
    ///
    /// Registering asks nobody. A container hears of a loss when its walk comes to what was lost, or when
    /// somebody asks for its [`status`](Self::status): who wants to know at once does so after registering,
    /// as every wait and every future does.
    ///
    /// # Errors
    /// Hands the callback back, unrun, if the fence is decided already.
    ///
    /// # Context
    /// As [`on_signal`](Self::on_signal); an abandonment calls on the thread that lost the producer, or of
    /// a container on that which noticed.
    #[doc(alias = "dma_fence_add_callback")]
    pub fn on_outcome<F>(&self, callback: F) -> Result<FenceCallback, Declined<F>>
    where
        F: FnOnce(&Outcome) + Send + 'static,
    {
        callback::register(self, Interest::Outcome, OnOutcome(callback))
            .map_err(|(OnOutcome(callback), outcome)| Declined { callback, outcome })
    }

    /// As [`on_outcome`](Self::on_outcome), for good, as [`on_signal_detached`](Self::on_signal_detached).
    ///
    /// # Errors
    /// As [`on_outcome`](Self::on_outcome).
    ///
    /// # Context
    /// As [`on_outcome`](Self::on_outcome).
    #[doc(alias = "dma_fence_add_callback")]
    pub fn on_outcome_detached<F>(&self, callback: F) -> Result<(), Declined<F>>
    where
        F: FnOnce(&Outcome) + Send + 'static,
    {
        callback::register_detached(self, Interest::Outcome, OnOutcome(callback))
            .map_err(|(OnOutcome(callback), outcome)| Declined { callback, outcome })
    }

    /// Somebody would like the fence to signal by `deadline`; containers pass it on to all that they
    /// stand for.
    #[doc(alias = "dma_fence_set_deadline")]
    pub fn set_deadline(&self, deadline: Timestamp) {
        for leaf in self.leaves() {
            if let Some(ops) = leaf.ops() {
                ops.set_deadline(deadline);
            }
        }
    }

    /// Makes a fence of the memory for one.
    pub(crate) fn make(slot: Slot<Inner>, inner: Inner) -> Fence {
        let fence = Fence(slot.fill(inner));
        trace::made(&fence);
        fence
    }

    pub(crate) fn array(&self) -> Option<&Shared<ArrayNode>> {
        match &self.0.kind {
            Kind::Array(array) => Some(array),
            _ => None,
        }
    }

    pub(crate) fn chain(&self) -> Option<&Shared<ChainNode>> {
        match &self.0.kind {
            Kind::Chain(chain) => Some(chain),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn lives_by_its_handles(&self) -> bool {
        self.is_container() || self.0.lock.load().is_observed()
    }

    pub(crate) fn address(&self) -> usize {
        self.0.address()
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
