//! All DMA buffers of the machine, as debugfs lists them.

mod parse;

use std::path::Path;
use std::{fs, io};

use dma_fence::{Errno, Usage};

use crate::device::OpenError;
use crate::error::{KernelError, Unsupported};

/// The DMA buffers of a machine.
///
/// ```
/// use dma_fence_linux::BufferList;
/// // As Linux 7.3 prints it.
/// let text = "\nDma-buf Objects:\nsize\tflags\tmode\tcount\texp_name\tino\tname\n\
///     00004096\t00000002\t02080007\t00000004\tdrm\t00000003\tscanout\n\
///     \twrite fence:9:8 ring 0 gpu unsignalled\n\tAttached Devices:\nTotal 0 devices attached\n";
/// let list = BufferList::parse(text);
/// let fence = &list.buffers[0].fences[0];
/// assert_eq!((fence.driver.as_str(), fence.timeline.as_str()), ("gpu", "ring 0"));
/// assert!(!fence.is_signaled);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BufferList {
    /// The buffers, as they are listed.
    pub buffers: Vec<ListedBuffer>,
    /// How many lines say something that is not known here: other kernels have other words.
    pub unknown_lines: usize,
}

/// One buffer of the list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListedBuffer {
    /// In bytes.
    pub size: u64,
    /// How many hold the buffer's file: file descriptors, mappings, drivers.
    pub references: u64,
    /// The driver or device that made it.
    pub exporter: String,
    /// The same for every file descriptor of the buffer, in every process.
    pub inode: u64,
    /// Its name, or nothing.
    pub name: String,
    /// What is going on with it.
    pub fences: Vec<ListedFence>,
    /// The devices that use it.
    pub devices: Vec<String>,
}

/// One fence of a buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedFence {
    /// Who waits for it.
    pub usage: Usage,
    /// The driver's name; new kernels do not tell it once the fence has signaled.
    pub driver: String,
    /// The timeline's name, as above.
    pub timeline: String,
    /// The context's number, from kernels that tell it.
    pub context: Option<u64>,
    /// The number on its timeline, from kernels that tell it.
    pub seqno: Option<u64>,
    /// Has it signaled?
    pub is_signaled: bool,
}

const DEBUGFS: &str = "/sys/kernel/debug";
const DEBUGFS_MAGIC: u64 = 0x6462_6720;

impl BufferList {
    /// The buffers of this machine.
    ///
    /// # Errors
    /// Debugfs is not mounted or not readable (it is root's), or the kernel does not list buffers there.
    ///
    /// # Context
    /// Takes the lock of one buffer after the other, and waits for whoever has it; drivers hold them for short
    /// times. Asks fences if they have signaled; does not enable signaling.
    #[doc(alias("bufinfo", "dma_buf_debug_show"))]
    pub fn read() -> Result<Self, OpenError> {
        let path = format!("{DEBUGFS}/dma_buf/bufinfo");
        let text = fs::read(&path).map_err(|error| why_not(path, &error))?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    /// What `/sys/kernel/debug/dma_buf/bufinfo` said, here or elsewhere. Lines that mean nothing are counted.
    ///
    /// # Context
    /// Computes.
    pub fn parse(text: &str) -> Self {
        parse::list(text)
    }
}

fn why_not(path: String, error: &io::Error) -> OpenError {
    if error.kind() != io::ErrorKind::NotFound {
        let errno = error.raw_os_error().and_then(Errno::from_raw).unwrap_or(Errno::EIO);
        return OpenError::Kernel { path, error: KernelError::new("open", errno) };
    }
    if is_mounted() {
        return Unsupported::new(path, "this kernel lists no DMA buffers").into();
    }
    Unsupported::new("debugfs", "mount it: mount -t debugfs debugfs /sys/kernel/debug").into()
}

fn is_mounted() -> bool {
    let found = rustix::fs::statfs(Path::new(DEBUGFS));
    found.is_ok_and(|found| found.f_type as u64 & 0xffff_ffff == DEBUGFS_MAGIC)
}
