//! A report as the page reads it: columns instead of objects, each name once. A tenth of the JSON's size.
//!
//! Times count from `origin`: JavaScript's numbers are exact up to 2⁵³ only, which an uptime of 104 days in
//! nanoseconds exceeds.

use std::collections::HashMap;

use serde::Serialize;

use super::headline::Headline;
use crate::event::FenceId;
use crate::report::{Because, Fence, MalformedLine, Report, Verdict};

/// In the order of [`Verdict`], whose number is the index.
const VERDICTS: [Verdict; 6] = [
    Verdict::Never,
    Verdict::Lost,
    Verdict::PendingAtEnd,
    Verdict::Late,
    Verdict::Unobserved,
    Verdict::Ok,
];

/// All that the page knows. Fences, names, tasks and tracks are named by their index.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    title: &'a str,
    headline: Headline,
    /// Nanoseconds on the trace's clock, in decimal.
    origin: String,
    begin: u64,
    last: u64,
    end: u64,
    events: u64,
    lost: u64,
    malformed: u64,
    malformed_lines: &'a [MalformedLine],
    /// What is wrong with the input comes first.
    notes: Vec<&'a String>,
    verdicts: [Verdict; 6],
    names: Vec<&'a str>,
    /// Name and number.
    tasks: Vec<(u32, Option<u32>)>,
    tracks: Vec<Track>,
    fences: Columns,
    /// Fence, task, since, how long, still open.
    waits: Vec<(u32, u32, u64, u64, bool)>,
    /// Fence, task, when.
    asks: Vec<(u32, u32, u64)>,
    /// Fence, the other one if it is in the report, its context and number, why.
    blames: Vec<(u32, Option<u32>, u32, u32, Because)>,
    jobs: Vec<Job>,
}

/// A row of the chart.
#[derive(Serialize)]
struct Track {
    driver: u32,
    timeline: u32,
    context: Option<u32>,
    p50: Option<u64>,
    p99: Option<u64>,
    max: Option<u64>,
}

/// Facts of fences, a column each.
#[derive(Serialize, Default)]
struct Columns {
    track: Vec<u32>,
    context: Vec<u32>,
    seqno: Vec<u32>,
    driver: Vec<u32>,
    timeline: Vec<u32>,
    verdict: Vec<u8>,
    /// 1: root, 2: certain, 4: outlier.
    flags: Vec<u8>,
    start: Vec<u64>,
    age: Vec<u64>,
    init: Vec<Option<u64>>,
    emit: Vec<Option<u64>>,
    signaled: Vec<Option<u64>>,
    destroyed: Vec<Option<u64>>,
    abandoned: Vec<Option<u64>>,
    error: Vec<Option<i32>>,
    late: Vec<Option<u64>>,
    made_by: Vec<Option<u32>>,
    signaled_by: Vec<Option<u32>>,
}

#[derive(Serialize)]
struct Job {
    fence: u32,
    device: u32,
    ring: u32,
    queued: Option<u64>,
    run: Option<u64>,
    done: Option<u64>,
    /// Its index, if it is in the report, its context and number.
    hardware: Option<(Option<u32>, u32, u32)>,
}

impl<'a> Data<'a> {
    pub(super) fn new(report: &'a Report, title: &'a str, warnings: &'a [String]) -> Self {
        let origin = report.fences.iter().map(start_ns).fold(report.begin_ns, u64::min);
        let at = |ns: u64| ns.saturating_sub(origin);
        let mut names = Names::default();
        let mut tracks = Tracks::new(report, &mut names);
        let ids = Ids::new(&report.fences);
        let mut data = Self {
            title,
            headline: Headline::of(report),
            origin: origin.to_string(),
            begin: at(report.begin_ns),
            last: at(report.last_ns),
            end: at(report.end_ns.max(report.last_ns)),
            events: report.events,
            lost: report.lost,
            malformed: report.malformed,
            malformed_lines: &report.malformed_lines,
            notes: warnings.iter().chain(&report.notes).collect(),
            verdicts: VERDICTS,
            names: Vec::new(),
            tasks: Vec::new(),
            tracks: Vec::new(),
            fences: Columns::default(),
            waits: Vec::new(),
            asks: Vec::new(),
            blames: Vec::new(),
            jobs: Vec::new(),
        };
        for (index, fence) in (0..).zip(&report.fences) {
            let columns = &mut data.fences;
            let driver = names.of(&fence.driver);
            let timeline = names.of(&fence.timeline);
            columns.track.push(tracks.of(fence, driver, timeline));
            columns.context.push(fence.context);
            columns.seqno.push(fence.seqno);
            columns.driver.push(driver);
            columns.timeline.push(timeline);
            columns.verdict.push(fence.verdict as u8);
            columns.flags.push(
                u8::from(fence.root) | u8::from(fence.certain) << 1 | u8::from(fence.outlier) << 2,
            );
            columns.start.push(at(start_ns(fence)));
            columns.age.push(fence.age_ns);
            columns.init.push(fence.init_ns.map(at));
            columns.emit.push(fence.emit_ns.map(at));
            columns.signaled.push(fence.signaled_ns.map(at));
            columns.destroyed.push(fence.destroyed_ns.map(at));
            columns.abandoned.push(fence.abandoned_ns.map(at));
            columns.error.push(fence.error);
            columns.late.push(fence.late_ns);
            let made_by = fence.made_by.as_ref();
            columns.made_by.push(made_by.map(|task| names.task(&task.comm, task.pid)));
            let signaled_by = fence.signaled_by.as_ref();
            columns.signaled_by.push(signaled_by.map(|task| names.task(&task.comm, task.pid)));
            for waiter in &fence.waiters {
                let task = names.task(&waiter.comm, waiter.pid);
                let (since, waited) = (at(waiter.since_ns), waiter.waited_ns);
                data.waits.push((index, task, since, waited, waiter.open));
            }
            for asker in &fence.asked_by {
                data.asks.push((index, names.task(&asker.comm, asker.pid), at(asker.at_ns)));
            }
            for blame in &fence.blamed_on {
                let FenceId { context, seqno } = blame.fence;
                let other = ids.of(blame.fence, fence);
                data.blames.push((index, other, context, seqno, blame.because));
            }
            if let Some(job) = &fence.job {
                data.jobs.push(Job {
                    fence: index,
                    device: names.of(&job.device),
                    ring: names.of(&job.ring),
                    queued: job.queued_ns.map(at),
                    run: job.run_ns.map(at),
                    done: job.done_ns.map(at),
                    hardware: job.hardware.map(|id| (ids.of(id, fence), id.context, id.seqno)),
                });
            }
        }
        data.names = names.all;
        data.tasks = names.tasks;
        data.tracks = tracks.all;
        data
    }
}

/// Where its bar begins. A fence that was there before the trace was is first known some time before it signaled.
fn start_ns(fence: &Fence) -> u64 {
    let first_known = || {
        let known = fence.signaled_ns.or(fence.destroyed_ns).or(fence.abandoned_ns);
        let waits = fence.waiters.iter().map(|waiter| waiter.since_ns + waiter.waited_ns);
        known.or(waits.max()).unwrap_or(fence.age_ns).saturating_sub(fence.age_ns)
    };
    fence.emit_ns.or(fence.init_ns).unwrap_or_else(first_known)
}

#[derive(Default)]
struct Names<'a> {
    all: Vec<&'a str>,
    index: HashMap<&'a str, u32>,
    tasks: Vec<(u32, Option<u32>)>,
    task_index: HashMap<(u32, Option<u32>), u32>,
}

impl<'a> Names<'a> {
    fn of(&mut self, name: &'a str) -> u32 {
        *self.index.entry(name).or_insert_with(|| push(&mut self.all, name))
    }

    fn task(&mut self, comm: &'a str, pid: Option<u32>) -> u32 {
        let task = (self.of(comm), pid);
        *self.task_index.entry(task).or_insert_with(|| push(&mut self.tasks, task))
    }
}

fn push<T>(to: &mut Vec<T>, item: T) -> u32 {
    to.push(item);
    u32::try_from(to.len() - 1).expect("fewer than 2³² names, tasks and tracks")
}

/// Which track a fence is on: its context's, else that of its names.
struct Tracks {
    all: Vec<Track>,
    of_context: HashMap<u32, u32>,
    of_names: HashMap<(u32, u32), u32>,
}

impl Tracks {
    fn new<'a>(report: &'a Report, names: &mut Names<'a>) -> Self {
        let mut tracks =
            Self { all: Vec::new(), of_context: HashMap::new(), of_names: HashMap::new() };
        for timeline in &report.timelines {
            let track = Track {
                driver: names.of(&timeline.driver),
                timeline: names.of(&timeline.timeline),
                context: timeline.context,
                p50: timeline.p50_ns,
                p99: timeline.p99_ns,
                max: timeline.max_ns,
            };
            let key = (track.driver, track.timeline);
            let index = push(&mut tracks.all, track);
            match timeline.context {
                Some(context) => tracks.of_context.entry(context).or_insert(index),
                None => tracks.of_names.entry(key).or_insert(index),
            };
        }
        tracks
    }

    fn of(&mut self, fence: &Fence, driver: u32, timeline: u32) -> u32 {
        if let Some(&track) = self.of_context.get(&fence.context) {
            return track;
        }
        *self.of_names.entry((driver, timeline)).or_insert_with(|| {
            let track = Track { driver, timeline, context: None, p50: None, p99: None, max: None };
            push(&mut self.all, track)
        })
    }
}

/// Finds fences by name. A name can be used again, when a number has wrapped.
struct Ids(Vec<(FenceId, u64, u32)>);

impl Ids {
    fn new(fences: &[Fence]) -> Self {
        let mut ids: Vec<_> =
            (0..).zip(fences).map(|(index, f)| (id(f), start_ns(f), index)).collect();
        ids.sort_unstable();
        Self(ids)
    }

    /// The latest of this name that was there when `by` ended, else the earliest.
    fn of(&self, wanted: FenceId, by: &Fence) -> Option<u32> {
        let until = start_ns(by).saturating_add(by.age_ns);
        let first = self.0.partition_point(|&(id, ..)| id < wanted);
        let after = self.0.partition_point(|&(id, start, _)| (id, start) <= (wanted, until));
        let &(id, _, index) = self.0.get(first.max(after.saturating_sub(1)))?;
        (id == wanted).then_some(index)
    }
}

fn id(fence: &Fence) -> FenceId {
    FenceId { context: fence.context, seqno: fence.seqno }
}
