//! How much memory fences take on 64-bit machines, and in how many pieces.
//!
//! What is measured is what is asked of the allocator. With contract checks everything is larger.
#![cfg(all(feature = "std", target_pointer_width = "64", not(feature = "contract"), not(loom)))]

mod common;

use common::allocator::{Counting, allocations, live_bytes};
use common::hardware;
use dma_fence::{DriverFence, Fence, FenceArray, FenceChain};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// 64 bytes, counters among them, and two pointers for the hooks of a backend.
const FENCE: usize = 64 + 16;
/// Its fence, and the node that its members call back.
const ARRAY: usize = FENCE + 144;
/// Its fence, and the node that its fences call back.
const CHAIN: usize = FENCE + 168;

/// What `make` returns, the bytes that are allocated for it, and how often it allocates.
fn measured<T>(make: impl FnOnce() -> T) -> (T, usize, usize) {
    let (mut made, before) = (None, live_bytes());
    let count = allocations(|| made = Some(make()));
    let bytes = (live_bytes() - before).try_into().expect("nothing is freed");
    (made.expect("made"), bytes, count)
}

fn pending(count: usize) -> (Vec<DriverFence>, Vec<Fence>) {
    let context = hardware();
    let producers: Vec<_> = (0..count).map(|_| context.new_fence()).collect();
    let fences = producers.iter().map(DriverFence::fence).collect();
    (producers, fences)
}

#[test]
fn a_handle_is_a_pointer() {
    assert_eq!([size_of::<Fence>(), size_of::<Option<Fence>>()], [8, 8]);
}

#[test]
fn a_fence_is_64_bytes_and_its_hooks() {
    let context = hardware();
    let (producer, bytes, count) = measured(|| context.new_fence());
    assert!(bytes <= FENCE, "{bytes} bytes");
    assert_eq!(count, 1);
    let (_handle, bytes, _) = measured(|| producer.fence());
    assert_eq!(bytes, 0);
}

#[test]
fn an_array_is_a_constant_and_a_pointer_a_member() {
    for members in [1, 2, 1000] {
        let (_producers, fences) = pending(members);
        let (vector, bytes, _) = measured(|| fences.as_slice().to_vec());
        assert_eq!(bytes, 8 * members);
        let (_array, bytes, count) = measured(|| FenceArray::new(vector).unwrap());
        assert!(bytes <= ARRAY, "{bytes} bytes more for {members} members");
        assert!(count <= 2, "{count} allocations for {members} members");
    }
}

#[test]
fn an_array_allocates_nothing_once_it_is_there() {
    let (producers, fences) = pending(100);
    let array = FenceArray::new(fences).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    let life = || {
        assert!(!array.is_signaled());
        producers.into_iter().for_each(|producer| producer.signal(Ok(())));
        assert!(array.is_signaled());
        drop(array);
    };
    assert_eq!(allocations(life), 0);
}

#[test]
fn a_point_of_a_chain_is_no_larger_than_it_was() {
    let (_producers, fences) = pending(1);
    let (_chain, bytes, count) = measured(|| FenceChain::new(None, fences[0].clone(), 1).unwrap());
    assert!(bytes <= CHAIN, "{bytes} bytes");
    assert!(count <= 2, "{count} allocations");
}
