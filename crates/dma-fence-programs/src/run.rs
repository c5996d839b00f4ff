//! Runs a program on the library and on the model, and compares.
//!
//! - this file: the run, and what a program works on
//! - [`steps`]: each operation, on both sides
//! - [`check`]: what is compared after every step
//! - [`end`]: how a program ends
//! - [`backend`]: hooks that are watched
//! - [`times`]: the model's clock and the real one

mod backend;
mod check;
mod end;
mod steps;
mod times;

use crate::heap;
use crate::model::Model;
use crate::op::{CONTEXTS, FUTURES, OBJECTS, Op, SLOTS};
use backend::{Probe, Woken};
use check::{Check, same};
use dma_fence::{
    DriverFence, Errno, Fence, FenceCallback, FenceContext, FenceFuture, Outcome,
    ReservationObject, taint,
};
use end::End;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use times::Times;

/// Runs a program, once for each way to end it.
///
/// # Errors
/// The first difference between library and model, or that something was left behind.
pub fn run(program: &[Op]) -> Result<(), String> {
    // One at a time: the process-wide taint record keeps contexts alive until it is full of others.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for end in [End::Decided, End::LetGo] {
        let mut result = Ok(());
        if growth(program, end, &mut result) != 0 && result.is_ok() {
            // The first run on a thread fills caches that stay.
            let left = growth(program, end, &mut result);
            result = result.and_then(|()| same("allocations left behind", 0, left));
        }
        result?;
    }
    Ok(())
}

fn growth(program: &[Op], end: End, result: &mut Check) -> isize {
    heap::growth(|| {
        let before = taint::counts();
        *result = World::new().run(program, end);
        if taint::counts() != before {
            (0..taint::KEPT).for_each(|_| taint::record_leak("room for the next program", 0));
        }
    })
}

/// What a program works on: the same slots on both sides.
struct World {
    model: Model,
    handles: [Option<Fence>; SLOTS],
    producers: [Option<DriverFence>; SLOTS],
    guards: [Option<FenceCallback>; SLOTS],
    futures: [Option<(FenceFuture, Arc<Woken>)>; FUTURES],
    objects: [ReservationObject; OBJECTS],
    /// Context and sequence number of every fence, by the model's number.
    names: Vec<(u64, u64)>,
    /// What every callback of a program owns, by the model's number.
    owned: BTreeMap<usize, Weak<()>>,
    probes: Vec<Probe>,
    log: Arc<Mutex<Vec<(usize, Outcome)>>>,
    times: Times,
    /// Last, for what goes before may lose producers.
    contexts: Contexts,
}

impl World {
    fn new() -> World {
        World {
            model: Model::default(),
            handles: Default::default(),
            producers: Default::default(),
            guards: Default::default(),
            futures: Default::default(),
            objects: Default::default(),
            names: vec![name(&Fence::signaled())],
            owned: BTreeMap::new(),
            probes: Vec::new(),
            log: Arc::default(),
            times: Times::default(),
            contexts: Contexts::new(),
        }
    }

    fn run(mut self, program: &[Op], end: End) -> Check {
        for (number, &op) in program.iter().enumerate() {
            self.checked(op).map_err(|error| format!("step {number}, {op:?}: {error}"))?;
        }
        self.end(end).map_err(|error| format!("at the end: {error}"))
    }

    fn checked(&mut self, op: Op) -> Check {
        self.times.begin();
        let done = self.step(op);
        self.times.end(self.model.readings);
        done.and_then(|()| self.check())
    }
}

/// The contexts of a program.
struct Contexts(Vec<FenceContext>);

impl Contexts {
    fn new() -> Contexts {
        let context = |&(kind, seqnos, first): &(_, _, u64)| {
            FenceContext::new(kind, "programs", "", seqnos).starting_at(first)
        };
        Contexts(CONTEXTS.iter().map(context).collect())
    }
}

impl Drop for Contexts {
    /// The library counts what is lost now: a program that failed must not change the next one.
    fn drop(&mut self) {
        while self.0.iter().any(|context| context.declare_idle(Errno::EIO) > 0) {}
    }
}

fn name(fence: &Fence) -> (u64, u64) {
    (fence.context(), fence.seqno())
}
