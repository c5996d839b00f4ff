//! A buffer in the address space of this process, and accesses to it between brackets.
//!
//! MAP-SHARED: the range is mapped, for reading and writing, from the making of a [`Mapping`] to its drop,
//! and nobody else unmaps it. Devices, other processes and other mappings change the bytes at any time; so
//! there are never references to them, only volatile accesses, for which bytes of any value are good. In this
//! process only the one [`CpuAccess`] of a mapping makes accesses at these addresses: it writes by `&mut`, so
//! nobody reads or writes meanwhile, and it borrows the mapping, so there is no second one.
#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::fmt;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};

use dma_fence::{Errno, contract};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::{Access, DmaBuf};
use crate::error::KernelError;
use crate::ioctl;
use crate::uapi::{DMA_BUF_SYNC_END, DMA_BUF_SYNC_START, DmaBufSync};

/// A buffer's bytes in this process, reached between [brackets](Mapping::access).
///
/// It keeps the buffer, or borrows it: `B` is a `DmaBuf`, an `Arc<DmaBuf>` or a `&DmaBuf`.
///
/// ```no_run
/// use dma_fence_linux::{Access, Mapping, Udmabuf};
/// let mut mapping = Mapping::new(Udmabuf::open()?.allocate(4096)?)?;
/// let mut access = mapping.access(Access::Write)?; // waits for the devices
/// access.write_at(100, b"from the CPU");
/// access.finish()?; // now devices may see it
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mapping<B: Borrow<DmaBuf>> {
    address: NonNull<u8>,
    size: usize,
    buffer: B,
}

// SAFETY: MAP-SHARED: the range is good on every thread, and accesses to it follow from borrows.
unsafe impl<B: Borrow<DmaBuf> + Send> Send for Mapping<B> {}
// SAFETY: MAP-SHARED: as above; a shared reference gives the address away, and nothing more.
unsafe impl<B: Borrow<DmaBuf> + Sync> Sync for Mapping<B> {}

impl<B: Borrow<DmaBuf>> Mapping<B> {
    /// Maps the whole buffer.
    ///
    /// # Errors
    /// Some exporters cannot be mapped by the CPU (`EINVAL`, `ENODEV`, `EPERM`), some buffers came read-only
    /// (`EACCES`), and memory and address space are finite (`ENOMEM`).
    ///
    /// # Context
    /// Does not wait for fences.
    #[doc(alias = "mmap")]
    pub fn new(buffer: B) -> Result<Self, KernelError> {
        let size = usize::try_from(buffer.borrow().size()?)
            .map_err(|_| KernelError::new("mmap", Errno::ENOMEM))?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let fd = buffer.borrow().as_fd();
        // SAFETY: MAP-SHARED: the kernel chooses a fresh range, so nothing that exists is replaced.
        let address = unsafe { mmap(ptr::null_mut(), size, protection, MapFlags::SHARED, fd, 0) }
            .map_err(KernelError::of("mmap"))?;
        let address = NonNull::new(address.cast()).expect("the kernel never maps page zero");
        Ok(Mapping { address, size, buffer })
    }

    /// The buffer.
    pub fn buffer(&self) -> &DmaBuf {
        self.buffer.borrow()
    }

    /// Bytes of the buffer.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Begins a bracket: waits until devices let the CPU read or write, and makes what they wrote visible.
    ///
    /// # Errors
    /// The exporter could not do it; there is no bracket then.
    ///
    /// # Context
    /// Waits for the writers' fences, before a write for all: no matter how long, and signals do not end it. To
    /// wait with a limit or without a thread, wait for [`export_sync_file`](DmaBuf::export_sync_file) first.
    #[doc(alias("DMA_BUF_IOCTL_SYNC", "DMA_BUF_SYNC_START", "dma_buf_begin_cpu_access"))]
    #[track_caller]
    pub fn access(&mut self, access: Access) -> Result<CpuAccess<'_>, KernelError> {
        contract::may_wait();
        let bracket = Bracket::begin(self.buffer.borrow(), access)?;
        Ok(CpuAccess { address: self.address, size: self.size, bracket })
    }
}

impl<B: Borrow<DmaBuf>> Drop for Mapping<B> {
    fn drop(&mut self) {
        // SAFETY: MAP-SHARED: exactly what was mapped, and no access borrows it any more.
        let unmapped = unsafe { munmap(self.address.as_ptr().cast(), self.size) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

impl<B: Borrow<DmaBuf>> fmt::Debug for Mapping<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({:?}, {} bytes)", self.buffer(), self.size)
    }
}

/// What is copied at once where it can be: memory that is not cached takes as long for a byte.
const WORD: usize = size_of::<usize>();

/// A bracket around accesses of the CPU; it ends on drop.
///
/// Why it gives no `&[u8]`: a device or another process that does not care for fences may change the bytes
/// behind a reference, which Rust does not allow; nobody can promise for them. So bytes are copied in and out. A
/// driver may take a buffer's memory away, at hot-unplug for example: an access then ends the process with `SIGBUS`.
#[must_use = "the bracket ends when this is dropped"]
pub struct CpuAccess<'a> {
    address: NonNull<u8>,
    size: usize,
    bracket: Bracket<'a>,
}

// SAFETY: MAP-SHARED: as for the mapping that it borrows; what changes bytes takes `&mut`.
unsafe impl Send for CpuAccess<'_> {}
// SAFETY: MAP-SHARED: as above.
unsafe impl Sync for CpuAccess<'_> {}

impl CpuAccess<'_> {
    /// Copies bytes out of the buffer.
    ///
    /// # Panics
    /// If they are not all in the buffer.
    #[track_caller]
    pub fn read_at(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.range(offset, bytes.len());
        let mut done = 0;
        while done < bytes.len() {
            let (at, rest) = (from.wrapping_add(done), &mut bytes[done..]);
            done += match rest.first_chunk_mut::<WORD>() {
                Some(word) if at.cast::<usize>().is_aligned() => {
                    // SAFETY: MAP-SHARED: within the range, and nobody in this process writes it meanwhile.
                    *word = unsafe { at.cast::<usize>().read_volatile() }.to_ne_bytes();
                    WORD
                }
                _ => {
                    // SAFETY: MAP-SHARED: as above.
                    rest[0] = unsafe { at.read_volatile() };
                    1
                }
            };
        }
    }

    /// Copies bytes into the buffer.
    ///
    /// # Panics
    /// If they do not all fit in there, or the bracket is one for reading: devices might not see what is written.
    #[track_caller]
    pub fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        assert_eq!(self.bracket.access, Access::Write, "the bracket is not one for writing");
        let to = self.range(offset, bytes.len());
        let mut done = 0;
        while done < bytes.len() {
            let (at, rest) = (to.wrapping_add(done), &bytes[done..]);
            done += match rest.first_chunk::<WORD>() {
                Some(word) if at.cast::<usize>().is_aligned() => {
                    let word = usize::from_ne_bytes(*word);
                    // SAFETY: MAP-SHARED: within the range, and `&mut` excludes this process's other accesses.
                    unsafe { at.cast::<usize>().write_volatile(word) };
                    WORD
                }
                _ => {
                    // SAFETY: MAP-SHARED: as above.
                    unsafe { at.write_volatile(rest[0]) };
                    1
                }
            };
        }
    }

    /// The address, for code that knows who else touches the memory.
    ///
    /// Good for [`Mapping::size`] bytes until the bracket ends. References to the bytes need that nobody, in any
    /// process or device, writes them meanwhile; bytes that others may write take volatile or atomic accesses.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.address.as_ptr()
    }

    /// Ends the bracket, and says if that went well. On drop nobody hears of it.
    ///
    /// # Errors
    /// The exporter could not make what was written visible. The bracket has ended all the same.
    ///
    /// # Context
    /// Does not wait for fences; may write back caches.
    #[doc(alias("DMA_BUF_IOCTL_SYNC", "DMA_BUF_SYNC_END", "dma_buf_end_cpu_access"))]
    pub fn finish(self) -> Result<(), KernelError> {
        self.bracket.finish()
    }

    #[track_caller]
    fn range(&self, offset: usize, len: usize) -> *mut u8 {
        let fits = offset.checked_add(len).is_some_and(|end| end <= self.size);
        assert!(fits, "{len} bytes at {offset} are not in a buffer of {} bytes", self.size);
        self.address.as_ptr().wrapping_add(offset)
    }
}

impl fmt::Debug for CpuAccess<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuAccess({:?}, {} bytes)", self.bracket.access, self.size)
    }
}

/// The bracket itself: begun once, ended once.
struct Bracket<'a> {
    buffer: &'a DmaBuf,
    access: Access,
}

impl<'a> Bracket<'a> {
    fn begin(buffer: &'a DmaBuf, access: Access) -> Result<Self, KernelError> {
        sync(buffer, DMA_BUF_SYNC_START, access)?;
        Ok(Bracket { buffer, access })
    }

    fn finish(self) -> Result<(), KernelError> {
        let Bracket { buffer, access } = *std::mem::ManuallyDrop::new(self);
        sync(buffer, DMA_BUF_SYNC_END, access)
    }
}

impl Drop for Bracket<'_> {
    fn drop(&mut self) {
        // Whom it concerns has `finish`.
        let _ = sync(self.buffer, DMA_BUF_SYNC_END, self.access);
    }
}

fn sync(buffer: &DmaBuf, step: u64, access: Access) -> Result<(), KernelError> {
    ioctl::request(buffer.as_fd(), &mut DmaBufSync { flags: step | access.flags() })
}
