//! Reads what kernels print about fences, and finds out which never signaled and who waits.
#![forbid(unsafe_code)]

mod event;

pub use event::{Event, EventKind, FenceId, FenceStep, JobStep, Task};
