//! Debts: how a reader uses what a writer may be taking away.
//!
//! A reader that has read a pointer cannot use it at once, for the last handle may go between the two. So it
//! first *owes*: it writes down on a page, which every writer looks at, what it is going to use. A writer that
//! has taken a handle out of its slot, and finds that a line owes for it, *parks* one at that line. It is
//! dropped when the line no longer owes for it.
//!
//! ```text
//!   page   Free ──take: first line──► Taken ──settle: first line, last──► Free     reader
//!   line   null ──owe──► p ──owe──► q ──settle──► null                            reader
//!   park   null ──park──► handle ──unpark──► null                                  writer ──► writer or reader
//! ```
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | reader | take: first line null → p | AcqRel | settle: what its lines owed for before |
//! | reader | owe: any line → p, the first one last | Release | look: what it owed for before, here or by way of take |
//! | reader | after all that it owes | SeqCst fence | look's fence |
//! | reader | settle: line → null, the first one last | Release | look: what the reader did comes before the drop |
//! | reader | looks at the park after that | SeqCst fence, then Relaxed | park's fence |
//! | writer | look, after it has taken something out | SeqCst fence, then Acquire | the reader's first fence; settle |
//! | anybody | park: any → handle | AcqRel; then a SeqCst fence | settle's fence; unpark; another park |
//! | anybody | unpark: handle → null | Acquire | park |
//!
//! RESV-DEBT: of the fences of a reader that owes and a writer that looks one is first. If it is the reader's, the
//! writer sees the debt and parks a handle before it drops its own. If it is the writer's, the reader's second look
//! at the slot sees that the pointer has gone, or its look at the count that something has changed, and the reader leaves
//! it alone. Whoever has a handle in hand that
//! was parked looks whether the line owes for it, and parks it again if so: who parked it had seen that debt, so
//! he sees that debt, too, or a later line.
//!
//! Nothing stays parked: of the fences of a reader that settles and somebody who parks one is first. If it is the
//! reader's, who parks sees that nothing is owed, and unparks; else the reader sees what is parked. Until then each
//! line may keep one that is owed for no more.
//!
//! # Who waits for whom
//!
//! Nobody, while there is memory for pages. Without, a reader has to wait for one. So user code may run under a
//! [long](Debts::owe_long) debt only, which has any page but [`RESERVED`] ones, or none: those are taken for a few
//! instructions each time.
#![allow(unsafe_code)]

use super::grow::GrowList;
use crate::shared::Shared;
use crate::sync::{AtomicPtr, Backoff, Ordering, fence, fence_after_rmw};
use core::mem::{ManuallyDrop, forget, replace};
use core::ptr::{self, NonNull};
use core::slice;

/// Pages that an object brings along: readers that are between two instructions at once.
const INLINE: usize = if cfg!(loom) { 1 } else { 2 };
/// Pages that are added when those are all taken.
const BLOCK: usize = if cfg!(loom) { 1 } else { 4 };
/// Pages among those that are for short debts only. No model runs out of memory.
const RESERVED: usize = if cfg!(loom) { 0 } else { 1 };
/// What a reader may owe for at once.
pub(super) const LINES: usize = if cfg!(loom) { 2 } else { 8 };

pub(super) struct Debts<T> {
    first: [Page<T>; INLINE],
    more: GrowList<[Page<T>; BLOCK]>,
}

/// It is free if its first line owes for nothing.
struct Page<T>([Line<T>; LINES]);

struct Line<T> {
    /// For the sake of its address: by the time that somebody looks another value may live there.
    owes: AtomicPtr<T>,
    /// Null, or a count of what is here.
    park: AtomicPtr<T>,
}

impl<T> Line<T> {
    fn owing(value: *mut T) -> Self {
        Line { owes: AtomicPtr::new(value), park: AtomicPtr::new(ptr::null_mut()) }
    }

    #[inline]
    fn is_free(&self) -> bool {
        self.owes.load(Ordering::Acquire).is_null()
    }

    /// Low bits may say something else: a value's address has none.
    #[inline]
    fn owes_for(&self, address: usize) -> bool {
        self.owes.load(Ordering::Acquire).addr() & !(align_of::<T>() - 1) == address
    }

    /// Lets go of a handle that has left its slot: drops it as soon as the line does not owe for it.
    #[cold]
    fn let_go(&self, handle: Shared<T>) {
        let mut in_hand = Some(handle);
        while let Some(handle) = in_hand.take() {
            let address = Shared::as_raw(&handle).addr().get();
            if self.owes_for(address) {
                let before = self.park.swap(handle.into_raw().as_ptr(), Ordering::AcqRel);
                // SAFETY: RESV-DEBT: what was parked is ours now.
                let before = NonNull::new(before).map(|raw| unsafe { Shared::from_raw(raw) });
                // Of two handles of one value one is enough.
                in_hand = before.filter(|before| before.as_raw().addr().get() != address);
            } else {
                let again = LetGo(slice::from_ref(self));
                drop(handle);
                forget(again);
            }
            if in_hand.is_none() {
                fence(Ordering::SeqCst);
                in_hand = self.unpark();
            }
        }
    }

    #[inline]
    fn has_parked(&self) -> bool {
        !self.park.load(Ordering::Relaxed).is_null()
    }

    /// What is parked, if the line does not owe for it.
    #[inline]
    fn unpark(&self) -> Option<Shared<T>> {
        let parked = NonNull::new(self.park.load(Ordering::Relaxed))?;
        if self.owes_for(parked.addr().get()) {
            return None;
        }
        let taken = NonNull::new(self.park.swap(ptr::null_mut(), Ordering::Acquire))?;
        // SAFETY: RESV-DEBT: what was parked is ours now.
        Some(unsafe { Shared::from_raw(taken) })
    }
}

impl<T> Drop for Line<T> {
    fn drop(&mut self) {
        debug_assert!(
            self.park.load(Ordering::Relaxed).is_null(),
            "RESV-DEBT: nothing stays parked"
        );
    }
}

impl<T> Page<T> {
    /// With a first line that owes for `value`, if it is not null: taken.
    fn new(value: *mut T) -> Self {
        let mut first = Some(value);
        Page([(); LINES].map(|()| Line::owing(first.take().unwrap_or(ptr::null_mut()))))
    }

    #[inline]
    fn take(&self, value: *mut T) -> bool {
        let [first, ..] = &self.0;
        let free = ptr::null_mut();
        first.owes.load(Ordering::Relaxed).is_null()
            && first.owes.compare_exchange(free, value, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    #[inline]
    fn has_parked(&self) -> bool {
        self.0.iter().fold(false, |any, line| any | line.has_parked())
    }

    /// Lets go of what is parked and not owed for.
    #[cold]
    fn let_go(&self) {
        drop(LetGo(&self.0));
    }

    /// Parks a handle at every line that owes for `held`.
    #[inline]
    fn pay(&self, held: &Shared<T>) {
        let [first, ..] = &self.0;
        if !first.is_free() {
            self.pay_lines(held);
        }
    }

    /// Out of line: there are no readers most of the time.
    #[cold]
    fn pay_lines(&self, held: &Shared<T>) {
        let address = held.as_raw().addr().get();
        let owing = self.0.iter().filter(|line| line.owes_for(address));
        owing.for_each(|line| line.let_go(held.clone()));
    }
}

/// Lets go of what is parked at these lines and not owed for, also if one of the drops panics.
struct LetGo<'a, T>(&'a [Line<T>]);

impl<T> Drop for LetGo<'_, T> {
    fn drop(&mut self) {
        fence(Ordering::SeqCst);
        while let Some((line, others)) = self.0.split_first() {
            self.0 = others;
            if let Some(handle) = line.unpark() {
                let rest = LetGo(others);
                line.let_go(handle);
                forget(rest);
            }
        }
    }
}

impl<T> Debts<T> {
    pub(super) fn new() -> Self {
        Debts { first: [(); INLINE].map(|()| Page::new(ptr::null_mut())), more: GrowList::new() }
    }

    fn pages(&self) -> impl Iterator<Item = &Page<T>> {
        self.first.iter().chain(self.more.iter().flatten())
    }

    #[cfg(all(test, loom))]
    pub(super) fn number_of_pages(&self) -> usize {
        self.pages().count()
    }

    /// The reader owes for `value` while it does a few instructions, none of them the user's.
    #[inline]
    pub(super) fn owe(&self, value: *mut T) -> Debt<'_, T> {
        let [first, ..] = &self.first;
        Debt::of(if first.take(value) { first } else { self.any_page(value) })
    }

    /// The reader owes for `value`, and then for more, for as long as it likes. None without memory.
    #[inline]
    pub(super) fn owe_long(&self, value: *mut T) -> Option<Debt<'_, T>> {
        let [first, ..] = &self.first;
        const { assert!(INLINE > RESERVED) };
        Some(Debt::of(if first.take(value) { first } else { self.page_for_long(value)? }))
    }

    #[cold]
    fn any_page(&self, value: *mut T) -> &Page<T> {
        let mut backoff = Backoff::new();
        loop {
            let taken = self.pages().find(|page| page.take(value));
            match taken.or_else(|| self.more_pages(value)) {
                Some(page) => return page,
                // The reserved ones are taken for a few instructions, so waiting for one is short.
                None => backoff.snooze(),
            }
        }
    }

    #[cold]
    fn page_for_long(&self, value: *mut T) -> Option<&Page<T>> {
        let (not_reserved, _) = self.first.split_at(INLINE - RESERVED);
        let mut pages = not_reserved.iter().chain(self.more.iter().flatten());
        pages.find(|page| page.take(value)).or_else(|| self.more_pages(value))
    }

    /// The first of them is taken.
    fn more_pages(&self, value: *mut T) -> Option<&Page<T>> {
        let mut first = Some(value);
        let block = [(); BLOCK].map(|()| Page::new(first.take().unwrap_or(ptr::null_mut())));
        self.more.push(block).ok().map(|pages| &pages[0])
    }

    /// Pays every reader, and drops. If the drop of something else that was parked panics meanwhile, this one is
    /// leaked: somebody may not have been paid.
    #[inline]
    fn settle(&self, value: Shared<T>) {
        let value = ManuallyDrop::new(value);
        self.pay(&value);
        drop(ManuallyDrop::into_inner(value));
    }

    /// Pays every reader that owes for `held`, which left its slot before a fence that came before this.
    #[inline]
    fn pay(&self, held: &Shared<T>) {
        self.first.iter().for_each(|page| page.pay(held));
        self.more.iter().flatten().for_each(|page| page.pay(held));
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
        // Here before the other is dropped, which may panic: then it is this one's turn in our drop.
        if let Some(before) = replace(&mut self.value, value) {
            self.let_go(before);
        }
    }

    #[cold]
    fn let_go(&self, value: Shared<T>) {
        fence(Ordering::SeqCst);
        self.debts.settle(value);
    }
}

impl<T> Drop for Left<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            fence_after_rmw();
            self.debts.settle(value);
        }
    }
}

/// What this reader owes for; its drop settles it.
pub(super) struct Debt<'a, T> {
    page: &'a Page<T>,
    /// Lines but the first one may owe for something.
    has_others: bool,
}

impl<'a, T> Debt<'a, T> {
    /// Of a page that was taken just now. What a slot has *after* this, and was owed for before, is there until
    /// the debt is settled; likewise below.
    #[inline]
    fn of(page: &'a Page<T>) -> Self {
        fence_after_rmw();
        Debt { page, has_others: false }
    }

    /// Owes for these instead, for each line one. The first line's is not null.
    #[inline]
    pub(super) fn owe_next(&mut self, value: *mut T, of_line: impl Fn(usize) -> *mut T) {
        self.has_others = true;
        let Page([first, others @ ..]) = self.page;
        for (line, other) in (1..).zip(others) {
            other.owes.store(of_line(line), Ordering::Release);
        }
        // AcqRel and not Release, or a compiler may make a plain store of it, and the fence has nothing to follow.
        first.owes.swap(value, Ordering::AcqRel);
        fence_after_rmw();
    }

    /// What the lines owe for in turn.
    #[inline]
    pub(super) fn owed(&self) -> impl Iterator<Item = *mut T> {
        self.page.0.iter().map(|line| line.owes.load(Ordering::Relaxed))
    }
}

impl<T> Drop for Debt<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let Page([first, others @ ..]) = self.page;
        if self.has_others {
            for line in others {
                line.owes.store(ptr::null_mut(), Ordering::Release);
            }
        }
        // AcqRel: as above.
        first.owes.swap(ptr::null_mut(), Ordering::AcqRel);
        fence_after_rmw();
        if first.has_parked() || self.has_others && self.page.has_parked() {
            self.page.let_go();
        }
    }
}
