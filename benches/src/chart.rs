//! The picture of all contests: how many times as long as its peer ours takes.

use crate::canvas::{Canvas, Side};
use crate::report::{Outcome, Report};
use crate::scale::Scale;
use crate::verdict::Verdict;

const WIDTH: f64 = 980.0;
/// From where to where bars may go.
const PLOT: (f64, f64) = (300.0, 650.0);
const TOP: f64 = 96.0;
const ROW: f64 = 22.0;
const BAR: f64 = 12.0;

pub(crate) fn of(report: &Report) -> String {
    let bottom = TOP + ROW * report.contests.len() as f64;
    let values = report.contests.iter().flat_map(values);
    let scale = Scale::over(values.chain([1.0]), PLOT);
    let legend = "bar: ours ÷ the peer named, green if the target is met, yellow if missed within the noise, red if \
                  missed, grey without a target";
    let signs = "thick mark: the target · thin line: half of the rounds · ring: other peers";
    let mut canvas = Canvas::new(WIDTH, bottom + 32.0)
        .text("title", (20.0, 26.0), Side::Right, report.summary())
        .text("soft", (20.0, 46.0), Side::Right, legend)
        .text("soft", (20.0, 62.0), Side::Right, signs);
    for mark in scale.marks() {
        let x = scale.place(mark);
        let class = if mark == 1.0 { "axis" } else { "grid" };
        canvas = canvas.line(class, (x, TOP - 6.0), (x, bottom));
        for y in [TOP - 10.0, bottom + 14.0] {
            canvas = canvas.text("soft", (x, y), Side::Around, format!("{mark}"));
        }
    }
    let one = scale.place(1.0);
    canvas = canvas
        .text("soft", (one - 8.0, bottom + 28.0), Side::Left, "← faster than the peer")
        .text("soft", (one + 8.0, bottom + 28.0), Side::Right, "slower →");
    for (row, outcome) in report.contests.iter().enumerate() {
        canvas = draw(canvas, outcome, &scale, TOP + ROW * (row as f64 + 0.5));
    }
    canvas.finish()
}

/// All that has a place on the scale.
fn values(outcome: &Outcome) -> Vec<f64> {
    let (low, high) = outcome.rival().quartiles;
    let others = outcome.peers.iter().map(|peer| peer.ratio);
    others.chain([low, high]).chain(outcome.target.as_ref().map(|target| target.at_most)).collect()
}

fn draw(canvas: Canvas, outcome: &Outcome, scale: &Scale, y: f64) -> Canvas {
    let (rival, text) = (outcome.rival(), y + 4.0);
    let (one, end) = (scale.place(1.0), scale.place(rival.ratio));
    let class = match outcome.verdict() {
        None => "plain",
        Some(Verdict::Met) => "met",
        Some(Verdict::WithinNoise) => "near",
        Some(Verdict::Missed) => "missed",
    };
    let [low, high] = [rival.quartiles.0, rival.quartiles.1].map(|ratio| scale.place(ratio));
    let mut canvas = canvas
        .text("", (PLOT.0 - 12.0, text), Side::Left, &outcome.work)
        .bar(class, (one.min(end), y - BAR / 2.0), ((one - end).abs().max(1.0), BAR))
        .line("spread", (low, y), (high, y));
    for peer in outcome.peers.iter().filter(|peer| peer.name != rival.name) {
        canvas = canvas.ring("other", (scale.place(peer.ratio), y));
    }
    let mut words = format!("{:.2} × {}", rival.ratio, rival.name);
    if let Some(target) = &outcome.target {
        let x = scale.place(target.at_most);
        canvas = canvas.line("target", (x, y - ROW / 2.0 + 2.0), (x, y + ROW / 2.0 - 2.0));
        words += &format!(" (≤ {:.2})", target.at_most);
    }
    canvas.text("", (PLOT.1 + 14.0, text), Side::Right, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{SCHEMA, tests::outcome};

    #[test]
    fn the_chart_says_where_we_lead() {
        let contests = vec![outcome(1.4), outcome(1.6)];
        let picture = of(&Report { schema: SCHEMA, rounds: 8, cpus: 1, contests });
        assert!(picture.contains("in 0 of 2 contests · 2 targets: 1 met"), "{picture}");
        assert!(picture.contains("1.50 × Arc&lt;fast&gt; (≤ 1.40)"), "{picture}");
        assert!(picture.contains(r#"class="missed""#) && picture.contains(r#"class="met""#));
        assert_eq!(picture.matches(r#"class="other""#).count(), 2, "the slow peer of both");
    }
}
