//! Row 11: error paths.

use crate::common::allocator::{failing_after, leaks, live};
use crate::common::hardware;
use dma_fence::{
    AllocError, ArrayAllocation, ChainAllocation, ContainedFence, Errno, Fence, FenceAllocation,
    FenceArray, FenceChain, RefusedFence, RefusedMembers, ReservationObject, Signal, Timestamp,
    Usage, try_merge,
};

/// Lets the first allocation of `attempt` fail, then the second, and so on until it succeeds; what a
/// failure leaves of the input or of the attempt is a leak. Returns how often it failed.
fn fail_everywhere<I, T>(
    input: impl Fn() -> I,
    attempt: impl Fn(I) -> Result<T, AllocError>,
) -> usize {
    for succeed in 0.. {
        let before = live();
        let input = input();
        match failing_after(succeed, || attempt(input)) {
            Ok(_) => return succeed,
            Err(AllocError) => assert_eq!(live(), before, "leaks when allocation {succeed} fails"),
        }
    }
    unreachable!("it succeeds some day")
}

fn allocations() {
    assert_eq!(fail_everywhere(|| (), |()| FenceAllocation::new()), 1);
    assert_eq!(fail_everywhere(|| (), |()| ArrayAllocation::new()), 2);
    assert_eq!(fail_everywhere(|| (), |()| ChainAllocation::new()), 2);
}

fn merges() {
    let producers = [(); 3].map(|()| hardware().new_fence());
    let plain = producers.each_ref().map(|producer| producer.fence());
    let array = || FenceArray::new(plain.to_vec()).unwrap();
    let chain = FenceChain::new(Some(plain[0].clone()), array().into(), 1).unwrap();
    let pending = || [chain.clone().into(), plain[1].clone(), array().into()];
    // Its list of leaves, and both parts of the array.
    assert!(fail_everywhere(pending, try_merge) >= 3);
    let at = |nanos| Signal { result: Err(Errno::EIO), timestamp: Timestamp::from_nanos(nanos) };
    let ended = || [1, 2].map(|nanos| Fence::signaled_with(at(nanos)));
    assert_eq!(fail_everywhere(ended, try_merge), 2, "the list, and the fence that has signaled");
    drop((chain, plain));
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

fn reservations() {
    let object = ReservationObject::new();
    let producers = [(); 3].map(|()| hardware().new_fence());
    for (round, producer) in producers.iter().enumerate() {
        let fence = producer.fence();
        // Memory once reserved stays, so each round asks for much more.
        assert!(fail_everywhere(|| (), |()| object.lock().reserve(9 << (2 * round))) > 0);
        let mut guard = object.lock();
        guard.reserve(1).unwrap();
        guard.add(&fence, Usage::Read).unwrap();
    }
    assert_eq!(object.fences(Usage::Read).len(), 3, "a failure loses nothing");
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

fn refusals() {
    let producer = hardware().new_fence();
    let chain = FenceChain::new(None, producer.fence(), 1).unwrap();
    let RefusedMembers { members, .. } =
        FenceArray::new(vec![producer.fence(), chain.clone().into()]).unwrap_err();
    let RefusedFence { fence } = ContainedFence::new(chain.into()).unwrap_err();
    drop((members, fence));
    producer.signal(Ok(()));
}

#[test]
fn row_11_nothing_leaks_on_any_error_path() {
    let stories: [(&str, fn()); 4] = [
        ("allocations", allocations),
        ("merges", merges),
        ("reservations", reservations),
        ("refusals", refusals),
    ];
    for (name, story) in stories {
        assert_eq!(leaks(story), 0, "{name}");
    }
}
