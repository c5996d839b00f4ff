//! The bugs this field has had elsewhere: one test for each, named after what must hold here.
//!
//! `docs/parity.md` tells what each row is about.
#![cfg(all(feature = "std", not(loom)))]

mod common;
mod conformance {
    mod array;
    mod errors;
    mod fence;
    mod merge;
}

use common::allocator::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SUITE: [&str; 4] = [
    include_str!("conformance/array.rs"),
    include_str!("conformance/errors.rs"),
    include_str!("conformance/fence.rs"),
    include_str!("conformance/merge.rs"),
];

/// The rows that are about this crate and have their one test here.
fn rows() -> impl Iterator<Item = u32> {
    (1..=14).chain([20, 30, 31])
}

/// Those that need what another suite has, and that suite.
const ELSEWHERE: [(u32, &str); 9] = [
    (15, include_str!("reservation_readers.rs")),
    (16, include_str!("reservation.rs")),
    (17, include_str!("reservation_readers.rs")),
    (18, include_str!("reservation.rs")),
    (19, include_str!("reservation_readers.rs")),
    (27, include_str!("contract.rs")),
    (28, include_str!("locks.rs")),
    (29, include_str!("locks.rs")),
    (32, include_str!("locks.rs")),
];

/// How many tests of a row a source has.
fn tests_of(row: u32, source: &str) -> usize {
    source.matches(&format!("#[test]\nfn row_{row:02}_")).count()
}

#[test]
fn every_row_has_a_test() {
    for row in rows() {
        let found: usize = SUITE.iter().map(|source| tests_of(row, source)).sum();
        assert_eq!(found, 1, "row {row}");
    }
    for (row, source) in ELSEWHERE {
        assert!(tests_of(row, source) > 0, "row {row}");
    }
}
