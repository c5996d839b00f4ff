//! Chains: when a point signals and with what, what the walk lets go, and points asked for by number.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{
    Backend, Log, OnPoll, Random, hardware, in_time, in_time_with_stack, lost, rounds, software,
};
use dma_fence::{
    BeyondHead, DriverFence, Errno, Fence, FenceArray, FenceChain, FenceError, Outcome, Signal,
    Status, Timestamp, merge,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

fn producers(len: usize) -> Vec<DriverFence> {
    (0..len).map(|_| hardware().new_fence()).collect()
}

/// Points 10, 20, 30 … with one producer each.
fn chain_of(producers: &[DriverFence]) -> FenceChain {
    let link = |prev: Option<FenceChain>, (index, producer): (usize, &DriverFence)| {
        let seqno = 10 * (index as u64 + 1);
        Some(FenceChain::new(prev.map(Fence::from), producer.fence(), seqno).unwrap())
    };
    producers.iter().enumerate().fold(None, link).unwrap()
}

fn seqnos(chain: &FenceChain) -> Vec<u64> {
    chain.iter().map(|fence| fence.seqno()).collect()
}

fn at(producer: DriverFence, nanos: u64, result: Result<(), Errno>) {
    producer.signal_at(result, Timestamp::from_nanos(nanos));
}

// === what it is made of ===

#[test]
fn rising_points_share_a_context_and_others_begin_one() {
    let context = software();
    let fence = || context.new_fence().fence();
    let first = FenceChain::new(None, fence(), 5).unwrap();
    let second = FenceChain::new(Some(first.clone().into()), fence(), 7).unwrap();
    assert_eq!((second.context(), second.seqno()), (first.context(), 7));
    assert_eq!((first.prev_seqno(), second.prev_seqno()), (0, 5));
    for stale in [3, 7] {
        let other = FenceChain::new(Some(second.clone().into()), fence(), stale).unwrap();
        assert_ne!(other.context(), second.context());
        assert_eq!((other.seqno(), other.prev_seqno()), (7, 0), "never behind what it waits for");
    }
    let after_plain = FenceChain::new(Some(fence()), fence(), 1).unwrap();
    assert_eq!(after_plain.prev_seqno(), 0);
    assert_eq!(
        (second.is_later_than(&first), first.is_later_than(&second)),
        (Some(true), Some(false))
    );
    assert_eq!(second.driver_name(), "dma_fence_chain");
    assert_eq!(second.timeline_name(), "unbound");
    assert!(second.is_container() && second.is_chain() && !second.is_array());
}

#[test]
fn a_chain_contains_an_array_but_no_chain() {
    let members = producers(2);
    let array = FenceArray::new(members.iter().map(DriverFence::fence).collect()).unwrap();
    let chain = FenceChain::new(None, array.into(), 1).unwrap();
    assert!(chain.contained().is_array());
    let refused = FenceChain::new(None, chain.clone().into(), 2).unwrap_err();
    assert!(refused.fence.same_fence(&chain), "handed back");
    assert!(refused.to_string().contains("dma_fence_chain unbound"));
    assert!(FenceArray::new(vec![chain.clone().into()]).is_err());
    assert!(FenceChain::from_fence(chain.clone().into()).is_ok());
    assert!(
        FenceChain::from_fence(members[0].fence()).unwrap_err().same_fence(&members[0].fence())
    );
    let called = Log::new();
    let log = called.clone();
    chain.on_signal(move |signal| log.push(*signal)).unwrap().detach();
    members.into_iter().for_each(|member| member.signal(Ok(())));
    assert_eq!(called.take().len(), 1);
}

// === when it signals ===

#[test]
fn a_point_signals_when_it_and_all_before_have_in_any_order() {
    let mut random = Random(11);
    for len in [1, 2, 3, 7] {
        for asked in 0..=len {
            for waited in [false, true] {
                let jobs = producers(len);
                let head = chain_of(&jobs);
                let mut jobs: Vec<_> = jobs.into_iter().map(Some).collect();
                let called = Log::new();
                if waited {
                    let log = called.clone();
                    head.on_signal(move |_| log.push(())).unwrap().detach();
                }
                for (step, index) in random.order(len).into_iter().enumerate() {
                    if step == asked {
                        assert!(!head.is_signaled());
                    }
                    assert_eq!(called.take().len(), 0);
                    jobs[index].take().unwrap().signal(Ok(()));
                }
                assert!(head.is_signaled());
                assert_eq!(called.take().len(), usize::from(waited));
                assert_eq!(head.wait(), Ok(()));
            }
        }
    }
}

#[test]
fn the_result_is_the_first_error_in_time_and_the_time_the_latest() {
    for walked in [false, true] {
        for collected in [false, true] {
            let jobs = producers(4);
            let head = chain_of(&jobs);
            if walked {
                head.enable_signaling();
            }
            let [a, b, c, d] = jobs.try_into().unwrap();
            at(b, 400, Err(Errno::EIO));
            if collected {
                assert_eq!(head.prev().unwrap().seqno(), 30);
            }
            at(c, 300, Err(Errno::ENOSPC));
            if collected {
                assert_eq!(seqnos(&head), [40, 10], "both are let go, their error is not");
            }
            at(a, 500, Ok(()));
            at(d, 350, Err(Errno::EBUSY));
            let told = Signal { result: Err(Errno::ENOSPC), timestamp: Timestamp::from_nanos(500) };
            assert_eq!(head.status(), Status::Signaled(told));
            assert_eq!(
                (head.error(), head.timestamp()),
                (Some(Errno::ENOSPC), Some(told.timestamp))
            );
        }
    }
}

#[test]
fn of_errors_at_the_same_time_the_lowest_number_counts() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
        for collect in [false, true] {
            let jobs = producers(3);
            let head = chain_of(&jobs);
            let middle = FenceChain::from_fence(head.prev().unwrap()).unwrap();
            let mut jobs: Vec<_> = jobs.into_iter().map(Some).collect();
            for index in order {
                let errors = [Errno::ENOSPC, Errno::EIO, Errno::EBUSY];
                at(jobs[index].take().unwrap(), 7, Err(errors[index]));
                if collect {
                    let _ = (middle.prev(), head.prev());
                }
            }
            assert_eq!(head.wait(), Err(FenceError::Failed(Errno::EIO)));
            assert_eq!(middle.wait(), Err(FenceError::Failed(Errno::EIO)));
        }
    }
}

#[test]
fn an_array_counts_with_the_times_of_its_members() {
    for collect in [false, true] {
        let (early, late) = (software().new_fence(), software().new_fence());
        let between = software().new_fence();
        let array = FenceArray::new(vec![early.fence(), late.fence()]).unwrap();
        let first = FenceChain::new(None, array.into(), 1).unwrap();
        let head = FenceChain::new(Some(first.into()), between.fence(), 2).unwrap();
        at(early, 3, Err(Errno::EIO));
        at(late, 7, Ok(()));
        if collect {
            assert!(head.prev().is_none());
        }
        at(between, 5, Err(Errno::EBUSY));
        assert_eq!(head.error(), Some(Errno::EIO), "the array ended at 7, its error is of 3");
        assert_eq!(merge([head.into()]).error(), Some(Errno::EIO));
    }
}

#[test]
fn a_timeline_that_is_only_asked_at_its_head_lets_go_of_what_was() {
    let context = hardware();
    let asks: [fn(&FenceChain); 3] = [
        |head| assert!(!head.is_signaled()),
        |head| assert_eq!(head.status(), Status::Pending),
        |head| assert!(head.wait_timeout(Duration::ZERO).is_err()),
    ];
    for ask in asks {
        let mut head = FenceChain::new(None, Fence::signaled(), 1).unwrap();
        for seqno in 2..20 {
            let job = context.new_fence();
            head = FenceChain::new(Some(head.into()), job.fence(), seqno).unwrap();
            ask(&head);
            assert_eq!(head.leaves().count(), 1);
            job.signal(Ok(()));
        }
    }
}

#[test]
fn waiters_on_every_point_are_told_in_turn() {
    let len = rounds(200, 20);
    let jobs = producers(len);
    let head = chain_of(&jobs);
    let log = Log::new();
    for point in &head {
        let (log, seqno) = (log.clone(), point.seqno());
        point.on_signal(move |_| log.push(seqno)).unwrap().detach();
    }
    jobs.into_iter().for_each(|job| job.signal(Ok(())));
    assert_eq!(log.take(), (1..=len as u64).map(|n| 10 * n).collect::<Vec<_>>());
}

#[test]
fn only_one_callback_is_registered_at_a_time_and_none_by_asking() {
    let context = hardware();
    let backends: Vec<_> = (0..3).map(|_| Backend::silent()).collect();
    let jobs: Vec<_> = backends.iter().map(|b| context.new_fence_with(b.clone())).collect();
    let head = chain_of(&jobs);
    let enabled = || backends.iter().map(|b| b.times_enabled()).collect::<Vec<_>>();
    let _ =
        (head.status(), head.is_signaled(), seqnos(&head), head.find_seqno(5), head.to_string());
    let _ = (head.describe().to_string(), head.leaves().count());
    assert_eq!(enabled(), [0, 0, 0]);
    head.on_signal(|_| ()).unwrap().detach();
    assert_eq!(enabled(), [0, 0, 1], "the head first");
    let [a, b, c] = jobs.try_into().unwrap();
    a.signal(Ok(()));
    assert_eq!(enabled(), [0, 0, 1]);
    c.signal(Ok(()));
    assert_eq!(enabled(), [0, 1, 1]);
    b.signal(Ok(()));
    assert!(head.is_signaled());
    assert_eq!(enabled(), [0, 1, 1], "what had signaled was never asked");
}

#[test]
fn a_hook_that_panics_does_not_stop_the_walk() {
    let context = hardware();
    let panics = Arc::new(common::OnPoll(|| panic!("a broken backend")));
    let (last, first) = (context.new_fence(), context.new_fence_with(panics));
    let one = FenceChain::new(None, first.fence(), 1).unwrap();
    let head = FenceChain::new(Some(one.into()), last.fence(), 2).unwrap();
    let called = Log::new();
    let log = called.clone();
    head.on_signal(move |_| log.push(())).unwrap().detach();
    last.signal(Ok(()));
    assert!(common::panic_of(|| head.is_signaled()).is_some(), "asking is at the asker's risk");
    first.signal(Ok(()));
    assert_eq!(called.take().len(), 1);
}

// === abandoned ===

#[test]
fn a_lost_producer_anywhere_makes_the_chain_abandoned_until_the_reset() {
    for lost_one in 0..3 {
        for waited in [false, true] {
            let context = hardware();
            let mut jobs: Vec<_> = (0..3).map(|_| context.new_fence()).collect();
            let head = chain_of(&jobs);
            let log = Log::new();
            if waited {
                let log = log.clone();
                head.on_outcome(move |outcome| log.push(outcome.result())).unwrap().detach();
            }
            drop(jobs.remove(lost_one));
            assert!(!head.is_signaled());
            assert_eq!(head.status(), Status::Abandoned);
            assert_eq!(head.wait(), Err(FenceError::Abandoned));
            assert_eq!(log.take(), vec![Err(FenceError::Abandoned); usize::from(waited)]);
            jobs.into_iter().for_each(|job| job.signal(Ok(())));
            assert_eq!(head.status(), Status::Abandoned);
            context.declare_idle(Errno::EIO);
            assert_eq!(head.wait(), Err(FenceError::Failed(Errno::EIO)));
            assert_eq!(log.take(), [], "told once");
        }
    }
}

#[test]
fn an_abandoned_point_is_not_let_go() {
    let context = hardware();
    let one = FenceChain::new(None, lost(&context), 1).unwrap();
    let pending = context.new_fence();
    let head = FenceChain::new(Some(one.into()), pending.fence(), 2).unwrap();
    assert_eq!(seqnos(&head), [2, 1]);
    assert_eq!(head.prev().unwrap().seqno(), 1);
    pending.signal(Ok(()));
    assert!(!head.is_signaled());
    assert_eq!(head.find_seqno(1).unwrap().status(), Status::Abandoned);
    context.declare_idle(Errno::EIO);
    assert!(head.is_signaled());
}

// === points by number, and letting go ===

#[test]
fn a_point_is_found_by_number() {
    let jobs = producers(3);
    let head = chain_of(&jobs);
    for (asked, found) in [(1, 10), (10, 10), (11, 20), (20, 20), (21, 30), (30, 30), (0, 30)] {
        let point = head.find_seqno(asked).unwrap();
        assert_eq!((point.seqno(), point.context()), (found, head.context()), "{asked}");
    }
    assert_eq!(head.find_seqno(31).unwrap_err(), BeyondHead { head: 30, asked: 31 });
    assert_eq!(
        head.find_seqno(31).unwrap_err().to_string(),
        "point 31 is beyond the chain's head, which is 30"
    );
    let [a, b, c] = jobs.try_into().unwrap();
    b.signal(Ok(()));
    assert_eq!(head.find_seqno(15).unwrap().seqno(), 10, "what is left before it will signal it");
    a.signal(Ok(()));
    assert!(head.find_seqno(15).unwrap().is_signaled(), "passed");
    assert!(!head.find_seqno(21).unwrap().is_signaled());
    c.signal(Ok(()));
    assert!(head.find_seqno(30).unwrap().is_signaled());
}

#[test]
fn a_point_of_a_restarted_timeline_waits_for_what_was_before() {
    let jobs = producers(2);
    let old = FenceChain::new(None, jobs[0].fence(), 100).unwrap();
    let head = FenceChain::new(Some(old.clone().into()), jobs[1].fence(), 3).unwrap();
    assert!(head.find_seqno(3).unwrap().same_fence(&head));
    let [a, b] = jobs.try_into().unwrap();
    b.signal(Ok(()));
    assert!(!head.find_seqno(100).unwrap().is_signaled());
    a.signal(Ok(()));
    assert!(head.is_signaled());
}

#[test]
fn a_point_after_a_restart_waits_for_all_that_was_before_even_if_its_own_node_is_gone() {
    let (before, after) = (producers(3), producers(2));
    let old = chain_of(&before);
    let restarted = FenceChain::new(Some(old.into()), after[0].fence(), 1).unwrap();
    let head = FenceChain::new(Some(restarted.into()), after[1].fence(), 40).unwrap();
    let [first, last] = after.try_into().unwrap();
    first.signal(Ok(()));
    let point = head.find_seqno(5).unwrap();
    assert_eq!(
        point.seqno(),
        30,
        "the last one of the old timeline, whose numbers say nothing here"
    );
    drop((before, last));
}

#[test]
fn walking_lets_signaled_points_go_and_everything_is_freed() {
    let freed = Arc::new(());
    let jobs = producers(4);
    let head = chain_of(&jobs);
    let point = head.iter().nth(2).unwrap();
    let held = freed.clone();
    let callback = point.on_signal(move |_| drop(held)).unwrap();
    drop((callback, point));
    assert_eq!(Arc::strong_count(&freed), 1);
    let [a, b, c, d] = jobs.try_into().unwrap();
    c.signal(Ok(()));
    b.signal(Ok(()));
    assert_eq!(seqnos(&head), [40, 10]);
    assert_eq!(head.leaves().count(), 2);
    a.signal(Ok(()));
    assert_eq!(seqnos(&head), [40]);
    assert!(head.prev().is_none());
    d.signal(Ok(()));
    assert!(head.is_signaled());
}

#[test]
fn dropping_a_pending_chain_takes_its_callback_back() {
    let backend = Backend::silent();
    let job = hardware().new_fence_with(backend.clone());
    let captured = Arc::new(());
    for _ in 0..3 {
        let held = captured.clone();
        let one = FenceChain::new(None, job.fence(), 1).unwrap();
        let head = FenceChain::new(Some(one.into()), Fence::signaled(), 2).unwrap();
        let callback = head.on_signal(move |_| drop(held)).unwrap();
        drop(head);
        drop(callback);
        assert_eq!(Arc::strong_count(&captured), 1);
    }
    job.signal(Ok(()));
}

#[test]
fn a_deadline_reaches_every_leaf() {
    let context = hardware();
    let backends: Vec<_> = (0..4).map(|_| Backend::silent()).collect();
    let jobs: Vec<_> = backends.iter().map(|b| context.new_fence_with(b.clone())).collect();
    let array = FenceArray::new(vec![jobs[1].fence(), jobs[2].fence()]).unwrap();
    let one = FenceChain::new(Some(jobs[0].fence()), array.into(), 1).unwrap();
    let head = FenceChain::new(Some(one.into()), jobs[3].fence(), 2).unwrap();
    let deadline = Timestamp::from_nanos(42);
    head.set_deadline(deadline);
    for backend in &backends {
        assert_eq!(*backend.deadlines.lock().unwrap(), [deadline]);
    }
    jobs.into_iter().for_each(|job| job.signal(Ok(())));
    head.set_deadline(deadline);
    assert!(backends.iter().all(|b| b.deadlines.lock().unwrap().len() == 1), "no hook after that");
}

#[test]
fn it_says_what_it_stands_for() {
    let context = software();
    let jobs: Vec<_> = (0..3).map(|_| context.new_fence()).collect();
    let array = FenceArray::new(vec![jobs[1].fence(), jobs[2].fence()]).unwrap();
    let head = FenceChain::new(Some(jobs[0].fence()), array.into(), 1).unwrap();
    let text = head.describe().to_string();
    let shape: Vec<(usize, &str)> = text
        .lines()
        .map(|line| (line.len() - line.trim_start().len(), line.split_whitespace().next().unwrap()))
        .collect();
    let expected =
        [(0, "dma_fence_chain"), (2, "dma_fence_array"), (4, "test"), (4, "test"), (0, "test")];
    assert_eq!(shape, expected, "{text}");
}

#[test]
fn it_says_from_which_point_on_it_is_lost() {
    let [first, second, third] = producers(3).try_into().unwrap();
    let head = FenceChain::new(Some(first.fence()), second.fence(), 1).unwrap();
    let head = FenceChain::new(Some(head.into()), third.fence(), 2).unwrap();
    drop(second);
    let text = head.describe().to_string();
    let states: Vec<&str> = text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(states, ["abandoned", "pending", "abandoned", "abandoned", "pending"], "{text}");
}

/// However far away what was lost is, and also if it is elsewhere.
#[test]
fn to_say_what_it_stands_for_each_fence_is_asked_as_often_in_a_long_chain() {
    let gone = lost(&hardware());
    for first in [Some(gone), None] {
        let asked = |len: usize| {
            let asks = Arc::new(AtomicUsize::new(0));
            let ask = asks.clone();
            let backend = Arc::new(OnPoll(move || {
                ask.fetch_add(1, SeqCst);
                None
            }));
            let jobs: Vec<_> =
                (0..len).map(|_| hardware().new_fence_with(backend.clone())).collect();
            let point = |prev: Option<Fence>, job: &DriverFence| {
                Some(FenceChain::new(prev, job.fence(), 1).unwrap().into())
            };
            let head = jobs.iter().fold(first.clone(), point).unwrap();
            let lines = head.describe().to_string();
            let abandoned = first.as_ref().map_or(0, |_| len + 1);
            assert_eq!(lines.matches("abandoned").count(), abandoned, "{lines}");
            asks.load(SeqCst) / len
        };
        assert_eq!(asked(100), asked(10));
    }
}

// === threads, and lengths ===

#[test]
fn threads_that_signal_ask_wait_and_let_go_agree() {
    in_time(|| {
        let mut random = Random(23);
        for _ in 0..rounds(300, 5) {
            let jobs = producers(8);
            let head = chain_of(&jobs);
            let mut jobs: Vec<_> = jobs.into_iter().map(Some).collect();
            let halves: Vec<Vec<DriverFence>> = random
                .order(8)
                .chunks(4)
                .map(|half| half.iter().map(|i| jobs[*i].take().unwrap()).collect())
                .collect();
            std::thread::scope(|scope| {
                for half in halves {
                    scope.spawn(move || half.into_iter().for_each(|job| job.signal(Ok(()))));
                }
                let (polled, walked) = (head.clone(), head.clone());
                scope.spawn(move || {
                    while !polled.is_signaled() {
                        std::thread::yield_now();
                    }
                    assert!(polled.leaves().all(|leaf| leaf.is_signaled()));
                });
                scope.spawn(move || while walked.iter().count() > 1 {});
                assert_eq!(head.wait(), Ok(()));
            });
        }
    });
}

/// Long enough that one frame for each point would end a small stack.
fn long() -> usize {
    rounds(1_000_000, 300)
}

const STACK: usize = 256 << 10;

#[test]
fn a_long_pending_chain_drops_on_a_small_stack() {
    in_time_with_stack(STACK, || {
        let context = hardware();
        let job = context.new_fence();
        let link = |prev: Option<FenceChain>, seqno| {
            Some(FenceChain::new(prev.map(Fence::from), job.fence(), seqno).unwrap())
        };
        let head = (1..=long() as u64).fold(None, link).unwrap();
        let middle = head.iter().nth(long() / 2).unwrap();
        assert!(middle.on_signal(|_| ()).unwrap().cancel());
        assert!(head.wait_timeout(Duration::ZERO).is_err());
        drop(head);
        drop(middle);
        job.signal(Ok(()));
    });
}

/// A hook that panics would take the turn along, and everybody who waits would wait for ever.
#[test]
fn the_walk_asks_no_hook_of_a_lost_array() {
    let context = hardware();
    let walks = Arc::new(AtomicBool::new(false));
    let told = walks.clone();
    let hook = OnPoll(move || {
        assert!(!told.load(SeqCst), "the walk asks");
        None
    });
    let polled = context.new_fence_with(Arc::new(hook));
    let array = FenceArray::new(vec![lost(&context), polled.fence()]).unwrap();
    assert_eq!(array.status(), Status::Abandoned);
    let later = hardware().new_fence();
    let first = FenceChain::new(None, array.into(), 1).unwrap();
    let head = FenceChain::new(Some(first.into()), later.fence(), 2).unwrap();
    let log = Log::new();
    let seen = log.clone();
    head.on_outcome_detached(move |outcome| seen.push(*outcome)).unwrap();
    walks.store(true, SeqCst);
    later.signal(Ok(()));
    walks.store(false, SeqCst);
    assert_eq!(log.take(), [Outcome::Abandoned]);
    polled.signal(Ok(()));
    context.declare_idle(Errno::EIO);
    assert_eq!(head.error(), Some(Errno::EIO));
}
