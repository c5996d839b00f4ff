//! Tables whose columns share the width that there is; the least important ones go first.

use crate::shown::{pad, width};

/// Between two columns.
const GAP: usize = 2;

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// With less it is not shown.
    pub(super) least: usize,
    /// It gets no more, whatever stands in it.
    pub(super) most: usize,
    pub(super) right: bool,
    /// The column with the greatest number is the first to go.
    pub(super) goes: u8,
}

pub(super) struct Table<'a> {
    columns: &'a [Column],
    widths: Vec<usize>,
}

impl<'a> Table<'a> {
    /// Columns for these rows, in `width` columns of the terminal.
    pub(super) fn new(columns: &'a [Column], rows: &[Vec<String>], total: usize) -> Self {
        let mut kept: Vec<usize> = (0..columns.len()).collect();
        while needed(columns, &kept) > total && kept.len() > 1 {
            let first = kept.iter().copied().max_by_key(|&index| columns[index].goes);
            kept.retain(|&index| Some(index) != first);
        }
        let mut widths = vec![0; columns.len()];
        let mut left = total.saturating_sub(needed(columns, &kept));
        for &index in &kept {
            let column = &columns[index];
            let cells = rows.iter().map(|row| width(&row[index]));
            let wanted = cells.max().unwrap_or(0).max(width(column.title)).min(column.most);
            let more = wanted.saturating_sub(column.least).min(left);
            widths[index] = column.least + more;
            left -= more;
        }
        Table { columns, widths }
    }

    pub(super) fn header(&self) -> String {
        self.joined(self.columns.iter().map(|column| column.title))
    }

    pub(super) fn row(&self, cells: &[String]) -> String {
        self.joined(cells.iter().map(String::as_str))
    }

    fn joined<'b>(&self, cells: impl Iterator<Item = &'b str>) -> String {
        let mut line = String::new();
        for ((cell, column), &width) in cells.zip(self.columns).zip(&self.widths) {
            if width == 0 {
                continue;
            }
            if !line.is_empty() {
                line += &" ".repeat(GAP);
            }
            line += &pad(cell, width, column.right);
        }
        line
    }
}

fn needed(columns: &[Column], kept: &[usize]) -> usize {
    let least: usize = kept.iter().map(|&index| columns[index].least).sum();
    least + GAP * kept.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { title: "AGE", least: 6, most: 9, right: true, goes: 0 },
        Column { title: "DRIVER", least: 6, most: 12, right: false, goes: 2 },
        Column { title: "TIMELINE", least: 8, most: 40, right: false, goes: 1 },
    ];

    fn lines(timeline: &str, total: usize) -> (String, String) {
        let row = vec!["1.2 s".to_owned(), "i915".to_owned(), timeline.to_owned()];
        let table = Table::new(&COLUMNS, std::slice::from_ref(&row), total);
        (table.header(), table.row(&row))
    }

    #[test]
    fn columns_share_the_width_and_go_one_by_one() {
        for (total, header, row) in [
            (80, "   AGE  DRIVER  TIMELINE  ", " 1.2 s  i915    [i915]rcs0"),
            (24, "   AGE  DRIVER  TIMELINE", " 1.2 s  i915    [i915]r…"),
            (23, "   AGE  TIMELINE  ", " 1.2 s  [i915]rcs0"),
            (15, "   AGE", " 1.2 s"),
            (1, "   AGE", " 1.2 s"),
        ] {
            assert_eq!(lines("[i915]rcs0", total), (header.into(), row.into()), "{total}");
        }
    }

    #[test]
    fn a_long_name_pushes_nothing_away() {
        for name in ["x".repeat(300), "画".repeat(300), "\x1b[2J".repeat(100)] {
            for total in 16..100 {
                let (header, row) = lines(&name, total);
                assert!(width(&row) <= total && width(&row) == width(&header), "{row}");
            }
        }
    }
}
