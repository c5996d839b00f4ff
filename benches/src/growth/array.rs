//! Members of an array.

use super::Experiment;
use crate::rows::all_of::{Order, countdown, ours};

const MEMBERS: &[usize] = &[1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536];

pub(super) fn experiment() -> Experiment {
    Experiment::new("Make, combine, signal and drop, per member", "members")
        .with("in order", MEMBERS, |members| ours(members, Order::FirstToLast))
        .with("last to first", MEMBERS, |members| ours(members, Order::LastToFirst))
        .with("at random", MEMBERS, |members| ours(members, Order::Random))
        .with("peer: countdown, in order", MEMBERS, |members| {
            countdown(members, Order::FirstToLast)
        })
}
