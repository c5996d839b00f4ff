//! What readers can ask.

use super::fold::fold;
use super::slot::Wanted;
use super::table::{Table, Writer};
use super::{ReservationIter, ReservationStatus, Usage};
use crate::array::FenceArray;
#[cfg(feature = "std")]
use crate::contract;
use crate::fence::Fence;
#[cfg(feature = "std")]
use crate::outcome::{FenceError, WaitError};
use crate::shared::AllocError;
use crate::sync::Life;
use crate::time::Timestamp;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::convert::Infallible;
use core::fmt;
use core::ops::ControlFlow;
#[cfg(feature = "std")]
use core::time::Duration;

/// The readers' side of a [`ReservationObject`](super::ReservationObject), which derefs to it: all questions
/// and no changes.
///
/// # Context
/// No method takes a lock; none is held up by whoever changes the object or has it locked, or holds it
/// up. A method that asks the fences runs their [poll hooks](crate::FenceOps::poll). What hands out no fence
/// takes no handles while there is memory; see [`fold`](ReservationView::fold) for the one case in which it allocates a
/// little for readers' own sake. A reader that a fence is taken away from while it looks at it may be who drops it.
///
/// ```
/// use dma_fence::{FenceContext, ReservationObject, ReservationView, Usage};
/// fn is_idle(buffer: &ReservationView) -> bool {
///     buffer.is_signaled(Usage::Bookkeep)
/// }
/// assert!(is_idle(&ReservationObject::new()));
/// ```
pub struct ReservationView {
    table: Table,
}

impl ReservationView {
    pub(super) fn new() -> Self {
        ReservationView { table: Table::new() }
    }

    /// The right to change it.
    ///
    /// # Safety
    /// The caller has the update lock. It changes nothing after it has unlocked it, which is a
    /// read-modify-write, and drops the result then.
    #[inline]
    #[allow(unsafe_code, reason = "passes the contract on")]
    pub(super) unsafe fn writer(&self) -> Writer<'_> {
        // SAFETY: RESV-WRITER: by contract.
        unsafe { self.table.writer() }
    }

    /// Goes through the fences at or before `usage`, signaled ones included. Enables nothing.
    #[doc(alias("dma_resv_iter_begin", "dma_resv_for_each_fence_unlocked"))]
    pub fn iter(&self, usage: Usage) -> ReservationIter<'_> {
        ReservationIter::over(&self.table, usage)
    }

    /// Folds the fences at or before `usage`, each with its own, signaled ones included, where they are: takes no
    /// handle of any. If the object changes meanwhile, all is forgotten and it begins again with `init()`, so that
    /// what it returns is of one moment. Enables nothing.
    ///
    /// # Context
    /// As [`iter`](Self::iter), and `f` may do what it likes: keep a clone of the fence, signal it or others, wait,
    /// panic, fold or lock or change this very object. (A change makes it begin again; if each call makes one, for
    /// ever.) A fence that is taken away while it is looked at, alone or with a few others, stays until the end of
    /// the fold at the latest, and may be dropped by it. Allocates only if somebody else is reading like this at the
    /// same time, or `f` is, and does without if there is no memory.
    ///
    /// ```
    /// use dma_fence::{FenceContext, ReservationObject, Usage};
    /// let buffer = ReservationObject::new();
    /// let jobs = [(); 3].map(|()| FenceContext::hardware("gpu", "ring").new_fence());
    /// let mut guard = buffer.lock();
    /// guard.reserve(jobs.len())?;
    /// jobs.iter().try_for_each(|job| guard.add(&job.fence(), Usage::Read))?;
    /// drop(guard);
    ///
    /// let pending = |count, fence: &dma_fence::Fence, _| count + u32::from(!fence.is_signaled());
    /// assert_eq!(buffer.fold(Usage::Read, || 0, pending), 3);
    /// # jobs.into_iter().for_each(|job| job.signal(Ok(())));
    /// assert_eq!(buffer.fold(Usage::Read, || 0, pending), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("dma_resv_iter_begin", "dma_resv_for_each_fence_unlocked"))]
    pub fn fold<B>(
        &self,
        usage: Usage,
        init: impl FnMut() -> B,
        mut f: impl FnMut(B, &Fence, Usage) -> B,
    ) -> B {
        let go_on = |so_far, fence: &Fence, usage| -> ControlFlow<Infallible, B> {
            ControlFlow::Continue(f(so_far, fence, usage))
        };
        let ControlFlow::Continue(result) = fold(&self.table, Wanted::all(usage), init, go_on);
        result
    }

    /// The fences at or before `usage` as they were at one moment, signaled ones included. Enables
    /// nothing.
    ///
    /// # Context
    /// Allocates.
    #[doc(alias("dma_resv_get_fences", "dma_resv_for_each_fence"))]
    pub fn fences(&self, usage: Usage) -> Vec<Fence> {
        self.fences_with_usage(usage).into_iter().map(|(fence, _)| fence).collect()
    }

    /// As [`fences`](Self::fences), each with its usage.
    ///
    /// # Context
    /// Allocates.
    #[doc(alias = "dma_resv_get_fences")]
    pub fn fences_with_usage(&self, usage: Usage) -> Vec<(Fence, Usage)> {
        self.try_fences_with_usage(usage).unwrap_or_else(|_| out_of_memory())
    }

    pub(super) fn try_fences_with_usage(
        &self,
        usage: Usage,
    ) -> Result<Vec<(Fence, Usage)>, AllocError> {
        self.collect(Wanted::all(usage))
    }

    fn collect(&self, wanted: Wanted) -> Result<Vec<(Fence, Usage)>, AllocError> {
        let add = |mut found: Vec<_>, fence: &Fence, usage| {
            if found.try_reserve(1).is_err() {
                return ControlFlow::Break(AllocError);
            }
            found.push((fence.clone(), usage));
            ControlFlow::Continue(found)
        };
        match fold(&self.table, wanted, Vec::new, add) {
            ControlFlow::Continue(found) => Ok(found),
            ControlFlow::Break(error) => Err(error),
        }
    }

    /// The fences at or before `usage` that have not signaled. None only if all had at one moment.
    ///
    /// # Context
    /// Allocates.
    pub fn unsignaled(&self, usage: Usage) -> Vec<Fence> {
        let found = self.collect(Wanted::unsignaled(usage)).unwrap_or_else(|_| out_of_memory());
        found.into_iter().map(|(fence, _)| fence).collect()
    }

    /// Have all fences at or before `usage` signaled? True if there are none. There was a moment during
    /// the call at which the answer was right.
    #[doc(alias = "dma_resv_test_signaled")]
    pub fn is_signaled(&self, usage: Usage) -> bool {
        let stop = |(), _: &Fence, _| ControlFlow::Break(());
        fold(&self.table, Wanted::unsignaled(usage), || (), stop).is_continue()
    }

    /// What the fences at or before `usage` amount to.
    pub fn status(&self, usage: Usage) -> ReservationStatus {
        let look = |_, fence: &Fence, _| match fence.life() {
            Life::Abandoned => ControlFlow::Break(fence.clone()),
            Life::Pending | Life::Signaled => ControlFlow::Continue(true),
        };
        loop {
            match fold(&self.table, Wanted::unsignaled(usage), || false, look) {
                ControlFlow::Continue(false) => return ReservationStatus::Idle,
                ControlFlow::Continue(true) => return ReservationStatus::Pending,
                ControlFlow::Break(fence) if self.has_lost(&fence, usage) => {
                    return ReservationStatus::Abandoned(fence);
                }
                ControlFlow::Break(_) => {}
            }
        }
    }

    /// Do we have that fence, and is it abandoned still? What was found to be abandoned may have been taken away before.
    #[cold]
    fn has_lost(&self, lost: &Fence, usage: Usage) -> bool {
        let find = |(), fence: &Fence, _| {
            if fence.same_fence(lost) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        fold(&self.table, Wanted::all(usage), || (), find).is_break()
            && lost.life() == Life::Abandoned
    }

    /// One fence for all that have not signaled at or before `usage`: none, the only one, or an array.
    ///
    /// # Context
    /// Allocates.
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

    /// Somebody would like all fences at or before `usage` to signal by `deadline`.
    ///
    /// # Context
    /// Runs the fences' [hooks](crate::FenceOps::set_deadline), again if the object changes meanwhile.
    #[doc(alias = "dma_resv_set_deadline")]
    pub fn set_deadline(&self, usage: Usage, deadline: Timestamp) {
        self.fold(usage, || (), |(), fence, _| fence.set_deadline(deadline));
    }

    /// One line for each fence: its usage, and the fence.
    ///
    /// # Context
    /// Allocates, as it is displayed.
    #[doc(alias = "dma_resv_describe")]
    pub fn describe(&self) -> impl fmt::Display {
        Description(self)
    }
}

fn out_of_memory() -> ! {
    alloc::alloc::handle_alloc_error(Layout::new::<(Fence, Usage)>())
}

struct Description<'a>(&'a ReservationView);

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fences = self.0.fences_with_usage(Usage::Bookkeep).into_iter();
        fences.try_for_each(|(fence, usage)| writeln!(f, "{usage}: {fence}"))
    }
}

#[cfg(feature = "std")]
impl ReservationView {
    /// Blocks until all fences at or before `usage` have signaled. One that failed has ended too:
    /// memory is what this is about, and the error is the fence's.
    ///
    /// # Errors
    /// A fence is abandoned.
    ///
    /// # Context
    /// Sleeps, allocates, and enables signaling.
    #[doc(alias = "dma_resv_wait_timeout")]
    #[track_caller]
    pub fn wait(&self, usage: Usage) -> Result<(), FenceError> {
        // No closure, for the place of the wait is the caller's; likewise below.
        let Some(fence) = self.singleton(usage) else {
            contract::may_wait();
            return Ok(());
        };
        match fence.wait() {
            Err(FenceError::Abandoned) => Err(FenceError::Abandoned),
            _ => Ok(()),
        }
    }

    /// As [`wait`](Self::wait), for at most `timeout`; zero only looks, and says `Ok` if all have signaled.
    ///
    /// # Errors
    /// A fence is abandoned, or the time was over first.
    ///
    /// # Context
    /// As [`wait`](Self::wait); with a timeout of zero as [`status`](Self::status).
    #[doc(alias = "dma_resv_wait_timeout")]
    #[track_caller]
    pub fn wait_timeout(&self, usage: Usage, timeout: Duration) -> Result<(), WaitError> {
        if timeout.is_zero() {
            return match self.status(usage) {
                ReservationStatus::Idle => Ok(()),
                ReservationStatus::Pending => Err(WaitError::TimedOut),
                ReservationStatus::Abandoned(_) => Err(WaitError::Abandoned),
            };
        }
        let Some(fence) = self.singleton(usage) else {
            contract::may_wait();
            return Ok(());
        };
        match fence.wait_timeout(timeout) {
            Ok(()) | Err(WaitError::Failed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for ReservationView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fences(Usage::Bookkeep)).finish()
    }
}
