//! Why there is nothing to watch.

use std::{io, path::PathBuf};

use crate::{error::Failure, tracefs::error::TracefsError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error("standard output is not a terminal: --once prints the state as text")]
    NoTerminal,

    #[error("{0}")]
    Tracefs(#[from] TracefsError),

    #[error("cannot read {name}: {cause}")]
    Read { name: String, cause: io::Error },

    #[error("cannot read '{}': {cause}", path.display())]
    Open { path: PathBuf, cause: io::Error },

    #[error("cannot use the terminal: {0}")]
    Terminal(io::Error),

    #[error("cannot install handlers of signals: {0}")]
    Signals(io::Error),
}

impl Failure for WatchError {
    fn kind(&self) -> &'static str {
        match self {
            Self::NoTerminal => "usage",
            Self::Tracefs(error) => error.kind(),
            _ => "io",
        }
    }

    fn exit_status(&self) -> u8 {
        match self {
            Self::NoTerminal => 2,
            _ => 1,
        }
    }
}
