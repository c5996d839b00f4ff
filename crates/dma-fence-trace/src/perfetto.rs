//! A report as a trace for <https://ui.perfetto.dev>: one track per timeline, one per thread that waits.
//!
//! Two processes, which do not exist, hold them. `fences` has a slice per fence, and in it what the
//! scheduler did with its job; `waiters` has a slice per wait. Arrows lead from a fence to those who waited
//! for it, and to a mark in the fences that it is blamed for. What never signaled has a track of its own
//! beside its timeline's, which nobody overlooks, and goes on to the end of tracing; so do waits that have
//! no end.
//!
//! A report has what was asked for: without all fences, those that are fine are missing here too.

mod events;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::io;

pub use events::{Flow, Slice, Writer};
use serde::Serialize;

use crate::event::FenceId;
use crate::report::{Because, Blame, Fence, Report, Task, Timeline, Verdict, Waiter};

const FENCES: u32 = 1;
const WAITERS: u32 = 2;
/// A track with the number of its process would be the process's main thread.
const FIRST_TRACK: u64 = 10;

/// Writes a report as a trace.
///
/// It is written in many small pieces: let `to` be buffered.
///
/// # Errors
///
/// What `to` fails with.
pub fn write(report: &Report, to: impl io::Write) -> io::Result<()> {
    let mut drawing = Drawing::new(report, to)?;
    for number in 0..report.fences.len() {
        drawing.fence(number)?;
    }
    // Now all arrows have begun.
    for number in 0..report.fences.len() {
        drawing.blames(number)?;
        drawing.waits(number)?;
    }
    drawing.writer.finish()?;
    Ok(())
}

struct Drawing<'a, W> {
    writer: Writer<W>,
    report: &'a Report,
    /// Those that have one of their own.
    timelines: HashMap<u32, &'a Timeline>,
    tracks: HashMap<(u32, String), u64>,
    /// Where the fences are that arrows begin at. A number can be used again.
    sources: HashMap<FenceId, Vec<usize>>,
    waits: u64,
}

impl<'a, W: io::Write> Drawing<'a, W> {
    fn new(report: &'a Report, to: W) -> io::Result<Self> {
        let mut writer = Writer::new(to)?;
        writer.process(FENCES, "fences")?;
        writer.process(WAITERS, "waiters")?;
        let own = |timeline: &'a Timeline| Some((timeline.context?, timeline));
        let timelines = report.timelines.iter().filter_map(own).collect();
        let blamed: HashSet<FenceId> =
            report.fences.iter().flat_map(|fence| &fence.blamed_on).map(|on| on.fence).collect();
        let mut sources = HashMap::<_, Vec<_>>::new();
        for (number, fence) in report.fences.iter().enumerate() {
            if blamed.contains(&fence.id()) || !fence.waiters.is_empty() {
                sources.entry(fence.id()).or_default().push(number);
            }
        }
        Ok(Self { writer, report, timelines, tracks: HashMap::new(), sources, waits: 0 })
    }

    fn fence(&mut self, number: usize) -> io::Result<()> {
        let fence = &self.report.fences[number];
        let (begin, end) = fence.life(self.report.end_ns);
        let timeline = self.timeline(fence);
        let tid = self.track(FENCES, &timeline)?;
        let name = match fence.verdict {
            Verdict::Never => format!("never signaled: {timeline}"),
            Verdict::Lost => format!("lost: {timeline}"),
            _ => timeline,
        };
        let id = number.to_string();
        let slice = Slice { category: "fence", name: &name, pid: FENCES, tid, id: &id };
        // They are in order.
        let is_source = |numbers: &Vec<usize>| numbers.binary_search(&number).is_ok();
        let is_source = self.sources.get(&fence.id()).is_some_and(is_source);
        let flow = if is_source { Flow::Out(flow(number)) } else { Flow::None };
        self.writer.begin(slice, begin, flow, &FenceArgs::of(fence))?;
        self.job(fence, slice, begin..=end)?;
        self.writer.end(slice, end)
    }

    /// What the scheduler did, one after the other.
    fn job(
        &mut self,
        fence: &Fence,
        within: Slice<'_>,
        life: std::ops::RangeInclusive<u64>,
    ) -> io::Result<()> {
        let Some(job) = &fence.job else { return Ok(()) };
        let (begin, end) = life.into_inner();
        let done = job.done_ns.unwrap_or(end).clamp(begin, end);
        let run = job.run_ns.map(|run| run.clamp(begin, done));
        let queued = job.queued_ns.map(|queued| queued.clamp(begin, run.unwrap_or(done)));
        let queued = queued.map(|queued| ("queued", queued, run.unwrap_or(done)));
        let run = run.map(|run| ("on the device", run, done));
        for (name, begin, end) in [queued, run].into_iter().flatten() {
            let slice = Slice { name, ..within };
            self.writer.begin(slice, begin, Flow::None, &RingArgs { ring: &job.ring })?;
            self.writer.end(slice, end)?;
        }
        Ok(())
    }

    /// A mark for each fence that this one is blamed on, as soon as both are there.
    fn blames(&mut self, number: usize) -> io::Result<()> {
        let fence = &self.report.fences[number];
        if fence.blamed_on.is_empty() {
            return Ok(());
        }
        let (begin, end) = fence.life(self.report.end_ns);
        let tid = self.track(FENCES, &self.timeline(fence))?;
        let id = number.to_string();
        let slice = Slice { category: "fence", name: "waits for", pid: FENCES, tid, id: &id };
        for blame in &fence.blamed_on {
            let Some((source, began)) = self.source(blame.fence, end) else { continue };
            let args = BlameArgs { fence: blame.fence.to_string(), because: blame.because };
            self.writer.mark(slice, begin.max(began), Flow::In(flow(source)), &args)?;
        }
        Ok(())
    }

    /// The last fence of this name that had begun by then.
    fn source(&self, fence: FenceId, by: u64) -> Option<(usize, u64)> {
        let began =
            |&number: &usize| (number, self.report.fences[number].life(self.report.end_ns).0);
        let numbers = self.sources.get(&fence)?.iter().map(began);
        numbers.filter(|(_, began)| *began <= by).max_by_key(|(_, began)| *began)
    }

    fn waits(&mut self, number: usize) -> io::Result<()> {
        let fence = &self.report.fences[number];
        let began = fence.life(self.report.end_ns).0;
        for waiter in &fence.waiters {
            let thread = thread(&waiter.comm, waiter.pid);
            let tid = self.track(WAITERS, &thread)?;
            let name = if waiter.open { format!("still waiting: {thread}") } else { thread };
            let id = self.waits.to_string();
            self.waits += 1;
            let slice = Slice { category: "wait", name: &name, pid: WAITERS, tid, id: &id };
            let flow = if began <= waiter.since_ns { Flow::In(flow(number)) } else { Flow::None };
            let timeline = self.timeline(fence);
            let args = WaitArgs { fence: fence.id().to_string(), timeline, waiter };
            self.writer.begin(slice, waiter.since_ns, flow, &args)?;
            self.writer.end(slice, waiter.since_ns.saturating_add(waiter.waited_ns))?;
        }
        Ok(())
    }

    /// What its timeline is called: several have the same names, and differ in their context.
    fn timeline(&self, fence: &Fence) -> String {
        match self.timelines.get(&fence.context) {
            Some(known) => {
                format!("{} {}", names(&known.driver, &known.timeline), fence.context)
            }
            // Gathered by name.
            None => names(&fence.driver, &fence.timeline),
        }
    }

    /// The number of a track, which is named when it is first asked for.
    fn track(&mut self, process: u32, name: &str) -> io::Result<u64> {
        let next = FIRST_TRACK + self.tracks.len() as u64;
        let track = *self.tracks.entry((process, name.to_owned())).or_insert(next);
        if track == next {
            self.writer.thread(process, track, name)?;
        }
        Ok(track)
    }
}

impl Fence {
    /// From where it is drawn to where.
    fn life(&self, end_of_tracing: u64) -> (u64, u64) {
        let end = self.signaled_ns.or(self.abandoned_ns).or(self.destroyed_ns);
        let end = end.unwrap_or(end_of_tracing);
        let first_seen = || end.saturating_sub(self.age_ns);
        let begin = self.emit_ns.or(self.init_ns).unwrap_or_else(first_seen);
        // A job is queued before its fence is emitted. And events of several CPUs can be out of order.
        let queued = self.job.as_ref().and_then(|job| job.queued_ns).unwrap_or(begin);
        (begin.min(queued).min(end), end)
    }
}

/// The number of the arrows from a fence.
fn flow(number: usize) -> u64 {
    number as u64 + 1
}

fn names(driver: &str, timeline: &str) -> String {
    match (driver, timeline) {
        ("", "") => "without a name".to_owned(),
        ("", name) | (name, "") => name.to_owned(),
        (driver, timeline) => format!("{driver}/{timeline}"),
    }
}

fn thread(comm: &str, pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("{comm}-{pid}"),
        None if comm.is_empty() => names("", ""),
        None => comm.to_owned(),
    }
}

/// What is seen of a fence when one clicks on it.
#[derive(Serialize)]
struct FenceArgs<'a> {
    fence: String,
    driver: &'a str,
    timeline: &'a str,
    verdict: Verdict,
    root: bool,
    certain: bool,
    age_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<&'a Task>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signaled_by: Option<&'a Task>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blamed_on: Vec<BlameArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobArgs<'a>>,
}

#[derive(Serialize)]
struct BlameArgs {
    fence: String,
    because: Because,
}

#[derive(Serialize)]
struct JobArgs<'a> {
    device: &'a str,
    ring: &'a str,
    hardware: Option<String>,
}

#[derive(Serialize)]
struct RingArgs<'a> {
    ring: &'a str,
}

#[derive(Serialize)]
struct WaitArgs<'a> {
    fence: String,
    timeline: String,
    #[serde(flatten)]
    waiter: &'a Waiter,
}

impl<'a> FenceArgs<'a> {
    fn of(fence: &'a Fence) -> Self {
        let blame =
            |blame: &Blame| BlameArgs { fence: blame.fence.to_string(), because: blame.because };
        Self {
            fence: fence.id().to_string(),
            driver: &fence.driver,
            timeline: &fence.timeline,
            verdict: fence.verdict,
            root: fence.root,
            certain: fence.certain,
            age_ns: fence.age_ns,
            late_ns: fence.late_ns,
            error: fence.error,
            made_by: fence.made_by.as_ref(),
            signaled_by: fence.signaled_by.as_ref(),
            blamed_on: fence.blamed_on.iter().map(blame).collect(),
            job: fence.job.as_ref().map(|job| JobArgs {
                device: &job.device,
                ring: &job.ring,
                hardware: job.hardware.map(|fence| fence.to_string()),
            }),
        }
    }
}
