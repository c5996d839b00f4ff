//! What is known of a fence, in plain words.

use std::collections::HashSet;

use dma_fence_trace::FenceId;
use dma_fence_trace::report::{Because, Fence, Job, Report, Timeline, Verdict};

use super::text::{duration, task};
use crate::shown::fit;

/// How wide a name may get in a sentence.
const NAME: usize = 40;
/// How many of a kind are told one by one.
const SOME: usize = 4;
/// How many lines a chain of blame has at most.
const LINKS: usize = 24;

pub(super) fn because_short(because: Because) -> &'static str {
    match because {
        Because::Dependency => "dependency",
        Because::Display => "display",
        Because::Member => "member",
        Because::Queue => "queue",
        Because::Hardware => "hardware",
    }
}

/// The fence, why it is pending, who waits, and what else hangs on it.
pub(super) fn fence(report: &Report, fence: &Fence) -> Vec<String> {
    let mut lines = vec![format!("{} {}.", name(fence), state(fence))];
    if !fence.certain {
        lines.push("That is not certain: events are missing.".into());
    }
    chain(report, fence, &mut lines);
    lines.push(waiters(fence));
    lines.extend(askers(fence));
    lines.extend(behind(report, fence));
    if let Some(job) = &fence.job {
        lines.push(self::job(job));
    }
    lines.push(made(report, fence));
    lines
}

/// Why it waits, link by link, down to the reason.
fn chain(report: &Report, fence: &Fence, lines: &mut Vec<String>) {
    if fence.blamed_on.is_empty() && fence.is_stuck() {
        lines.push("It waits for no other fence that is known of: it is the reason itself.".into());
    }
    // The fence that waits, the one that it waits for, and how deep that is.
    let mut open: Vec<(&Fence, _, usize)> = Vec::new();
    let mut told = HashSet::from([fence.id()]);
    open.extend(fence.blamed_on.iter().rev().map(|blame| (fence, *blame, 0)));
    let end = lines.len() + LINKS;
    while let Some((from, blame, depth)) = open.pop() {
        let why = blame.because.why();
        let indent = "  ".repeat(depth);
        if lines.len() == end {
            lines.push(format!("{indent}and so on"));
            return;
        }
        let Some(other) = find(report, blame.fence) else {
            let known =
                format!("{} waits for {}, of which no more is known", from.id(), blame.fence);
            lines.push(format!("{indent}{known} ({why})."));
            continue;
        };
        let state = state(other);
        lines.push(format!(
            "{indent}{} waits for {}, which {state} ({why}).",
            from.id(),
            name(other)
        ));
        if !told.insert(blame.fence) {
            continue;
        }
        if other.blamed_on.is_empty() && other.is_stuck() {
            lines.push(format!("{indent}  {} waits for no other: it is the reason.", other.id()));
        }
        open.extend(other.blamed_on.iter().rev().map(|blame| (other, *blame, depth + 1)));
    }
}

fn find(report: &Report, wanted: FenceId) -> Option<&Fence> {
    let found = report.fences.iter().filter(|fence| fence.id() == wanted);
    // Of those with the same number, the one that is pending now.
    found.max_by_key(|fence| (fence.is_pending(), fence.init_ns))
}

fn name(fence: &Fence) -> String {
    let short = |text: &str| fit(text, NAME);
    format!("{} of {} {}", fence.id(), short(&fence.driver), short(&fence.timeline))
}

fn state(fence: &Fence) -> String {
    let age = duration(fence.age_ns);
    match fence.verdict {
        Verdict::Never => format!("is stuck: pending for {age}"),
        Verdict::PendingAtEnd => format!("is pending for {age}"),
        Verdict::Lost => "has lost its producer: nobody will signal it".into(),
        Verdict::Late => format!("signaled late, after {age}"),
        Verdict::Unobserved => "was destroyed unsignaled".into(),
        Verdict::Ok => format!("signaled after {age}"),
    }
}

fn waiters(fence: &Fence) -> String {
    let mut open: Vec<_> = fence.waiters.iter().filter(|waiter| waiter.open).collect();
    open.sort_by_key(|waiter| std::cmp::Reverse(waiter.waited_ns));
    let each = open.iter().take(SOME).map(|waiter| {
        let who = fit(&task(&waiter.comm, waiter.pid), NAME);
        format!("{who} for {}", duration(waiter.waited_ns))
    });
    let each: Vec<String> = each.collect();
    match open.len() {
        0 => "Nobody waits for it in the kernel.".into(),
        count => format!("In the kernel wait: {}.", listed(&each, count)),
    }
}

fn askers(fence: &Fence) -> Option<String> {
    let each = fence.asked_by.iter().take(SOME);
    let each: Vec<String> = each.map(|asker| fit(&task(&asker.comm, asker.pid), NAME)).collect();
    let count = fence.asked_by.len();
    (count > 0).then(|| format!("Asked to be told: {}.", listed(&each, count)))
}

/// What else is pending because of it.
fn behind(report: &Report, fence: &Fence) -> Option<String> {
    let this = fence.id();
    let blames = |other: &&Fence| {
        other.is_pending() && other.blamed_on.iter().any(|blame| blame.fence == this)
    };
    let count = report.fences.iter().filter(blames).count();
    let each: Vec<String> = report.fences.iter().filter(blames).take(SOME).map(name).collect();
    (count > 0).then(|| format!("Behind it: {}.", listed(&each, count)))
}

fn job(job: &Job) -> String {
    let done = match (job.done_ns, job.run_ns, job.queued_ns) {
        (Some(_), _, _) => "the device is done with",
        (None, Some(_), _) => "the device has, and is not done with",
        (None, None, Some(_)) => "was queued, and did not get to the device",
        (None, None, None) => "was not seen to be queued",
    };
    let ring = fit(&job.ring, NAME);
    format!("It ends a job of ring {ring}, which {done}.")
}

fn made(report: &Report, fence: &Fence) -> String {
    let Some(at) = fence.init_ns else { return "It was made before the trace began.".into() };
    let ago = duration(report.end_ns.saturating_sub(at));
    match &fence.made_by {
        Some(by) => format!("Made {ago} ago by {}.", fit(&task(&by.comm, by.pid), NAME)),
        None => format!("Made {ago} ago."),
    }
}

/// What is known of a timeline.
pub(super) fn timeline(report: &Report, timeline: &Timeline) -> Vec<String> {
    let name = super::timelines::name(timeline);
    let counts = format!(
        "{} {}: {} fences, {} signaled, {} pending.",
        fit(&timeline.driver, NAME),
        fit(&name, NAME),
        timeline.fences,
        timeline.signaled,
        timeline.pending
    );
    let mut lines = vec![counts];
    if let Some(max) = timeline.max_ns {
        lines.push(format!("The slowest took {}.", duration(max)));
    }
    if let (waits @ 1.., Some(max)) = (timeline.waits, timeline.wait_max_ns) {
        lines.push(format!(
            "{waits} waits by the kernel have ended, the longest after {}.",
            duration(max)
        ));
    }
    if let Some(last) = &timeline.last {
        let ago = duration(report.end_ns.saturating_sub(last.at_ns));
        let by = fit(&task(&last.comm, last.pid), NAME);
        let event = fit(&last.event, NAME);
        lines.push(format!("Last sign of life: {event} of {} {ago} ago, by {by}.", last.fence));
    }
    lines
}

/// Some of `count`, and how many are not told.
fn listed(some: &[String], count: usize) -> String {
    let all = some.join(", ");
    if count > some.len() { format!("{all} and {} more", count - some.len()) } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::{self, frozen, waiter};
    use dma_fence_trace::report::Blame;

    fn told(report: &Report, context: u32) -> String {
        let found = report.fences.iter().find(|fence| fence.context == context).unwrap();
        fence(report, found).join("\n")
    }

    #[test]
    fn the_chain_of_blame_ends_with_the_reason() {
        let text = told(&frozen(), 2);
        let expected = "\
2:9 of vkms CRTC:34-crtc-0 is stuck: pending for 42.0 s.
2:9 waits for 7:3 of sw_sync ring-stuck, which is stuck: pending for 40.0 s (the display waits for it to show the picture).
  7:3 waits for no other: it is the reason.
In the kernel wait: compositor-52 for 41.0 s.
Made 42.0 s ago by game-77.";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_reason_tells_what_hangs_on_it() {
        let text = told(&frozen(), 7);
        for line in
            ["it is the reason itself", "kworker/u4:1-31 for 40.0 s", "Behind it: 2:9 of vkms"]
        {
            assert!(text.contains(line), "{text}");
        }
        assert!(told(&frozen(), 5).contains("Nobody waits"));
    }

    #[test]
    fn a_circle_of_blame_ends() {
        let mut report = frozen();
        let to_display = Blame { fence: sample::id(2, 9), because: Because::Member };
        report.fences[2].blamed_on = vec![to_display];
        let text = told(&report, 2);
        for link in ["2:9 waits for 7:3", "7:3 waits for 2:9"] {
            assert_eq!(text.matches(link).count(), 1, "there and back:\n{text}");
        }
        report.fences[2].blamed_on = vec![to_display; 100];
        assert!(told(&report, 2).lines().count() < LINKS + 10);
        let unknown = Blame { fence: sample::id(9, 9), because: Because::Dependency };
        report.fences[0].blamed_on = vec![unknown];
        assert!(told(&report, 5).contains("5:100 waits for 9:9, of which no more is known"));
    }

    #[test]
    fn a_crowd_is_counted() {
        let mut report = frozen();
        report.fences[2].waiters = (0..9).map(|n| waiter("w", n, u64::from(n))).collect();
        assert!(
            told(&report, 7)
                .contains("w-8 for 8.0 s, w-7 for 7.0 s, w-6 for 6.0 s, w-5 for 5.0 s and 5 more")
        );
    }

    #[test]
    fn a_timeline_tells_its_last_sign_of_life() {
        let report = frozen();
        let text = timeline(&report, &report.timelines[0]).join("\n");
        assert!(text.contains("gpu gfx [5]: 100 fences, 99 signaled, 1 pending."), "{text}");
        assert!(text.contains("Last sign of life: init of 5:100 1.0 s ago, by game-77."), "{text}");
    }
}
