//! What the kernel says of a buffer, in `/proc`.

use std::fs;
use std::os::fd::AsRawFd;

use dma_fence::Errno;

use super::DmaBuf;
use crate::error::KernelError;

/// What the kernel says of a buffer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DmaBufInfo {
    /// In bytes.
    pub size: u64,
    /// The same for every file descriptor of the buffer, in every process.
    pub inode: u64,
    /// The driver or device that made it; vgem's come from `drm`.
    pub exporter: String,
    /// What [`DmaBuf::set_name`] said, or nothing.
    pub name: String,
}

impl DmaBuf {
    /// What the kernel says of the buffer.
    ///
    /// # Errors
    /// `/proc` cannot be read: it is not mounted, or no file descriptor is left (`EMFILE`).
    ///
    /// # Context
    /// Reads a file of `/proc`. Asks nothing of the fences.
    #[doc(alias = "fdinfo")]
    pub fn info(&self) -> Result<DmaBufInfo, KernelError> {
        let path = format!("/proc/thread-self/fdinfo/{}", self.0.as_raw_fd());
        let text = fs::read(path).map_err(|error| {
            let errno = error.raw_os_error().and_then(Errno::from_raw).unwrap_or(Errno::EIO);
            KernelError::new("read of /proc/thread-self/fdinfo", errno)
        })?;
        let (exporter, name) = exporter_and_name(&String::from_utf8_lossy(&text));
        Ok(DmaBufInfo { size: self.size()?, inode: self.inode()?, exporter, name })
    }
}

/// The name comes last, and only if there is one: it may have any bytes in it, line ends too.
fn exporter_and_name(fdinfo: &str) -> (String, String) {
    let (lines, name) = fdinfo.split_once("\nname:\t").unwrap_or((fdinfo, ""));
    let exporter = lines.lines().find_map(|line| line.strip_prefix("exp_name:\t"));
    let name = name.strip_suffix('\n').unwrap_or(name);
    (exporter.unwrap_or("").to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str =
        "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t7\nsize:\t4096\ncount:\t1\n";

    #[test]
    fn names_are_all_that_follows() {
        for (rest, exporter, name) in [
            ("exp_name:\tdrm\n", "drm", ""),
            ("exp_name:\tsystem\nname:\tx\n", "system", "x"),
            (
                "exp_name:\tsystem\nname:\ta b\nexp_name:\tc\nname:\t\n\n",
                "system",
                "a b\nexp_name:\tc\nname:\t\n",
            ),
            ("exp_name:\tsystem\nname:\t\n", "system", ""),
            ("", "", ""),
        ] {
            let found = exporter_and_name(&format!("{COMMON}{rest}"));
            assert_eq!((found.0.as_str(), found.1.as_str()), (exporter, name), "{rest:?}");
        }
    }
}
