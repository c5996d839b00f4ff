//! The system calls: one safe function per request that has more than plain numbers in it, and one for
//! all that have not.
//!
//! UAPI-LAYOUT: the kernel reads and writes an argument up to the size in the request's number, which is
//! that of its structure, and the arrays that the structure gives address and length of.
//!
//! FD-GIVEN: a file descriptor in the answer to a request is new, and nobody else has it.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use dma_fence::Errno;
use rustix::fs::OFlags;
use rustix::io;
use rustix::ioctl::{IntegerSetter, Ioctl, IoctlOutput, Opcode, ioctl};

use crate::error::KernelError;
use crate::uapi::{
    DMA_BUF_SET_NAME, DmaHeapAllocationData, DrmSyncobjQuery, DrmSyncobjReset, DrmSyncobjSignal,
    DrmSyncobjTimelineSignal, DrmSyncobjTimelineWait, DrmSyncobjWait, DrmVersion, Request,
    SyncFenceInfo, SyncFileInfo, UDMABUF_FLAGS_CLOEXEC, UdmabufCreate,
};

/// A structure without addresses in it: nothing but itself is read and written.
pub(crate) trait Plain: Request {}

macro_rules! plain {
    ($($name:ident)*) => { $(impl Plain for crate::uapi::$name {})* };
}

plain! {
    SyncMergeData SyncSetDeadline
    DmaBufSync DmaBufExportSyncFile DmaBufImportSyncFile
    DrmGetCap DrmGemClose DrmPrimeHandleToFd DrmModeCreateDumb
    DrmSyncobjCreate DrmSyncobjDestroy DrmSyncobjHandleToFd DrmSyncobjFdToHandle DrmSyncobjTransfer
    DrmSyncobjEventfd DrmVgemFenceAttach DrmVgemFenceSignal SwSyncCreateFenceData SwSyncInc
    SwSyncGetDeadline
}

/// Makes a request.
pub(crate) fn request<T: Plain>(fd: BorrowedFd<'_>, argument: &mut T) -> Result<(), KernelError> {
    // SAFETY: UAPI-LAYOUT, and there are no addresses in it.
    unsafe { update(fd, argument) }.map(drop)
}

/// A request whose answer is a file descriptor.
pub(crate) trait GivesFd: Plain {
    fn fd(&self) -> i32;
}

macro_rules! gives_fd {
    ($($name:ident.$field:ident)*) => {
        $(impl GivesFd for crate::uapi::$name {
            fn fd(&self) -> i32 {
                self.$field
            }
        })*
    };
}

gives_fd! {
    SyncMergeData.fence DmaBufExportSyncFile.fd DrmPrimeHandleToFd.fd DrmSyncobjHandleToFd.fd
    SwSyncCreateFenceData.fence
}

/// Makes a request that is answered with a file descriptor.
pub(crate) fn request_fd<T: GivesFd>(
    fd: BorrowedFd<'_>,
    mut argument: T,
) -> Result<OwnedFd, KernelError> {
    request(fd, &mut argument)?;
    given(T::NAME, argument.fd())
}

/// A file descriptor in an answer. A file that only plays the part may say what it likes, and no number that
/// is none must become one.
fn given(request: &'static str, fd: i32) -> Result<OwnedFd, KernelError> {
    if fd < 0 {
        return Err(KernelError::new(request, Errno::EBADF));
    }
    // SAFETY: FD-GIVEN.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The name of the driver behind a DRM device, cut at 64 bytes.
#[doc(alias = "DRM_IOCTL_VERSION")]
pub(crate) fn drm_driver_name(fd: BorrowedFd<'_>) -> Result<String, KernelError> {
    let mut name = [0; 64];
    let mut version = DrmVersion {
        name_len: name.len(),
        name: name.as_mut_ptr() as usize,
        ..DrmVersion::default()
    };
    // SAFETY: UAPI-LAYOUT: the array has that address and length; the other two are empty.
    unsafe { update(fd, &mut version) }?;
    // The kernel says how long the name is, also when there was no room for it.
    let name = &name[..version.name_len.min(name.len())];
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// Waits as `wait` says it; the index of one that signaled.
#[doc(alias = "DRM_IOCTL_SYNCOBJ_WAIT")]
pub(crate) fn syncobj_wait(
    fd: BorrowedFd<'_>,
    handles: &[u32],
    wait: DrmSyncobjWait,
) -> Result<u32, KernelError> {
    let (addr, count_handles) = (handles.as_ptr() as u64, handles.len() as u32);
    let mut argument = DrmSyncobjWait { handles: addr, count_handles, ..wait };
    // SAFETY: UAPI-LAYOUT: the array has that address and length, and is only read.
    unsafe { update(fd, &mut argument) }?;
    Ok(argument.first_signaled)
}

/// Waits as `wait` says it for points, 0 being a binary object's; the index of one that signaled.
#[doc(alias = "DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT")]
pub(crate) fn syncobj_timeline_wait(
    fd: BorrowedFd<'_>,
    handles: &[u32],
    points: &[u64],
    wait: DrmSyncobjTimelineWait,
) -> Result<u32, KernelError> {
    assert_eq!(handles.len(), points.len());
    let mut argument = DrmSyncobjTimelineWait {
        handles: handles.as_ptr() as u64,
        points: points.as_ptr() as u64,
        count_handles: handles.len() as u32,
        ..wait
    };
    // SAFETY: UAPI-LAYOUT: both arrays have that address and length, and are only read.
    unsafe { update(fd, &mut argument) }?;
    Ok(argument.first_signaled)
}

/// Takes a binary object's fence away.
#[doc(alias = "DRM_IOCTL_SYNCOBJ_RESET")]
pub(crate) fn syncobj_reset(fd: BorrowedFd<'_>, handle: u32) -> Result<(), KernelError> {
    let handles = &raw const handle as u64;
    let mut argument = DrmSyncobjReset { handles, count_handles: 1, pad: 0 };
    // SAFETY: UAPI-LAYOUT: an array of one, which is only read.
    unsafe { update(fd, &mut argument) }.map(drop)
}

/// Gives a binary object a fence that has signaled.
#[doc(alias = "DRM_IOCTL_SYNCOBJ_SIGNAL")]
pub(crate) fn syncobj_signal(fd: BorrowedFd<'_>, handle: u32) -> Result<(), KernelError> {
    let handles = &raw const handle as u64;
    let mut argument = DrmSyncobjSignal { handles, count_handles: 1, pad: 0 };
    // SAFETY: UAPI-LAYOUT: an array of one, which is only read.
    unsafe { update(fd, &mut argument) }.map(drop)
}

/// Gives a point of a timeline a fence that has signaled.
#[doc(alias = "DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL")]
pub(crate) fn syncobj_timeline_signal(
    fd: BorrowedFd<'_>,
    handle: u32,
    point: u64,
) -> Result<(), KernelError> {
    let (handles, points) = (&raw const handle as u64, &raw const point as u64);
    let mut argument = DrmSyncobjTimelineSignal { handles, points, count_handles: 1, flags: 0 };
    // SAFETY: UAPI-LAYOUT: arrays of one, which are only read.
    unsafe { update(fd, &mut argument) }.map(drop)
}

/// A point of a timeline, 0 if there is none: the last that signaled, or what the flags say.
#[doc(alias = "DRM_IOCTL_SYNCOBJ_QUERY")]
pub(crate) fn syncobj_query(
    fd: BorrowedFd<'_>,
    handle: u32,
    flags: u32,
) -> Result<u64, KernelError> {
    let mut point = 0;
    let (handles, points) = (&raw const handle as u64, &raw mut point as u64);
    let mut argument = DrmSyncobjQuery { handles, points, count_handles: 1, flags };
    // SAFETY: UAPI-LAYOUT: arrays of one, of which the second is written.
    unsafe { update(fd, &mut argument) }?;
    Ok(point)
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

/// The name under which a DMA buffer is listed.
#[doc(alias = "DMA_BUF_SET_NAME")]
pub(crate) fn dma_buf_set_name(fd: BorrowedFd<'_>, name: &CStr) -> Result<(), KernelError> {
    let address = name.as_ptr().cast_mut().cast();
    // SAFETY: UAPI-LAYOUT: here the argument is the address itself, of a string that ends with a zero.
    unsafe { ioctl(fd, IntegerSetter::<DMA_BUF_SET_NAME>::new_pointer(address)) }
        .map_err(KernelError::of("DMA_BUF_SET_NAME"))
}

/// A DMA buffer of the first `size` bytes of a memory file.
#[doc(alias = "UDMABUF_CREATE")]
pub(crate) fn udmabuf_create(
    device: BorrowedFd<'_>,
    memory: BorrowedFd<'_>,
    size: u64,
) -> Result<OwnedFd, KernelError> {
    let memfd = memory.as_raw_fd() as u32;
    let mut argument = UdmabufCreate { memfd, flags: UDMABUF_FLAGS_CLOEXEC, offset: 0, size };
    // SAFETY: UAPI-LAYOUT, without addresses.
    let fd = unsafe { update(device, &mut argument) }?;
    // This request gives it as its result.
    given(UdmabufCreate::NAME, fd)
}

/// A DMA buffer of a heap.
#[doc(alias = "DMA_HEAP_IOCTL_ALLOC")]
pub(crate) fn dma_heap_allocate(heap: BorrowedFd<'_>, len: u64) -> Result<OwnedFd, KernelError> {
    let fd_flags = (OFlags::RDWR | OFlags::CLOEXEC).bits();
    let mut argument = DmaHeapAllocationData { len, fd_flags, ..Default::default() };
    // SAFETY: UAPI-LAYOUT, without addresses.
    unsafe { update(heap, &mut argument) }?;
    given(DmaHeapAllocationData::NAME, argument.fd as i32)
}

/// Interrupted requests are made again, as libdrm does: none of them begins anew what it has done, and
/// time limits in them are points in time.
///
/// # Safety
/// What addresses in the argument say is there may be read and written.
unsafe fn update<T: Request>(fd: BorrowedFd<'_>, argument: &mut T) -> Result<i32, KernelError> {
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
    type Output = i32;
    // Also where the kernel only reads, for nobody else looks meanwhile.
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        T::OPCODE
    }

    fn as_ptr(&mut self) -> *mut core::ffi::c_void {
        (self.0 as *mut T).cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut core::ffi::c_void) -> io::Result<i32> {
        Ok(output)
    }
}
