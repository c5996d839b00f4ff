//! One place of a reservation object: a fence and its usage in one word.
//!
//! RESV-SLOT: a slot is [`EMPTY`] or owns one count of the fence it points to; the low two bits are the usage, and
//! the third is [`SIGNALED`]. So one store changes all at once, and no reader finds the one without the other,
//! or neither. All slots of an object are read and changed with that object's [`Debts`].
//!
//! RESV-MARK: SIGNALED is set by whoever has seen that the fence has signaled, which is final. Whoever finds it
//! set need not ask the fence, so need not touch it. What a slot holds, and so who may change it, is not changed by it.
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | holder of the update lock | replace: load, store | Relaxed, Release | second look; `is_current`: the change that it is part of |
//! | reader | mark: no SIGNALED → SIGNALED | Release | `is_current`: what came before the signal |
//! | reader | first look | Relaxed | nothing: an address, a mark or nothing, which the second look or `is_current` answers for |
//! | reader | second look | Acquire | replace: the fence, also over marks, which are read-modify-writes |
//! | holder of the update lock | peek | Relaxed | nothing: the update lock |
//!
//! A mark between the load and the store of a replacement is lost, and does not matter: it was of the old fence.
#![allow(unsafe_code)]

use super::Usage;
use super::debt::{Debt, Debts};
use crate::shared::Shared;
use crate::sync::{AtomicPtr, Ordering};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

const USAGE: usize = 0b11;
/// The fence is known to have signaled.
pub(super) const SIGNALED: usize = 0b100;
/// Points to nothing, and says what is asked for last: who looks for something passes over it with the same question
/// as over others, unless everything is wanted.
const EMPTY: usize = SIGNALED | Usage::Bookkeep as usize;

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) last: Usage,
    /// Also what is marked [`SIGNALED`].
    pub(super) signaled: bool,
}

impl Wanted {
    #[inline]
    pub(super) fn all(last: Usage) -> Self {
        Wanted { last, signaled: true }
    }

    #[inline]
    pub(super) fn unsignaled(last: Usage) -> Self {
        Wanted { last, signaled: false }
    }

    /// It may be nothing, though.
    #[inline]
    pub(super) fn includes<T>(self, word: *mut T) -> bool {
        // A mark is more than any usage.
        let bits = if self.signaled { USAGE } else { USAGE | SIGNALED };
        word.addr() & bits <= self.last as usize
    }
}

pub(super) struct Slot<T>(AtomicPtr<T>);

fn empty<T>() -> *mut T {
    ptr::without_provenance_mut(EMPTY)
}

/// What a slot's word points to, or null.
#[inline]
fn value<T>(word: *mut T) -> *mut T {
    word.map_addr(|addr| addr & !(USAGE | SIGNALED))
}

#[inline]
pub(super) fn is_nothing<T>(word: *mut T) -> bool {
    value(word).is_null()
}

#[inline]
fn usage<T>(word: *mut T) -> Usage {
    match word.addr() & USAGE {
        0 => Usage::Kernel,
        1 => Usage::Write,
        2 => Usage::Read,
        _ => Usage::Bookkeep,
    }
}

fn word<T>(value: NonNull<T>, usage: Usage) -> *mut T {
    value.as_ptr().map_addr(|addr| addr | usage as usize)
}

/// The count that a slot had of what its word, no longer there, points to.
fn owned<T>(word: *mut T) -> Option<Shared<T>> {
    // SAFETY: RESV-SLOT: the word has left the slot, and the count with it.
    NonNull::new(value(word)).map(|value| unsafe { Shared::from_raw(value) })
}

impl<T> Slot<T> {
    pub(super) fn empty() -> Self {
        const { assert!(align_of::<T>() > (USAGE | SIGNALED)) };
        Slot(AtomicPtr::new(empty()))
    }

    pub(super) fn is_empty(&self) -> bool {
        is_nothing(self.0.load(Ordering::Relaxed))
    }

    /// What is here: an address that is not good for anything yet.
    #[inline]
    pub(super) fn first_look(&self) -> *mut T {
        self.0.load(Ordering::Relaxed)
    }

    /// What is here, if it is what was here before the debt was incurred for it, but for a mark. What has come
    /// again meanwhile is as good as what never left.
    #[inline]
    fn second_look<'a>(&'a self, before: *mut T, debt: &'a Debt<'_, T>) -> Option<Seen<'a, T>> {
        let word = self.0.load(Ordering::Acquire);
        let is_owed = word == before || word.addr() == before.addr() | SIGNALED;
        // SAFETY: It is here, after it was owed for.
        is_owed.then(|| unsafe { self.seen(word, debt) })
    }

    /// What is here, as who owes for it knows.
    ///
    /// # Safety
    /// It points to something, which was here, but for a mark, and who has taken it away looks at the debts after this one
    /// was incurred.
    #[inline]
    pub(super) unsafe fn seen<'a>(&'a self, word: *mut T, _: &'a Debt<'_, T>) -> Seen<'a, T> {
        Seen { slot: self, word, _debt: PhantomData }
    }

    /// A handle of what is here, if it is wanted.
    #[inline]
    pub(super) fn get(&self, wanted: Wanted, debts: &Debts<T>) -> Option<(Shared<T>, Usage)> {
        loop {
            let word = self.first_look();
            if !wanted.includes(word) || is_nothing(word) {
                return None;
            }
            if let Some(seen) = self.second_look(word, &debts.owe(word)) {
                return Some(seen.handle());
            }
        }
    }

    fn mark(&self, word: *mut T) {
        let marked = word.map_addr(|addr| addr | SIGNALED);
        // If it fails something else is here, or somebody was first.
        let _ = self.0.compare_exchange(word, marked, Ordering::Release, Ordering::Relaxed);
    }

    /// Puts something in, or nothing. What was here before is for [`Left`](super::debt::Left).
    ///
    /// # Safety
    /// The caller has the update lock.
    #[inline]
    #[must_use = "readers may owe for it"]
    pub(super) unsafe fn replace(&self, new: Option<(Shared<T>, Usage)>) -> Option<Shared<T>> {
        let new = new.map_or(empty(), |(value, usage)| word(value.into_raw(), usage));
        // Not a swap, which is dear: nobody else changes what is here but for the mark.
        let old = self.0.load(Ordering::Relaxed);
        self.0.store(new, Ordering::Release);
        owned(old)
    }

    /// What tells it from what was here before a change. To mark it is none.
    pub(super) fn content(&self) -> usize {
        self.0.load(Ordering::Relaxed).addr() & !SIGNALED
    }

    /// What is here, without a count of one's own.
    ///
    /// # Safety
    /// The caller has the update lock, and does not replace what is here while the result is in use.
    pub(super) unsafe fn peek(&self) -> Option<(ManuallyDrop<Shared<T>>, Usage)> {
        let word = self.0.load(Ordering::Relaxed);
        let value = NonNull::new(value(word))?;
        // SAFETY: RESV-SLOT: the slot's count stays where it is, by contract.
        Some((ManuallyDrop::new(unsafe { Shared::from_raw(value) }), usage(word)))
    }
}

impl<T> AsRef<Slot<T>> for Slot<T> {
    fn as_ref(&self) -> &Slot<T> {
        self
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(owned(self.0.load(Ordering::Relaxed)));
    }
}

/// What a slot had, and who takes it away pays the debt for it, until that is settled.
pub(super) struct Seen<'a, T> {
    slot: &'a Slot<T>,
    word: *mut T,
    /// No longer than that.
    _debt: PhantomData<&'a Debt<'a, T>>,
}

impl<T> Seen<'_, T> {
    /// It has signaled, as the caller has seen: nobody has to ask it again while it is here.
    #[inline]
    pub(super) fn mark_signaled(&self) {
        self.slot.mark(self.word);
    }

    /// Without a count of one's own.
    ///
    /// # Safety
    /// The result is not used for longer than the debt lasts.
    #[inline]
    pub(super) unsafe fn peek(&self) -> (ManuallyDrop<Shared<T>>, Usage) {
        // SAFETY: RESV-DEBT: the slot owns a count of it, or who took it away pays the debt first, which is not settled. And
        // it is not null.
        let value = unsafe { Shared::from_raw(NonNull::new_unchecked(value(self.word))) };
        (ManuallyDrop::new(value), usage(self.word))
    }

    #[inline]
    pub(super) fn handle(&self) -> (Shared<T>, Usage) {
        // SAFETY: It is only cloned, here.
        let (value, usage) = unsafe { self.peek() };
        (Shared::clone(&value), usage)
    }
}

#[cfg(all(test, loom))]
pub(super) mod model {
    use super::super::debt::{Debts, Left};
    use super::{Seen, Slot, Usage, Wanted};
    use crate::shared::Shared;
    use loom::cell::UnsafeCell;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    /// A value that tells the model when it is read and when it is dropped. The model itself tells of one
    /// that is not dropped.
    pub(in super::super) struct Watched {
        number: u64,
        access: UnsafeCell<()>,
    }

    // SAFETY: The model checks every access.
    unsafe impl Sync for Watched {}
    // SAFETY: As above.
    unsafe impl Send for Watched {}

    impl Watched {
        pub(in super::super) fn shared(number: u64) -> Shared<Watched> {
            Shared::new(Watched { number, access: UnsafeCell::new(()) })
        }
        pub(in super::super) fn read(&self) -> u64 {
            self.access.with(|_| self.number)
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            self.access.with_mut(|_| ());
        }
    }

    struct Place {
        slot: Slot<Watched>,
        debts: Debts<Watched>,
        update: Mutex<()>,
    }

    pub(in super::super) const ALL: Wanted = Wanted { last: Usage::Bookkeep, signaled: true };

    impl Place {
        fn new(number: u64) -> Place {
            let place = Place { slot: Slot::empty(), debts: Debts::new(), update: Mutex::new(()) };
            place.put(number);
            place
        }
        fn with(number: u64) -> Arc<Place> {
            Arc::new(Place::new(number))
        }
        fn put(&self, number: u64) {
            self.replace(Some((Watched::shared(number), Usage::Write)));
        }
        fn replace(&self, new: Option<(Shared<Watched>, Usage)>) {
            // SAFETY: In a model every fence is one.
            let mut left = unsafe { Left::new(&self.debts) };
            let _update = self.update.lock().unwrap();
            // SAFETY: We have the lock.
            left.put(unsafe { self.slot.replace(new) });
        }
        fn read(&self) -> Option<u64> {
            Some(self.slot.get(ALL, &self.debts)?.0.read())
        }
    }

    #[test]
    fn a_reader_beside_a_replacement() {
        loom::model(|| {
            let place = Place::with(1);
            let reader = thread::spawn({
                let place = place.clone();
                move || assert!(matches!(place.read(), Some(1 | 2)))
            });
            place.put(2);
            reader.join().unwrap();
            place.read();
            assert_eq!(place.debts.number_of_pages(), 1, "paid or not, the page can be used again");
        });
    }

    #[test]
    fn a_reader_beside_two_replacements_and_a_removal() {
        loom::model(|| {
            let place = Place::with(1);
            let reader = thread::spawn({
                let place = place.clone();
                move || place.read()
            });
            place.put(2);
            place.put(3);
            place.replace(None);
            reader.join().unwrap();
            assert_eq!(place.read(), None);
        });
    }

    #[test]
    fn two_readers_make_the_debts_grow() {
        loom::model(|| {
            let place = Place::with(1);
            let readers = [(); 2].map(|()| {
                let place = place.clone();
                thread::spawn(move || assert!(place.read().is_some()))
            });
            place.put(2);
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
    }

    /// Who comes late with a handle that is owed for no more finds another in its place that is.
    #[test]
    fn a_late_handle_leaves_alone_what_is_parked_for_the_next_reader() {
        loom::model(|| {
            let place = Place::with(1);
            let change = |number| {
                let place = place.clone();
                thread::spawn(move || place.put(number))
            };
            let owe = || {
                let word = place.slot.first_look();
                (place.debts.owe(word), word)
            };
            // SAFETY: The debt lasts until this returns.
            let read = |seen: Seen<'_, Watched>| unsafe { seen.peek() }.0.read();
            let (debt, word) = owe();
            read(place.slot.second_look(word, &debt).unwrap());
            let late = change(2);
            thread::yield_now();
            drop(debt);
            let (debt, word) = owe();
            let seen = place.slot.second_look(word, &debt);
            change(3).join().unwrap();
            seen.map(read);
            drop(debt);
            late.join().unwrap();
        });
    }

    /// The reader keeps what it read while the same fence comes and goes elsewhere.
    #[test]
    fn one_value_goes_and_comes_back() {
        loom::model(|| {
            let place = Place::with(1);
            let reader = thread::spawn({
                let place = place.clone();
                move || place.read()
            });
            // SAFETY: Only this thread changes the slot.
            let here = unsafe { place.slot.peek() }.unwrap().0;
            let gone = Shared::clone(&here);
            place.replace(None);
            place.replace(Some((gone, Usage::Write)));
            place.replace(None);
            assert!(matches!(reader.join().unwrap(), None | Some(1)));
        });
    }
}
