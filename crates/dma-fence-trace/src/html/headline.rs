//! The verdict in plain words, for those who never heard of fences.

use std::collections::HashMap;
use std::fmt::{self, Write};

use serde::Serialize;

use crate::culprits::{Culprit, Culprits, Doubt};
use crate::event::FenceId;
use crate::report::{Fence, Report, Verdict, Waiter};
use crate::words::Duration;

/// How many names a sentence lists.
const LISTED: usize = 3;

/// Where each fence stands in the report.
type Index = HashMap<FenceId, usize>;

/// What the page says first.
#[derive(Serialize)]
pub(super) struct Headline {
    /// How bad it is; the page's colour.
    mood: Mood,
    /// One short sentence.
    title: String,
    /// More of them.
    words: Vec<Sentence>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mood {
    Stuck,
    Doubtful,
    Fine,
}

/// A sentence, and the fence that it is about.
#[derive(Serialize)]
struct Sentence {
    text: String,
    fence: Option<usize>,
}

impl Headline {
    pub(super) fn of(report: &Report) -> Self {
        let culprits = Culprits::of(report);
        let index = report.fences.iter().enumerate().map(|(index, fence)| (fence.id(), index));
        let index: HashMap<_, _> = index.collect();
        let Culprits { stuck, late, busy, .. } = &culprits;
        let headline = match (stuck.as_slice(), late.as_slice(), busy.as_slice()) {
            ([first, others @ ..], _, _) => Self::stuck(report, first, others, &index),
            ([], [first, others @ ..], _) => Self::late(first, others, &index),
            ([], [], [first, others @ ..]) => Self::stuck(report, first, others, &index),
            ([], [], []) => Self::calm(report, &index),
        };
        headline.with_gaps(report)
    }

    fn stuck(report: &Report, first: &Culprit<'_>, others: &[Culprit<'_>], index: &Index) -> Self {
        let root = first.first();
        let (id, owner, age) = (root.id(), Owner(first), Duration(root.age_ns));
        let (title, text) = match root.verdict {
            Verdict::Lost => (
                format!("Lost: a fence of {owner} lost its producer"),
                format!("Fence {id} of {owner} lived for {age}."),
            ),
            Verdict::Never => (
                format!("Stuck: a fence of {owner} never signaled"),
                format!("Fence {id} of {owner} has been pending for {age}."),
            ),
            _ if first.doubt(report) == Doubt::Usual => (
                format!("Too soon to tell: a fence of {owner} was pending at the end"),
                format!(
                    "Fence {id} of {owner} was pending for {age}, as is usual, when the trace ended."
                ),
            ),
            _ => (
                format!("Stuck, it seems: a fence of {owner} had not signaled at the end"),
                format!(
                    "Fence {id} of {owner} was pending for {age}, not for long, when the trace ended."
                ),
            ),
        };
        let why = match root.root {
            true => "It waits for no other fence: look there first.",
            false => "What keeps it is not clear from the trace.",
        };
        let mut words = vec![Sentence::of(root, format!("{text} {why}"), index)];
        let more = first.roots.len() - 1;
        if more > 0 {
            words.push(Sentence::new(format!("{more} more of this timeline, too.")));
        }
        for culprit in others.iter().take(LISTED - 1) {
            let (root, owner) = (culprit.first(), Owner(culprit));
            let age = Duration(root.age_ns);
            let text = format!("So is {} of {owner}, {age} old, on its own account.", root.id());
            words.push(Sentence::of(root, text, index));
        }
        if others.len() >= LISTED {
            words.push(Sentence::new(format!(
                "{} more timelines like these are below.",
                others.len() + 1 - LISTED
            )));
        }
        words.extend(behind(first, index));
        words.push(Sentence::new(waiting(first)));
        if !root.certain {
            words.push(Sentence::new(
                "This is not certain: events are missing from the trace.".into(),
            ));
        }
        Self { mood: Mood::Stuck, title, words }
    }

    fn late(first: &Culprit<'_>, others: &[Culprit<'_>], index: &Index) -> Self {
        let worst = first.first();
        let (id, owner, took) = (worst.id(), Owner(first), Duration(worst.age_ns));
        let mut text = format!("Fence {id} of {owner} took {took}");
        if let Some(by) = worst.late_ns {
            let _ = write!(text, ", {} longer than it may", Duration(by));
        }
        text.push('.');
        let mut words = vec![Sentence::of(worst, text, index)];
        let late: usize =
            others.iter().chain([first]).map(|culprit| culprit.fences().count()).sum();
        if late > 1 {
            words.push(Sentence::new(format!("{late} fences were late in all.")));
        }
        words.extend(behind(first, index));
        words.push(Sentence::new(waited(first)));
        Self { mood: Mood::Doubtful, title: format!("Late: {owner} took {took}"), words }
    }

    /// Nothing is stuck or late, of what is shown.
    fn calm(report: &Report, index: &Index) -> Self {
        let doubtful = |title: &str, words: Vec<Sentence>| Self {
            mood: Mood::Doubtful,
            title: title.into(),
            words,
        };
        if let Some(first) = report.failed().min_by_key(|fence| fence.signaled_ns) {
            let (count, id) = (Grouped(report.failed().count() as u64), first.id());
            let text = format!("{count} signaled with an error, first {id} of {}.", Track(first));
            return doubtful(
                "Errors, but nothing is stuck or late",
                vec![Sentence::of(first, text, index)],
            );
        }
        match (report.elsewhere(), report.events) {
            (0, 0) => doubtful("No fences in this trace", Vec::new()),
            (0, _) => Self::fine(report),
            (others, _) => doubtful(
                "Nothing of what was asked for is stuck or late",
                vec![Sentence::new(format!("{} other fences are.", Grouped(others)))],
            ),
        }
    }

    fn fine(report: &Report) -> Self {
        let verdicts = &report.verdicts;
        let mut words = Vec::new();
        if verdicts.pending_at_end > 0 {
            words.push(Sentence::new(format!(
                "{} still pending when the trace ended: not for long, and nobody waits in the kernel.",
                Grouped(verdicts.pending_at_end)
            )));
        }
        words.push(Sentence::new(format!("{} signaled in time.", Grouped(verdicts.ok))));
        Self { mood: Mood::Fine, title: "Nothing is stuck".into(), words }
    }

    fn with_gaps(mut self, report: &Report) -> Self {
        if report.lost > 0 {
            let text = format!("{} events are missing from the trace.", Grouped(report.lost));
            self.words.push(Sentence::new(text));
        }
        self
    }
}

impl Sentence {
    fn new(text: String) -> Self {
        Self { text, fence: None }
    }

    fn of(fence: &Fence, text: String, index: &Index) -> Self {
        Self { text, fence: index.get(&fence.id()).copied() }
    }
}

/// What waits for its fences.
fn behind(culprit: &Culprit<'_>, index: &Index) -> Option<Sentence> {
    let first = culprit.victims.first()?.fence;
    let (id, owner) = (first.id(), Track(first));
    let text = match culprit.victims.len() {
        1 => format!("Behind it: fence {id} of {owner}."),
        n => format!("Behind it: {n} fences, the first {id} of {owner}."),
    };
    Some(Sentence::of(first, text, index))
}

fn waiting(culprit: &Culprit<'_>) -> String {
    let waiters = culprit.fences().flat_map(|fence| &fence.waiters);
    let names = tasks(waiters.filter(|waiter| waiter.open));
    match names.is_empty() {
        true => {
            "No thread waits for it inside the kernel; programs that poll leave no trace.".into()
        }
        false => format!("Waiting for it: {names}."),
    }
}

fn waited(culprit: &Culprit<'_>) -> String {
    let names = tasks(culprit.fences().flat_map(|fence| &fence.waiters));
    match names.is_empty() {
        true => "No thread waited for it inside the kernel.".into(),
        false => format!("Kept waiting: {names}."),
    }
}

/// Each thread once, with its longest wait, the longest first.
fn tasks<'a>(waiters: impl Iterator<Item = &'a Waiter>) -> String {
    let mut waiters: Vec<_> = waiters.collect();
    waiters.sort_by_key(|waiter| (waiter.pid, &waiter.comm, u64::MAX - waiter.waited_ns));
    waiters.dedup_by(|a, b| (a.pid, &a.comm) == (b.pid, &b.comm));
    waiters.sort_by_key(|waiter| u64::MAX - waiter.waited_ns);
    let mut text = String::new();
    for (i, waiter) in waiters.iter().take(LISTED).enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{}", waiter.comm);
        if let Some(pid) = waiter.pid {
            let _ = write!(text, " (pid {pid})");
        }
        let _ = write!(text, " for {}", Duration(waiter.waited_ns));
    }
    if waiters.len() > LISTED {
        let _ = write!(text, " and {} more", waiters.len() - LISTED);
    }
    text
}

/// Whom to blame: the driver, its timeline, and its device if that is known.
struct Owner<'a>(&'a Culprit<'a>);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.driver {
            Some(driver) => write!(f, "driver {driver}, ring {}", self.0.first().timeline)?,
            None => Track(self.0.first()).fmt(f)?,
        }
        self.0.device().map_or(Ok(()), |device| write!(f, " (device {device})"))
    }
}

/// The driver and its timeline.
struct Track<'a>(&'a Fence);

impl fmt::Display for Track<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.0.driver, &*self.0.timeline) {
            ("", "") => f.write_str("a driver whose name was not seen"),
            ("", timeline) => write!(f, "timeline {timeline}"),
            (driver, timeline) => write!(f, "driver {driver}, timeline {timeline}"),
        }
    }
}

/// Thousands apart, as the page writes its figures.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{}", self.0);
        }
        write!(f, "{},{:03}", Grouped(self.0 / 1000), self.0 % 1000)
    }
}

#[cfg(test)]
#[test]
fn thousands_are_apart() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (96_000_007, "96,000,007")] {
        assert_eq!(Grouped(number).to_string(), text);
    }
}
