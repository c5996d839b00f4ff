//! Waiting: blocking, for a time, any, all, and `.await`.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Later, Task, hardware, in_time, lost, rounds, software};
use dma_fence::{
    Errno, Fence, FenceArray, FenceError, FenceFuture, Timestamp, WaitError, wait_all, wait_any,
};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(20);

/// Signals after the caller had time to fall asleep.
fn signal_soon(
    producer: dma_fence::DriverFence,
    result: Result<(), Errno>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        thread::sleep(SOON);
        producer.signal(result);
    })
}

// === blocking ===

#[test]
fn a_sleeper_is_woken_by_the_signal() {
    in_time(|| {
        for result in [Ok(()), Err(Errno::EIO)] {
            let producer = hardware().new_fence();
            let fence = producer.fence();
            let signaler = signal_soon(producer, result);
            assert_eq!(fence.wait(), result.map_err(FenceError::Failed));
            signaler.join().unwrap();
        }
    });
}

#[test]
fn a_sleeper_is_woken_by_the_loss_of_the_producer() {
    in_time(|| {
        let context = hardware();
        let producer = context.new_fence();
        let fence = producer.fence();
        let loser = thread::spawn(move || {
            thread::sleep(SOON);
            drop(producer);
        });
        assert_eq!(fence.wait(), Err(FenceError::Abandoned));
        loser.join().unwrap();
        context.declare_idle(Errno::EIO);
    });
}

#[test]
fn many_sleepers_are_woken_by_one_signal() {
    in_time(|| {
        let producer = hardware().new_fence();
        let waiters: Vec<_> = (0..8)
            .map(|_| producer.fence())
            .map(|fence| thread::spawn(move || fence.wait()))
            .collect();
        signal_soon(producer, Ok(())).join().unwrap();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap() == Ok(())));
    });
}

#[test]
fn a_wait_with_a_time_limit_ends() {
    in_time(|| {
        let producer = hardware().new_fence();
        let fence = producer.fence();
        assert_eq!(fence.wait_timeout(SOON), Err(WaitError::TimedOut));
        let soon = Timestamp::from_nanos(Timestamp::now().as_nanos() + SOON.as_nanos() as u64);
        assert_eq!(fence.wait_until(soon), Err(WaitError::TimedOut));
        assert!(Timestamp::now() >= soon, "not before its time");
        assert_eq!(fence.wait_until(Timestamp::ZERO), Err(WaitError::TimedOut));
        producer.signal(Ok(()));
        assert_eq!(fence.wait_until(Timestamp::ZERO), Ok(()), "over, but signaled");
    });
}

#[test]
fn a_time_limit_is_no_delay_and_may_exceed_the_clock() {
    in_time(|| {
        for limit in [Duration::MAX, Duration::from_secs(1 << 30)] {
            let producer = hardware().new_fence();
            let fence = producer.fence();
            let signaler = signal_soon(producer, Err(Errno::EIO));
            assert_eq!(fence.wait_timeout(limit), Err(WaitError::Failed(Errno::EIO)));
            signaler.join().unwrap();
        }
    });
}

#[test]
fn row_19_a_limit_of_zero_only_looks() {
    let context = hardware();
    let backend = common::Backend::polled();
    let producer = context.new_fence_with(backend.clone());
    let fence = producer.fence();
    assert_eq!(fence.wait_timeout(Duration::ZERO), Err(WaitError::TimedOut));
    assert_eq!(backend.times_enabled(), 0, "looking is not waiting");
    backend.finish(Ok(()));
    assert_eq!(fence.wait_timeout(Duration::ZERO), Ok(()));
    producer.signal(Ok(()));
    assert_eq!(lost(&context).wait_timeout(Duration::ZERO), Err(WaitError::Abandoned));
    context.declare_idle(Errno::EIO);
}

#[test]
fn a_wait_that_times_out_leaves_nothing_behind() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let weak = Arc::new(());
    for _ in 0..100 {
        let held = weak.clone();
        let callback = fence.on_outcome(move |_| drop(held)).unwrap();
        assert_eq!(fence.wait_timeout(Duration::from_nanos(1)), Err(WaitError::TimedOut));
        drop(callback);
    }
    assert_eq!(Arc::strong_count(&weak), 1);
    producer.signal(Ok(()));
}

// === any and all ===

#[test]
fn any_of_none_is_none_and_all_of_none_is_fine() {
    assert_eq!((wait_any(&[]), wait_all(&[])), (None, Ok(())));
}

#[test]
fn any_finds_the_first_that_is_decided() {
    in_time(|| {
        let context = hardware();
        let producers = [context.new_fence(), context.new_fence(), context.new_fence()];
        let fences = producers.each_ref().map(dma_fence::DriverFence::fence);
        let [one, two, three] = producers;
        let signaler = signal_soon(two, Err(Errno::EIO));
        assert_eq!(wait_any(&fences), Some(1));
        signaler.join().unwrap();
        one.signal(Ok(()));
        assert_eq!(wait_any(&fences), Some(0), "the lowest index among several");
        drop(three);
        assert_eq!(wait_any(&fences[2..]), Some(0), "lost is decided");
        context.declare_idle(Errno::EIO);
    });
}

#[test]
fn any_finds_the_lowest_index_of_those_decided_while_it_slept() {
    in_time(|| {
        let context = hardware();
        let producers = [context.new_fence(), context.new_fence(), context.new_fence()];
        let fences = producers.each_ref().map(dma_fence::DriverFence::fence);
        let [one, two, go] = producers;
        // From inside a callback both states are visible before either wakes the sleeper.
        let both = move |_: &_| {
            two.signal(Ok(()));
            one.signal(Ok(()));
        };
        fences[2].on_signal(both).unwrap().detach();
        let signaler = signal_soon(go, Ok(()));
        assert_eq!(wait_any(&fences[..2]), Some(0));
        signaler.join().unwrap();
    });
}

#[test]
fn all_waits_for_those_after_a_failure_too() {
    in_time(|| {
        let context = hardware();
        let (failed, pending) = (context.new_fence(), context.new_fence());
        let fences = [failed.fence(), pending.fence()];
        failed.signal(Err(Errno::EIO));
        let signaler = signal_soon(pending, Ok(()));
        assert_eq!(wait_all(&fences), Err(FenceError::Failed(Errno::EIO)));
        assert!(fences[1].is_signaled());
        signaler.join().unwrap();
    });
}

#[test]
fn all_waits_for_the_last_and_tells_the_first_error_of_the_slice() {
    in_time(|| {
        let context = hardware();
        let producers = [context.new_fence(), context.new_fence(), context.new_fence()];
        let fences = producers.each_ref().map(dma_fence::DriverFence::fence);
        let [one, two, three] = producers;
        three.signal(Err(Errno::ENOSPC));
        two.signal(Err(Errno::EIO));
        let signaler = signal_soon(one, Ok(()));
        assert_eq!(wait_all(&fences), Err(FenceError::Failed(Errno::EIO)));
        assert!(fences[0].is_signaled());
        signaler.join().unwrap();
    });
}

#[test]
fn all_ends_at_once_if_one_is_known_to_be_lost() {
    in_time(|| {
        let context = hardware();
        let producer = context.new_fence();
        let fences = [producer.fence(), lost(&context)];
        assert_eq!(wait_all(&fences), Err(FenceError::Abandoned));
        producer.signal(Ok(()));
        context.declare_idle(Errno::EIO);
    });
}

// === futures ===

#[test]
fn a_future_is_pending_until_the_signal_and_wakes_once() {
    let producer = hardware().new_fence();
    let (task, mut future) = (Task::new(), producer.fence().into_future());
    assert_eq!(task.poll(&mut future), Poll::Pending);
    assert_eq!(task.poll(&mut future), Poll::Pending);
    assert_eq!(task.wakes(), 0);
    producer.signal(Err(Errno::EIO));
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(&mut future), Poll::Ready(Err(FenceError::Failed(Errno::EIO))));
}

#[test]
fn a_future_of_a_decided_fence_is_ready_at_once() {
    let context = hardware();
    let task = Task::new();
    let mut canceled = lost(&software()).into_future();
    let error = FenceError::Failed(Errno::ECANCELED);
    assert_eq!(task.poll(&mut canceled), Poll::Ready(Err(error)));
    let mut abandoned = lost(&context).into_future();
    assert_eq!(task.poll(&mut abandoned), Poll::Ready(Err(FenceError::Abandoned)));
    assert_eq!((task.wakes(), task.wakers()), (0, 0));
    context.declare_idle(Errno::EIO);
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let producer = hardware().new_fence();
    let (first, second) = (Task::new(), Task::new());
    let mut future = producer.fence().into_future();
    assert_eq!(first.poll(&mut future), Poll::Pending);
    assert_eq!(second.poll(&mut future), Poll::Pending);
    assert_eq!(first.wakers(), 0, "the waker before is dropped");
    producer.signal(Ok(()));
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
}

#[test]
fn a_dropped_future_is_deregistered() {
    let producer = hardware().new_fence();
    let (task, mut future) = (Task::new(), producer.fence().into_future());
    assert_eq!(task.poll(&mut future), Poll::Pending);
    assert_eq!(task.wakers(), 1);
    drop(future);
    assert_eq!(task.wakers(), 0, "nothing holds the waker");
    producer.signal(Ok(()));
    assert_eq!(task.wakes(), 0);
}

#[test]
fn a_dropped_future_frees_the_array_that_only_it_held() {
    let backend = common::Backend::silent();
    let producer = hardware().new_fence_with(backend.clone());
    let array = Fence::from(FenceArray::new(vec![producer.fence()]).unwrap());
    let (task, mut future) = (Task::new(), array.into_future());
    assert_eq!(task.poll(&mut future), Poll::Pending);
    drop(future);
    producer.signal(Ok(()));
    assert_eq!(task.wakes(), 0);
    assert_eq!((task.wakers(), Arc::strong_count(&backend)), (0, 1));
}

/// A waker whose drop and wake run code that comes back to the fence.
struct Nosy(Mutex<Option<FenceFuture>>, Fence);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        assert!(self.1.is_signaled());
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn a_waker_may_drop_the_future_that_it_wakes() {
    in_time(|| {
        let producer = hardware().new_fence();
        let nosy = Arc::new(Nosy(Mutex::new(None), producer.fence()));
        let mut future = producer.fence().into_future();
        let waker = Waker::from(nosy.clone());
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        *nosy.0.lock().unwrap() = Some(future);
        drop(waker);
        producer.signal(Ok(()));
        assert_eq!(Arc::strong_count(&nosy), 1);
    });
}

/// A waker that says that it is called, and comes back when it may.
struct Slow(mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>);

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        self.0.send(()).unwrap();
        self.1.lock().unwrap().recv().unwrap();
    }
}

#[test]
fn dropping_a_future_does_not_wait_for_its_wake_up() {
    in_time(|| {
        let producer = hardware().new_fence();
        let ((called, is_called), (leave, may_leave)) = (mpsc::channel(), mpsc::channel());
        let waker = Waker::from(Arc::new(Slow(called, Mutex::new(may_leave))));
        let mut future = producer.fence().into_future();
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        is_called.recv().unwrap();
        // As an executor does with the lock held that the wake-up is waiting for.
        drop(future);
        leave.send(()).unwrap();
        signaler.join().unwrap();
    });
}

#[test]
fn any_executor_will_do() {
    in_time(|| {
        let producer = hardware().new_fence();
        let fence = producer.fence();
        let signaler = signal_soon(producer, Ok(()));
        let both = async { (fence.clone().await, (&fence).await) };
        assert_eq!(pollster::block_on(both), (Ok(()), Ok(())));
        signaler.join().unwrap();
    });
}

// === many threads ===

#[test]
fn no_wake_up_is_lost() {
    in_time(|| {
        let context = hardware();
        for round in 0..rounds(3_000, 12) {
            let producer = context.new_fence();
            let fence = producer.fence();
            let array = FenceArray::new(vec![producer.fence()]).unwrap();
            let later = Later::new(Mutex::new(Some(producer)));
            let (blocked, awaited, any, member) = thread::scope(|scope| {
                let blocked = scope.spawn(|| fence.wait());
                let awaited = scope.spawn(|| pollster::block_on((&fence).into_future()));
                let any = scope.spawn(|| wait_any(&[fence.clone(), array.clone().into()]));
                let member = scope.spawn(|| array.wait());
                let producer = later.lock().unwrap().take().unwrap();
                if round % 4 == 3 {
                    drop(producer)
                } else {
                    producer.signal(Ok(()))
                }
                (blocked.join(), awaited.join(), any.join(), member.join())
            });
            let result = if round % 4 == 3 { Err(FenceError::Abandoned) } else { Ok(()) };
            assert_eq!((blocked.unwrap(), awaited.unwrap()), (result, result));
            assert_eq!(member.unwrap(), result);
            assert!(any.unwrap().is_some());
            context.declare_idle(Errno::EIO);
        }
    });
}

#[test]
fn a_reset_races_with_waits_and_each_is_told_one_or_the_other() {
    in_time(|| {
        let context = hardware();
        for _ in 0..rounds(3_000, 12) {
            let producer = context.new_fence();
            let fence = producer.fence();
            let array = FenceArray::new(vec![producer.fence()]).unwrap();
            thread::scope(|scope| {
                let waits = [scope.spawn(|| fence.wait()), scope.spawn(|| array.wait())];
                drop(producer);
                assert_eq!(context.declare_idle(Errno::EIO), 1);
                for wait in waits {
                    let error = wait.join().unwrap().unwrap_err();
                    assert!(
                        [FenceError::Abandoned, FenceError::Failed(Errno::EIO)].contains(&error)
                    );
                }
            });
            assert_eq!(array.wait(), Err(FenceError::Failed(Errno::EIO)));
        }
    });
}
