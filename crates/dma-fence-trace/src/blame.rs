//! Why a pending fence is pending: which other fences it waits for.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::event::FenceId;
use crate::model::{Job, Model, State};
use crate::report::{Because, Blame, Verdict};

/// Nobody reads more, and a container's members are guessed.
const MOST_GUESSES: usize = 8;
/// Among so many, so that many containers and many other fences cost no more than both.
const MOST_LOOKED_AT: usize = 64;

/// What is pending when tracing ends, arranged for questions.
pub(crate) struct Pending<'a> {
    model: &'a Model,
    /// What each pending fence is taken for.
    verdicts: HashMap<FenceId, Verdict, RandomState>,
    /// Fences with a producer, the oldest first, and since when.
    producers: Vec<(u64, FenceId)>,
    /// Fences that somebody waits for who may do so for a display, and since when.
    awaited: Vec<(u64, FenceId)>,
    /// The oldest job of each queue that the device has not done.
    running: HashMap<(&'a str, &'a str), (u64, FenceId)>,
}

impl<'a> Pending<'a> {
    pub(crate) fn of(model: &'a Model, verdicts: HashMap<FenceId, Verdict, RandomState>) -> Self {
        let mut pending = Self {
            model,
            verdicts,
            producers: Vec::new(),
            awaited: Vec::new(),
            running: HashMap::new(),
        };
        for (id, fence) in &model.fences {
            if !fence.is_over() {
                pending.add(*id, fence);
            }
        }
        pending.producers.sort_unstable();
        pending.awaited.sort_unstable();
        pending
    }

    fn add(&mut self, id: FenceId, fence: &'a State) {
        let Some(timeline) = fence.timeline.map(|index| self.model.timelines.get(index)) else {
            return;
        };
        let is_other = timeline.is_display || timeline.is_on_demand;
        if !fence.is_container(timeline) && fence.extra().part_of.is_none() && !is_other {
            self.producers.push((fence.start().unwrap_or(fence.seen), id));
        }
        let open = fence.waits.iter().filter(|wait| wait.is_open() && !timeline.is_display);
        self.awaited.extend(open.filter_map(|wait| Some((wait.since?, id))));
        if let Some(Job { device, ring, run: Some(run), done: None, .. }) = &fence.extra().job {
            let oldest = self.running.entry((device, ring)).or_insert((*run, id));
            *oldest = (*oldest).min((*run, id));
        }
    }

    fn is_pending(&self, id: FenceId) -> bool {
        self.model.fences.get(&id).is_some_and(|fence| !fence.is_over())
    }

    /// Whether a guess makes sense: what never signals is not kept by what is just in work.
    fn explains(&self, reason: FenceId, id: FenceId) -> bool {
        let is_bad = |id| matches!(self.verdicts.get(&id), Some(Verdict::Never | Verdict::Lost));
        reason != id && (!is_bad(id) || is_bad(reason))
    }

    /// The fences for which a pending one waits.
    pub(crate) fn reasons(&self, id: FenceId, fence: &State) -> Vec<Blame> {
        let Some(timeline) = fence.timeline.map(|index| self.model.timelines.get(index)) else {
            return Vec::new();
        };
        if fence.is_container(timeline) {
            self.members(id, fence)
        } else if timeline.is_display {
            self.displayed(id, fence)
        } else if timeline.is_scheduler {
            self.of_job(id, fence)
        } else {
            self.blame(&fence.extra().depends_on, Because::Dependency)
        }
    }

    fn blame(&self, fences: &[FenceId], because: Because) -> Vec<Blame> {
        let pending = fences.iter().filter(|id| self.is_pending(**id));
        pending.map(|fence| Blame { fence: *fence, because }).collect()
    }

    fn members(&self, id: FenceId, container: &State) -> Vec<Blame> {
        let known = &container.extra().members;
        if !known.is_empty() {
            return self.blame(known, Because::Member);
        }
        // It was made of fences that were there; most likely of those that its maker has just made.
        let made = container.init.unwrap_or(container.seen);
        let older = self.producers.partition_point(|(begin, _)| *begin <= made);
        let near = self.producers[..older].iter().rev().take(MOST_LOOKED_AT);
        let maker = |id: FenceId| self.model.fences[&id].made_by.as_ref().and_then(|who| who.pid);
        let own = container.made_by.as_ref().and_then(|who| who.pid);
        let mut guesses: Vec<_> =
            near.map(|(_, fence)| *fence).filter(|fence| self.explains(*fence, id)).collect();
        guesses.sort_by_cached_key(|fence| maker(*fence) != own);
        guesses.truncate(MOST_GUESSES);
        guesses.into_iter().map(|fence| Blame { fence, because: Because::Member }).collect()
    }

    /// A display's worker, or whoever commits, waits for what is to be shown.
    fn displayed(&self, id: FenceId, display: &State) -> Vec<Blame> {
        let Some(made) = display.init else { return Vec::new() };
        let first = self.awaited.partition_point(|(since, _)| *since < made);
        let later = self.awaited[first..].iter().take(MOST_LOOKED_AT);
        let shown = later.filter(|(since, other)| {
            let waits = &self.model.fences[other].waits;
            self.explains(*other, id)
                && waits.iter().any(|wait| {
                    let own =
                        display.made_by.as_ref().is_some_and(|maker| maker.pid == wait.who.pid);
                    wait.since == Some(*since) && wait.is_open() && (own || wait.who.shows())
                })
        });
        let first = shown.take(1);
        first.map(|(_, fence)| Blame { fence: *fence, because: Because::Display }).collect()
    }

    /// A fence of the scheduler: the scheduled one waits for what its job waits for.
    fn of_job(&self, id: FenceId, fence: &State) -> Vec<Blame> {
        let finished = fence.extra().part_of;
        let owner = finished.and_then(|finished| self.model.fences.get(&finished)).unwrap_or(fence);
        let mut reasons = self.blame(&owner.extra().depends_on, Because::Dependency);
        let Some(job) = &owner.extra().job else { return reasons };
        if reasons.is_empty() && job.run.is_none() {
            let running = self.running.get(&(job.device.as_str(), job.ring.as_str()));
            let running = running.filter(|(_, ahead)| self.explains(*ahead, id));
            reasons
                .extend(running.map(|(_, ahead)| Blame { fence: *ahead, because: Because::Queue }));
        }
        match finished {
            Some(finished) if reasons.is_empty() => {
                reasons.push(Blame { fence: finished, because: Because::Hardware });
            }
            Some(_) => {}
            None => reasons.extend(self.blame(job.hardware.as_slice(), Because::Hardware)),
        }
        reasons
    }
}
