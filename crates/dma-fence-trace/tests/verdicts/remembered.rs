//! What is still known of a fence when a thousand others have followed it, and when its name comes again.

use dma_fence_trace::Options;

use crate::script::{find, judge, report, text, usual, verdicts, with_threshold};

/// What a script says when it is long ago.
fn long_ago(script: &str) -> dma_fence_trace::Report {
    report(&format!("{script}\n{}", usual("gpu/gfx", 5, 1, 1100)), 31.0)
}

#[test]
fn errors_and_what_was_late() {
    let report = long_ago(
        "
        a-7 0.0 init io/read 7:1
        a-2 0.1 signaled io/read 7:1 error=-5
        a-7 0.1 destroy io/read 7:1
        a-7 0.0 init gpu/slow 8:1
        a-2 3.0 signaled gpu/slow 8:1
        a-7 3.0 destroy gpu/slow 8:1",
    );
    assert_eq!(verdicts(&report), ["8:1 late", "7:1 ok"]);
}

#[test]
fn what_began_before_the_trace_is_not_counted() {
    let report = long_ago("a-2 0.0 signaled gpu/copy 6:1\n a-7 0.1 destroy gpu/copy 6:1");
    assert_eq!((report.verdicts.ok, report.verdicts.lost), (1100, 0));
}

#[test]
fn the_slowest_of_very_many() {
    let script = "
        a-7 0.0 init gpu/gfx 5:9000
        a-2 0.5 signaled gpu/gfx 5:9000
        a-7 0.5 destroy gpu/gfx 5:9000"
        .to_owned()
        + "\n"
        + &usual("gpu/gfx", 5, 1, 2300);
    let report = with_threshold(&script, 0.005);
    assert_eq!(report.verdicts.late, 2301);
    assert!(report.late_not_listed > 0);
    assert_eq!(report.fences.len() as u64 + report.late_not_listed, 2301);
    assert_eq!(find(&report, 5, 9000).age_ns, 500_000_000);
}

#[test]
fn a_name_that_was_heard_of_long_before() {
    let script = "a-2 1.0 signaled gpu/gfx 5:1\n a-7 3.0 init gpu/gfx 5:1";
    assert_eq!(verdicts(&report(script, 9.0)), ["5:1 never"]);
}

/// The times of the second are not those of the first.
#[test]
fn two_boots_in_one_trace() {
    let script = "
        a-7 100.0 init gpu/gfx 5:1
        a-2 100.1 signaled gpu/gfx 5:1
        a-7 1.0 init gpu/gfx 5:2
        a-7 1.2 init gpu/gfx 5:3
        a-2 1.25 signaled gpu/gfx 5:3
        a-7 1.3 init gpu/gfx 5:2
        a-2 1.35 signaled gpu/gfx 5:2";
    assert_eq!(verdicts(&report(script, 100.1)), [""; 0]);
}

#[test]
fn a_context_of_another_name_is_another_traces() {
    let told = |driver: &str, first: &str, context: u32| {
        let script = format!(
            "a-7 1.0 init {driver}/{first} {context}:1
            a-2 1.1 signaled {driver}/{first} {context}:1
            a-7 2.0 init {driver}/gfx {context}:2"
        );
        let notes = report(&script, 9.0).notes;
        notes.into_iter().find(|note| note.contains("several traces in one"))
    };
    let note = told("gpu", "innocent", 5).expect("it is told");
    assert!(note.starts_with("context 5 was gpu/innocent first"), "{note}");
    assert!(note.contains("and gpu/gfx later"), "{note}");
    assert_eq!(told("gpu", "gfx", 5), None);
    assert_eq!(told("drm_sched", "comp", 5), None, "its queue went to another ring");
    assert_eq!(told("gpu", "stub", 0), None, "nobody has this context");
}

#[test]
fn a_signal_that_is_told_twice() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-2 1.1 signaled gpu/gfx 5:1
        a-2 5.0 signaled gpu/gfx 5:1";
    let report = report(script, 9.0);
    let timeline = &report.timelines[0];
    assert_eq!((timeline.signaled, timeline.max_ns), (1, Some(100_000_000)));
}

#[test]
fn fences_that_are_numbered_late() {
    let all = |script: &str| {
        let options = Options { all: true, ..Options::default() };
        judge(text(script).as_bytes(), options, Some(9.0))
    };
    // Its signal comes before its number.
    let report = all("
        a-7 1.0 init virtio_gpu/controlq 1:0
        a-2 1.100010 signaled virtio_gpu/controlq 1:1
        a-7 1.1 emit virtio_gpu/controlq 1:1");
    assert_eq!(report.timelines[0].max_ns, Some(10_000));
    // And this one had none.
    let report = all("
        a-7 1.0 init gpu/gfx 1:0
        a-2 1.1 signaled gpu/gfx 1:0
        a-7 1.2 emit gpu/gfx 1:1");
    assert_eq!(verdicts(&report), ["1:1 never", "1:0 ok"]);
}

#[test]
fn when_tracing_began_and_ended() {
    let script = "
        a-7 2.0 init gpu/gfx 5:1
        a-7 1.0 init gpu/copy 6:1
        |x-1 [000] ..... 7.000000: sched_switch: prev_comm=a
        |# tracing ended at 8.000000";
    let said = |end| report(script, end);
    assert_eq!((said(9.0).begin_ns, said(9.0).last_ns), (1_000_000_000, 7_000_000_000));
    assert_eq!(said(9.0).end_ns, 9_000_000_000, "it was said so");
    assert_eq!(said(6.0).end_ns, 8_000_000_000, "so it cannot be, but the trace says so, too");
}

#[test]
fn a_producer_that_works_lives() {
    let script = "
        a-7 2.0 init gpu/gfx 5:1
        a-2 1.9 signaled gpu/gfx 5:0";
    let report = report(script, 9.0);
    assert_eq!(report.timelines[0].last.as_ref().unwrap().event, "signaled");
}

#[test]
fn several_headers_and_a_first_buffer() {
    let script = "
        |# entries-in-buffer/entries-written: 5/10   #P:2
        |##### CPU 0 buffer started ####
        a-7 2.0 init gpu/gfx 5:1
        |# entries-in-buffer/entries-written: 5/7   #P:2";
    let report = report(script, 9.0);
    assert_eq!(report.lost, 7);
    assert!(report.notes.iter().all(|note| !note.contains("CPU 0")), "{:?}", report.notes);
}
