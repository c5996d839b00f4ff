//! What is seen.

use crate::browser::Browser;
use crate::picture::STUCK;
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
    assert_eq!(browser.text("h1"), "Nothing is stuck");
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
