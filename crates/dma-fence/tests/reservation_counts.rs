//! Readers of a reservation object beside a busy writer: in the end every fence has been freed, once. The
//! only test here, for what is allocated is counted over all threads.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Random, beside, hardware, in_time, rounds};
use dma_fence::{DriverFence, Fence, ReservationObject, ReservationStatus, Usage};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering::SeqCst};

/// What a fence leaves where it was, so that somebody who still reads it reads nonsense.
const FREED: u8 = 0xa5;

static LIVE: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: Passes everything on to the system's allocator; the counter does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(1, SeqCst);
        // SAFETY: The caller's contract is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(1, SeqCst);
        // SAFETY: The caller's contract is the same; until then the memory is the caller's.
        unsafe {
            ptr.write_bytes(FREED, layout.size());
            System.dealloc(ptr, layout);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(object: &ReservationObject, producer: &DriverFence, usage: Usage) {
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    guard.add(&producer.fence(), usage).unwrap();
}

/// One of the three ways in which fences leave an object.
fn change(
    object: &ReservationObject,
    random: &mut Random,
    held: &[DriverFence],
    new: &DriverFence,
) {
    let usage = [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep][random.below(4)];
    match random.below(3) {
        0 => add(object, new, usage),
        1 => {
            let other = ReservationObject::new();
            add(&other, new, usage);
            object.lock().copy_from(&other).unwrap();
        }
        _ => {
            add(object, new, usage);
            let gone = held[random.below(held.len())].context();
            object.lock().replace(gone, &new.fence(), usage).unwrap();
        }
    }
}

fn story(changes: usize) {
    let object = ReservationObject::new();
    let mut held = vec![hardware().new_fence()];
    add(&object, &held[0], Usage::Write);
    let read = || {
        let fences = object.fences_with_usage(Usage::Bookkeep);
        assert!(!fences.is_empty());
        assert!(
            fences.iter().all(|(fence, _)| fence.seqno() == 1 && fence.driver_name() == "test")
        );
        assert!(object.iter(Usage::Bookkeep).take(2).all(|(fence, _)| fence.seqno() == 1));
        let seqnos = |sum, fence: &Fence, _| sum + fence.seqno() - 1;
        assert_eq!(object.fold(Usage::Bookkeep, || 0, seqnos), 0);
        // The one that was added last is pending, and is there.
        assert!(!object.is_signaled(Usage::Bookkeep));
        assert!(matches!(object.status(Usage::Bookkeep), ReservationStatus::Pending));
        assert!(object.unsignaled(Usage::Bookkeep).iter().all(|fence| fence.seqno() == 1));
    };
    beside(3, read, || {
        let mut random = Random(7);
        for _ in 0..changes {
            let new = hardware().new_fence();
            change(&object, &mut random, &held, &new);
            held.push(new);
            // The object's handle, or a reader's, may be the last from here on.
            if held.len() > 3 {
                held.remove(random.below(held.len() - 1)).signal(Ok(()));
            }
        }
    });
    held.into_iter().for_each(|producer| producer.signal(Ok(())));
    assert!(object.is_signaled(Usage::Bookkeep));
}

#[test]
fn row_17_the_counts_are_exact_beside_a_busy_writer() {
    in_time(|| {
        // Threads leave caches that stay: so do those that wait for this one, which have to get there first.
        story(rounds(2_000, 1));
        let before = LIVE.load(SeqCst);
        story(rounds(50_000, 60));
        assert_eq!(LIVE.load(SeqCst) - before, 0);
    });
}
