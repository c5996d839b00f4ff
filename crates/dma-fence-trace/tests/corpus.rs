//! What fuzzing has found worth keeping, run again: CI needs no fuzzer for that.

use std::io::{self, Read};
use std::{fs, path::Path};

use dma_fence_trace::{Reader, Tally};

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
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let few = to.len().min(5);
        self.0.read(&mut to[..few])
    }
}

#[test]
fn pieces_make_no_difference() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/trace");
    let mut events = 0;
    for file in fs::read_dir(&corpus).expect("the corpus") {
        let bytes = fs::read(file.expect("a file").path()).expect("its bytes");
        let whole = read(&bytes[..]);
        assert_eq!(read(Pieces(&bytes)), whole, "{}", bytes.escape_ascii());
        events += whole.1.events;
    }
    assert!(events > 0, "nothing in {}", corpus.display());
}
