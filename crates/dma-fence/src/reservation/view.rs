//! What readers can ask.

use super::slot::Wanted;
use super::table::{Table, Writer};
use super::{ReservationIter, ReservationStatus, Usage, glance};
use crate::array::FenceArray;
#[cfg(feature = "std")]
use crate::contract;
use crate::fence::Fence;
use crate::outcome::Status;
#[cfg(feature = "std")]
use crate::outcome::{FenceError, WaitError};
use crate::shared::AllocError;
use crate::time::Timestamp;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::fmt;
#[cfg(feature = "std")]
use core::time::Duration;

/// The readers' side of a [`ReservationObject`](super::ReservationObject), which derefs to it: all questions
/// and no changes.
///
/// # Context
/// No method takes a lock; none is held up by whoever changes the object or has it locked, or holds it
/// up. A method that asks the fences runs their [poll hooks](crate::FenceOps::poll). What hands out no fence
/// takes no handles unless it meets a change or has a hook to ask, and then one at a time; see
/// [`ReservationIter`] for the one case in which it allocates a little for readers' own sake. A reader that a
/// fence is taken away from while it looks at it may be who drops it.
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
        ReservationIter::over(&self.table, Wanted { last: usage, signaled: true })
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
        self.collect(Wanted { last: usage, signaled: true })
    }

    fn collect(&self, wanted: Wanted) -> Result<Vec<(Fence, Usage)>, AllocError> {
        if let Some(found) = glance::collect(&self.table, wanted) {
            return found;
        }
        let mut found = Vec::new();
        let mut iter = ReservationIter::over(&self.table, wanted);
        while let Some(item) = iter.next() {
            if iter.is_restarted() {
                found.clear();
            }
            found.try_reserve(1).map_err(|_| AllocError)?;
            found.push(item);
        }
        if iter.is_restarted() {
            found.clear();
        }
        Ok(found)
    }

    /// The fences at or before `usage` that have not signaled. None only if all had at one moment.
    ///
    /// # Context
    /// Allocates.
    pub fn unsignaled(&self, usage: Usage) -> Vec<Fence> {
        loop {
            let wanted = Wanted { last: usage, signaled: false };
            let mut fences = self.collect(wanted).unwrap_or_else(|_| out_of_memory());
            fences.retain(|(fence, _)| !fence.is_signaled());
            // They were asked after they were collected: others may have come in between.
            if !fences.is_empty() || self.is_signaled(usage) {
                return fences.into_iter().map(|(fence, _)| fence).collect();
            }
        }
    }

    /// Have all fences at or before `usage` signaled? True if there are none. There was a moment during
    /// the call at which the answer was right.
    #[doc(alias = "dma_resv_test_signaled")]
    pub fn is_signaled(&self, usage: Usage) -> bool {
        if let Some(answer) = glance::are_signaled(&self.table, usage, false) {
            return answer;
        }
        // Nothing to forget at a restart: all that came before had signaled.
        let mut iter = self.unmarked(usage);
        while let Some(item) = iter.next() {
            if !item.0.is_signaled() {
                return false;
            }
            iter.mark_signaled(&item);
        }
        true
    }

    /// What the fences at or before `usage` amount to.
    pub fn status(&self, usage: Usage) -> ReservationStatus {
        match glance::are_signaled(&self.table, usage, true) {
            Some(true) => return ReservationStatus::Idle,
            Some(false) => return ReservationStatus::Pending,
            None => {}
        }
        let mut status = ReservationStatus::Idle;
        // Nothing to forget at a restart: what was pending was so at a moment of this call.
        let mut iter = self.unmarked(usage);
        while let Some(item) = iter.next() {
            match item.0.status() {
                Status::Signaled(_) => iter.mark_signaled(&item),
                Status::Pending => status = ReservationStatus::Pending,
                Status::Abandoned => return ReservationStatus::Abandoned(item.0),
            }
        }
        status
    }

    /// Leaves out those that are known to have signaled.
    fn unmarked(&self, usage: Usage) -> ReservationIter<'_> {
        ReservationIter::over(&self.table, Wanted { last: usage, signaled: false })
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
    /// Runs the fences' [hooks](crate::FenceOps::set_deadline); one of them twice if the object changes
    /// meanwhile.
    #[doc(alias = "dma_resv_set_deadline")]
    pub fn set_deadline(&self, usage: Usage, deadline: Timestamp) {
        self.iter(usage).for_each(|(fence, _)| fence.set_deadline(deadline));
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
