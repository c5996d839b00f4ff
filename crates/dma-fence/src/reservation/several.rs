//! Looking at several slots together, under one debt.
//!
//! Nobody looks a second time at a slot here: if the count of changes is the same before the first look and after the debt
//! was incurred, whoever takes away what was seen, or has just done so, has yet to end his change and then to look at the debts.
#![allow(unsafe_code)]

use super::changes::Moment;
use super::debt::{Debt, Debts, LINES};
use super::slot::{SIGNALED, Seen, Slot, Wanted, is_nothing};
use core::ops::ControlFlow;
use core::ptr;

/// Why not all slots were seen.
pub(super) enum Interrupted<R> {
    /// By who sees them.
    Stopped(R),
    /// Something came or went under our eyes.
    Disturbed,
    /// There is none to write down in what is owed for.
    NoMemory,
}

/// The slots from the first one on that has what is wanted, and what it has; it may be nothing.
#[inline]
fn skip<T, P: AsRef<Slot<T>>>(mut slots: &[P], wanted: Wanted) -> Option<(*mut T, &[P])> {
    let word = |slot: &P| slot.as_ref().first_look();
    if !wanted.signaled {
        // Of a buffer that is in use most have signaled: several with one question.
        while let Some((four, others)) = slots.split_first_chunk::<4>() {
            if four.iter().fold(SIGNALED, |all, slot| all & word(slot).addr()) == 0 {
                break;
            }
            slots = others;
        }
    }
    while let Some((slot, others)) = slots.split_first() {
        let word = word(slot);
        if wanted.includes(word) {
            return Some((word, slots));
        }
        slots = others;
    }
    None
}

/// Sees what is wanted of the slots in turn, without a count of any: with one debt for several of them together. Who does not
/// want what has signaled may stop at the first, so he owes for that one alone before. Once the moment is not current it is
/// disturbed.
///
/// # Safety
/// RESV-MOMENT: the moment is of the count of these slots' changes.
#[inline]
pub(super) unsafe fn fold<'a, T: 'a, P: AsRef<Slot<T>> + 'a, B, R>(
    segments: impl Iterator<Item = &'a [P]>,
    wanted: Wanted,
    debts: &Debts<T>,
    moment: Moment<'_>,
    mut so_far: B,
    mut see: impl FnMut(B, Seen<'_, T>) -> ControlFlow<R, B>,
) -> Result<B, Interrupted<R>> {
    let mut debt: Option<Debt<'_, T>> = None;
    for mut slots in segments {
        while let Some((first, from_it)) = skip(slots, wanted) {
            let stops_here = debt.is_none() && !wanted.signaled;
            let together = if stops_here { 1 } else { LINES };
            let (these, others) = from_it.split_at(together.min(from_it.len()));
            let debt = match &mut debt {
                Some(debt) => debt,
                None => debt.insert(debts.owe_long(first).ok_or(Interrupted::NoMemory)?),
            };
            if !stops_here {
                // Whatever they have: to owe in vain is cheaper than to tell.
                let look = |slot: &P| slot.as_ref().first_look();
                debt.owe_next(first, |line| these.get(line).map_or(ptr::null_mut(), look));
            }
            if !moment.is_current() {
                return Err(Interrupted::Disturbed);
            }
            for (slot, word) in these.iter().zip(debt.owed()) {
                if wanted.includes(word) && !is_nothing(word) {
                    // SAFETY: The count is the same, so who takes it away, or has just done so, has not looked yet.
                    let seen = unsafe { slot.as_ref().seen(word, debt) };
                    so_far = match see(so_far, seen) {
                        ControlFlow::Continue(so_far) => so_far,
                        ControlFlow::Break(result) => return Err(Interrupted::Stopped(result)),
                    };
                }
            }
            slots = others;
        }
    }
    if moment.is_current() { Ok(so_far) } else { Err(Interrupted::Disturbed) }
}

#[cfg(all(test, loom))]
mod model {
    use super::super::Usage;
    use super::super::changes::Changes;
    use super::super::debt::{Debts, Left};
    use super::super::slot::Slot;
    use super::super::slot::model::{ALL, Watched};
    use super::{Interrupted, Seen, fold};
    use core::ops::ControlFlow;
    use loom::sync::Arc;
    use loom::thread;

    struct Table {
        slots: [Slot<Watched>; 3],
        changes: Changes,
        debts: Debts<Watched>,
    }

    /// What the slots have, as a sum, unless it was disturbed.
    fn sum(table: &Table) -> Option<u64> {
        let moment = table.changes.now();
        let see = |sum, seen: Seen<'_, Watched>| {
            // SAFETY: The debt lasts until this returns.
            ControlFlow::<(), _>::Continue(sum + unsafe { seen.peek() }.0.read())
        };
        let segments = [table.slots.as_slice()].into_iter();
        // SAFETY: Of these slots.
        match unsafe { fold(segments, ALL, &table.debts, moment, 0, see) } {
            Ok(sum) => Some(sum),
            Err(Interrupted::Disturbed) => None,
            Err(_) => unreachable!("nobody stops it, and there is memory"),
        }
    }

    /// Looks at so many slots while two of them are replaced: 1, 2 and 4 are there before, 8 and 16 come. What
    /// the reader finds is the sum of what they have at one moment.
    fn a_look_beside_replacements(number: usize, replaced: [usize; 2], sums: [u64; 3]) {
        loom::model(move || {
            let slots = [(); 3].map(|()| Slot::empty());
            let table = Arc::new(Table { slots, changes: Changes::new(), debts: Debts::new() });
            // SAFETY: In a model every fence is one.
            let mut left = unsafe { Left::new(&table.debts) };
            let mut put = |index: usize, number| {
                let new = Some((Watched::shared(number), Usage::Write));
                table.changes.begin();
                // SAFETY: This thread is the only one that changes the slots.
                let old = unsafe { table.slots[index].replace(new) };
                table.changes.end();
                left.put(old);
            };
            (0..number).for_each(|index| put(index, 1 << index));
            let reader = thread::spawn({
                let table = table.clone();
                move || assert!(sum(&table).is_none_or(|sum| sums.contains(&sum)))
            });
            put(replaced[0], 8);
            put(replaced[1], 16);
            drop(left);
            reader.join().unwrap();
        });
    }

    /// Two lines of one page, and both fences go while they are looked at.
    #[test]
    fn a_look_at_several_slots_beside_their_replacements() {
        a_look_beside_replacements(3, [1, 2], [7, 13, 25]);
    }

    /// A line that owes for something else, and something that was parked before that.
    #[test]
    fn a_look_at_one_slot_after_the_other_beside_their_replacements() {
        a_look_beside_replacements(2, [0, 1], [3, 10, 24]);
    }
}
