//! Why there is nothing to watch.

use std::io;

use crate::{
    error::Failure,
    input::{self, InputError},
    tracefs::error::TracefsError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error("standard output is not a terminal: --once prints the state as text")]
    NoTerminal,

    #[error("{0}")]
    Tracefs(#[from] TracefsError),

    #[error("cannot read {name}: {cause}")]
    Read { name: String, cause: io::Error },

    #[error("{0}")]
    Input(#[from] InputError),

    #[error("{name} has no events of fences, and is no trace. {}", input::READ)]
    NoTrace { name: String },

    #[error("cannot start a thread: {0}")]
    Thread(io::Error),

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
            Self::Input(error) => error.kind(),
            Self::NoTrace { .. } => "no_trace",
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
