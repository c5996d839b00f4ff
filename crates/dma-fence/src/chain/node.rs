//! What makes a fence a chain node: its own fence, the way back, and the walk along it.
//!
//! # Implementation notes
//!
//! ```text
//!   head ──prev──► node ──prev──► node ──prev──► …      each with the fence of its own point
//!     collected: what those amounted to that were taken out between
//! ```
//!
//! - CHAIN-SUM: a node's `collected` together with what is reached through `prev` is always everything
//!   before the node. Both change together, under the link's lock; a node is taken out of the way only
//!   after its own fence has signaled, with what it had collected itself.
//! - CHAIN-TURN: as for arrays there is one turn, an owned handle of the chain's fence. Who has it arms
//!   the first fence that has not signaled, starting at the head; the turn goes with it. `armed` is
//!   written by who has the turn, and by who drops the last handle, when there is no turn.
//! - CHAIN-DROP: whoever drops the last handle of a node takes `prev` out first and lets it go in a
//!   loop, so a chain of any length takes one stack frame.
//!
//! The link's lock is a leaf: no other lock is taken and no handle dropped under it. It is taken under a
//! fence's own lock, so it must not sleep either.
#![allow(unsafe_code)]

use crate::callback::{Header, Interest, Node, NodeRef};
use crate::fence::{Fence, Inner, Kind};
use crate::outcome::Outcome;
use crate::shared::{Shared, WeakShared};
use crate::sync::{Life, SpinLock};
use crate::tally::Tally;

#[repr(C)]
pub(crate) struct ChainNode {
    header: Header,
    context: u64,
    prev_seqno: u64,
    contained: Fence,
    link: SpinLock<Link>,
    fence: WeakShared<Inner>,
}

struct Link {
    /// The first node, or the fence at the chain's far end, that has not been taken out.
    prev: Option<Fence>,
    collected: Tally,
    /// Where our one callback is, while it is somewhere.
    armed: Option<(Fence, Interest)>,
}

impl ChainNode {
    pub(super) fn new(
        context: u64,
        prev: Option<Fence>,
        prev_seqno: u64,
        contained: Fence,
        fence: WeakShared<Inner>,
    ) -> ChainNode {
        let link = Link { prev, collected: Tally::NONE, armed: None };
        ChainNode {
            header: Header::new::<ChainNode>(),
            context,
            prev_seqno,
            contained,
            link: SpinLock::new(link),
            fence,
        }
    }

    pub(crate) fn context(&self) -> u64 {
        self.context
    }

    pub(super) fn prev_seqno(&self) -> u64 {
        self.prev_seqno
    }

    /// The fence of this point alone.
    pub(crate) fn contained(&self) -> &Fence {
        &self.contained
    }

    /// What is before this node, as it stands: the next fence, and what was taken out in between.
    pub(crate) fn before(&self) -> (Option<Fence>, Tally) {
        let link = self.link.lock();
        (link.prev.clone(), link.collected)
    }

    /// What is before this node and has not `signaled`, after taking out what has.
    pub(super) fn prev(&self, signaled: impl Fn(&Fence) -> bool) -> Option<Fence> {
        loop {
            let prev = self.before().0?;
            let (point, node) = match prev.chain() {
                Some(node) => (node.contained(), Some(node)),
                None => (&prev, None),
            };
            if !signaled(point) {
                return Some(prev);
            }
            let signal = Tally::of_signaled(point);
            self.take_out(&prev, signal, node);
        }
    }

    /// Takes `prev`, whose own fence has signaled, out of the way, unless somebody else just did.
    fn take_out(&self, prev: &Fence, signal: Tally, node: Option<&Shared<ChainNode>>) {
        let (next, before) = node.map_or((None, Tally::NONE), |node| node.before());
        let mut link = self.link.lock();
        let unchanged = link.prev.as_ref().is_some_and(|now| now.same_fence(prev));
        let old = if unchanged {
            link.collected = before.and(signal).and(link.collected);
            core::mem::replace(&mut link.prev, next)
        } else {
            next
        };
        drop(link);
        drop(old);
    }

    /// The first fence, from this node back, of which nobody has noticed that it signaled. Who has the
    /// turn asks nobody, for a hook may panic and the turn would be lost: it registers, and that finds out.
    fn first_unsignaled(&self) -> Option<Fence> {
        let noticed = |fence: &Fence| fence.life() == Life::Signaled;
        if !noticed(&self.contained) {
            return Some(self.contained.clone());
        }
        let prev = self.prev(noticed)?;
        Some(prev.chain().map(|node| node.contained.clone()).unwrap_or(prev))
    }

    /// What the whole chain amounts to, once there is nothing left before this node.
    fn settle(&self) -> Tally {
        self.link.lock().collected.and(Tally::of_signaled(&self.contained))
    }

    /// The last handle of the fence goes: takes the callback back, and lets go of what is before.
    #[inline(never)]
    pub(crate) fn released(this: &Shared<ChainNode>) {
        disarm(this);
        let mut prev = this.take_prev();
        while let Some(fence) = prev {
            let last = |inner: &mut Inner| match &inner.kind {
                Kind::Chain(node) => node.take_prev(),
                _ => None,
            };
            prev = Shared::release(fence.0, last).flatten();
        }
    }

    fn take_prev(&self) -> Option<Fence> {
        self.link.lock().prev.take()
    }

    fn take_armed(&self) -> Option<(Fence, Interest)> {
        self.link.lock().armed.take()
    }
}

/// Takes the callback off the fence that has it. There is no turn, nor can anybody get one.
fn disarm(this: &Shared<ChainNode>) {
    if let Some((fence, interest)) = this.take_armed() {
        // SAFETY: CHAIN-TURN: `armed` says that it was linked there, and there is no turn.
        drop(unsafe { fence.unlink(&NodeRef::new(this.clone()), interest) });
    }
}

// SAFETY: `repr(C)` with the header first.
unsafe impl Node for ChainNode {
    fn fire(this: Shared<Self>, _: &Outcome) {
        if let Some(fence) = this.fence.upgrade() {
            drop(this.take_armed());
            walk(&Fence(fence), &this);
        }
    }
}

/// The turn: goes back along the chain until something is armed or everything has signaled.
pub(crate) fn walk(fence: &Fence, node: &Shared<ChainNode>) {
    while let Some(point) = node.first_unsignaled() {
        if arm(fence, node, &point) {
            return;
        }
    }
    signal(fence, node);
}

/// Registers the chain's callback; false if `point` has signaled. The turn goes with it.
fn arm(fence: &Fence, node: &Shared<ChainNode>, point: &Fence) -> bool {
    let mut outcome = link(node, point, Interest::Outcome);
    if outcome == Err(Outcome::Abandoned) {
        fence.abandon();
        outcome = link(node, point, Interest::Signal);
    }
    outcome.is_ok()
}

fn link(node: &Shared<ChainNode>, point: &Fence, interest: Interest) -> Result<(), Outcome> {
    let armed = (point.clone(), interest);
    // The place is empty, so nothing is dropped under the lock of `point`.
    let linked = || node.link.lock().armed = Some(armed);
    point.link(NodeRef::new(node.clone()), interest, linked).map_err(|(_, outcome)| outcome)
}

/// Everything has signaled: so does the chain.
fn signal(fence: &Fence, node: &ChainNode) {
    let signal = node.settle().signal();
    fence.complete(signal.result, signal.timestamp);
}

/// Signals the chain if everything in it has. What is before it first: a timeline that is only ever
/// asked at its head, which is pending, must let go of the rest all the same.
pub(crate) fn poll(fence: &Fence, node: &Shared<ChainNode>) {
    if node.prev(Fence::is_signaled).is_none() && node.contained.is_signaled() {
        signal(fence, node);
    }
}
