//! Arrays and chains: what they stand for, and the one callback that goes along it.

use super::{Action, FenceId, Model};
use crate::op::{Backend, Interest};
use dma_fence::{Errno, Signal, Status, Timestamp};

/// What a fence is.
pub(crate) enum Kind {
    /// One operation.
    Plain {
        /// The hooks.
        backend: Backend,
    },
    /// Signaled from the start.
    Stub,
    /// All of its members.
    Array {
        /// In order.
        members: Vec<FenceId>,
    },
    /// A point of a timeline.
    Chain {
        /// The fence of this point.
        contained: FenceId,
        /// What is before it and has not been taken out.
        prev: Option<FenceId>,
        /// The number of the point before it on the same context, or 0.
        prev_seqno: u64,
        /// The fences of all points up to this one, from the far end, those taken out included.
        points: Vec<FenceId>,
    },
}

impl Kind {
    pub(super) fn holds(&self, id: FenceId) -> bool {
        match self {
            Kind::Plain { .. } | Kind::Stub => false,
            Kind::Array { members } => members.contains(&id),
            Kind::Chain { contained, prev, .. } => *contained == id || *prev == Some(id),
        }
    }
}

impl Model {
    fn new_context(&mut self) -> usize {
        self.contexts += 1;
        self.contexts
    }

    /// An array on one of the program's contexts, or on one of its own.
    pub(crate) fn new_array(&mut self, members: Vec<FenceId>, context: Option<usize>) -> FenceId {
        let kind = Kind::Array { members };
        match context {
            Some(context) => self.push_on(context, kind),
            None => {
                let context = self.new_context();
                self.push(kind, context, 1)
            }
        }
    }

    /// A chain node: on the context of the chain before it as long as numbers rise.
    pub(crate) fn new_chain(
        &mut self,
        prev: Option<FenceId>,
        contained: FenceId,
        seqno: u64,
    ) -> FenceId {
        let mut points = prev.map_or(Vec::new(), |prev| self.points(prev));
        points.push(contained);
        let before = prev.filter(|&prev| self.is_chain(prev)).map(|prev| &self.fences[prev]);
        let (context, prev_seqno, seqno) = match before {
            Some(before) if seqno > before.seqno => (before.context, before.seqno, seqno),
            Some(before) => (self.contexts + 1, 0, before.seqno),
            None => (self.contexts + 1, 0, seqno),
        };
        self.contexts = self.contexts.max(context);
        self.push(Kind::Chain { contained, prev, prev_seqno, points }, context, seqno)
    }

    /// Is it a chain?
    pub(crate) fn is_chain(&self, id: FenceId) -> bool {
        matches!(self.fences[id].kind, Kind::Chain { .. })
    }

    /// The fences of all points that a chain has ever had; any other fence is a point by itself.
    pub(super) fn points(&self, id: FenceId) -> Vec<FenceId> {
        match &self.fences[id].kind {
            Kind::Chain { points, .. } => points.clone(),
            _ => vec![id],
        }
    }

    /// The fence of this point alone.
    fn own(&self, id: FenceId) -> FenceId {
        match self.fences[id].kind {
            Kind::Chain { contained, .. } => contained,
            _ => id,
        }
    }

    pub(super) fn prev(&self, id: FenceId) -> Option<FenceId> {
        match self.fences[id].kind {
            Kind::Chain { prev, .. } => prev,
            _ => None,
        }
    }

    /// What is before a point and has not signaled; what has is taken out.
    fn collect(&mut self, id: FenceId, asked: bool) -> Option<FenceId> {
        let mut before = self.prev(id);
        while let Some(point) = before.filter(|&point| self.has_signaled(self.own(point), asked)) {
            before = self.prev(point);
        }
        if let Kind::Chain { prev, .. } = &mut self.fences[id].kind {
            *prev = before;
        }
        before
    }

    /// The first of which nobody has noticed that it signaled: of an array's members from the last, of a
    /// chain's points from the head.
    fn first_unsignaled(&mut self, container: FenceId) -> Option<FenceId> {
        if let Kind::Array { members } = &self.fences[container].kind {
            return members.iter().copied().rfind(|&member| self.signaled(member).is_none());
        }
        let own = self.own(container);
        if self.signaled(own).is_none() {
            return Some(own);
        }
        let point = self.collect(container, false)?;
        Some(self.own(point))
    }

    /// Has all signaled? Asks an array's members from the last, as long as they have, and what is before a
    /// chain's head before it asks the head: it must be let go even if the head never signals.
    fn have_all_signaled(&mut self, container: FenceId) -> bool {
        if let Kind::Array { members } = &self.fences[container].kind {
            return members.clone().into_iter().rev().all(|member| self.is_signaled(member));
        }
        self.collect(container, true).is_none() && self.is_signaled(self.own(container))
    }

    /// The one callback: it is on the first fence that has not signaled.
    pub(super) fn walk(&mut self, container: FenceId) {
        while let Some(part) = self.first_unsignaled(container) {
            self.enable(part);
            let interest = match self.fences[part].life {
                Status::Signaled(_) => continue,
                Status::Pending => Interest::Outcome,
                Status::Abandoned => {
                    self.abandon(container);
                    Interest::Signal
                }
            };
            self.append(part, interest, Action::Walk(container));
            return;
        }
        self.complete(container, self.settle(container));
    }

    /// What a container amounts to whose parts have all signaled: the error that came first in time, of
    /// equals an array's first and a chain's smallest; the latest time.
    fn settle(&self, container: FenceId) -> Signal {
        match &self.fences[container].kind {
            Kind::Array { members } => self.sum(members, |_| 0),
            _ => self.sum(&self.all_leaves(container), Errno::raw),
        }
    }

    /// The leaves of all that a fence has ever stood for.
    pub(super) fn all_leaves(&self, id: FenceId) -> Vec<FenceId> {
        self.points(id).into_iter().flat_map(|point| self.leaves(point)).collect()
    }

    /// The earliest error of those that have signaled, of equals the one of the smallest `rank`, then the
    /// first; the latest time.
    pub(super) fn sum(&self, fences: &[FenceId], rank: fn(Errno) -> i32) -> Signal {
        let signals: Vec<Signal> = fences.iter().filter_map(|&id| self.signaled(id)).collect();
        let errors = signals.iter().filter_map(|it| Some((it.timestamp, it.result.err()?)));
        let first = errors.min_by_key(|&(time, error)| (time, rank(error)));
        let latest = signals.iter().map(|signal| signal.timestamp).max();
        Signal {
            result: first.map_or(Ok(()), |(_, error)| Err(error)),
            timestamp: latest.unwrap_or(Timestamp::ZERO),
        }
    }

    fn has_signaled(&mut self, id: FenceId, asked: bool) -> bool {
        if asked { self.is_signaled(id) } else { self.signaled(id).is_some() }
    }

    /// Has it signaled? Asks the backend, or what it stands for, and runs what that sets free: nobody asks
    /// from inside a callback.
    pub(crate) fn is_signaled(&mut self, id: FenceId) -> bool {
        if self.signaled(id).is_some() {
            return true;
        }
        if !self.fences[id].is_container() {
            self.ask_backend(id);
        } else if self.have_all_signaled(id) {
            self.complete(id, self.settle(id));
        }
        self.drain();
        self.signaled(id).is_some()
    }

    /// What has become of it? A container asks all that it stands for until it finds one that is lost,
    /// unless there is none anywhere.
    pub(crate) fn status(&mut self, id: FenceId) -> Status {
        self.is_signaled(id);
        let may_be_lost = self.fences[id].is_container() && !self.lost.is_empty();
        if may_be_lost && self.fences[id].life == Status::Pending {
            let leaves = self.leaves(id);
            if leaves.into_iter().any(|leaf| self.status(leaf) == Status::Abandoned) {
                self.abandon(id);
                self.drain();
            }
        }
        self.fences[id].life
    }

    /// The chain from this point back; what has signaled is taken out on the way.
    pub(crate) fn chain(&mut self, head: FenceId) -> Vec<FenceId> {
        let mut nodes = vec![head];
        let mut last = head;
        while let Some(before) = self.collect(last, true) {
            nodes.push(before);
            last = before;
        }
        nodes
    }

    /// What will signal a point: a fence, `None` if it has been passed, an error if it is beyond the head.
    ///
    /// # Errors
    /// The number of the head.
    pub(crate) fn find_seqno(&mut self, head: FenceId, seqno: u64) -> Result<Option<FenceId>, u64> {
        let (context, last) = (self.fences[head].context, self.fences[head].seqno);
        if seqno > last {
            return Err(last);
        }
        if seqno == 0 {
            return Ok(Some(head));
        }
        let mut node = head;
        loop {
            let before = self.collect(node, true);
            if self.signals(node, context, seqno) {
                return Ok(Some(node));
            }
            let Some(before) = before else { return Ok(None) };
            node = before;
        }
    }

    /// Does the fence, met on the way back, signal that point of that context?
    fn signals(&self, id: FenceId, context: usize, seqno: u64) -> bool {
        match self.fences[id].kind {
            Kind::Chain { prev_seqno, .. } => {
                self.fences[id].context != context || prev_seqno < seqno
            }
            _ => true,
        }
    }
}
