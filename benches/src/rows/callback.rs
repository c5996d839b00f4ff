//! One more callback on a fence that has some: registering and running it.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dma_fence::FenceContext;

use crate::contest::{Contender, Contest, timed};
use crate::peers::BoxedFence;

/// So many on each fence, so that the fence itself does not count.
const CALLBACKS: u64 = 64;

static CALLED: AtomicU64 = AtomicU64::new(0);

/// Something to hold, as a callback usually has: an empty closure in a box allocates nothing.
fn callback() -> impl FnOnce() + Send + 'static {
    let called = black_box(&CALLED);
    move || called.store(called.load(Ordering::Relaxed) + 1, Ordering::Relaxed)
}

pub(super) fn contests() -> Vec<Contest> {
    vec![Contest::new("one more callback", "callback", ours()).against(boxed(), 0.5)]
}

fn ours() -> Contender {
    let context = FenceContext::hardware("bench", "ring");
    let work = move |times| {
        let producer = context.new_fence();
        let fence = producer.fence();
        timed(|| {
            for _ in 0..times {
                let callback = callback();
                fence.on_signal_detached(|_| callback()).expect("it is pending");
            }
            producer.signal(Ok(()));
        })
    };
    Contender::new("dma-fence", in_portions(work))
}

pub(super) fn boxed() -> Contender {
    let work = |times| {
        let fence = BoxedFence::new();
        timed(|| {
            (0..times).for_each(|_| fence.on_signal(callback()));
            fence.signal();
        })
    };
    Contender::new("boxed closures in a Mutex", in_portions(work))
}

/// For what the callback holds and for its place in the list.
pub(super) fn allocation() -> Contender {
    let work = |times| {
        let mut kept = Vec::with_capacity(CALLBACKS as usize);
        timed(|| {
            (0..times).for_each(|_| kept.push(Box::new(black_box([&CALLED; 5]))));
            kept.clear();
        })
    };
    Contender::new("memory", in_portions(work))
}

fn in_portions(mut work: impl FnMut(u64) -> Duration) -> impl FnMut(u64) -> Duration {
    move |times| {
        let (fences, rest) = (times / CALLBACKS, times % CALLBACKS);
        (0..fences).map(|_| work(CALLBACKS)).sum::<Duration>() + work(rest)
    }
}
