//! More and more threads on the same fences, and on the same buffer.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use dma_fence::{DriverFence, Fence, FenceContext, ReservationObject, Usage};

use super::Experiment;
use crate::contest::{Contender, together};
use crate::peers::{ArcSnapshot, BoxedFence, Entry};

const THREADS: &[usize] = &[1, 2, 3, 4, 6, 8];
/// Fences of the buffer that is read.
const FENCES: u64 = 16;

pub(super) fn registering() -> Experiment {
    Experiment::new("Register on shared fences that one signals, per callback", "threads")
        .with("dma-fence", THREADS, register)
        .with("peer: boxed closures in a Mutex", THREADS, register_boxed)
}

pub(super) fn reading() -> Experiment {
    Experiment::new("Read 16 fences while one more thread writes, per read", "reading threads")
        .with("dma-fence", THREADS, read)
        .with("peer: ArcSwap<Vec>", THREADS, read_snapshot)
}

/// The same in each thread, which is told its number.
fn each(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let work = &work;
    together((0..threads).map(|thread| Box::new(move || work(thread)) as _).collect())
}

/// Each registers on each fence; the first one signals it, too.
fn shared_fences<T: Sync>(
    threads: usize,
    make: impl Fn() -> T + 'static,
    register: impl Fn(&T) + Sync + 'static,
    signal: impl Fn(&T) + Sync + 'static,
) -> Contender {
    Contender::new("", move |times| {
        let fences: Vec<T> = (0..times.div_ceil(threads as u64)).map(|_| make()).collect();
        let took = each(threads, |thread| {
            for fence in &fences {
                register(fence);
                if thread == 0 {
                    signal(fence);
                }
            }
        });
        took.mul_f64(times as f64 / (fences.len() * threads) as f64)
    })
}

fn register(threads: usize) -> Contender {
    let context = FenceContext::hardware("bench", "ring");
    let make = move || {
        let producer = context.new_fence();
        let fence = producer.fence();
        (Mutex::new(Some(producer)), fence)
    };
    type Operation = (Mutex<Option<DriverFence>>, Fence);
    // Some come too late.
    let register = |(_, fence): &Operation| drop(fence.on_signal_detached(|_| ()));
    // Only one locks it.
    let signal = |(producer, _): &Operation| {
        producer.lock().unwrap().take().expect("signaled once").signal(Ok(()));
    };
    shared_fences(threads, make, register, signal)
}

fn register_boxed(threads: usize) -> Contender {
    shared_fences(threads, BoxedFence::new, |fence| fence.on_signal(|| ()), BoxedFence::signal)
}

/// So many threads read while another one writes without a pause.
fn beside_a_writer(
    readers: usize,
    write: impl Fn(u64) + Sync + 'static,
    read: impl Fn() + Sync + 'static,
) -> Contender {
    Contender::new("", move |times| {
        let reads = times.div_ceil(readers as u64);
        let over = AtomicBool::new(false);
        let took = thread::scope(|scope| {
            scope.spawn(|| (0..).take_while(|_| !over.load(Ordering::Relaxed)).for_each(&write));
            let took = each(readers, |_| (0..reads).for_each(|_| read()));
            over.store(true, Ordering::Relaxed);
            took
        });
        took.mul_f64(times as f64 / (reads * readers as u64) as f64)
    })
}

fn read(readers: usize) -> Contender {
    let contexts: Vec<_> = (0..FENCES).map(|_| FenceContext::hardware("bench", "ring")).collect();
    let object = Arc::new(ReservationObject::new());
    let written = object.clone();
    // A place that holds a signaled fence would be given to another one's: there would be fewer than 16.
    let pending = Mutex::new(VecDeque::new());
    let write = move |number: u64| {
        let producer = contexts[(number % FENCES) as usize].new_fence();
        let mut guard = written.lock();
        guard.reserve(1).expect("memory");
        guard.add(&producer.fence(), Usage::Read).expect("a place");
        drop(guard);
        let mut pending = pending.lock().unwrap();
        pending.push_back(producer);
        if pending.len() > FENCES as usize {
            pending.pop_front().into_iter().for_each(|replaced| replaced.signal(Ok(())));
        }
    };
    (0..FENCES).for_each(&write);
    assert_eq!(object.iter(Usage::Read).count(), FENCES as usize);
    let read = move || object.iter(Usage::Read).for_each(|fence| drop(black_box(fence)));
    beside_a_writer(readers, write, read)
}

fn read_snapshot(readers: usize) -> Contender {
    let list: Vec<Entry<BoxedFence>> =
        (0..FENCES).map(|context| (context, Arc::new(BoxedFence::new()))).collect();
    let list = Arc::new(ArcSnapshot(ArcSwap::from_pointee(list)));
    let written = list.clone();
    let write = move |number: u64| {
        let fence = Arc::new(BoxedFence::new());
        let mut fences = Vec::clone(&written.0.load());
        fences[(number % FENCES) as usize].1 = fence.clone();
        written.0.store(Arc::new(fences));
        fence.signal();
    };
    let read = move || {
        for (_, fence) in list.0.load().iter() {
            black_box(fence.clone());
        }
    };
    beside_a_writer(readers, write, read)
}
