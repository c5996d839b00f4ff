//! Unwrapping, merging and de-duplicating, of any nesting and in any order.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, Random, hardware, lost, rounds, software};
use dma_fence::{
    ArrayAllocation, ArrayMembers, ContextKind, DriverFence, Errno, Fence, FenceArray, FenceChain,
    FenceContext, SeqnoOrder, Signal, Status, Timestamp, dedup, merge, try_merge,
};

fn ids(fences: &[Fence]) -> Vec<(u64, u64)> {
    fences.iter().map(|fence| (fence.context(), fence.seqno())).collect()
}

fn ended(nanos: u64, result: Result<(), Errno>) -> Fence {
    let producer = software().new_fence();
    let fence = producer.fence();
    producer.signal_at(result, Timestamp::from_nanos(nanos));
    fence
}

fn two(context: &FenceContext) -> (DriverFence, DriverFence) {
    (context.new_fence(), context.new_fence())
}

// === unwrapping ===

#[test]
fn leaves_are_all_fences_of_any_nesting_in_order() {
    let context = software();
    let (a, b) = two(&context);
    let (c, d) = two(&context);
    let done = ended(1, Ok(()));
    let array = FenceArray::new(vec![b.fence(), done.clone()]).unwrap();
    let one = FenceChain::new(Some(c.fence()), array.clone().into(), 1).unwrap();
    let head = FenceChain::new(Some(one.into()), d.fence(), 2).unwrap();
    let leaves: Vec<Fence> = head.leaves().collect();
    let expected = [d.fence(), b.fence(), done.clone(), c.fence()];
    assert_eq!(ids(&leaves), ids(&expected), "signaled ones included");
    assert_eq!(ids(&array.leaves().collect::<Vec<_>>()), ids(&[b.fence(), done.clone()]));
    assert!(a.fence().leaves().next().unwrap().same_fence(&a.fence()));
    // Something signaled is let go by walking, not by unwrapping.
    b.signal(Ok(()));
    assert_eq!(head.leaves().count(), 4);
    let mut leaves = head.leaves();
    assert_eq!((leaves.by_ref().count(), leaves.next().is_none()), (4, true));
}

#[test]
fn an_array_before_a_chain_is_unwrapped_too() {
    let context = software();
    let (a, b) = two(&context);
    let array = FenceArray::new(vec![a.fence(), b.fence()]).unwrap();
    let head = FenceChain::new(Some(array.into()), ended(1, Ok(())), 1).unwrap();
    assert_eq!(head.leaves().count(), 3);
    assert!(!head.is_signaled());
    a.signal(Ok(()));
    b.signal(Ok(()));
    assert!(head.is_signaled());
}

#[test]
fn matching_a_context_looks_through_containers() {
    let (one, other) = (software(), software());
    let (a, b) = two(&one);
    let chain = FenceChain::new(Some(a.fence()), b.fence(), 1).unwrap();
    assert!(chain.match_context(one.id()) && !chain.match_context(other.id()));
    let mixed = FenceArray::new(vec![a.fence(), other.new_fence().fence()]).unwrap();
    assert!(!mixed.match_context(one.id()));
    assert!(a.fence().match_context(one.id()));
}

// === nothing, one, many ===

#[test]
fn nothing_pending_gives_a_signaled_fence_with_the_latest_time_and_the_first_error() {
    let fences = [
        ended(5, Ok(())),
        ended(9, Err(Errno::EIO)),
        ended(7, Err(Errno::ENOSPC)),
        ended(8, Ok(())),
    ];
    let merged = merge(fences);
    assert!(!merged.is_container());
    let signal = Signal { result: Err(Errno::ENOSPC), timestamp: Timestamp::from_nanos(9) };
    assert_eq!(merged.status(), Status::Signaled(signal));
}

#[test]
fn what_chains_have_let_go_still_counts() {
    let context = software();
    let pending = hardware().new_fence();
    let chain_of = |first: Fence, last: Fence| {
        let node = FenceChain::new(Some(first), ended(2, Ok(())), 1).unwrap();
        FenceChain::new(Some(node.into()), last, 2).unwrap()
    };
    let head = chain_of(ended(3, Err(Errno::EIO)), pending.fence());
    let second = FenceChain::new(Some(head.clone().into()), ended(6, Ok(())), 3).unwrap();
    assert!(head.prev().is_none(), "all before it has signaled");
    let last = context.new_fence();
    let other = chain_of(ended(9, Err(Errno::ENOSPC)), last.fence());
    assert!(other.prev().is_none());
    pending.signal_at(Ok(()), Timestamp::from_nanos(5));
    last.signal_at(Ok(()), Timestamp::from_nanos(4));
    let signal = Signal { result: Err(Errno::EIO), timestamp: Timestamp::from_nanos(9) };
    for (one, another) in [(&second, &other), (&other, &second)] {
        let merged = merge([one.clone().into(), another.clone().into()]);
        assert_eq!(merged.status(), Status::Signaled(signal));
    }
}

#[test]
fn of_errors_at_the_same_time_the_order_of_the_input_does_not_decide() {
    let chain = |error| {
        let last = ended(1, Ok(()));
        let node = FenceChain::new(Some(ended(3, Err(error))), last, 1).unwrap();
        assert!(node.prev().is_none());
        Fence::from(node)
    };
    let errors = [chain(Errno::ENOSPC), ended(3, Err(Errno::EBUSY)), chain(Errno::EIO)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        assert_eq!(merge(order.map(|index| errors[index].clone())).error(), Some(Errno::EIO));
    }
}

#[test]
fn dedup_finds_what_belongs_together_wherever_it_is() {
    let contexts = [software(), software(), software()];
    let (first, second): (Vec<_>, Vec<_>) = contexts.iter().map(two).unzip();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let both = [&second, &first, &second];
        let mut fences: Vec<Fence> =
            both.iter().flat_map(|each| order.map(|index| each[index].fence())).collect();
        dedup(&mut fences);
        assert_eq!(ids(&fences), contexts.each_ref().map(|context| (context.id(), 2)));
    }
}

/// A container does not know of a loss before somebody asks.
#[test]
fn dedup_keeps_a_container_of_which_a_member_is_lost() {
    let (requests, gpu) = (hardware(), hardware());
    let request = |member: Fence| -> Fence {
        let members = ArrayMembers::new(vec![member]).unwrap();
        ArrayAllocation::new().unwrap().init_in(&requests, members).into()
    };
    let running = gpu.new_fence();
    let (first, second) = (request(lost(&gpu)), request(running.fence()));
    let mut fences = vec![second.clone(), first.clone()];
    dedup(&mut fences);
    assert_eq!(ids(&fences), ids(&[second, first]));
    running.signal(Ok(()));
}

#[test]
fn dedup_tells_fences_of_one_number_apart() {
    let stub = |nanos| {
        Fence::signaled_with(Signal { result: Ok(()), timestamp: Timestamp::from_nanos(nanos) })
    };
    let [one, other] = [stub(1), stub(2)];
    let mut fences = vec![one.clone(), other.clone(), one.clone(), other.clone()];
    dedup(&mut fences);
    assert_eq!(fences.len(), 2);
    assert!([one, other].iter().all(|given| fences.iter().any(|left| left.same_fence(given))));
}

#[test]
fn nothing_at_all_gives_the_signaled_stub() {
    assert!(merge([]).same_fence(&Fence::signaled()));
    assert!(Fence::signaled().is_signaled());
    assert_eq!((Fence::signaled().context(), Fence::signaled().driver_name()), (0, "stub".into()));
    let mut none = Vec::new();
    dedup(&mut none);
    assert!(none.is_empty());
}

#[test]
fn one_pending_is_itself() {
    let producer = hardware().new_fence();
    let array = FenceArray::new(vec![ended(1, Ok(())), producer.fence()]).unwrap();
    let chain = FenceChain::new(Some(array.into()), producer.fence(), 1).unwrap();
    let merged = merge([chain.into(), ended(2, Err(Errno::EIO)), producer.fence()]);
    assert!(merged.same_fence(&producer.fence()));
    producer.signal(Ok(()));
}

#[test]
fn many_are_an_array_sorted_by_context_with_the_latest_of_each() {
    let contexts = [hardware(), hardware(), hardware()];
    let producers: Vec<_> =
        contexts.iter().flat_map(|context| [context.new_fence(), context.new_fence()]).collect();
    let latest: Vec<_> = producers.iter().skip(1).step_by(2).map(|p| p.fence()).collect();
    let mut random = Random(3);
    for _ in 0..rounds(50, 5) {
        let fences = random.order(6).into_iter().map(|index| producers[index].fence());
        let merged = merge(fences.chain([ended(1, Ok(())), producers[0].fence()]));
        assert_eq!(ids(merged.members().unwrap()), ids(&latest));
        // What comes out goes in again.
        let again = merge([merged.clone(), producers[2].fence()]);
        assert_eq!(ids(again.members().unwrap()), ids(&latest));
    }
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

#[test]
fn narrow_seqnos_that_wrap_still_give_the_latest() {
    let context = FenceContext::new(ContextKind::Software, "test", "narrow", SeqnoOrder::Bits32)
        .starting_at(u64::from(u32::MAX) - 1);
    let producers: Vec<_> = (0..4).map(|_| context.new_fence()).collect();
    let mut random = Random(5);
    for _ in 0..rounds(20, 3) {
        let mut fences: Vec<_> =
            random.order(4).into_iter().map(|index| producers[index].fence()).collect();
        dedup(&mut fences);
        assert_eq!(ids(&fences), [(context.id(), 1)], "numbers 0xfffffffe, 0xffffffff, 0, 1");
    }
}

#[test]
fn an_unordered_context_keeps_all_but_duplicates() {
    let context = FenceContext::new(ContextKind::Hardware, "test", "any", SeqnoOrder::Unordered);
    let (a, b) = two(&context);
    let merged = merge([b.fence(), a.fence(), b.fence()]);
    assert_eq!(ids(merged.members().unwrap()), ids(&[a.fence(), b.fence()]));
    b.signal(Ok(()));
    assert!(!merged.is_signaled());
    a.signal(Ok(()));
    assert!(merged.is_signaled());
}

#[test]
fn an_abandoned_fence_is_pending_and_no_later_one_stands_for_it() {
    let context = hardware();
    let gone = lost(&context);
    let later = context.new_fence();
    let merged = merge([gone.clone(), later.fence(), ended(1, Ok(()))]);
    assert_eq!(merged.members().unwrap().len(), 2);
    assert_eq!(merged.status(), Status::Abandoned);
    later.signal(Ok(()));
    assert!(!merged.is_signaled());
    assert!(merge([gone.clone()]).same_fence(&gone));
    context.declare_idle(Errno::EIO);
    assert_eq!(merged.error(), Some(Errno::EIO));
}

#[test]
fn an_abandoned_fence_does_not_keep_others_from_being_superfluous() {
    let context = hardware();
    let gone = lost(&context);
    let (earlier, later) = two(&context);
    let merged = merge([earlier.fence(), gone.clone(), later.fence()]);
    assert_eq!(ids(merged.members().unwrap()), ids(&[later.fence(), gone]));
    [earlier, later].into_iter().for_each(|producer| producer.signal(Ok(())));
    context.declare_idle(Errno::EIO);
}

#[test]
fn a_later_fence_that_is_abandoned_stands_for_those_before() {
    let context = hardware();
    let earlier = context.new_fence();
    let gone = lost(&context);
    assert!(merge([earlier.fence(), gone.clone()]).same_fence(&gone));
    earlier.signal(Ok(()));
    context.declare_idle(Errno::EIO);
}

#[test]
fn merging_asks_but_enables_nothing() {
    let (silent, polled) = (Backend::silent(), Backend::polled());
    let context = hardware();
    let waiting = context.new_fence_with(silent.clone());
    let finished = context.new_fence_with(polled.clone());
    polled.finish(Ok(()));
    let merged = try_merge([waiting.fence(), finished.fence()]).unwrap();
    assert!(merged.same_fence(&waiting.fence()), "the other one was found to be done");
    assert_eq!((silent.times_enabled(), polled.times_enabled()), (0, 0));
    finished.signal(Ok(()));
    waiting.signal(Ok(()));
}

#[test]
fn a_hint_of_how_many_there_are_may_be_wrong() {
    struct Endless(Option<Fence>);
    impl Iterator for Endless {
        type Item = Fence;
        fn next(&mut self) -> Option<Fence> {
            self.0.take()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (usize::MAX, None)
        }
    }
    let producer = hardware().new_fence();
    assert!(merge(Endless(Some(producer.fence()))).same_fence(&producer.fence()));
    producer.signal(Ok(()));
}
