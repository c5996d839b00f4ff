//! What is compared after every step, and how.

use super::{World, name};
use crate::model::FenceId;
use crate::op::{FUTURES, SLOTS};
use dma_fence::{Fence, Outcome, Status};
use std::fmt::{Debug, Display};

/// What differs, for people.
pub(super) type Check<T = ()> = Result<T, String>;

/// Fails with both values unless they are equal.
pub(super) fn same<T: PartialEq + Debug>(what: impl Display, model: T, library: T) -> Check {
    if model == library {
        return Ok(());
    }
    Err(format!("{what}: the model says {model:?}, the library {library:?}"))
}

impl World {
    // === what can be seen after every step without changing anything ===

    pub(super) fn check(&mut self) -> Check {
        self.check_log()?;
        for slot in 0..SLOTS {
            self.check_handle(slot)?;
        }
        for slot in 0..FUTURES {
            self.check_waker(slot)?;
        }
        for probe in &self.probes {
            let fence = &self.model.fences[probe.fence];
            let name = probe.fence;
            same(format_args!("what {name} heard"), &fence.heard, &probe.heard())?;
            let alive = !matches!(fence.life, Status::Signaled(_));
            same(format_args!("backend of {name} alive"), alive, probe.is_alive())?;
        }
        for (id, owned) in &self.owned {
            let waiting = self.model.callbacks[*id].waiting;
            same(format_args!("closure of {id} alive"), waiting, owned.strong_count() > 0)?;
        }
        for (context, real) in self.contexts.0.iter().enumerate() {
            let model = self.model.abandoned(context).len();
            same(format_args!("abandoned in {context}"), model, real.abandoned())?;
        }
        Ok(())
    }

    /// Callbacks ran once, and in order on each fence; between fences no order is promised.
    pub(super) fn check_log(&mut self) -> Check {
        let mut model = std::mem::take(&mut self.model.log);
        let mut library = std::mem::take(&mut *self.log.lock().unwrap());
        let fence = |&(id, _): &(usize, Outcome)| self.model.callbacks[id].fence;
        model.retain(|(id, _)| self.owned.contains_key(id));
        model.sort_by_key(fence);
        library.sort_by_key(fence);
        let ids = |log: &[(usize, Outcome)]| log.iter().map(|&(id, _)| id).collect::<Vec<_>>();
        same("callbacks run", ids(&model), ids(&library))?;
        for (model, library) in model.into_iter().zip(library) {
            self.same_outcome(format_args!("callback {}", model.0), model.1, library.1)?;
        }
        Ok(())
    }

    pub(super) fn check_handle(&self, slot: usize) -> Check {
        let (Some(id), Some(fence)) = (self.model.handles[slot], &self.handles[slot]) else {
            return same(
                format_args!("slot {slot} filled"),
                self.model.handles[slot].is_some(),
                self.handles[slot].is_some(),
            );
        };
        same(format_args!("name of {id}"), self.names[id], name(fence))?;
        // Asking may change something: that is a step of its own.
        if !self.model.is_settled(id) {
            return Ok(());
        }
        self.same_status(format_args!("status of {id}"), self.model.fences[id].life, fence.status())
    }

    pub(super) fn check_waker(&self, slot: usize) -> Check {
        let (Some(model), Some((_, woken))) = (self.model.futures[slot], &self.futures[slot])
        else {
            return Ok(());
        };
        let times = model.waker.map_or(0, |waker| usize::from(self.model.callbacks[waker].ran));
        same(format_args!("wake-ups of {slot}"), times, woken.times())
    }

    // === comparing what has a time in it ===

    pub(super) fn same_status(&self, what: impl Display, model: Status, library: Status) -> Check {
        match (model, library) {
            (Status::Signaled(signal), Status::Signaled(real)) if self.times.same(signal, real) => {
                Ok(())
            }
            _ => same(what, model, library),
        }
    }

    pub(super) fn same_outcome(
        &self,
        what: impl Display,
        model: Outcome,
        library: Outcome,
    ) -> Check {
        let status = |outcome| match outcome {
            Outcome::Signaled(signal) => Status::Signaled(signal),
            Outcome::Abandoned => Status::Abandoned,
        };
        self.same_status(what, status(model), status(library))
    }

    // === comparing fences ===

    pub(super) fn same_fences(
        &self,
        what: impl Display,
        model: &[FenceId],
        library: &[Fence],
    ) -> Check {
        let expected: Vec<_> = model.iter().map(|&id| self.names[id]).collect();
        same(what, expected, library.iter().map(name).collect())
    }

    /// In any order.
    pub(super) fn same_set(
        &self,
        what: impl Display,
        model: &[FenceId],
        library: &[Fence],
    ) -> Check {
        let mut expected: Vec<_> = model.iter().map(|&id| self.names[id]).collect();
        let mut found: Vec<_> = library.iter().map(name).collect();
        expected.sort_unstable();
        found.sort_unstable();
        same(what, expected, found)
    }

    /// The one of `candidates` that it is.
    pub(super) fn id_of(&self, fence: &Fence, candidates: &[FenceId]) -> Option<FenceId> {
        candidates.iter().copied().find(|&id| self.names[id] == name(fence))
    }
}
