//! Nestings, merged and taken apart.
#![no_main]

use dma_fence_programs::{decode_nestings, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let program = decode_nestings(bytes);
    if let Err(error) = run(&program.0) {
        panic!("{error}\n{program:?}");
    }
});
