//! kernel/RESULTS.md: tables, and what they mean.

use super::figures::{Design, Figures};
use crate::shell::Result;

/// Of these sizes there are times; of memory there are more.
pub(super) const SIZES: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

const TEXT: &str = include_str!("results.md");

/// Each mark in the text, what is measured, and how one value is shown.
const TABLES: &[(&str, &[Row])] = &[
    ("{memory}", &[("bytes asked for", "bytes", plain), ("bytes of the slab", "slab", plain)]),
    ("{callbacks}", &[("callbacks on members", "callbacks", plain)]),
    ("{enable}", &[("the first waiter's call", "at-random-enable-ns", plain)]),
    (
        "{signals}",
        &[
            ("all signals, first to last", "first-to-last-signals-ns", plain),
            ("all signals, last to first", "last-to-first-signals-ns", plain),
            ("all signals, at random", "at-random-signals-ns", plain),
            ("the longest one, at random", "at-random-longest-ns", plain),
        ],
    ),
    (
        "{works}",
        &[
            ("first to last", "first-to-last-milliworks", thousandths),
            ("last to first", "last-to-first-milliworks", thousandths),
            ("at random", "at-random-milliworks", thousandths),
            ("all at once", "at-once-milliworks", thousandths),
            ("at random, by a timer", "timer-milliworks", thousandths),
        ],
    ),
    (
        "{work}",
        &[
            ("first to last", "first-to-last-work-ns", plain),
            ("last to first", "last-to-first-work-ns", plain),
            ("at random", "at-random-work-ns", plain),
            ("all at once", "at-once-work-ns", plain),
        ],
    ),
    (
        "{delay}",
        &[
            ("first to last", "first-to-last-delay-ns", plain),
            ("last to first", "last-to-first-delay-ns", plain),
            ("at random", "at-random-delay-ns", plain),
            ("all at once", "at-once-delay-ns", plain),
        ],
    ),
    ("{timer}", &[("at random, by a timer", "timer-delay-ns", plain)]),
    (
        "{polls}",
        &[
            ("nobody waits, nothing has signaled", "poll-idle-ns", plain),
            ("somebody waits, nothing has signaled", "poll-waited-ns", plain),
            ("somebody waits, all but the first have", "poll-late-ns", plain),
            ("nobody waits, one poll after each member, together", "poll-all-ns", plain),
        ],
    ),
];

/// A title, a figure's name, and how it is shown.
type Row = (&'static str, &'static str, fn(u64) -> String);

pub(super) fn markdown(figures: &Figures, machine: &str) -> Result<String> {
    let mut text = TEXT.replace("{machine}", machine);
    for (mark, rows) in TABLES {
        text = text.replace(mark, table(figures, rows)?.trim_end());
    }
    Ok(text)
}

/// Two lines for each row, the kernel's own array above ours.
fn table(figures: &Figures, rows: &[Row]) -> Result<String> {
    let mut text = String::from("| members |  |");
    SIZES.iter().for_each(|size| text += &format!(" {size} |"));
    text += "\n|:---|:---|";
    SIZES.iter().for_each(|_| text += "---:|");
    for (title, what, show) in rows {
        for (design, name) in [(Design::Theirs, "C"), (Design::Ours, "Rust")] {
            let title = if design == Design::Theirs { title } else { "" };
            text += &format!("\n| {title} | {name} |");
            for size in SIZES {
                text += &format!(" {} |", show(figures.get(design, size, what)?));
            }
        }
    }
    Ok(text + "\n")
}

fn plain(value: u64) -> String {
    value.to_string()
}

fn thousandths(value: u64) -> String {
    format!("{:.1}", value as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_filled_and_every_figure_is_there() {
        let mut console = String::new();
        for (_, rows) in TABLES {
            for (_, what, _) in *rows {
                for size in SIZES {
                    console += &format!(
                        "@bench ours {size} {what} 1500\n@bench theirs {size} {what} 2500\n"
                    );
                }
            }
        }
        let text = markdown(&Figures::of(&console).unwrap(), "a machine").unwrap();
        assert!(!text.contains('{'), "{text}");
        assert!(text.contains("| first to last | C | 2.5 |") && text.contains("|  | Rust | 1.5 |"));
        assert!(markdown(&Figures::of("@bench ours 1 slab 1\n").unwrap(), "").is_err());
    }
}
