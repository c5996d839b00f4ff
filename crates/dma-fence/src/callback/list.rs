//! A list of callback nodes, in registration order.
//!
//! # Implementation notes
//!
//! Circular and doubly linked through the nodes: one pointer in the fence, constant-time append,
//! removal and concatenation, no allocation. The list owns one count of each node in it
//! (LIST-COUNT), and no function gives out a node that is still linked, which is why the safe part of
//! this interface is sound. Only [`List::unlink`] takes the caller's word that the node is in here.
#![allow(unsafe_code)]

use super::node::{Header, Interest, NodeRef, links};
use crate::outcome::Outcome;
use core::ptr::NonNull;

/// An owned list. Whoever has `&mut List` owns the links of all nodes in it (NODE-LINKS).
pub(crate) struct List {
    head: Option<NonNull<Header>>,
}

// SAFETY: The list owns counts of nodes, which are `Send + Sync`.
unsafe impl Send for List {}

impl List {
    pub(crate) const fn new() -> List {
        List { head: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Appends a node that is in no list.
    #[inline]
    pub(crate) fn push_back(&mut self, node: NodeRef, interest: Interest) {
        let node = node.into_ptr();
        // SAFETY: Alive by the count that we just took over; in no list, so its links are ours.
        unsafe {
            links(node, |l| {
                (l.next, l.prev, l.interest, l.batch) = (Some(node), Some(node), interest, None);
            });
        }
        self.append(&mut List { head: Some(node) });
    }

    /// Moves all of `other` to the end of this list.
    #[inline]
    pub(crate) fn append(&mut self, other: &mut List) {
        let Some(second) = other.head.take() else { return };
        let Some(first) = self.head else {
            self.head = Some(second);
            return;
        };
        // SAFETY: NODE-LINKS: both lists are ours; in a circle every link is set.
        unsafe {
            let first_tail = links(first, |l| l.prev.replace(second)).unwrap_unchecked();
            // Each closure touches one node: `first` and its tail may be the same one.
            let second_tail = links(second, |l| l.prev.replace(first_tail)).unwrap_unchecked();
            links(first, |l| l.prev = Some(second_tail));
            links(first_tail, |l| l.next = Some(second));
            links(second_tail, |l| l.next = Some(first));
        }
    }

    /// Takes the first node out, with what its batch was told if it is the first of one.
    pub(crate) fn pop_front(&mut self) -> Option<(NodeRef, Option<Outcome>)> {
        let head = self.head?;
        // SAFETY: NODE-LINKS: the node is in our list.
        let batch = unsafe { links(head, |l| l.batch.take()) };
        // SAFETY: The head is in this list.
        Some((unsafe { self.remove(head) }, batch))
    }

    /// Takes one node out.
    ///
    /// # Safety
    /// The node is in this very list.
    pub(crate) unsafe fn unlink(&mut self, node: &NodeRef) -> NodeRef {
        // SAFETY: By contract.
        unsafe { self.remove(node.as_ptr()) }
    }

    /// Tells every node in the list `outcome` once the list is drained.
    pub(crate) fn stamp(&mut self, outcome: Outcome) {
        if let Some(head) = self.head {
            // SAFETY: NODE-LINKS: the node is in our list.
            unsafe { links(head, |l| l.batch = Some(outcome)) };
        }
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> List {
        List { head: self.head.take() }
    }

    /// Takes those out that wait for any outcome; the order of both parts stays.
    pub(crate) fn take_outcomes(&mut self) -> List {
        let (mut taken, mut left) = (List::new(), List::new());
        while let Some((node, _)) = self.pop_front() {
            // SAFETY: NODE-LINKS: popped, so in no list, and we have it.
            let interest = unsafe { links(node.as_ptr(), |l| l.interest) };
            match interest {
                Interest::Outcome => taken.push_back(node, interest),
                Interest::Signal => left.push_back(node, interest),
            }
        }
        *self = left;
        taken
    }

    /// # Safety
    /// The node is in this very list.
    unsafe fn remove(&mut self, node: NonNull<Header>) -> NodeRef {
        // SAFETY: NODE-LINKS: ours, and in a circle every link is set. LIST-COUNT: the count that the
        // list held goes to the caller.
        unsafe {
            let (next, prev) = links(node, |l| {
                (l.next.take().unwrap_unchecked(), l.prev.take().unwrap_unchecked())
            });
            if next == node {
                self.head = None;
            } else {
                links(next, |l| l.prev = Some(prev));
                links(prev, |l| l.next = Some(next));
                if self.head == Some(node) {
                    self.head = Some(next);
                }
            }
            NodeRef::from_ptr(node)
        }
    }
}
