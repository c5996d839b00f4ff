//! Programs that failed once, and some that chance and the corpus seldom find.

use dma_fence_programs::Backend::{Absent, Polled};
use dma_fence_programs::Op::*;
use dma_fence_programs::{EIO, ENODEV, Interest, Op, Slots, Then, run};

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

#[test]
fn a_point_that_is_let_go_leaves_those_before_it() {
    works(&[
        Fence { at: 0, context: 0, backend: Absent },
        Fence { at: 1, context: 1, backend: Absent },
        Fence { at: 2, context: 2, backend: Absent },
        Chain { at: 3, prev: None, fence: 0, seqno: 1 },
        Chain { at: 4, prev: Some(3), fence: 1, seqno: 2 },
        Chain { at: 5, prev: Some(4), fence: 2, seqno: 3 },
        Signal { producer: 1, error: None, time: 1 },
        Points { fence: 5 },
        FindSeqno { at: 6, fence: 5, seqno: 2 },
    ]);
}

#[test]
fn a_chain_whose_head_is_pending_lets_go_when_it_is_asked() {
    works(&[
        Fence { at: 0, context: 0, backend: Absent },
        Fence { at: 1, context: 1, backend: Absent },
        Chain { at: 2, prev: Some(0), fence: 1, seqno: 1 },
        Signal { producer: 0, error: None, time: 1 },
        Ask { fence: 2 },
        Leaves { fence: 2 },
    ]);
}

#[test]
fn of_errors_of_one_time_an_array_takes_the_first_and_a_chain_the_lowest() {
    works(&[
        Fence { at: 0, context: 0, backend: Absent },
        Fence { at: 1, context: 1, backend: Absent },
        Array { at: 2, members: Slots(0b11), context: None },
        Chain { at: 3, prev: Some(0), fence: 1, seqno: 1 },
        Signal { producer: 0, error: Some(ENODEV), time: 3 },
        Signal { producer: 1, error: Some(EIO), time: 3 },
        Ask { fence: 2 },
        Ask { fence: 3 },
    ]);
}

#[test]
fn a_loss_is_found_behind_what_is_pending() {
    works(&[
        Fence { at: 0, context: 0, backend: Absent },
        Fence { at: 1, context: 1, backend: Absent },
        Array { at: 2, members: Slots(0b11), context: None },
        Lose { producer: 0 },
        Ask { fence: 2 },
    ]);
}

#[test]
fn a_future_and_a_merge_ask_the_backend() {
    works(&[
        Fence { at: 0, context: 0, backend: Polled },
        Future { at: 0, fence: 0 },
        Finish { producer: 0, error: Some(EIO) },
        Poll { future: 0 },
        Fence { at: 1, context: 0, backend: Polled },
        Fence { at: 2, context: 1, backend: Absent },
        Finish { producer: 1, error: None },
        Merge { at: 3, fences: Slots(0b110) },
    ]);
}

#[test]
fn who_registers_hears_that_what_was_lost_has_ended() {
    works(&[
        Fence { at: 0, context: 0, backend: Absent },
        Array { at: 1, members: Slots(0b1), context: None },
        Lose { producer: 0 },
        Ask { fence: 1 },
        DeclareIdle { context: 0, error: EIO },
        On { interest: Interest::Outcome, fence: 1, at: 0, then: Then::Nothing },
    ]);
}

#[test]
fn a_detached_callback_keeps_a_chain_which_hears_of_a_loss() {
    works(&[
        Fence { at: 0, context: 0, backend: Absent },
        Chain { at: 1, prev: None, fence: 0, seqno: 1 },
        On { interest: Interest::Outcome, fence: 1, at: 0, then: Then::Nothing },
        Detach { callback: 0 },
        Drop { fence: 1 },
        Lose { producer: 0 },
    ]);
}

#[test]
fn a_registration_that_finds_a_loss_asks_nobody_again() {
    works(&[
        Fence { at: 6, context: 0, backend: Polled },
        Fence { at: 3, context: 0, backend: Absent },
        Chain { at: 7, prev: Some(6), fence: 3, seqno: 0 },
        Fence { at: 3, context: 0, backend: Absent },
        Finish { producer: 6, error: None },
        On { interest: Interest::Signal, fence: 7, at: 2, then: Then::Nothing },
    ]);
}
