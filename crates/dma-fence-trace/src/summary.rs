//! From what is known of the fences to the report.

mod judge;
mod notes;
mod order;

use crate::blame::Pending;
use crate::event::{FenceId, FenceStep};
use crate::model::{Model, State};
use crate::report::{
    self, Asker, Because, Blame, Fence, Last, Report, SCHEMA, Verdict, Verdicts, Waiter,
};
use judge::{Judge, Judged};

/// The report.
pub(crate) fn of(model: &Model, end_ns: Option<u64>) -> Report {
    Summary::new(model, end_ns).report()
}

/// What the parts of the report are made from.
struct Summary<'a> {
    model: &'a Model,
    judge: Judge<'a>,
    pending: Pending<'a>,
    verdicts: Verdicts,
    late_not_listed: u64,
    /// How many are pending, for each timeline.
    pending_in: Vec<u64>,
}

impl<'a> Summary<'a> {
    fn new(model: &'a Model, end_ns: Option<u64>) -> Self {
        let judge = Judge::new(model, end_ns);
        // Whom one of them can be blamed on depends on what the others are taken for.
        let pending = model.fences.iter().filter(|(_, fence)| !fence.is_over());
        let verdicts = pending
            .filter_map(|(id, fence)| Some((*id, judge.judge(*id, fence, judge.end)?.verdict)));
        Self {
            model,
            pending: Pending::of(model, verdicts.collect()),
            verdicts: model.retired.forgotten,
            late_not_listed: 0,
            pending_in: vec![0; judge.usual.len()],
            judge,
        }
    }

    fn report(mut self) -> Report {
        let mut fences = self.fences();
        self.count_unlisted(&fences);
        order::sort(&mut fences);
        let counts = &self.model.counts;
        let begin = counts.first.unwrap_or(self.judge.end);
        Report {
            schema: SCHEMA,
            events: counts.events,
            other_events: counts.other_events,
            malformed: 0,
            malformed_lines: Vec::new(),
            lost: self.model.gaps.lost.saturating_add(self.model.gaps.overwritten),
            span_ns: self.judge.end - begin,
            begin_ns: begin,
            last_ns: counts.last,
            end_ns: self.judge.end,
            stuck: fences.iter().any(Fence::is_stuck),
            verdicts: self.verdicts,
            notes: notes::of(self.model, &fences, self.judge.end),
            fences,
            late_not_listed: self.late_not_listed,
            timelines: self.timelines(),
        }
    }

    /// All fences that are known, judged; those that are fine only if all are wanted.
    fn fences(&mut self) -> Vec<Fence> {
        let model = self.model;
        let slow = model.timelines.iter().flat_map(|timeline| timeline.slow.iter());
        let gone = model.retired.kept.iter().chain(slow).map(|(id, fence)| (*id, fence));
        let known = gone.chain(model.fences.iter().map(|(id, fence)| (*id, fence)));
        let mut fences = Vec::new();
        for (id, fence) in known {
            let Some(judged) = self.judge.judge(id, fence, self.judge.end) else { continue };
            self.count(fence, judged.verdict);
            let fine = matches!(judged.verdict, Verdict::Ok | Verdict::Unobserved);
            if !fine || fence.extra().error.is_some() || model.retired.all {
                fences.push(self.fence(id, fence, judged));
            }
        }
        self.add_cut_short(&mut fences);
        fences
    }

    /// What was pending for long when another fence got its name: tracing ended there for it.
    fn add_cut_short(&mut self, fences: &mut Vec<Fence>) {
        for (id, fence, end) in &self.model.retired.cut_short {
            let judged = self.judge.judge(*id, fence, *end);
            let Some(judged) = judged.filter(|judged| judged.verdict == Verdict::Never) else {
                continue;
            };
            self.count(fence, judged.verdict);
            fences.push(self.fence(*id, fence, Judged { certain: false, ..judged }));
        }
    }

    fn count(&mut self, fence: &State, verdict: Verdict) {
        let verdicts = &mut self.verdicts;
        *match verdict {
            Verdict::Never => &mut verdicts.never,
            Verdict::PendingAtEnd => &mut verdicts.pending_at_end,
            Verdict::Lost => &mut verdicts.lost,
            Verdict::Late => &mut verdicts.late,
            Verdict::Unobserved => &mut verdicts.unobserved,
            Verdict::Ok => &mut verdicts.ok,
        } += 1;
        if let Some(index) = fence.timeline.filter(|_| !fence.is_over()) {
            self.pending_in[index] += 1;
        }
    }

    /// Of each timeline only the slowest are remembered.
    fn count_unlisted(&mut self, listed: &[Fence]) {
        for (timeline, usual) in self.model.timelines.iter().zip(&self.judge.usual) {
            if timeline.slow.dropped == 0 {
                continue;
            }
            let late = usual.longer_than(self.model.thresholds.signaled(usual));
            let known = listed.iter().filter(|fence| {
                fence.verdict == Verdict::Late
                    && *fence.timeline == *timeline.name
                    && timeline.context.is_none_or(|context| context == fence.context)
            });
            let more = late.saturating_sub(known.count() as u64).min(timeline.slow.dropped);
            self.late_not_listed += more;
            self.verdicts.late += more;
            self.verdicts.ok += timeline.slow.dropped - more;
        }
    }

    fn fence(&self, id: FenceId, fence: &State, judged: Judged) -> Fence {
        let timeline = self.judge.timeline(fence);
        let extra = fence.extra();
        let is_container = timeline.is_some_and(|timeline| fence.is_container(timeline));
        let mut blamed_on = self.blamed_on(id, fence, judged.verdict);
        // Whatever a trace says, nothing waits for itself.
        blamed_on.retain(|blame| blame.fence != id);
        let stuck = !matches!(judged.verdict, Verdict::Ok | Verdict::Unobserved);
        let others = blamed_on.iter().any(|blame| blame.because != Because::Hardware);
        let part =
            extra.part_of.is_some() && timeline.is_some_and(|timeline| timeline.is_scheduler);
        Fence {
            context: id.context,
            seqno: id.seqno,
            driver: timeline.map_or_else(String::new, |timeline| timeline.driver.to_string()),
            timeline: timeline.map_or_else(String::new, |timeline| timeline.name.to_string()),
            verdict: judged.verdict,
            root: !(stuck && (others || is_container || part)),
            certain: judged.certain,
            init_ns: fence.init,
            emit_ns: extra.emit,
            signaled_ns: fence.signaled,
            destroyed_ns: fence.destroyed,
            abandoned_ns: extra.abandoned,
            error: extra.error,
            age_ns: judged.age,
            late_ns: judged.late,
            outlier: judged.late.is_some() && self.model.thresholds.is_outlier(judged.age),
            made_by: fence.made_by.as_ref().map(|who| who.to_report()),
            signaled_by: fence.signaled_by.as_ref().map(|who| who.to_report()),
            waiters: self.waiters(fence),
            asked_by: askers(fence),
            blamed_on,
            job: extra.job.as_ref().map(|job| report::Job {
                device: job.device.clone(),
                ring: job.ring.clone(),
                queued_ns: job.queued,
                run_ns: job.run,
                done_ns: job.done,
                hardware: job.hardware,
            }),
            part_of: extra.part_of,
        }
    }

    fn blamed_on(&self, id: FenceId, fence: &State, verdict: Verdict) -> Vec<Blame> {
        if !fence.is_over() && verdict != Verdict::Lost {
            return self.pending.reasons(id, fence);
        }
        if verdict == Verdict::Lost {
            return self.lost_members(fence);
        }
        if verdict != Verdict::Late {
            return Vec::new();
        }
        let slow = |id: &FenceId| {
            let latency = self.model.fences.get(id).and_then(State::latency);
            latency.is_some_and(|latency| latency >= self.model.thresholds.slow())
        };
        let hardware = fence.extra().job.as_ref().and_then(|job| job.hardware).filter(slow);
        let hardware = hardware.map(|fence| Blame { fence, because: Because::Hardware });
        fence.extra().behind.into_iter().chain(hardware).collect()
    }

    /// A container is abandoned because a member is.
    fn lost_members(&self, fence: &State) -> Vec<Blame> {
        let lost = |id: &&FenceId| {
            let member = self.model.fences.get(id);
            member.is_some_and(|member| member.extra().abandoned.is_some())
        };
        let members = fence.extra().members.iter().filter(lost);
        members.map(|fence| Blame { fence: *fence, because: Because::Member }).collect()
    }

    fn waiters(&self, fence: &State) -> Vec<Waiter> {
        let waits = fence.waits.iter().filter_map(|wait| {
            let since = wait.since?;
            let until = wait.until.unwrap_or(self.judge.end);
            let report::Task { comm, pid } = wait.who.to_report();
            let waited = until.saturating_sub(since);
            Some(Waiter { comm, pid, since_ns: since, waited_ns: waited, open: wait.is_open() })
        });
        let mut waiters: Vec<_> = waits.collect();
        waiters.sort_by_key(|waiter| (!waiter.open, waiter.since_ns));
        waiters
    }

    fn timelines(&self) -> Vec<report::Timeline> {
        let with_usual = self.model.timelines.iter().zip(&self.judge.usual).zip(&self.pending_in);
        let busy = with_usual.filter(|((timeline, _), pending)| timeline.fences + **pending > 0);
        let mut timelines: Vec<_> = busy
            .map(|((timeline, usual), pending)| {
                let waits = timeline.waits.sorted();
                report::Timeline {
                    driver: timeline.driver.to_string(),
                    timeline: timeline.name.to_string(),
                    context: timeline.context,
                    contexts: timeline.contexts.max(1),
                    fences: timeline.fences,
                    signaled: usual.len(),
                    pending: *pending,
                    p50_ns: usual.percentile(50),
                    p99_ns: usual.percentile(99),
                    max_ns: usual.max(),
                    waits: waits.len(),
                    wait_p50_ns: waits.percentile(50),
                    wait_p99_ns: waits.percentile(99),
                    wait_max_ns: waits.max(),
                    last: timeline.last.as_ref().map(|last| Last {
                        event: event_name(last.step).into(),
                        fence: last.fence,
                        at_ns: last.at,
                        comm: last.who.comm.to_string(),
                        pid: last.who.pid,
                    }),
                }
            })
            .collect();
        timelines.sort_by(|a, b| b.fences.cmp(&a.fences).then(a.context.cmp(&b.context)));
        timelines
    }
}

fn askers(fence: &State) -> Vec<Asker> {
    let askers = fence.extra().askers.iter().map(|(who, at)| {
        let report::Task { comm, pid } = who.to_report();
        Asker { comm, pid, at_ns: *at }
    });
    askers.collect()
}

fn event_name(step: FenceStep) -> &'static str {
    match step {
        FenceStep::Init => "init",
        FenceStep::Emit => "emit",
        FenceStep::EnableSignal => "enable_signal",
        FenceStep::Signaled => "signaled",
        FenceStep::Destroy => "destroy",
        FenceStep::WaitStart => "wait_start",
        FenceStep::WaitEnd => "wait_end",
        FenceStep::Abandoned => "abandoned",
    }
}
