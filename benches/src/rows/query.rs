//! Whether a fence has signaled.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dma_fence::{DriverFence, FenceContext};

use crate::contest::{Contender, Contest};

pub(super) fn contests() -> Vec<Contest> {
    [("pending", false), ("signaled", true)]
        .into_iter()
        .map(|(name, signaled)| {
            Contest::new(format!("is it signaled? ({name})"), "question", ours(signaled))
                .against(flag(signaled), 1.2)
        })
        .collect()
}

fn ours(signaled: bool) -> Contender {
    let mut producer: Option<DriverFence> =
        Some(FenceContext::hardware("bench", "ring").new_fence());
    let fence = producer.as_ref().expect("just made").fence();
    if signaled {
        producer.take().expect("just made").signal(Ok(()));
    }
    Contender::of("dma-fence", move || {
        black_box(&producer);
        assert_eq!(black_box(&fence).is_signaled(), signaled);
    })
}

fn flag(signaled: bool) -> Contender {
    let flag = Arc::new(AtomicBool::new(signaled));
    Contender::of("Arc<AtomicBool>", move || {
        black_box(&flag);
        assert_eq!(black_box(&flag).load(Ordering::Acquire), signaled);
    })
}
