//! What every entry of a callback list has.
//!
//! # Implementation notes
//!
//! Entries are counted and type-erased: a list holds one count of each node in it, so nobody can free
//! a node that a list or a running callback still uses, and no API hands out a node. A node starts
//! with its [`Header`], and the header's table leads back to the type.
//!
//! NODE-LINKS: a node's links belong to whoever owns the list that it is in: the holder of the fence's
//! lock while it is on the fence, the draining thread once the list was detached, and whoever is about
//! to register it while it is in none.
#![allow(unsafe_code)]

use super::claim::Claim;
use crate::outcome::Outcome;
use crate::shared::Shared;
use crate::sync::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

/// What an entry waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interest {
    /// The signal only: how memory gets reused.
    Signal,
    /// The signal or the abandonment, whichever comes first: how waits are decided.
    Outcome,
}

pub(super) struct Links {
    pub(super) next: Option<NonNull<Header>>,
    pub(super) prev: Option<NonNull<Header>>,
    pub(super) interest: Interest,
    /// On the first node of a detached list: what the whole list is told.
    pub(super) batch: Option<Outcome>,
}

/// The type-erased front of a node.
pub(crate) struct Header {
    table: &'static Table,
    links: UnsafeCell<Links>,
    /// For nodes that can be cancelled while they wait to run.
    pub(super) claim: Claim,
}

// SAFETY: NODE-LINKS says who may reach the links, one thread at a time; the rest is atomic or constant.
unsafe impl Send for Header {}
// SAFETY: As above.
unsafe impl Sync for Header {}

struct Table {
    fire: unsafe fn(NonNull<Header>, &Outcome),
    discard: unsafe fn(NonNull<Header>),
    release: unsafe fn(NonNull<Header>),
}

/// A type that can be an entry of a callback list.
///
/// # Safety
/// The type is `repr(C)` and its first field is the [`Header`], made by `Header::new::<Self>()`.
pub(crate) unsafe trait Node: Send + Sync + Sized + 'static {
    /// Called once for each time the node was linked and not unlinked, with the list's count.
    fn fire(this: Shared<Self>, outcome: &Outcome);
    /// The node was cancelled by whoever owns its claim: drops what it would have run.
    fn discard(&self) {}
}

unsafe fn fire<N: Node>(header: NonNull<Header>, outcome: &Outcome) {
    // SAFETY: By the contract of `Node` the header is the node; the count is the caller's to give.
    N::fire(unsafe { Shared::from_raw(header.cast::<N>()) }, outcome);
}

unsafe fn discard<N: Node>(header: NonNull<Header>) {
    // SAFETY: By the contract of `Node` the header is the node, alive by the caller's count.
    unsafe { header.cast::<N>().as_ref() }.discard();
}

unsafe fn release<N: Node>(header: NonNull<Header>) {
    // SAFETY: By the contract of `Node` the header is the node; the count is the caller's to give.
    drop(unsafe { Shared::from_raw(header.cast::<N>()) });
}

impl Header {
    pub(crate) fn new<N: Node>() -> Header {
        Header {
            table: &const { Table { fire: fire::<N>, discard: discard::<N>, release: release::<N> } },
            links: UnsafeCell::new(Links {
                next: None,
                prev: None,
                interest: Interest::Signal,
                batch: None,
            }),
            claim: Claim::new(),
        }
    }
}

/// Reaches a node's links.
///
/// # Safety
/// The node is alive and the caller owns its links (NODE-LINKS).
pub(super) unsafe fn links<R>(node: NonNull<Header>, f: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: By contract, alive and not reached by anybody else.
    unsafe { node.as_ref() }.links.with_mut(|links| f(unsafe { &mut *links }))
}

/// One count of a node of any type.
pub(crate) struct NodeRef(NonNull<Header>);

// SAFETY: Nodes are `Send + Sync` by the bound of `Node`, and `NodeRef` is a counted handle of one.
unsafe impl Send for NodeRef {}
// SAFETY: As above.
unsafe impl Sync for NodeRef {}

impl NodeRef {
    pub(crate) fn new<N: Node>(node: Shared<N>) -> NodeRef {
        NodeRef(node.into_raw().cast())
    }

    pub(super) fn as_ptr(&self) -> NonNull<Header> {
        self.0
    }

    pub(super) fn into_ptr(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// # Safety
    /// The pointer is from [`into_ptr`](Self::into_ptr), and its count has not been taken back.
    pub(super) unsafe fn from_ptr(node: NonNull<Header>) -> NodeRef {
        NodeRef(node)
    }

    pub(super) fn claim(&self) -> &Claim {
        // SAFETY: Alive by our count; the claim is shared freely.
        &unsafe { self.0.as_ref() }.claim
    }

    /// Hands the node its outcome, with our count.
    pub(super) fn fire(self, outcome: &Outcome) {
        let node = self.into_ptr();
        // SAFETY: The table is the node's own, and our count goes along.
        unsafe { (node.as_ref().table.fire)(node, outcome) }
    }

    /// Drops what the node would have run. The caller owns the claim.
    pub(super) fn discard(&self) {
        // SAFETY: The table is the node's own; our count keeps it alive.
        unsafe { (self.0.as_ref().table.discard)(self.0) }
    }
}

impl Drop for NodeRef {
    fn drop(&mut self) {
        // SAFETY: The table is the node's own, and our count goes with us.
        unsafe { (self.0.as_ref().table.release)(self.0) }
    }
}
