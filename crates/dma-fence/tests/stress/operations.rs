//! Operations on single fences, and waits for several.

use crate::actor::Actor;
use crate::common::Random;
use crate::ledger::{Live, ticket};
use crate::world::{Slot, World};
use dma_fence::{
    DriverFence, Errno, Fence, FenceError, Outcome, Status, Timestamp, WaitError, all_of, any_of,
    wait_all_timeout, wait_any_timeout,
};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

// === producing ===

fn finish(producer: DriverFence, random: &mut Random) {
    match random.below(6) {
        0 => drop(producer),
        1 => producer.signal(Err(Errno::EIO)),
        2 => producer.signal_at(Err(Errno::ENOSPC), Timestamp::from_nanos(random.below(9) as u64)),
        _ => producer.signal(Ok(())),
    }
}

/// Puts another one into a slot, and finishes what was in it.
pub(crate) fn replace(actor: &mut Actor, world: &World, new: Slot) {
    let old = std::mem::replace(&mut *world.slot(&mut actor.random), new);
    if let Some(producer) = old.producer {
        finish(producer, &mut actor.random);
    }
}

pub(crate) fn publish(actor: &mut Actor, world: &World) {
    let new = world.produce(&mut actor.random);
    replace(actor, world, new);
}

pub(crate) fn decide(actor: &mut Actor, world: &World) {
    let producer = world.slot(&mut actor.random).producer.take();
    if let Some(producer) = producer {
        finish(producer, &mut actor.random);
    }
}

/// A fence signals from inside the callback of an older one.
pub(crate) fn depend(actor: &mut Actor, world: &World) {
    let (older, limit) = {
        let slot = world.slot(&mut actor.random);
        (slot.fence.clone(), slot.born)
    };
    let producer = {
        let mut slot = world.slot(&mut actor.random);
        if slot.born > limit { slot.producer.take() } else { None }
    };
    let Some(producer) = producer else { return };
    let pass_on = move |outcome: &Outcome| match outcome.result() {
        Ok(()) => producer.signal(Ok(())),
        Err(FenceError::Failed(errno)) => producer.signal(Err(errno)),
        Err(FenceError::Abandoned) => drop(producer),
    };
    match older.on_outcome(pass_on) {
        Ok(callback) => callback.detach(),
        Err(declined) => (declined.callback)(&declined.outcome),
    }
}

pub(crate) fn declare_idle(actor: &mut Actor, world: &World) {
    world.contexts[actor.random.below(world.contexts.len())].declare_idle(Errno::EIO);
}

// === callbacks ===

pub(crate) fn register(actor: &mut Actor, world: &World) {
    let fence = world.fence(&mut actor.random);
    let (ticket, stub) = ticket(&world.ledger);
    // Counted first, for the callback may run before we are back.
    stub.registered(&world.ledger);
    let registered = if actor.random.below(2) == 0 {
        let same = fence.clone();
        let on_signal = move |_: &_| {
            assert!(same.is_signaled(), "called before the signal");
            ticket.run();
        };
        fence.on_signal(on_signal).ok()
    } else {
        fence.on_outcome(move |_| ticket.run()).ok()
    };
    match registered {
        None => {
            world.ledger.cancelled();
            stub.check_cancelled(true);
        }
        Some(callback) if actor.random.below(3) == 0 => callback.detach(),
        Some(callback) => actor.kept.push((callback, stub)),
    }
    if actor.kept.len() > 8 {
        cancel(actor, world);
    }
}

pub(crate) fn cancel(actor: &mut Actor, world: &World) {
    if actor.kept.is_empty() {
        return;
    }
    let which = actor.random.below(actor.kept.len());
    let (callback, stub) = actor.kept.swap_remove(which);
    let never = callback.cancel();
    stub.check_cancelled(never);
    if never {
        world.ledger.cancelled();
    }
}

// === looking and waiting ===

/// What has signaled stays so, and everybody is told the same.
pub(crate) fn query(actor: &mut Actor, world: &World) {
    let fence = world.fence(&mut actor.random);
    fence.set_deadline(Timestamp::from_nanos(1));
    let before = fence.status();
    if let Status::Signaled(signal) = before {
        let told = fence.wait_timeout(Duration::ZERO);
        assert_eq!(told, signal.result.map_err(WaitError::Failed));
        assert_eq!(fence.status(), before, "final");
        assert!(fence.is_signaled() && fence.on_signal(|_| ()).is_err());
    }
    let _ = (fence.to_string(), fence.is_later_than(&world.fence(&mut actor.random)));
}

/// None, one that ends on its own, or none at all.
fn limit(random: &mut Random) -> Duration {
    match random.below(4) {
        0 => Duration::ZERO,
        1 => Duration::MAX,
        _ => Duration::from_micros(random.below(100) as u64),
    }
}

/// Whoever waited was told the truth: an error is the fence's, and a loss is or has been one.
fn check_result(fence: &Fence, result: Result<(), FenceError>) {
    match (result, fence.status()) {
        (_, Status::Pending) => panic!("told too early: {fence:?}"),
        (Err(FenceError::Abandoned), Status::Abandoned) => {}
        // Reset since.
        (Err(FenceError::Abandoned), Status::Signaled(signal)) => assert!(signal.result.is_err()),
        (Ok(()) | Err(FenceError::Failed(_)), status) => {
            let Status::Signaled(signal) = status else { panic!("told too early: {fence:?}") };
            assert_eq!(result, signal.result.map_err(FenceError::Failed));
        }
    }
}

pub(crate) fn wait(actor: &mut Actor, world: &World) {
    let fence = world.fence(&mut actor.random);
    let limit = limit(&mut actor.random);
    match fence.wait_timeout(limit) {
        Ok(()) => check_result(&fence, Ok(())),
        Err(WaitError::Failed(errno)) => check_result(&fence, Err(FenceError::Failed(errno))),
        Err(WaitError::Abandoned) => check_result(&fence, Err(FenceError::Abandoned)),
        Err(WaitError::TimedOut) => assert_ne!(limit, Duration::MAX),
    }
}

pub(crate) fn wait_any(actor: &mut Actor, world: &World) {
    let fences = world.fences(&mut actor.random);
    let limit = limit(&mut actor.random);
    match wait_any_timeout(&fences, limit) {
        Ok(winner) => assert_ne!(fences[winner].status(), Status::Pending),
        Err(_) => assert_ne!(limit, Duration::MAX),
    }
}

pub(crate) fn wait_all(actor: &mut Actor, world: &World) {
    let fences = world.fences(&mut actor.random);
    let limit = limit(&mut actor.random);
    match wait_all_timeout(&fences, limit) {
        Ok(()) => check_all(&fences, Ok(())),
        Err(WaitError::Failed(errno)) => check_all(&fences, Err(FenceError::Failed(errno))),
        Err(WaitError::Abandoned) => check_all(&fences, Err(FenceError::Abandoned)),
        Err(WaitError::TimedOut) => assert_ne!(limit, Duration::MAX),
    }
}

fn check_all(fences: &[Fence], result: Result<(), FenceError>) {
    if result == Err(FenceError::Abandoned) {
        return assert!(fences.iter().any(|fence| fence.wait_timeout(Duration::ZERO).is_err()));
    }
    let results = fences.iter().map(|fence| match fence.status() {
        Status::Signaled(signal) => signal.result.map_err(FenceError::Failed),
        _ => panic!("told too early: {fence:?}"),
    });
    assert_eq!(results.collect::<Result<(), _>>(), result, "the first error of the slice");
}

// === futures ===

/// Wakes a thread; counted, so that one which stays behind is found.
struct Unpark(Thread, #[expect(dead_code, reason = "counts until it is dropped")] Live);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker(world: &World) -> Waker {
    Arc::new(Unpark(thread::current(), Live::new(&world.ledger))).into()
}

pub(crate) fn poll_and_drop(actor: &mut Actor, world: &World) {
    fn poll(mut future: impl Future + Unpin, polls: usize, world: &World) {
        for _ in 0..polls {
            let waker = waker(world);
            let _ = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        }
    }
    let fences = world.fences(&mut actor.random);
    let polls = actor.random.below(3);
    match actor.random.below(3) {
        0 => poll(fences[0].clone().into_future(), polls, world),
        1 => poll(any_of(fences), polls, world),
        _ => poll(all_of(fences), polls, world),
    }
}

pub(crate) fn block_on(actor: &mut Actor, world: &World) {
    let fences = world.fences(&mut actor.random);
    match actor.random.below(3) {
        0 => check_result(&fences[0], run(fences[0].clone().into_future(), world)),
        1 => {
            let (winner, outcome) = run(any_of(fences.clone()), world).expect("there are some");
            check_result(&fences[winner], outcome.result());
        }
        _ => check_all(&fences, run(all_of(fences.clone()), world)),
    }
}

/// An executor that gives the future another waker at every poll.
fn run<F: Future + Unpin>(mut future: F, world: &World) -> F::Output {
    loop {
        let waker = waker(world);
        if let std::task::Poll::Ready(output) =
            Pin::new(&mut future).poll(&mut Context::from_waker(&waker))
        {
            return output;
        }
        thread::park();
    }
}
