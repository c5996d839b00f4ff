//! The table of timelines.

use std::fmt::{self, Formatter};

use dma_fence_trace::report::{Report, Timeline};
use dma_fence_trace::words::Duration;

use super::{TITLE, more};
use crate::analyze::names::track_of_timeline;

const NAME: &str = "driver/timeline (context)";
const COLUMNS: [&str; 9] =
    ["fences", "signaled", "pending", "p50", "p99", "max", "waits", "wait p50", "wait max"];

pub(super) fn write(f: &mut Formatter<'_>, report: &Report, most: usize) -> fmt::Result {
    if report.timelines.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "\n{TITLE}TIMELINES{TITLE:#} (p50, p99, max: from the beginning of a fence to its signal)"
    )?;
    let rows: Vec<_> = report.timelines.iter().take(most).map(row).collect();
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let width = widest.max(NAME.len());
    line(f, width, NAME, COLUMNS)?;
    for (name, cells) in &rows {
        line(f, width, name, cells)?;
    }
    more(f, report.timelines.len(), most, "timelines")
}

fn line(
    f: &mut Formatter<'_>,
    width: usize,
    name: &str,
    cells: impl IntoIterator<Item = impl fmt::Display>,
) -> fmt::Result {
    write!(f, "  {name:width$}")?;
    for cell in cells {
        write!(f, " {cell:>9}")?;
    }
    writeln!(f)
}

fn row(timeline: &Timeline) -> (String, [String; 9]) {
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".into(), |ns| Duration(ns).to_string());
    let cells = [
        timeline.fences.to_string(),
        timeline.signaled.to_string(),
        timeline.pending.to_string(),
        time(timeline.p50_ns),
        time(timeline.p99_ns),
        time(timeline.max_ns),
        timeline.waits.to_string(),
        time(timeline.wait_p50_ns),
        time(timeline.wait_max_ns),
    ];
    (track_of_timeline(timeline), cells)
}
