//! Who waits, and for how long.

use dma_fence_trace::report::Verdict;
use dma_fence_trace::{Options, report::Waiter};

use crate::script::{find, judge, report, text, usual, verdicts};

/// The waiters of 5:1, whatever became of it.
fn waiters(script: &str) -> Vec<Waiter> {
    let script = format!("a-7 1.0 init gpu/gfx 5:1\n{script}");
    let options = Options { all: true, ..Options::default() };
    let report = judge(text(&script).as_bytes(), options, Some(9.0));
    find(&report, 5, 1).waiters.clone()
}

#[test]
fn a_wait_whose_beginning_was_not_seen_is_none() {
    let waiters = waiters("b-9 1.1 wait_end gpu/gfx 5:1\n b-9 3.0 wait_start gpu/gfx 5:1");
    assert!(waiters.len() == 1 && waiters[0].open, "{waiters:?}");
}

#[test]
fn clocks_differ_at_both_ends() {
    let begin = "b-9 2.000090 wait_start gpu/gfx 5:1";
    let end = "b-9 2.000050 wait_end gpu/gfx 5:1";
    for script in [format!("{begin}\n{end}"), format!("{end}\n{begin}")] {
        let waiters = waiters(&script);
        assert!(waiters.len() == 1 && !waiters[0].open, "{waiters:?}");
    }
}

#[test]
fn only_its_own_thread_ends_a_wait() {
    let waiters = waiters("b-9 1.1 wait_start gpu/gfx 5:1\n c-11 1.2 wait_end gpu/gfx 5:1");
    assert!(waiters[0].open, "{waiters:?}");
}

#[test]
fn many_waits_that_ended_leave_room_for_one_that_has_not() {
    let mut script = String::new();
    for n in 0..64 {
        script += &format!("b-9 2.{n:03} wait_start gpu/gfx 5:1\n");
        script += &format!("b-9 2.{n:03}5 wait_end gpu/gfx 5:1\n");
    }
    let waiters = waiters(&(script + "c-11 3.0 wait_start gpu/gfx 5:1"));
    assert_eq!((waiters.len(), waiters[0].comm.as_str(), waiters[0].open), (64, "c", true));
    assert!(!waiters[1].open, "those that wait come first");
}

#[test]
fn nobody_waits_for_what_has_signaled() {
    let script = "
        a-2 1.1 signaled gpu/gfx 5:1
        b-9 1.2 wait_start detached-driver/signaled-timeline 5:1";
    assert_eq!(waiters(script), []);
}

/// Threads of the library can; those of the kernel cannot, so that the end of the first wait was lost.
#[test]
fn a_thread_waits_for_two() {
    let both = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init gpu/gfx 5:2
        b-9 1.1 wait_start gpu/gfx 5:1
        b-9 1.2 wait_start gpu/gfx 5:2";
    assert!(find(&report(both, 9.0), 5, 1).is_awaited());
    let lost = both.replace("b-9 1.2", "|CPU:1 [LOST 1 EVENTS]\n b-9 1.2");
    assert!(!find(&report(&lost, 9.0), 5, 1).is_awaited());
}

/// Its driver tells when it was emitted, which was late; somebody has waited for longer.
#[test]
fn the_longest_wait_decides() {
    let script = "
        b-9 1.0 wait_start gpu/gfx 5:1
        a-7 8.4 emit gpu/gfx 5:1
        c-11 8.5 wait_start gpu/gfx 5:1";
    assert_eq!(verdicts(&report(script, 9.0)), ["5:1 never"]);
}

#[test]
fn a_wait_goes_on_though_its_fence_is_long_over() {
    let script = "
        a-7 0.0 init gpu/copy 6:1
        b-9 0.0 wait_start gpu/copy 6:1
        a-2 0.1 signaled gpu/copy 6:1"
        .to_owned()
        + "\n"
        + &usual("gpu/gfx", 5, 1, 1100)
        + "b-9 30.0 wait_end gpu/copy 6:1";
    let report = report(&script, 31.0);
    let timeline = report.timelines.iter().find(|timeline| timeline.timeline == "copy").unwrap();
    assert_eq!((timeline.waits, timeline.wait_max_ns), (1, Some(30_000_000_000)));
}

#[test]
fn a_wait_that_timed_out_long_ago() {
    let script = "
        a-7 0.0 init gpu/copy 6:1
        b-9 0.0 wait_start gpu/copy 6:1
        b-9 0.1 wait_end gpu/copy 6:1"
        .to_owned()
        + "\n"
        + &usual("gpu/gfx", 5, 1, 1100);
    assert_eq!(find(&report(&script, 31.0), 6, 1).verdict, Verdict::Never);
}

/// Recorded when it was too late to see the fence made, while whoever needs it tries again and again.
#[test]
fn waits_that_time_out_for_what_was_made_before() {
    let waits = |until: &str| {
        let script = format!(
            "b-9 0.0 wait_start gpu/copy 6:1
            b-9 {until} wait_end gpu/copy 6:1\n"
        );
        report(&(script + &usual("gpu/gfx", 5, 1, 1100)), 31.0)
    };
    let report = waits("0.25");
    assert_eq!(verdicts(&report), ["6:1 never"]);
    assert!(report.stuck && !report.fences[0].certain);
    assert_eq!(verdicts(&waits("0.249")), [""; 0], "it may have signaled before");
}

#[test]
fn that_nobody_waits_is_told() {
    let told = |script: &str| {
        let report = report(script, 9.0);
        report.notes.iter().any(|note| note.contains("no waiter was seen"))
    };
    assert!(told("a-7 1.0 init gpu/gfx 5:1"));
    assert!(!told("a-7 1.0 init gpu/gfx 5:1\n b-9 1.1 wait_start gpu/gfx 5:1"));
}
