//! Callbacks: once, in order, under no lock, and taken back without a race.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Later, Log, hardware, in_time, lost, panic_of, rounds, software};
use dma_fence::{Errno, Fence, FenceArray, FenceCallback, FenceError, Timestamp};
use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

// === once, in order, with the state visible ===

#[test]
fn callbacks_run_once_and_in_the_order_of_registration() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let log = Log::new();
    for number in 0..16 {
        let log = log.clone();
        match number % 4 {
            0 => fence.on_signal(move |_| log.push(number)).unwrap().detach(),
            1 => fence.on_outcome(move |_| log.push(number)).unwrap().detach(),
            2 => fence.on_signal_detached(move |_| log.push(number)).unwrap(),
            _ => fence.on_outcome_detached(move |_| log.push(number)).unwrap(),
        }
    }
    assert!(log.take().is_empty());
    producer.signal(Ok(()));
    assert_eq!(log.take(), (0..16).collect::<Vec<_>>());
}

#[test]
fn an_on_outcome_callback_runs_at_the_abandonment_and_not_again() {
    let context = hardware();
    let producer = context.new_fence();
    let log = Log::new();
    let seen = log.clone();
    let told = producer.fence().on_outcome(move |outcome| seen.push(outcome.result())).unwrap();
    drop(producer);
    context.declare_idle(Errno::EIO);
    assert_eq!(log.take(), [Err(FenceError::Abandoned)]);
    assert!(!told.cancel());
}

#[test]
fn a_callback_sees_the_signal_that_it_is_told_of() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let log = Log::new();
    let (seen, same) = (log.clone(), fence.clone());
    let callback = move |signal: &dma_fence::Signal| {
        seen.push(*signal);
        assert_eq!(same.status(), dma_fence::Status::Signaled(*signal));
    };
    fence.on_signal(callback).unwrap().detach();
    producer.signal_at(Err(Errno::EIO), Timestamp::from_nanos(5));
    let [signal] = log.take()[..] else { panic!("not once") };
    assert_eq!((signal.result, signal.timestamp.as_nanos()), (Err(Errno::EIO), 5));
}

#[test]
fn a_callback_runs_on_the_thread_that_signals() {
    let producer = hardware().new_fence();
    let (sender, receiver) = mpsc::channel();
    let callback = move |_: &_| sender.send(thread::current().id()).unwrap();
    producer.fence().on_signal(callback).unwrap().detach();
    let signaler = thread::spawn(move || producer.signal(Ok(())));
    let id = signaler.thread().id();
    signaler.join().unwrap();
    assert_eq!(receiver.recv(), Ok(id));
}

#[test]
fn a_declined_callback_comes_back_unrun() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    producer.signal(Err(Errno::EIO));
    let ran = Arc::new(AtomicBool::new(false));
    let mark = ran.clone();
    let declined = fence.on_signal(move |_| mark.store(true, SeqCst)).unwrap_err();
    assert_eq!(declined.outcome.result(), Err(FenceError::Failed(Errno::EIO)));
    assert!(!ran.load(SeqCst));
    let dma_fence::Outcome::Signaled(signal) = declined.outcome else { panic!("signaled") };
    (declined.callback)(&signal);
    assert!(ran.load(SeqCst));
}

#[test]
fn a_declined_callback_that_would_be_detached_comes_back_too() {
    let context = hardware();
    let producer = context.new_fence();
    let fence = producer.fence();
    producer.signal(Err(Errno::EIO));
    let ran = Arc::new(AtomicBool::new(false));
    let mark = || {
        let ran = ran.clone();
        move || ran.store(true, SeqCst)
    };
    let signal = mark();
    let declined = fence.on_signal_detached(move |_| signal()).unwrap_err();
    assert_eq!(declined.outcome.result(), Err(FenceError::Failed(Errno::EIO)));
    drop(declined);
    let outcome = mark();
    let declined = lost(&context).on_outcome_detached(move |_| outcome()).unwrap_err();
    assert_eq!(declined.outcome, dma_fence::Outcome::Abandoned);
    assert!(!ran.load(SeqCst));
    (declined.callback)(&declined.outcome);
    assert!(ran.load(SeqCst));
}

#[test]
fn detached_callbacks_are_told_of_what_they_wait_for() {
    let context = hardware();
    let producer = context.new_fence();
    let log = Log::new();
    let [signal, outcome] = [log.clone(), log.clone()];
    producer.fence().on_signal_detached(move |told| signal.push(told.result.err())).unwrap();
    producer.fence().on_outcome_detached(move |_| outcome.push(None)).unwrap();
    drop(producer);
    assert_eq!(log.take(), [None], "abandoned");
    context.declare_idle(Errno::EIO);
    assert_eq!(log.take(), [Some(Errno::EIO)], "signaled");
}

#[test]
fn a_detached_callback_keeps_a_container() {
    let producer = hardware().new_fence();
    let log = Log::new();
    let seen = log.clone();
    let array = FenceArray::new(vec![producer.fence()]).unwrap();
    array.on_signal_detached(move |_| seen.push(())).unwrap();
    drop(array);
    producer.signal(Ok(()));
    assert_eq!(log.take(), [()]);
}

#[test]
fn a_callback_may_register_on_its_own_and_on_other_fences() {
    let context = hardware();
    let (first, second) = (context.new_fence(), context.new_fence());
    let (own, other) = (first.fence(), second.fence());
    let log = Log::new();
    let (seen, same) = (log.clone(), own.clone());
    let callback = move |_: &_| {
        assert!(same.on_signal(|_| ()).is_err(), "it has signaled");
        other.on_signal(move |_| seen.push("other")).unwrap().detach();
    };
    own.on_signal(callback).unwrap().detach();
    first.signal(Ok(()));
    assert!(log.take().is_empty());
    second.signal(Ok(()));
    assert_eq!(log.take(), ["other"]);
}

// === panics ===

#[test]
fn a_panicking_callback_neither_loses_nor_reorders_the_others() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let log = Log::new();
    for number in 0..5 {
        let log = log.clone();
        let callback = move |_: &_| {
            log.push(number);
            assert!(number % 2 == 0, "number {number}");
        };
        fence.on_signal(callback).unwrap().detach();
    }
    let panic = panic_of(|| producer.signal(Ok(()))).expect("the panic goes on");
    assert_eq!(panic.downcast_ref(), Some(&"number 1".to_string()), "the first one");
    assert_eq!(log.take(), [0, 1, 2, 3, 4]);
    assert!(fence.is_signaled());
    assert_eq!(panic_of(|| lost(&software())).map(drop), None, "the thread drains as before");
}

/// What a callback panics with.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("even the payload panics");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "what a payload's drop panics with is leaked on purpose")]
fn a_panic_whose_payload_panics_too_loses_no_callback() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let log = Log::new();
    let seen = log.clone();
    fence.on_signal(|_| panic!("first")).unwrap().detach();
    fence.on_signal(|_| std::panic::panic_any(Payload)).unwrap().detach();
    fence.on_signal(move |_| seen.push("last")).unwrap().detach();
    let panic = panic_of(|| producer.signal(Ok(()))).expect("the panic goes on");
    assert_eq!(panic.downcast_ref(), Some(&"first"));
    assert_eq!(log.take(), ["last"]);
}

#[test]
fn a_callback_that_panics_counts_as_run_for_who_cancels_it() {
    in_time(|| {
        let producer = hardware().new_fence();
        let callback = producer.fence().on_signal(|_| panic!("run")).unwrap();
        assert!(panic_of(|| producer.signal(Ok(()))).is_some());
        assert!(!callback.cancel());
    });
}

// === cancelling ===

#[test]
fn a_cancelled_callback_never_runs_and_is_dropped_at_once() {
    for cancel in [FenceCallback::cancel, |callback| {
        drop(callback);
        true
    }] {
        let producer = hardware().new_fence();
        let captured = Arc::new(());
        let held = captured.clone();
        let callback = producer.fence().on_signal(move |_| unreachable!("{held:?}")).unwrap();
        assert!(cancel(callback));
        assert_eq!(Arc::strong_count(&captured), 1);
        producer.signal(Ok(()));
    }
}

#[test]
fn cancelling_takes_the_right_one() {
    for victim in 0..4 {
        let producer = hardware().new_fence();
        let log = Log::new();
        let mut callbacks: Vec<_> = (0..4)
            .map(|number| (log.clone(), number))
            .map(|(log, number)| producer.fence().on_signal(move |_| log.push(number)).unwrap())
            .collect();
        assert!(callbacks.remove(victim).cancel());
        producer.signal(Ok(()));
        assert_eq!(log.take(), (0..4).filter(|n| *n != victim).collect::<Vec<_>>());
        assert!(callbacks.into_iter().all(|callback| !callback.cancel()));
    }
}

#[test]
fn cancelling_works_between_abandonment_and_signal() {
    let context = hardware();
    let producer = context.new_fence();
    let fence = producer.fence();
    let early = fence.on_signal(|_| unreachable!()).unwrap();
    drop(producer);
    let late = fence.on_signal(|_| unreachable!()).unwrap();
    assert!(early.cancel() && late.cancel());
    context.declare_idle(Errno::EIO);
}

#[test]
fn a_callback_may_cancel_itself() {
    in_time(|| {
        let producer = hardware().new_fence();
        let own = Arc::new(Mutex::new(None::<FenceCallback>));
        let (slot, log) = (own.clone(), Log::new());
        let seen = log.clone();
        let callback = move |_: &_| {
            let me = slot.lock().unwrap().take().unwrap();
            seen.push(me.cancel());
        };
        *own.lock().unwrap() = Some(producer.fence().on_signal(callback).unwrap());
        producer.signal(Ok(()));
        assert_eq!(log.take(), [false], "it runs, so it is too late");
    });
}

#[test]
fn a_callback_may_cancel_one_that_is_about_to_run() {
    let producer = hardware().new_fence();
    let fence = producer.fence();
    let captured = Arc::new(());
    let slot = Arc::new(Mutex::new(None::<FenceCallback>));
    let (later, log, weak) = (slot.clone(), Log::new(), Arc::downgrade(&captured));
    let (seen, last) = (log.clone(), log.clone());
    let callback = move |_: &_| {
        seen.push(later.lock().unwrap().take().unwrap().cancel());
        assert!(weak.upgrade().is_none(), "dropped by the cancel, not later");
    };
    fence.on_signal(callback).unwrap().detach();
    *slot.lock().unwrap() = Some(fence.on_signal(move |_| unreachable!("{captured:?}")).unwrap());
    fence.on_signal(move |_| last.push(false)).unwrap().detach();
    producer.signal(Ok(()));
    assert_eq!(log.take(), [true, false], "and the one after it runs");
}

// === waiting inside a callback ===

const BLOCK: fn(Fence) -> Result<(), FenceError> = |fence| fence.wait();
const BLOCK_ON: fn(Fence) -> Result<(), FenceError> =
    |fence| pollster::block_on(fence.into_future());

#[test]
fn a_callback_may_wait_for_a_fence_that_it_signals() {
    in_time(|| {
        let context = hardware();
        let (first, second) = (context.new_fence(), context.new_fence());
        let other = second.fence();
        let callback = move |_: &_| {
            second.signal(Ok(()));
            other.wait().unwrap();
            pollster::block_on(other.into_future()).unwrap();
        };
        first.fence().on_signal(callback).unwrap().detach();
        first.signal(Ok(()));
    });
}

/// An array over the fence, enabled, as a callback registered before may find it.
fn enabled_array(member: Fence) -> Fence {
    let array = FenceArray::new(vec![member]).unwrap();
    array.on_signal(|_| ()).unwrap().detach();
    array.into()
}

#[test]
fn a_callback_may_wait_for_an_array_of_its_own_fence() {
    for wait in [BLOCK, BLOCK_ON] {
        in_time(move || {
            let producer = hardware().new_fence();
            let slot = Arc::new(Mutex::new(None));
            let array = slot.clone();
            let callback = move |_: &_| wait(array.lock().unwrap().take().unwrap()).unwrap();
            producer.fence().on_signal(callback).unwrap().detach();
            *slot.lock().unwrap() = Some(enabled_array(producer.fence()));
            producer.signal(Ok(()));
        });
    }
}

#[test]
fn a_callback_may_wait_for_an_array_whose_last_member_it_signals() {
    in_time(|| {
        let context = hardware();
        let (first, member) = (context.new_fence(), context.new_fence());
        let array = enabled_array(member.fence());
        let callback = move |_: &_| {
            member.signal(Ok(()));
            assert_eq!(dma_fence::wait_any(std::slice::from_ref(&array)), Some(0));
            array.wait_timeout(Duration::from_millis(50)).unwrap();
        };
        first.fence().on_signal(callback).unwrap().detach();
        first.signal(Ok(()));
    });
}

#[test]
fn callbacks_may_wait_for_what_the_next_one_signals() {
    for wait in [BLOCK, BLOCK_ON] {
        in_time(move || {
            let context = hardware();
            let (first, second, third) =
                (context.new_fence(), context.new_fence(), context.new_fence());
            // The first waits for the second callback, which waits for the third.
            let (a, b) = (second.fence(), third.fence());
            first.fence().on_signal(move |_| wait(a).unwrap()).unwrap().detach();
            let waits = move |_: &_| {
                wait(b).unwrap();
                second.signal(Ok(()));
            };
            first.fence().on_signal(waits).unwrap().detach();
            first.fence().on_signal(move |_| third.signal(Ok(()))).unwrap().detach();
            first.signal(Ok(()));
        });
    }
}

#[test]
fn a_thread_helps_however_often_it_has_helped_before() {
    in_time(|| {
        let context = hardware();
        // More than polls may nest.
        for _ in 0..20 {
            let (first, second) = (context.new_fence(), context.new_fence());
            let next = second.fence();
            let waits = move |_: &_| BLOCK_ON(next).unwrap();
            first.fence().on_signal(waits).unwrap().detach();
            first.fence().on_signal(move |_| second.signal(Ok(()))).unwrap().detach();
            first.signal(Ok(()));
        }
    });
}

// === many threads ===

#[test]
fn registering_cancelling_and_signaling_race_and_each_callback_runs_or_not() {
    in_time(|| {
        let context = Arc::new(hardware());
        for round in 0..rounds(3_000, 12) {
            let producer = context.new_fence();
            let fence = producer.fence();
            let later = Later::new(Mutex::new(Some(producer)));
            thread::scope(|scope| {
                let signaler = scope.spawn(|| {
                    let producer = later.lock().unwrap().take().unwrap();
                    if round % 3 == 0 { drop(producer) } else { producer.signal(Ok(())) }
                });
                for seed in 0..2 {
                    let fence = &fence;
                    scope.spawn(move || {
                        for turn in 0..4 {
                            let runs = Arc::new(AtomicUsize::new(0));
                            let count = runs.clone();
                            let callback = move |_: &_| _ = count.fetch_add(1, SeqCst);
                            let Ok(callback) = fence.on_outcome(callback) else { return };
                            for _ in 0..(seed + turn) * 8 {
                                std::hint::spin_loop();
                            }
                            let never = callback.cancel();
                            assert_eq!(runs.load(SeqCst), usize::from(!never));
                            assert_eq!(Arc::strong_count(&runs), 1, "the closure is gone");
                        }
                    });
                }
                signaler.join().unwrap();
            });
            context.declare_idle(Errno::EIO);
        }
    });
}
