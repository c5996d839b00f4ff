//! Each operation, on both sides.
//!
//! An operation on an empty slot does nothing on either side.
//!
//! - this file: making, signaling and losing fences, asking them
//! - [`callbacks`]: callbacks and futures
//! - [`containers`]: arrays, chains, merging, unwrapping
//! - [`objects`]: reservation objects

mod callbacks;
mod containers;
mod objects;

use super::backend::Probe;
use super::check::{Check, same};
use super::{World, name};
use crate::model::FenceId;
use crate::op::{Backend, Op, Slots};
use dma_fence::{
    DriverFence, Errno, Fence, Signal, Status, Timestamp, WaitAnyError, WaitError,
    wait_all_timeout, wait_any_timeout,
};
use std::time::Duration;

fn signal(error: Option<Errno>, time: u64) -> Signal {
    Signal { result: error.map_or(Ok(()), Err), timestamp: Timestamp::from_nanos(time) }
}

impl World {
    pub(super) fn step(&mut self, op: Op) -> Check {
        match op {
            Op::Ask { fence } => self.ask(fence),
            Op::Fence { at, context, backend } => self.new_fence(at, context, backend),
            Op::Array { at, members, context } => self.new_array(at, members, context),
            Op::Chain { at, prev, fence, seqno } => self.new_chain(at, prev, fence, seqno),
            Op::Stub { at, error, time } => {
                let signal = signal(error, time);
                let id = self.model.new_stub(signal);
                self.put(at, id, Fence::signaled_with(signal))
            }
            Op::Merge { at, fences } => self.merge(at, fences),
            Op::Dedup { fences } => self.dedup(fences),
            Op::Leaves { fence } => self.leaves(fence),
            Op::Points { fence } => self.points(fence),
            Op::FindSeqno { at, fence, seqno } => self.find_seqno(at, fence, seqno),
            Op::Signal { producer, error, time } => self.signal(producer, signal(error, time)),
            Op::Finish { producer, error } => {
                self.finish(producer, error.map_or(Ok(()), Err));
                Ok(())
            }
            Op::Lose { producer } => self.lose(producer),
            Op::DeclareIdle { context, error } => {
                let model = self.model.declare_idle(context, error);
                same("fences released", model, self.contexts.0[context].declare_idle(error))
            }
            Op::On { interest, fence, at, then } => self.on(interest, fence, at, then),
            Op::Cancel { callback } => self.cancel(callback),
            Op::Forget { callback } => self.forget(callback),
            Op::Detach { callback } => self.detach(callback),
            Op::Future { at, fence } => self.new_future(at, fence),
            Op::Poll { future } => self.poll(future),
            Op::DropFuture { future } => self.drop_future(future),
            Op::Clone { from, to } => {
                self.model.handles[to] = self.model.handles[from];
                self.handles[to] = self.handles[from].clone();
                Ok(())
            }
            Op::Drop { fence } => {
                self.model.handles[fence] = None;
                self.handles[fence] = None;
                Ok(())
            }
            Op::Enable { fence } => {
                if let Some((id, fence)) = self.handle(fence) {
                    self.model.enable_signaling(id);
                    fence.enable_signaling();
                }
                Ok(())
            }
            Op::Wait { fence } => self.wait(fence),
            Op::WaitAny { fences } => self.wait_any(fences),
            Op::WaitAll { fences } => self.wait_all(fences),
            Op::Deadline { fence, time } => {
                if let Some((id, fence)) = self.handle(fence) {
                    self.model.set_deadline(id, Timestamp::from_nanos(time));
                    fence.set_deadline(Timestamp::from_nanos(time));
                }
                Ok(())
            }
            Op::Later { a, b } => self.later(a, b),
            Op::Add { object, usage, reserve, fences } => self.add(object, usage, reserve, fences),
            Op::AskObject { object, usage } => self.ask_object(object, usage),
            Op::Singleton { at, object, usage } => self.singleton(at, object, usage),
        }
    }

    fn handle(&self, slot: usize) -> Option<(FenceId, Fence)> {
        Some((self.model.handles[slot]?, self.handles[slot].clone()?))
    }

    fn handles_of(&self, slots: Slots) -> (Vec<FenceId>, Vec<Fence>) {
        slots.iter().filter_map(|slot| self.handle(slot)).unzip()
    }

    /// Puts a new fence into a slot.
    fn put(&mut self, at: usize, id: FenceId, fence: Fence) -> Check {
        same("number of the new fence", self.names.len(), id)?;
        self.names.push(name(&fence));
        self.put_again(at, id, fence)
    }

    fn put_again(&mut self, at: usize, id: FenceId, fence: Fence) -> Check {
        self.model.handles[at] = Some(id);
        self.handles[at] = Some(fence);
        Ok(())
    }

    // === producers ===

    fn new_fence(&mut self, at: usize, context: usize, backend: Backend) -> Check {
        self.lose(at)?;
        let id = self.model.new_fence(context, backend);
        let context = &self.contexts.0[context];
        let producer = if backend == Backend::Absent {
            context.new_fence()
        } else {
            let (hooks, probe) = Probe::new(id, backend);
            self.probes.push(probe);
            context.new_fence_with(hooks)
        };
        let fence = producer.fence();
        same("number on the timeline", self.model.number(id), fence.seqno())?;
        self.model.producers[at] = Some(id);
        self.producers[at] = Some(producer);
        self.put(at, id, fence)
    }

    pub(super) fn take_producer(&mut self, slot: usize) -> Option<(FenceId, DriverFence)> {
        Some((self.model.producers[slot].take()?, self.producers[slot].take()?))
    }

    fn signal(&mut self, slot: usize, signal: Signal) -> Check {
        if let Some((id, producer)) = self.take_producer(slot) {
            self.model.complete(id, signal);
            self.model.drain();
            producer.signal_at(signal.result, signal.timestamp);
        }
        Ok(())
    }

    fn finish(&mut self, slot: usize, result: Result<(), Errno>) {
        if let Some(id) = self.model.producers[slot] {
            self.model.finish(id, result);
            let probe = self.probes.iter().find(|probe| probe.fence == id);
            probe.inspect(|probe| probe.finish(result));
        }
    }

    fn lose(&mut self, slot: usize) -> Check {
        if let Some((id, producer)) = self.take_producer(slot) {
            self.model.lose(id);
            self.model.drain();
            drop(producer);
        }
        Ok(())
    }

    // === questions ===

    fn ask(&mut self, slot: usize) -> Check {
        let Some((id, fence)) = self.handle(slot) else { return Ok(()) };
        let signaled = self.model.is_signaled(id);
        self.model.drain();
        same("is_signaled", signaled, fence.is_signaled())?;
        let status = self.model.status(id);
        self.same_status("status", status, fence.status())?;
        let model = match status {
            Status::Signaled(signal) => Some(signal),
            Status::Pending | Status::Abandoned => None,
        };
        same("error", model.and_then(|signal| signal.result.err()), fence.error())?;
        match (model, fence.timestamp()) {
            (Some(model), Some(real)) if self.times.same_time(model.timestamp, real) => Ok(()),
            (model, real) => same("timestamp", model.map(|signal| signal.timestamp), real),
        }
    }

    fn wait(&mut self, slot: usize) -> Check {
        let Some((id, fence)) = self.handle(slot) else { return Ok(()) };
        let model = match self.model.status(id) {
            Status::Pending => Err(WaitError::TimedOut),
            Status::Abandoned => Err(WaitError::Abandoned),
            Status::Signaled(signal) => signal.result.map_err(WaitError::Failed),
        };
        same("wait", model, fence.wait_timeout(Duration::ZERO))
    }

    fn wait_any(&mut self, fences: Slots) -> Check {
        let (ids, fences) = self.handles_of(fences);
        let model = match ids.iter().position(|&id| self.model.status(id) != Status::Pending) {
            Some(index) => Ok(index),
            None if ids.is_empty() => Err(WaitAnyError::NoFences),
            None => Err(WaitAnyError::TimedOut),
        };
        same("wait for any", model, wait_any_timeout(&fences, Duration::ZERO))
    }

    fn wait_all(&mut self, fences: Slots) -> Check {
        let (ids, fences) = self.handles_of(fences);
        let (mut pending, mut first) = (false, Ok(()));
        for id in ids {
            match self.model.status(id) {
                Status::Pending => pending = true,
                Status::Signaled(signal) => first = first.and(signal.result),
                Status::Abandoned => {
                    let model = Err(WaitError::Abandoned);
                    return same("wait for all", model, wait_all_timeout(&fences, Duration::ZERO));
                }
            }
        }
        let model =
            if pending { Err(WaitError::TimedOut) } else { first.map_err(WaitError::Failed) };
        same("wait for all", model, wait_all_timeout(&fences, Duration::ZERO))
    }

    fn later(&mut self, a: usize, b: usize) -> Check {
        let (Some((a, one)), Some((b, other))) = (self.handle(a), self.handle(b)) else {
            return Ok(());
        };
        let model = self.model.is_later(a, b);
        same("is_later_than", model, one.is_later_than(&other))?;
        same("same_fence", a == b, one.same_fence(&other))?;
        let or_same = if a == b { Some(true) } else { model };
        same("is_later_or_same", or_same, one.is_later_or_same(&other))?;
        let later = or_same.map(|yes| if yes { name(&one) } else { name(&other) });
        same("later", later, Fence::later(&one, &other).map(name))
    }
}
