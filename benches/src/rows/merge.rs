//! Merging the fences of K timelines, one of each, against what cannot be done without: three allocations a fence,
//! and sorting.

use std::hint::black_box;

use dma_fence::{DriverFence, Fence, FenceContext, merge};

use crate::contest::{Contender, Contest};

pub(super) fn contests() -> Vec<Contest> {
    [2, 16, 256]
        .into_iter()
        .map(|count| {
            Contest::new(format!("merge {count} timelines"), "merge", ours(count))
                .against(yardstick(count), 1.0)
        })
        .collect()
}

/// The numbers below, in no order.
fn shuffled(count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| place * 7919 % count)
}

fn ours(count: usize) -> Contender {
    let producers: Vec<DriverFence> =
        (0..count).map(|_| FenceContext::hardware("bench", "ring").new_fence()).collect();
    let fences: Vec<Fence> = shuffled(count).map(|place| producers[place].fence()).collect();
    Contender::of("dma-fence", move || {
        black_box(&producers);
        drop(black_box(merge(fences.iter().cloned())));
    })
}

fn yardstick(count: usize) -> Contender {
    let keys: Vec<(u64, u64)> = shuffled(count).map(|place| (place as u64, 1)).collect();
    Contender::of("3 × malloc, free; sort", move || {
        for _ in 0..3 * count {
            drop(black_box(Box::new([0_u8; 64])));
        }
        let mut keys = keys.clone();
        keys.sort_unstable();
        black_box(keys);
    })
}
