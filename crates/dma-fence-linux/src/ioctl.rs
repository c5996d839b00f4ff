//! The system calls: one safe function per request that has more than plain numbers in it, and one for
//! all that have not.
//!
//! UAPI-LAYOUT: the kernel reads and writes an argument up to the size in the request's number, which is
//! that of its structure, and the arrays that the structure gives address and length of.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use rustix::io;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

use crate::error::KernelError;
use crate::uapi::{Request, SyncFenceInfo, SyncFileInfo};

/// A structure without addresses in it: nothing but itself is read and written.
pub(crate) trait Plain: Request {}

macro_rules! plain {
    ($($name:ident)*) => { $(impl Plain for crate::uapi::$name {})* };
}

plain! {
    SyncMergeData SyncSetDeadline
    DmaBufSync DmaBufExportSyncFile DmaBufImportSyncFile UdmabufCreate DmaHeapAllocationData
    DrmGetCap DrmGemClose DrmPrimeHandleToFd DrmModeCreateDumb
    DrmSyncobjCreate DrmSyncobjDestroy DrmSyncobjHandleToFd DrmSyncobjFdToHandle DrmSyncobjTransfer
    DrmSyncobjEventfd DrmVgemFenceAttach DrmVgemFenceSignal SwSyncCreateFenceData SwSyncInc
}

/// Makes a request.
pub(crate) fn request<T: Plain>(fd: BorrowedFd<'_>, argument: &mut T) -> Result<(), KernelError> {
    // SAFETY: UAPI-LAYOUT, and there are no addresses in it.
    unsafe { update(fd, argument) }
}

/// What is in a sync file: its own data, and those of as many fences as there is room for.
///
/// # Errors
/// `EINVAL` if there are more fences than that, unless there is room for none.
#[doc(alias = "SYNC_IOC_FILE_INFO")]
pub(crate) fn sync_file_info(
    fd: BorrowedFd<'_>,
    fences: &mut [SyncFenceInfo],
) -> Result<SyncFileInfo, KernelError> {
    let mut info = SyncFileInfo {
        num_fences: fences.len() as u32,
        sync_fence_info: fences.as_mut_ptr() as u64,
        ..SyncFileInfo::default()
    };
    // SAFETY: UAPI-LAYOUT: the array has that address and length.
    unsafe { update(fd, &mut info) }?;
    Ok(info)
}

/// Interrupted requests are made again, as libdrm does: none of them begins anew what it has done, and
/// time limits in them are points in time.
///
/// # Safety
/// What addresses in the argument say is there may be read and written.
unsafe fn update<T: Request>(fd: BorrowedFd<'_>, argument: &mut T) -> Result<(), KernelError> {
    loop {
        // SAFETY: UAPI-LAYOUT, and the caller's word for what is behind addresses.
        match unsafe { ioctl(fd, Argument(argument)) } {
            Err(io::Errno::INTR | io::Errno::AGAIN) => {}
            result => return result.map_err(KernelError::of(T::NAME)),
        }
    }
}

struct Argument<'a, T>(&'a mut T);

// SAFETY: `Request` says that the request of this number takes a pointer to this structure.
unsafe impl<T: Request> Ioctl for Argument<'_, T> {
    type Output = ();
    // Also where the kernel only reads, for nobody else looks meanwhile.
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        T::OPCODE
    }

    fn as_ptr(&mut self) -> *mut core::ffi::c_void {
        (self.0 as *mut T).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut core::ffi::c_void) -> io::Result<()> {
        Ok(())
    }
}
