//! One place of a reservation object: a fence and its usage in one word.
//!
//! RESV-SLOT: a slot is null or owns one count of the fence it points to; the low two bits are the usage, and
//! the third is [`SIGNALED`]. So one store changes all at once, and no reader finds the one without the other,
//! or neither. All slots of an object are read and changed with that object's [`Debts`].
//!
//! RESV-MARK: SIGNALED is set by whoever has seen that the fence has signaled, which is final. Whoever finds it
//! set need not ask the fence, so need not touch it. What a slot holds, and so who may change it, is not changed by it.
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | holder of the update lock | replace: load, store | Relaxed, Release | second look; `still`: the change that it is part of |
//! | reader | mark: no SIGNALED → SIGNALED | Release | first look: what came before the signal |
//! | reader | first look | Acquire | mark; else it gives an address, or nothing, which `still` answers for |
//! | reader | second look | Acquire | replace: the fence, also over marks, which are read-modify-writes |
//! | holder of the update lock | peek | Relaxed | nothing: the update lock |
//!
//! A mark between the load and the store of a replacement is lost, and does not matter: it was of the old fence.
#![allow(unsafe_code)]

use super::Usage;
use super::debt::{Debts, Left};
use crate::shared::Shared;
use crate::sync::{AtomicPtr, Ordering};
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

const USAGE: usize = 0b11;
/// The fence is known to have signaled.
const SIGNALED: usize = 0b100;

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) last: Usage,
    /// Also what is marked [`SIGNALED`].
    pub(super) signaled: bool,
}

impl Wanted {
    #[inline]
    fn includes<T>(self, word: *mut T) -> bool {
        word.addr() & USAGE <= self.last as usize && (self.signaled || word.addr() & SIGNALED == 0)
    }
}

pub(super) struct Slot<T>(AtomicPtr<T>);

/// What a slot's word says.
#[inline]
fn parts<T>(word: *mut T) -> Option<(NonNull<T>, Usage)> {
    let value = NonNull::new(word.map_addr(|addr| addr & !(USAGE | SIGNALED)))?;
    let usage = match word.addr() & USAGE {
        0 => Usage::Kernel,
        1 => Usage::Write,
        2 => Usage::Read,
        _ => Usage::Bookkeep,
    };
    Some((value, usage))
}

fn word<T>(value: NonNull<T>, usage: Usage) -> *mut T {
    value.as_ptr().map_addr(|addr| addr | usage as usize)
}

/// The count that a slot had of what its word, no longer there, points to.
fn owned<T>(word: *mut T) -> Option<Shared<T>> {
    // SAFETY: RESV-SLOT: the word has left the slot, and the count with it.
    parts(word).map(|(value, _)| unsafe { Shared::from_raw(value) })
}

impl<T> Slot<T> {
    pub(super) fn empty() -> Self {
        const { assert!(align_of::<T>() > (USAGE | SIGNALED)) };
        Slot(AtomicPtr::new(ptr::null_mut()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// A handle of what is here, if it is wanted.
    #[inline]
    pub(super) fn get(&self, wanted: Wanted, debts: &Debts<T>) -> Option<(Shared<T>, Usage)> {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            let (value, _) = parts(seen).filter(|_| wanted.includes(seen))?;
            let debt = debts.incur(value.as_ptr());
            let again = self.0.load(Ordering::Acquire);
            // What was here and has come again is as good as what never left: it is here now.
            if again == seen {
                let (value, usage) = parts(again)?;
                // SAFETY: RESV-SLOT: the slot owned a count of it after the debt was incurred.
                return Some((unsafe { debt.redeem(value) }, usage));
            }
            seen = again;
        }
    }

    /// `value` has signaled, as the caller has seen: nobody has to ask it again while it is here.
    pub(super) fn mark_signaled(&self, value: &Shared<T>, usage: Usage) {
        let here = word(value.as_raw(), usage);
        let marked = here.map_addr(|addr| addr | SIGNALED);
        // If it fails something else is here, or somebody was first.
        let _ = self.0.compare_exchange(here, marked, Ordering::Release, Ordering::Relaxed);
    }

    /// Puts something in, or nothing; what was here before goes to `left`.
    ///
    /// # Safety
    /// The caller has the update lock.
    #[inline]
    pub(super) unsafe fn replace(&self, new: Option<(Shared<T>, Usage)>, left: &mut Left<'_, T>) {
        let new = new.map_or(ptr::null_mut(), |(value, usage)| word(value.into_raw(), usage));
        // Not a swap, which is dear: nobody else changes what is here but for the mark.
        let old = self.0.load(Ordering::Relaxed);
        self.0.store(new, Ordering::Release);
        left.put(owned(old));
    }

    /// What is here, without a count of one's own.
    ///
    /// # Safety
    /// The caller has the update lock, and does not swap the slot while the result is in use.
    pub(super) unsafe fn peek(&self) -> Option<(ManuallyDrop<Shared<T>>, Usage)> {
        let (value, usage) = parts(self.0.load(Ordering::Relaxed))?;
        // SAFETY: RESV-SLOT: the slot's count stays where it is, by contract.
        Some((ManuallyDrop::new(unsafe { Shared::from_raw(value) }), usage))
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(owned(self.0.load(Ordering::Relaxed)));
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::super::debt::{Debts, Left};
    use super::{Slot, Usage, Wanted};
    use crate::shared::Shared;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    /// A value that tells the model when it is read and when it is dropped. The model itself tells of one
    /// that is not dropped.
    struct Watched {
        number: u64,
        access: UnsafeCell<()>,
    }

    // SAFETY: The model checks every access.
    unsafe impl Sync for Watched {}
    // SAFETY: As above.
    unsafe impl Send for Watched {}

    impl Watched {
        fn shared(number: u64) -> Shared<Watched> {
            Shared::new(Watched { number, access: UnsafeCell::new(()) })
        }
        fn read(&self) -> u64 {
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
    }

    impl Place {
        fn with(number: u64) -> Arc<Place> {
            let place = Place { slot: Slot::empty(), debts: Debts::new() };
            place.put(number);
            Arc::new(place)
        }
        fn put(&self, number: u64) {
            self.replace(Some((Watched::shared(number), Usage::Write)));
        }
        fn replace(&self, new: Option<(Shared<Watched>, Usage)>) {
            // SAFETY: In a model every fence is one.
            let mut left = unsafe { Left::new(&self.debts) };
            // SAFETY: One thread of each model does so.
            unsafe { self.slot.replace(new, &mut left) }
        }
        fn read(&self) -> u64 {
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
    }

    impl Place {
        fn with(number: u64) -> Arc<Place> {
            let place = Place { slot: Slot::empty(), debts: Debts::new() };
            place.put(number);
            Arc::new(place)
        }
        fn put(&self, number: u64) {
            self.replace(Some((Watched::shared(number), Usage::Write)));
        }
        fn replace(&self, new: Option<(Shared<Watched>, Usage)>) -> Option<Left<'_, Watched>> {
            // SAFETY: One thread of each model does so.
            unsafe { self.slot.replace(new, &self.debts) }
        }
        fn read(&self) -> u64 {
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
    }

    impl Place {
        fn with(number: u64) -> Arc<Place> {
            let place = Place { slot: Slot::empty(), debts: Debts::new() };
            place.put(number);
            Arc::new(place)
        }
        fn put(&self, number: u64) {
            self.replace(Some((Watched::shared(number), Usage::Write)));
        }
        fn replace(&self, new: Option<(Shared<Watched>, Usage)>) -> Option<Shared<Watched>> {
            // SAFETY: One thread of each model does so, and pays in the next line.
            let old = unsafe { self.slot.replace(new) }?;
            self.debts.pay(&old);
            Some(old)
        }
        fn read(&self) -> Option<u64> {
            let all = Wanted { last: Usage::Bookkeep, signaled: true };
            Some(self.slot.get(all, &self.debts)?.0.read())
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
            assert_eq!(place.debts.number_of_cells(), 1, "paid or not, the cell can be used again");
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
