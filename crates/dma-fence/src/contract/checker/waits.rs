//! The waits that are going on inside the sections of known fences: *the signal of this fence waits for
//! that one*. Unlike the order of classes this is about single fences, which signal once, so a wait that is
//! over says nothing any more.

use super::held::{Checking, Holding};
use super::{FenceId, graph, id, report};
use crate::contract::{Class, Rule, Step};
use crate::fence::Fence;
use crate::sync::Life;
use crate::sync::global::Mutex;
use alloc::vec::Vec;
use core::panic::Location;

struct Waits {
    now: Vec<Step>,
    /// The places of circles that were reported: whoever looks again and again for a short time closes
    /// the same one each time.
    told: Vec<[&'static Location<'static>; 2]>,
}

static WAITS: Mutex<Waits> = Mutex::new(Waits { now: Vec::new(), told: Vec::new() });

/// A wait that is going on; over when it is dropped.
pub(crate) struct Waiting(Vec<Step>);

impl Waiting {
    pub(super) fn none() -> Waiting {
        Waiting(Vec::new())
    }
}

/// To wait for a container is to wait for all that it stands for.
pub(super) fn begin(
    checking: &Checking,
    fences: &[Fence],
    at: &'static Location<'static>,
) -> Waiting {
    let mut waiting = Waiting::none();
    for Holding { at: held_at, fence, .. } in checking.held() {
        let Some(held) = fence else { continue };
        let pending = |leaf: &Fence| leaf.life() != Life::Signaled;
        let leaves = fences.iter().flat_map(Fence::leaves).filter(pending);
        for awaited in leaves.map(|leaf| id(&leaf)) {
            let step = Step { held: class(held), held_at, wanted: class(awaited), wanted_at: at };
            waiting.0.push(step);
            if let Some(circle) = add(step) {
                report(Rule::WaitCycle, circle, Some(awaited));
            }
        }
    }
    waiting
}

fn class((context, seqno): FenceId) -> Class {
    Class::Fence(context, seqno)
}

/// The circle that the wait closes, if it has not been told.
fn add(step: Step) -> Option<Vec<Step>> {
    let mut waits = WAITS.lock();
    let way_back = graph::way(&waits.now, step.wanted, step.held);
    waits.now.push(step);
    let places = [step.held_at, step.wanted_at];
    if (way_back.is_empty() && step.held != step.wanted) || waits.told.contains(&places) {
        return None;
    }
    waits.told.push(places);
    Some([&[step], &way_back[..]].concat())
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let mut waits = WAITS.lock();
        for step in &self.0 {
            // One that equals it will do: somebody else's, who waits at the same place for the same.
            if let Some(index) = waits.now.iter().position(|now| now == step) {
                waits.now.swap_remove(index);
            }
        }
    }
}
