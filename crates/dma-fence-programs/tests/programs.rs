//! Programs that failed once, as they were printed.

use dma_fence_programs::Backend::Absent;
use dma_fence_programs::Op::*;
use dma_fence_programs::{EIO, ENODEV, Op, Slots, run};

fn works(program: &[Op]) {
    run(program).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn merging_counts_what_a_chain_has_let_go() {
    works(&[
        Fence { at: 0, context: 4, backend: Absent },
        Fence { at: 1, context: 0, backend: Absent },
        Chain { at: 2, prev: Some(0), fence: 1, seqno: 1 },
        Signal { producer: 0, error: Some(EIO), time: 3 },
        Points { fence: 2 },
        Signal { producer: 1, error: None, time: 2 },
        Merge { at: 3, fences: Slots(0b100) },
    ]);
}

#[test]
fn an_array_that_a_chain_has_let_go_counts_from_when_its_member_failed() {
    works(&[
        Fence { at: 0, context: 0, backend: Absent },
        Fence { at: 1, context: 1, backend: Absent },
        Array { at: 2, members: Slots(0b11), context: None },
        Fence { at: 4, context: 2, backend: Absent },
        Chain { at: 3, prev: Some(2), fence: 4, seqno: 1 },
        Signal { producer: 0, error: Some(EIO), time: 3 },
        Signal { producer: 1, error: None, time: 7 },
        Points { fence: 3 },
        Signal { producer: 4, error: None, time: 1 },
        Stub { at: 5, error: Some(ENODEV), time: 5 },
        Merge { at: 6, fences: Slots(0b101000) },
    ]);
}
