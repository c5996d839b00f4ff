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
//! | reader | mark: no SIGNALED → SIGNALED | Release | `still`: what came before the signal |
//! | reader | first look | Relaxed | nothing: an address, a mark or nothing, which `still` answers for |
//! | reader | second look | Acquire | replace: the fence, also over marks, which are read-modify-writes |
//! | holder of the update lock | peek | Relaxed | nothing: the update lock |
//!
//! A mark between the load and the store of a replacement is lost, and does not matter: it was of the old fence.
#![allow(unsafe_code)]

use super::Usage;
use super::debt::{Debt, Debts, LINES, Left};
use crate::shared::Shared;
use crate::sync::{AtomicPtr, Ordering};
use core::mem::ManuallyDrop;
use core::ops::Deref;
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
        !word.is_null()
            && word.addr() & USAGE <= self.last as usize
            && (self.signaled || word.addr() & SIGNALED == 0)
    }
}

pub(super) struct Slot<T>(AtomicPtr<T>);

/// What a slot's word, which is not null, points to.
#[inline]
fn value<T>(word: *mut T) -> *mut T {
    word.map_addr(|addr| addr & !(USAGE | SIGNALED))
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
        Slot(AtomicPtr::new(ptr::null_mut()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// What is here, if it is wanted: an address.
    #[inline]
    fn first_look(&self, wanted: Wanted) -> Option<*mut T> {
        let word = self.0.load(Ordering::Relaxed);
        wanted.includes(word).then(|| value(word))
    }

    /// What is here, if it is wanted and the debt's line owes for it. What was here and has come again is as
    /// good as what never left.
    #[inline]
    fn second_look<'a>(
        &self,
        wanted: Wanted,
        debt: &'a Debt<'_, T>,
        line: usize,
    ) -> Option<Seen<'a, T>> {
        let word = self.0.load(Ordering::Acquire);
        let is_owed = wanted.includes(word) && value(word).addr() == debt.owes(line);
        is_owed.then_some(Seen { word, _debt: debt })
    }

    /// A handle of what is here, if it is wanted.
    #[inline]
    pub(super) fn get(&self, wanted: Wanted, debts: &Debts<T>) -> Option<(Shared<T>, Usage)> {
        loop {
            let debt = debts.owe(self.first_look(wanted)?);
            debt.fence();
            if let Some(seen) = self.second_look(wanted, &debt, 0) {
                return Some((seen.handle(), seen.usage()));
            }
        }
    }

    /// `value` has signaled, as the caller has seen: nobody has to ask it again while it is here.
    pub(super) fn mark_signaled(&self, value: &Shared<T>, usage: Usage) {
        self.mark(word(value.as_raw(), usage));
    }

    fn mark(&self, word: *mut T) {
        let marked = word.map_addr(|addr| addr | SIGNALED);
        // If it fails something else is here, or somebody was first.
        let _ = self.0.compare_exchange(word, marked, Ordering::Release, Ordering::Relaxed);
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
    /// The caller has the update lock, and does not replace what is here while the result is in use.
    pub(super) unsafe fn peek(&self) -> Option<(ManuallyDrop<Shared<T>>, Usage)> {
        let word = self.0.load(Ordering::Relaxed);
        let value = NonNull::new(value(word))?;
        // SAFETY: RESV-SLOT: the slot's count stays where it is, by contract.
        Some((ManuallyDrop::new(unsafe { Shared::from_raw(value) }), usage(word)))
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(owned(self.0.load(Ordering::Relaxed)));
    }
}

/// What a slot had after a debt had been incurred for it, until that is settled.
pub(super) struct Seen<'a, T> {
    word: *mut T,
    _debt: &'a Debt<'a, T>,
}

impl<T> Seen<'_, T> {
    #[inline]
    pub(super) fn usage(&self) -> Usage {
        usage(self.word)
    }

    #[inline]
    pub(super) fn handle(&self) -> Shared<T> {
        // SAFETY: RESV-DEBT: the slot owned a count of it after the debt was incurred, which is not settled. So
        // it is not null, either.
        unsafe { Shared::raise(NonNull::new_unchecked(value(self.word))) }
    }
}

impl<T> Deref for Seen<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: RESV-DEBT: as above.
        unsafe { &*value(self.word) }
    }
}

/// What becomes of a slot that was looked at.
pub(super) enum Verdict {
    /// Its fence has signaled.
    Mark,
    Leave,
    /// No other is looked at.
    Stop,
}

/// How a look at several slots ended.
#[derive(PartialEq, Eq)]
pub(super) enum Look {
    /// There may be more slots.
    Full,
    /// There was none to look at.
    Done,
    Stopped,
    /// Something came or went under our eyes.
    Disturbed,
}

/// Looks at slots, at most so many, with one debt for all, and without a count of any.
#[inline]
pub(super) fn look<'a, T: 'a>(
    mut slots: impl Iterator<Item = &'a Slot<T>>,
    at_most: usize,
    wanted: Wanted,
    debts: &Debts<T>,
    mut judge: impl FnMut(&Seen<'_, T>) -> Verdict,
) -> Look {
    let mut next = || slots.find_map(|slot| Some((slot, slot.first_look(wanted)?)));
    let Some((first, value)) = next() else { return Look::Done };
    let mut debt = debts.owe(value);
    let mut looked_at = [first; LINES];
    let mut number = 1;
    while number < at_most.min(LINES) {
        let Some((slot, value)) = next() else { break };
        debt.owe(value);
        looked_at[number] = slot;
        number += 1;
    }
    debt.fence();
    for (line, slot) in looked_at[..number].iter().enumerate() {
        let Some(seen) = slot.second_look(wanted, &debt, line) else { return Look::Disturbed };
        match judge(&seen) {
            Verdict::Mark => slot.mark(seen.word),
            Verdict::Leave => {}
            Verdict::Stop => return Look::Stopped,
        }
    }
    Look::Full
}

#[cfg(all(test, loom))]
mod model {
    use super::super::debt::{Debts, Left};
    use super::{Look, Slot, Usage, Verdict, Wanted, look};
    use crate::shared::Shared;
    use loom::cell::UnsafeCell;
    use loom::sync::{Arc, Mutex};
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
        update: Mutex<()>,
    }

    const ALL: Wanted = Wanted { last: Usage::Bookkeep, signaled: true };

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
            unsafe { self.slot.replace(new, &mut left) }
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

    /// Two lines of one page, and both fences go while they are looked at.
    #[test]
    fn a_look_at_two_slots_beside_their_replacements() {
        loom::model(|| {
            let place = Arc::new((Place::new(1), Slot::<Watched>::empty()));
            let put = |slot: &Slot<Watched>, number, left: &mut Left<'_, Watched>| {
                // SAFETY: This thread is the only one that changes the slots.
                unsafe { slot.replace(Some((Watched::shared(number), Usage::Write)), left) };
            };
            // SAFETY: In a model every fence is one.
            let mut left = unsafe { Left::new(&place.0.debts) };
            put(&place.1, 2, &mut left);
            let reader = thread::spawn({
                let place = place.clone();
                move || {
                    let slots = [&place.0.slot, &place.1].into_iter();
                    let mut seen = 0;
                    let end = look(slots, 2, ALL, &place.0.debts, |watched| {
                        seen += watched.read();
                        Verdict::Leave
                    });
                    assert!(end == Look::Disturbed || [3, 6, 9, 12].contains(&seen), "{seen}");
                }
            });
            put(&place.0.slot, 4, &mut left);
            put(&place.1, 8, &mut left);
            drop(left);
            reader.join().unwrap();
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
            let owe = || place.slot.first_look(ALL).map(|value| place.debts.owe(value)).unwrap();
            let debt = owe();
            debt.fence();
            place.slot.second_look(ALL, &debt, 0).unwrap().read();
            let late = change(2);
            thread::yield_now();
            drop(debt);
            let debt = owe();
            debt.fence();
            let seen = place.slot.second_look(ALL, &debt, 0);
            change(3).join().unwrap();
            seen.map(|seen| seen.read());
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
