//! Tables that are readable as they are and as Markdown.

use crate::report::{Outcome, Report};
use crate::verdict::Verdict;

/// Pads the columns; all but the first are flush right.
pub(crate) fn aligned(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().enumerate().map(|(column, &width)| match column {
        0 => format!(":{}", "-".repeat(width + 1)),
        _ => format!("{}:", "-".repeat(width + 1)),
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    line(&head) + &rule + &rows.iter().map(line).collect::<String>()
}

/// Of all contests.
pub(crate) fn of(report: &Report) -> String {
    let head = ["work", "ours", "best peer", "ours ÷ peer", "half of the rounds", "target", ""];
    aligned(&head, &report.contests.iter().map(row).collect::<Vec<_>>())
}

fn row(outcome: &Outcome) -> Vec<String> {
    let (best, rival) = (outcome.best(), outcome.rival());
    let (low, high) = rival.quartiles;
    let target = outcome.target.as_ref();
    vec![
        outcome.work.clone(),
        format!("{}/{}", nanos(outcome.ours_ns), outcome.per),
        format!("{}, {}", best.name, nanos(best.ns)),
        format!("{:.2} × {}", rival.ratio, rival.name),
        format!("{low:.2}–{high:.2}"),
        target.map_or_else(String::new, |target| format!("≤ {:.2}", target.at_most)),
        outcome.verdict().map_or("", words).to_owned(),
    ]
}

pub(crate) fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::WithinNoise => "within noise",
        Verdict::Missed => "MISSED",
    }
}

/// Three digits are more than these measurements are good for.
pub(crate) fn nanos(ns: f64) -> String {
    match ns {
        ..10.0 => format!("{ns:.2} ns"),
        ..100.0 => format!("{ns:.1} ns"),
        ..1e4 => format!("{ns:.0} ns"),
        ..1e6 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::outcome;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "100 ns".into()], vec!["long".into(), "1 µs".into()]];
        let expected = "\
| work |   ours |
|:-----|-------:|
| a    | 100 ns |
| long |   1 µs |
";
        assert_eq!(aligned(&["work", "ours"], &rows), expected);
    }

    #[test]
    fn a_row_says_all() {
        let cells = [
            "a < b",
            "300 ns/time",
            "Arc<fast>, 200 ns",
            "1.50 × Arc<fast>",
            "1.50–1.50",
            "≤ 1.40",
            "MISSED",
        ];
        assert_eq!(row(&outcome(1.4)), cells);
    }

    #[test]
    fn units() {
        let all = [1.234, 12.34, 123.4, 12_345.0, 12_345_678.0].map(nanos);
        assert_eq!(all, ["1.23 ns", "12.3 ns", "123 ns", "12.3 µs", "12.3 ms"]);
    }
}
