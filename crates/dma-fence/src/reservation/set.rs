//! Locking a set of objects in one call.

use super::{AcquireContext, Deadlock, ReservationGuard, ReservationObject};
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Index, IndexMut};

/// Locks all objects, in whichever order others lock theirs: backs off and tries again until it has them.
///
/// # Errors
/// An object is there twice; none is locked.
///
/// # Context
/// Sleeps while others have one of them; on bare metal it spins. Allocates. A thread that has one of
/// them locked already waits for itself.
///
/// ```
/// use dma_fence::{FenceContext, ReservationObject, Usage, lock_all};
/// let (source, target) = (ReservationObject::new(), ReservationObject::new());
/// let blit = FenceContext::hardware("gpu", "blit").new_fence();
///
/// let mut locked = lock_all(&[&source, &target])?;
/// locked.iter_mut().try_for_each(|guard| guard.reserve(1))?;
/// locked[0].add(&blit.fence(), Usage::Read)?;
/// locked[1].add(&blit.fence(), Usage::Write)?;
/// drop(locked);
/// # blit.signal(Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("drm_exec_lock_obj", "drm_exec_prepare_array", "drm_gem_lock_reservations"))]
#[track_caller]
pub fn lock_all<'a>(objects: &[&'a ReservationObject]) -> Result<LockedSet<'a>, DuplicateObject> {
    let context = AcquireContext::new();
    let mut contended: Option<usize> = None;
    loop {
        let mut set = Partial::new(objects.len());
        if let Some(index) = contended {
            set.guards[index] = Some(objects[index].lock_slow(&context));
        }
        match set.lock_others(objects, &context) {
            Ok(()) => return Ok(LockedSet { guards: set.finish() }),
            Err((index, Deadlock::BackOff)) => contended = Some(index),
            Err((index, Deadlock::AlreadyLocked)) => return Err(DuplicateObject { index }),
        }
    }
}

/// An object is in the set twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DuplicateObject {
    /// Where one of the two stands.
    pub index: usize,
}

impl fmt::Display for DuplicateObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object {} of the set is there twice", self.index)
    }
}

impl core::error::Error for DuplicateObject {}

/// A set on its way; unlocks from the end.
struct Partial<'a> {
    guards: Vec<Option<ReservationGuard<'a>>>,
}

impl<'a> Partial<'a> {
    fn new(len: usize) -> Self {
        Partial { guards: (0..len).map(|_| None).collect() }
    }

    /// Locks what is not locked yet. Where it failed, and why.
    #[track_caller]
    fn lock_others(
        &mut self,
        objects: &[&'a ReservationObject],
        context: &AcquireContext,
    ) -> Result<(), (usize, Deadlock)> {
        for (index, (guard, object)) in self.guards.iter_mut().zip(objects).enumerate() {
            if guard.is_none() {
                *guard = Some(object.lock_in(context).map_err(|deadlock| (index, deadlock))?);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<ReservationGuard<'a>> {
        core::mem::take(&mut self.guards).into_iter().flatten().collect()
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        while self.guards.pop().is_some() {}
    }
}

/// The locks of a set of objects, in the order in which they were given. Unlocks from the end.
///
/// ```
/// use dma_fence::{ReservationObject, lock_all};
/// let object = ReservationObject::new();
/// let mut locked = lock_all(&[&object]).unwrap();
/// locked[0].reserve(2).unwrap();
/// assert!(lock_all(&[]).unwrap().is_empty());
/// ```
#[must_use = "the objects are unlocked when this is dropped"]
#[derive(Debug)]
pub struct LockedSet<'a> {
    guards: Vec<ReservationGuard<'a>>,
}

impl<'a> LockedSet<'a> {
    /// Number of objects.
    pub fn len(&self) -> usize {
        self.guards.len()
    }

    /// Was the set empty?
    pub fn is_empty(&self) -> bool {
        self.guards.is_empty()
    }

    /// The guards, to use each.
    #[doc(alias = "drm_exec_for_each_locked_object")]
    pub fn iter_mut(&mut self) -> core::slice::IterMut<'_, ReservationGuard<'a>> {
        self.guards.iter_mut()
    }
}

impl<'a> Index<usize> for LockedSet<'a> {
    type Output = ReservationGuard<'a>;
    fn index(&self, index: usize) -> &ReservationGuard<'a> {
        &self.guards[index]
    }
}

impl<'a> IndexMut<usize> for LockedSet<'a> {
    fn index_mut(&mut self, index: usize) -> &mut ReservationGuard<'a> {
        &mut self.guards[index]
    }
}

impl Drop for LockedSet<'_> {
    fn drop(&mut self) {
        while self.guards.pop().is_some() {}
    }
}
