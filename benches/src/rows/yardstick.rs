//! What says something of the other rows. In two ours meets itself, with and without another thread: that is how far a
//! ratio is off when there is no difference. In the others it is the least that a work can take that meets a peer.

use super::{callback, contended, reservation_read, signal, wake_up};
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
        Contest::new("the least: a flag of a timeline", "fence", signal::flag_of_a_timeline())
            .beside(signal::flag()),
        Contest::new("the least: memory for a callback", "callback", callback::allocation())
            .beside(callback::boxed()),
        Contest::new("the least: read each of 4", "buffer", reservation_read::come_and_go(4))
            .beside(reservation_read::read_handles_of_snapshot(4)),
        Contest::new(
            "the least: one signals, one registers",
            "operation",
            contended::oneshot_with_time_and_memory(),
        )
        .beside(contended::oneshot()),
    ]
    .map(|contest| contest.yardstick().uncounted())
    .into()
}
