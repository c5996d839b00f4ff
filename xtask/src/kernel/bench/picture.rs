//! kernel/results.svg: four charts of what grows with the members and what does not.

use std::fmt::Write;

use super::{
    figures::{Design, Figures},
    report::SIZES,
};
use crate::shell::Result;

/// A title, the figure's name, and in how many parts of one it is.
const CHARTS: [(&str, &str, f64); 4] = [
    ("Memory of an array: bytes of the slab", "slab", 1.0),
    ("The first waiter's call: ns", "at-random-enable-ns", 1.0),
    ("Deferred works, members at random", "at-random-milliworks", 1000.0),
    ("Deferred works, members last to first", "last-to-first-milliworks", 1000.0),
];

const DESIGNS: [(Design, &str, &str); 2] = [
    (Design::Theirs, "C, a callback for each member", "#b5541c"),
    (Design::Ours, "Rust, one callback", "#1c6fb5"),
];

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
/// Around a plot, for its title and the numbers.
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const PLOT: (f64, f64) = (WIDTH - LEFT - 20.0, HEIGHT - TOP - 40.0);

pub(super) fn svg(figures: &Figures) -> Result<String> {
    let (width, height) = (2.0 * WIDTH, 2.0 * HEIGHT + 30.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (number, (title, what, parts)) in CHARTS.iter().enumerate() {
        let place = ((number % 2) as f64 * WIDTH, (number / 2) as f64 * HEIGHT);
        text += &chart(figures, (title, what, *parts), place)?;
    }
    for (number, (_, name, colour)) in DESIGNS.iter().enumerate() {
        let (x, y) = (LEFT + number as f64 * 260.0, 2.0 * HEIGHT + 12.0);
        add(
            &mut text,
            format_args!(
                "<rect x=\"{x}\" y=\"{}\" width=\"18\" height=\"4\" fill=\"{colour}\"/>",
                y - 6.0
            ),
        );
        label(&mut text, x + 24.0, y, "start", name);
    }
    Ok(text + "</svg>\n")
}

/// Members are on a scale of powers of two; values are linear, from nothing to the greatest.
fn chart(
    figures: &Figures,
    (title, what, parts): (&str, &str, f64),
    (x, y): (f64, f64),
) -> Result<String> {
    let mut top: u64 = 1;
    for (design, ..) in DESIGNS {
        for size in SIZES {
            top = top.max(figures.get(design, size, what)?);
        }
    }
    let across = |number: usize| x + LEFT + PLOT.0 * number as f64 / (SIZES.len() - 1) as f64;
    let up = |value: u64| y + TOP + PLOT.1 * (1.0 - value as f64 / top as f64);
    let mut text = String::new();
    label(&mut text, x + LEFT, y + 22.0, "start", title);
    for value in [0, top / 2, top] {
        let (left, right, at) = (across(0), across(SIZES.len() - 1), up(value));
        add(&mut text, format_args!("<path d=\"M{left:.1} {at:.1}H{right:.1}\" stroke=\"#ddd\"/>"));
        // No more digits than there is room for.
        let number = value as f64 / parts;
        let digits = usize::from(parts > 1.0 && number < 10.0);
        label(&mut text, left - 6.0, at + 4.0, "end", &format!("{number:.digits$}"));
    }
    for (number, size) in SIZES.iter().enumerate() {
        label(&mut text, across(number), y + TOP + PLOT.1 + 18.0, "middle", &size.to_string());
    }
    for (design, _, colour) in DESIGNS {
        let mut points = String::new();
        for (number, size) in SIZES.iter().enumerate() {
            let at = up(figures.get(design, *size, what)?);
            let _ = write!(points, "{:.1},{at:.1} ", across(number));
        }
        let points = points.trim_end();
        add(
            &mut text,
            format_args!(
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>"
            ),
        );
    }
    Ok(text)
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    add(
        text,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>"),
    );
}

fn add(text: &mut String, what: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = writeln!(text, "{what}");
}
