//! A list that only grows, and is freed with its owner.
//!
//! RESV-GROW: a node that was pushed stays where it is until the list is dropped, which takes `&mut`; its
//! `next` is written before it is published and never again. So a reference to a node is good for as long
//! as the list is borrowed, and no reader has to be waited for.
//!
//! | word | who | transition | ordering | pairs with |
//! |---|---|---|---|---|
//! | head | anybody | push: n → new, whose next is n | Release | iter |
//! | head | anybody | iter | Acquire | every push before: each is part of the next one's release sequence |
#![allow(unsafe_code)]

use crate::shared::{AllocError, Shared, Slot as Memory};
use crate::sync::{AtomicPtr, Ordering};
use core::ptr::{self, NonNull};

pub(super) struct GrowList<T> {
    head: AtomicPtr<Node<T>>,
}

struct Node<T> {
    value: T,
    next: AtomicPtr<Node<T>>,
}

impl<T> GrowList<T> {
    pub(super) fn new() -> Self {
        GrowList { head: AtomicPtr::new(ptr::null_mut()) }
    }

    pub(super) fn push(&self, value: T) -> Result<&T, AllocError> {
        let node = Node { value, next: AtomicPtr::new(ptr::null_mut()) };
        let node = Memory::try_new()?.fill(node).into_raw();
        // SAFETY: RESV-GROW: the count that `into_raw` left behind is the list's until its drop.
        let added = unsafe { node.as_ref() };
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            added.next.store(head, Ordering::Relaxed);
            let pushed = self.head.compare_exchange(
                head,
                node.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            );
            match pushed {
                Ok(_) => return Ok(&added.value),
                Err(now) => head = now,
            }
        }
    }

    /// The newest first.
    pub(super) fn iter(&self) -> Iter<'_, T> {
        // SAFETY: RESV-GROW: null, or a node that lives as long as the list is borrowed.
        Iter { next: unsafe { self.head.load(Ordering::Acquire).as_ref() } }
    }
}

impl<T> Drop for GrowList<T> {
    fn drop(&mut self) {
        let mut next = NonNull::new(self.head.load(Ordering::Relaxed));
        while let Some(node) = next {
            // SAFETY: RESV-GROW: nobody borrows the list any more, and this is the count it has of the node.
            let node = unsafe { Shared::from_raw(node) };
            next = NonNull::new(node.next.load(Ordering::Relaxed));
        }
    }
}

pub(super) struct Iter<'a, T> {
    next: Option<&'a Node<T>>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        let node = self.next?;
        // SAFETY: RESV-GROW: as in `iter`; who found `node` has acquired the pushes before it, too.
        self.next = unsafe { node.next.load(Ordering::Relaxed).as_ref() };
        Some(&node.value)
    }
}
