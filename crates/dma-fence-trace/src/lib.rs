//! Reads what kernels print about fences, and finds out which never signaled and who waits.
#![forbid(unsafe_code)]

mod event;
mod parse;
mod read;

pub use event::{Event, EventKind, FenceId, FenceStep, JobStep, Task};
pub use parse::{Line, Parser, Problem};
pub use read::{Reader, Tally};
