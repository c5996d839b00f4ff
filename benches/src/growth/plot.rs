//! The picture of all experiments, side by side.

use super::{Curves, Growth, grouped};
use crate::canvas::{Canvas, Point, Side};
use crate::scale::Scale;
use crate::table::nanos;

/// Of one experiment, with all that is written around it.
const PANEL: (f64, f64) = (480.0, 300.0);
const COLUMNS: usize = 2;
const TOP: f64 = 60.0;

pub(crate) fn of(growth: &Growth) -> String {
    let rows = growth.experiments.len().div_ceil(COLUMNS) as f64;
    let canvas = Canvas::new(COLUMNS as f64 * PANEL.0 + 20.0, TOP + rows * PANEL.1)
        .text("title", (20.0, 26.0), Side::Right, "The time for one item, the more there are")
        .text(
            "soft",
            (20.0, 46.0),
            Side::Right,
            "both scales logarithmic; dashed: what else one could use",
        );
    let panels = growth.experiments.iter().enumerate();
    let canvas = panels.fold(canvas, |canvas, (place, curves)| {
        let (column, row) = ((place % COLUMNS) as f64, (place / COLUMNS) as f64);
        panel(canvas, curves, (10.0 + column * PANEL.0, TOP + row * PANEL.1))
    });
    canvas.finish()
}

fn panel(mut canvas: Canvas, curves: &Curves, (left, top): Point) -> Canvas {
    let points = || curves.curves.iter().flat_map(|curve| &curve.points);
    let (from, to) = (left + 70.0, left + PANEL.0 - 40.0);
    let (high, low) = (top + 62.0, top + PANEL.1 - 56.0);
    let x = Scale::over(points().map(|(size, _)| *size as f64), (from, to));
    // A scale of a decade at least: what is flat looks flat.
    let slowest = points().map(|(_, ns)| *ns).fold(0.0, f64::max);
    let y = Scale::over(points().map(|(_, ns)| *ns).chain([slowest / 10.0]), (low, high));
    canvas = canvas.text("name", (left + 10.0, top + 16.0), Side::Right, curves.title);
    for mark in x.marks() {
        let place = x.place(mark);
        canvas = canvas.line("grid", (place, low), (place, high));
        canvas = canvas.text("soft", (place, low + 16.0), Side::Around, grouped(mark as usize));
    }
    canvas = canvas.text("soft", ((from + to) / 2.0, low + 33.0), Side::Around, curves.many);
    for mark in y.marks() {
        let place = y.place(mark);
        canvas = canvas.line("grid", (from, place), (to, place));
        canvas = canvas.text("soft", (from - 8.0, place + 4.0), Side::Left, nanos(mark));
    }
    for (place, curve) in curves.curves.iter().enumerate() {
        let dashed = if curve.name.starts_with("peer") { " peer" } else { "" };
        let class = format!("hue{place}{dashed}");
        let line = curve.points.iter().map(|(size, ns)| (x.place(*size as f64), y.place(*ns)));
        canvas = canvas.lines(&class, &line.collect::<Vec<_>>());
        // The legend, two in a row.
        let at = (left + 10.0 + (place % 2) as f64 * 210.0, top + 34.0 + (place / 2) as f64 * 16.0);
        canvas = canvas.lines(&class, &[(at.0, at.1 - 4.0), (at.0 + 22.0, at.1 - 4.0)]);
        canvas = canvas.text("", (at.0 + 28.0, at.1), Side::Right, curve.name);
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::super::tests::curves;
    use super::*;

    #[test]
    fn every_curve_is_drawn_and_named() {
        let growth = Growth::new(1, 1, vec![curves(), curves(), curves()]);
        let picture = of(&growth);
        assert_eq!(picture.matches("<polyline").count(), 3 * 2 * 2, "{picture}");
        assert_eq!(picture.matches("theirs").count(), 3);
    }
}
