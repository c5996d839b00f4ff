//! The examples run, leave nothing behind, and are short enough to be read at once.
#![cfg(all(feature = "std", not(loom)))]

mod common;
#[path = "../examples/i915_parallel_submit.rs"]
mod i915_parallel_submit;
#[path = "../examples/xe_in_fence.rs"]
mod xe_in_fence;
#[path = "../examples/xe_vm_bind.rs"]
mod xe_vm_bind;

use common::allocator::{Counting, leaks};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn one_fence_stands_for_a_parallel_submission() {
    assert_eq!(leaks(i915_parallel_submit::main), 0);
}

#[test]
fn gathering_that_fails_half_way_leaves_nothing_behind() {
    assert_eq!(leaks(xe_in_fence::main), 0);
}

#[test]
fn a_bind_has_no_way_to_fail_after_the_point_of_no_return() {
    assert_eq!(leaks(xe_vm_bind::main), 0);
}

#[test]
fn the_examples_are_short() {
    let sources = [
        include_str!("../examples/i915_parallel_submit.rs"),
        include_str!("../examples/xe_in_fence.rs"),
        include_str!("../examples/xe_vm_bind.rs"),
    ];
    assert!(sources.iter().all(|source| source.lines().count() <= 80));
}
