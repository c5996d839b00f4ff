//! One anonymous mapping, cut into page-aligned slots.
//!
//! Why one mapping: it can be registered with a device in one call, and it goes back to the system in one
//! call, by whoever drops the last handle of it. A region knows nothing of fences; that it is never
//! unmapped too early is MEM-MAPPED: everything that may still touch a slot owns a handle.
#![allow(unsafe_code)]

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ptr::{NonNull, null_mut};

/// A mapping of `count` slots of `size` usable bytes each.
pub(crate) struct Region {
    base: NonNull<u8>,
    mapped: usize,
    stride: usize,
    size: usize,
    count: usize,
}

// SAFETY: MEM-MAPPED: a region is an address range that is valid on every thread; what may be done with
// the bytes is decided by the unsafe functions below, not by who holds the region.
unsafe impl Send for Region {}
// SAFETY: MEM-MAPPED: as above; no method changes the region itself.
unsafe impl Sync for Region {}

impl Region {
    /// Maps `count` slots of `size` bytes. `None` if the sum does not fit an address space.
    pub(crate) fn map(count: usize, size: usize) -> Option<rustix::io::Result<Region>> {
        let stride = size.checked_next_multiple_of(rustix::param::page_size())?;
        let mapped = stride.checked_mul(count).filter(|bytes| *bytes <= isize::MAX as usize)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: MEM-MAPPED: the kernel chooses a fresh range, so nothing that exists is replaced.
        let mapping = unsafe { mmap_anonymous(null_mut(), mapped, protection, MapFlags::PRIVATE) };
        Some(mapping.map(|base| {
            let base = NonNull::new(base.cast::<u8>()).expect("the kernel never maps page zero");
            // Fewer TLB misses and page faults; a kernel without huge pages says no, which is fine.
            // SAFETY: MEM-MAPPED: our own range; the advice does not change what the bytes read as.
            let _ = unsafe { madvise(base.as_ptr().cast(), mapped, Advice::LinuxHugepage) };
            Region { base, mapped, stride, size, count }
        }))
    }

    /// Usable bytes of one slot.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Number of slots.
    #[cfg(not(loom))]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Address of a slot; good for [`size`](Self::size) bytes as long as the region lives.
    pub(crate) fn address(&self, index: usize) -> *mut u8 {
        assert!(index < self.count, "slot {index} of {}", self.count);
        self.base.as_ptr().wrapping_add(index * self.stride)
    }

    /// The bytes of a slot.
    ///
    /// # Safety
    /// MEM-CPU for reading: nobody writes this slot while the result lives.
    pub(crate) unsafe fn bytes(&self, index: usize) -> &[u8] {
        // SAFETY: MEM-MAPPED: initialised by the kernel to zero, valid for `size` bytes, borrowed from
        // `self`; MEM-CPU by contract.
        unsafe { std::slice::from_raw_parts(self.address(index), self.size) }
    }

    /// The bytes of a slot, to change them.
    ///
    /// # Safety
    /// MEM-CPU for writing: nobody else reads or writes this slot while the result lives.
    #[expect(
        clippy::mut_from_ref,
        reason = "exclusive by contract: one Buffer per slot, MEM-UNIQUE"
    )]
    pub(crate) unsafe fn bytes_mut(&self, index: usize) -> &mut [u8] {
        // SAFETY: MEM-MAPPED: as for `bytes`; MEM-CPU by contract.
        unsafe { std::slice::from_raw_parts_mut(self.address(index), self.size) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: MEM-MAPPED: this is the last handle, so no buffer, no device memory and no slot with a
        // fence that has not signaled is left; the range is exactly what was mapped.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.mapped) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
