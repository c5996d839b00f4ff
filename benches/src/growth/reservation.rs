//! Fences of a reservation object, each of a timeline of its own.

use super::Experiment;
use crate::contest::Contender;
use crate::rows::reservation_add::{locked, ours};
use crate::rows::reservation_read::{collect, collect_snapshot, test};

const FENCES: &[usize] = &[1, 4, 16, 64, 256, 1024, 4096];

pub(super) fn adding() -> Experiment {
    Experiment::new("Add a fence in place of the one before it", "timelines of a buffer")
        .with("dma-fence", FENCES, ours)
        .with("peer: RwLock<Vec>", FENCES, locked)
}

pub(super) fn reading() -> Experiment {
    let each = |make: fn(usize) -> Contender| move |fences| per_item(make(fences), fences);
    Experiment::new("Read without a lock, per fence", "fences of a buffer")
        .with("a handle of each", FENCES, each(collect))
        .with("whether all have signaled", FENCES, each(test))
        .with("peer: handles by ArcSwap<Vec>", FENCES, each(collect_snapshot))
}

/// For work on so many items at once.
fn per_item(mut whole: Contender, items: usize) -> Contender {
    Contender::new(whole.name, move |times| {
        let groups = times.div_ceil(items as u64);
        let took = (whole.run)(groups);
        took.mul_f64(times as f64 / (groups * items as u64) as f64)
    })
}
