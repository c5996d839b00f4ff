//! What can go wrong, as a message, as JSON and as an exit status.

use std::{
    io,
    path::{Path, PathBuf},
};

use dma_fence::Errno;
use serde_json::{Value, json};

use crate::copy::pipeline::Operation;

/// What every command tells of its failure.
pub(crate) trait Failure: std::error::Error {
    fn kind(&self) -> &'static str;

    /// As documented in `--help`.
    fn exit_status(&self) -> u8;

    fn to_json(&self) -> Value {
        common_json(self)
    }
}

fn common_json<E: Failure + ?Sized>(error: &E) -> Value {
    json!({
        "kind": error.kind(),
        "message": error.to_string(),
        "exit_status": error.exit_status(),
    })
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("{0}")]
    Usage(String),

    #[error("cannot {action} '{}': {cause}", path.display())]
    Io { action: &'static str, path: PathBuf, cause: io::Error },

    /// A source or destination that this command does not copy.
    #[error("{0}")]
    Refused(String),

    #[error("{}", fence_failed(.0, *.1))]
    FenceFailed(FenceReport, Errno),

    #[error(
        "fence {} was abandoned: its producer was lost while {}; {quarantined} of the buffers {} \
         quarantined, {released} released after the engines had stopped \
         (taint record: {} fences abandoned, {} leaks of {} bytes)",
        fence.name, fence.doing(), if *quarantined == 1 { "was" } else { "were" },
        taint.abandoned, taint.leaks, taint.leaked_bytes
    )]
    FenceAbandoned { fence: FenceReport, quarantined: usize, released: usize, taint: Taint },

    #[error("{0}")]
    Engine(String),

    #[error(
        "the copy of '{}' is corrupt: read back, it hashes to {found} instead of {expected}; \
         '{}' is untouched", source_path.display(), destination.display()
    )]
    Corrupt {
        source_path: PathBuf,
        destination: PathBuf,
        expected: blake3::Hash,
        found: blake3::Hash,
    },

    #[error("interrupted by {}: '{}' is untouched", signal_name(*signal), destination.display())]
    Interrupted { signal: i32, destination: PathBuf },
}

/// The fence that an error is about, and what it stood for.
#[derive(Clone, Debug)]
pub(crate) struct FenceReport {
    /// "driver timeline context:seqno"
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) path: PathBuf,
    pub(crate) chunk: u64,
    pub(crate) offset: u64,
}

impl FenceReport {
    fn doing(&self) -> String {
        let verb = match self.operation {
            Operation::Read => "reading",
            Operation::Write => "writing",
            Operation::Hash => "hashing",
        };
        format!("{verb} '{}' at offset {} (chunk {})", self.path.display(), self.offset, self.chunk)
    }
}

/// The process-wide taint record when the run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taint {
    pub(crate) abandoned: u64,
    pub(crate) leaks: u64,
    pub(crate) leaked_bytes: u64,
}

impl CopyError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_owned(), cause }
    }
}

impl Failure for CopyError {
    fn exit_status(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Refused(_) | Self::FenceFailed(..) | Self::Engine(_) => 1,
            Self::Usage(_) => 2,
            Self::Corrupt { .. } => 3,
            Self::FenceAbandoned { .. } => 4,
            // A shell's convention for a process that a signal ended.
            Self::Interrupted { signal, .. } => 128 + *signal as u8,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Io { .. } => "io",
            Self::Refused(_) => "refused",
            Self::FenceFailed(..) => "fence_failed",
            Self::FenceAbandoned { .. } => "fence_abandoned",
            Self::Engine(_) => "engine",
            Self::Corrupt { .. } => "corrupt",
            Self::Interrupted { .. } => "interrupted",
        }
    }

    fn to_json(&self) -> Value {
        let mut error = common_json(self);
        if let Self::FenceFailed(fence, _) | Self::FenceAbandoned { fence, .. } = self {
            error["fence"] = fence.name.clone().into();
            error["chunk"] = fence.chunk.into();
        }
        if let Self::FenceAbandoned { quarantined, released, taint, .. } = self {
            error["quarantined_buffers"] = (*quarantined).into();
            error["released_buffers"] = (*released).into();
            error["taint"] = json!({
                "abandoned_fences": taint.abandoned,
                "leaks": taint.leaks,
                "leaked_bytes": taint.leaked_bytes,
            });
        }
        error
    }
}

fn fence_failed(fence: &FenceReport, errno: Errno) -> String {
    let cause = match (fence.operation, errno) {
        // What an engine says when a file ends before the bytes that it was asked for.
        (Operation::Read, Errno::ENODATA) => "the file shrank while it was being copied".into(),
        _ => io::Error::from_raw_os_error(errno.raw()).to_string(),
    };
    format!("error {}: {cause} [fence {}]", fence.doing(), fence.name)
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        signal_hook::consts::SIGHUP => "SIGHUP",
        signal_hook::consts::SIGINT => "SIGINT (Ctrl-C)",
        _ => "SIGTERM",
    }
}
