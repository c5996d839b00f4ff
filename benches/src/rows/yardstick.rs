//! What says something of the other rows. In two ours meets itself, with and without another thread: that is how far a
//! ratio is off when there is no difference. In the others it is the least that a work can take that meets a peer.

use super::{callback, signal, wake_up};
use crate::contest::{Contender, Contest};

pub(super) fn contests() -> Vec<Contest> {
    let itself = |contender: Contender| Contender { name: "itself", ..contender };
    [
        Contest::new("noise: make, signal, drop", "fence", signal::ours_with_time())
            .beside(itself(signal::ours_with_time())),
        Contest::new("noise: wake-up, there and back", "round", wake_up::ours_anywhere())
            .beside(itself(wake_up::ours_anywhere())),
        Contest::new("the least: a shared flag, and the time", "fence", signal::flag_with_time())
            .beside(signal::oneshot()),
        Contest::new("the least: memory for a callback", "callback", callback::allocation())
            .beside(callback::boxed()),
    ]
    .map(|contest| contest.yardstick().uncounted())
    .into()
}
