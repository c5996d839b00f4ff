//! Waits and callbacks that are in each other's way.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{OnPoll, hardware, in_time, in_time_with_stack, lost, rounds};
use dma_fence::{Errno, Fence, FenceArray, WaitError, wait_all_timeout, wait_any_timeout};
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

#[test]
fn any_number_of_callbacks_that_wait_takes_a_small_stack() {
    in_time_with_stack(256 << 10, || {
        let (first, other) = (hardware().new_fence(), hardware().new_fence());
        let begun = Arc::new(AtomicUsize::new(0));
        let count = rounds(20_000, 50);
        for _ in 0..count {
            let (awaited, begun) = (other.fence(), begun.clone());
            let wait = move |_: &_| {
                begun.fetch_add(1, SeqCst);
                awaited.wait().unwrap();
            };
            first.fence().on_signal(wait).unwrap().detach();
        }
        let seen = begun.clone();
        let signaler = thread::spawn(move || {
            // As deep as they nest, they come to a rest.
            let mut before = 0;
            while before == 0 || seen.load(SeqCst) != before {
                before = seen.load(SeqCst);
                thread::sleep(Duration::from_millis(20));
            }
            other.signal(Ok(()));
        });
        first.signal(Ok(()));
        assert_eq!(begun.load(SeqCst), count);
        signaler.join().unwrap();
    });
}

#[test]
fn a_limit_ends_a_wait_in_a_callback_though_more_is_queued() {
    in_time(|| {
        let (first, never) = (hardware().new_fence(), hardware().new_fence());
        let ran = Arc::new(AtomicUsize::new(0));
        let (awaited, seen) = (never.fence(), ran.clone());
        let (tell, told) = mpsc::channel();
        let wait = move |_: &_| {
            assert!(awaited.wait_timeout(Duration::from_millis(1)).is_err());
            tell.send(seen.load(SeqCst)).unwrap();
        };
        first.fence().on_signal(wait).unwrap().detach();
        for _ in 0..20 {
            let ran = ran.clone();
            let slow = move |_: &_| {
                thread::sleep(Duration::from_millis(2));
                ran.fetch_add(1, SeqCst);
            };
            first.fence().on_signal(slow).unwrap().detach();
        }
        first.signal(Ok(()));
        assert!(told.recv().unwrap() <= 1, "one may be running when the limit passes");
        assert_eq!(ran.load(SeqCst), 20);
        never.signal(Ok(()));
    });
}

/// A future that looks at an abandoned array, whose members are asked each time: this one's hook panics
/// at the third look, which is while the poll helps.
fn poll_that_panics_while_it_helps() {
    let context = hardware();
    let looks = AtomicUsize::new(0);
    let hook = OnPoll(move || {
        assert_ne!(looks.fetch_add(1, SeqCst), 2, "a broken hook");
        None
    });
    let polled = context.new_fence_with(Arc::new(hook));
    let array: Fence = FenceArray::new(vec![lost(&context), polled.fence()]).unwrap().into();
    let outer = context.new_fence();
    let poll = move |_: &_| {
        let mut future = pin!(array.into_future());
        let mut nobody = Context::from_waker(Waker::noop());
        _ = catch_unwind(AssertUnwindSafe(|| _ = future.as_mut().poll(&mut nobody)));
    };
    outer.fence().on_signal(poll).unwrap().detach();
    outer.signal(Ok(()));
    polled.signal(Ok(()));
}

#[test]
fn hooks_that_panic_use_up_no_help() {
    in_time(|| {
        (0..20).for_each(|_| poll_that_panics_while_it_helps());
        let (first, second) = (hardware().new_fence(), hardware().new_fence());
        let awaited = second.fence();
        first.fence().on_signal(move |_| awaited.wait().unwrap()).unwrap().detach();
        first.fence().on_signal(move |_| second.signal(Ok(()))).unwrap().detach();
        first.signal(Ok(()));
    });
}

#[test]
fn a_slow_callback_before_ours_makes_no_wait_miss_a_signal() {
    in_time(|| {
        let (slow, other) = (hardware().new_fence(), hardware().new_fence());
        let (release, released) = mpsc::channel::<()>();
        let runs = move |_: &_| released.recv().unwrap();
        slow.fence().on_signal(runs).unwrap().detach();
        let fences = [slow.fence(), other.fence()];
        let limit = Duration::from_secs(2);
        let waiters = (
            thread::spawn({
                let fences = fences.clone();
                move || wait_any_timeout(&fences[..1], limit)
            }),
            thread::spawn({
                let fences = fences.clone();
                move || wait_all_timeout(&fences, limit)
            }),
        );
        // Both are most likely asleep by now; if not, they look and find the same.
        thread::sleep(limit / 40);
        other.signal(Err(Errno::EIO));
        let signaler = thread::spawn(move || slow.signal(Ok(())));
        assert_eq!(waiters.0.join().unwrap(), Ok(0));
        assert_eq!(waiters.1.join().unwrap(), Err(WaitError::Failed(Errno::EIO)));
        release.send(()).unwrap();
        signaler.join().unwrap();
    });
}
