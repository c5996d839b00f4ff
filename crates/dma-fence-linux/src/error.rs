//! What the kernel answered, and to which request.

use core::fmt;
use std::borrow::Cow;

use dma_fence::Errno;
use rustix::io;

/// A request to the kernel that failed.
///
/// ```
/// use dma_fence::Errno;
/// use dma_fence_linux::KernelError;
/// let error = KernelError::new("SYNC_IOC_MERGE", Errno::EBADF);
/// assert_eq!(error.to_string(), "SYNC_IOC_MERGE: EBADF (bad file descriptor)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelError {
    request: &'static str,
    errno: Errno,
}

impl KernelError {
    /// The answer to a request, which goes by its name in the kernel's headers or manual pages.
    pub const fn new(request: &'static str, errno: Errno) -> Self {
        KernelError { request, errno }
    }

    /// For `map_err`.
    pub(crate) fn of(request: &'static str) -> impl FnOnce(io::Errno) -> Self {
        move |error| KernelError::new(request, errno(error))
    }

    /// The name of the request.
    pub const fn request(&self) -> &'static str {
        self.request
    }

    /// What the kernel answered.
    pub const fn errno(&self) -> Errno {
        self.errno
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request, self.errno)
    }
}

impl core::error::Error for KernelError {}

/// The machine lacks something, or its kernel is too old: what is missing, and what would bring it.
///
/// ```
/// use dma_fence_linux::Unsupported;
/// let error = Unsupported::new("/dev/udmabuf", "load the module udmabuf");
/// assert_eq!(error.to_string(), "/dev/udmabuf is missing: load the module udmabuf");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    missing: Cow<'static, str>,
    hint: &'static str,
}

impl Unsupported {
    /// `missing` is a device, a file or a request; `hint` says how one gets it.
    pub fn new(missing: impl Into<Cow<'static, str>>, hint: &'static str) -> Self {
        Unsupported { missing: missing.into(), hint }
    }

    /// The device, file or request that is not there.
    pub fn missing(&self) -> &str {
        &self.missing
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is missing: {}", self.missing, self.hint)
    }
}

impl core::error::Error for Unsupported {}

/// The library's error number for one of a system call.
pub(crate) fn errno(error: io::Errno) -> Errno {
    // The kernel's are 1 to 4095, all of which have one.
    Errno::from_raw(error.raw_os_error()).unwrap_or(Errno::EIO)
}
