//! Traces, read in one piece and in small ones.
#![no_main]

use std::io::Read;

use dma_fence_trace::{Reader, Tally};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes);
    assert_eq!(read(Pieces(bytes)), whole);
    let newlines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let unended = bytes.last().is_some_and(|byte| *byte != b'\n');
    assert_eq!(whole.1.lines, newlines + u64::from(unended));
});

/// What each line says, and what was counted.
fn read(input: impl Read) -> (Vec<String>, Tally) {
    let mut reader = Reader::new(input);
    let mut lines = Vec::new();
    while let Some(line) = reader.next().expect("memory cannot fail") {
        lines.push(format!("{line:?}"));
    }
    (lines, reader.tally().clone())
}

/// A few bytes at once.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let few = to.len().min(5);
        self.0.read(&mut to[..few])
    }
}
