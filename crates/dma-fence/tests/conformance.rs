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

const SOURCES: [&str; 4] = [
    include_str!("conformance/array.rs"),
    include_str!("conformance/errors.rs"),
    include_str!("conformance/fence.rs"),
    include_str!("conformance/merge.rs"),
];

/// The rows that are about this crate.
fn rows() -> impl Iterator<Item = u32> {
    (1..=14).chain([20, 30, 31])
}

#[test]
fn every_row_has_one_test() {
    for row in rows() {
        let test = format!("#[test]\nfn row_{row:02}_");
        let found: usize = SOURCES.iter().map(|source| source.matches(&test).count()).sum();
        assert_eq!(found, 1, "row {row}");
    }
}
