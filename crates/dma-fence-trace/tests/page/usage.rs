//! What one does with it, by real events of mouse and keys.

use crate::browser::Browser;
use crate::look::plot;
use crate::picture::STUCK;
use crate::samples;

#[test]
fn search_finds_a_fence() {
    let Some(mut browser) = Browser::show(&samples::frozen()) else { return };
    browser.key("/");
    browser.write("3:21");
    assert_eq!(browser.text("#found"), "1 match");
    browser.key("Enter");
    assert_eq!(browser.text("#found"), "1 of 1");
    assert_eq!(browser.text("#selected .id"), "3:21");
    for (query, found) in [
        ("3:", "21 matches"),
        ("NV-PRIME", "21 matches"),
        ("vkms never", "1 match"),
        ("stuck", "2 matches"),
        ("kworker", "21 matches"),
        ("4711", "0 matches"),
        ("late", "1 match"),
        ("virtio ring 1 400", "1 match"),
    ] {
        browser.value("query.value = ''");
        browser.write(query);
        assert_eq!(browser.text("#found"), found, "{query}");
    }
    // A pid, of those that wait and of those that made it.
    browser.value("query.value = ''");
    browser.write("812 3:21");
    assert_eq!(browser.text("#found"), "1 match");
    browser.value("query.value = ''");
    browser.write("crtc");
    browser.key("Escape");
    for (key, at) in
        [("n", "1 of 21"), ("n", "2 of 21"), ("N", "1 of 21"), ("N", "21 of 21"), ("n", "1 of 21")]
    {
        browser.key(key);
        assert_eq!(browser.text("#found"), at, "{key}");
    }
    assert_eq!(browser.text("#selected .id"), "1:21", "most urgent first");
    browser.screenshot("search");
    browser.assert_silent();
}

#[test]
fn a_click_on_a_red_bar_shows_its_chain_of_blame() {
    let Some(mut browser) = Browser::show(&samples::chain()) else { return };
    let chart = browser.place("#chart");
    let bars = browser.screenshot("chain").bars(STUCK[0], plot(chart));
    assert_eq!(bars.len(), 4, "{bars:?}");
    // The last lane: the job that is behind another one, which waits for another ring's.
    browser.mouse("mouseMoved", bars[3], 0);
    assert!(browser.text("#tip").contains("14:10"), "{}", browser.text("#tip"));
    browser.click(bars[3]);
    assert_eq!(browser.text("#selected .id"), "14:10");
    browser.screenshot("chain-selected");
    let chain = browser.text("#chain");
    let mut rest = chain.as_str();
    for link in ["it is behind 14:9", "it waits for 12:9", "it waits for 10:9", "the root"] {
        let Some((_, after)) = rest.split_once(link) else { panic!("{link} is not in {chain}") };
        rest = after;
    }
    assert!(browser.text("#say").starts_with("14:10, drm_sched / compute"));
    assert!(browser.text("#selected").contains("ollama:0 (pid 4242) still waits, for 2.49 s"));

    // Its last link goes to the root.
    let [left, top, right, bottom] = browser.place("#chain li li li .link");
    browser.click(((left + right) / 2, (top + bottom) / 2));
    assert_eq!(browser.text("#selected .id"), "10:9");
    assert!(
        browser.text("#selected").contains("Behind it\n\n12:9 drm_sched / gfx"),
        "{}",
        browser.text("#selected")
    );
    browser.key("Escape");
    assert_eq!(browser.text("#selected"), "");
    browser.assert_silent();
}

#[test]
fn what_overlaps_is_stacked_and_a_crowd_shares_a_lane() {
    let Some(mut browser) = Browser::show(&samples::crowd()) else { return };
    let [left, top, right, _] = plot(browser.place("#chart"));
    browser.screenshot("crowd");
    // Lanes are 20 high, after a margin of 6: eight fences, then the other 32.
    for (lane, shown) in [(0, "5:1"), (7, "5:8"), (8, "32 fences here")] {
        browser.mouse("mouseMoved", ((left + right) / 2, top + 6 + lane * 20 + 8), 0);
        assert!(browser.text("#tip").contains(shown), "{lane}: {}", browser.text("#tip"));
    }
    browser.mouse("mouseMoved", ((left + right) / 2, top + 6 + 9 * 20 + 8), 0);
    assert_eq!(browser.text("#tip"), "", "nothing is there");
    browser.mouse("mouseMoved", (left - 100, top + 20), 0);
    assert!(browser.text("#tip").contains("timeline ring 5\ncontext 5\n40 fences"));
    browser.assert_silent();
}

#[test]
fn keys_go_through_the_problems() {
    let Some(mut browser) = Browser::show(&samples::frozen()) else { return };
    let marked = "#problems [aria-current] .id";
    for (key, fence) in
        [("j", "3:21"), ("j", "1:21"), ("j", "8:400"), ("j", "3:21"), ("k", "8:400"), ("k", "1:21")]
    {
        browser.key(key);
        assert_eq!(browser.text("#selected .id"), fence);
        assert_eq!(browser.text(marked), fence);
    }
    browser.key("Escape");
    browser.value("chart.focus()");
    for fence in ["3:21", "1:21", "8:400"] {
        browser.key("Tab");
        let focused = browser.value("document.activeElement.innerText");
        assert!(focused.as_str().unwrap().starts_with(fence), "{focused}");
        assert_eq!(browser.text("#selected .id"), fence);
    }
    browser.value("chart.focus()");
    browser.key("[");
    assert_eq!(browser.text("#selected .id"), "8:18", "the one before in the timeline");
    browser.key("?");
    assert_eq!(browser.value("help.open"), true);
    browser.screenshot("help");
    browser.key("j");
    browser.key("Escape");
    assert_eq!(browser.value("help.open"), false);
    assert_eq!(browser.text("#selected .id"), "8:18");
    browser.assert_silent();
}

#[test]
fn zoom_and_pan_move_the_bars() {
    let Some(mut browser) = Browser::show(&samples::frozen()) else { return };
    let plot = plot(browser.place("#chart"));
    let begin = |browser: &mut Browser| {
        let bars = browser.screenshot("zoomed").bars(STUCK[0], plot);
        bars.first().map_or(0, |bar| bar.0)
    };
    let fitted = begin(&mut browser);
    let cursor = (fitted, plot[1] + 20);
    browser.wheel(cursor, -300);
    let zoomed = begin(&mut browser);
    assert!(zoomed.abs_diff(fitted) < 12, "what is at the cursor stays there: {fitted}, {zoomed}");
    // Twice as far from the cursor, so a step to the right is half as long in time.
    browser.key("ArrowRight");
    assert!(begin(&mut browser) < zoomed);
    browser.key("0");
    assert_eq!(begin(&mut browser), fitted);
    browser.key("+");
    assert!(begin(&mut browser) < fitted);
    browser.key("-");
    assert!(begin(&mut browser).abs_diff(fitted) <= 2);
    browser.mouse("mousePressed", (700, plot[3] - 30), 1);
    browser.mouse("mouseMoved", (760, plot[3] - 30), 1);
    browser.mouse("mouseReleased", (760, plot[3] - 30), 0);
    assert!((begin(&mut browser) - fitted).abs_diff(60) <= 4);
    browser.assert_silent();
}
