//! Traces of random events, and text, with all that is made of them. The events and the checks are those of
//! `cargo test -p dma-fence-trace --test random`.
#![no_main]

#[path = "../../crates/dma-fence-trace/tests/random/check.rs"]
mod check;
#[path = "../../crates/dma-fence-trace/tests/random/scenario.rs"]
mod scenario;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| check::everything(&scenario::any(bytes)));
