//! Rows 1 to 6: arrays.

use crate::common::{Later, Log, OnEnable, OnPoll, Random, hardware, in_time, rounds};
use dma_fence::{
    DriverFence, Enabled, Errno, Fence, FenceArray, FenceChain, FenceError, Signal, Status,
    Timestamp, merge,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

fn producers(len: usize) -> Vec<Option<DriverFence>> {
    (0..len).map(|_| Some(hardware().new_fence())).collect()
}

fn fences(producers: &[Option<DriverFence>]) -> Vec<Fence> {
    producers.iter().flatten().map(DriverFence::fence).collect()
}

/// All orders of `0..len`.
fn orders(len: usize) -> Vec<Vec<usize>> {
    let Some(last) = len.checked_sub(1) else { return vec![vec![]] };
    let insert = |order: Vec<usize>| {
        (0..len).map(move |place| {
            let mut longer = order.clone();
            longer.insert(place, last);
            longer
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}

/// How many members are few enough to try every order of their signals.
const FEW: usize = rounds(5, 3);

#[test]
fn row_01_an_array_has_signaled_only_when_every_member_has() {
    for len in 1..=FEW {
        for order in orders(len) {
            // The first waiter comes after so many signals; last, never.
            for first_waiter in 0..=len {
                let mut members = producers(len);
                let array = FenceArray::new(fences(&members)).unwrap();
                for (signals, index) in order.iter().enumerate() {
                    if signals == first_waiter {
                        array.on_signal(|_| ()).unwrap().detach();
                    }
                    assert!(!array.is_signaled(), "{signals} of {len}, {order:?} {first_waiter}");
                    members[*index].take().unwrap().signal(Ok(()));
                }
                assert!(array.is_signaled(), "{order:?} {first_waiter}");
            }
        }
    }
}

/// Merges some of `fences`, containers among them, in a way that the random numbers choose.
fn combine(fences: &[Fence], random: &mut Random) -> Fence {
    let any = |random: &mut Random| fences[random.below(fences.len())].clone();
    let some: Vec<_> = (0..1 + random.below(6)).map(|_| any(random)).collect();
    let merged = merge(some);
    if random.below(3) > 0 {
        return merged;
    }
    let seqno = 1 + random.below(4) as u64;
    FenceChain::new(Some(any(random)), merged, seqno).unwrap().into()
}

/// Goes on combining and waiting for what came of it; after the first half meets `start`.
fn combine_and_wait(mut fences: Vec<Fence>, seed: u64, start: &Barrier, left: &Arc<AtomicUsize>) {
    let mut random = Random(seed);
    for step in 0..12 {
        if step == 6 {
            start.wait();
        }
        let merged = combine(&fences, &mut random);
        let run = left.clone();
        left.fetch_add(1, SeqCst);
        match merged.on_signal(move |_| _ = run.fetch_sub(1, SeqCst)) {
            Ok(callback) => callback.detach(),
            Err(_) => _ = left.fetch_sub(1, SeqCst),
        }
        fences.push(merged);
    }
    // An abandoned one ends the wait, too.
    fences.iter().for_each(|fence| _ = fence.wait());
}

#[test]
fn row_02_any_order_of_signals_and_merges_ends() {
    in_time(|| {
        let mut random = Random(0x0dd_ba11);
        for round in 0..rounds(500, 5) {
            let contexts = [(); 4].map(|()| hardware());
            let mut members: Vec<_> =
                (0..12).map(|_| Some(contexts[random.below(4)].new_fence())).collect();
            let plain = fences(&members);
            let order = random.order(12);
            // Callbacks that have yet to run.
            let (start, left) = (Barrier::new(3), Arc::new(AtomicUsize::new(0)));
            thread::scope(|scope| {
                for number in [1, 2] {
                    let (plain, seed) = (plain.clone(), random.0 ^ number);
                    let (start, left) = (&start, &left);
                    scope.spawn(move || combine_and_wait(plain, seed, start, left));
                }
                start.wait();
                for index in order {
                    let member = members[index].take().unwrap();
                    if (round + index) % 7 == 0 { drop(member) } else { member.signal(Ok(())) }
                }
            });
            contexts.iter().for_each(|context| _ = context.declare_idle(Errno::EIO));
            assert_eq!(left.load(SeqCst), 0, "callbacks that nobody called in round {round}");
        }
    });
}

#[test]
fn row_03_all_signaled_before_the_first_waiter_signals_at_once() {
    in_time(|| {
        let wait: fn(&Fence) -> _ = |array| array.wait();
        let register: fn(&Fence) -> _ = |array| {
            let declined = array.on_signal(|_| ()).unwrap_err();
            declined.outcome.result()
        };
        let enable: fn(&Fence) -> _ = |array| {
            array.enable_signaling();
            array.on_outcome(|_| ()).unwrap_err().outcome.result()
        };
        for first_waiter in [wait, register, enable] {
            for len in [1, 2, 7] {
                let members = producers(len);
                let array = FenceArray::new(fences(&members)).unwrap();
                members.into_iter().flatten().for_each(|member| member.signal(Err(Errno::EIO)));
                assert_eq!(first_waiter(&array), Err(FenceError::Failed(Errno::EIO)));
            }
        }
    });
}

/// What another thread does with an array while somebody is busy in a hook of a member.
fn use_elsewhere(array: &Arc<Mutex<Option<Fence>>>) {
    let Some(array) = array.lock().unwrap().clone() else { return };
    let elsewhere = move || {
        let _ = (array.is_signaled(), array.status(), array.to_string());
        drop(array.on_signal(|_| ()));
        let _ = array.wait_timeout(Duration::from_nanos(1));
    };
    thread::spawn(elsewhere).join().unwrap();
}

#[test]
fn row_04_no_lock_of_an_array_is_held_while_a_members_is_taken() {
    in_time(|| {
        let slot = Arc::new(Mutex::new(None));
        let (linking, asking) = (slot.clone(), slot.clone());
        let links = OnEnable(move |_: &Fence| {
            use_elsewhere(&linking);
            Enabled::WillSignal
        });
        let asked = Mutex::new(());
        let asks = OnPoll(move || {
            // Not again for what the other thread asks.
            if let Ok(_first) = asked.try_lock() {
                use_elsewhere(&asking);
            }
            None
        });
        let context = hardware();
        let links = Arc::new(links);
        let members = [
            context.new_fence_with(Arc::new(asks)),
            context.new_fence_with(links.clone()),
            context.new_fence_with(links),
        ];
        let array = FenceArray::new(members.iter().map(DriverFence::fence).collect()).unwrap();
        *slot.lock().unwrap() = Some(array.clone().into());
        // The first waiter calls the hook of the last member; its signal, that of the one before.
        array.on_signal(|_| ()).unwrap().detach();
        assert!(!array.is_signaled());
        members.into_iter().rev().for_each(|member| member.signal(Ok(())));
        assert!(array.is_signaled());
        slot.lock().unwrap().take();
    });
}

#[test]
fn row_05_the_status_is_ok_or_the_error_that_came_first() {
    for len in 1..=FEW {
        for order in orders(len) {
            for failing in 0..1_u32 << len {
                for enabled in [false, true] {
                    let mut members = producers(len);
                    let array = FenceArray::new(fences(&members)).unwrap();
                    if enabled {
                        array.on_signal(|_| ()).unwrap().detach();
                    }
                    let mut first = Ok(());
                    for (time, index) in order.iter().enumerate() {
                        assert_eq!((array.status(), array.error()), (Status::Pending, None));
                        let fails = failing & 1 << index != 0;
                        let error = Errno::from_raw(1 + *index as i32).filter(|_| fails);
                        let result = error.map_or(Ok(()), Err);
                        first = first.and(result);
                        let timestamp = Timestamp::from_nanos(time as u64);
                        members[*index].take().unwrap().signal_at(result, timestamp);
                    }
                    let timestamp = Timestamp::from_nanos(len as u64 - 1);
                    let signal = Signal { result: first, timestamp };
                    assert_eq!(array.status(), Status::Signaled(signal), "{order:?} {failing:b}");
                }
            }
        }
    }
}

#[test]
fn row_06_polling_is_right_before_during_and_after_the_first_waiter() {
    let (array_later, other_later) = (Arc::new(Mutex::new(None)), Later::default());
    let log = Log::new();
    let (asked, ends, seen) = (array_later.clone(), other_later.clone(), log.clone());
    // Called while the first waiter registers.
    let hook = OnEnable(move |_: &Fence| {
        let array: Fence = asked.lock().unwrap().take().unwrap();
        seen.push(("both are left", array.is_signaled()));
        let other = ends.lock().unwrap().take().unwrap();
        other.signal(Ok(()));
        seen.push(("one is left", array.is_signaled()));
        Enabled::WillSignal
    });
    let context = hardware();
    let (other, hooked) = (context.new_fence(), context.new_fence_with(Arc::new(hook)));
    let array = FenceArray::new(vec![other.fence(), hooked.fence()]).unwrap();
    *other_later.lock().unwrap() = Some(other);
    *array_later.lock().unwrap() = Some(array.clone().into());

    assert!(!array.is_signaled(), "before");
    let seen = log.clone();
    array.on_signal(move |_| seen.push(("none is left", true))).unwrap().detach();
    assert_eq!(log.take(), [("both are left", false), ("one is left", false)], "during");
    assert!(!array.is_signaled(), "after");
    hooked.signal(Ok(()));
    assert_eq!((array.is_signaled(), log.take()), (true, vec![("none is left", true)]));
}
