//! Rows 7 to 10 and 12: containers of containers, merging and unwrapping.

use crate::common::{Random, hardware, in_time_with_stack, rounds};
use dma_fence::{
    DriverFence, Errno, Fence, FenceArray, FenceChain, FenceContext, RefusalReason, Signal, Status,
    Timestamp, dedup, merge, try_merge,
};

fn signaled(result: Result<(), Errno>, nanos: u64) -> Fence {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    producer.signal_at(result, Timestamp::from_nanos(nanos));
    fence
}

/// A debug build's frame takes a good hundred bytes, so no recursion of a million fits.
const STACK: usize = 256 << 10;

#[test]
fn row_07_nesting_is_refused_and_a_chain_of_a_million_is_fine() {
    let members = [hardware().new_fence(), hardware().new_fence()];
    let array: Fence = FenceArray::new(vec![members[0].fence()]).unwrap().into();
    let chain: Fence = FenceChain::new(None, members[1].fence(), 1).unwrap().into();
    for container in [array, chain.clone()] {
        let refused = FenceArray::new(vec![members[0].fence(), container.clone()]).unwrap_err();
        assert_eq!(refused.reason, RefusalReason::Container(1));
        assert!(refused.members[1].same_fence(&container));
    }
    let refused = FenceChain::new(None, chain.clone(), 2).unwrap_err();
    assert!(refused.fence.same_fence(&chain));

    let len = rounds(1_000_000, 300);
    // In the order of the points, so that the last signal walks the whole chain; or dropped pending.
    for signals in [true, false] {
        in_time_with_stack(STACK, move || {
            let context = hardware();
            let jobs: Vec<_> = (0..len).map(|_| context.new_fence()).collect();
            let link = |prev: Option<Fence>, job: &DriverFence| {
                Some(FenceChain::new(prev, job.fence(), job.seqno()).unwrap().into())
            };
            let head = FenceChain::from_fence(jobs.iter().fold(None, link).unwrap()).unwrap();
            assert_eq!((head.iter().count(), head.leaves().count()), (len, len));
            if !signals {
                drop(head);
                return jobs.into_iter().for_each(|job| job.signal(Ok(())));
            }
            head.on_signal(|_| ()).unwrap().detach();
            jobs.into_iter().for_each(|job| job.signal(Ok(())));
            assert!(head.is_signaled());
        });
    }
}

#[test]
fn row_08_merging_signaled_fences_gives_one_with_the_latest_time_and_the_first_error() {
    let inputs = [
        signaled(Ok(()), 5),
        signaled(Err(Errno::EIO), 3),
        FenceArray::new(vec![signaled(Err(Errno::ENOSPC), 7), signaled(Ok(()), 9)]).unwrap().into(),
    ];
    let merged = merge(inputs);
    let signal = Signal { result: Err(Errno::EIO), timestamp: Timestamp::from_nanos(9) };
    assert_eq!(merged.status(), Status::Signaled(signal));
    assert!(!merged.is_container());
    let succeeded = merge([signaled(Ok(()), 4), signaled(Ok(()), 2)]);
    let signal = Signal { result: Ok(()), timestamp: Timestamp::from_nanos(4) };
    assert_eq!(succeeded.status(), Status::Signaled(signal));
}

#[test]
fn row_09_unwrapping_shows_signaled_fences_and_merging_filters_them() {
    let pending = hardware().new_fence();
    let all = [signaled(Ok(()), 1), pending.fence(), signaled(Err(Errno::EIO), 2)];
    let array: Fence = FenceArray::new(all.to_vec()).unwrap().into();
    let last = signaled(Ok(()), 3);
    let chain: Fence = FenceChain::new(Some(last.clone()), array.clone(), 1).unwrap().into();
    let shows = |container: &Fence, expected: &[&Fence]| {
        let leaves: Vec<_> = container.leaves().collect();
        assert_eq!(leaves.len(), expected.len(), "{leaves:?}");
        assert!(leaves.iter().zip(expected).all(|(leaf, fence)| leaf.same_fence(fence)));
    };
    let [one, two, three] = &all;
    shows(&array, &[one, two, three]);
    shows(&chain, &[one, two, three, &last]);
    shows(&last, &[&last]);
    assert!(merge([chain.clone()]).same_fence(&pending.fence()));
    pending.signal(Ok(()));
    shows(&array, &[one, two, three]);
    assert!(array.is_signaled());
    shows(&array, &[one, two, three]);
}

/// `(context, seqno)` of each member.
fn places(array: &Fence) -> Vec<(u64, u64)> {
    let members = array.members().unwrap_or_default();
    members.iter().map(|member| (member.context(), member.seqno())).collect()
}

#[test]
fn row_10_merging_sorts_and_keeps_the_latest_of_each_context_in_any_order_of_input() {
    let contexts: [FenceContext; 3] = [(); 3].map(|()| hardware());
    let jobs: Vec<DriverFence> = (0..12).map(|n| contexts[n % 3].new_fence()).collect();
    let expected: Vec<_> = contexts.iter().map(|context| (context.id(), 4)).collect();
    let mut random = Random(0xfeed);
    let mut all = Fence::signaled();
    for _ in 0..rounds(200, 10) {
        let shuffled = random.order(12).into_iter().map(|index| jobs[index].fence());
        let mut fences: Vec<_> = shuffled.chain([jobs[0].fence()]).collect();
        assert_eq!(places(&merge(fences.clone())), expected);
        // Merged with what was merged before, it does not grow either.
        all = merge(fences.iter().cloned().chain([all]));
        assert_eq!(places(&all), expected);
        dedup(&mut fences);
        let kept: Vec<_> = fences.iter().map(|fence| (fence.context(), fence.seqno())).collect();
        assert_eq!(kept, expected);
    }
    jobs.into_iter().for_each(|job| job.signal(Ok(())));
    assert!(all.is_signaled());
}

#[test]
fn row_12_nothing_in_nothing_out() {
    let mut none = vec![];
    dedup(&mut none);
    assert!(none.is_empty());
    assert!(merge([]).is_signaled());
    assert!(try_merge([]).unwrap().is_signaled());
    assert_eq!(FenceArray::new(vec![]).unwrap_err().reason, RefusalReason::Empty);
}
