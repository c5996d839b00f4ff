//! Operations on arrays, chains, merged fences and reservation objects.

use crate::actor::Actor;
use crate::operations::replace;
use crate::world::{Slot, World};
use dma_fence::{
    Fence, FenceArray, FenceChain, FenceError, ReservationStatus, Status, Usage, merge,
};
use std::time::Duration;

fn array(actor: &mut Actor, world: &World) -> Option<FenceArray> {
    let mut members = world.fences(&mut actor.random);
    members.retain(|member| !member.is_container());
    FenceArray::new(members).ok()
}

/// Others wait for it, register on it, and are told of it like of any fence.
pub(crate) fn publish_array(actor: &mut Actor, world: &World) {
    let Some(array) = array(actor, world) else { return };
    let slot = Slot { fence: array.into(), producer: None, born: world.next_born() };
    replace(actor, world, slot);
}

pub(crate) fn wait_for_array(actor: &mut Actor, world: &World) {
    let Some(array) = array(actor, world) else { return };
    check(&array);
    let callback = array.on_signal({
        let members = array.members().to_vec();
        move |_| assert!(members.iter().all(Fence::is_signaled), "too early: {members:?}")
    });
    check(&array);
    match actor.random.below(3) {
        0 => drop(array.wait_timeout(Duration::from_micros(50))),
        1 => drop(callback),
        _ => {
            let lost = array.wait() == Err(FenceError::Abandoned);
            let pending = array.members().iter().any(|member| !member.is_signaled());
            assert!(lost || !pending, "too early: {:?}", array.members());
        }
    }
    check(&array);
}

/// An array that has signaled has the error of the member that failed first, and the latest timestamp.
fn check(array: &FenceArray) {
    let Status::Signaled(signal) = array.status() else { return };
    let signals = array.members().iter().map(|member| match member.status() {
        Status::Signaled(signal) => signal,
        _ => panic!("too early: {:?}", array.members()),
    });
    let signals: Vec<_> = signals.collect();
    let failed = signals.iter().filter(|signal| signal.result.is_err());
    let first = failed.min_by_key(|signal| signal.timestamp);
    assert_eq!(signal.result, first.map_or(Ok(()), |first| first.result));
    assert_eq!(Some(signal.timestamp), signals.iter().map(|signal| signal.timestamp).max());
}

/// The fence of a slot becomes a point of a chain, before another one. Who held the slot's fence still does.
pub(crate) fn publish_chain(actor: &mut Actor, world: &World) {
    let (prev, fence) = (world.fence(&mut actor.random), world.fence(&mut actor.random));
    let seqno = world.next_born();
    let Ok(chain) = FenceChain::new(Some(prev.clone()), fence, seqno) else { return };
    check_chain(&chain, &prev);
    let found = chain.find_seqno(seqno).expect("the head");
    assert!(found.same_fence(&chain) || found.is_signaled());
    let slot = Slot { fence: chain.clone().into(), producer: None, born: world.next_born() };
    replace(actor, world, slot);
    let callback = chain.on_signal({
        let (prev, fence) = (prev.clone(), chain.contained().clone());
        move |_| assert!(prev.is_signaled() && fence.is_signaled(), "too early")
    });
    match actor.random.below(3) {
        0 => drop(chain.wait_timeout(Duration::from_micros(50))),
        1 => drop(callback),
        _ => chain.iter().for_each(|fence| assert!(!fence.to_string().is_empty())),
    }
    check_chain(&chain, &prev);
}

/// A point that has signaled is told the error of something before it, if anything failed.
fn check_chain(chain: &FenceChain, prev: &Fence) {
    let Status::Signaled(signal) = chain.status() else { return };
    let signals = [prev, chain.contained()].map(|fence| match fence.status() {
        Status::Signaled(signal) => signal,
        _ => panic!("too early: {chain:?} before {fence:?}"),
    });
    let failed = signals.iter().any(|signal| signal.result.is_err());
    assert_eq!(signal.result.is_err(), failed, "{chain:?}");
    assert_eq!(Some(signal.timestamp), signals.iter().map(|signal| signal.timestamp).max());
}

pub(crate) fn merge_some(actor: &mut Actor, world: &World) {
    let fences = world.fences(&mut actor.random);
    let merged = merge(fences.iter().cloned());
    assert!(!merged.is_chain());
    let members = merged.members().unwrap_or_default();
    assert!(members.is_sorted_by_key(Fence::context) && !members.iter().any(Fence::is_container));
    if actor.random.below(2) == 0 {
        let _ = merged.wait_timeout(Duration::from_micros(50));
    }
    if merged.is_signaled() {
        // Where fences signal in any order, a later one stands for no other.
        let leaves = fences.iter().flat_map(Fence::leaves);
        let mut unordered = leaves.filter(|leaf| leaf.is_later_than(leaf).is_none());
        assert!(unordered.all(|leaf| leaf.is_signaled()), "too early: {fences:?}");
    }
}

const USAGES: [Usage; 4] = [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep];

pub(crate) fn reserve(actor: &mut Actor, world: &World) {
    let object = &world.objects[actor.random.below(world.objects.len())];
    let fences = world.fences(&mut actor.random);
    let usage = USAGES[actor.random.below(4)];
    let mut guard = object.lock();
    guard.reserve(fences.len()).unwrap();
    for fence in fences.iter().filter(|fence| !fence.is_container()) {
        guard.add(fence, usage).unwrap();
        let there = guard.fences(Usage::Bookkeep);
        assert!(there.iter().any(|other| other.same_fence(fence)), "not there: {fence:?}");
    }
    drop(guard);
    match actor.random.below(4) {
        0 => drop(object.wait_timeout(usage, Duration::from_micros(50))),
        1 => drop(object.wait(usage)),
        2 => {
            if let ReservationStatus::Abandoned(fence) = object.status(usage) {
                assert!(fence.wait().is_err());
            }
        }
        _ => drop(object.singleton(usage).map(|fence| fence.on_outcome(|_| ()))),
    }
}
