//! Timelines: building, signaling and dropping a long chain is no slower for each of its points than a short one, which
//! is too long for the caches, too.

use std::time::Duration;

use dma_fence::{DriverFence, Fence, FenceChain, FenceContext};

use crate::contest::{Contender, Contest, timed};

const LONG: usize = 1_000_000;
const SHORT: usize = 100_000;

pub(super) fn contests() -> Vec<Contest> {
    vec![
        Contest::new(
            "a chain of 1,000,000: build, signal, drop",
            "point",
            chain("dma-fence", LONG),
        )
        .against(chain("a chain of 100,000", SHORT), 1.5)
        .uncounted(),
    ]
}

pub(crate) fn chain(name: &'static str, points: usize) -> Contender {
    in_chains(name, points, |points| timed(|| live(points)))
}

/// Does it for whole chains.
pub(crate) fn in_chains(
    name: &'static str,
    points: usize,
    work: fn(usize) -> Duration,
) -> Contender {
    Contender::new(name, move |times| {
        let chains = times.div_ceil(points as u64);
        let took: Duration = (0..chains).map(|_| in_little_stack(move || work(points))).sum();
        took.mul_f64(times as f64 / (chains * points as u64) as f64)
    })
}

/// If it needed more for a longer chain, it would overflow.
fn in_little_stack(work: impl FnOnce() -> Duration + Send + 'static) -> Duration {
    let thread = std::thread::Builder::new().stack_size(64 << 10);
    thread.spawn(work).expect("a thread").join().expect("it does not panic")
}

fn live(points: usize) {
    let context = FenceContext::hardware("bench", "ring");
    let producers: Vec<DriverFence> = (0..points).map(|_| context.new_fence()).collect();
    let mut head: Option<Fence> = None;
    for (seqno, producer) in (1..).zip(&producers) {
        let point = FenceChain::new(head.take(), producer.fence(), seqno);
        head = Some(point.expect("its fence is no chain").into());
    }
    let head = head.expect("there are points");
    head.on_signal_detached(|_| ()).expect("it is pending");
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    assert!(head.is_signaled());
}
