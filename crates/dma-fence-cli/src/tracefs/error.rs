//! What is missing for the kernel's events, and what to do about it.

use std::io;

use crate::error::Failure;

#[derive(Debug, thiserror::Error)]
pub(crate) enum TracefsError {
    #[error("only root may see the kernel's events: try `sudo dma-fence …`")]
    NotRoot,

    #[error(
        "not permitted to use {0} of tracefs, although this is root: a container, or a locked-down kernel"
    )]
    Forbidden(&'static str),

    #[error("tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing")]
    NoTracefs,

    #[error(
        "this kernel has no events of fences (dma_fence): it is built without CONFIG_DMA_SHARED_BUFFER or \
             CONFIG_EVENT_TRACING"
    )]
    NoEvents,

    #[error("the kernel has no memory for {kib} KiB on each CPU: try a smaller --buffer-size")]
    NoMemory { kib: u32 },

    #[error("cannot use {file} of tracefs: {cause}")]
    File { file: &'static str, cause: io::Error },
}

impl TracefsError {
    /// For `map_err`.
    pub(crate) fn of(file: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| match cause.kind() {
            io::ErrorKind::PermissionDenied if is_root() => Self::Forbidden(file),
            io::ErrorKind::PermissionDenied => Self::NotRoot,
            _ => Self::File { file, cause },
        }
    }
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Failure for TracefsError {
    fn kind(&self) -> &'static str {
        match self {
            Self::NotRoot | Self::Forbidden(_) => "denied",
            Self::NoTracefs | Self::NoEvents => "unsupported",
            Self::NoMemory { .. } | Self::File { .. } => "io",
        }
    }

    fn exit_status(&self) -> u8 {
        1
    }
}
