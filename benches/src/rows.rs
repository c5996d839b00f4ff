//! The work that is compared: a file for each row of the table.

mod all_of;
mod callback;
mod chain;
mod contended;
mod merge;
mod query;
mod reservation_add;
mod reservation_read;
mod signal;
mod wake_up;

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
    ];
    rows.into_iter().flat_map(|contests| contests()).collect()
}
