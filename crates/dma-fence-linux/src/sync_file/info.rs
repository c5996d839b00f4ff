//! What a sync file says about its fences.

use std::os::fd::{AsFd, BorrowedFd};

use dma_fence::{Errno, Signal, Timestamp};

use super::SyncFile;
use crate::error::KernelError;
use crate::{ioctl, uapi};

/// What a sync file says about itself and its fences.
#[doc(alias("SYNC_IOC_FILE_INFO", "sync_file_info"))]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncFileInfo {
    /// Its name: given when it was merged, or made of driver, timeline, context and number of its fence.
    pub name: String,
    /// Every fence that it stands for, at least one: the leaves of any array and chain in it.
    pub fences: Vec<FenceInfo>,
}

/// What a sync file says about one fence.
#[doc(alias = "sync_fence_info")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FenceInfo {
    /// The driver's name.
    pub driver: String,
    /// The timeline's name.
    pub timeline: String,
    /// Where it is in its life.
    pub status: FenceStatus,
}

/// The state of a fence of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FenceStatus {
    /// The operation has not ended.
    Pending,
    /// The operation has ended.
    Signaled(Signal),
}

impl SyncFileInfo {
    /// The sync file as a whole: pending as long as any fence is; else with the error that came first in
    /// time, if any, and the latest time.
    pub fn status(&self) -> FenceStatus {
        sum(self.fences.iter().map(|fence| fence.status))
    }
}

impl SyncFile {
    /// What the sync file says about itself and its fences.
    ///
    /// # Errors
    /// What the kernel answers, `ENOMEM` for one.
    ///
    /// # Context
    /// One system call for up to 16 fences. Does not block, does not enable signaling.
    #[doc(alias = "SYNC_IOC_FILE_INFO")]
    pub fn info(&self) -> Result<SyncFileInfo, KernelError> {
        with_raw_info(self.as_fd(), |info, fences| SyncFileInfo {
            name: text(&info.name),
            fences: fences.iter().map(FenceInfo::from).collect(),
        })
    }

    /// Where the fences are in their life, all together. As [`info`](Self::info), and allocates nothing
    /// for up to 16 fences.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    ///
    /// # Context
    /// As [`info`](Self::info).
    pub fn status(&self) -> Result<FenceStatus, KernelError> {
        with_raw_info(self.as_fd(), |_, fences| total(fences))
    }
}

/// Most sync files have fewer fences than this: one system call, no allocation.
const FEW: usize = 16;

pub(super) fn with_raw_info<R>(
    fd: BorrowedFd<'_>,
    look: impl FnOnce(&uapi::SyncFileInfo, &[uapi::SyncFenceInfo]) -> R,
) -> Result<R, KernelError> {
    let mut few = [uapi::SyncFenceInfo::default(); FEW];
    match ioctl::sync_file_info(fd, &mut few) {
        Ok(info) => Ok(look(&info, told(&info, &few)?)),
        // More fences than that.
        Err(error) if error.errno() == Errno::EINVAL => {
            let len = ioctl::sync_file_info(fd, &mut [])?.num_fences as usize;
            let mut many = Vec::new();
            let no_memory = |_| KernelError::new("SYNC_IOC_FILE_INFO", Errno::ENOMEM);
            many.try_reserve_exact(len).map_err(no_memory)?;
            many.resize(len, uapi::SyncFenceInfo::default());
            let info = ioctl::sync_file_info(fd, &mut many)?;
            Ok(look(&info, told(&info, &many)?))
        }
        Err(error) => Err(error),
    }
}

/// The fences of the answer: at least one, or nothing would be taken for signaled, and no more than there was
/// room for. A file that only plays a sync file, of a file system in user space, says what it likes.
fn told<'a>(
    info: &uapi::SyncFileInfo,
    room: &'a [uapi::SyncFenceInfo],
) -> Result<&'a [uapi::SyncFenceInfo], KernelError> {
    room.get(..info.num_fences as usize)
        .filter(|fences| !fences.is_empty())
        .ok_or(KernelError::new("SYNC_IOC_FILE_INFO", Errno::EIO))
}

/// Is any of the fences one that user space has to signal? Only pending ones are told, and that is enough.
pub(super) fn waits_for_user_space(fd: BorrowedFd<'_>) -> Result<bool, KernelError> {
    let waits = |fence: &uapi::SyncFenceInfo| {
        status(fence) == FenceStatus::Pending && text(&fence.driver_name) == "sw_sync"
    };
    with_raw_info(fd, |_, fences| fences.iter().any(waits))
}

pub(super) fn total(fences: &[uapi::SyncFenceInfo]) -> FenceStatus {
    sum(fences.iter().map(status))
}

fn sum(statuses: impl Iterator<Item = FenceStatus>) -> FenceStatus {
    let mut latest = Timestamp::ZERO;
    let mut failed: Option<(Timestamp, Errno)> = None;
    for status in statuses {
        let FenceStatus::Signaled(signal) = status else { return FenceStatus::Pending };
        latest = latest.max(signal.timestamp);
        if let Err(error) = signal.result
            && failed.is_none_or(|(first, _)| signal.timestamp < first)
        {
            failed = Some((signal.timestamp, error));
        }
    }
    let result = failed.map_or(Ok(()), |(_, error)| Err(error));
    FenceStatus::Signaled(Signal { result, timestamp: latest })
}

impl From<&uapi::SyncFenceInfo> for FenceInfo {
    fn from(info: &uapi::SyncFenceInfo) -> Self {
        FenceInfo {
            driver: text(&info.driver_name),
            timeline: text(&info.obj_name),
            status: status(info),
        }
    }
}

/// 0 is pending, 1 signaled, and an error is negative.
fn status(info: &uapi::SyncFenceInfo) -> FenceStatus {
    if info.status == 0 {
        return FenceStatus::Pending;
    }
    let error = Errno::from_raw(info.status.saturating_neg());
    FenceStatus::Signaled(Signal {
        result: error.map_or(Ok(()), Err),
        timestamp: Timestamp::from_nanos(info.timestamp_ns),
    })
}

/// Up to the first zero; drivers may name things in any encoding.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signaled(nanos: u64, result: Result<(), Errno>) -> FenceStatus {
        FenceStatus::Signaled(Signal { result, timestamp: Timestamp::from_nanos(nanos) })
    }

    #[test]
    fn the_error_that_came_first_in_time_counts() {
        let (ok, io, noent) = (signaled(9, Ok(())), Err(Errno::EIO), Err(Errno::ENOENT));
        let of = |statuses: &[FenceStatus]| sum(statuses.iter().copied());
        assert_eq!(of(&[ok, signaled(5, io), signaled(3, noent)]), signaled(9, noent));
        // Of two at the same time the first listed.
        assert_eq!(of(&[signaled(5, io), signaled(5, noent)]), signaled(5, io));
        assert_eq!(of(&[ok, FenceStatus::Pending, signaled(3, io)]), FenceStatus::Pending);
        assert_eq!(of(&[ok]), ok);
    }

    #[test]
    fn a_status_is_read_as_the_kernel_means_it() {
        let of = |raw| {
            status(&uapi::SyncFenceInfo { status: raw, timestamp_ns: 7, ..Default::default() })
        };
        assert_eq!(of(0), FenceStatus::Pending);
        assert_eq!(of(1), signaled(7, Ok(())));
        assert_eq!(of(-2), signaled(7, Err(Errno::ENOENT)));
    }

    #[test]
    fn an_answer_that_no_sync_file_gives_is_an_error() {
        let of = |num_fences| {
            let info = uapi::SyncFileInfo { num_fences, ..Default::default() };
            told(&info, &[Default::default(); 2]).map(<[_]>::len).ok()
        };
        assert_eq!([0, 1, 2, 3, u32::MAX].map(of), [None, Some(1), Some(2), None, None]);
    }

    #[test]
    fn names_end_at_a_zero_or_at_the_end() {
        assert_eq!(text(b"vgem\0rest"), "vgem");
        assert_eq!(text(&[b'a'; 32]), "a".repeat(32));
        assert_eq!(text(b"\xff\0"), "\u{fffd}");
    }
}
