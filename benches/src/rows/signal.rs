//! An operation's whole life: a handle for each side, the signal, a look at it, the end of both handles.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dma_fence::{FenceContext, Timestamp};

use crate::contest::{Contender, Contest};

pub(super) fn contests() -> Vec<Contest> {
    vec![
        Contest::new("make, signal, drop; with the time", "fence", ours_with_time())
            .against(oneshot(), 1.0)
            .beside(flag()),
        Contest::new("make, signal, drop; time given", "fence", ours_at_a_time())
            .against(flag(), 1.2)
            .beside(oneshot()),
    ]
}

pub(super) fn ours_with_time() -> Contender {
    let context = FenceContext::hardware("bench", "ring");
    Contender::of("dma-fence", move || {
        let producer = context.new_fence();
        let fence = producer.fence();
        producer.signal(Ok(()));
        assert!(black_box(fence).is_signaled());
    })
}

fn ours_at_a_time() -> Contender {
    let context = FenceContext::hardware("bench", "ring");
    let time = Timestamp::now();
    Contender::of("dma-fence", move || {
        let producer = context.new_fence();
        let fence = producer.fence();
        producer.signal_at(Ok(()), time);
        assert!(black_box(fence).is_signaled());
    })
}

/// It keeps no time.
pub(super) fn oneshot() -> Contender {
    Contender::of("tokio oneshot", || {
        let (producer, mut fence) = tokio::sync::oneshot::channel::<Result<(), i32>>();
        producer.send(Ok(())).unwrap();
        assert!(black_box(&mut fence).try_recv().is_ok());
    })
}

pub(super) fn flag() -> Contender {
    Contender::of("Arc<AtomicBool>", live_as_a_flag)
}

fn live_as_a_flag() {
    let producer = Arc::new(AtomicBool::new(false));
    let fence = producer.clone();
    producer.store(true, Ordering::Release);
    drop(producer);
    assert!(black_box(fence).load(Ordering::Acquire));
}

/// As many locked operations as a fence takes: a timeline gives each its number, and hears of its end.
pub(super) fn flag_of_a_timeline() -> Contender {
    let (next, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    Contender::of("Arc<AtomicBool>, two counters", move || {
        black_box(next.fetch_add(1, Ordering::Relaxed));
        live_as_a_flag();
        ended.fetch_add(1, Ordering::Release);
    })
}

pub(super) fn flag_with_time() -> Contender {
    Contender::of("Arc<AtomicBool>, the clock", || {
        live_as_a_flag();
        black_box(Timestamp::now());
    })
}
