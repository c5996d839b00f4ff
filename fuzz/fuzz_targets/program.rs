//! Programs of any operations.
#![no_main]

use dma_fence_programs::{decode, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let program = decode(bytes);
    if let Err(error) = run(&program.0) {
        panic!("{error}\n{program:?}");
    }
});
