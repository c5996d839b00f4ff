//! Why a trace cannot be read.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::kind::Known;
use crate::error::Failure;

#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("cannot read {name}: {cause}")]
    Io { name: Name, cause: io::Error },

    #[error("{0} is a directory: name the file in it that has the trace")]
    Directory(Name),

    #[error("{0} is empty: there is no trace in it")]
    Empty(Name),

    /// Nothing could be unpacked.
    #[error("{0}")]
    Damaged(String),

    #[error("{}", instead(.name, .known, *.packed))]
    Known { name: Name, known: Known, packed: bool },
}

/// How messages call it.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    Stdin,
    File(PathBuf),
}

impl Name {
    pub(crate) fn of(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// As an argument of a command that can be copied. Not if it would have to be quoted.
    fn argument(&self) -> &str {
        let plain = |text: &&str| {
            !text.starts_with('-')
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+:@%,".contains(&b))
        };
        match self {
            Self::Stdin => "FILE",
            Self::File(path) => path.to_str().filter(plain).unwrap_or("FILE"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "'{}'", path.display()),
        }
    }
}

fn instead(name: &Name, known: &Known, packed: bool) -> String {
    let Known { what, command } = known;
    if packed {
        return format!("{name} has {what} in it: unpack it, then run `{command}`");
    }
    format!("{name} is {what}: run `{}`", command.replace("FILE", name.argument()))
}

impl Failure for InputError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Directory(_) | Self::Empty(_) | Self::Damaged(_) | Self::Known { .. } => "input",
        }
    }

    fn exit_status(&self) -> u8 {
        2
    }
}
