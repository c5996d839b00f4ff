//! What people read: who is to blame comes first.

mod culprit;
mod table;

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

use anstyle::{AnsiColor, Style};
use dma_fence_trace::culprits::{Culprit, Culprits, Doubt};
use dma_fence_trace::report::{Fence, Report, Verdict};
use dma_fence_trace::words::{Duration, Time};

use super::names::{thread, track_of};
use crate::shown::clean;

pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const TITLE: Style = Style::new().bold();
pub(super) const QUIET: Style = Style::new().dimmed();

/// So many of a kind are shown; `--all` shows all.
const MOST: usize = 10;

/// A report for people.
pub(crate) struct Text<'a> {
    report: &'a Report,
    culprits: Culprits<'a>,
    most: usize,
}

impl<'a> Text<'a> {
    pub(crate) fn new(report: &'a Report, all: bool) -> Self {
        let most = if all { usize::MAX } else { MOST };
        Self { report, culprits: Culprits::of(report), most }
    }
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        for (at, culprit) in self.culprits.stuck.iter().take(self.most).enumerate() {
            self.culprit(f, at + 1, culprit)?;
        }
        more(f, self.culprits.stuck.len(), self.most, "timelines")?;
        self.busy(f)?;
        if !self.culprits.late.is_empty() {
            writeln!(f, "\n{TITLE}LATE{TITLE:#}")?;
            for culprit in self.culprits.late.iter().take(self.most) {
                self.late(f, culprit)?;
            }
            more(f, self.culprits.late.len(), self.most, "timelines")?;
        }
        self.errors(f)?;
        self.lost(f)?;
        self.unclear(f)?;
        table::write(f, self.report, self.most)?;
        self.notes(f)
    }
}

/// What is not shown is said.
pub(super) fn more(f: &mut Formatter<'_>, len: usize, most: usize, what: &str) -> fmt::Result {
    match len.checked_sub(most) {
        Some(more) if more > 0 => writeln!(f, "  … and {more} more {what} (--all)"),
        _ => Ok(()),
    }
}

impl Text<'_> {
    /// The answer in one line, and what the words mean.
    fn headline(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { verdicts, events, span_ns, .. } = self.report;
        let Culprits { stuck, late, busy, .. } = &self.culprits;
        let worst = stuck.first().or(late.first()).or(busy.first());
        match worst {
            Some(culprit) => {
                let (style, word, doubt) = self.certainty(culprit);
                writeln!(f, "{style}{word}{style:#}{doubt}: {}", self.blame(culprit))?;
            }
            None if self.report.failed().next().is_some() => writeln!(
                f,
                "{DOUBTFUL}ERRORS{DOUBTFUL:#}, but nothing is stuck or late: {} fences signaled with an error.",
                self.report.failed().count()
            )?,
            None if self.report.elsewhere() > 0 => writeln!(
                f,
                "{DOUBTFUL}NOTHING OF WHAT WAS ASKED FOR{DOUBTFUL:#} is stuck or late, but {} other fences are.",
                self.report.elsewhere()
            )?,
            None if self.report.events == 0 => writeln!(f, "No fences in this trace.")?,
            None => writeln!(f, "{GOOD}OK{GOOD:#}: nothing is stuck, and nothing is late.")?,
        }
        let counts = [
            (verdicts.never, "never signaled"),
            (verdicts.lost, "lost"),
            (verdicts.pending_at_end, "pending at the end"),
            (verdicts.late, "late"),
            (verdicts.unobserved, "unobserved"),
            (verdicts.ok, "ok"),
        ];
        let counts: Vec<_> = counts
            .iter()
            .filter(|(count, what)| *count > 0 || *what == "ok")
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let span = Duration(*span_ns);
        writeln!(f, "{QUIET}{events} events in {span}; fences: {}{QUIET:#}", counts.join(", "))?;
        if worst.is_some() {
            writeln!(
                f,
                "{QUIET}(A fence signals when a device has finished an operation. Until then, whoever needs the \
                 result waits.){QUIET:#}"
            )?;
        }
        Ok(())
    }

    /// How sure it is.
    fn certainty(&self, culprit: &Culprit<'_>) -> (Style, &'static str, &'static str) {
        let first = culprit.first();
        if first.verdict == Verdict::Late {
            return (DOUBTFUL, "LATE", ", but nothing is stuck");
        }
        match (culprit.is_stuck(), culprit.doubt(self.report)) {
            (true, Doubt::Missing) if first.init_ns.is_some() => {
                (BAD, "STUCK", " (but events are missing: not certain)")
            }
            (true, _) if !culprit.is_awaited() => {
                (BAD, "NEVER SIGNALED", " (but nobody is seen to wait for it)")
            }
            (true, _) => (BAD, "STUCK", ""),
            (false, Doubt::Missing) => (
                DOUBTFUL,
                "MAYBE STUCK",
                " (events are missing or out of order, and its end may be among them)",
            ),
            (false, Doubt::TooEarly) => {
                (DOUBTFUL, "MAYBE STUCK", " (the trace ends too soon to be sure)")
            }
            (false, Doubt::Usual) => {
                (DOUBTFUL, "TOO SOON TO TELL", " (the trace ends while somebody waits, as any may)")
            }
        }
    }

    fn errors(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut failed: Vec<_> = self.report.failed().collect();
        failed.sort_by_key(|fence| fence.signaled_ns);
        if failed.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{TITLE}ERRORS{TITLE:#}, the first one first")?;
        for fence in failed.iter().take(self.most) {
            let errno = fence.error.unwrap_or(0);
            let error = std::io::Error::from_raw_os_error(errno.saturating_neg());
            let at = fence.signaled_ns.map(|at| format!(" at {}", Time(at))).unwrap_or_default();
            writeln!(f, "  {} signaled with {error}{at}", self.fence(fence))?;
        }
        more(f, failed.len(), self.most, "fences")
    }

    /// What is gone, and hurt nobody.
    fn lost(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lost = self.report.fences.iter().filter(|fence| fence.verdict == Verdict::Lost);
        let lost: Vec<_> = lost.filter(|fence| !fence.is_stuck()).collect();
        if lost.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{TITLE}LOST{TITLE:#}: destroyed before they signaled; nobody was waiting in the kernel"
        )?;
        for fence in lost.iter().take(self.most) {
            let by =
                fence.made_by.as_ref().map(|by| format!(", made by {}", thread(&by.comm, by.pid)));
            writeln!(f, "  {}{}", self.fence(fence), by.unwrap_or_default())?;
        }
        more(f, lost.len(), self.most, "fences")
    }

    /// What is waited for at the end, no longer than usual: told in full only if nothing else is wrong.
    fn busy(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Culprits { stuck, late, busy, .. } = &self.culprits;
        if busy.is_empty() {
            return Ok(());
        }
        if stuck.is_empty() && late.is_empty() {
            for (at, culprit) in busy.iter().take(self.most).enumerate() {
                self.culprit(f, at + 1, culprit)?;
            }
            return more(f, busy.len(), self.most, "timelines");
        }
        let tracks: Vec<_> = busy.iter().take(3).map(|culprit| track_of(culprit.first())).collect();
        let fences: usize = busy.iter().map(|culprit| culprit.fences().count()).sum();
        let title = "IN WORK AT THE END";
        writeln!(
            f,
            "\n{TITLE}{title}{TITLE:#}, no longer than usual: {fences} fences of {} timelines ({}, …)",
            busy.len(),
            tracks.join(", ")
        )
    }

    /// What is pending, and nobody is seen to wait for.
    fn unclear(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Culprits { stuck, busy, .. } = &self.culprits;
        let shown: HashSet<_> =
            stuck.iter().chain(busy).flat_map(Culprit::fences).map(Fence::id).collect();
        let pending: Vec<_> = self
            .report
            .fences
            .iter()
            .filter(|fence| {
                // Those of a job say no more than the job's.
                let part = fence.part_of.is_some_and(|job| shown.contains(&job));
                fence.verdict == Verdict::PendingAtEnd && !shown.contains(&fence.id()) && !part
            })
            .collect();
        if pending.is_empty() {
            return Ok(());
        }
        let title = "PENDING AT THE END";
        writeln!(
            f,
            "\n{TITLE}{title}{TITLE:#}: not for long, or events are missing; no waiter seen"
        )?;
        for fence in pending.iter().take(self.most) {
            let unsure = if fence.certain { "" } else { " (may have signaled unseen)" };
            writeln!(f, "  {} for {}{unsure}", self.fence(fence), Duration(fence.age_ns))?;
        }
        more(f, pending.len(), self.most, "fences")
    }

    fn notes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        if report.notes.is_empty() && report.malformed == 0 {
            return Ok(());
        }
        writeln!(f, "\n{TITLE}BEFORE YOU CONCLUDE{TITLE:#}")?;
        for note in &report.notes {
            writeln!(f, "  - {}", clean(note))?;
        }
        if report.malformed > 0 {
            writeln!(f, "  - {} lines make no sense:", report.malformed)?;
        }
        for line in &report.malformed_lines {
            let file =
                if line.file.is_empty() { String::new() } else { format!("{}, ", line.file) };
            writeln!(f, "      {file}line {}: {}", line.line, line.problem)?;
        }
        Ok(())
    }

    /// `driver/timeline 3:21`
    fn fence(&self, fence: &Fence) -> String {
        format!("{} {}", track_of(fence), fence.id())
    }
}
