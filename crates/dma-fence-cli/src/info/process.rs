//! Another process, and its file descriptors.

use std::{fs, io, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

use super::error::InfoError;

pub(crate) struct Process {
    pid: i32,
    pidfd: OwnedFd,
}

impl Process {
    pub(crate) fn open(pid: i32) -> Result<Self, InfoError> {
        let id = Pid::from_raw(pid).ok_or(InfoError::NoProcess(pid))?;
        let pidfd = pidfd_open(id, PidfdFlags::empty()).map_err(|error| match error {
            // How kernels say that it is the number of a thread.
            Errno::INVAL | Errno::NOENT if exists(pid) => InfoError::Thread(pid),
            Errno::SRCH | Errno::INVAL | Errno::NOENT => InfoError::NoProcess(pid),
            error => InfoError::process("open", pid)(error.into()),
        })?;
        Ok(Self { pid, pidfd })
    }

    /// Its file descriptors, in order.
    pub(crate) fn fds(&self) -> Result<Vec<i32>, InfoError> {
        let entries =
            fs::read_dir(format!("/proc/{}/fd", self.pid)).map_err(self.failed("list"))?;
        let mut fds = Vec::new();
        for entry in entries {
            let name = entry.map_err(self.failed("list"))?.file_name();
            fds.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
        }
        fds.sort_unstable();
        Ok(fds)
    }

    /// What a file descriptor leads to, in words; `None` if it is not there.
    pub(crate) fn link(&self, fd: i32) -> Result<Option<String>, InfoError> {
        match fs::read_link(format!("/proc/{}/fd/{fd}", self.pid)) {
            Ok(link) => Ok(Some(link.to_string_lossy().into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && exists(self.pid) => Ok(None),
            Err(error) => Err(self.failed("look at")(error)),
        }
    }

    /// A duplicate of ours; `None` if the file descriptor is not there.
    pub(crate) fn duplicate(&self, fd: i32) -> Result<Option<OwnedFd>, InfoError> {
        match pidfd_getfd(&self.pidfd, fd, PidfdGetfdFlags::empty()) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::BADF) => Ok(None),
            Err(error) => Err(self.failed("look at")(error.into())),
        }
    }

    pub(crate) fn no_fd(&self, fd: i32) -> InfoError {
        InfoError::NoFd { pid: self.pid, fd }
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> InfoError + use<> {
        InfoError::process(action, self.pid)
    }
}

fn exists(pid: i32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(true)
}
