//! Reads what kernels print about fences, line by line: [`Reader`]; one line: [`Parser`]. Draws what a
//! [report](report::Report) says: [`perfetto`].
#![forbid(unsafe_code)]

mod event;
mod parse;
pub mod perfetto;
mod read;
pub mod report;

pub use event::{Event, EventKind, FenceId, FenceStep, JobStep, Task};
pub use parse::{Line, Parser, Problem};
pub use read::{Reader, Tally};
