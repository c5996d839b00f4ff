//! Reservation objects: the fences of a buffer, and what each means for who comes next.
//!
//! # Implementation notes
//!
//! Two locks. The *update* lock is the user's: it is held from `lock` to the guard's drop, over
//! reserving, looking and adding, so that a job and its fences appear as one step. The list's own lock
//! is held for a copy of handles at the longest and is never visible; readers take only that one.
//!
//! RESV-DROP: handles that leave the list are dropped after its lock is released, for a fence's drop
//! may be the drop of a backend.

use crate::array::FenceArray;
use crate::contract::{self, Held};
use crate::fence::Fence;
use crate::outcome::Status;
#[cfg(feature = "std")]
use crate::outcome::{FenceError, WaitError};
use crate::shared::AllocError;
use crate::sync::{Life, Mutex, MutexGuard};
use alloc::vec::Vec;
use core::fmt;

/// What an operation does with the buffer. Asking for one usage returns those at or before it.
#[doc(alias = "dma_resv_usage")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Usage {
    /// Memory management: moving or clearing the buffer. Everybody waits for it.
    Kernel,
    /// The operation writes. Whoever reads or writes next waits for it.
    Write,
    /// The operation reads. Whoever writes next waits for it.
    Read,
    /// Nobody waits for it implicitly; it only keeps the buffer alive.
    Bookkeep,
}

/// Why a fence was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddError {
    /// No slot was reserved.
    NoSlot,
    /// Arrays are refused: add their members.
    Container,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddError::NoSlot => "no slot was reserved for the fence",
            AddError::Container => "a reservation object takes no containers, only their members",
        })
    }
}

impl core::error::Error for AddError {}

/// What a buffer's fences amount to.
#[derive(Clone, Debug)]
pub enum ReservationStatus {
    /// All have signaled.
    Idle,
    /// At least one is pending, none is abandoned.
    Pending,
    /// This one is abandoned.
    Abandoned(Fence),
}

/// The fences of one buffer, each with its usage.
///
/// ```
/// use dma_fence::{FenceContext, ReservationObject, Usage};
/// let gpu = FenceContext::hardware("gpu", "ring 0");
/// let buffer = ReservationObject::new();
///
/// let render = gpu.new_fence();
/// let mut guard = buffer.lock();
/// guard.reserve(1)?;                              // may fail, so do it first
/// guard.add(&render.fence(), Usage::Write)?;      // cannot fail any more
/// drop(guard);
///
/// assert!(!buffer.is_signaled(Usage::Write));     // a reader has to wait
/// render.signal(Ok(()));
/// assert!(buffer.is_signaled(Usage::Bookkeep));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "dma_resv")]
pub struct ReservationObject {
    update: Mutex<()>,
    list: Mutex<List>,
}

struct List {
    entries: Vec<Entry>,
    /// How often `entries` has changed.
    changes: u64,
}

#[derive(Clone)]
struct Entry {
    fence: Fence,
    usage: Usage,
}

impl Default for ReservationObject {
    fn default() -> Self {
        Self::new()
    }
}

impl ReservationObject {
    /// An object without fences: idle.
    #[doc(alias = "dma_resv_init")]
    pub fn new() -> Self {
        ReservationObject {
            update: Mutex::new(()),
            list: Mutex::new(List { entries: Vec::new(), changes: 0 }),
        }
    }

    /// Locks the object for an update.
    ///
    /// # Context
    /// Sleeps while somebody else has it (on bare metal it spins). Locking it again on the same thread
    /// is a deadlock.
    #[doc(alias = "dma_resv_lock")]
    #[track_caller]
    pub fn lock(&self) -> ReservationGuard<'_> {
        let held = contract::locks_reservation();
        ReservationGuard { _update: self.update.lock(), _held: held, object: self, reserved: 0 }
    }

    /// The fences at or before `usage` as they are now, signaled ones included. Enables nothing.
    #[doc(alias("dma_resv_get_fences", "dma_resv_for_each_fence"))]
    pub fn fences(&self, usage: Usage) -> Vec<Fence> {
        self.snapshot(usage).0
    }

    fn snapshot(&self, usage: Usage) -> (Vec<Fence>, u64) {
        let list = self.list.lock();
        let fences = list.entries.iter().filter(|entry| entry.usage <= usage);
        (fences.map(|entry| entry.fence.clone()).collect(), list.changes)
    }

    /// The fences at or before `usage` that have not signaled.
    pub fn unsignaled(&self, usage: Usage) -> Vec<Fence> {
        loop {
            let (mut fences, changes) = self.snapshot(usage);
            fences.retain(|fence| !fence.is_signaled());
            // "None" must have been true at one moment: a fence that took another's place after we
            // copied it, and before it signaled, was never looked at.
            if !fences.is_empty() || self.list.lock().changes == changes {
                return fences;
            }
        }
    }

    /// Have all fences at or before `usage` signaled? True if there are none.
    #[doc(alias = "dma_resv_test_signaled")]
    pub fn is_signaled(&self, usage: Usage) -> bool {
        self.unsignaled(usage).is_empty()
    }

    /// What the fences at or before `usage` amount to.
    pub fn status(&self, usage: Usage) -> ReservationStatus {
        let fences = self.unsignaled(usage);
        let abandoned = fences.iter().find(|fence| fence.status() == Status::Abandoned);
        match (abandoned, fences.is_empty()) {
            (Some(fence), _) => ReservationStatus::Abandoned(fence.clone()),
            (None, true) => ReservationStatus::Idle,
            (None, false) => ReservationStatus::Pending,
        }
    }

    /// One fence for all that have not signaled at or before `usage`: none, the only one, or an array.
    #[doc(alias = "dma_resv_get_singleton")]
    pub fn singleton(&self, usage: Usage) -> Option<Fence> {
        let mut fences = self.unsignaled(usage);
        match fences.len() {
            0 => None,
            1 => fences.pop(),
            // Containers are refused on the way in, and there are some.
            _ => FenceArray::new(fences).ok().map(Fence::from),
        }
    }
}

#[cfg(feature = "std")]
impl ReservationObject {
    /// Blocks until all fences at or before `usage` have signaled. One that failed has ended too:
    /// memory is what this is about, and the error is the fence's.
    ///
    /// # Errors
    /// A fence is abandoned.
    #[doc(alias = "dma_resv_wait_timeout")]
    #[track_caller]
    pub fn wait(&self, usage: Usage) -> Result<(), FenceError> {
        // No closure, for the place of the wait is the caller's; likewise below.
        let Some(fence) = self.singleton(usage) else { return Ok(()) };
        match fence.wait() {
            Err(FenceError::Abandoned) => Err(FenceError::Abandoned),
            _ => Ok(()),
        }
    }

    /// As [`wait`](Self::wait), for at most `timeout`; zero only looks.
    ///
    /// # Errors
    /// A fence is abandoned, or the time was over first.
    #[doc(alias = "dma_resv_wait_timeout")]
    #[track_caller]
    pub fn wait_timeout(
        &self,
        usage: Usage,
        timeout: core::time::Duration,
    ) -> Result<(), WaitError> {
        let Some(fence) = self.singleton(usage) else { return Ok(()) };
        match fence.wait_timeout(timeout) {
            Ok(()) | Err(WaitError::Failed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for ReservationObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fences(Usage::Bookkeep)).finish()
    }
}

/// The right to change a reservation object.
pub struct ReservationGuard<'a> {
    _update: MutexGuard<'a, ()>,
    _held: Held,
    object: &'a ReservationObject,
    reserved: usize,
}

impl ReservationGuard<'_> {
    /// Makes room so that `slots` fences can be added before the guard goes.
    ///
    /// # Errors
    /// There was no memory; nothing has changed.
    #[doc(alias = "dma_resv_reserve_fences")]
    pub fn reserve(&mut self, slots: usize) -> Result<(), AllocError> {
        let mut grown: Vec<Entry> = Vec::new();
        let len = self.object.list.lock().entries.len();
        // Nobody else changes the list while we have the update lock, so the length stays.
        let room = len.checked_add(self.reserved).and_then(|n| n.checked_add(slots));
        grown.try_reserve_exact(room.ok_or(AllocError)?).map_err(|_| AllocError)?;
        let mut list = self.object.list.lock();
        grown.append(&mut list.entries);
        list.entries = grown;
        self.reserved += slots;
        Ok(())
    }

    /// Adds a fence. It takes the place of one that it makes superfluous: the same fence, an earlier
    /// one of its context whose usage is not stronger and that was not abandoned, or any that has
    /// signaled; else a reserved slot.
    ///
    /// # Errors
    /// The fence is a container, or a slot was needed and none is reserved. Nothing has changed.
    #[doc(alias = "dma_resv_add_fence")]
    pub fn add(&mut self, fence: &Fence, usage: Usage) -> Result<(), AddError> {
        if fence.is_container() {
            return Err(AddError::Container);
        }
        let entry = Entry { fence: fence.clone(), usage };
        // No hook is asked: its callbacks would run under the update lock.
        let place = self
            .find(|old| old.fence.same_fence(fence))
            .or_else(|| self.find(|old| old.is_superseded_by(&entry)))
            .or_else(|| self.find(|old| old.fence.life() == Life::Signaled));
        match place {
            Some((index, old)) => {
                let same = old.fence.same_fence(fence);
                let usage = if same { usage.min(old.usage) } else { usage };
                let entry = Entry { usage, ..entry };
                let mut list = self.object.list.lock();
                list.changes += 1;
                let replaced = core::mem::replace(&mut list.entries[index], entry);
                drop(list);
                drop(replaced);
            }
            None if self.reserved == 0 => return Err(AddError::NoSlot),
            None => {
                self.reserved -= 1;
                let mut list = self.object.list.lock();
                list.changes += 1;
                list.entries.push(entry);
            }
        }
        Ok(())
    }

    /// The first entry that `is` it. The update lock keeps the entries where they are, so the list's
    /// own lock is held for one copy of a handle at a time (RESV-DROP).
    fn find(&self, is: impl Fn(&Entry) -> bool) -> Option<(usize, Entry)> {
        let entry = |index: usize| self.object.list.lock().entries.get(index).cloned();
        (0..).map_while(|index| Some((index, entry(index)?))).find(|(_, old)| is(old))
    }

    /// As [`ReservationObject::fences`]; no update can come between.
    pub fn fences(&self, usage: Usage) -> Vec<Fence> {
        self.object.fences(usage)
    }
}

impl Entry {
    /// Does the signal of `new` say that this one's operation has ended, too? Not of one that was lost.
    fn is_superseded_by(&self, new: &Entry) -> bool {
        self.usage >= new.usage
            && self.fence.life() != Life::Abandoned
            && new.fence.is_later_than(&self.fence) == Some(true)
    }
}

impl fmt::Debug for ReservationGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReservationGuard({:?}, {} reserved)", self.object, self.reserved)
    }
}
