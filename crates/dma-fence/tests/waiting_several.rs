//! Waiting for any and for all of several fences: blocking, for a time, and `.await`.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, OnPoll, Task, hardware, in_time, lost, rounds};
use dma_fence::{
    DriverFence, Errno, Fence, FenceArray, FenceContext, FenceError, Timestamp, WaitAnyError,
    WaitError, all_of, any_of, wait_all, wait_all_timeout, wait_all_until, wait_any,
    wait_any_timeout, wait_any_until,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Long enough for the other thread to fall asleep.
const SOON: Duration = Duration::from_millis(20);
/// Longer than a test may hang: whoever sleeps for it is found by `in_time`.
const LONG: Duration = Duration::from_secs(1_000_000);

/// `N` producers of one context, and their fences.
fn several<const N: usize>(context: &FenceContext) -> ([DriverFence; N], [Fence; N]) {
    let producers = [(); N].map(|()| context.new_fence());
    let fences = producers.each_ref().map(DriverFence::fence);
    (producers, fences)
}

fn signal_all(producers: impl IntoIterator<Item = DriverFence>) {
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

fn soon<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(|| {
        thread::sleep(SOON);
        act()
    })
}

type WaitAny = fn(&[Fence]) -> usize;
type WaitAll = fn(&[Fence]) -> Result<(), FenceError>;

/// Every way to wait for any, with a limit that is never reached.
const ANY: [WaitAny; 3] = [
    |fences| wait_any(fences).unwrap(),
    |fences| wait_any_timeout(fences, LONG).unwrap(),
    |fences| pollster::block_on(any_of(fences.to_vec())).unwrap().0,
];

/// Every way to wait for all, with a limit that is never reached.
const ALL: [WaitAll; 3] = [
    wait_all,
    |fences| match wait_all_timeout(fences, LONG) {
        Ok(()) => Ok(()),
        Err(WaitError::Failed(errno)) => Err(FenceError::Failed(errno)),
        Err(WaitError::Abandoned) => Err(FenceError::Abandoned),
        Err(WaitError::TimedOut) => panic!("timed out"),
    },
    |fences| pollster::block_on(all_of(fences.to_vec())),
];

// === no fences, no time ===

#[test]
fn none_is_an_answer_at_once() {
    in_time(|| {
        let past = Timestamp::ZERO;
        assert_eq!(wait_any(&[]), None);
        assert_eq!(wait_any_timeout(&[], LONG), Err(WaitAnyError::NoFences));
        assert_eq!(wait_any_timeout(&[], Duration::ZERO), Err(WaitAnyError::NoFences));
        assert_eq!(wait_any_until(&[], past), Err(WaitAnyError::NoFences));
        assert_eq!(pollster::block_on(any_of([])), None);
        assert_eq!((wait_all(&[]), wait_all_timeout(&[], Duration::ZERO)), (Ok(()), Ok(())));
        assert_eq!(wait_all_until(&[], past), Ok(()));
        assert_eq!(pollster::block_on(all_of([])), Ok(()));
    });
}

#[test]
fn row_19_no_time_only_looks() {
    let context = hardware();
    let backends = [Backend::polled(), Backend::polled()];
    let producers = backends.each_ref().map(|backend| context.new_fence_with(backend.clone()));
    let fences = producers.each_ref().map(DriverFence::fence);
    let any =
        || [wait_any_timeout(&fences, Duration::ZERO), wait_any_until(&fences, Timestamp::ZERO)];
    let all =
        || [wait_all_timeout(&fences, Duration::ZERO), wait_all_until(&fences, Timestamp::ZERO)];
    assert_eq!(any(), [Err(WaitAnyError::TimedOut); 2]);
    assert_eq!(all(), [Err(WaitError::TimedOut); 2]);
    assert!(backends.iter().all(|backend| backend.times_polled() == 4), "each look asks each");
    backends[1].finish(Err(Errno::EIO));
    assert_eq!(any(), [Ok(1); 2]);
    assert_eq!(all(), [Err(WaitError::TimedOut); 2]);
    backends[0].finish(Ok(()));
    assert_eq!(any(), [Ok(0); 2]);
    assert_eq!(all(), [Err(WaitError::Failed(Errno::EIO)); 2]);
    assert!(backends.iter().all(|backend| backend.times_enabled() == 0), "looking is not waiting");
    signal_all(producers);
}

#[test]
fn a_limit_ends_the_wait_and_not_before_its_time() {
    in_time(|| {
        let ([one, two], fences) = several(&hardware());
        two.signal(Ok(()));
        let pending = &fences[..1];
        for limited in [
            |fences: &[Fence]| wait_any_timeout(fences, SOON).is_err(),
            |fences: &[Fence]| wait_all_timeout(fences, SOON) == Err(WaitError::TimedOut),
        ] {
            let end = Timestamp::from_nanos(Timestamp::now().as_nanos() + SOON.as_nanos() as u64);
            assert!(limited(pending) && Timestamp::now() >= end);
        }
        let end = Timestamp::from_nanos(Timestamp::now().as_nanos() + SOON.as_nanos() as u64);
        assert_eq!(wait_all_until(&fences, end), Err(WaitError::TimedOut));
        assert!(Timestamp::now() >= end);
        assert_eq!(wait_any_until(pending, end), Err(WaitAnyError::TimedOut));
        one.signal(Ok(()));
        assert_eq!(wait_any_until(pending, Timestamp::ZERO), Ok(0), "over, but signaled");
        assert_eq!(wait_all_until(&fences, Timestamp::ZERO), Ok(()));
    });
}

#[test]
fn a_limit_may_exceed_the_clock() {
    in_time(|| {
        let ([one, two], fences) = several(&hardware());
        let signaler = soon(|| signal_all([one, two]));
        assert!(wait_any_timeout(&fences, Duration::MAX).is_ok());
        assert_eq!(wait_all_timeout(&fences, Duration::MAX), Ok(()));
        signaler.join().unwrap();
    });
}

// === who wins, what all come to ===

#[test]
fn any_sleeps_until_one_is_decided() {
    for wait in ANY {
        in_time(move || {
            let ([one, two, three], fences) = several(&hardware());
            let signaler = soon(|| two.signal(Err(Errno::EIO)));
            assert_eq!(wait(&fences), 1);
            signaler.join().unwrap();
            three.signal(Ok(()));
            assert_eq!(wait(&fences), 1, "the lowest index among several");
            one.signal(Ok(()));
            assert_eq!(wait(&fences), 0);
        });
    }
}

#[test]
fn any_is_woken_by_a_loss_before_or_during_the_wait() {
    for wait in ANY {
        in_time(move || {
            let context = hardware();
            let ([one, two], fences) = several(&context);
            let loser = soon(|| drop(two));
            assert_eq!(wait(&fences), 1);
            loser.join().unwrap();
            assert_eq!(wait(&fences), 1);
            one.signal(Ok(()));
            context.declare_idle(Errno::EIO);
        });
    }
}

#[test]
fn a_backend_that_knows_already_wins_by_its_index_and_enables_nothing() {
    for wait in ANY {
        in_time(move || {
            let context = hardware();
            let done = context.new_fence_with(Arc::new(OnPoll(|| Some(Ok(())))));
            let backend = Backend::already_done(Ok(()));
            let other = context.new_fence_with(backend.clone());
            let fences = [other.fence(), done.fence()];
            assert_eq!((wait(&fences), backend.times_enabled()), (1, 0));
            signal_all([done, other]);
        });
    }
}

#[test]
fn a_backend_that_is_done_when_it_is_enabled_wins() {
    for wait in ANY {
        in_time(move || {
            let context = hardware();
            let pending = context.new_fence();
            let done = context.new_fence_with(Backend::already_done(Err(Errno::EIO)));
            assert_eq!(wait(&[pending.fence(), done.fence()]), 1);
            signal_all([pending, done]);
        });
    }
}

#[test]
fn a_winner_comes_with_what_became_of_it() {
    let context = hardware();
    let ([one, two], fences) = several(&context);
    two.signal_at(Err(Errno::EIO), Timestamp::from_nanos(7));
    let (winner, outcome) = pollster::block_on(any_of(fences.clone())).unwrap();
    let dma_fence::Outcome::Signaled(signal) = outcome else { panic!("signaled") };
    assert_eq!((winner, signal.result, signal.timestamp.as_nanos()), (1, Err(Errno::EIO), 7));
    drop(one);
    let winner = pollster::block_on(any_of(fences)).unwrap();
    assert_eq!(winner, (0, dma_fence::Outcome::Abandoned));
    context.declare_idle(Errno::EIO);
}

#[test]
fn all_waits_for_the_last_and_tells_the_first_error_of_the_slice() {
    for wait in ALL {
        in_time(move || {
            let ([one, two, three], fences) = several(&hardware());
            three.signal(Err(Errno::ENOSPC));
            let signaler = soon(move || {
                two.signal(Err(Errno::EIO));
                thread::sleep(SOON);
                one.signal(Ok(()));
            });
            assert_eq!(wait(&fences), Err(FenceError::Failed(Errno::EIO)));
            assert!(fences[0].is_signaled());
            signaler.join().unwrap();
        });
    }
}

#[test]
fn all_counts_a_fence_that_is_there_twice() {
    for wait in ALL {
        in_time(move || {
            let ([one, two], [a, b]) = several(&hardware());
            let signaler = soon(|| signal_all([one, two]));
            assert_eq!(wait(&[a.clone(), b.clone(), a, b.clone()]), Ok(()));
            assert!(b.is_signaled());
            signaler.join().unwrap();
        });
    }
}

#[test]
fn all_ends_at_once_if_one_is_known_to_be_lost() {
    for wait in ALL {
        in_time(move || {
            let context = hardware();
            let backend = Backend::silent();
            let producer = context.new_fence_with(backend.clone());
            assert_eq!(wait(&[producer.fence(), lost(&context)]), Err(FenceError::Abandoned));
            assert_eq!(backend.times_enabled(), 0);
            producer.signal(Ok(()));
            context.declare_idle(Errno::EIO);
        });
    }
}

#[test]
fn all_hears_of_a_loss_while_it_waits_for_an_earlier_one() {
    for wait in ALL {
        in_time(move || {
            let context = hardware();
            let ([pending, lost], fences) = several(&context);
            let loser = soon(|| drop(lost));
            assert_eq!(wait(&fences), Err(FenceError::Abandoned));
            assert!(!fences[0].is_signaled());
            loser.join().unwrap();
            pending.signal(Ok(()));
            context.declare_idle(Errno::EIO);
        });
    }
}

/// The sleeper is woken by the loss, and by the time it looks the fence has signaled an error.
#[test]
fn all_tells_of_a_loss_that_was_reset_before_it_looked() {
    let context = hardware();
    let ([pending, lost], fences) = several(&context);
    let (task, mut future) = (Task::new(), all_of(fences));
    assert!(task.poll(&mut future).is_pending());
    drop(lost);
    context.declare_idle(Errno::EIO);
    assert_eq!(task.poll(&mut future), Poll::Ready(Err(FenceError::Abandoned)));
    pending.signal(Ok(()));
}

// === arrays, and inside callbacks ===

#[test]
fn arrays_are_waited_for_like_any_fence() {
    in_time(|| {
        let ([one, two, three], [a, b, c]) = several(&hardware());
        let array = Fence::from(FenceArray::new(vec![a.clone(), b]).unwrap());
        let fences = [array, c];
        let signaler = soon(move || {
            signal_all([one, two]);
            thread::sleep(SOON);
            three.signal(Ok(()));
        });
        for wait in ANY {
            assert_eq!(wait(&fences), 0);
        }
        for wait in ALL {
            assert_eq!(wait(&fences), Ok(()));
        }
        assert!(fences[1].is_signaled());
        signaler.join().unwrap();
    });
}

/// What decides the wait is queued behind the callback that waits.
#[test]
fn a_callback_may_wait_for_what_those_behind_it_signal() {
    fn waits_inside(wait: impl FnOnce(&[Fence]) + Send + 'static) {
        in_time(move || {
            let ([first, second, third], [start, a, b]) = several(&hardware());
            let array = FenceArray::new(vec![b]).unwrap();
            array.on_signal(|_| ()).unwrap().detach();
            let fences = [Fence::from(array), a];
            start.on_signal(move |_| wait(&fences)).unwrap().detach();
            start.on_signal(move |_| second.signal(Ok(()))).unwrap().detach();
            start.on_signal(move |_| third.signal(Ok(()))).unwrap().detach();
            first.signal(Ok(()));
        });
    }
    for wait in ANY {
        waits_inside(move |fences| assert_eq!(wait(fences), 1));
    }
    for wait in ALL {
        waits_inside(move |fences| assert_eq!(wait(fences), Ok(())));
    }
}

// === futures ===

#[test]
fn a_future_wakes_once_however_many_signal() {
    let ([one, two, three], fences) = several(&hardware());
    let (any_task, all_task) = (Task::new(), Task::new());
    let (mut any, mut all) = (any_of(fences.clone()), all_of(fences.clone()));
    assert!(any_task.poll(&mut any).is_pending() && all_task.poll(&mut all).is_pending());
    two.signal(Ok(()));
    assert_eq!((any_task.wakes(), all_task.wakes()), (1, 0));
    one.signal(Err(Errno::EIO));
    assert_eq!((any_task.wakes(), all_task.wakes()), (1, 0));
    three.signal(Ok(()));
    assert_eq!((any_task.wakes(), all_task.wakes()), (1, 1));
    assert_eq!(any_task.poll(&mut any).map(|winner| winner.unwrap().0), Poll::Ready(0));
    let failed = Poll::Ready(Err(FenceError::Failed(Errno::EIO)));
    assert_eq!([all_task.poll(&mut all), all_task.poll(&mut all)], [failed; 2]);
    assert_eq!((any_task.wakers(), all_task.wakers()), (0, 0));
}

#[test]
fn a_ready_future_wakes_nobody() {
    let ([one, two], fences) = several(&hardware());
    signal_all([one, two]);
    let task = Task::new();
    assert!(task.poll(&mut any_of(fences.clone())).is_ready());
    assert!(task.poll(&mut all_of(fences)).is_ready());
    assert_eq!((task.wakes(), task.wakers()), (0, 0));
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    fn moved<F: Future + Unpin>(future: impl FnOnce([Fence; 1]) -> F) {
        let ([producer], fences) = several(&hardware());
        let (first, second, mut future) = (Task::new(), Task::new(), future(fences));
        assert!(first.poll(&mut future).is_pending() && second.poll(&mut future).is_pending());
        assert_eq!(first.wakers(), 0, "the waker before is dropped");
        producer.signal(Ok(()));
        assert_eq!((first.wakes(), second.wakes()), (0, 1));
    }
    moved(any_of);
    moved(all_of);
}

#[test]
fn a_dropped_future_is_deregistered_and_frees_what_only_it_held() {
    fn dropped<F: Future + Unpin>(future: impl FnOnce(Vec<Fence>) -> F) {
        let backend = Backend::silent();
        let context = hardware();
        let (member, other) = (context.new_fence_with(backend.clone()), context.new_fence());
        let array = FenceArray::new(vec![member.fence()]).unwrap().into();
        let (task, mut future) = (Task::new(), future(vec![array, other.fence()]));
        assert!(task.poll(&mut future).is_pending());
        assert_eq!(task.wakers(), 1);
        drop(future);
        assert_eq!(task.wakers(), 0);
        signal_all([other, member]);
        assert_eq!((task.wakes(), Arc::strong_count(&backend)), (0, 1));
    }
    dropped(any_of);
    dropped(all_of);
}

/// A waker that drops the future it wakes.
struct Drops<F>(Mutex<Option<F>>);

impl<F: Send + 'static> Wake for Drops<F> {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn a_waker_may_drop_the_future_that_it_wakes() {
    fn dropped<F: Future + Unpin + Send + 'static>(future: fn([Fence; 2]) -> F) {
        in_time(move || {
            let ([one, two], fences) = several(&hardware());
            let mut future = future(fences);
            let drops = Arc::new(Drops(Mutex::new(None)));
            let waker = Waker::from(drops.clone());
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
            *drops.0.lock().unwrap() = Some(future);
            drop(waker);
            signal_all([one, two]);
            assert_eq!(Arc::strong_count(&drops), 1);
        });
    }
    dropped(any_of);
    dropped(all_of);
}

#[test]
fn a_backend_that_panics_when_it_is_enabled_leaves_nothing_registered() {
    let context = hardware();
    let good = context.new_fence();
    let hook = common::OnEnable(|_: &_| panic!("a broken hook"));
    let bad = context.new_fence_with(Arc::new(hook));
    let (task, mut future) = (Task::new(), all_of([good.fence(), bad.fence()]));
    assert!(common::panic_of(|| task.poll(&mut future)).is_some());
    assert_eq!(task.wakers(), 0);
    signal_all([good, bad]);
    assert_eq!((task.wakes(), task.poll(&mut future)), (0, Poll::Ready(Ok(()))));
}

// === many threads ===

#[test]
fn no_wake_up_is_lost() {
    in_time(|| {
        let context = hardware();
        for round in 0..rounds(2_000, 8) {
            let ([one, two, three], fences) = several(&context);
            thread::scope(|scope| {
                let fences = &fences;
                let any = ANY.map(|wait| scope.spawn(move || wait(fences)));
                let all = ALL.map(|wait| scope.spawn(move || wait(fences)));
                scope.spawn(move || if round % 4 == 3 { drop(one) } else { one.signal(Ok(())) });
                signal_all([three, two]);
                assert!(any.map(|wait| wait.join().unwrap()).iter().all(|winner| *winner < 3));
                let result = if round % 4 == 3 { Err(FenceError::Abandoned) } else { Ok(()) };
                assert_eq!(all.map(|wait| wait.join().unwrap()), [result; 3]);
            });
            context.declare_idle(Errno::EIO);
        }
    });
}

/// Timed waits that end on their own, beside the signals that would end them.
#[test]
fn a_wait_that_ends_beside_the_signal_is_right_either_way() {
    in_time(|| {
        let context = hardware();
        let (go, goes) = mpsc::channel::<[DriverFence; 2]>();
        let signaler = thread::spawn(move || {
            for producers in goes {
                signal_all(producers);
            }
        });
        for round in 0..rounds(3_000, 20) {
            let (producers, fences) = several(&context);
            go.send(producers).unwrap();
            let limit = Duration::from_nanos(round as u64 * 20);
            if wait_all_timeout(&fences, limit) == Ok(()) {
                assert!(fences.iter().all(Fence::is_signaled));
            }
            if let Ok(winner) = wait_any_timeout(&fences, limit) {
                assert!(fences[winner].is_signaled());
            }
        }
        drop(go);
        signaler.join().unwrap();
    });
}
