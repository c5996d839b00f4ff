//! The state as plain text, for scripts and for what is no terminal.

use std::fmt::Write;

use dma_fence_trace::report::Report;

use super::{
    fences,
    rates::Rates,
    status::Status,
    table::{Column, Table},
    timelines, words,
};

/// Nobody cuts lines off here; names have their columns' bounds.
const WIDTH: usize = 200;
/// So many fences are listed, the most urgent first; `analyze` knows all.
const LISTED: usize = 100;
/// Of so many it is told why they are stuck: each answer looks at all fences.
const TOLD: usize = 10;

pub(super) fn text(report: &Report, status: &Status) -> String {
    let mut text = status.line(report) + "\n";
    let list = fences::list(report, "", fences::Order::Urgency);
    let listed = list.iter().take(LISTED);
    let rows = listed.map(|&index| fences::cells(&report.fences[index])).collect();
    table(&mut text, "Pending fences", &fences::COLUMNS, rows);
    more(&mut text, list.len(), LISTED, "pending fences");
    let rates = Rates::default();
    let order = timelines::list(report, &rates, "", timelines::Order::Pending);
    let cells = |&index: &usize| timelines::cells(&report.timelines[index], report, &rates);
    table(&mut text, "Timelines", &timelines::COLUMNS, order.iter().map(cells).collect());
    let fences = list.iter().map(|&index| &report.fences[index]);
    let reasons: Vec<_> = fences.filter(|fence| fence.is_stuck() && fence.root).collect();
    for fence in reasons.iter().take(TOLD) {
        text += "\n";
        for line in words::fence(report, fence) {
            text += &(line + "\n");
        }
    }
    more(&mut text, reasons.len(), TOLD, "stuck fences that wait for no other");
    for note in &report.notes {
        let _ = write!(text, "\nNote: {}\n", crate::shown::clean(note));
    }
    text
}

fn table(text: &mut String, title: &str, columns: &[Column], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        let _ = write!(text, "\n{title}: none\n");
        return;
    }
    let table = Table::new(columns, &rows, WIDTH);
    let _ = write!(text, "\n{title}\n{}\n", table.header().trim_end());
    for row in &rows {
        *text += table.row(row).trim_end();
        *text += "\n";
    }
}

/// What is left out is said.
fn more(text: &mut String, len: usize, most: usize, what: &str) {
    if len > most {
        let _ = writeln!(text, "… and {} more {what}", len - most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::{fence, frozen, report};
    use dma_fence_trace::report::Verdict;

    #[test]
    fn everything_that_the_screen_shows() {
        let status =
            Status { name: "x.trace".into(), paused: false, watched_ns: None, replay: None };
        let shown = text(&frozen(), &status);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], status.line(&frozen()));
        assert_eq!(lines[2], "Pending fences");
        assert!(lines[4].starts_with("!") && lines[4].contains("7:3"), "{shown}");
        assert!(shown.contains("\nTimelines\n") && shown.contains("gfx [5]"), "{shown}");
        assert!(shown.contains("it is the reason itself"), "{shown}");
        assert!(!shown.contains("more"), "{shown}");
        let nothing = text(&report(), &status);
        assert!(nothing.contains("Pending fences: none\n\nTimelines: none\n"), "{nothing}");
    }

    #[test]
    fn the_most_urgent_of_very_many() {
        let status =
            Status { name: "x.trace".into(), paused: false, watched_ns: None, replay: None };
        let mut report = report();
        for seqno in 0..150 {
            let mut fence = fence(5, seqno, ("gpu", "gfx"), 50);
            fence.verdict = if seqno < 20 { Verdict::Never } else { Verdict::PendingAtEnd };
            report.fences.push(fence);
        }
        let shown = text(&report, &status);
        assert_eq!(shown.matches("gpu ").count(), 100 + 10, "{shown}");
        assert!(shown.contains("\n… and 50 more pending fences\n"), "{shown}");
        assert!(shown.contains("\n… and 10 more stuck fences that wait for no other\n"), "{shown}");
    }
}
