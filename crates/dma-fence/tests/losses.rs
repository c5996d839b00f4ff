//! How much of a container its status asks: all of it only while something in the process is lost.
//!
//! One test, alone in its process: the count of what is lost serves all threads of it.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, hardware, lost};
use dma_fence::{Errno, Fence, FenceArray, Status};

#[test]
fn a_container_is_searched_only_while_a_fence_is_lost() {
    let (backend, pending) = (Backend::polled(), hardware().new_fence());
    let asked = hardware().new_fence_with(backend.clone());
    // Whoever asks an array begins at its end, and need not go on if that is pending.
    let array_of = |first: Fence| FenceArray::new(vec![first, pending.fence()]).unwrap();
    let array = array_of(asked.fence());
    let asks = || {
        let before = backend.times_polled();
        assert_eq!(array.status(), Status::Pending);
        backend.times_polled() > before
    };
    hardware().new_fence().signal(Ok(()));
    assert!(!asks(), "a signal is no loss that is over");
    for _ in 0..2 {
        let context = hardware();
        let gone = lost(&context);
        let arrays = [(); 2].map(|()| array_of(gone.clone()));
        assert!(arrays.iter().all(|array| array.status() == Status::Abandoned));
        assert!(asks());
        context.declare_idle(Errno::EIO);
        assert!(!asks());
    }
    asked.signal(Ok(()));
    pending.signal(Ok(()));
}
