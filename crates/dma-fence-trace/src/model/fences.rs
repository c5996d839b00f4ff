//! The events of fences.

use super::Model;
use super::fence::{Displayed, State, Wait};
use super::tasks::Who;
use super::timelines::Last;
use crate::event::{Event, FenceId, FenceStep};
use crate::report::{Because, Blame};

/// Pictures that are on their way at the same time; more are not compared with what is waited for.
const MOST_DISPLAYS: usize = 64;
/// A name that comes again so much later is another fence's.
const SECOND: u64 = 1_000_000_000;

/// An event of a fence that is named.
pub(super) struct Seen<'a> {
    pub(super) step: FenceStep,
    pub(super) driver: &'a str,
    pub(super) timeline: &'a str,
    pub(super) id: FenceId,
    pub(super) error: Option<i32>,
}

impl Seen<'_> {
    /// Newer kernels print these names once a fence has signaled, and i915 the last.
    fn is_detached(&self) -> bool {
        self.driver == "detached-driver"
            || matches!(self.timeline, "signaled-timeline" | "signaled")
    }
}

impl Model {
    pub(super) fn fence(&mut self, event: &Event<'_>, seen: &Seen<'_>) {
        let time = event.time_ns;
        match seen.step {
            FenceStep::Init => self.init(event, seen),
            FenceStep::Emit => self.emit(event, seen),
            FenceStep::Signaled => self.signaled(event, seen),
            FenceStep::EnableSignal => {
                let who = self.tasks.who(event.task);
                self.named(seen, time).ask(who, time);
            }
            FenceStep::Abandoned => {
                self.named(seen, time).extra_mut().abandoned.get_or_insert(time);
            }
            FenceStep::Destroy => {
                let fence = self.named(seen, time);
                fence.destroyed = Some(time);
                let generation = fence.generation;
                self.displays.retain(|display| *display != seen.id);
                self.settle(seen.id, generation);
            }
            FenceStep::WaitStart => self.wait_start(event, seen),
            FenceStep::WaitEnd => self.wait_end(event, seen),
        }
    }

    /// The fence, with its timeline if its names can be seen.
    fn named(&mut self, seen: &Seen<'_>, time: u64) -> &mut State {
        let mut timeline = None;
        if !seen.is_detached() {
            timeline = Some(self.timelines.find(seen.id.context, seen.driver, seen.timeline));
        }
        let fence = self.known(seen.id, time);
        if timeline.is_none() && fence.signaled.is_none() {
            fence.over = true;
        }
        fence.timeline = fence.timeline.or(timeline);
        fence
    }

    fn init(&mut self, event: &Event<'_>, seen: &Seen<'_>) {
        let (id, time) = (seen.id, event.time_ns);
        let who = self.tasks.who(event.task);
        let mut fence = self.named(seen, time);
        // Of several CPUs, a later event can come before it; but not much earlier ones.
        if fence.init.is_some() || fence.seen.saturating_add(SECOND) < time {
            self.replace(id);
            fence = self.named(seen, time);
        }
        fence.init = Some(time);
        fence.seen = time;
        fence.made_by = Some(who.clone());
        let (timeline, signaled) = (fence.timeline, fence.signaled.is_some());
        if signaled {
            self.measure(id);
        }
        let Some(index) = timeline else { return };
        self.timelines.made(index, seen.driver, seen.timeline);
        let timeline = self.timelines.get_mut(index);
        timeline.fences += 1;
        timeline.contexts += u64::from(timeline.context.is_none() || timeline.contexts == 0);
        timeline.sign_of_life(Last { step: seen.step, fence: id, at: time, who });
        if timeline.is_display {
            if self.displays.len() >= MOST_DISPLAYS {
                self.displays.remove(0);
            }
            self.displays.push(id);
        }
        self.link_to_job(event, id, index);
    }

    fn emit(&mut self, event: &Event<'_>, seen: &Seen<'_>) {
        let (id, time) = (seen.id, event.time_ns);
        self.number(id);
        let fence = self.named(seen, time);
        fence.extra_mut().emit = Some(time);
        fence.evidence = fence.evidence.max(time);
        let (timeline, signaled) = (fence.timeline, fence.signaled.is_some());
        if signaled {
            self.measure(id);
        }
        if let Some(index) = timeline {
            let who = self.tasks.who(event.task);
            self.timelines.get_mut(index).sign_of_life(Last {
                step: seen.step,
                fence: id,
                at: time,
                who,
            });
        }
    }

    /// Some drivers number their fences only when they emit them.
    fn number(&mut self, id: FenceId) {
        let unnumbered = FenceId { seqno: 0, ..id };
        if id.seqno == 0
            || self.fences.contains_key(&id)
            || self.fences.get(&unnumbered).is_none_or(State::is_over)
        {
            return;
        }
        let fence = self.fences.remove(&unnumbered).expect("it was there");
        if let Some(index) = fence.timeline {
            self.timelines.get_mut(index).numbers_at_emit = true;
        }
        self.fences.insert(id, fence);
    }

    fn signaled(&mut self, event: &Event<'_>, seen: &Seen<'_>) {
        let (id, time) = (seen.id, event.time_ns);
        let who = self.tasks.who(event.task);
        let fence = self.named(seen, time);
        if fence.signaled.is_some() {
            return;
        }
        fence.signaled = Some(time);
        fence.signaled_by = Some(who.clone());
        if seen.error.is_some() {
            fence.extra_mut().error = seen.error;
        }
        let (index, generation) = (fence.timeline, fence.generation);
        if let (Some(latency), Some(index)) = (fence.latency(), index) {
            self.add_latency(id, latency, index);
        }
        if let Some(index) = index {
            let timeline = self.timelines.get_mut(index);
            timeline.previous = Some((id, time));
            if !timeline.is_container {
                self.last_signaled = Some((id, time));
            }
            if timeline.is_display {
                self.displays.retain(|display| *display != id);
            }
            if timeline.is_scheduler {
                // Its job has been given to the device: what the thread makes next is of another.
                self.tasks.thread(event.task).runs = None;
            }
            timeline.sign_of_life(Last { step: seen.step, fence: id, at: time, who });
        }
        self.settle(id, generation);
    }

    /// Its beginning and its end are known, in whatever order.
    pub(super) fn measure(&mut self, id: FenceId) {
        let fence = &self.fences[&id];
        if let (Some(latency), Some(index)) = (fence.latency(), fence.timeline) {
            self.add_latency(id, latency, index);
        }
    }

    fn add_latency(&mut self, id: FenceId, latency: u64, timeline: usize) {
        self.timelines.get_mut(timeline).durations.add(latency);
        if latency >= self.thresholds.slow() {
            let behind = self.slowed_by(id);
            self.fences.get_mut(&id).expect("it was there").extra_mut().behind = behind;
        }
    }

    /// The fence without which this one would not have been slow.
    fn slowed_by(&self, id: FenceId) -> Option<Blame> {
        let fence = &self.fences[&id];
        let timeline = self.timelines.get(fence.timeline?);
        let signaled = |id: FenceId| self.fences.get(&id)?.signaled;
        let all = |fences: &[FenceId], because| {
            let signals = fences.iter().filter_map(|id| Some((signaled(*id)?, *id)));
            signals.max().map(|(at, fence)| (at, Blame { fence, because }))
        };
        let extra = fence.extra();
        let dependency = all(&extra.depends_on, Because::Dependency);
        let displayed = extra.displayed.map(|displayed| {
            (displayed.until, Blame { fence: displayed.fence, because: Because::Display })
        });
        let member = match self.last_signaled {
            Some((last, at)) if fence.is_container(timeline) && extra.members.is_empty() => {
                Some((at, Blame { fence: last, because: Because::Member }))
            }
            _ => all(&extra.members, Because::Member),
        };
        // A job is scheduled when there is room for it: when the one before it is done.
        let finished =
            extra.part_of.filter(|_| timeline.is_scheduler).and_then(|id| self.fences.get(&id));
        let ahead = finished.and_then(|fence| self.timelines.get(fence.timeline?).previous);
        let queue = ahead.or(timeline.previous.filter(|_| timeline.context.is_some()));
        let queue = queue.map(|(fence, at)| (at, Blame { fence, because: Because::Queue }));
        let (begin, end) = (fence.start()?, fence.signaled?);
        let (at, blame) = [dependency, displayed, member, queue]
            .into_iter()
            .flatten()
            .filter(|(at, blame)| blame.fence != id && (begin..=end).contains(at))
            .max_by_key(|(at, _)| *at)?;
        (end - at < self.thresholds.slow()).then_some(blame)
    }

    fn wait_start(&mut self, event: &Event<'_>, seen: &Seen<'_>) {
        if seen.is_detached() {
            // It does not wait: the fence has signaled.
            if let Some(fence) = self.fences.get_mut(&seen.id) {
                fence.over |= fence.signaled.is_none();
                let generation = fence.generation;
                self.settle(seen.id, generation);
            }
            return;
        }
        self.counts.waits += 1;
        let who = self.tasks.who(event.task);
        self.leave_wait(event, &who, seen.id);
        let fence = self.named(seen, event.time_ns);
        let waited = fence.begin_wait(who, event.time_ns);
        let (timeline, generation) = (fence.timeline, fence.generation);
        let mentioned = fence.is_only_mentioned();
        if let (Some(waited), Some(index)) = (waited, timeline) {
            self.timelines.get_mut(index).waits.add(waited);
        }
        if mentioned {
            self.settle(seen.id, generation);
        }
    }

    /// Another thread with the same number has left its last wait, and not been seen doing so.
    fn leave_wait(&mut self, event: &Event<'_>, who: &Who, next: FenceId) {
        let thread = self.tasks.thread(event.task);
        let Some(last) = thread.waits_for.replace(next).filter(|_| who.pid.is_some()) else {
            return;
        };
        let Some(fence) = self.fences.get_mut(&last) else { return };
        // So has this thread, if the end of its wait may be among the events that were lost. (Threads of the library
        // can wait for several fences, but lose no events.)
        let lost =
            |wait: &Wait| wait.since.is_some_and(|since| self.gaps.lost_since(since).is_some());
        let stale = |wait: &&mut Wait| {
            let same = wait.who.comm == who.comm;
            wait.is_open() && wait.who.pid == who.pid && (!same || lost(wait))
        };
        for wait in fence.waits.iter_mut().filter(stale) {
            wait.until = Some(event.time_ns);
        }
    }

    fn wait_end(&mut self, event: &Event<'_>, seen: &Seen<'_>) {
        let (id, time) = (seen.id, event.time_ns);
        let who = self.tasks.who(event.task);
        self.tasks.thread(event.task).waits_for = None;
        let fence = self.named(seen, time);
        let waited = fence.end_wait(&who, time);
        let (timeline, generation) = (fence.timeline, fence.generation);
        if let (Some(waited), Some(index)) = (waited, timeline) {
            self.timelines.get_mut(index).waits.add(waited);
            self.note_displays(id, &who, waited, time);
        }
        self.settle(id, generation);
    }

    /// A display's worker, or whoever commits, waits for what is to be shown.
    fn note_displays(&mut self, id: FenceId, who: &Who, waited: u64, until: u64) {
        for display in &self.displays {
            let Some(fence) = self.fences.get_mut(display).filter(|_| *display != id) else {
                continue;
            };
            let own = fence.made_by.as_ref().is_some_and(|maker| maker.pid == who.pid);
            let longer = fence.extra().displayed.is_none_or(|before| before.waited < waited);
            if (own || who.shows()) && longer && fence.init <= Some(until) {
                fence.extra_mut().displayed = Some(Displayed { fence: id, waited, until });
            }
        }
    }
}
