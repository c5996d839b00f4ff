//! 100,000 fences stay fluid.

use std::io::{self, Write};

use crate::browser::Browser;
use crate::look::plot;
use crate::samples;

/// What is measured of a page, in milliseconds; medians.
struct Measured {
    /// The page's own work for a frame that shows all of the trace.
    whole: f64,
    /// The same while one zooms, pans and scrolls.
    moving: f64,
}

/// Pans where all is shown, then zooms in and out at many places, pans and scrolls; a frame each.
const MOVES: &str = "(async () => {
    const box = chart.getBoundingClientRect();
    const next = () => new Promise(requestAnimationFrame);
    const work = { whole: [], moving: [] }, frames = [];
    let last = await next();
    for (let i = 0; i < 240; i++) {
        // Before the page's own request for a frame, and after it: what is between is its work.
        let begin = 0;
        requestAnimationFrame(() => { begin = performance.now(); });
        const [x, y] = [box.left + 300 + (i * 37) % (box.width - 320), box.top + 60 + (i * 13) % (box.height - 80)];
        const wheel = (by) => chart.dispatchEvent(new WheelEvent('wheel', { clientX: x, clientY: y, cancelable: true, ...by }));
        if (i < 60) wheel({ deltaX: i % 2 ? 3 : -3 });
        else if (i % 60 < 20) wheel({ deltaY: -150 });
        else if (i % 60 < 40) wheel({ deltaX: 60 });
        else wheel({ deltaY: 150 });
        if (i >= 60) scroller.scrollTop += 17;
        const now = await next();
        work[i < 60 ? 'whole' : 'moving'].push(performance.now() - begin);
        frames.push(now - last);
        last = now;
    }
    const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
    return [median(work.whole), median(work.moving), median(frames), frames.at(-1)];
})()";

fn measure(browser: &mut Browser, count: u32, tracks: u32) -> Measured {
    browser.open(&samples::many(count, tracks));
    let load = browser.value("performance.getEntriesByType('navigation')[0].loadEventEnd");
    let size = browser.value("document.getElementById('data').textContent.length / 1e6");
    let [load, size] = [load, size].map(|figure| figure.as_f64().expect("a number"));
    let moves = browser.value(MOVES);
    let [whole, moving, frame, slowest] =
        [0, 1, 2, 3].map(|i| moves[i].as_f64().expect("a number"));
    // Past the capture of output: whoever reads the log wants to know.
    let _ = writeln!(
        io::stderr(),
        "{count} fences on {tracks} timelines, {size:.1} MB: loaded in {load:.0} ms; a frame's work {whole:.1} ms \
         with all shown, {moving:.1} ms moving; frame to frame {frame:.1} ms; slowest {slowest:.1} ms"
    );
    Measured { whole, moving }
}

#[test]
fn a_hundred_thousand_fences_stay_fluid() {
    let Some(mut browser) = Browser::show(&samples::chain()) else { return };
    let few = measure(&mut browser, 2_000, 4);
    for tracks in [4, 1_000] {
        let many = measure(&mut browser, 100_000, tracks);
        // Fifty times the fences, then also 250 times the timelines. All of them would take as much longer;
        // what can be told apart on a screen does not.
        for (few, many) in [(few.whole, many.whole), (few.moving, many.moving)] {
            assert!(many < few.max(0.5) * 12.0, "{tracks} timelines: {few} and {many} ms");
        }
    }
    browser.key("0");
    let picture = browser.screenshot("many");
    assert!(picture.colours() > 40);
    let plot = plot(browser.place("#chart"));

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
