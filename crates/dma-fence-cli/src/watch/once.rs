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

pub(super) fn text(report: &Report, status: &Status) -> String {
    let mut text = status.line(report) + "\n";
    let list = fences::list(report, "", fences::Order::Urgency);
    let rows = list.iter().map(|&index| fences::cells(&report.fences[index])).collect();
    table(&mut text, "Pending fences", &fences::COLUMNS, rows);
    let rates = Rates::default();
    let order = timelines::list(report, &rates, "", timelines::Order::Pending);
    let cells = |&index: &usize| timelines::cells(&report.timelines[index], report, &rates);
    table(&mut text, "Timelines", &timelines::COLUMNS, order.iter().map(cells).collect());
    let reasons = list.iter().map(|&index| &report.fences[index]);
    for fence in reasons.filter(|fence| fence.is_stuck() && fence.root) {
        text += "\n";
        for line in words::fence(report, fence) {
            text += &(line + "\n");
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::sample::{frozen, report};

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
        let nothing = text(&report(), &status);
        assert!(nothing.contains("Pending fences: none\n\nTimelines: none\n"), "{nothing}");
    }
}
