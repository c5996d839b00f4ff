//! `dma-fence info`, from top to bottom.

mod buffers;
mod describe;
pub(crate) mod error;
mod kind;
mod process;
mod text;

use serde::Serialize;

use self::{buffers::Buffers, describe::Described, error::InfoError, process::Process};
use crate::args::InfoArgs;

/// What was found. The fields are documented in `--help`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Report {
    Process { pid: i32, fds: Vec<Described> },
    Buffers(Buffers),
}

/// Looks, and changes nothing: no fence is asked to signal, none is waited for.
pub(crate) fn run(args: &InfoArgs) -> Result<Report, InfoError> {
    let Some(pid) = args.pid else {
        return buffers::list(args.saved()).map(Report::Buffers);
    };
    let process = Process::open(pid)?;
    let fds = match args.fd {
        Some(fd) => vec![describe::one(&process, fd)?],
        None => describe::all(&process)?,
    };
    Ok(Report::Process { pid, fds })
}
