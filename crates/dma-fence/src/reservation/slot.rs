//! One place of a reservation object: a fence and its usage in one word.
//!
//! RESV-SLOT: a slot is null or owns one count of the fence it points to; the low two bits are the usage.
//! So one swap changes both at once, and no reader finds the one without the other, or neither. All
//! slots of an object are read and swapped with that object's [`Debts`].
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | holder of the update lock | swap | Release | second look; `still`: the change that it is part of |
//! | reader | first look | Relaxed | nothing: an address, or nothing, which `still` answers for |
//! | reader | second look | Acquire | swap: the fence |
//! | holder of the update lock | peek | Relaxed | nothing: the update lock |
#![allow(unsafe_code)]

use super::Usage;
use super::debt::Debts;
use crate::shared::Shared;
use crate::sync::{AtomicPtr, Ordering};
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

const USAGE: usize = 0b11;

pub(super) struct Slot<T>(AtomicPtr<T>);

/// What a slot's word says.
fn parts<T>(word: *mut T) -> Option<(NonNull<T>, Usage)> {
    let value = NonNull::new(word.map_addr(|addr| addr & !USAGE))?;
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
        const { assert!(align_of::<T>() > USAGE) };
        Slot(AtomicPtr::new(ptr::null_mut()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// A handle of what is here, if its usage is at or before `last`.
    pub(super) fn get(&self, last: Usage, debts: &Debts<T>) -> Option<(Shared<T>, Usage)> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let (value, _) = parts(seen).filter(|(_, usage)| *usage <= last)?;
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

    /// Puts something in, or nothing; what was here before, which nobody owes for any more.
    #[must_use = "drop it where the change has been counted"]
    pub(super) fn swap(
        &self,
        new: Option<(Shared<T>, Usage)>,
        debts: &Debts<T>,
    ) -> Option<Shared<T>> {
        let new = new.map_or(ptr::null_mut(), |(value, usage)| word(value.into_raw(), usage));
        let old = owned(self.0.swap(new, Ordering::Release))?;
        debts.pay(&old);
        Some(old)
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
    use super::super::debt::Debts;
    use super::{Slot, Usage};
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
            drop(self.slot.swap(Some((Watched::shared(number), Usage::Write)), &self.debts));
        }
        fn read(&self) -> Option<u64> {
            Some(self.slot.get(Usage::Bookkeep, &self.debts)?.0.read())
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
            drop(place.slot.swap(None, &place.debts));
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
            let gone = place.slot.swap(None, &place.debts).unwrap();
            drop(place.slot.swap(Some((gone, Usage::Write)), &place.debts));
            drop(place.slot.swap(None, &place.debts));
            assert!(matches!(reader.join().unwrap(), None | Some(1)));
        });
    }
}
