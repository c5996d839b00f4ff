//! Random programs of operations on fences, run against the library and against a model of it.
//!
//! - [`Op`]: what a program consists of; every four bytes are one
//! - `model`: what fences do, written down as simply as possible and one step at a time
//! - [`run`](run()): does both side by side and compares after every step
//!
//! Three things use it: the properties in `tests/properties.rs`, the fuzz targets in the repository's
//! `fuzz` folder, and `tests/corpus.rs`, which runs what fuzzing has found worth keeping.
#![deny(unsafe_code)]

mod heap;
mod model;
mod op;
mod run;

pub use op::*;
pub use run::run;
