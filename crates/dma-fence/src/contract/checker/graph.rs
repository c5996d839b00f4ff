//! Ways over steps.

use crate::contract::{Class, Step};
use alloc::vec::Vec;

/// The shortest way from holding `from` to wanting `to`; empty if there is none.
pub(super) fn way(steps: &[Step], from: Class, to: Class) -> Vec<Step> {
    // Breadth first: each step that leads somewhere new, with the one that it comes from.
    let mut trail: Vec<(Step, Option<usize>)> = Vec::new();
    let (mut here, mut come_from, mut next) = (from, None, 0);
    loop {
        for step in steps.iter().filter(|step| step.held == here) {
            if trail.iter().all(|(known, _)| known.wanted != step.wanted) {
                trail.push((*step, come_from));
            }
            if step.wanted == to {
                return walked(&trail, to);
            }
        }
        let Some((step, _)) = trail.get(next) else { return Vec::new() };
        (here, come_from) = (step.wanted, Some(next));
        next += 1;
    }
}

fn walked(trail: &[(Step, Option<usize>)], to: Class) -> Vec<Step> {
    let mut index = trail.iter().position(|(step, _)| step.wanted == to);
    let mut way = Vec::new();
    while let Some((step, before)) = index.map(|index| trail[index]) {
        way.push(step);
        index = before;
    }
    way.reverse();
    way
}
