//! Random programs do on the library what they do on the model. A failure prints the shortest program
//! that fails, as code for `programs.rs`.

use dma_fence_programs::{Program, decode, decode_nestings, run};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes, for shrinking them takes operations away and makes operands small.
fn programs(decode: fn(&[u8]) -> Program) -> impl Strategy<Value = Program> {
    vec(any::<[u8; 4]>(), 1..60).prop_map(move |ops| decode(ops.as_flattened()))
}

fn config() -> ProptestConfig {
    // `PROPTEST_CASES` asks for more or fewer. What failed becomes a program that people can read, so no
    // file of seeds is kept.
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(2048),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn programs_do_what_the_model_does(program in programs(decode)) {
        run(&program.0).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn nestings_do_what_the_model_does(program in programs(decode_nestings)) {
        run(&program.0).map_err(TestCaseError::fail)?;
    }
}
