//! All slots of an object, and the count of their changes.
//!
//! No table is ever replaced: more slots are pushed in front, and a slot that is not needed is empty. So
//! there is nothing that a reader could hold on to, and nothing to reclaim.
//!
//! RESV-WRITER: what slots hold, whose places they are, and the count of changes are changed by the holder of the
//! update lock only.
//!
//! A pass beside a change (RESV-MOMENT) adds up what the slots have, before and after, which tells whether the change came
//! in between: who asks the fences on the way would put together answers of before and after.
#![allow(unsafe_code)]

use super::Usage;
use super::changes::{Changes, Moment};
use super::debt::{Debts, Left};
use super::grow::{self, GrowList};
use super::place::Place;
use super::slot::{Slot, Wanted};
use crate::fence::{Fence, Inner};
use crate::shared::{AllocError, Shared};
use crate::sync::{AtomicUsize, Ordering, fence};
use alloc::vec::Vec;
use core::iter::Flatten;
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// The fewest slots that are allocated together. A power of two, as the lengths of all segments are.
const FEWEST: usize = 4;

pub(super) type FenceSlot = Slot<Inner>;

pub(super) struct Table {
    segments: GrowList<Vec<Place>>,
    /// Slots that are empty. Relaxed, for only the holder of the update lock looks at it.
    free: AtomicUsize,
    changes: Changes,
    debts: Debts<Inner>,
}

impl Table {
    pub(super) fn new() -> Self {
        let (segments, changes, debts) = (GrowList::new(), Changes::new(), Debts::new());
        Table { segments, free: AtomicUsize::new(0), changes, debts }
    }

    /// One number for what all slots have. Who has seen a change, or what came after it, before this, finds it here; and
    /// who finds it here, sees it after this.
    #[cold]
    fn sum(&self) -> usize {
        fence(Ordering::Acquire);
        let add = |sum: usize, place: &Place| sum.wrapping_add(place.slot.content());
        let sum = self.places().fold(0, add);
        fence(Ordering::Acquire);
        sum
    }

    fn places(&self) -> Flatten<grow::Iter<'_, Vec<Place>>> {
        self.segments.iter().flatten()
    }

    /// All places, and what is owed for what they have: for a reader that looks at several together.
    #[inline]
    pub(super) fn several(&self) -> (impl Iterator<Item = &[Place]>, &Debts<Inner>) {
        (self.segments.iter().map(Vec::as_slice), &self.debts)
    }

    /// The right to change it.
    ///
    /// # Safety
    /// The caller has the update lock. It changes nothing after it has unlocked it, which is a
    /// read-modify-write, and drops the result then.
    #[inline]
    pub(super) unsafe fn writer(&self) -> Writer<'_> {
        // SAFETY: By contract.
        let left = unsafe { Left::new(&self.debts) };
        Writer { table: self, left }
    }
}

// === reading ===

/// Where a pass over all slots began.
pub(super) struct Beginning<'a> {
    table: &'a Table,
    moment: Moment<'a>,
    /// Of what the slots had, if one of them was being changed.
    sum: Option<usize>,
}

impl<'a> Beginning<'a> {
    #[inline]
    pub(super) fn of(table: &'a Table) -> Self {
        let moment = table.changes.now();
        let sum = moment.is_amid_a_change().then(|| table.sum());
        Beginning { table, moment, sum }
    }

    /// Of the table's count.
    #[inline]
    pub(super) fn moment(&self) -> Moment<'a> {
        self.moment
    }

    /// Asked at the end of a pass, where the moment is current: has nothing changed? Amid a change one slot may have: then
    /// the sum is another one, for a slot's old fence and its new one are there at the same time, and so at two addresses.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        // Both in any case: a model has to do the same whatever the addresses are.
        self.sum.is_none_or(|before| (self.table.sum() == before) & self.moment.is_current())
    }
}

/// One pass over all slots, as a reader makes it who takes handles.
pub(super) struct Pass<'a> {
    places: Flatten<grow::Iter<'a, Vec<Place>>>,
    beginning: Beginning<'a>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        let beginning = Beginning::of(table);
        Pass { places: table.places(), beginning }
    }

    pub(super) fn again(&self) -> Self {
        Pass::new(self.beginning.table)
    }

    /// A handle of the next fence at or before `last`.
    #[inline]
    pub(super) fn next(&mut self, last: Usage) -> Option<(Fence, Usage)> {
        let debts = &self.beginning.table.debts;
        let wanted = Wanted::all(last);
        for place in &mut self.places {
            if let Some((fence, usage)) = place.slot.get(wanted, debts) {
                return Some((Fence(fence), usage));
            }
        }
        None
    }

    /// Is everything that was found since the beginning of one moment?
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        self.beginning.moment.is_current()
    }

    /// And what it has been asked meanwhile? Asked at the end, if it is current.
    pub(super) fn is_whole(&self) -> bool {
        self.beginning.is_whole()
    }
}

// === writing ===

/// The right to change a table (RESV-WRITER).
pub(super) struct Writer<'a> {
    table: &'a Table,
    left: Left<'a, Inner>,
}

/// What a slot holds, without a count of one's own.
pub(super) struct Held<'a> {
    fence: ManuallyDrop<Fence>,
    pub(super) usage: Usage,
    /// No change while this is in use.
    _writer: &'a Writer<'a>,
}

pub(super) fn uncounted(fence: ManuallyDrop<Shared<Inner>>) -> ManuallyDrop<Fence> {
    ManuallyDrop::new(Fence(ManuallyDrop::into_inner(fence)))
}

impl Deref for Held<'_> {
    type Target = Fence;
    fn deref(&self) -> &Fence {
        &self.fence
    }
}

impl<'a> Writer<'a> {
    pub(super) fn places(&self) -> impl Iterator<Item = &'a Place> + use<'a> {
        self.table.places()
    }

    #[inline]
    /// Where in each segment a fence of that context is put, if it can be; so it is looked for there first.
    fn homes(&self, context: u64) -> impl Iterator<Item = &'a Place> + use<'a> {
        // Contexts are numbered on from one execution of a model to the next, which have to be alike.
        let number = if cfg!(loom) { 0 } else { context as usize };
        self.table.segments.iter().map(move |places| &places[number & (places.len() - 1)])
    }

    #[inline]
    pub(super) fn peek(&self, place: &'a Place) -> Option<Held<'_>> {
        // SAFETY: RESV-WRITER: we have the update lock, and the borrow keeps us from replacing it.
        let (fence, usage) = unsafe { place.slot.peek() }?;
        Some(Held { fence: uncounted(fence), usage, _writer: self })
    }

    /// The first place that holds what `is` asks for.
    pub(super) fn find(&self, is: impl Fn(&Held<'_>) -> bool) -> Option<&'a Place> {
        self.places().find(|place| self.peek(place).is_some_and(|held| is(&held)))
    }

    /// As [`find`](Self::find), among the fences of one context: asks no others.
    pub(super) fn find_of(
        &self,
        context: u64,
        is: impl Fn(&Held<'_>) -> bool,
    ) -> Option<&'a Place> {
        let mut of_it = self.places().filter(|place| place.is_of(context));
        of_it.find(|place| self.peek(place).is_some_and(|held| is(&held)))
    }

    /// The only place of that context (RESV-ALONE), as far as is known.
    #[inline]
    pub(super) fn only_place_of(&self, context: u64) -> Option<&'a Place> {
        let at_home = self.homes(context).find(|place| place.is_alone_of(context));
        at_home.or_else(|| self.only_place_away_from_home(context))
    }

    /// Another context was there first.
    #[cold]
    fn only_place_away_from_home(&self, context: u64) -> Option<&'a Place> {
        self.places().find(|place| place.is_alone_of(context))
    }

    pub(super) fn free_place(&self, context: u64) -> Option<&'a Place> {
        self.homes(context).chain(self.places()).find(|place| place.slot.is_empty())
    }

    /// One change: readers see what was there before or `new`. What was there before is dropped with the next
    /// change, or with the writer.
    ///
    /// Not of whose place it is: what was there is of the same context, or [`assign`](Self::assign) is called, too.
    #[inline]
    pub(super) fn set(&mut self, place: &'a Place, new: Option<(Fence, Usage)>) {
        let changes = &self.table.changes;
        let new = new.map(|(fence, usage)| (fence.0, usage));
        changes.begin();
        // SAFETY: RESV-WRITER: we have the update lock, and nothing is being peeked at.
        let old = unsafe { place.slot.replace(new) };
        changes.end();
        // After the change: it drops what left before, and that may panic.
        self.left.put(old);
    }

    /// Before a change: the place is of that context from now on, or of none.
    pub(super) fn assign(&mut self, place: &'a Place, context: Option<u64>) {
        let free = &self.table.free;
        let empty_before = usize::from(place.slot.is_empty());
        let empty_now = usize::from(context.is_none());
        free.store(free.load(Ordering::Relaxed) + empty_now - empty_before, Ordering::Relaxed);
        place.assign(context);
    }

    /// RESV-ALONE: finds out whether that context has one place only.
    pub(super) fn recount(&mut self, context: u64) {
        let of_it = || self.places().filter(|place| place.is_of(context));
        let alone = of_it().nth(1).is_none();
        of_it().for_each(|place| place.set_alone(alone));
    }

    /// RESV-ALONE: any context may have several places from now on.
    pub(super) fn forget_who_is_alone(&mut self) {
        self.places().for_each(|place| place.set_alone(false));
    }

    /// Sees to it that there are so many free slots.
    #[inline]
    pub(super) fn make_room(&mut self, wanted: usize) -> Result<(), AllocError> {
        match wanted.checked_sub(self.table.free.load(Ordering::Relaxed)) {
            None | Some(0) => Ok(()),
            Some(missing) => self.grow(missing),
        }
    }

    #[cold]
    fn grow(&mut self, missing: usize) -> Result<(), AllocError> {
        let Table { segments, free, .. } = self.table;
        // At least as many again: readers have the number of segments to go through.
        let all: usize = segments.iter().map(Vec::len).sum();
        let added = missing.max(all).max(FEWEST).checked_next_power_of_two().ok_or(AllocError)?;
        let mut segment = Vec::new();
        segment.try_reserve_exact(added).map_err(|_| AllocError)?;
        segment.resize_with(added, Place::empty);
        segments.push(segment)?;
        free.store(free.load(Ordering::Relaxed) + added, Ordering::Relaxed);
        Ok(())
    }
}

/// A reader meets a change half-way: a model would need three threads, and each of them stopped once more
/// than models can afford.
#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::ReservationIter;
    use super::super::fold::fold;
    use super::*;
    use crate::{DriverFence, FenceContext};
    use core::ops::ControlFlow;

    fn producer() -> DriverFence {
        FenceContext::software("test", "table").new_fence()
    }

    fn table_of(fences: &[&DriverFence]) -> Table {
        let table = Table::new();
        // SAFETY: RESV-WRITER: nobody else knows the table.
        let mut writer = unsafe { table.writer() };
        writer.make_room(fences.len()).unwrap();
        for fence in fences {
            let place = writer.places().find(|place| place.slot.is_empty()).unwrap();
            writer.assign(place, Some(fence.fence().context()));
            writer.set(place, Some((fence.fence(), Usage::Write)));
        }
        drop(writer);
        table
    }

    fn iter(table: &Table) -> ReservationIter<'_> {
        ReservationIter::over(table, Usage::Write)
    }

    fn swap(table: &Table, index: usize, new: &DriverFence) {
        let place = table.places().nth(index).unwrap();
        // SAFETY: There is one thread only.
        let mut left = unsafe { Left::new(&table.debts) };
        // SAFETY: RESV-WRITER: nobody else knows the table.
        left.put(unsafe { place.slot.replace(Some((new.fence().0, Usage::Write))) });
    }

    #[test]
    fn a_fence_that_signals_after_it_was_replaced_does_not_make_the_object_idle() {
        let (old, new) = (producer(), producer());
        let table = table_of(&[&old]);
        table.changes.begin();
        let mut iter = iter(&table);
        let (first, _) = iter.next().unwrap();
        swap(&table, 0, &new);
        old.signal(Ok(()));
        assert!(first.is_signaled());
        let (again, _) = iter.next().expect("the first pass met a change");
        assert!(iter.is_restarted() && again.same_fence(&new.fence()));
        assert!(iter.next().is_none() && !iter.is_restarted(), "twice is enough");
        new.signal(Ok(()));
    }

    #[test]
    fn nor_is_it_idle_for_who_folds() {
        let (old, new) = (producer(), producer());
        let table = table_of(&[&old]);
        table.changes.begin();
        let (mut old, mut begun) = (Some(old), 0);
        let init = || {
            begun += 1;
            true
        };
        let all_signaled = |all, fence: &Fence, _| {
            if let Some(old) = old.take() {
                swap(&table, 0, &new);
                old.signal(Ok(()));
            }
            ControlFlow::<(), bool>::Continue(all && fence.is_signaled())
        };
        let answer = fold(&table, Wanted::all(Usage::Write), init, all_signaled);
        assert_eq!(answer, ControlFlow::Continue(false), "the first pass met a change");
        assert_eq!(begun, 2, "twice is enough");
        new.signal(Ok(()));
    }

    #[test]
    fn a_pass_beside_a_change_starts_over_when_it_comes_and_not_when_it_does_not() {
        for (comes, ends) in [(false, false), (true, false), (true, true)] {
            let (old, new) = (producer(), producer());
            let table = table_of(&[&old]);
            table.changes.begin();
            let mut iter = iter(&table);
            assert!(iter.next().is_some() && !iter.is_restarted());
            if comes {
                swap(&table, 0, &new);
                if ends {
                    table.changes.end();
                }
                let (last, _) = iter.next().expect("there was a change");
                assert!(iter.is_restarted() && last.same_fence(&new.fence()));
            }
            assert!(iter.next().is_none() && !iter.is_restarted());
            [old, new].into_iter().for_each(|producer| producer.signal(Ok(())));
        }
    }

    #[test]
    fn a_change_that_begins_as_another_ends_does_not_hide_that_one() {
        let (old, new) = (producer(), producer());
        let table = table_of(&[&old]);
        table.changes.begin();
        let mut iter = iter(&table);
        assert!(iter.next().is_some() && !iter.is_restarted());
        swap(&table, 0, &new);
        table.changes.end();
        table.changes.begin();
        let (found, _) = iter.next().unwrap();
        assert!(iter.is_restarted() && found.same_fence(&new.fence()));
        assert!(iter.next().is_none() && !iter.is_restarted());
        [old, new].into_iter().for_each(|producer| producer.signal(Ok(())));
    }

    /// What was pending signals only once the change has come: the object never was idle.
    #[test]
    fn what_signals_once_the_change_has_come_does_not_make_the_object_idle() {
        let (signaled, pending, new) = (producer(), producer(), producer());
        let table = table_of(&[&signaled, &pending]);
        let first = signaled.fence();
        signaled.signal(Ok(()));
        table.changes.begin();
        let (mut pending, passes) = (Some(pending), core::cell::Cell::new(0));
        let init = || {
            passes.set(passes.get() + 1);
            true
        };
        let all_signaled = |all, fence: &Fence, _| {
            let is_signaled = fence.is_signaled();
            if fence.same_fence(&first) {
                swap(&table, 0, &new);
                pending.take().into_iter().for_each(|pending| pending.signal(Ok(())));
            }
            ControlFlow::<(), bool>::Continue(all && is_signaled)
        };
        let answer = fold(&table, Wanted::all(Usage::Write), init, all_signaled);
        assert_eq!((answer, passes.get()), (ControlFlow::Continue(false), 2));
        new.signal(Ok(()));
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_drop_that_panics_leaves_no_change_half_way() {
        struct Falls;
        impl crate::FenceOps for Falls {}
        impl Drop for Falls {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let context = FenceContext::software("test", "table");
        let (_producer, falling) = context.new_observed_fence(alloc::sync::Arc::new(Falls));
        let other = producer();
        let table = table_of(&[&other, &other]);
        let changes = std::panic::AssertUnwindSafe(|| {
            // SAFETY: RESV-WRITER: nobody else knows the table.
            let mut writer = unsafe { table.writer() };
            let place = writer.places().next().unwrap();
            writer.set(place, Some((falling, Usage::Write)));
            writer.places().for_each(|place| writer.set(place, None));
        });
        assert!(std::panic::catch_unwind(changes).is_err());
        assert!(!table.changes.now().is_amid_a_change());
        other.signal(Ok(()));
    }

    #[test]
    fn a_change_in_the_middle_starts_over() {
        let (old, other, new) = (producer(), producer(), producer());
        let table = table_of(&[&old, &other]);
        let mut iter = iter(&table);
        assert!(iter.next().is_some() && !iter.is_restarted());
        table.changes.begin();
        swap(&table, 0, &new);
        table.changes.end();
        let (first, _) = iter.next().unwrap();
        assert!(iter.is_restarted() && first.same_fence(&new.fence()));
        assert!(iter.next().is_some() && !iter.is_restarted());
        assert!(iter.next().is_none() && iter.next().is_none());
        [old, other, new].into_iter().for_each(|producer| producer.signal(Ok(())));
    }
}
