//! Rows 13, 14, 20, 30 and 31: one fence and who holds it.

use crate::common::{Backend, Log, hardware, in_time};
use dma_fence::{
    Errno, Fence, FenceArray, FenceChain, FenceError, ReservationObject, ReservationStatus, Signal,
    Status, Timestamp, Usage, WaitError, merge, wait_all_timeout, wait_any_timeout,
};
use std::env;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

/// Everything that asks and does not wait.
fn query(fence: &Fence) {
    let _ = (fence.is_signaled(), fence.status(), fence.error(), fence.timestamp());
    let _ = (fence.to_string(), fence.describe().to_string(), format!("{fence:?}"));
    let _ = (fence.driver_name(), fence.timeline_name(), fence.seqno(), fence.context());
    let _ = (fence.leaves().count(), fence.is_container(), fence.match_context(0));
    let _ = (fence.is_later_or_same(fence), merge([fence.clone()]));
    let _ = fence.wait_timeout(Duration::ZERO);
    fence.set_deadline(Timestamp::from_nanos(1));
}

#[test]
fn row_13_queries_never_enable_signaling_and_waits_do() {
    const SHORT: Duration = Duration::from_nanos(1);
    let waits: [fn(&Fence); 7] = [
        |fence| _ = fence.wait_timeout(SHORT),
        // Far enough ahead that it is not over when it is looked at.
        |fence| {
            _ = fence.wait_until(Timestamp::from_nanos(Timestamp::now().as_nanos() + 50_000_000))
        },
        |fence| drop(fence.on_signal(|_| ())),
        |fence| drop(fence.on_outcome(|_| ())),
        |fence| fence.enable_signaling(),
        |fence| _ = wait_any_timeout(&[fence.clone(), fence.clone()], SHORT),
        |fence| _ = wait_all_timeout(&[Fence::signaled(), fence.clone()], SHORT),
    ];
    let plain: fn(Fence) -> Fence = |fence| fence;
    let array = |fence| FenceArray::new(vec![fence]).unwrap().into();
    let chain = |fence| FenceChain::new(None, fence, 1).unwrap().into();
    for wait in waits {
        for wrap in [plain, array, chain] {
            let backend = Backend::polled();
            let producer = hardware().new_fence_with(backend.clone());
            let fence = wrap(producer.fence());
            query(&fence);
            assert_eq!(backend.times_enabled(), 0, "{fence}");
            wait(&fence);
            assert_eq!(backend.times_enabled(), 1, "{fence}");
            producer.signal(Ok(()));
        }
    }
}

/// A user's value that uses its fence when it is dropped, which takes the fence's lock.
struct UsesFence(Fence);

impl Drop for UsesFence {
    fn drop(&mut self) {
        drop(self.0.on_signal(|_| ()));
        assert_ne!(self.0.status(), Status::Pending);
    }
}

#[test]
fn row_14_a_callback_may_drop_anything() {
    in_time(|| {
        for signals in [true, false] {
            let context = hardware();
            let producer = context.new_fence();
            let fence = producer.fence();
            let array: Fence = FenceArray::new(vec![fence.clone()]).unwrap().into();
            let chain: Fence = FenceChain::new(None, array.clone(), 1).unwrap().into();
            let captured = Arc::new(());
            let held = [fence.clone(), array.clone(), chain.clone()].map(UsesFence);
            for last in [chain, array, fence] {
                let held = captured.clone();
                let also = (last.clone(), last.on_signal(|_| ()).unwrap());
                last.on_outcome(move |_| drop((also, held))).unwrap().detach();
            }
            let also = captured.clone();
            producer.fence().on_outcome(move |_| drop((held, also))).unwrap().detach();
            if signals {
                producer.signal(Ok(()))
            } else {
                drop(producer)
            }
            assert_eq!(Arc::strong_count(&captured), 1);
            context.declare_idle(Errno::EIO);
        }
    });
}

#[test]
fn row_20_no_hook_after_the_signal_and_the_backend_is_freed() {
    let backend = Backend::polled();
    let weak = Arc::downgrade(&backend);
    let producer = hardware().new_fence_with(backend.clone());
    let fence = producer.fence();
    let array: Fence = FenceArray::new(vec![fence.clone()]).unwrap().into();
    array.on_signal(|_| ()).unwrap().detach();
    producer.signal(Ok(()));
    let asked = (backend.times_enabled(), backend.times_polled());
    for fence in [&fence, &array] {
        query(fence);
        fence.enable_signaling();
        assert!(fence.on_signal(|_| ()).is_err());
        assert_eq!(fence.wait(), Ok(()));
    }
    assert_eq!((backend.times_enabled(), backend.times_polled()), asked);
    assert!(backend.deadlines.lock().unwrap().is_empty());
    drop(backend);
    assert!(weak.upgrade().is_none(), "the fence keeps the backend alive");
}

/// Threads that ask for the stub for the first time in this process, all at once.
fn race_for_the_stub() {
    const THREADS: usize = 8;
    let start = Barrier::new(THREADS);
    let stubs = thread::scope(|scope| {
        let threads = [(); THREADS].map(|()| {
            scope.spawn(|| {
                start.wait();
                let stub = Fence::signaled();
                let signal = Signal { result: Ok(()), timestamp: Timestamp::ZERO };
                assert_eq!(stub.status(), Status::Signaled(signal));
                stub
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(stubs.iter().all(|stub| stub.same_fence(&stubs[0])), "there is one in the process");
}

#[test]
fn row_30_the_stub_has_signaled_before_anybody_sees_it() {
    const CHILD: &str = "DMA_FENCE_TEST_RACES_FOR_THE_STUB";
    // The interpreter starts no process; there the race is once for all tests.
    if cfg!(miri) || env::var_os(CHILD).is_some() {
        return race_for_the_stub();
    }
    let name = thread::current().name().unwrap().to_owned();
    for _ in 0..50 {
        let mut child = Command::new(env::current_exe().unwrap());
        let output = child.args(["--exact", &name]).env(CHILD, "").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
    }
}

#[test]
fn row_31_a_fence_that_loses_its_producer_neither_signals_nor_hangs() {
    in_time(|| {
        let context = hardware();
        let producer = context.new_fence();
        let fence = producer.fence();
        let other = hardware().new_fence();
        // The member that the walk begins with: those before it are heard of when somebody asks.
        let array: Fence = FenceArray::new(vec![other.fence(), fence.clone()]).unwrap().into();
        let chain: Fence = FenceChain::new(Some(other.fence()), fence.clone(), 1).unwrap().into();
        let object = ReservationObject::new();
        let mut guard = object.lock();
        guard.reserve(1).unwrap();
        guard.add(&fence, Usage::Write).unwrap();
        drop(guard);
        let log = Log::new();
        let reuse = log.clone();
        fence.on_signal(move |signal| reuse.push(signal.result)).unwrap().detach();
        // They wait before it happens.
        let waiting = [&fence, &array, &chain].map(|fence| {
            let (blocks, awaits) = (fence.clone(), fence.clone());
            [
                thread::spawn(move || blocks.wait()),
                thread::spawn(move || pollster::block_on(async { awaits.await })),
            ]
        });
        drop(producer);
        for thread in waiting.into_iter().flatten() {
            assert_eq!(thread.join().unwrap(), Err(FenceError::Abandoned));
        }
        for fence in [&fence, &array, &chain] {
            assert_eq!((fence.is_signaled(), fence.status()), (false, Status::Abandoned));
            assert_eq!(fence.wait(), Err(FenceError::Abandoned));
            for limit in [Duration::ZERO, Duration::from_secs(9)] {
                assert_eq!(fence.wait_timeout(limit), Err(WaitError::Abandoned));
            }
        }
        assert!(matches!(object.status(Usage::Write), ReservationStatus::Abandoned(_)));
        assert!(log.take().is_empty(), "memory must not be reused");
        assert_eq!(context.declare_idle(Errno::EIO), 1);
        assert_eq!(log.take(), [Err(Errno::EIO)]);
        other.signal(Ok(()));
        assert!([fence, array, chain].iter().all(Fence::is_signaled));
    });
}
