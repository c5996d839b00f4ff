//! Points of a chain.

use super::Experiment;
use crate::rows::chain::chain;

const POINTS: &[usize] = &[1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

pub(super) fn experiment() -> Experiment {
    Experiment::new("Make, build, signal and drop, per point", "points of a chain").with(
        "in order",
        POINTS,
        |points| chain("dma-fence", points),
    )
}
