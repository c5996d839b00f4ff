//! The verdict in plain words, for those who never heard of fences.

use std::fmt::{self, Write};

use serde::Serialize;

use crate::report::{Fence, Report, Verdict, Waiter};

/// How many names a sentence lists.
const LISTED: usize = 3;

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
    Late,
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
        let fences = || report.fences.iter().enumerate();
        let stuck: Vec<_> = fences().filter(|(_, fence)| is_stuck(fence)).collect();
        let late: Vec<_> = fences().filter(|(_, f)| f.verdict == Verdict::Late).collect();
        if !stuck.is_empty() {
            Self::stuck(report, &stuck)
        } else if !late.is_empty() {
            Self::late(report, &late)
        } else {
            Self::fine(report)
        }
    }

    fn stuck(report: &Report, stuck: &[(usize, &Fence)]) -> Self {
        let roots = roots(stuck);
        let (index, root) = roots[0];
        let (id, owner, age) = (Id(root), Owner(root), Duration(root.age_ns));
        let (title, text) = match root.verdict {
            Verdict::Lost => (
                format!("Lost: a fence of {owner} went away without a signal"),
                format!("Fence {id} of {owner} lived for {age}; who waits for it is not told."),
            ),
            Verdict::PendingAtEnd => (
                format!("Stuck, it seems: a fence of {owner} had not signaled at the end"),
                format!(
                    "Fence {id} of {owner} was pending for {age}, not for long, when the trace ended."
                ),
            ),
            _ => (
                format!("Stuck: a fence of {owner} never signaled"),
                format!("Fence {id} of {owner} has been pending for {age}."),
            ),
        };
        let why = match root.root {
            true => "It waits for no other fence: look there first.",
            false => "What keeps it is not clear from the trace.",
        };
        let mut words = vec![Sentence { text: format!("{text} {why}"), fence: Some(index) }];
        for &(index, fence) in roots.iter().skip(1).take(LISTED - 1) {
            let text = format!(
                "So is {} of {}, {} old, on its own account.",
                Id(fence),
                Owner(fence),
                Duration(fence.age_ns)
            );
            words.push(Sentence { text, fence: Some(index) });
        }
        if roots.len() > LISTED {
            words.push(Sentence::new(format!(
                "{} more like these are below.",
                roots.len() - LISTED
            )));
        }
        let behind: Vec<_> =
            stuck.iter().filter(|(i, _)| roots.iter().all(|(root, _)| root != i)).collect();
        if let Some((first, fence)) = behind.first() {
            let text = match behind.len() {
                1 => format!("Behind it: fence {} of {}.", Id(fence), Owner(fence)),
                n => format!("Behind it: {n} fences, the first {} of {}.", Id(fence), Owner(fence)),
            };
            words.push(Sentence { text, fence: Some(*first) });
        }
        words.push(Sentence::new(waiting(stuck)));
        if !root.certain {
            words.push(Sentence::new(
                "This is not certain: events are missing from the trace.".into(),
            ));
        }
        Self { mood: Mood::Stuck, title, words: with_note(words, report) }
    }

    fn late(report: &Report, late: &[(usize, &Fence)]) -> Self {
        let roots = roots(late);
        let &(index, worst) =
            roots.iter().max_by_key(|(_, fence)| fence.age_ns).expect("some fence is late");
        let mut text =
            format!("Fence {} of {} took {}", Id(worst), Owner(worst), Duration(worst.age_ns));
        if let Some(by) = worst.late_ns {
            let _ = write!(text, ", {} longer than it may", Duration(by));
        }
        text.push('.');
        let mut words = vec![Sentence { text, fence: Some(index) }];
        if late.len() > 1 {
            words.push(Sentence::new(format!("{} fences were late in all.", late.len())));
        }
        words.push(Sentence::new(waited(late)));
        Self {
            mood: Mood::Late,
            title: format!("Late: {} took {}", Owner(worst), Duration(worst.age_ns)),
            words: with_note(words, report),
        }
    }

    fn fine(report: &Report) -> Self {
        let verdicts = &report.verdicts;
        let mut words = Vec::new();
        if verdicts.pending_at_end > 0 {
            words.push(Sentence::new(format!(
                "{} still pending when the trace ended: not for long, and nobody waits in the kernel.",
                verdicts.pending_at_end
            )));
        }
        words.push(Sentence::new(format!("{} signaled in time.", verdicts.ok)));
        Self { mood: Mood::Fine, title: "Nothing is stuck".into(), words: with_note(words, report) }
    }
}

impl Sentence {
    fn new(text: String) -> Self {
        Self { text, fence: None }
    }
}

fn with_note(mut words: Vec<Sentence>, report: &Report) -> Vec<Sentence> {
    if report.lost > 0 {
        words.push(Sentence::new(format!("{} events are missing from the trace.", report.lost)));
    }
    words
}

/// Whether somebody is kept waiting for ever, as far as the trace can tell.
fn is_stuck(fence: &Fence) -> bool {
    match fence.verdict {
        Verdict::Never | Verdict::Lost => true,
        Verdict::PendingAtEnd => fence.waiters.iter().any(|waiter| waiter.open),
        _ => false,
    }
}

/// Those that are the reason themselves, or all if no reason is known.
fn roots<'a>(fences: &[(usize, &'a Fence)]) -> Vec<(usize, &'a Fence)> {
    let roots: Vec<_> = fences.iter().copied().filter(|(_, fence)| fence.root).collect();
    if roots.is_empty() { fences.to_vec() } else { roots }
}

fn waiting(fences: &[(usize, &Fence)]) -> String {
    let waiters = fences.iter().flat_map(|(_, fence)| &fence.waiters);
    let names = tasks(waiters.filter(|waiter| waiter.open));
    match names.is_empty() {
        true => {
            "No thread waits for it inside the kernel; programs that poll leave no trace.".into()
        }
        false => format!("Waiting for it: {names}."),
    }
}

fn waited(fences: &[(usize, &Fence)]) -> String {
    let names = tasks(fences.iter().flat_map(|(_, fence)| &fence.waiters));
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

struct Id<'a>(&'a Fence);

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.context, self.0.seqno)
    }
}

/// Whom to blame: the driver and its timeline.
struct Owner<'a>(&'a Fence);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.driver.as_str() {
            "" => write!(f, "timeline {}", self.0.timeline),
            driver => write!(f, "driver {driver}, timeline {}", self.0.timeline),
        }
    }
}

/// Three digits, in the unit that a person would choose.
struct Duration(u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, per_unit) = match self.0 {
            0..1_000 => return write!(f, "{} ns", self.0),
            1_000..1_000_000 => ("µs", 1e3),
            1_000_000..1_000_000_000 => ("ms", 1e6),
            _ => ("s", 1e9),
        };
        let value = self.0 as f64 / per_unit;
        let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
        write!(f, "{value:.digits$} {unit}")
    }
}
