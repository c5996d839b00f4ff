//! What real kernels have printed, from the trace to the page.

use dma_fence_trace::report::Report;
use dma_fence_trace::{Model, Options, Reader};

use crate::browser::Browser;
use crate::common::{capture, truth};
use crate::look::plot;
use crate::picture::STUCK;

/// As `dma-fence analyze --html` makes it.
fn report(file: &str, threshold_ns: Option<u64>, end: Option<u64>) -> Report {
    let bytes = capture(file);
    let mut reader = Reader::new(&bytes[..]);
    let mut model = Model::new(Options { threshold_ns, all: true, ..Options::default() });
    while let Some(line) = reader.next().expect("a slice cannot fail") {
        model.line(&line);
    }
    model.report(end)
}

/// Types what one looks for, and goes to the only fence that is found.
#[track_caller]
fn select(browser: &mut Browser, fence: &str) {
    browser.key("/");
    browser.value("query.value = ''");
    browser.write(fence);
    browser.key("Enter");
    assert_eq!(browser.text("#found"), "1 of 1");
    assert_eq!(browser.text("#selected .id"), fence);
}

/// Everything in this order.
#[track_caller]
fn has(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { panic!("{part} is not in {text}") };
        rest = after;
    }
}

#[test]
fn a_frozen_display_is_blamed_on_the_ring() {
    let end = truth("kms-freeze.txt")["trace_off_s"].as_f64().expect("a time");
    let report = report("kms-freeze.txt", None, Some((end * 1e9) as u64));
    let Some(mut browser) = Browser::show(&report) else { return };
    assert_eq!(
        browser.text("h1"),
        "Stuck: a fence of driver sw_sync, timeline nv-prime-ring never signaled"
    );
    let words = ["3:21", "Behind it: fence 1:21 of driver vkms", "kworker/u8:0 (pid 10)"];
    has(&browser.text("#words"), &words);
    let plot = plot(browser.place("#chart"));
    assert_eq!(browser.screenshot("real-freeze").bars(STUCK[0], plot).len(), 2);

    select(&mut browser, "3:21");
    let selected = browser.text("#selected");
    has(&selected, &["sw_sync / nv-prime-ring", "kworker/u8:0 (pid 10) still waits", "1:21"]);
    assert_eq!(browser.text("#chain"), "", "it is the reason itself");
    browser.screenshot("real-freeze-root");
    select(&mut browser, "1:21");
    let chain = ["the display's worker waits for 3:21", "sw_sync / nv-prime-ring", "the root"];
    has(&browser.text("#chain"), &chain);
    browser.screenshot("real-freeze-victim");
    browser.assert_silent();
}

#[test]
fn a_chain_of_jobs_is_blamed_on_the_hardware_of_the_first() {
    // The capture ends 235 ms after the job was queued.
    let report = report("sched-chain-never.txt", Some(200_000_000), None);
    let Some(mut browser) = Browser::show(&report) else { return };
    has(&browser.text("h1"), &["Stuck: ", "driver drm_mock_sched, timeline gfx_0.0.0"]);
    has(&browser.text("#words"), &["Fence 3:2", "Behind it: 3 fences, the first 7:2"]);
    select(&mut browser, "11:1");
    let chain = ["9:2", "drm_sched / comp_1.0.0", "7:2", "3:2", "drm_mock_sched / gfx_0.0.0"];
    has(&browser.text("#chain"), &[&chain[..], &["the root"]].concat());
    browser.screenshot("real-jobs");
    browser.assert_silent();
}

#[test]
fn a_busy_machine_is_shown_whole() {
    let report = report("busy.txt", None, None);
    let Some(mut browser) = Browser::show(&report) else { return };
    assert_eq!(browser.text("h1"), "Nothing is stuck");
    assert_eq!(browser.text("#words"), "96,000 signaled in time.");
    has(&browser.text("#figures"), &["304,000 events", "96,000 fences", "9 timelines"]);
    let picture = browser.screenshot("real-busy");
    let plot = plot(browser.place("#chart"));
    assert!(picture.bars(STUCK[0], plot).is_empty());
    select(&mut browser, "3:21");
    has(&browser.text("#selected"), &["sw_sync / busy-b", "Signaled after 217 µs"]);
    browser.screenshot("real-busy-selected");
    browser.wheel(((plot[0] + plot[2]) / 2, plot[1] + 100), -2_000);
    browser.screenshot("real-busy-zoomed");
    browser.assert_silent();
}
