//! Who is to blame for a stuck or late fence, and who suffers.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};

use dma_fence_trace::culprits::{Culprit, Victim};
use dma_fence_trace::report::{Fence, Timeline, Verdict};
use dma_fence_trace::words::{Duration, Time};

use super::{BAD, DOUBTFUL, QUIET, Text, more};
use crate::analyze::names::{name, task, thread, track_of};

impl Text<'_> {
    /// One sentence: where to look.
    pub(super) fn blame(&self, culprit: &Culprit<'_>) -> String {
        let fence = culprit.first();
        let what = match (fence.verdict, fence.abandoned_ns) {
            (_, Some(_)) => "lost its producer".into(),
            (Verdict::Late, _) => format!("took {}", Duration(fence.age_ns)),
            _ => format!("has been pending for {}", Duration(fence.age_ns)),
        };
        let timeline = name(&fence.timeline);
        let to_blame = match (&*fence.driver, culprit.driver) {
            ("", _) if fence.timeline.is_empty() => "a driver whose name was not seen".into(),
            ("drm_sched", Some(driver)) => {
                format!("driver {} (it has a ring of this name), ring {timeline}", name(driver))
            }
            ("drm_sched", None) => format!("the driver of ring {timeline} (the GPU scheduler's)"),
            ("", _) => format!("a driver without a name, timeline {timeline}"),
            (driver, _) => format!("driver {}, timeline {timeline}", name(driver)),
        };
        let device = culprit.device().map(|device| format!(" (device {})", name(device)));
        let waiting = match (culprit.victims.len(), fence.verdict) {
            (0, _) => String::new(),
            (1, Verdict::Late) => ", and 1 fence waited for it".into(),
            (more, Verdict::Late) => format!(", and {more} fences waited for it"),
            (1, _) => ", and 1 fence waits for it".into(),
            (more, _) => format!(", and {more} fences wait for it"),
        };
        format!("{to_blame}{}: fence {} {what}{waiting}.", device.unwrap_or_default(), fence.id())
    }

    /// One of those that are stuck.
    pub(super) fn culprit(
        &self,
        f: &mut Formatter<'_>,
        number: usize,
        culprit: &Culprit<'_>,
    ) -> fmt::Result {
        let first = culprit.first();
        let (style, verdict) = match first.verdict {
            Verdict::Never => (BAD, "never signaled"),
            Verdict::Lost => (BAD, "lost its producer"),
            _ => (DOUBTFUL, "pending at the end"),
        };
        writeln!(f, "\n{style}{number}. {}: {verdict}{style:#}", track_of(first))?;
        // Where some are stuck, those that are in work tell nothing.
        let is_stuck = culprit.is_stuck();
        let tells = |fence: &&&Fence| fence.is_stuck() || !is_stuck;
        let roots: Vec<_> = culprit.roots.iter().filter(tells).collect();
        for fence in roots.iter().take(self.most) {
            root(f, fence)?;
        }
        more(f, roots.len(), self.most, "fences of this timeline")?;
        self.last_sign_of_life(f, first)?;
        self.waiters(f, culprit)?;
        let victims: Vec<_> =
            culprit.victims.iter().filter(|victim| tells(&&victim.fence)).collect();
        if !victims.is_empty() {
            writeln!(f, "  fences that wait for it:")?;
        }
        for victim in victims.iter().take(self.most) {
            self.victim(f, victim)?;
        }
        more(f, victims.len(), self.most, "fences that wait for it")
    }

    fn timeline(&self, fence: &Fence) -> Option<&Timeline> {
        self.report.timelines.iter().find(|timeline| timeline.has(fence))
    }

    /// Whether the rest of the timeline lives.
    fn last_sign_of_life(&self, f: &mut Formatter<'_>, fence: &Fence) -> fmt::Result {
        let Some(timeline) = self.timeline(fence) else { return Ok(()) };
        if let Some(usual) = timeline.p50_ns {
            let (usual, count) = (Duration(usual), timeline.signaled);
            writeln!(f, "  fences here usually take {usual} ({count} signaled)")?;
        }
        let Some(last) = timeline.last.as_ref().filter(|last| last.event != "init") else {
            return writeln!(f, "  no fence of this timeline has signaled in this trace");
        };
        let ago = Duration(self.report.end_ns.saturating_sub(last.at_ns));
        let (event, who) = (&last.event, thread(&last.comm, last.pid));
        writeln!(f, "  last sign of life: {} {event}, {ago} before the end, by {who}", last.fence)
    }

    fn waiters(&self, f: &mut Formatter<'_>, culprit: &Culprit<'_>) -> fmt::Result {
        let lines = waits(culprit);
        if lines.is_empty() {
            return writeln!(
                f,
                "  no waiter seen {QUIET}(polls by user space leave no event: somebody may wait all the same){QUIET:#}"
            );
        }
        writeln!(f, "  who waits:")?;
        for line in lines.iter().take(self.most) {
            writeln!(f, "    {line}")?;
        }
        more(f, lines.len(), self.most, "waiters")
    }

    /// `1:21 vkms/CRTC:45 → 3:21 sw_sync/ring`, and why.
    fn victim(&self, f: &mut Formatter<'_>, victim: &Victim<'_>) -> fmt::Result {
        let mut line = format!("    {}", self.fence(victim.fence));
        for blame in &victim.chain {
            let next = self.culprits.get(blame.fence).map(track_of).unwrap_or_default();
            line += &format!(" → {next} {}", blame.fence);
        }
        if victim.chain.last().is_none_or(|last| last.fence != victim.root.id()) {
            line += &format!(" → … → {}", self.fence(victim.root));
        }
        writeln!(f, "{line}")?;
        let made = victim.fence.made_by.as_ref().map(|by| format!("made by {}; ", task(by)));
        let why = victim.chain.first().map_or("", |blame| blame.because.why());
        writeln!(f, "      {QUIET}{}{why}{QUIET:#}", made.unwrap_or_default())
    }

    /// One of those that were late.
    pub(super) fn late(&self, f: &mut Formatter<'_>, culprit: &Culprit<'_>) -> fmt::Result {
        let first = culprit.first();
        write!(f, "  {DOUBTFUL}{}{DOUBTFUL:#}", track_of(first))?;
        match self.timeline(first).and_then(|timeline| timeline.p50_ns) {
            Some(usual) => writeln!(f, ", usually {}", Duration(usual))?,
            None => writeln!(f)?,
        }
        for fence in culprit.roots.iter().take(self.most) {
            late_root(f, fence)?;
        }
        more(f, culprit.roots.len(), self.most, "fences of this timeline")?;
        for victim in culprit.victims.iter().take(self.most) {
            let took = Duration(victim.fence.age_ns);
            let Some(blame) = victim.chain.first() else { continue };
            let (on, why) = (blame.fence, blame.because.why());
            let fence = self.fence(victim.fence);
            writeln!(f, "    {fence} took {took} because of {on} {QUIET}({why}){QUIET:#}")?;
        }
        more(f, culprit.victims.len(), self.most, "fences that waited for it")
    }
}

/// Who waits, the longest first; then who asked, and who gave up.
fn waits(culprit: &Culprit<'_>) -> Vec<String> {
    let with_fence = |fence: &'_ Fence| (fence.id(), fence.waiters.clone());
    let all: Vec<_> = culprit.fences().map(with_fence).collect();
    let all = all.iter().flat_map(|(id, waiters)| waiters.iter().map(move |waiter| (id, waiter)));
    let (mut open, ended): (Vec<_>, Vec<_>) = all.partition(|(_, waiter)| waiter.open);
    open.sort_by_key(|(_, waiter)| !waiter.waited_ns);
    let open = open.into_iter().map(|(id, waiter)| {
        let who = thread(&waiter.comm, waiter.pid);
        format!("{who} has waited {} for {id}", Duration(waiter.waited_ns))
    });
    let asked = culprit.fences().flat_map(|fence| {
        let id = fence.id();
        fence.asked_by.iter().map(move |asker| {
            let who = thread(&asker.comm, asker.pid);
            format!("{who} asked to be told of {id}, at {}", Time(asker.at_ns))
        })
    });
    // The same thread may try again and again.
    let mut tries: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for (id, waiter) in ended {
        let (times, waited) = tries.entry((id, waiter.pid, &waiter.comm)).or_default();
        *times += 1;
        *waited += waiter.waited_ns;
    }
    let tries = tries.into_iter().map(|((id, pid, comm), (times, waited))| {
        let (who, waited) = (thread(comm, pid), Duration(waited));
        match times {
            1 => format!("{who} gave up waiting for {id} after {waited}"),
            _ => format!("{who} gave up waiting for {id} {times} times, after {waited} in all"),
        }
    });
    open.chain(tries).chain(asked).collect()
}

fn root(f: &mut Formatter<'_>, fence: &Fence) -> fmt::Result {
    let age = Duration(fence.age_ns);
    let begin = match fence.emit_ns.or(fence.init_ns) {
        Some(at) => format!("since {}", Time(at)),
        None => "at least: it was made before the trace began".into(),
    };
    let made = fence.made_by.as_ref().map(|by| format!(", made by {}", task(by)));
    let lost = fence.abandoned_ns.map(|at| format!("; its producer was lost at {}", Time(at)));
    writeln!(
        f,
        "  fence {}: {} for {age}, {begin}{}{}",
        fence.id(),
        if fence.is_pending() { "pending" } else { "was pending" },
        made.unwrap_or_default(),
        lost.unwrap_or_default()
    )?;
    let Some(job) = &fence.job else { return Ok(()) };
    let stage = match (job.run_ns, job.done_ns) {
        (_, Some(at)) => format!("the device was done with it at {}", Time(at)),
        (Some(at), _) => {
            format!("given to the device at {}, which never said it was done", Time(at))
        }
        _ => "never given to the device".into(),
    };
    let device = if job.device.is_empty() { "" } else { " of " };
    writeln!(f, "    a job of ring {}{device}{}, {stage}", name(&job.ring), name(&job.device))
}

fn late_root(f: &mut Formatter<'_>, fence: &Fence) -> fmt::Result {
    let over = Duration(fence.late_ns.unwrap_or(0));
    let outlier = if fence.outlier { ", for its timeline" } else { "" };
    let by = fence.signaled_by.as_ref().map(|by| format!(" by {}", task(by)));
    let at = fence.signaled_ns.map(|at| format!(" at {}", Time(at)));
    writeln!(
        f,
        "    fence {} took {} ({over} too long{outlier}): signaled{}{}",
        fence.id(),
        Duration(fence.age_ns),
        by.unwrap_or_default(),
        at.unwrap_or_default()
    )?;
    for waiter in fence.waiters.iter().take(3) {
        let who = thread(&waiter.comm, waiter.pid);
        writeln!(f, "      {who} waited {} for it", Duration(waiter.waited_ns))?;
    }
    Ok(())
}
