//! What fences do, one step at a time: no threads, no locks, no counts, no sharing.
//!
//! Everything has a number and is kept for ever. What a handle keeps alive is not counted but looked up
//! ([`Model::is_held`]).
//!
//! - this file: fences, callbacks, and what sets what free
//! - [`containers`]: arrays and chains
//! - [`merging`]: leaves, merge, dedup
//! - [`objects`]: reservation objects

mod containers;
mod merging;
mod objects;

pub(crate) use containers::Kind;
pub(crate) use merging::Merged;

use crate::op::{Backend, CONTEXTS, FUTURES, Interest, OBJECTS, SLOTS};
use dma_fence::{ContextKind, Errno, Outcome, SeqnoOrder, Signal, Status, Timestamp, Usage};
use std::collections::VecDeque;
use std::mem::take;

/// The number of a fence.
pub(crate) type FenceId = usize;
/// The number of a callback.
pub(crate) type CallbackId = usize;

/// The model's own clock: what is stamped with "now" is stamped with this plus the number of the reading.
/// Times that programs give are small, and the real clock never goes back either, so the order is the same.
pub(crate) const NOW: u64 = 1 << 62;

/// A fence.
pub(crate) struct FenceModel {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its context: 0 is a stub's, then come those of every program, then those of containers.
    pub(crate) context: usize,
    /// Its place on the timeline.
    pub(crate) seqno: u64,
    /// What has become of it, as far as anybody has noticed.
    pub(crate) life: Status,
    /// Those registered, in order.
    callbacks: Vec<CallbackId>,
    /// The first waiter has come.
    enabled: bool,
    /// What its backend knows and nobody has asked for.
    ended: Option<Result<(), Errno>>,
    /// What its backend was told.
    pub(crate) heard: Vec<Heard>,
}

/// What a backend is told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Heard {
    /// Somebody waits.
    Enable,
    /// By when somebody would like the signal.
    Deadline(Timestamp),
}

/// A callback, a future's waker, or the one callback of a container.
pub(crate) struct Callback {
    /// The fence it is on.
    pub(crate) fence: FenceId,
    interest: Interest,
    /// Neither run nor taken back.
    pub(crate) waiting: bool,
    /// It has run.
    pub(crate) ran: bool,
    /// It needs no guard.
    detached: bool,
    /// What it does.
    pub(crate) action: Action,
}

/// What a callback does.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Signals a fence whose producer it owns.
    Complete(FenceId, Signal),
    /// Loses a producer it owns.
    Lose(FenceId),
    /// Drops a handle it owns.
    Drop(FenceId),
    /// Wakes a task.
    Wake,
    /// Goes on with a container's walk.
    Walk(FenceId),
}

/// A future, and its waker once that is registered.
#[derive(Clone, Copy)]
pub(crate) struct FutureModel {
    /// What it waits for.
    pub(crate) fence: FenceId,
    /// There from the first poll that found nothing decided.
    pub(crate) waker: Option<CallbackId>,
}

/// Everything a program works on, and what has happened.
pub(crate) struct Model {
    /// All fences that ever were.
    pub(crate) fences: Vec<FenceModel>,
    /// All callbacks that ever were.
    pub(crate) callbacks: Vec<Callback>,
    /// The slots for handles.
    pub(crate) handles: [Option<FenceId>; SLOTS],
    /// The slots for producers.
    pub(crate) producers: [Option<FenceId>; SLOTS],
    /// The slots for callbacks.
    pub(crate) guards: [Option<CallbackId>; SLOTS],
    /// The slots for futures.
    pub(crate) futures: [Option<FutureModel>; FUTURES],
    /// The reservation objects.
    pub(crate) objects: [Vec<(FenceId, Usage)>; OBJECTS],
    /// The next number, per context of [`CONTEXTS`].
    seqnos: [u64; CONTEXTS.len()],
    /// Abandoned fences whose context has not been declared idle since.
    lost: Vec<FenceId>,
    /// How many contexts there have been.
    contexts: usize,
    /// How often the clock was read.
    pub(crate) readings: u64,
    /// Set free, not run yet: signals inside callbacks are queued.
    queue: VecDeque<(CallbackId, Outcome)>,
    /// What has run, and what it was told.
    pub(crate) log: Vec<(CallbackId, Outcome)>,
}

/// The process's stub is the first fence of every program.
pub(crate) const STUB: FenceId = 0;

impl Default for Model {
    fn default() -> Self {
        let mut model = Model {
            fences: Vec::new(),
            callbacks: Vec::new(),
            handles: [None; SLOTS],
            producers: [None; SLOTS],
            guards: [None; SLOTS],
            futures: [None; FUTURES],
            objects: Default::default(),
            seqnos: CONTEXTS.map(|context| context.2),
            lost: Vec::new(),
            contexts: CONTEXTS.len(),
            readings: 0,
            queue: VecDeque::new(),
            log: Vec::new(),
        };
        model.new_stub(Signal { result: Ok(()), timestamp: Timestamp::ZERO });
        model
    }
}

// === fences ===

impl Model {
    fn push(&mut self, kind: Kind, context: usize, seqno: u64) -> FenceId {
        self.fences.push(FenceModel {
            kind,
            context,
            seqno,
            life: Status::Pending,
            callbacks: Vec::new(),
            enabled: false,
            ended: None,
            heard: Vec::new(),
        });
        self.fences.len() - 1
    }

    /// A fence of one of the program's contexts.
    pub(crate) fn new_fence(&mut self, context: usize, backend: Backend) -> FenceId {
        self.push_on(context, Kind::Plain { backend })
    }

    fn push_on(&mut self, context: usize, kind: Kind) -> FenceId {
        self.seqnos[context] += 1;
        self.push(kind, context + 1, self.seqnos[context] - 1)
    }

    /// The place on the timeline as the library counts: 32 bits wrap, which no order here knows of.
    pub(crate) fn number(&self, id: FenceId) -> u64 {
        let fence = &self.fences[id];
        match self.order(id) {
            SeqnoOrder::Bits32 => fence.seqno & u64::from(u32::MAX),
            SeqnoOrder::Bits64 | SeqnoOrder::Unordered => fence.seqno,
        }
    }

    /// A fence that has signaled from the start.
    pub(crate) fn new_stub(&mut self, signal: Signal) -> FenceId {
        let id = self.push(Kind::Stub, 0, 0);
        self.fences[id].life = Status::Signaled(signal);
        id
    }

    fn now(&mut self) -> Timestamp {
        self.readings += 1;
        Timestamp::from_nanos(NOW + self.readings - 1)
    }

    /// Has it signaled, as far as anybody has noticed?
    fn signaled(&self, id: FenceId) -> Option<Signal> {
        match self.fences[id].life {
            Status::Signaled(signal) => Some(signal),
            _ => None,
        }
    }

    /// Signals, once: later signals change nothing.
    pub(crate) fn complete(&mut self, id: FenceId, signal: Signal) {
        if self.signaled(id).is_none() {
            self.fences[id].life = Status::Signaled(signal);
            let callbacks = take(&mut self.fences[id].callbacks);
            self.queue.extend(callbacks.into_iter().map(|it| (it, Outcome::Signaled(signal))));
        }
    }

    /// The operation has ended, and the backend is one that is asked.
    pub(crate) fn finish(&mut self, id: FenceId, result: Result<(), Errno>) {
        if matches!(self.fences[id].kind, Kind::Plain { backend: Backend::Polled }) {
            self.fences[id].ended = Some(result);
        }
    }

    /// Asks the backend. One whose fence was lost is not asked any more.
    fn ask_backend(&mut self, id: FenceId) {
        if let (Status::Pending, Some(result)) = (self.fences[id].life, self.fences[id].ended) {
            let timestamp = self.now();
            self.complete(id, Signal { result, timestamp });
        }
    }

    /// Could asking change something?
    pub(crate) fn is_settled(&self, id: FenceId) -> bool {
        let fence = &self.fences[id];
        let known = !fence.is_container() && fence.ended.is_none();
        known || matches!(fence.life, Status::Signaled(_))
    }

    /// Passes a deadline on to the backends of all that the fence stands for.
    pub(crate) fn set_deadline(&mut self, id: FenceId, deadline: Timestamp) {
        for leaf in self.leaves(id) {
            let fence = &mut self.fences[leaf];
            if fence.has_backend() && fence.life == Status::Pending {
                fence.heard.push(Heard::Deadline(deadline));
            }
        }
    }

    fn abandon(&mut self, id: FenceId) {
        if self.fences[id].life == Status::Pending {
            self.fences[id].life = Status::Abandoned;
            let (told, rest) = take(&mut self.fences[id].callbacks)
                .into_iter()
                .partition::<Vec<_>, _>(|&it| self.callbacks[it].interest == Interest::Outcome);
            self.fences[id].callbacks = rest;
            self.queue.extend(told.into_iter().map(|it| (it, Outcome::Abandoned)));
        }
    }

    /// A producer goes without having signaled.
    pub(crate) fn lose(&mut self, id: FenceId) {
        let kind = CONTEXTS[self.fences[id].context - 1].0;
        if self.signaled(id).is_some() {
        } else if kind == ContextKind::Hardware {
            self.lost.push(id);
            self.abandon(id);
        } else {
            let timestamp = self.now();
            self.complete(id, Signal { result: Err(Errno::ECANCELED), timestamp });
        }
    }

    /// The abandoned fences of one of the program's contexts, the first one lost first.
    pub(crate) fn abandoned(&self, context: usize) -> Vec<FenceId> {
        let fences = self.lost.iter().copied();
        fences.filter(|&id| self.fences[id].context == context + 1).collect()
    }

    /// All abandoned fences of a context signal; how many there were.
    pub(crate) fn declare_idle(&mut self, context: usize, error: Errno) -> usize {
        let idle = self.abandoned(context);
        for &id in &idle {
            let timestamp = self.now();
            self.complete(id, Signal { result: Err(error), timestamp });
        }
        self.lost.retain(|id| !idle.contains(id));
        self.drain();
        idle.len()
    }

    /// Makes sure, once, that a signal will come.
    fn enable(&mut self, id: FenceId) {
        let fence = &mut self.fences[id];
        if fence.enabled || matches!(fence.life, Status::Signaled(_)) {
            return;
        }
        fence.enabled = true;
        match fence.kind {
            Kind::Plain { backend } if fence.has_backend() && fence.life == Status::Pending => {
                fence.heard.push(Heard::Enable);
                if let Backend::Done(error) = backend {
                    let timestamp = self.now();
                    self.complete(id, Signal { result: error.map_or(Ok(()), Err), timestamp });
                }
            }
            Kind::Plain { .. } | Kind::Stub => {}
            Kind::Array { .. } | Kind::Chain { .. } => self.walk(id),
        }
    }

    /// As the library's: enables signaling, and runs what that sets free.
    pub(crate) fn enable_signaling(&mut self, id: FenceId) {
        self.enable(id);
        self.drain();
    }

    fn order(&self, id: FenceId) -> SeqnoOrder {
        match self.fences[id].context.checked_sub(1) {
            None => SeqnoOrder::Unordered,
            Some(context) => CONTEXTS.get(context).map_or(SeqnoOrder::Bits64, |context| context.1),
        }
    }

    /// Does the one come later than the other on their timeline?
    pub(crate) fn is_later(&self, a: FenceId, b: FenceId) -> Option<bool> {
        let same = self.fences[a].context == self.fences[b].context;
        let ordered = same && self.order(a) != SeqnoOrder::Unordered;
        ordered.then_some(self.fences[a].seqno > self.fences[b].seqno)
    }
}

// === callbacks ===

impl Model {
    /// What somebody with that interest would be told now.
    pub(crate) fn decided(&mut self, id: FenceId, interest: Interest) -> Option<Outcome> {
        if self.fences[id].life == Status::Abandoned {
            // What a container stands for may have signaled after all.
            self.is_signaled(id);
        }
        self.decision(id, interest)
    }

    /// As [`decided`](Self::decided), as far as anybody has noticed: nothing is asked.
    fn decision(&self, id: FenceId, interest: Interest) -> Option<Outcome> {
        match self.fences[id].life {
            Status::Signaled(signal) => Some(Outcome::Signaled(signal)),
            Status::Abandoned if interest == Interest::Outcome => Some(Outcome::Abandoned),
            _ => None,
        }
    }

    /// Puts a callback on a fence.
    ///
    /// # Errors
    /// The fence is decided already.
    pub(crate) fn register(
        &mut self,
        fence: FenceId,
        interest: Interest,
        action: Action,
    ) -> Result<CallbackId, Outcome> {
        if self.decided(fence, interest).is_none() {
            // Before anything is registered: what this sets free runs first.
            self.enable_signaling(fence);
        }
        // Asked once is enough; what enabling has found is noticed.
        match self.decision(fence, interest) {
            Some(outcome) => Err(outcome),
            None => Ok(self.append(fence, interest, action)),
        }
    }

    fn append(&mut self, fence: FenceId, interest: Interest, action: Action) -> CallbackId {
        let (waiting, ran, detached) = (true, false, false);
        self.callbacks.push(Callback { fence, interest, waiting, ran, detached, action });
        let id = self.callbacks.len() - 1;
        self.fences[fence].callbacks.push(id);
        id
    }

    /// Takes a callback back. True if it never ran; what it owned is dropped.
    pub(crate) fn cancel(&mut self, id: CallbackId) -> bool {
        let callback = &mut self.callbacks[id];
        let waited = take(&mut callback.waiting);
        if waited {
            let action = callback.action;
            self.fences[callback.fence].callbacks.retain(|&other| other != id);
            self.discard(action);
        }
        waited
    }

    /// A callback is dropped unrun.
    pub(crate) fn discard(&mut self, action: Action) {
        if let Action::Complete(producer, _) | Action::Lose(producer) = action {
            self.lose(producer);
            self.drain();
        }
    }

    /// Gives a callback's guard up.
    pub(crate) fn detach(&mut self, id: CallbackId) {
        self.callbacks[id].detached = true;
    }

    /// Is there a callback that waits without a guard?
    pub(crate) fn is_anything_detached(&self) -> bool {
        self.callbacks.iter().any(|callback| callback.waiting && callback.detached)
    }

    /// Runs what has been set free, and what that sets free.
    pub(crate) fn drain(&mut self) {
        while let Some((id, outcome)) = self.queue.pop_front() {
            let action = self.callbacks[id].action;
            // A walk ends with the last handle of its container.
            let runs = take(&mut self.callbacks[id].waiting)
                && !matches!(action, Action::Walk(container) if !self.is_held(container));
            if runs {
                self.callbacks[id].ran = true;
                self.log.push((id, outcome));
                self.act(action);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Nothing | Action::Drop(_) | Action::Wake => {}
            Action::Complete(producer, signal) => self.complete(producer, signal),
            Action::Lose(producer) => self.lose(producer),
            Action::Walk(container) => self.walk(container),
        }
    }

    /// Polls a future: its outcome, if there is one.
    pub(crate) fn poll(&mut self, slot: usize) -> Option<Outcome> {
        let mut future = self.futures[slot]?;
        if future.waker.is_none() {
            match self.register(future.fence, Interest::Outcome, Action::Wake) {
                Err(outcome) => return Some(outcome),
                Ok(waker) => future.waker = Some(waker),
            }
            self.futures[slot] = Some(future);
        }
        self.status(future.fence);
        self.decided(future.fence, Interest::Outcome)
    }

    /// Does anything keep the fence alive?
    fn is_held(&self, id: FenceId) -> bool {
        self.handles.contains(&Some(id))
            || self.guards.iter().flatten().any(|&guard| self.callbacks[guard].fence == id)
            || self.futures.iter().flatten().any(|future| future.fence == id)
            || self.callbacks.iter().any(|callback| callback.holds(id))
            || (0..self.fences.len())
                .any(|other| self.fences[other].kind.holds(id) && self.is_held(other))
    }
}

impl Callback {
    fn holds(&self, id: FenceId) -> bool {
        let keeps_its_fence = self.detached && self.fence == id;
        self.waiting && (keeps_its_fence || self.action == Action::Drop(id))
    }
}

impl FenceModel {
    /// One operation, on a context of the program.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.kind, Kind::Plain { .. })
    }

    fn has_backend(&self) -> bool {
        matches!(self.kind, Kind::Plain { backend } if backend != Backend::Absent)
    }

    /// It stands for others.
    pub(crate) fn is_container(&self) -> bool {
        matches!(self.kind, Kind::Array { .. } | Kind::Chain { .. })
    }
}
