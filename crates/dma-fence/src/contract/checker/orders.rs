//! Every step that was ever seen. There are as many as the code has places, so they are all kept.

use super::graph;
use crate::contract::Step;
use crate::sync::global::Mutex;
use alloc::vec::Vec;

static SEEN: Mutex<Vec<Step>> = Mutex::new(Vec::new());

/// Notes a step; `None` if it is known. The steps that lead back from what it wants to what it holds, if
/// there are some: with it they are a circle.
pub(super) fn note(step: Step) -> Option<Vec<Step>> {
    let mut seen = SEEN.lock();
    if seen.contains(&step) {
        return None;
    }
    // A step on the spot is looked at by itself.
    let on_the_spot = step.held == step.wanted;
    let way_back = if on_the_spot { Vec::new() } else { graph::way(&seen, step.wanted, step.held) };
    seen.push(step);
    Some(way_back)
}
