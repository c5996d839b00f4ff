//! What errors say to people.
#![cfg(all(feature = "std", not(loom)))]

use dma_fence::{
    AddError, AllocError, Deadlock, DuplicateObject, Errno, FenceError, WaitAnyError, WaitError,
};

#[test]
fn an_error_number_has_a_name_or_its_number() {
    assert_eq!(Errno::ENOSPC.to_string(), "ENOSPC (no space left on device)");
    assert_eq!(Errno::from_raw(4095).unwrap().to_string(), "errno 4095");
}

#[test]
fn a_wait_says_why_it_did_not_end_well() {
    let failed = "EIO (input/output error)";
    let abandoned = "the fence lost its producer before it signaled";
    assert_eq!(FenceError::Failed(Errno::EIO).to_string(), failed);
    assert_eq!(FenceError::Abandoned.to_string(), abandoned);
    assert_eq!(WaitError::Failed(Errno::EIO).to_string(), failed);
    assert_eq!(WaitError::Abandoned.to_string(), abandoned);
    assert_eq!(WaitError::TimedOut.to_string(), "the fence did not signal in time");
    assert_eq!(WaitAnyError::TimedOut.to_string(), "none of the fences signaled in time");
    assert_eq!(WaitAnyError::NoFences.to_string(), "there is no fence to wait for");
}

#[test]
fn a_failed_allocation_says_so() {
    assert_eq!(AllocError.to_string(), "out of memory");
}

#[test]
fn a_reservation_object_says_why_it_refused() {
    let no_slot = "no slot was reserved for the fence";
    let container = "a reservation object takes no containers, only their leaves";
    assert_eq!(AddError::NoSlot.to_string(), no_slot);
    assert_eq!(AddError::Container.to_string(), container);
    let back_off = "an older context waits for a lock that this one holds";
    assert_eq!(Deadlock::BackOff.to_string(), back_off);
    assert_eq!(Deadlock::AlreadyLocked.to_string(), "the context holds the lock already");
    assert_eq!(DuplicateObject { index: 2 }.to_string(), "object 2 of the set is there twice");
}
