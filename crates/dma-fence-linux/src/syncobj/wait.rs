//! Waiting for points, one or several.

use std::time::Duration;

use dma_fence::{Errno, Timestamp, contract};

use super::error::{PointWaitError, SyncobjError};
use super::point::SyncPoint;
use crate::error::KernelError;
use crate::ioctl;
use crate::uapi::{
    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL as ALL, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE as AVAILABLE,
    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE as DEADLINE,
    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT as FOR_SUBMIT, DrmSyncobjTimelineWait, DrmSyncobjWait,
};

/// When a wait gives up: after a [`Duration`], or at a [`Timestamp`].
///
/// `Duration::ZERO` only looks, `Duration::MAX` does not give up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeLimit(Timestamp);

impl From<Duration> for TimeLimit {
    fn from(timeout: Duration) -> Self {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        TimeLimit(Timestamp::from_nanos(Timestamp::now().as_nanos().saturating_add(nanos)))
    }
}

impl From<Timestamp> for TimeLimit {
    fn from(at: Timestamp) -> Self {
        TimeLimit(at)
    }
}

impl TimeLimit {
    /// As the kernel takes it: signed, and the end of its clock is 292 years away.
    fn nanos(self) -> i64 {
        i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// A wait for points: what for, and until when. A limit that is given as a duration begins when this is made.
///
/// The points may be of binary objects and of timelines, of any objects of one open file.
///
/// ```no_run
/// use dma_fence_linux::{BinarySyncobj, DrmDevice, PointWait, PointWaitError};
/// use std::time::Duration;
/// let device = DrmDevice::first_with_syncobjs()?;
/// let (one, other) = (BinarySyncobj::new(&device)?, BinarySyncobj::new_signaled(&device)?);
/// let points = [one.point(), other.point()];
/// let limit = Duration::from_millis(10);
/// // Nobody has submitted anything to the first: that is not waited for unless it is said.
/// assert_eq!(PointWait::for_signal(limit).all(&points), Err(PointWaitError::NotSubmitted));
/// assert_eq!(PointWait::for_submit_and_signal(limit).all(&points), Err(PointWaitError::TimedOut));
/// assert_eq!(PointWait::for_submit_and_signal(limit).any(&points), Ok(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PointWait {
    flags: u32,
    limit: TimeLimit,
    deadline: Timestamp,
}

impl PointWait {
    /// For fences that were submitted to signal. It is an error if one was not submitted.
    pub fn for_signal(limit: impl Into<TimeLimit>) -> PointWait {
        PointWait { flags: 0, limit: limit.into(), deadline: Timestamp::ZERO }
    }

    /// For fences to be submitted, and then to signal. Nobody vouches for the first: set a limit.
    #[doc(alias = "DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT")]
    pub fn for_submit_and_signal(limit: impl Into<TimeLimit>) -> PointWait {
        PointWait { flags: FOR_SUBMIT, ..Self::for_signal(limit) }
    }

    /// For fences to be submitted, whatever becomes of them.
    #[doc(alias = "DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE")]
    pub fn for_submit(limit: impl Into<TimeLimit>) -> PointWait {
        PointWait { flags: FOR_SUBMIT | AVAILABLE, ..Self::for_signal(limit) }
    }

    /// Also tells those who signal that it would be good to be done by then. Kernels before 6.6 are not told.
    #[doc(alias = "DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE")]
    #[must_use]
    pub fn with_deadline(self, deadline: Timestamp) -> PointWait {
        PointWait { flags: self.flags | DEADLINE, deadline, ..self }
    }

    /// Waits for all of them; of none, not at all.
    ///
    /// # Errors
    /// Time was over; one was not submitted; what the kernel answers.
    ///
    /// # Context
    /// Blocks, goes on when a signal interrupts it, and enables signaling. With a limit in the past it does
    /// neither but looks.
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_WAIT")]
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT")]
    #[track_caller]
    pub fn all(&self, points: &[SyncPoint]) -> Result<(), PointWaitError> {
        if points.is_empty() {
            return Ok(());
        }
        self.with_flags(ALL).make(points).map(drop)
    }

    /// Waits for one of them; its index.
    ///
    /// # Errors
    /// As [`all`](Self::all), and if there are none. A point that was not submitted is an error even if another
    /// has signaled.
    ///
    /// # Context
    /// As [`all`](Self::all).
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_WAIT")]
    #[doc(alias = "DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT")]
    #[track_caller]
    pub fn any(&self, points: &[SyncPoint]) -> Result<usize, PointWaitError> {
        self.make(points).map(|index| index as usize)
    }

    fn with_flags(self, flags: u32) -> PointWait {
        PointWait { flags: self.flags | flags, ..self }
    }

    #[track_caller]
    fn make(&self, points: &[SyncPoint]) -> Result<u32, PointWaitError> {
        let device = points.first().ok_or(PointWaitError::NoPoints)?.device();
        if !points.iter().all(|point| point.device().is_same(device)) {
            return Err(SyncobjError::BadHandle.into());
        }
        if Timestamp::now() < self.limit.0 {
            contract::may_wait();
        }
        Ok(with_known_flags(self.flags, |flags| self.request(points, flags))?)
    }

    /// Binary objects are waited for by the older request, which devices without timelines have.
    fn request(&self, points: &[SyncPoint], flags: u32) -> Result<u32, KernelError> {
        let handles: Vec<u32> = points.iter().map(|point| point.object().handle()).collect();
        let seqnos: Vec<u64> = points.iter().map(SyncPoint::raw_seqno).collect();
        let fd = points[0].object().fd();
        let (timeout_nsec, deadline_nsec) = (self.limit.nanos(), self.deadline.as_nanos());
        if flags & AVAILABLE == 0 && seqnos.iter().all(|&seqno| seqno == 0) {
            let wait =
                DrmSyncobjWait { timeout_nsec, flags, deadline_nsec, ..DrmSyncobjWait::default() };
            return ioctl::syncobj_wait(fd, &handles, wait);
        }
        let wait = DrmSyncobjTimelineWait {
            timeout_nsec,
            flags,
            deadline_nsec,
            ..DrmSyncobjTimelineWait::default()
        };
        ioctl::syncobj_timeline_wait(fd, &handles, &seqnos, wait)
    }
}

/// Kernels before 6.6 know no deadlines. They refuse with what they also say of a point that was not
/// submitted, so they are asked once more.
fn with_known_flags(
    flags: u32,
    request: impl Fn(u32) -> Result<u32, KernelError>,
) -> Result<u32, KernelError> {
    match request(flags) {
        Err(error) if error.errno() == Errno::EINVAL && flags & DEADLINE != 0 => {
            request(flags & !DEADLINE)
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_deadlines_waits_without() {
        let refuse = |errno| Err(KernelError::new("DRM_IOCTL_SYNCOBJ_WAIT", errno));
        let old = |flags| if flags & DEADLINE == 0 { Ok(flags) } else { refuse(Errno::EINVAL) };
        assert_eq!(with_known_flags(ALL | DEADLINE, old), Ok(ALL));
        // Any other error is one.
        let lost = |_| refuse(Errno::ENODEV);
        assert_eq!(with_known_flags(DEADLINE, lost), lost(0));
        let empty = |flags| if flags == ALL { refuse(Errno::EINVAL) } else { Ok(flags) };
        assert_eq!(with_known_flags(ALL, empty), empty(ALL));
    }

    #[test]
    fn limits_end_with_the_clock() {
        assert_eq!(TimeLimit::from(Duration::MAX).nanos(), i64::MAX);
        assert_eq!(TimeLimit::from(Timestamp::from_nanos(u64::MAX)).nanos(), i64::MAX);
        assert_eq!(TimeLimit::from(Timestamp::from_nanos(5)).nanos(), 5);
        let now = Timestamp::now().as_nanos() as i64;
        let limit = TimeLimit::from(Duration::from_secs(100)).nanos();
        assert!(limit >= now + 100_000_000_000, "{limit} is before {now}");
    }
}
