//! What may cross threads, pinned: an auto trait lost by accident is a breaking change.
#![cfg(all(feature = "std", not(loom)))]

use dma_fence::*;
use std::panic::{RefUnwindSafe, UnwindSafe};

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}
fn clone<T: Clone>() {}
fn error<T: std::error::Error + Send + Sync + 'static>() {}

/// True if the type has the trait; a trait bound cannot say "has not".
macro_rules! has {
    ($type:ty: $($bound:tt)+) => {{
        #[allow(dead_code, reason = "found only if the bound does not hold")]
        trait Fallback {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Fallback for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "found only if the bound holds")]
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

#[test]
fn handles_are_shared_between_threads() {
    macro_rules! shared {
        ($($type:ty),+) => { $( send::<$type>(); sync::<$type>(); unpin::<$type>(); )+ };
    }
    shared!(Fence, FenceArray, FenceContext, DriverFence, FenceCallback, FenceFuture);
    shared!(FenceAllocation, ArrayAllocation, ArrayMembers, RefusedMembers, ReservationObject);
    shared!(Declined<fn()>, Errno, Timestamp, Signal, Status, Outcome, taint::Record);
}

#[test]
fn a_lock_stays_on_its_thread() {
    assert!(!has!(ReservationGuard<'static>: Send));
    assert!(has!(ReservationGuard<'static>: Sync));
}

#[test]
fn there_is_one_producer_and_one_registration() {
    clone::<Fence>();
    clone::<FenceArray>();
    assert!(!has!(DriverFence: Clone));
    assert!(!has!(FenceCallback: Clone));
    assert!(!has!(FenceContext: Clone));
}

#[test]
fn errors_are_errors() {
    error::<Errno>();
    error::<FenceError>();
    error::<WaitError>();
    error::<AddError>();
    error::<AllocError>();
    error::<RefusedMembers>();
}

#[test]
fn the_probe_tells_the_difference() {
    assert!(has!(u8: Send) && !has!(*const u8: Send) && has!(u8: UnwindSafe + RefUnwindSafe));
}

#[test]
fn a_handle_is_a_pointer_with_a_niche() {
    assert_eq!(size_of::<Fence>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Fence>>(), size_of::<usize>());
    assert_eq!(size_of::<DriverFence>(), size_of::<usize>());
    assert_eq!(size_of::<FenceArray>(), size_of::<usize>());
}
