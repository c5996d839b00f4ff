//! The checks.
//!
//! - [`held`]: what this thread holds
//! - [`graph`]: the way from one class to another over steps that were seen
//! - [`orders`]: every step that was ever seen
//! - [`waits`]: the waits that are going on
//!
//! Each thing that a thread wants makes a step with each thing that it holds. A step is looked at once.

mod graph;
mod held;
mod orders;
mod waits;

use super::{Class, Rule, Step, Violation};
use crate::fence::Fence;
use crate::sync::global::Mutex;
use crate::taint;
use alloc::vec;
use alloc::vec::Vec;
use core::panic::Location;
use held::{Checking, Holding};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) use held::Entry;
pub(crate) use waits::Waiting;

/// A fence by context and sequence number.
type FenceId = (u64, u64);

static HOOK: Mutex<Option<fn(&Violation)>> = Mutex::new(None);

fn id(fence: &Fence) -> FenceId {
    (fence.context(), fence.seqno())
}

/// From here on the thread has it. Nobody was asked for it, so it makes no step.
#[track_caller]
pub(super) fn enter(class: Class, fence: Option<&Fence>) -> Entry {
    held::push(Holding { class, at: Location::caller(), fence: fence.map(id) })
}

#[track_caller]
pub(super) fn acquire(class: Class) -> Entry {
    want(class);
    enter(class, None)
}

#[track_caller]
pub(super) fn want(class: Class) {
    if let Some(checking) = Checking::begin() {
        look(&checking, class, Location::caller(), None);
    }
}

/// For an allocator, which must not unwind.
#[track_caller]
pub(super) fn want_without_panic(class: Class) {
    let at = Location::caller();
    let checked = catch_unwind(|| {
        if let Some(checking) = Checking::begin() {
            look(&checking, class, at, None);
        }
    });
    if let Err(panic) = checked {
        // What it carries may panic in turn, and that, too.
        catch_unwind(AssertUnwindSafe(|| drop(panic))).unwrap_or_else(core::mem::forget);
    }
}

#[track_caller]
pub(super) fn wait_for(fences: &[Fence]) -> Waiting {
    let Some(checking) = Checking::begin() else { return Waiting::none() };
    let at = Location::caller();
    let only = if let [fence] = fences { Some(id(fence)) } else { None };
    look(&checking, Class::Signal, at, only);
    waits::begin(&checking, fences, at)
}

pub(super) fn on_violation(hook: fn(&Violation)) {
    *HOOK.lock() = Some(hook);
}

/// Makes the steps.
fn look(
    checking: &Checking,
    wanted: Class,
    wanted_at: &'static Location<'static>,
    waited_for: Option<FenceId>,
) {
    for Holding { class, at, fence } in checking.held() {
        let step = Step { held: class, held_at: at, wanted, wanted_at };
        if nests(step) {
            continue;
        }
        let Some(way_back) = orders::note(step) else { continue };
        let fence = waited_for.or(fence);
        if let Some(rule) = broken_by(step) {
            report(rule, vec![step], fence);
        }
        if !way_back.is_empty() {
            let circle = [vec![step], way_back].concat();
            report(Rule::Order, circle, fence);
        }
    }
}

/// Reservation objects have an order of their own, and who frees memory may use the reserves.
fn nests(step: Step) -> bool {
    matches!(
        (step.held, step.wanted),
        (Class::Reservation, Class::Reservation) | (Class::Reclaim, Class::Reclaim)
    )
}

/// What the step breaks all by itself.
fn broken_by(step: Step) -> Option<Rule> {
    match (step.held, step.wanted) {
        (Class::Signal, Class::Signal) => Some(Rule::WaitInSection),
        (Class::Signal, Class::Reservation) => Some(Rule::ReservationInSection),
        (Class::Signal, Class::Reclaim) => Some(Rule::AllocationInSection),
        (held, wanted) => (held == wanted).then_some(Rule::Order),
    }
}

/// The hook is user code: it is called under no lock.
fn report(rule: Rule, steps: Vec<Step>, fence: Option<FenceId>) {
    let violation = Violation::new(rule, steps.into(), fence);
    taint::record_violation(&violation);
    let hook = *HOOK.lock();
    if let Some(hook) = hook {
        hook(&violation);
    }
}
