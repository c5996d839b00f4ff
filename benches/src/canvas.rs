//! Pictures as SVG, readable on light and on dark pages.

use svg::Document;
use svg::node::element::{Circle, Line, Polyline, Rectangle, Style, Text};

/// It brings its own background, so that nothing depends on the page around it but how bright it is.
const STYLE: &str = "
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.name { font-size: 13px; font-weight: 600; }
.soft { fill: #59636e; }
.back { fill: #ffffff; stroke: #d1d9e0; }
.grid { stroke: #d1d9e0; }
.axis { stroke: #59636e; stroke-width: 1.5; }
.spread { stroke: #1f2328; stroke-opacity: 0.6; }
.target { stroke: #1f2328; stroke-width: 3; }
.other { fill: none; stroke: #59636e; stroke-width: 1.5; }
.met { fill: #2da44e; } .near { fill: #d4a72c; } .missed { fill: #cf222e; } .plain { fill: #8c959f; }
polyline { fill: none; stroke-width: 2; } .peer { stroke-dasharray: 4 3; }
.hue0 { stroke: #0969da; } .hue1 { stroke: #bc4c00; } .hue2 { stroke: #8250df; } .hue3 { stroke: #1a7f37; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .soft { fill: #9198a1; }
.back { fill: #0d1117; stroke: #3d444d; } .grid { stroke: #2a313c; } .axis { stroke: #9198a1; }
.spread, .target { stroke: #e6edf3; } .other { stroke: #9198a1; }
.met { fill: #3fb950; } .near { fill: #d29922; } .missed { fill: #f85149; } .plain { fill: #656c76; }
.hue0 { stroke: #4493f8; } .hue1 { stroke: #f0883e; } .hue2 { stroke: #ab7df8; } .hue3 { stroke: #3fb950; }
}";

pub(crate) type Point = (f64, f64);

/// On which side of its point a text is.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Left,
    Around,
    Right,
}

pub(crate) struct Canvas(Document);

impl Canvas {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        let document = Document::new()
            .set("viewBox", (0, 0, width, height))
            .set("width", width)
            .set("height", height);
        let back = Rectangle::new()
            .set("class", "back")
            .set("width", width)
            .set("height", height)
            .set("rx", 6);
        Canvas(document.add(Style::new(STYLE)).add(back))
    }

    pub(crate) fn text(
        self,
        class: &str,
        (x, y): Point,
        side: Side,
        text: impl Into<String>,
    ) -> Self {
        let anchor = match side {
            Side::Left => "end",
            Side::Around => "middle",
            Side::Right => "start",
        };
        let text = Text::new(text).set("x", round(x)).set("y", round(y));
        Canvas(self.0.add(text.set("text-anchor", anchor).set("class", class)))
    }

    pub(crate) fn line(self, class: &str, (x1, y1): Point, (x2, y2): Point) -> Self {
        let line = Line::new().set("x1", round(x1)).set("y1", round(y1));
        let line = line.set("x2", round(x2)).set("y2", round(y2));
        Canvas(self.0.add(line.set("class", class)))
    }

    pub(crate) fn lines(self, class: &str, points: &[Point]) -> Self {
        let points: Vec<_> =
            points.iter().map(|(x, y)| format!("{},{}", round(*x), round(*y))).collect();
        Canvas(self.0.add(Polyline::new().set("points", points.join(" ")).set("class", class)))
    }

    pub(crate) fn bar(self, class: &str, (x, y): Point, (width, height): (f64, f64)) -> Self {
        let bar = Rectangle::new().set("x", round(x)).set("y", round(y));
        let bar = bar.set("width", round(width)).set("height", round(height));
        Canvas(self.0.add(bar.set("class", class)))
    }

    pub(crate) fn ring(self, class: &str, (x, y): Point) -> Self {
        let ring = Circle::new().set("cx", round(x)).set("cy", round(y)).set("r", 3.5);
        Canvas(self.0.add(ring.set("class", class)))
    }

    pub(crate) fn finish(self) -> String {
        format!("{}\n", self.0)
    }
}

/// A tenth of a pixel is as good as its place.
fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text() {
        let canvas = Canvas::new(10.0, 10.0).text("soft", (1.04, 2.0), Side::Left, "Arc<A> & B");
        let picture = canvas.finish();
        assert!(picture.contains("Arc&lt;A&gt; &amp; B"), "{picture}");
        assert!(
            picture.contains(r#"x="1""#) && picture.contains(r#"text-anchor="end""#),
            "{picture}"
        );
    }
}
