//! A thread that does random operations.

use crate::common::Random;
use crate::ledger::Stub;
use crate::world::World;
use crate::{containers, operations};
use dma_fence::FenceCallback;
use std::sync::atomic::Ordering::SeqCst;

pub(crate) struct Actor {
    pub(crate) random: Random,
    /// Callbacks that it may take back later.
    pub(crate) kept: Vec<(FenceCallback, Stub)>,
    decides: bool,
}

type Operation = fn(&mut Actor, &World);

/// What threads do that may wait for one another.
const ACTS: [Operation; 18] = [
    operations::publish,
    operations::decide,
    operations::depend,
    operations::declare_idle,
    operations::register,
    operations::register,
    operations::cancel,
    operations::query,
    operations::wait,
    operations::wait_any,
    operations::wait_all,
    operations::poll_and_drop,
    operations::block_on,
    containers::publish_array,
    containers::wait_for_array,
    containers::publish_chain,
    containers::merge_some,
    containers::reserve,
];

/// What the thread does that never waits, so that every fence is decided some day.
const DECISIONS: [Operation; 2] = [operations::decide, operations::publish];

impl Actor {
    pub(crate) fn new(seed: u64, number: u64) -> Actor {
        // Neighbouring seeds must not give similar numbers, and none of them may be 0.
        let mixed = (seed ^ number << 56).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Actor { random: Random((mixed ^ mixed >> 29) | 1), kept: Vec::new(), decides: false }
    }

    pub(crate) fn decider(seed: u64) -> Actor {
        Actor { decides: true, ..Actor::new(seed, 0) }
    }

    pub(crate) fn live(&mut self, world: &World) {
        if self.decides {
            while world.is_deciding() {
                DECISIONS[self.random.below(DECISIONS.len())](self, world);
                // The others shall find fences that are pending, too.
                std::thread::yield_now();
            }
            return;
        }
        while world.is_acting() {
            ACTS[self.random.below(ACTS.len())](self, world);
            world.ledger.operations.fetch_add(1, SeqCst);
        }
        while !self.kept.is_empty() {
            operations::cancel(self, world);
        }
    }
}
