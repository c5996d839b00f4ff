//! What fuzzing has found worth keeping, run again: CI needs no fuzzer for that.

use dma_fence_programs::{Program, decode, decode_nestings, run};
use std::fs;
use std::path::Path;

fn replay(target: &str, decode: fn(&[u8]) -> Program) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut programs = 0;
    for file in fs::read_dir(&corpus).unwrap() {
        let path = file.unwrap().path();
        let program = decode(&fs::read(&path).unwrap());
        if let Err(error) = run(&program.0) {
            panic!("{}: {error}\n{program:?}", path.display());
        }
        programs += 1;
    }
    assert!(programs > 0, "nothing in {}", corpus.display());
}

#[test]
fn programs_of_the_corpus_do_what_the_model_does() {
    replay("program", decode);
}

#[test]
fn nestings_of_the_corpus_do_what_the_model_does() {
    replay("merge", decode_nestings);
}
