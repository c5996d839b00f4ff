//! A signal wakes a thread, whose signal wakes the first one.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use dma_fence::{DriverFence, Fence, FenceContext};
use event_listener::{Event, Listener};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::contest::{Contender, Contest, timed};
use crate::peers::Futex;

pub(super) fn contests() -> Vec<Contest> {
    let mut contests: Vec<_> = places()
        .map(|(name, place)| {
            Contest::new(format!("wake-up, there and back; {name}"), "round", ours(place))
                .against(futex(place), 1.1)
                .beside(condvar(place))
                .beside(parking_lot(place))
                .beside(event(place))
                .uncounted()
        })
        .collect();
    if cpus().len() > 1 {
        contests.push(
            // A thousand nanoseconds, on the scale on which a futex takes 15,700.
            Contest::new("a wait for who is running", "round", ours_beside_a_runner())
                .against(futex(Place::Two), 1.0 / 15.7)
                .uncounted(),
        );
    }
    contests
}

/// Where there is one CPU, only that.
fn places() -> impl Iterator<Item = (&'static str, Place)> {
    let all = [("two CPUs", Place::Two), ("one CPU", Place::One)];
    all.into_iter().skip(usize::from(cpus().len() == 1))
}

#[derive(Clone, Copy)]
enum Place {
    One,
    Two,
}

impl Place {
    fn of(self, thread: usize) -> usize {
        let cpus = cpus();
        match self {
            Place::One => cpus[0],
            Place::Two => cpus[thread],
        }
    }
}

fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(None).expect("the CPUs of this process");
    (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect()
}

/// Runs both on their CPUs, and times the first.
fn both(
    place: Place,
    first: impl FnOnce() + Send,
    second: impl FnOnce() + Send,
) -> std::time::Duration {
    let on = |thread| {
        let mut set = CpuSet::new();
        set.set(place.of(thread));
        move || sched_setaffinity(None, &set).expect("one of this process's CPUs")
    };
    let (pin_first, pin_second) = (on(0), on(1));
    thread::scope(|scope| {
        scope.spawn(move || {
            pin_second();
            second();
        });
        let first = scope.spawn(move || {
            pin_first();
            timed(first)
        });
        first.join().expect("it does not panic")
    })
}

/// So many rounds of two signals each: who waits for one, signals the other.
fn rounds<T: Send + Sync>(
    name: &'static str,
    place: Place,
    make: impl Fn() -> T + 'static,
    signal: impl Fn(&T) + Copy + Send + Sync + 'static,
    wait: impl Fn(&T) + Copy + Send + Sync + 'static,
) -> Contender {
    Contender::new(name, move |times| {
        let there: Vec<T> = (0..times).map(|_| make()).collect();
        let back: Vec<T> = (0..times).map(|_| make()).collect();
        let pairs = || there.iter().zip(&back);
        let first = || pairs().for_each(|(there, back)| (signal(there), wait(back)).1);
        let second = || pairs().for_each(|(there, back)| (wait(there), signal(back)).1);
        both(place, first, second)
    })
}

/// So many operations, by their two sides.
fn operations(context: &FenceContext, times: u64) -> (Vec<DriverFence>, Vec<Fence>) {
    let side = |producer: DriverFence| {
        let fence = producer.fence();
        (producer, fence)
    };
    (0..times).map(|_| side(context.new_fence())).unzip()
}

fn signal(producer: DriverFence) {
    producer.signal(Ok(()));
}

fn wait(fence: &Fence) {
    fence.wait().expect("no error");
}

/// On two CPUs if possible.
pub(super) fn ours_anywhere() -> Contender {
    let (_, place) = places().next().expect("there is a CPU");
    ours(place)
}

fn ours(place: Place) -> Contender {
    ours_against(place, wait)
}

/// The other thread never sleeps.
fn ours_beside_a_runner() -> Contender {
    ours_against(Place::Two, |fence| {
        while !fence.is_signaled() {
            std::hint::spin_loop();
        }
    })
}

/// What [`rounds`] is for those whose operations are used up by their signals.
fn ours_against(place: Place, other_waits: impl Fn(&Fence) + Sync + 'static) -> Contender {
    let context = FenceContext::hardware("bench", "ring");
    Contender::new("dma-fence", move |times| {
        let (there, there_waited) = operations(&context, times);
        let (back, back_waited) = operations(&context, times);
        let first = || {
            for (producer, fence) in there.into_iter().zip(&back_waited) {
                signal(producer);
                wait(fence);
            }
        };
        let second = || {
            for (fence, producer) in there_waited.iter().zip(back) {
                other_waits(fence);
                signal(producer);
            }
        };
        both(place, first, second)
    })
}

fn futex(place: Place) -> Contender {
    rounds("futex(2)", place, Futex::default, Futex::signal, Futex::wait)
}

fn condvar(place: Place) -> Contender {
    let signal = |(done, changed): &(Mutex<bool>, Condvar)| {
        *done.lock().unwrap() = true;
        changed.notify_one();
    };
    let wait = |(done, changed): &(Mutex<bool>, Condvar)| {
        let done = done.lock().unwrap();
        drop(changed.wait_while(done, |done| !*done).unwrap());
    };
    rounds("std Mutex, Condvar", place, Default::default, signal, wait)
}

fn parking_lot(place: Place) -> Contender {
    type Flag = (parking_lot::Mutex<bool>, parking_lot::Condvar);
    let signal = |(done, changed): &Flag| {
        *done.lock() = true;
        changed.notify_one();
    };
    let wait = |(done, changed): &Flag| changed.wait_while(&mut done.lock(), |done| !*done);
    rounds("parking_lot Mutex, Condvar", place, Flag::default, signal, wait)
}

fn event(place: Place) -> Contender {
    use std::sync::atomic::{AtomicBool, Ordering};
    type Flag = Arc<(AtomicBool, Event)>;
    let signal = |flag: &Flag| {
        flag.0.store(true, Ordering::Release);
        flag.1.notify(usize::MAX);
    };
    let wait = |flag: &Flag| {
        while !flag.0.load(Ordering::Acquire) {
            let listener = flag.1.listen();
            if !flag.0.load(Ordering::Acquire) {
                listener.wait();
            }
        }
    };
    rounds("event-listener", place, Flag::default, signal, wait)
}
