//! Error numbers, as fences carry them.

use core::fmt;
use core::num::NonZeroU16;

/// Why an operation failed: a Linux error number, 1 to 4095.
///
/// A newtype with constants and not an enum, for kernels extend the list.
///
/// ```
/// use dma_fence::Errno;
/// assert_eq!(Errno::from_raw(5), Some(Errno::EIO));
/// assert_eq!(Errno::EIO.to_string(), "EIO (input/output error)");
/// assert_eq!(Errno::from_raw(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(NonZeroU16);

macro_rules! errnos {
    ($($name:ident = $raw:literal, $text:literal;)*) => {
        impl Errno {
            $(#[doc = concat!("Error ", $raw, ": ", $text, ".")]
            pub const $name: Errno = Errno(NonZeroU16::new($raw).unwrap());)*

            fn known(self) -> Option<(&'static str, &'static str)> {
                match self.0.get() {
                    $($raw => Some((stringify!($name), $text)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM = 1, "operation not permitted";
    ENOENT = 2, "no such file or directory";
    ESRCH = 3, "no such process";
    EINTR = 4, "interrupted";
    EIO = 5, "input/output error";
    ENXIO = 6, "no such device or address";
    EBADF = 9, "bad file descriptor";
    EAGAIN = 11, "try again";
    ENOMEM = 12, "out of memory";
    EACCES = 13, "permission denied";
    EFAULT = 14, "bad address";
    EBUSY = 16, "device or resource busy";
    ENODEV = 19, "no such device";
    EINVAL = 22, "invalid argument";
    ENFILE = 23, "too many open files on the machine";
    EMFILE = 24, "too many open files";
    ENOTTY = 25, "not a request of this kind of file";
    EFBIG = 27, "file too large";
    ENOSPC = 28, "no space left on device";
    EROFS = 30, "read-only file system";
    EPIPE = 32, "broken pipe";
    EDEADLK = 35, "resource deadlock avoided";
    ENOSYS = 38, "function not implemented";
    ENODATA = 61, "no data available";
    ETIME = 62, "timer expired";
    EOVERFLOW = 75, "value too large";
    EOPNOTSUPP = 95, "operation not supported";
    ENOBUFS = 105, "no buffer space available";
    ETIMEDOUT = 110, "timed out";
    ECANCELED = 125, "operation canceled";
    EOWNERDEAD = 130, "owner died";
    EDQUOT = 122, "disk quota exceeded";
}

impl Errno {
    /// The error with that number; `None` outside 1 to 4095.
    pub const fn from_raw(raw: i32) -> Option<Errno> {
        if raw < 1 || raw > 4095 {
            return None;
        }
        match NonZeroU16::new(raw as u16) {
            Some(raw) => Some(Errno(raw)),
            None => None,
        }
    }

    /// The number, positive.
    pub const fn raw(self) -> i32 {
        self.0.get() as i32
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some((name, text)) => write!(f, "{name} ({text})"),
            None => write!(f, "errno {}", self.raw()),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "Errno({})", self.raw()),
        }
    }
}

impl core::error::Error for Errno {}
