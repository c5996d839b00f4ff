//! The verdicts on real captures, against what the program that made them says of itself.

mod common;

use std::collections::BTreeSet;

use common::{capture, captures, truth};
use dma_fence_trace::report::{Fence, Report, Verdict};
use dma_fence_trace::{FenceId, Model, Options, Reader};
use serde_json::Value;

/// What is known of a capture when its tracing is known to have gone on until `end`.
fn analyze(file: &str, options: Options, end: Option<u64>) -> Report {
    let bytes = capture(file);
    let mut reader = Reader::new(&bytes[..]);
    let mut model = Model::new(options);
    while let Some(line) = reader.next().expect("a slice cannot fail") {
        model.line(&line);
    }
    model.report(end)
}

/// When tracing ended, as the program says. KUnit's captures end with their last event, and what `dma-fence record`
/// has written says it itself.
fn end(truth: &Value) -> Option<u64> {
    truth["trace_off_s"].as_f64().map(|seconds| (seconds * 1e9) as u64)
}

fn id(value: &Value) -> FenceId {
    let number = |key: &str| value[key].as_u64().expect("a number") as u32;
    FenceId { context: number("context"), seqno: number("seqno") }
}

/// The fences of a list, and whether they are the root.
fn listed(truth: &Value, list: &str) -> BTreeSet<(FenceId, bool)> {
    let list = truth[list].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|fence| (id(fence), fence["root"].as_bool().unwrap_or(true))).collect()
}

fn with(report: &Report, verdicts: &[Verdict]) -> BTreeSet<(FenceId, bool)> {
    let fences = report.fences.iter().filter(|fence| verdicts.contains(&fence.verdict));
    fences.map(|fence| (fence.id(), fence.root)).collect()
}

fn find(report: &Report, context: u32, seqno: u32) -> &Fence {
    let found = report.fences.iter().find(|fence| fence.id() == FenceId { context, seqno });
    found.unwrap_or_else(|| panic!("{context}:{seqno} is not reported"))
}

/// Captures that are judged by a program's log.
fn by_program() -> impl Iterator<Item = String> {
    captures()
        .into_iter()
        .filter(|file| !file.starts_with("sched-") && file != "sw-overwritten.txt")
}

#[test]
fn what_never_signaled_is_pending() {
    let mut stuck = 0;
    for file in by_program() {
        let truth = truth(&file);
        let report = analyze(&file, Options::default(), end(&truth));
        let expected = listed(&truth, "never_signaled");
        let found = with(&report, &[Verdict::Never, Verdict::PendingAtEnd]);
        assert_eq!(found, expected, "{file}: {:#?}", report.fences);
        stuck += expected.len();
        // The youngest of these is 460 ms old, which is too young to be sure of.
        let old = file != "sw-names.txt" && file != "sw-newline.txt";
        for fence in report.fences.iter().filter(|fence| fence.verdict == Verdict::PendingAtEnd) {
            assert!(!old, "{file}: {fence:?}");
        }
        assert_eq!(report.stuck, old && !expected.is_empty(), "{file}");
    }
    assert!(stuck > 8, "{stuck}");
}

#[test]
fn what_is_late_is_late() {
    for file in by_program() {
        let truth = truth(&file);
        let report = analyze(&file, Options::default(), end(&truth));
        let mut expected = listed(&truth, "late");
        expected.extend(listed(&truth, "timed_out_by_vgem"));
        assert_eq!(with(&report, &[Verdict::Late]), expected, "{file}");
    }
}

#[test]
fn what_is_gone_unsignaled_is_lost_or_was_never_observed() {
    for file in by_program() {
        let truth = truth(&file);
        let report = analyze(&file, Options { all: true, ..Options::default() }, end(&truth));
        let ids = |fences: BTreeSet<(FenceId, bool)>| -> BTreeSet<FenceId> {
            fences.into_iter().map(|(id, _)| id).collect()
        };
        let lost = ids(listed(&truth, "destroyed_unsignaled"));
        assert_eq!(ids(with(&report, &[Verdict::Lost])), lost, "{file}");
        let unobserved = ids(listed(&truth, "containers_never_signaled_because_nobody_waited"));
        let found = ids(with(&report, &[Verdict::Unobserved]));
        // Merging makes intermediate ones, which user space cannot see.
        assert!(found.is_superset(&unobserved), "{file}: {found:?} {unobserved:?}");
        let made = truth["fences"].as_array().map_or(0, Vec::len);
        assert!(report.fences.len() >= made.min(1), "{file}");
    }
}

#[test]
fn a_recording_tells_who_waits_for_what() {
    for (file, verdict) in [("record-hang.txt", Verdict::Never), ("record-late.txt", Verdict::Late)]
    {
        let truth = truth(file);
        let report = analyze(file, Options::default(), None);
        let fences = truth["fences"].as_array().expect("a list").iter().map(id);
        for FenceId { context, seqno } in fences.filter(|fence| fence.context != 4) {
            let fence = find(&report, context, seqno);
            assert!(fence.verdict == verdict && fence.certain, "{file}: {fence:?}");
            let root = FenceId { context: 3, seqno: 1 };
            let blamed: Vec<_> = fence.blamed_on.iter().map(|blame| blame.fence).collect();
            let expected = if fence.id() == root { vec![] } else { vec![root] };
            assert_eq!(blamed, expected, "{file}: {fence:?}");
            // By the fence that each has to do with, in the kernel or as one who asked to be told.
            let waiters = fence.waiters.iter().map(|waiter| (&*waiter.comm, waiter.pid));
            let askers = fence.asked_by.iter().map(|asker| (&*asker.comm, asker.pid));
            let waits = truth["waiters"].as_array().expect("a list").iter();
            let own = waits.filter(|wait| wait["fence"] == format!("{context}:{seqno}").as_str());
            let expected = own.map(|wait| {
                let tid = wait["tid"].as_u64().map(|tid| tid as u32);
                (wait["comm"].as_str().expect("a name"), tid)
            });
            let expected: Vec<_> = expected.collect();
            assert_eq!(waiters.chain(askers).collect::<Vec<_>>(), expected, "{file}: {fence:?}");
            assert_eq!(expected.len(), 1, "{file}");
        }
    }
}

#[test]
fn a_scheduler_chain_is_blamed_on_its_first_job() {
    for (file, verdict) in
        [("sched-chain-late.txt", Verdict::Late), ("sched-chain-never.txt", Verdict::Never)]
    {
        // The capture ends 235 ms after the job was queued.
        let threshold_ns = (verdict == Verdict::Never).then_some(200_000_000);
        let report = analyze(file, Options { threshold_ns, ..Options::default() }, None);
        let root = find(&report, 7, 2);
        assert!(root.root && root.verdict == verdict, "{file}: {root:?}");
        assert_eq!(report.fences[0].id(), root.id(), "{file}");
        for (context, seqno, on) in [(9, 2, (7, 2)), (11, 1, (9, 2))] {
            let blocked = find(&report, context, seqno);
            assert!(!blocked.root && blocked.verdict == verdict, "{file}: {blocked:?}");
            let on = FenceId { context: on.0, seqno: on.1 };
            assert!(blocked.blamed_on.iter().any(|blame| blame.fence == on), "{file}: {blocked:?}");
        }
        // The hardware's fence is of the same job.
        assert_eq!(root.job.as_ref().unwrap().hardware, Some(FenceId { context: 3, seqno: 2 }));
    }
}

/// No event has the error of the job that was cancelled; and the second job waited until the first one was done.
#[test]
fn a_cancelled_job_accuses_nobody() {
    let report = analyze("sched-cancel.txt", Options::default(), None);
    let late: Vec<_> =
        report.fences.iter().map(|fence| (fence.id().to_string(), fence.root)).collect();
    assert_eq!(late, [("7:1".into(), true), ("8:2".into(), false)]);
    assert_eq!(find(&report, 8, 2).blamed_on[0].fence, FenceId { context: 9, seqno: 1 });
    assert!(!report.stuck);
}

#[test]
fn nothing_is_wrong_with_the_scheduler() {
    for file in ["sched-basic.txt", "sched-pingpong.txt"] {
        let report = analyze(file, Options::default(), None);
        assert_eq!(report.fences, [], "{file}");
        assert!(!report.stuck);
    }
}

#[test]
fn what_an_overwritten_buffer_does_not_show_is_not_accused() {
    let truth = truth("sw-overwritten.txt");
    let report = analyze("sw-overwritten.txt", Options::default(), end(&truth));
    assert_eq!(with(&report, &[Verdict::Never, Verdict::Lost]), BTreeSet::new());
    assert!(!report.stuck);
    assert_eq!(report.lost, 1749 - 729);
    assert!(report.notes.iter().any(|note| note.contains("CPU 1")), "{:?}", report.notes);
    assert_eq!(report.fences[0].verdict, Verdict::Late);
    let pending = report.fences.iter().filter(|fence| fence.verdict == Verdict::PendingAtEnd);
    assert!(pending.clone().all(|fence| !fence.certain), "{:?}", report.fences);
}
