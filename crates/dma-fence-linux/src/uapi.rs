//! The structures and numbers of the kernel's requests, as its headers have them.
//!
//! `tests/uapi.rs` compares each of them with the headers of the machine that it runs on. Names are
//! those of the headers, in Rust's spelling; what a field means is said where it is used.
#![allow(missing_docs)]

use core::mem::offset_of;

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

/// A field's name in the headers, its offset and its size.
pub type Field = (&'static str, usize, usize);

/// Declares structures of the kernel's interface: name in the headers, name here, fields.
macro_rules! structures {
    ($($(#[$doc:meta])* $c_name:literal: $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default)]
            pub struct $name { $(pub $field: $type,)* }
        )*

        /// Name in the headers, size in bytes and fields of every structure.
        pub const STRUCTURES: &[(&str, usize, &[Field])] = &[$((
            $c_name,
            size_of::<$name>(),
            &[$((stringify!($field), offset_of!($name, $field), size_of::<$type>()),)*],
        ),)*];
    };
}

/// Declares flags and capabilities, by their names in the headers.
macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: $type = $value;)*

        /// Name and value of every flag.
        pub const FLAGS: &[(&str, u64)] = &[$((stringify!($name), $value as u64),)*];
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
    "sync_merge_data": SyncMergeData { name: [u8; 32], fd2: i32, fence: i32, flags: u32, pad: u32, }
    "sync_fence_info": SyncFenceInfo {
        obj_name: [u8; 32], driver_name: [u8; 32], status: i32, flags: u32, timestamp_ns: u64,
    }
    "sync_file_info": SyncFileInfo {
        name: [u8; 32], status: i32, flags: u32, num_fences: u32, pad: u32, sync_fence_info: u64,
    }
    "sync_set_deadline": SyncSetDeadline { deadline_ns: u64, pad: u64, }

    /// `linux/dma-buf.h`
    "dma_buf_sync": DmaBufSync { flags: u64, }
    "dma_buf_export_sync_file": DmaBufExportSyncFile { flags: u32, fd: i32, }
    "dma_buf_import_sync_file": DmaBufImportSyncFile { flags: u32, fd: i32, }

    /// `linux/udmabuf.h`
    "udmabuf_create": UdmabufCreate { memfd: u32, flags: u32, offset: u64, size: u64, }

    /// `linux/dma-heap.h`
    "dma_heap_allocation_data": DmaHeapAllocationData { len: u64, fd: u32, fd_flags: u32, heap_flags: u64, }

    /// `drm/drm.h`
    "drm_get_cap": DrmGetCap { capability: u64, value: u64, }
    "drm_version": DrmVersion {
        version_major: i32, version_minor: i32, version_patchlevel: i32,
        name_len: usize, name: usize, date_len: usize, date: usize, desc_len: usize, desc: usize,
    }
    "drm_gem_close": DrmGemClose { handle: u32, pad: u32, }
    "drm_prime_handle": DrmPrimeHandleToFd { handle: u32, flags: u32, fd: i32, }
    "drm_syncobj_create": DrmSyncobjCreate { handle: u32, flags: u32, }
    "drm_syncobj_destroy": DrmSyncobjDestroy { handle: u32, pad: u32, }
    /// Without `point`, which Linux 6.16 added: what is not given is zero.
    "drm_syncobj_handle": DrmSyncobjHandleToFd { handle: u32, flags: u32, fd: i32, pad: u32, }
    /// As above.
    "drm_syncobj_handle": DrmSyncobjFdToHandle { handle: u32, flags: u32, fd: i32, pad: u32, }
    "drm_syncobj_transfer": DrmSyncobjTransfer {
        src_handle: u32, dst_handle: u32, src_point: u64, dst_point: u64, flags: u32, pad: u32,
    }
    "drm_syncobj_wait": DrmSyncobjWait {
        handles: u64, timeout_nsec: i64, count_handles: u32, flags: u32, first_signaled: u32,
        pad: u32, deadline_nsec: u64,
    }
    "drm_syncobj_timeline_wait": DrmSyncobjTimelineWait {
        handles: u64, points: u64, timeout_nsec: i64, count_handles: u32, flags: u32,
        first_signaled: u32, pad: u32, deadline_nsec: u64,
    }
    "drm_syncobj_eventfd": DrmSyncobjEventfd { handle: u32, flags: u32, point: u64, fd: i32, pad: u32, }
    "drm_syncobj_array": DrmSyncobjReset { handles: u64, count_handles: u32, pad: u32, }
    "drm_syncobj_array": DrmSyncobjSignal { handles: u64, count_handles: u32, pad: u32, }
    "drm_syncobj_timeline_array": DrmSyncobjQuery { handles: u64, points: u64, count_handles: u32, flags: u32, }
    "drm_syncobj_timeline_array": DrmSyncobjTimelineSignal { handles: u64, points: u64, count_handles: u32, flags: u32, }

    /// `drm/drm_mode.h`
    "drm_mode_create_dumb": DrmModeCreateDumb {
        height: u32, width: u32, bpp: u32, flags: u32, handle: u32, pitch: u32, size: u64,
    }

    /// `drm/vgem_drm.h`
    "drm_vgem_fence_attach": DrmVgemFenceAttach { handle: u32, flags: u32, out_fence: u32, pad: u32, }
    "drm_vgem_fence_signal": DrmVgemFenceSignal { fence: u32, flags: u32, }

    /// No header has these: `drivers/dma-buf/sw_sync.c` is for tests.
    "sw_sync_create_fence_data": SwSyncCreateFenceData { value: u32, name: [u8; 32], fence: i32, }
    "sw_sync_inc": SwSyncInc { value: u32, }
    "sw_sync_get_deadline": SwSyncGetDeadline { deadline_ns: u64, pad: u32, fence_fd: i32, }
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
    "SW_SYNC_GET_DEADLINE": SwSyncGetDeadline = opcode::read_write::<SwSyncGetDeadline>(SW_SYNC, 2);
}

flags! {
    DMA_BUF_SYNC_READ: u64 = 1;
    DMA_BUF_SYNC_WRITE: u64 = 2;
    DMA_BUF_SYNC_START: u64 = 0;
    DMA_BUF_SYNC_END: u64 = 4;
    /// A request whose argument is the address of the name itself.
    DMA_BUF_SET_NAME: Opcode = opcode::write::<*const u8>(DMA_BUF, 1);
    UDMABUF_FLAGS_CLOEXEC: u32 = 1;
    DRM_CAP_SYNCOBJ: u64 = 0x13;
    DRM_CAP_SYNCOBJ_TIMELINE: u64 = 0x14;
    DRM_SYNCOBJ_CREATE_SIGNALED: u32 = 1;
    DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE: u32 = 1;
    DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE: u32 = 1;
    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL: u32 = 1;
    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT: u32 = 1 << 1;
    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE: u32 = 1 << 2;
    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE: u32 = 1 << 3;
    DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED: u32 = 1;
    VGEM_FENCE_WRITE: u32 = 1;
}
