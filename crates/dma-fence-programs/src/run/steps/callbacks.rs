//! Callbacks and futures.

use super::signal;
use crate::model::{Action, FenceId, FutureModel};
use crate::op::{Interest, Then};
use crate::run::World;
use crate::run::backend::Woken;
use crate::run::check::{Check, same};
use dma_fence::{Declined, DriverFence, Fence, FenceCallback, FenceError, Outcome, Signal};
use std::any::Any;
use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

impl World {
    /// What the callback owns, on both sides.
    fn owned(&mut self, on: FenceId, slot: usize, then: Then) -> (Action, Closure) {
        // Jobs wait for older ones.
        let is_younger = |producer: usize| self.model.producers[producer].is_some_and(|id| id > on);
        match then {
            Then::Signal { producer, error, time } if is_younger(producer) => {
                match self.take_producer(producer) {
                    None => (Action::Nothing, Closure::Nothing),
                    Some((id, producer)) => {
                        let signal = signal(error, time);
                        (Action::Complete(id, signal), Closure::Signal(producer, signal))
                    }
                }
            }
            Then::Lose { producer } if is_younger(producer) => match self.take_producer(producer) {
                None => (Action::Nothing, Closure::Nothing),
                Some((id, producer)) => (Action::Lose(id), Closure::Lose(producer)),
            },
            Then::Drop { fence } if fence != slot => match self.handle(fence) {
                None => (Action::Nothing, Closure::Nothing),
                Some((id, handle)) => {
                    self.model.handles[fence] = None;
                    self.handles[fence] = None;
                    (Action::Drop(id), Closure::Drop(handle))
                }
            },
            _ => (Action::Nothing, Closure::Nothing),
        }
    }

    pub(super) fn on(&mut self, interest: Interest, fence: usize, at: usize, then: Then) -> Check {
        self.forget(at)?;
        let Some((on, handle)) = self.handle(fence) else { return Ok(()) };
        let (action, closure) = self.owned(on, fence, then);
        let model = self.model.register(on, interest, action);
        let id = self.model.callbacks.len() - usize::from(model.is_ok());
        let alive = Arc::new(());
        let watch = Arc::downgrade(&alive);
        let log = self.log.clone();
        let run = move |outcome: &Outcome| {
            let _alive = alive;
            log.lock().unwrap().push((id, *outcome));
            closure.run();
        };
        let library = match interest {
            Interest::Signal => handle
                .on_signal(move |signal: &Signal| run(&Outcome::Signaled(*signal)))
                .map_err(|Declined { callback, outcome }| (outcome, drop_later(callback))),
            Interest::Outcome => handle
                .on_outcome(run)
                .map_err(|Declined { callback, outcome }| (outcome, drop_later(callback))),
        };
        match (model, library) {
            (Ok(id), Ok(guard)) => {
                self.owned.insert(id, watch);
                self.model.guards[at] = Some(id);
                self.guards[at] = Some(guard);
                Ok(())
            }
            (Err(model), Err((real, callback))) => {
                same("handed back", 1, watch.strong_count())?;
                drop(callback);
                self.model.discard(action);
                self.same_outcome("declined", model, real)
            }
            (model, real) => Err(format!("the model {model:?}, the library {:?}", real.is_ok())),
        }
    }

    fn take_guard(&mut self, slot: usize) -> Option<(usize, FenceCallback)> {
        Some((self.model.guards[slot].take()?, self.guards[slot].take()?))
    }

    pub(super) fn cancel(&mut self, slot: usize) -> Check {
        let Some((id, guard)) = self.take_guard(slot) else { return Ok(()) };
        same("cancelled", self.model.cancel(id), guard.cancel())
    }

    pub(super) fn forget(&mut self, slot: usize) -> Check {
        if let Some((id, guard)) = self.take_guard(slot) {
            self.model.cancel(id);
            drop(guard);
        }
        Ok(())
    }

    pub(super) fn detach(&mut self, slot: usize) -> Check {
        if let Some((id, guard)) = self.take_guard(slot) {
            self.model.detach(id);
            guard.detach();
        }
        Ok(())
    }

    // === futures ===

    pub(super) fn new_future(&mut self, at: usize, fence: usize) -> Check {
        self.drop_future(at)?;
        if let Some((fence, real)) = self.handle(fence) {
            self.model.futures[at] = Some(FutureModel { fence, waker: None });
            self.futures[at] = Some((real.into_future(), Arc::default()));
        }
        Ok(())
    }

    pub(super) fn poll(&mut self, slot: usize) -> Check {
        let Some((future, woken)) = &mut self.futures[slot] else { return Ok(()) };
        let waker = Waker::from(Arc::<Woken>::clone(woken));
        let real = pin!(future).poll(&mut Context::from_waker(&waker));
        let model = self.model.poll(slot);
        let expected: Poll<Result<(), FenceError>> = match model {
            Some(outcome) => Poll::Ready(outcome.result()),
            None => Poll::Pending,
        };
        same("poll", expected, real)?;
        if model.is_some() { self.drop_future(slot) } else { Ok(()) }
    }

    pub(super) fn drop_future(&mut self, slot: usize) -> Check {
        if let Some(waker) = self.model.futures[slot].take().and_then(|future| future.waker) {
            self.model.cancel(waker);
        }
        self.futures[slot] = None;
        Ok(())
    }
}

/// What a callback does, on the library's side.
enum Closure {
    Nothing,
    Signal(DriverFence, Signal),
    Lose(DriverFence),
    Drop(Fence),
}

fn drop_later(callback: impl Sized + 'static) -> Box<dyn Any> {
    Box::new(callback)
}

impl Closure {
    fn run(self) {
        match self {
            Closure::Nothing => {}
            Closure::Signal(producer, signal) => {
                producer.signal_at(signal.result, signal.timestamp)
            }
            Closure::Lose(producer) => drop(producer),
            Closure::Drop(fence) => drop(fence),
        }
    }
}
