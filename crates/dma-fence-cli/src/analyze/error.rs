//! Why there is no analysis.

use std::{io, path::PathBuf};

use dma_fence_trace::report::MalformedLine;

use crate::{
    error::Failure,
    input::{self, InputError, Name},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum AnalyzeError {
    #[error(transparent)]
    Input(#[from] InputError),

    #[error("cannot read {}: {cause}", Name::of(path))]
    Read { path: PathBuf, cause: io::Error },

    #[error(
        "no event was understood in {}: {lines} lines, of which {malformed} look like events of fences{}. {}",
        list(files), example(first.as_ref()), input::READ
    )]
    NothingUnderstood {
        files: Vec<PathBuf>,
        lines: u64,
        malformed: u64,
        first: Option<MalformedLine>,
    },

    #[error("{0}")]
    Usage(String),

    #[error("cannot write '{}': {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
}

fn example(first: Option<&MalformedLine>) -> String {
    let Some(MalformedLine { file, line, problem }) = first else { return String::new() };
    // If there is only one, it was named already.
    let of = if file.is_empty() { "".into() } else { format!(" of {}", Name::of(file.as_ref())) };
    format!(" (line {line}{of}: {problem})")
}

fn list(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|file| Name::of(file).to_string()).collect();
    names.join(", ")
}

impl Failure for AnalyzeError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Input(_) | Self::NothingUnderstood { .. } => "input",
            Self::Usage(_) => "usage",
            Self::Read { .. } | Self::Write { .. } => "io",
        }
    }

    fn exit_status(&self) -> u8 {
        2
    }
}
