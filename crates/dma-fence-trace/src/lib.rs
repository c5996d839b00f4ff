//! Reads what kernels print about fences, and finds out which never signaled and who waits.
//!
//! [`Parser`] understands a line, [`Reader`] finds the lines, [`Model`] remembers what became of each fence, and
//! [`Report`] says it; [`culprits`] are those to blame. [`html`] and [`perfetto`] draw it.
#![forbid(unsafe_code)]

mod blame;
pub mod culprits;
mod event;
mod filter;
pub mod html;
mod model;
mod parse;
pub mod perfetto;
mod read;
pub mod report;
mod summary;
mod verdict;
pub mod words;

pub use event::{Event, EventKind, FenceId, FenceStep, JobStep, Task};
pub use filter::Filter;
pub use model::{Model, Options};
pub use parse::{Line, Parser, Problem};
pub use read::{Reader, Tally};
pub use report::Report;
