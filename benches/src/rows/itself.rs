//! Ours against ours, with and without another thread: how far a ratio is off when there is no difference.

use super::{signal, wake_up};
use crate::contest::{Contender, Contest, ITSELF};

pub(super) fn contests() -> Vec<Contest> {
    let named = |contender: Contender| Contender { name: ITSELF, ..contender };
    vec![
        Contest::new("noise: make, signal, drop", "fence", signal::ours_with_time())
            .beside(named(signal::ours_with_time()))
            .uncounted(),
        Contest::new("noise: wake-up, there and back", "round", wake_up::ours_anywhere())
            .beside(named(wake_up::ours_anywhere()))
            .uncounted(),
    ]
}
