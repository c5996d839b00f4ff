//! A job's fence takes the place of the one before it in a buffer that N timelines use.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use dma_fence::{DriverFence, FenceContext, ReservationObject, Usage};

use crate::contest::{Contender, Contest, timed};
use crate::peers::{BoxedFence, LockedVec};

/// So many fences are made before they are added one by one, at least.
const BATCH: u64 = 1024;

pub(super) fn contests() -> Vec<Contest> {
    [4, 16, 64]
        .into_iter()
        .map(|timelines| {
            let work = format!("add to a buffer of {timelines} timelines");
            Contest::new(work, "fence", ours(timelines)).against(locked(timelines), 1.0)
        })
        .collect()
}

pub(crate) fn ours(timelines: usize) -> Contender {
    let contexts: Vec<_> =
        (0..timelines).map(|_| FenceContext::hardware("bench", "ring")).collect();
    let object = ReservationObject::new();
    let mut last: Vec<DriverFence> = Vec::new();
    let work = move |times: u64| {
        let of = |number: u64| &contexts[number as usize % timelines];
        let producers: Vec<_> = (0..times).map(|number| of(number).new_fence()).collect();
        let fences: Vec<_> = producers.iter().map(DriverFence::fence).collect();
        let took = timed(|| {
            for fence in &fences {
                let mut guard = object.lock();
                guard.reserve(1).expect("memory");
                guard.add(fence, Usage::Read).expect("a place");
            }
        });
        std::mem::replace(&mut last, producers).into_iter().for_each(|old| old.signal(Ok(())));
        took
    };
    Contender::new("dma-fence", in_batches(timelines, work))
}

pub(crate) fn locked(timelines: usize) -> Contender {
    let list = LockedVec(RwLock::new(Vec::new()));
    let mut last = Vec::new();
    let work = move |times: u64| {
        let fences: Vec<_> = (0..times).map(|_| Arc::new(BoxedFence::new())).collect();
        let took = timed(|| {
            for (number, fence) in fences.iter().enumerate() {
                list.add((number % timelines) as u64, fence);
            }
        });
        // As with ours, what gives way is not freed there: its producer still has it.
        drop(std::mem::replace(&mut last, fences));
        took
    };
    Contender::new("RwLock<Vec>", in_batches(timelines, work))
}

/// In batches in which every timeline has as many turns.
fn in_batches(
    timelines: usize,
    mut work: impl FnMut(u64) -> Duration,
) -> impl FnMut(u64) -> Duration {
    let mut is_first = true;
    let batch = BATCH.max(timelines as u64);
    move |times| {
        if std::mem::take(&mut is_first) {
            // From here on every timeline is known.
            work(timelines as u64);
        }
        let rest = times % batch;
        (0..times / batch).map(|_| work(batch)).sum::<Duration>() + work(rest)
    }
}
