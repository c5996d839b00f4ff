//! Why there is no recording.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use crate::error::Failure;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("only root may record the kernel's events: try `sudo dma-fence record …`")]
    NotRoot,

    #[error("tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing")]
    NoTracefs,

    #[error(
        "this kernel has no events of fences (dma_fence): it is built without CONFIG_DMA_SHARED_BUFFER or \
             CONFIG_EVENT_TRACING"
    )]
    NoEvents,

    #[error("cannot use {file} of tracefs: {cause}")]
    Tracefs { file: &'static str, cause: io::Error },

    #[error("cannot write '{}': {cause}", path.display())]
    Output { path: PathBuf, cause: io::Error },

    #[error("cannot run '{}': {cause}", program.display())]
    Command { program: OsString, cause: io::Error },

    #[error("cannot wait for the command: {0}")]
    Wait(io::Error),

    #[error("cannot install handlers of signals: {0}")]
    Signals(io::Error),
}

impl RecordError {
    /// For `map_err`.
    pub(crate) fn tracefs(file: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| match cause.kind() {
            io::ErrorKind::PermissionDenied => Self::NotRoot,
            _ => Self::Tracefs { file, cause },
        }
    }

    /// For `map_err`.
    pub(crate) fn output(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Output { path: path.to_owned(), cause }
    }
}

impl Failure for RecordError {
    fn kind(&self) -> &'static str {
        match self {
            Self::NotRoot => "denied",
            Self::NoTracefs | Self::NoEvents => "unsupported",
            Self::Command { .. } => "command",
            Self::Tracefs { .. } | Self::Output { .. } | Self::Wait(_) | Self::Signals(_) => "io",
        }
    }

    fn exit_status(&self) -> u8 {
        1
    }
}
