//! DMA buffers: memory that devices share, and the fences that order their accesses.

mod info;
mod mapping;
mod mirror;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use dma_fence::Errno;
use rustix::fs::{SeekFrom, fstat, fstatfs, seek};

pub use info::DmaBufInfo;
pub use mapping::{CpuAccess, Mapping};
pub use mirror::{Mirror, MirrorError};

use crate::error::KernelError;
use crate::ioctl;
use crate::sync_file::SyncFile;
use crate::uapi::{
    DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DmaBufExportSyncFile, DmaBufImportSyncFile,
};

/// What an operation does with a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It reads: it waits for writers, and writers wait for it.
    #[doc(alias = "DMA_BUF_SYNC_READ")]
    Read,
    /// It writes, and may read too: it waits for everybody, and everybody waits for it.
    #[doc(alias("DMA_BUF_SYNC_WRITE", "DMA_BUF_SYNC_RW"))]
    Write,
}

impl Access {
    fn flags(self) -> u64 {
        match self {
            Access::Read => DMA_BUF_SYNC_READ,
            Access::Write => DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE,
        }
    }
}

/// Refused: the file descriptor is not one of a DMA buffer. It is given back.
#[derive(Debug, thiserror::Error)]
#[error("the file descriptor is not one of a DMA buffer")]
pub struct NotADmaBuf {
    /// What was to be one.
    pub fd: OwnedFd,
}

/// Memory that devices share.
///
/// The kernel keeps for each buffer the fences of what devices do with it: *implicit* ones, for they come with
/// the buffer. A reader waits for the writers, a writer for everybody. Sync files make them explicit, both ways.
///
/// ```no_run
/// use dma_fence_linux::{Access, Udmabuf};
/// let buffer = Udmabuf::open()?.allocate(16384)?;
/// let before = buffer.export_sync_file(Access::Write)?;
/// // … hand `before` to a device that writes the buffer when that has signaled, and get `done` from it …
/// # let done = before;
/// buffer.import_sync_file(&done, Access::Write)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "dma_buf")]
#[derive(Debug)]
pub struct DmaBuf(OwnedFd);

/// The file system that the files of all DMA buffers are in, and nothing else is.
const DMA_BUF_MAGIC: u64 = 0x444d_4142;

impl DmaBuf {
    /// A buffer that came from elsewhere: from a driver, or through a socket.
    ///
    /// ```
    /// use dma_fence_linux::DmaBuf;
    /// let (reader, _writer) = std::io::pipe()?;
    /// let refused = DmaBuf::new(reader.into()).unwrap_err();
    /// drop(refused.fd); // the pipe is still ours
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// It is a file descriptor of another kind.
    ///
    /// # Context
    /// Does not wait. Asks nothing of the fences.
    pub fn new(fd: OwnedFd) -> Result<Self, NotADmaBuf> {
        match fstatfs(&fd) {
            // The magic number has 32 bits, the field more or fewer.
            Ok(found) if found.f_type as u64 & 0xffff_ffff == DMA_BUF_MAGIC => Ok(DmaBuf(fd)),
            _ => Err(NotADmaBuf { fd }),
        }
    }

    /// What a request of the kernel gave as a DMA buffer.
    pub(crate) fn from_kernel(fd: OwnedFd) -> Self {
        DmaBuf(fd)
    }

    /// Bytes of the buffer, which never change.
    ///
    /// # Errors
    /// The kernel does not say it.
    ///
    /// # Context
    /// Does not wait.
    #[doc(alias = "lseek")]
    pub fn size(&self) -> Result<u64, KernelError> {
        seek(&self.0, SeekFrom::End(0)).map_err(KernelError::of("lseek"))
    }

    /// The inode's number: the same for every file descriptor of a buffer, in every process.
    ///
    /// # Errors
    /// The kernel does not say it.
    ///
    /// # Context
    /// Does not wait.
    #[doc(alias = "fstat")]
    pub fn inode(&self) -> Result<u64, KernelError> {
        fstat(&self.0).map(|found| found.st_ino).map_err(KernelError::of("fstat"))
    }

    /// Names the buffer, for everybody who lists buffers.
    ///
    /// # Errors
    /// `EINVAL` if the name has more than 31 bytes or a zero among them.
    ///
    /// # Context
    /// Does not wait.
    #[doc(alias = "DMA_BUF_SET_NAME")]
    pub fn set_name(&self, name: &str) -> Result<(), KernelError> {
        let name =
            CString::new(name).map_err(|_| KernelError::new("DMA_BUF_SET_NAME", Errno::EINVAL))?;
        ioctl::dma_buf_set_name(self.as_fd(), &name)
    }

    /// What a new reader or writer must wait for: for a reader the writers, for a writer everybody.
    ///
    /// It is of this moment: operations that come later are not in it. If there is nothing to wait for it is a
    /// sync file that has signaled.
    ///
    /// # Errors
    /// `EMFILE` and `ENOMEM`; the buffer is as it was. `ENOTTY`: the kernel is older than Linux 6.0.
    ///
    /// # Context
    /// Does not wait, and does not enable signaling.
    #[doc(alias = "DMA_BUF_IOCTL_EXPORT_SYNC_FILE")]
    pub fn export_sync_file(&self, access: Access) -> Result<SyncFile, KernelError> {
        let argument = DmaBufExportSyncFile { flags: access.flags() as u32, fd: -1 };
        ioctl::request_fd(self.as_fd(), argument).map(SyncFile::from_kernel)
    }

    /// Adds the fences of a reader or writer: who comes next must wait for them, as for any device.
    ///
    /// # Errors
    /// `ENOMEM`; the buffer is as it was. `ENOTTY`: the kernel is older than Linux 6.0.
    ///
    /// # Context
    /// Waits for the kernel's lock of the buffer, not for fences.
    #[doc(alias = "DMA_BUF_IOCTL_IMPORT_SYNC_FILE")]
    pub fn import_sync_file(&self, file: &SyncFile, access: Access) -> Result<(), KernelError> {
        let (flags, fd) = (access.flags() as u32, file.as_fd().as_raw_fd());
        ioctl::request(self.as_fd(), &mut DmaBufImportSyncFile { flags, fd })
    }

    /// Maps the whole buffer: [`Mapping::new`] of a reference.
    ///
    /// # Errors
    /// See there.
    ///
    /// # Context
    /// See there.
    pub fn map(&self) -> Result<Mapping<&DmaBuf>, KernelError> {
        Mapping::new(self)
    }
}

impl AsFd for DmaBuf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<DmaBuf> for OwnedFd {
    fn from(buffer: DmaBuf) -> OwnedFd {
        buffer.0
    }
}
