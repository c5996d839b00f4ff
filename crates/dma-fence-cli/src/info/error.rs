//! Why there is nothing to show.

use std::{fs, io, path::PathBuf};

use dma_fence_linux::{KernelError, OpenError};

use crate::error::Failure;

#[derive(Debug, thiserror::Error)]
pub(crate) enum InfoError {
    #[error("there is no process {0}")]
    NoProcess(i32),

    #[error("{0} is a thread: give the number of its process (Tgid in /proc/{0}/status)")]
    Thread(i32),

    #[error("process {pid} has no file descriptor {fd}")]
    NoFd { pid: i32, fd: i32 },

    #[error("not permitted to {action} the file descriptors of process {pid}: {}", who_may())]
    Denied { action: &'static str, pid: i32 },

    #[error("cannot {action} the file descriptors of process {pid}: {cause}")]
    Process { action: &'static str, pid: i32, cause: io::Error },

    #[error("file descriptor {fd} does not answer: {cause}")]
    Kernel { fd: i32, cause: KernelError },

    #[error("{}", no_list(.0))]
    NoList(OpenError),

    #[error("cannot read '{}': {cause}", path.display())]
    Saved { path: PathBuf, cause: io::Error },

    #[error(
        "'{}' is no list of DMA buffers: it should be a copy of /sys/kernel/debug/dma_buf/bufinfo",
        .0.display()
    )]
    NoCopy(PathBuf),
}

impl InfoError {
    /// For `map_err`.
    pub(crate) fn process(action: &'static str, pid: i32) -> impl FnOnce(io::Error) -> Self {
        move |cause| match cause.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { action, pid },
            // It has ended meanwhile.
            io::ErrorKind::NotFound => Self::NoProcess(pid),
            _ if cause.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                Self::NoProcess(pid)
            }
            _ => Self::Process { action, pid, cause },
        }
    }
}

impl Failure for InfoError {
    fn kind(&self) -> &'static str {
        match self {
            Self::NoProcess(_) | Self::Thread(_) => "no_process",
            Self::NoFd { .. } => "no_fd",
            Self::Denied { .. } => "denied",
            Self::NoList(OpenError::Unsupported(_)) => "unsupported",
            Self::NoList(error) if is_denied(error) => "denied",
            Self::NoCopy(_) => "input",
            Self::Process { .. } | Self::Kernel { .. } | Self::NoList(_) | Self::Saved { .. } => {
                "io"
            }
        }
    }

    fn exit_status(&self) -> u8 {
        1
    }
}

fn is_denied(error: &OpenError) -> bool {
    use dma_fence::Errno;
    matches!(error, OpenError::Kernel { error, .. }
        if [Errno::EACCES, Errno::EPERM].contains(&error.errno()))
}

fn no_list(error: &OpenError) -> String {
    let hint = if is_denied(error) { "; root may, unless the kernel is locked down" } else { "" };
    format!("{error}{hint}")
}

/// What the kernel asks of who looks into another process.
fn who_may() -> String {
    const SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";
    let scope = fs::read_to_string(SCOPE).unwrap_or_default();
    match scope.trim() {
        "" | "0" => "its user and root may".into(),
        "3" => "nobody may (kernel.yama.ptrace_scope is 3)".into(),
        scope => format!("root may (kernel.yama.ptrace_scope is {scope})"),
    }
}
