//! Why there is no recording.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use crate::{error::Failure, tracefs::error::TracefsError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("{0}")]
    Tracefs(#[from] TracefsError),

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
    pub(crate) fn output(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Output { path: path.to_owned(), cause }
    }
}

impl Failure for RecordError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Tracefs(error) => error.kind(),
            Self::Command { .. } => "command",
            Self::Output { .. } | Self::Wait(_) | Self::Signals(_) => "io",
        }
    }

    fn exit_status(&self) -> u8 {
        1
    }
}
