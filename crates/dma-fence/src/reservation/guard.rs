//! Changing a reservation object.

use super::lock::UpdateGuard;
use super::table::{FenceSlot, Held, Writer};
use super::{AddError, ReservationObject, ReservationView, Usage};
use crate::contract;
use crate::fence::Fence;
use crate::shared::AllocError;
use crate::sync::Life;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// The right to change a reservation object, until it is dropped. Derefs to what readers can ask.
///
/// # Context
/// Locks, waits and hooks that are reached from between the lock and the drop are the caller's affair. A
/// handle that leaves the object is dropped before the method returns.
///
/// ```
/// use dma_fence::{AddError, FenceContext, ReservationObject, Usage};
/// let copy = FenceContext::hardware("gpu", "copy");
/// let (source, target) = (ReservationObject::new(), ReservationObject::new());
/// let job = copy.new_fence();
///
/// let mut guard = source.lock();
/// assert_eq!(guard.add(&job.fence(), Usage::Read), Err(AddError::NoSlot));
/// guard.reserve(1)?;
/// guard.add(&job.fence(), Usage::Read)?;
/// guard.add(&job.fence(), Usage::Write)?;         // there already: no slot, and now it writes
/// assert_eq!(guard.fences_with_usage(Usage::Write).len(), 1);
/// drop(guard);
///
/// target.lock().copy_from(&source)?;
/// assert!(!target.is_signaled(Usage::Write));
/// # job.signal(Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "dma_resv_unlock")]
#[must_use = "the object is unlocked when this is dropped"]
pub struct ReservationGuard<'a> {
    view: &'a ReservationView,
    writer: Writer<'a>,
    reserved: usize,
    /// Dropped after all that needs it.
    _update: UpdateGuard<'a>,
    _held: contract::Held,
}

impl<'a> ReservationGuard<'a> {
    pub(super) fn new(
        object: &'a ReservationObject,
        update: UpdateGuard<'a>,
        held: contract::Held,
    ) -> Self {
        let view = &object.view;
        #[allow(unsafe_code, reason = "the one place where the lock becomes the right to change")]
        // SAFETY: RESV-WRITER: `update` is this object's lock, kept for as long as the writer is.
        let writer = unsafe { view.writer() };
        ReservationGuard { view, writer, reserved: 0, _update: update, _held: held }
    }

    /// Makes room so that `slots` more fences can be added before the guard goes.
    ///
    /// # Errors
    /// There was no memory; nothing has changed.
    ///
    /// # Context
    /// Allocates, unless slots are free. The memory stays with the object.
    #[doc(alias = "dma_resv_reserve_fences")]
    pub fn reserve(&mut self, slots: usize) -> Result<(), AllocError> {
        let reserved = self.reserved.checked_add(slots).ok_or(AllocError)?;
        self.writer.make_room(reserved)?;
        self.reserved = reserved;
        Ok(())
    }

    /// Adds a fence. It takes the place of one that it makes superfluous: the same fence, an earlier
    /// one of its context whose usage is not stronger and that was not abandoned, or any that has
    /// signaled; else a reserved slot. A reader finds the old one or the new one.
    ///
    /// # Errors
    /// The fence is a container, or a slot was needed and none is reserved. Nothing has changed.
    ///
    /// # Context
    /// Allocates nothing and asks no hook: its callbacks would run under the update lock.
    #[doc(alias = "dma_resv_add_fence")]
    pub fn add(&mut self, fence: &Fence, usage: Usage) -> Result<(), AddError> {
        if fence.is_container() {
            return Err(AddError::Container);
        }
        if let Some(slot) = self.slot_of(fence) {
            self.put(slot, fence, usage);
            return Ok(());
        }
        let superfluous = self
            .writer
            .find(|old| old.usage >= usage && fence.supersedes(old))
            .or_else(|| self.writer.find(|old| old.life() == Life::Signaled));
        let slot = match superfluous {
            Some(slot) => slot,
            None => {
                self.reserved = self.reserved.checked_sub(1).ok_or(AddError::NoSlot)?;
                self.writer.free_slot().ok_or(AddError::NoSlot)?
            }
        };
        self.writer.set(slot, Some((fence.clone(), usage)));
        Ok(())
    }

    /// Puts `fence` in the place of every fence of that context; if there is none, nothing happens. The
    /// first gives it its slot, in one step, and then the others go. Abandoned fences stay.
    ///
    /// **This removes fences that have not signaled.** Whoever asks the object afterwards hears nothing
    /// of them, so it is right only if `fence` signals after their operations have ended, too, or if they
    /// no longer access the memory: the fence that a preemption or an unmapping signals.
    ///
    /// # Errors
    /// [`AddError::Container`]; nothing has changed.
    ///
    /// # Context
    /// As [`add`](Self::add). Needs no reserved slot.
    #[doc(alias = "dma_resv_replace_fences")]
    pub fn replace(&mut self, context: u64, fence: &Fence, usage: Usage) -> Result<(), AddError> {
        if fence.is_container() {
            return Err(AddError::Container);
        }
        let goes = |old: &Held<'_>| {
            old.context() == context && old.life() != Life::Abandoned && !old.same_fence(fence)
        };
        let Some(first) = self.writer.find(goes) else { return Ok(()) };
        match self.slot_of(fence) {
            Some(slot) => self.put(slot, fence, usage),
            None => self.writer.set(first, Some((fence.clone(), usage))),
        }
        while let Some(slot) = self.writer.find(goes) {
            self.writer.set(slot, None);
        }
        Ok(())
    }

    /// Makes the fences those of `other`, as they were at one moment. Abandoned ones of ours stay.
    ///
    /// A reader of ours may see some of both meanwhile, but never fewer than either has. Fences of ours
    /// that have not signaled are removed: see the warning at [`replace`](Self::replace).
    ///
    /// # Errors
    /// There was no memory; nothing has changed.
    ///
    /// # Context
    /// Allocates; asks no hook. Takes no lock of `other`.
    #[doc(alias = "dma_resv_copy_fences")]
    pub fn copy_from(&mut self, other: &ReservationView) -> Result<(), AllocError> {
        let mut theirs = other.try_fences_with_usage(Usage::Bookkeep)?;
        // If it is being copied into itself, a fence may be there twice, as it is and as it comes.
        theirs.sort_unstable_by_key(|(fence, usage)| (fence.address(), *usage));
        theirs.dedup_by(|(next, _), (fence, _)| next.same_fence(fence));
        let ours = self.removable(&theirs)?;
        let room = self.reserved.checked_add(theirs.len()).ok_or(AllocError)?;
        self.writer.make_room(room)?;
        for (fence, usage) in theirs {
            // There is room.
            let Some(slot) = self.writer.free_slot() else { break };
            self.writer.set(slot, Some((fence, usage)));
        }
        for slot in ours {
            self.writer.set(slot, None);
        }
        Ok(())
    }

    /// The slots that have to be emptied once `theirs` are in: all but those of abandoned fences.
    fn removable(&self, theirs: &[(Fence, Usage)]) -> Result<Vec<&'a FenceSlot>, AllocError> {
        let mut slots = Vec::new();
        for slot in self.writer.slots() {
            let Some(held) = self.writer.peek(slot) else { continue };
            let comes_again = theirs.iter().any(|(fence, _)| fence.same_fence(&held));
            if comes_again || held.life() != Life::Abandoned {
                slots.try_reserve(1).map_err(|_| AllocError)?;
                slots.push(slot);
            }
        }
        Ok(slots)
    }

    fn slot_of(&self, fence: &Fence) -> Option<&'a FenceSlot> {
        self.writer.find(|old| old.same_fence(fence))
    }

    /// The fence is in the slot already: its usage may become stronger, not weaker.
    fn put(&mut self, slot: &'a FenceSlot, fence: &Fence, usage: Usage) {
        let stronger = self.writer.peek(slot).is_none_or(|held| usage < held.usage);
        if stronger {
            self.writer.set(slot, Some((fence.clone(), usage)));
        }
    }
}

impl Deref for ReservationGuard<'_> {
    type Target = ReservationView;
    fn deref(&self) -> &ReservationView {
        self.view
    }
}

impl fmt::Debug for ReservationGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReservationGuard({:?}, {} reserved)", self.view, self.reserved)
    }
}
