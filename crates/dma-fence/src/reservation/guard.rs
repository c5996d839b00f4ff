//! Changing a reservation object.

use super::lock::UpdateGuard;
use super::place::Place;
use super::table::{Held, Writer};
use super::{AddError, ReservationObject, ReservationView, Usage};
use crate::context::SeqnoOrder;
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
/// handle that leaves the object is dropped by the next change, or after the unlock.
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
    reserved: usize,
    _update: UpdateGuard<'a>,
    _held: contract::Held,
    /// Dropped after the unlock, which is what it needs before it lets go of what left last.
    writer: Writer<'a>,
}

impl<'a> ReservationGuard<'a> {
    #[inline]
    pub(super) fn new(
        object: &'a ReservationObject,
        update: UpdateGuard<'a>,
        held: contract::Held,
    ) -> Self {
        let view = &object.view;
        #[allow(unsafe_code, reason = "the one place where the lock becomes the right to change")]
        // SAFETY: RESV-WRITER: `update` is this object's lock, held until both are dropped, it before the writer.
        let writer = unsafe { view.writer() };
        ReservationGuard { view, reserved: 0, _update: update, _held: held, writer }
    }

    /// Makes room so that `slots` more fences can be added before the guard goes.
    ///
    /// # Errors
    /// There was no memory; nothing has changed.
    ///
    /// # Context
    /// Allocates, unless slots are free. The memory stays with the object.
    #[doc(alias = "dma_resv_reserve_fences")]
    #[inline]
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
    #[inline]
    pub fn add(&mut self, fence: &Fence, usage: Usage) -> Result<(), AddError> {
        let (context, seqnos) = fence.0.kind.timeline().ok_or(AddError::Container)?;
        let gives_way = |old: Held<'_>| makes_superfluous(fence, usage, seqnos, &old);
        match self.writer.only_place_of(context) {
            Some(place) if self.writer.peek(place).is_some_and(gives_way) => {
                self.writer.set(place, Some((fence.clone(), usage)));
                Ok(())
            }
            _ => self.add_somewhere(fence, usage, context, seqnos),
        }
    }

    /// Looks at all places.
    fn add_somewhere(
        &mut self,
        fence: &Fence,
        usage: Usage,
        context: u64,
        seqnos: SeqnoOrder,
    ) -> Result<(), AddError> {
        if let Some(place) = self.place_of(fence) {
            self.put(place, fence, usage);
            self.writer.recount(context);
            return Ok(());
        }
        let superfluous = self
            .writer
            .find_of(context, |old| makes_superfluous(fence, usage, seqnos, old))
            .or_else(|| self.writer.find(|old| old.life() == Life::Signaled));
        let place = match superfluous {
            Some(place) => place,
            None => {
                self.reserved = self.reserved.checked_sub(1).ok_or(AddError::NoSlot)?;
                self.writer.free_place(context).ok_or(AddError::NoSlot)?
            }
        };
        self.put_in(place, fence, usage);
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
        let goes = |old: &Held<'_>| old.life() != Life::Abandoned && !old.same_fence(fence);
        let Some(first) = self.writer.find_of(context, goes) else { return Ok(()) };
        match self.place_of(fence) {
            Some(place) => self.put(place, fence, usage),
            None => self.put_in(first, fence, usage),
        }
        while let Some(place) = self.writer.find_of(context, goes) {
            self.assign(place, None);
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
        self.writer.forget_who_is_alone();
        for (fence, usage) in theirs {
            // There is room.
            let Some(place) = self.writer.free_place(fence.context()) else { break };
            self.assign(place, Some((fence, usage)));
        }
        for place in ours {
            self.assign(place, None);
        }
        Ok(())
    }

    /// The places that have to be emptied once `theirs` are in: all but those of abandoned fences.
    fn removable(&self, theirs: &[(Fence, Usage)]) -> Result<Vec<&'a Place>, AllocError> {
        let mut places = Vec::new();
        for place in self.writer.places() {
            let Some(held) = self.writer.peek(place) else { continue };
            let comes_again = theirs.iter().any(|(fence, _)| fence.same_fence(&held));
            if comes_again || held.life() != Life::Abandoned {
                places.try_reserve(1).map_err(|_| AllocError)?;
                places.push(place);
            }
        }
        Ok(places)
    }

    fn place_of(&self, fence: &Fence) -> Option<&'a Place> {
        self.writer.find_of(fence.context(), |old| old.same_fence(fence))
    }

    /// The fence is in the place already: its usage may become stronger, not weaker.
    fn put(&mut self, place: &'a Place, fence: &Fence, usage: Usage) {
        let stronger = self.writer.peek(place).is_none_or(|held| usage < held.usage);
        if stronger {
            self.writer.set(place, Some((fence.clone(), usage)));
        }
    }

    /// In place of what is there, of whatever context. RESV-ALONE holds again before the change, which may panic: it drops
    /// what left last.
    fn put_in(&mut self, place: &'a Place, fence: &Fence, usage: Usage) {
        self.writer.assign(place, Some(fence.context()));
        self.writer.recount(fence.context());
        self.writer.set(place, Some((fence.clone(), usage)));
    }

    /// A change of whose place it is, which leaves it to the caller who is alone (RESV-ALONE).
    fn assign(&mut self, place: &'a Place, new: Option<(Fence, Usage)>) {
        self.writer.assign(place, new.as_ref().map(|(fence, _)| fence.context()));
        self.writer.set(place, new);
    }
}

/// Does the new fence say all that `old`, which is of its context, says?
#[inline]
fn makes_superfluous(new: &Fence, usage: Usage, seqnos: SeqnoOrder, old: &Held<'_>) -> bool {
    old.usage >= usage
        && old.life() != Life::Abandoned
        && seqnos.is_later(new.seqno(), old.seqno()) == Some(true)
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
