//! The structures and numbers of the kernel's requests, as its headers have them.
//!
//! `tests/uapi.rs` compares each of them with the headers of the machine that it runs on. Names are
//! those of the headers, in Rust's spelling; what a field means is said where it is used.
#![allow(missing_docs)]

use rustix::ioctl::{Opcode, opcode};

/// A structure that one request of the kernel reads and writes.
///
/// # Safety
/// `OPCODE` is a request whose argument is a pointer to exactly this structure.
#[allow(unsafe_code)]
pub(crate) unsafe trait Request {
    /// The request's name in the headers.
    const NAME: &'static str;
    const OPCODE: Opcode;
}

/// Declares structures of the kernel's interface.
macro_rules! structures {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default)]
            pub struct $name { $(pub $field: $type,)* }
        )*
    };
}

/// Says which request takes which structure: name in the headers, structure, opcode.
macro_rules! requests {
    ($($request:literal: $name:ident = $opcode:expr;)*) => {
        $(
            // SAFETY: As the headers say it, which the test compares.
            #[allow(unsafe_code)]
            unsafe impl Request for $name {
                const NAME: &'static str = $request;
                const OPCODE: Opcode = $opcode;
            }
        )*

        /// Name, opcode and size in bytes of every request.
        pub const REQUESTS: &[(&str, Opcode, usize)] =
            &[$(($request, $name::OPCODE, size_of::<$name>()),)*];
    };
}

structures! {
    /// `linux/sync_file.h`
    SyncMergeData { name: [u8; 32], fd2: i32, fence: i32, flags: u32, pad: u32, }
    SyncFenceInfo {
        obj_name: [u8; 32], driver_name: [u8; 32], status: i32, flags: u32, timestamp_ns: u64,
    }
    SyncFileInfo {
        name: [u8; 32], status: i32, flags: u32, num_fences: u32, pad: u32, sync_fence_info: u64,
    }
    SyncSetDeadline { deadline_ns: u64, pad: u64, }

    /// `linux/dma-buf.h`
    DmaBufSync { flags: u64, }
    DmaBufExportSyncFile { flags: u32, fd: i32, }
    DmaBufImportSyncFile { flags: u32, fd: i32, }

    /// `linux/udmabuf.h`
    UdmabufCreate { memfd: u32, flags: u32, offset: u64, size: u64, }

    /// `linux/dma-heap.h`
    DmaHeapAllocationData { len: u64, fd: u32, fd_flags: u32, heap_flags: u64, }

    /// `drm/drm.h`
    DrmGetCap { capability: u64, value: u64, }
    DrmVersion {
        version_major: i32, version_minor: i32, version_patchlevel: i32,
        name_len: usize, name: usize, date_len: usize, date: usize, desc_len: usize, desc: usize,
    }
    DrmGemClose { handle: u32, pad: u32, }
    DrmPrimeHandleToFd { handle: u32, flags: u32, fd: i32, }
    DrmSyncobjCreate { handle: u32, flags: u32, }
    DrmSyncobjDestroy { handle: u32, pad: u32, }
    /// Without `point`, which Linux 6.16 added: what is not given is zero.
    DrmSyncobjHandleToFd { handle: u32, flags: u32, fd: i32, pad: u32, }
    /// As above.
    DrmSyncobjFdToHandle { handle: u32, flags: u32, fd: i32, pad: u32, }
    DrmSyncobjTransfer {
        src_handle: u32, dst_handle: u32, src_point: u64, dst_point: u64, flags: u32, pad: u32,
    }
    DrmSyncobjWait {
        handles: u64, timeout_nsec: i64, count_handles: u32, flags: u32, first_signaled: u32,
        pad: u32, deadline_nsec: u64,
    }
    DrmSyncobjTimelineWait {
        handles: u64, points: u64, timeout_nsec: i64, count_handles: u32, flags: u32,
        first_signaled: u32, pad: u32, deadline_nsec: u64,
    }
    DrmSyncobjEventfd { handle: u32, flags: u32, point: u64, fd: i32, pad: u32, }
    DrmSyncobjReset { handles: u64, count_handles: u32, pad: u32, }
    DrmSyncobjSignal { handles: u64, count_handles: u32, pad: u32, }
    DrmSyncobjQuery { handles: u64, points: u64, count_handles: u32, flags: u32, }
    DrmSyncobjTimelineSignal { handles: u64, points: u64, count_handles: u32, flags: u32, }

    /// `drm/drm_mode.h`
    DrmModeCreateDumb {
        height: u32, width: u32, bpp: u32, flags: u32, handle: u32, pitch: u32, size: u64,
    }

    /// `drm/vgem_drm.h`
    DrmVgemFenceAttach { handle: u32, flags: u32, out_fence: u32, pad: u32, }
    DrmVgemFenceSignal { fence: u32, flags: u32, }

    /// No header has these: `drivers/dma-buf/sw_sync.c` is for tests.
    SwSyncCreateFenceData { value: u32, name: [u8; 32], fence: i32, }
    SwSyncInc { value: u32, }
}

const SYNC: u8 = b'>';
const DMA_BUF: u8 = b'b';
const DRM: u8 = b'd';
const SW_SYNC: u8 = b'W';
/// Where a driver's own requests begin.
const DRM_COMMAND_BASE: u8 = 0x40;

requests! {
    "SYNC_IOC_MERGE": SyncMergeData = opcode::read_write::<SyncMergeData>(SYNC, 3);
    "SYNC_IOC_FILE_INFO": SyncFileInfo = opcode::read_write::<SyncFileInfo>(SYNC, 4);
    "SYNC_IOC_SET_DEADLINE": SyncSetDeadline = opcode::write::<SyncSetDeadline>(SYNC, 5);
    "DMA_BUF_IOCTL_SYNC": DmaBufSync = opcode::write::<DmaBufSync>(DMA_BUF, 0);
    "DMA_BUF_IOCTL_EXPORT_SYNC_FILE": DmaBufExportSyncFile = opcode::read_write::<DmaBufExportSyncFile>(DMA_BUF, 2);
    "DMA_BUF_IOCTL_IMPORT_SYNC_FILE": DmaBufImportSyncFile = opcode::write::<DmaBufImportSyncFile>(DMA_BUF, 3);
    "UDMABUF_CREATE": UdmabufCreate = opcode::write::<UdmabufCreate>(b'u', 0x42);
    "DMA_HEAP_IOCTL_ALLOC": DmaHeapAllocationData = opcode::read_write::<DmaHeapAllocationData>(b'H', 0);
    "DRM_IOCTL_VERSION": DrmVersion = opcode::read_write::<DrmVersion>(DRM, 0x00);
    "DRM_IOCTL_GEM_CLOSE": DrmGemClose = opcode::write::<DrmGemClose>(DRM, 0x09);
    "DRM_IOCTL_GET_CAP": DrmGetCap = opcode::read_write::<DrmGetCap>(DRM, 0x0c);
    "DRM_IOCTL_PRIME_HANDLE_TO_FD": DrmPrimeHandleToFd = opcode::read_write::<DrmPrimeHandleToFd>(DRM, 0x2d);
    "DRM_IOCTL_MODE_CREATE_DUMB": DrmModeCreateDumb = opcode::read_write::<DrmModeCreateDumb>(DRM, 0xb2);
    "DRM_IOCTL_SYNCOBJ_CREATE": DrmSyncobjCreate = opcode::read_write::<DrmSyncobjCreate>(DRM, 0xbf);
    "DRM_IOCTL_SYNCOBJ_DESTROY": DrmSyncobjDestroy = opcode::read_write::<DrmSyncobjDestroy>(DRM, 0xc0);
    "DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD": DrmSyncobjHandleToFd = opcode::read_write::<DrmSyncobjHandleToFd>(DRM, 0xc1);
    "DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE": DrmSyncobjFdToHandle = opcode::read_write::<DrmSyncobjFdToHandle>(DRM, 0xc2);
    "DRM_IOCTL_SYNCOBJ_WAIT": DrmSyncobjWait = opcode::read_write::<DrmSyncobjWait>(DRM, 0xc3);
    "DRM_IOCTL_SYNCOBJ_RESET": DrmSyncobjReset = opcode::read_write::<DrmSyncobjReset>(DRM, 0xc4);
    "DRM_IOCTL_SYNCOBJ_SIGNAL": DrmSyncobjSignal = opcode::read_write::<DrmSyncobjSignal>(DRM, 0xc5);
    "DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT": DrmSyncobjTimelineWait = opcode::read_write::<DrmSyncobjTimelineWait>(DRM, 0xca);
    "DRM_IOCTL_SYNCOBJ_QUERY": DrmSyncobjQuery = opcode::read_write::<DrmSyncobjQuery>(DRM, 0xcb);
    "DRM_IOCTL_SYNCOBJ_TRANSFER": DrmSyncobjTransfer = opcode::read_write::<DrmSyncobjTransfer>(DRM, 0xcc);
    "DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL": DrmSyncobjTimelineSignal = opcode::read_write::<DrmSyncobjTimelineSignal>(DRM, 0xcd);
    "DRM_IOCTL_SYNCOBJ_EVENTFD": DrmSyncobjEventfd = opcode::read_write::<DrmSyncobjEventfd>(DRM, 0xcf);
    "DRM_IOCTL_VGEM_FENCE_ATTACH": DrmVgemFenceAttach = opcode::read_write::<DrmVgemFenceAttach>(DRM, DRM_COMMAND_BASE + 1);
    "DRM_IOCTL_VGEM_FENCE_SIGNAL": DrmVgemFenceSignal = opcode::write::<DrmVgemFenceSignal>(DRM, DRM_COMMAND_BASE + 2);
    "SW_SYNC_IOC_CREATE_FENCE": SwSyncCreateFenceData = opcode::read_write::<SwSyncCreateFenceData>(SW_SYNC, 0);
    "SW_SYNC_IOC_INC": SwSyncInc = opcode::write::<SwSyncInc>(SW_SYNC, 1);
}

// === flags and capabilities ===

pub const DMA_BUF_SYNC_READ: u64 = 1;
pub const DMA_BUF_SYNC_WRITE: u64 = 2;
pub const DMA_BUF_SYNC_START: u64 = 0;
pub const DMA_BUF_SYNC_END: u64 = 4;
/// Its argument is the address of the name itself.
pub const DMA_BUF_SET_NAME: Opcode = opcode::write::<*const u8>(DMA_BUF, 1);
pub const UDMABUF_FLAGS_CLOEXEC: u32 = 1;
pub const DRM_CAP_SYNCOBJ: u64 = 0x13;
pub const DRM_CAP_SYNCOBJ_TIMELINE: u64 = 0x14;
pub const DRM_SYNCOBJ_CREATE_SIGNALED: u32 = 1;
pub const DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE: u32 = 1;
pub const DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE: u32 = 1;
pub const DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL: u32 = 1;
pub const DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT: u32 = 1 << 1;
pub const DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE: u32 = 1 << 2;
pub const DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE: u32 = 1 << 3;
pub const DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED: u32 = 1;
pub const VGEM_FENCE_WRITE: u32 = 1;
