//! Debts: how a reader gets a handle of what a writer may be taking away.
//!
//! A reader that has read a pointer cannot raise the count behind it at once, for the last handle may go
//! between the two. So it first *owes*: it writes the pointer into a cell that every writer looks at. A
//! writer that has taken a handle out of its slot *pays* what is owed for it, before it drops the handle.
//!
//! ```text
//!   Free ──incur (reader)──► Owed(p) ──settle (reader)──► Free
//!                               │ pay (writer)              ▲
//!                               └────► Paid(p) ──settle─────┘   and the reader drops the writer's count
//! ```
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | reader | incur: Free → Owed | Acquire; then a SeqCst fence | pay's fence |
//! | writer | pay: looks | SeqCst fence, then Acquire | settle: what the reader raised comes before our drop |
//! | writer | pay: Owed → Paid | Release; Acquire if it fails | settle |
//! | reader | settle: Owed → Free | Release; Acquire if it fails | pay |
//! | reader | settle: Paid → Free | Release | pay, incur |
//!
//! RESV-DEBT: of the two fences one is first. If it is the reader's, the writer sees the debt and pays
//! it before it drops the handle. If it is the writer's, the reader's second look at the slot sees that the
//! pointer has gone, and the reader leaves it alone. A debt is paid at most once, with a count that the
//! writer raised while it had a handle; whoever takes Owed or Paid out of the cell knows which it was.
//!
//! The cell holds a pointer for the sake of its address: another value may live there by now. That is why
//! Paid brings the payer's own pointer with it.
#![allow(unsafe_code)]

use super::grow::GrowList;
use crate::shared::Shared;
use crate::sync::{AtomicPtr, Backoff, Ordering, fence, fence_after_rmw};
use core::ptr::{self, NonNull};

/// Cells that an object brings along: readers that are between two instructions at once.
const INLINE: usize = if cfg!(loom) { 1 } else { 4 };
/// Cells that are added when those are all in use.
const BLOCK: usize = if cfg!(loom) { 1 } else { 16 };

const PAID: usize = 1;

pub(super) struct Debts<T> {
    first: [Cell<T>; INLINE],
    more: GrowList<[Cell<T>; BLOCK]>,
}

/// Null, a pointer that is owed for, or one with [`PAID`].
struct Cell<T>(AtomicPtr<T>);

impl<T> Cell<T> {
    fn new(value: *mut T) -> Self {
        Cell(AtomicPtr::new(value))
    }

    #[inline]
    fn incur(&self, value: *mut T) -> bool {
        let free = ptr::null_mut();
        self.0.load(Ordering::Relaxed).is_null()
            && self.0.compare_exchange(free, value, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the debtor a count of `held`, if it owes for that.
    #[inline]
    fn pay(&self, held: &Shared<T>) {
        let seen = self.0.load(Ordering::Acquire);
        if seen.addr() == held.as_raw().addr().get() {
            self.pay_as_seen(held, seen);
        }
    }

    #[cold]
    fn pay_as_seen(&self, held: &Shared<T>, seen: *mut T) {
        let count = held.clone().into_raw();
        let paid = count.as_ptr().map_addr(|addr| addr | PAID);
        if self.0.compare_exchange(seen, paid, Ordering::Release, Ordering::Acquire).is_err() {
            // SAFETY: Raised two lines above, and nobody has been given it.
            drop(unsafe { Shared::from_raw(count) });
        }
    }

    /// Empties the cell. If the debt was paid, the count it was paid with.
    fn settle(&self, owed: *mut T) -> Option<Shared<T>> {
        let free = ptr::null_mut();
        match self.0.compare_exchange(owed, free, Ordering::Release, Ordering::Acquire) {
            Ok(_) => None,
            Err(paid) => {
                self.0.store(free, Ordering::Release);
                let count = NonNull::new(paid.map_addr(|addr| addr & !PAID))?;
                // SAFETY: RESV-DEBT: the cell is ours until it is free, so this is a payment, and the
                // only one.
                Some(unsafe { Shared::from_raw(count) })
            }
        }
    }
}

impl<T> Debts<T> {
    pub(super) fn new() -> Self {
        const { assert!(align_of::<T>() > PAID) };
        Debts { first: [(); INLINE].map(|()| Cell::new(ptr::null_mut())), more: GrowList::new() }
    }

    fn cells(&self) -> impl Iterator<Item = &Cell<T>> {
        self.first.iter().chain(self.more.iter().flatten())
    }

    #[cfg(all(test, loom))]
    pub(super) fn number_of_cells(&self) -> usize {
        self.cells().count()
    }

    /// The reader owes for `value`. Where the slot still has it *after* this, it may be raised.
    #[inline]
    pub(super) fn incur(&self, value: *mut T) -> Debt<'_, T> {
        let [first, ..] = &self.first;
        let cell = if first.incur(value) { first } else { self.owing_cell(value) };
        fence_after_rmw();
        Debt { cell, owed: value }
    }

    fn owing_cell(&self, value: *mut T) -> &Cell<T> {
        let mut backoff = Backoff::new();
        loop {
            if let Some(cell) = self.cells().find(|cell| cell.incur(value)) {
                return cell;
            }
            let mut values = [ptr::null_mut(); BLOCK];
            values[0] = value;
            match self.more.push(values.map(Cell::new)) {
                Ok(cells) => return &cells[0],
                // Each cell is in use for a few instructions, so waiting for one is short.
                Err(_) => backoff.snooze(),
            }
        }
    }

    #[inline]
    /// Pays every reader that owes for `held`, which left its slot before a fence that came before this.
    fn pay(&self, held: &Shared<T>) {
        self.first.iter().for_each(|cell| cell.pay(held));
        self.more.iter().flatten().for_each(|cell| cell.pay(held));
    }
}

/// What left its slot last, until everybody who owes for it is paid.
pub(super) struct Left<'a, T> {
    debts: &'a Debts<T>,
    value: Option<Shared<T>>,
}

impl<'a, T> Left<'a, T> {
    /// # Safety
    /// This thread does a read-modify-write between the last change of a slot whose value is put here, and the
    /// drop of this.
    #[inline]
    pub(super) unsafe fn new(debts: &'a Debts<T>) -> Self {
        Left { debts, value: None }
    }

    /// Takes what has left its slot; lets go of what came before.
    #[inline]
    pub(super) fn put(&mut self, value: Option<Shared<T>>) {
        if self.value.is_some() {
            self.let_go();
        }
        self.value = value;
    }

    #[cold]
    pub(super) fn let_go(&mut self) {
        fence(Ordering::SeqCst);
        self.value.take().inspect(|value| self.debts.pay(value));
    }
}

impl<T> Drop for Left<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            fence_after_rmw();
            self.debts.pay(&value);
        }
    }
}

/// A debt of this reader; its drop settles it.
pub(super) struct Debt<'a, T> {
    cell: &'a Cell<T>,
    owed: *mut T,
}

impl<T> Debt<'_, T> {
    /// Turns the debt into a handle.
    ///
    /// # Safety
    /// `value` came out of the slot after the debt was incurred, with the address that is owed for.
    pub(super) unsafe fn redeem(self, value: NonNull<T>) -> Shared<T> {
        // SAFETY: RESV-DEBT: the slot had it after our fence, so whoever takes it out sees the debt, and
        // drops its handle after it has paid; raised before the debt is settled, at the end of this.
        unsafe { Shared::raise(value) }
    }
}

impl<T> Drop for Debt<'_, T> {
    fn drop(&mut self) {
        drop(self.cell.settle(self.owed));
    }
}
