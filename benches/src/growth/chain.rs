//! Points of a chain.

use std::hint::black_box;
use std::time::Duration;

use super::Experiment;
use crate::contest::timed;
use crate::rows::chain::{chain, in_chains};

const POINTS: &[usize] = &[1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

pub(super) fn experiment() -> Experiment {
    Experiment::new("Make, build, signal and drop, per point", "points of a chain")
        .with("in order", POINTS, |points| chain("dma-fence", points))
        .with("peer: only as much memory", POINTS, |points| in_chains("", points, memory))
}

/// What the allocator and the caches do to as many pieces as a chain consists of: a fence for the operation, one for the
/// point and the node that its fences call back.
fn memory(points: usize) -> Duration {
    timed(|| {
        let piece = || (Box::new([1_u64; 10]), Box::new([1_u64; 10]), Box::new([1_u64; 21]));
        let pieces: Vec<_> = (0..points).map(|_| piece()).collect();
        drop(black_box(pieces));
    })
}
