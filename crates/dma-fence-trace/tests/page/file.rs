//! What is written, without a browser.

use dma_fence_trace::html;
use dma_fence_trace::report::{Report, Verdict, Verdicts};
use serde_json::Value;

use crate::samples;

const WARNING: &str = "it is <cut> off";

pub(crate) fn page(report: &Report, title: &str) -> String {
    let mut bytes = Vec::new();
    html::write(report, title, &[WARNING.into()], &mut bytes).expect("a vector takes everything");
    String::from_utf8(bytes).expect("a page is text")
}

fn data(page: &str) -> Value {
    let (_, data) = page.split_once("id=\"data\">").expect("the page has data");
    let (data, _) = data.split_once("</script>").expect("the data end");
    serde_json::from_str(data).expect("the data are JSON")
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    let page = page(&samples::frozen(), "frozen.txt");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(!page.contains("/*{"), "a marker was left");
    for never in
        ["http:", "https:", "src=", "href=", "url(", "@import", "import(", "fetch(", "innerHTML"]
    {
        assert!(!page.contains(never), "{never}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn names_can_not_end_the_data_and_arrive_as_they_are() {
    let report = samples::hostile();
    let page = page(&report, samples::HOSTILE[0]);
    let plain = self::page(&samples::chain(), "chain");
    for tag in ["<script", "</script", "<img", "<!--"] {
        assert_eq!(page.matches(tag).count(), plain.matches(tag).count(), "{tag}");
    }
    let data = data(&page);
    assert_eq!(data["title"], samples::HOSTILE[0]);
    let names = data["names"].as_array().unwrap();
    for name in samples::HOSTILE {
        assert_eq!(names.iter().filter(|one| *one == name).count(), 1, "{name:?} once");
    }
}

#[test]
fn times_count_from_the_beginning_and_names_are_indexes() {
    let data = data(&page(&samples::chain(), "chain"));
    assert_eq!(data["origin"], samples::BEGIN.to_string());
    assert_eq!((&data["begin"], &data["end"]), (&0.into(), &(3_000 * samples::MS).into()));
    let fences = &data["fences"];
    for (name, column) in fences.as_object().unwrap() {
        assert_eq!(column.as_array().unwrap().len(), 28, "{name}");
    }
    // Most urgent first: the root, on the first ring, then those behind it.
    let name = |column: &str, fence: usize| {
        data["names"][fences[column][fence].as_u64().unwrap() as usize].as_str().unwrap()
    };
    assert_eq!((name("driver", 0), name("timeline", 0)), ("drm_sched", "copy"));
    assert_eq!((name("timeline", 1), name("timeline", 3)), ("gfx", "compute"));
    assert_eq!(data["verdicts"][fences["verdict"][0].as_u64().unwrap() as usize], "never");
    assert_eq!(data["blames"][0], serde_json::json!([1, 0, 10, 9, "dependency"]));
    assert_eq!(data["jobs"][0]["hardware"], serde_json::json!([null, 99, 4]));
    assert_eq!(data["waits"][0][4], true);
}

#[test]
fn a_fence_that_was_there_before_the_trace_begins_before_it() {
    let mut report = samples::frozen();
    let old = &mut report.fences[0];
    (old.init_ns, old.age_ns) = (None, 9_000 * samples::MS);
    old.waiters[0].waited_ns = 5_000 * samples::MS;
    let data = data(&page(&report, "old"));
    let begin = data["begin"].as_u64().unwrap();
    assert_eq!(begin, (9_000 - 5_360) * samples::MS, "the origin is when it was first known");
    assert_eq!(data["fences"]["start"][0], 0);
    assert_eq!(data["fences"]["init"][0], Value::Null);
}

#[test]
fn a_number_that_was_used_again_means_the_fence_of_that_time() {
    let mut report = samples::chain();
    let mut again = report.fences[0].clone();
    again.init_ns = Some(samples::BEGIN + 2_999 * samples::MS);
    again.age_ns = samples::MS;
    report.fences.push(again);
    let blames = &data(&page(&report, "again"))["blames"];
    // The one behind is pending to the end, when the later of the two was there.
    assert_eq!(blames[0][1], report.fences.len() - 1);
    report.fences.last_mut().unwrap().init_ns = Some(samples::BEGIN + 3_100 * samples::MS);
    assert_eq!(data(&page(&report, "again"))["blames"][0][1], 0);
}

#[test]
fn containers_of_a_name_share_a_track_and_a_context_has_its_own() {
    let mut report = samples::frozen();
    let mut row = report.timelines[0].clone();
    (row.driver, row.timeline, row.context) = ("dma_fence_array".into(), "unbound".into(), None);
    report.timelines.push(row);
    for context in [90, 91, 92] {
        report.fences.push(samples::fence((context, 1), "dma_fence_array", "unbound", 0, 5));
    }
    // Detached before the trace began: its names are not its timeline's.
    report.fences.push(samples::fence((3, 90), "detached-driver", "signaled-timeline", 0, 5));
    let data = data(&page(&report, "tracks"));
    let tracks = data["fences"]["track"].as_array().unwrap();
    let first = report.fences.len() - 4;
    assert_eq!(tracks[first..first + 3], [4, 4, 4]);
    assert_eq!(tracks[first + 3], tracks[0], "3:90 is where 3:21 is");
    assert_eq!(data["tracks"].as_array().unwrap().len(), 5);
}

/// The mood of the headline, and all that it says.
fn words(report: &Report) -> (String, String) {
    let headline = &data(&page(report, "words"))["headline"];
    let words = headline["words"].as_array().unwrap();
    let texts = words.iter().map(|sentence| sentence["text"].as_str().unwrap());
    let title = headline["title"].as_str().unwrap();
    (
        headline["mood"].as_str().unwrap().to_owned(),
        format!("{title}\n{}", texts.collect::<Vec<_>>().join("\n")),
    )
}

#[test]
fn the_headline_names_who_is_to_blame_and_who_waits() {
    let (mood, text) = words(&samples::frozen());
    assert_eq!(mood, "stuck");
    for part in [
        "driver sw_sync, timeline nv-prime-ring never signaled",
        "3:21",
        "5.04 s",
        "Xorg (pid 812)",
        "1:21",
        "kworker/u8:0 (pid 10)",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let mut report = samples::frozen();
    report.fences.truncate(1);
    report.verdicts = Verdicts::default();
    report.fences[0].verdict = Verdict::PendingAtEnd;
    assert!(words(&report).1.starts_with("Stuck, it seems: "), "somebody waits");
    report.fences[0].waiters.clear();
    assert_eq!(words(&report).0, "fine");
    report.fences[0].verdict = Verdict::Lost;
    assert_eq!(words(&report).0, "fine", "nobody waited");
    report.fences[0].abandoned_ns = report.fences[0].init_ns;
    report.fences[0].certain = false;
    let text = words(&report).1;
    assert!(text.starts_with("Lost: ") && text.contains("programs that poll leave no trace"));
    assert!(text.contains("not certain"), "{text}");
    let mut report = samples::frozen();
    report.fences.retain(|fence| fence.signaled_ns.is_some());
    let (mood, text) = words(&report);
    assert!(
        mood == "doubtful" && text.contains("8:400") && text.contains("500 ms longer"),
        "{text}"
    );
    report.fences.retain(|fence| fence.late_ns.is_none());
    report.verdicts = Verdicts::default();
    assert_eq!(words(&report).0, "fine");
}

#[test]
fn the_headline_is_no_all_clear_where_the_text_is_none() {
    let doubtful = |report: &Report, title: &str, more: &str| {
        let (mood, text) = words(report);
        assert!(mood == "doubtful" && text.starts_with(title) && text.contains(more), "{text}");
    };
    let mut report = samples::frozen();
    report.fences.retain(|fence| fence.verdict == Verdict::Ok);
    doubtful(&report, "Nothing of what was asked for is stuck or late", "3 other fences are");
    report.fences[0].error = Some(-5);
    doubtful(&report, "Errors, but nothing is stuck", "1 signaled with an error, first 3:1 of ");
    report.fences.clear();
    (report.events, report.verdicts) = (0, Verdicts::default());
    doubtful(&report, "No fences in this trace", "");
}

#[test]
fn what_is_wrong_with_the_trace_is_noted_first() {
    let report = samples::frozen();
    let notes = &data(&page(&report, "cut"))["notes"];
    assert_eq!(*notes, serde_json::json!([WARNING, report.notes[0]]));
}

#[test]
fn nothing_to_show_is_shown_too() {
    let data = data(&page(&samples::report(Vec::new(), 0), ""));
    assert_eq!(data["headline"]["mood"], "doubtful");
    assert_eq!(data["tracks"], serde_json::json!([]));
}
