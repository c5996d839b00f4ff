//! Reads what kernels print about fences, line by line: [`Reader`]; one line: [`Parser`].
#![forbid(unsafe_code)]

mod event;
pub mod html;
mod parse;
mod read;
pub mod report;

pub use event::{Event, EventKind, FenceId, FenceStep, JobStep, Task};
pub use parse::{Line, Parser, Problem};
pub use read::{Reader, Tally};
