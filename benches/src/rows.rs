//! The work that is compared: a file for each row of the table.

pub(crate) mod all_of;
mod callback;
pub(crate) mod chain;
mod contended;
mod merge;
mod query;
pub(crate) mod reservation_add;
pub(crate) mod reservation_read;
mod signal;
mod wake_up;
mod yardstick;

use crate::contest::Contest;

/// All, in the order of the table.
pub(crate) fn all() -> Vec<Contest> {
    let rows = [
        signal::contests,
        query::contests,
        callback::contests,
        all_of::contests,
        merge::contests,
        reservation_add::contests,
        reservation_read::contests,
        wake_up::contests,
        contended::contests,
        chain::contests,
        yardstick::contests,
    ];
    rows.into_iter().flat_map(|contests| contests()).collect()
}
