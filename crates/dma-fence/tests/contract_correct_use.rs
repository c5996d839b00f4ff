//! Correct use reports nothing, with every allocation of the process checked. Alone in its process, for the
//! order of things is the process's.
#![cfg(all(feature = "contract", not(loom)))]

use dma_fence::contract::{self, CheckedAllocator, LockClass};
use dma_fence::{Errno, Fence, FenceArray, FenceContext, ReservationObject, Usage};
use dma_fence::{taint, wait_all, wait_any};
use std::alloc::System;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

#[global_allocator]
static ALLOCATOR: CheckedAllocator<System> = CheckedAllocator(System);

static QUEUE: LockClass = LockClass::new("queue");
static DONE: LockClass = LockClass::new("done");

#[test]
fn correct_use_reports_nothing() {
    let context = FenceContext::hardware("gpu", "ring 0");
    let buffer = ReservationObject::new();
    let done = Arc::new(Mutex::new(0));
    let (submit, jobs) = channel();

    // The driver: takes the lock of its queue inside the reservation object's, never waits under it, and
    // signals in a section that takes only a lock under which nobody waits or allocates.
    let counted = done.clone();
    let driver = thread::spawn(move || {
        for producer in jobs {
            let producer: dma_fence::DriverFence = producer;
            let _section = contract::signalling_of(&producer.fence());
            let held = DONE.acquire();
            *counted.lock().unwrap() += 1;
            drop(held);
            producer.signal(Ok(()));
        }
    });
    let mut fences = Vec::new();
    for _ in 0..4 {
        let mut guard = buffer.lock();
        let producer = context.new_fence();
        guard.reserve(1).unwrap();
        guard.add(&producer.fence(), Usage::Bookkeep).unwrap();
        let _queue = QUEUE.acquire();
        fences.push(producer.fence());
        submit.send(producer).unwrap();
    }
    // Who waits may hold a reservation object, and reclaim waits, too.
    let guard = buffer.lock();
    assert!(wait_any(&fences).is_some());
    drop(guard);
    {
        let _reclaim = contract::reclaim();
        buffer.wait(Usage::Bookkeep).unwrap();
    }
    wait_all(&fences).unwrap();
    drop(submit);
    driver.join().unwrap();
    assert_eq!(*done.lock().unwrap(), 4);
    signalling_allocates_nothing();
    assert!(!taint::is_tainted(), "{:?}", taint::recent());
}

/// Nor what it triggers inside the library.
fn signalling_allocates_nothing() {
    let context = FenceContext::software("test", "nested");
    let (first, second, third) = (context.new_fence(), context.new_fence(), context.new_fence());
    let array = Fence::from(FenceArray::new(vec![second.fence(), third.fence()]).unwrap());
    array.on_signal(|_| ()).unwrap().detach();
    let signal_second = move |_: &_| second.signal(Err(Errno::EIO));
    first.fence().on_signal(signal_second).unwrap().detach();
    let section = contract::signalling();
    first.signal(Ok(()));
    third.signal(Ok(()));
    drop(section);
    assert!(array.is_signaled());
}
