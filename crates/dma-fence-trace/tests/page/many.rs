//! 100,000 fences stay fluid.

use std::io::{self, Write};
use std::time::Instant;

use crate::browser::Browser;
use crate::look::plot;
use crate::samples;

/// What is measured of a page, in milliseconds.
struct Measured {
    load: f64,
    /// The page's own work for a frame.
    work: f64,
    /// From frame to frame, painting included.
    frame: f64,
    slowest: f64,
}

/// Zooms in and out at many places, pans and scrolls; a frame each.
const MOVES: &str = "(async () => {
    const box = chart.getBoundingClientRect();
    const next = () => new Promise(requestAnimationFrame);
    const work = [], frames = [];
    let last = await next();
    for (let i = 0; i < 240; i++) {
        // Before the page's own request for a frame, and after it: what is between is its work.
        let begin = 0;
        requestAnimationFrame(() => { begin = performance.now(); });
        const [x, y] = [box.left + 300 + (i * 37) % (box.width - 320), box.top + 60 + (i * 13) % (box.height - 80)];
        const wheel = { clientX: x, clientY: y, bubbles: true, cancelable: true };
        if (i % 60 < 20) chart.dispatchEvent(new WheelEvent('wheel', { ...wheel, deltaY: -150 }));
        else if (i % 60 < 40) chart.dispatchEvent(new WheelEvent('wheel', { ...wheel, deltaX: 60 }));
        else chart.dispatchEvent(new WheelEvent('wheel', { ...wheel, deltaY: 150 }));
        scroller.scrollTop += 17;
        const now = await next();
        work.push(performance.now() - begin);
        frames.push(now - last);
        last = now;
    }
    const sorted = (list) => list.sort((a, b) => a - b);
    sorted(work); sorted(frames);
    return [work[120], frames[120], frames[239]];
})()";

fn measure(browser: &mut Browser, count: u32, tracks: u32) -> Measured {
    let report = samples::many(count, tracks);
    let begin = Instant::now();
    browser.open(&report);
    let whole = begin.elapsed().as_secs_f64() * 1e3;
    let load = browser.value("performance.getEntriesByType('navigation')[0].loadEventEnd");
    let load = load.as_f64().expect("a number");
    let moves = browser.value(MOVES);
    let [work, frame, slowest] = [0, 1, 2].map(|i| moves[i].as_f64().expect("a number"));
    // Past the capture of output: whoever reads the log wants to know.
    let _ = writeln!(
        io::stderr(),
        "{count} fences on {tracks} timelines: loaded in {load:.0} ms (written and loaded {whole:.0} ms); \
         a frame's work {work:.1} ms, frame to frame {frame:.1} ms (medians), slowest {slowest:.1} ms"
    );
    Measured { load, work, frame, slowest }
}

#[test]
fn a_hundred_thousand_fences_stay_fluid() {
    let Some(mut browser) = Browser::show(&samples::chain()) else { return };
    let few = measure(&mut browser, 2_000, 1_000);
    let many = measure(&mut browser, 100_000, 1_000);
    // Fifty times the fences. Drawing them all would take fifty times as long; what can be seen does not.
    assert!(many.work < few.work.max(1.0) * 12.0, "{} and {} ms", few.work, many.work);
    assert!(many.frame <= many.slowest && few.load > 0.0 && many.load > 0.0);
    browser.key("0");
    let picture = browser.screenshot("many");
    assert!(picture.colours() > 40);
    let chart = browser.place("#chart");
    let plot = plot(chart);

    browser.key("/");
    browser.write("i915 ring_3.");
    let found = browser.text("#found");
    assert!(found.ends_with("matches") && found != "0 matches", "{found}");
    browser.key("Enter");
    assert!(browser.text("#selected").contains("i915 / ring_3."));
    browser.key("Escape");
    browser.key("j");
    browser.screenshot("many-selected");
    assert!(browser.text("#selected").contains("Why: what it waits for"));
    browser.wheel(((plot[0] + plot[2]) / 2, plot[1] + 100), -2_000);
    browser.screenshot("many-zoomed");
    browser.assert_silent();
}
