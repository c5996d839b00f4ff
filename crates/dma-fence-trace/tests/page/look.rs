//! What is seen.

use crate::browser::Browser;
use crate::picture::{ARROW, STUCK, WAIT};
use crate::samples;

#[test]
fn it_loads_silently_and_what_is_stuck_is_red() {
    let Some(mut browser) = Browser::show(&samples::frozen()) else { return };
    let chart = browser.place("#chart");
    let light = browser.screenshot("frozen-light");
    assert!(light.colours() > 40, "{} colours", light.colours());
    assert_eq!(light.bars(STUCK[0], plot(chart)).len(), 2);
    browser.theme("dark");
    let dark = browser.screenshot("frozen-dark");
    assert_eq!(dark.bars(STUCK[1], plot(chart)).len(), 2);
    let corner = (chart[2] - 3, chart[3] - 3);
    assert_ne!(light.at(corner.0, corner.1), dark.at(corner.0, corner.1));
    browser.assert_silent();
}

#[test]
fn arrows_show_who_waits_for_what_and_threads_that_wait_are_marked() {
    let Some(mut browser) = Browser::show(&samples::chain()) else { return };
    let plot = plot(browser.place("#chart"));
    let picture = browser.screenshot("arrows");
    let bars = picture.bars(STUCK[0], plot);
    for (upper, lower) in [(0, 1), (1, 2)] {
        // From the one ring's stuck job up to the other's, across what is between.
        let (top, bottom) = (bars[upper].1 + 6, bars[lower].1 - 18);
        for y in top..bottom {
            assert!(
                picture.count(ARROW, [plot[0], y, plot[2], y + 1]) > 0,
                "{upper}, {lower}: {y}"
            );
        }
        assert!(bottom > top + 15, "rings have rows of their own");
    }
    let mut marks = |report| {
        browser.open(&report);
        // The headline above it has more to say if nothing is to blame but itself.
        let plot = self::plot(browser.place("#chart"));
        let picture = browser.screenshot("marks");
        (picture.count(ARROW, plot), picture.count(WAIT, plot))
    };
    let mut report = samples::chain();
    let (arrows, waits) = marks(report.clone());
    assert!(arrows > 60 && waits > 600, "{arrows} {waits}");
    report.fences.iter_mut().for_each(|fence| fence.blamed_on.clear());
    let without = marks(report.clone());
    assert!(without.0 == 0 && without.1 > 600, "{without:?}");
    report.fences.iter_mut().for_each(|fence| fence.waiters.clear());
    assert_eq!(marks(report), (0, 0));
    browser.assert_silent();
}

#[test]
fn it_fits_a_narrow_window_and_a_dense_screen() {
    let Some(mut browser) = Browser::show(&samples::frozen()) else { return };
    browser.key("j");
    browser.resize((720, 900), 2);
    let chart = browser.place("#chart");
    let picture = browser.screenshot("narrow");
    assert_eq!((picture.width, picture.height()), (1440, 1800));
    let dense = plot(chart).map(|edge| edge * 2);
    assert_eq!(picture.bars(STUCK[0], dense).len(), 2);
    assert!(chart[2] <= 720 && chart[3] - chart[1] > 200, "{chart:?}");
    assert_eq!(browser.value("document.documentElement.scrollWidth"), 720);
    browser.assert_silent();
}

#[test]
fn nothing_is_red_if_nothing_is_stuck() {
    let mut report = samples::frozen();
    report.fences.retain(|fence| fence.signaled_ns.is_some());
    let Some(mut browser) = Browser::show(&report) else { return };
    let chart = browser.place("#chart");
    let picture = browser.screenshot("late");
    assert!(picture.bars(STUCK[0], plot(chart)).is_empty());
    assert!(browser.text("h1").starts_with("Late: "));
    browser.open(&samples::report(Vec::new(), 0));
    assert_eq!(browser.text("h1"), "No fences in this trace");
    browser.screenshot("empty");
    browser.assert_silent();
}

#[test]
fn hostile_names_are_shown_as_they_are() {
    let Some(mut browser) = Browser::show(&samples::hostile()) else { return };
    browser.screenshot("hostile");
    let list = browser.text("#problems");
    for shown in [
        samples::HOSTILE[0],
        samples::HOSTILE[1],
        "two⟨U+000A⟩lines⟨U+0009⟩and \u{fffd}cut",
        samples::HOSTILE[3],
        "turned ⟨U+202E⟩around⟨U+0000⟩",
    ] {
        assert!(list.contains(shown), "{shown}\n{list}");
    }
    for _ in samples::HOSTILE {
        browser.key("j");
        let panel = browser.text("#selected");
        assert!(panel.contains("still waits"), "{panel}");
    }
    assert_eq!(browser.value("document.images.length + document.scripts.length"), 2);
    browser.assert_silent();
}

/// The chart without the names and the time axis.
pub(crate) fn plot([left, top, right, bottom]: [usize; 4]) -> [usize; 4] {
    [left + 232, top + 40, right, bottom]
}
