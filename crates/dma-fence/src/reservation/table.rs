//! All slots of an object, and the count of their changes.
//!
//! No table is ever replaced: more slots are pushed in front, and a slot that is not needed is null. So
//! there is nothing that a reader could hold on to, and nothing to reclaim.
//!
//! RESV-WRITER: slots and the count of changes are changed by the holder of the update lock only.
//!
//! RESV-MOMENT: the count is odd while a slot changes, and every change of one slot is between two
//! steps of the count. A pass over all slots that begins and ends with the same count has seen the content of
//! one moment, for there was at most one change, and it was of one slot. If the count was even there was none.
//!
//! | who | transition | ordering | pairs with |
//! |---|---|---|---|
//! | holder of the update lock | begin: even → odd | Release | now: the changes before this one |
//! | holder of the update lock | end: odd → even | Release | now: this change and those before |
//! | reader, before a pass | now | Acquire | begin, end |
//! | reader, in a pass | still | Acquire fence, then Relaxed | swap: who saw one sees that its change began |
#![allow(unsafe_code)]

use super::Usage;
use super::debt::Debts;
use super::grow::{self, GrowList};
use super::slot::Slot;
use crate::fence::{Fence, Inner};
use crate::shared::AllocError;
use crate::sync::{AtomicU64, Ordering, fence};
use alloc::vec::Vec;
use core::iter::Flatten;
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// The fewest slots that are allocated together.
const FEWEST: usize = 4;

pub(super) type FenceSlot = Slot<Inner>;

pub(super) struct Table {
    segments: GrowList<Vec<FenceSlot>>,
    changes: Changes,
    debts: Debts<Inner>,
}

impl Table {
    pub(super) fn new() -> Self {
        Table { segments: GrowList::new(), changes: Changes::new(), debts: Debts::new() }
    }

    fn slots(&self) -> Flatten<grow::Iter<'_, Vec<FenceSlot>>> {
        self.segments.iter().flatten()
    }

    /// The right to change it.
    ///
    /// # Safety
    /// The caller has the update lock, and keeps it for as long as it keeps the result.
    pub(super) unsafe fn writer(&self) -> Writer<'_> {
        Writer { table: self }
    }
}

// === reading ===

/// One pass over all slots, as a reader makes it.
pub(super) struct Pass<'a> {
    table: &'a Table,
    slots: Flatten<grow::Iter<'a, Vec<FenceSlot>>>,
    moment: u64,
}

impl<'a> Pass<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        let moment = table.changes.now();
        Pass { table, slots: table.slots(), moment }
    }

    pub(super) fn again(&self) -> Self {
        Pass::new(self.table)
    }

    /// The next fence at or before `last`.
    pub(super) fn next(&mut self, last: Usage) -> Option<(Fence, Usage)> {
        let debts = &self.table.debts;
        let (fence, usage) = self.slots.find_map(|slot| slot.get(last, debts))?;
        Some((Fence(fence), usage))
    }

    /// Is everything that was found since the beginning of one moment?
    pub(super) fn is_current(&self) -> bool {
        self.table.changes.still(self.moment)
    }

    /// Was some slot being changed as the pass began?
    pub(super) fn met_a_change(&self) -> bool {
        self.moment % 2 == 1
    }

    /// Has nothing changed between the beginnings of the two?
    pub(super) fn repeats(&self, earlier: &Self) -> bool {
        self.moment == earlier.moment
    }
}

// === writing ===

/// The right to change a table (RESV-WRITER).
pub(super) struct Writer<'a> {
    table: &'a Table,
}

/// What a slot holds, without a count of one's own.
pub(super) struct Held<'a> {
    fence: ManuallyDrop<Fence>,
    pub(super) usage: Usage,
    /// No change while this is in use.
    _writer: &'a Writer<'a>,
}

impl Deref for Held<'_> {
    type Target = Fence;
    fn deref(&self) -> &Fence {
        &self.fence
    }
}

impl<'a> Writer<'a> {
    pub(super) fn slots(&self) -> impl Iterator<Item = &'a FenceSlot> + use<'a> {
        self.table.slots()
    }

    pub(super) fn peek(&self, slot: &'a FenceSlot) -> Option<Held<'_>> {
        // SAFETY: RESV-WRITER: we have the update lock, and the borrow keeps us from swapping.
        let (fence, usage) = unsafe { slot.peek() }?;
        let fence = ManuallyDrop::new(Fence(ManuallyDrop::into_inner(fence)));
        Some(Held { fence, usage, _writer: self })
    }

    /// The first slot that holds what `is` asks for.
    pub(super) fn find(&self, is: impl Fn(&Held<'_>) -> bool) -> Option<&'a FenceSlot> {
        self.slots().find(|slot| self.peek(slot).is_some_and(|held| is(&held)))
    }

    pub(super) fn free_slot(&self) -> Option<&'a FenceSlot> {
        self.slots().find(|slot| slot.is_empty())
    }

    /// One change: readers see what was there before or `new`.
    pub(super) fn set(&mut self, slot: &'a FenceSlot, new: Option<(Fence, Usage)>) {
        let Table { changes, debts, .. } = self.table;
        changes.begin();
        let old = slot.swap(new.map(|(fence, usage)| (fence.0, usage)), debts);
        changes.end();
        drop(old);
    }

    /// Sees to it that there are so many free slots.
    pub(super) fn make_room(&mut self, wanted: usize) -> Result<(), AllocError> {
        let (mut free, mut all) = (0, 0);
        for slot in self.slots() {
            all += 1;
            free += usize::from(slot.is_empty());
        }
        let Some(missing @ 1..) = wanted.checked_sub(free) else { return Ok(()) };
        // At least as many again: readers have the number of segments to go through.
        let added = missing.max(all).max(FEWEST);
        let mut segment = Vec::new();
        segment.try_reserve_exact(added).map_err(|_| AllocError)?;
        segment.resize_with(added, Slot::empty);
        self.table.segments.push(segment).map(drop)
    }
}

// === the count ===

struct Changes(AtomicU64);

impl Changes {
    fn new() -> Self {
        Changes(AtomicU64::new(0))
    }

    fn begin(&self) {
        // Nobody else stores to it. Who reads the odd number sees all changes before, as with an even one.
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    fn end(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Has nothing begun since then that we have seen anything of?
    fn still(&self, moment: u64) -> bool {
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == moment
    }
}

/// A reader meets a change half-way: a model would need three threads, and each of them stopped once more
/// than models can afford.
#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::ReservationIter;
    use super::*;
    use crate::{DriverFence, FenceContext};

    fn producer() -> DriverFence {
        FenceContext::software("test", "table").new_fence()
    }

    fn table_of(fences: &[&DriverFence]) -> Table {
        let table = Table::new();
        // SAFETY: RESV-WRITER: nobody else knows the table.
        let mut writer = unsafe { table.writer() };
        writer.make_room(fences.len()).unwrap();
        for fence in fences {
            let slot = writer.free_slot().unwrap();
            writer.set(slot, Some((fence.fence(), Usage::Write)));
        }
        table
    }

    fn swap(table: &Table, index: usize, new: &DriverFence) {
        let slot = table.slots().nth(index).unwrap();
        drop(slot.swap(Some((new.fence().0, Usage::Write)), &table.debts));
    }

    #[test]
    fn a_fence_that_signals_after_it_was_replaced_does_not_make_the_object_idle() {
        let (old, new) = (producer(), producer());
        let table = table_of(&[&old]);
        table.changes.begin();
        let mut iter = ReservationIter::new(&table, Usage::Write);
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
    fn the_second_pass_starts_over_when_the_change_ends_and_not_again_when_it_does_not() {
        for ends in [false, true] {
            let (old, new) = (producer(), producer());
            let table = table_of(&[&old]);
            table.changes.begin();
            let mut iter = ReservationIter::new(&table, Usage::Write);
            assert!(iter.next().is_some() && !iter.is_restarted());
            assert!(iter.next().is_some() && iter.is_restarted());
            if ends {
                swap(&table, 0, &new);
                table.changes.end();
                let (last, _) = iter.next().expect("there was a change");
                assert!(iter.is_restarted() && last.same_fence(&new.fence()));
            }
            assert!(iter.next().is_none() && !iter.is_restarted());
            [old, new].into_iter().for_each(|producer| producer.signal(Ok(())));
        }
    }

    #[test]
    fn a_change_that_begins_as_another_ends_takes_two_passes_of_its_own() {
        let (old, new) = (producer(), producer());
        let table = table_of(&[&old]);
        table.changes.begin();
        let mut iter = ReservationIter::new(&table, Usage::Write);
        assert!(iter.next().is_some() && !iter.is_restarted());
        assert!(iter.next().is_some() && iter.is_restarted());
        swap(&table, 0, &new);
        table.changes.end();
        table.changes.begin();
        for _ in 0..2 {
            let (found, _) = iter.next().unwrap();
            assert!(iter.is_restarted() && found.same_fence(&new.fence()));
        }
        assert!(iter.next().is_none() && !iter.is_restarted());
        [old, new].into_iter().for_each(|producer| producer.signal(Ok(())));
    }

    #[test]
    fn a_change_in_the_middle_starts_over() {
        let (old, other, new) = (producer(), producer(), producer());
        let table = table_of(&[&old, &other]);
        let mut iter = ReservationIter::new(&table, Usage::Write);
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
