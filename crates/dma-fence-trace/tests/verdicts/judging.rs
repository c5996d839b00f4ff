//! When a fence is stuck, late, lost or fine.

use dma_fence_trace::report::Verdict;
use dma_fence_trace::{Filter, Options};

use crate::script::{blames, find, judge, report, text, usual, verdicts, with_threshold};

const PENDING: &str = "
    game-7 1.0 init gpu/gfx 5:1
    Xorg-9 1.1 wait_start gpu/gfx 5:1";

#[test]
fn a_fence_that_never_signals() {
    let report = report(PENDING, 4.0);
    assert_eq!(verdicts(&report), ["5:1 never"]);
    assert!(report.stuck);
    let fence = find(&report, 5, 1);
    assert_eq!((fence.init_ns, fence.signaled_ns), (Some(1_000_000_000), None));
    assert_eq!((fence.age_ns, fence.root, fence.certain), (3_000_000_000, true, true));
    let waiter = &fence.waiters[0];
    assert_eq!((&*waiter.comm, waiter.pid, waiter.since_ns), ("Xorg", Some(9), 1_100_000_000));
    assert_eq!((waiter.waited_ns, waiter.open), (2_900_000_000, true));
    assert_eq!(fence.made_by.as_ref().unwrap().comm, "game");
}

#[test]
fn a_young_fence_is_only_pending() {
    let report = report(PENDING, 1.9);
    assert_eq!(verdicts(&report), ["5:1 pending-at-end"]);
    assert!(!report.stuck);
    let told = report.notes.iter().any(|note| note.contains("too soon"));
    assert!(!told, "the end was given: {:?}", report.notes);
    let report = judge(text(PENDING).as_bytes(), Options::default(), None);
    assert!(report.notes.iter().any(|note| note.contains("--end")), "{:?}", report.notes);
}

#[test]
fn the_trace_can_say_when_it_ended() {
    let script = format!("{PENDING}\n|# tracing ended at 4.000000");
    let report = judge(text(&script).as_bytes(), Options::default(), None);
    assert_eq!(verdicts(&report), ["5:1 never"]);
    assert_eq!((report.last_ns, report.end_ns), (1_100_000_000, 4_000_000_000));
    assert_eq!(report.span_ns, 3_000_000_000);
}

#[test]
fn an_end_before_the_last_event_changes_nothing() {
    assert_eq!(report(PENDING, 0.5).end_ns, 1_100_000_000);
}

#[test]
fn a_slow_timeline_may_be_slow() {
    // Its fences take 2 s: 10 times that is 20 s.
    let mut script = String::new();
    for n in 0..120 {
        script +=
            &format!("a-7 {n}.0 init gpu/video 5:{n}\n b-2 {}.0 signaled gpu/video 5:{n}\n", n + 2);
    }
    script += "a-7 130.0 init gpu/video 5:200";
    assert_eq!(verdicts(&report(&script, 149.0)), ["5:200 pending-at-end"]);
    assert_eq!(verdicts(&report(&script, 151.0)), ["5:200 never"]);
}

#[test]
fn one_late_fence_does_not_excuse_the_next() {
    let mut script = usual("gpu/gfx", 5, 1, 20);
    script += "
        game-7 1.0 init gpu/gfx 5:50
        irq-2 4.0 signaled gpu/gfx 5:50
        game-7 5.0 init gpu/gfx 5:51
        irq-2 8.0 signaled gpu/gfx 5:51
        game-7 9.0 init gpu/gfx 5:52";
    let report = report(&script, 12.0);
    assert_eq!(verdicts(&report), ["5:52 never", "5:50 late", "5:51 late"]);
    let late = find(&report, 5, 50);
    // 250 ms are allowed, for 5 times the median is less.
    assert_eq!(
        (late.age_ns, late.late_ns, late.outlier),
        (3_000_000_000, Some(2_750_000_000), false)
    );
}

#[test]
fn an_outlier_of_its_timeline_is_late() {
    let mut script = usual("gpu/gfx", 5, 1, 20);
    script += "game-7 1.0 init gpu/gfx 5:50\n irq-2 1.6 signaled gpu/gfx 5:50";
    let report = report(&script, 2.0);
    assert_eq!(verdicts(&report), ["5:50 late"]);
    assert!(find(&report, 5, 50).outlier);
    // Not noticed by anybody.
    let script = script.replace("irq-2 1.6", "irq-2 1.24");
    assert_eq!(verdicts(&self::report(&script, 2.0)), [""; 0]);
    // And a lonely one has nothing to be compared with.
    let lonely = "game-7 1.0 init gpu/gfx 6:50\n irq-2 1.6 signaled gpu/gfx 6:50";
    assert_eq!(verdicts(&self::report(lonely, 2.0)), [""; 0]);
}

#[test]
fn a_given_threshold_is_all_that_counts() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-2 1.3 signaled gpu/gfx 5:1
        a-7 1.5 init gpu/gfx 5:2
        a-7 2.0 init gpu/gfx 5:3";
    assert_eq!(
        verdicts(&with_threshold(script, 0.2)),
        ["5:2 never", "5:1 late", "5:3 pending-at-end"]
    );
    assert_eq!(verdicts(&with_threshold(script, 0.4)), ["5:2 never", "5:3 pending-at-end"]);
    let late = with_threshold(script, 0.2);
    let late = find(&late, 5, 1);
    assert_eq!((late.late_ns, late.outlier), (Some(100_000_000), false));
}

#[test]
fn a_long_wait_makes_a_fence_without_beginning_stuck() {
    let report = report("Xorg-9 1.0 wait_start gpu/gfx 5:1", 3.0);
    assert_eq!(verdicts(&report), ["5:1 never"]);
    let fence = find(&report, 5, 1);
    assert!(!fence.certain && fence.init_ns.is_none(), "{fence:?}");
    assert!(report.notes.iter().any(|note| note.contains("before the trace began")));
}

#[test]
fn a_wait_that_timed_out_has_ended() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        b-9 1.1 wait_start gpu/gfx 5:1
        b-9 1.2 wait_end gpu/gfx 5:1";
    let report = report(script, 4.0);
    assert_eq!(verdicts(&report), ["5:1 never"]);
    let waiter = &find(&report, 5, 1).waiters[0];
    assert_eq!((waiter.open, waiter.waited_ns), (false, 100_000_000));
}

#[test]
fn containers_are_unobserved_and_others_lost() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init dma_fence_array/unbound 6:1
        a-7 1.0 init dma_fence_chain/unbound 7:1
        a-7 1.0 init own/chain 8:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=chain context=8 seqno=1 member=5:1
        a-7 1.1 destroy gpu/gfx 5:1
        a-7 1.1 destroy dma_fence_array/unbound 6:1
        a-7 1.1 destroy dma_fence_chain/unbound 7:1
        a-7 1.1 destroy own/chain 8:1";
    let report = report(script, 2.0);
    assert_eq!(verdicts(&report), ["5:1 lost"]);
    assert_eq!((report.verdicts.lost, report.verdicts.unobserved), (1, 3));
    assert!(!report.stuck, "nobody waited");
}

#[test]
fn what_is_lost_while_somebody_waits_is_stuck() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        b-9 1.1 wait_start gpu/gfx 5:1
        a-7 1.2 destroy gpu/gfx 5:1";
    let report = report(script, 2.0);
    assert_eq!(verdicts(&report), ["5:1 lost"]);
    assert!(report.stuck);
}

#[test]
fn what_was_there_before_the_trace_is_not_lost() {
    let script = "
        a-7 1.0 destroy gpu/gfx 5:1
        a-7 1.0 signaled gpu/gfx 5:2
        a-7 1.0 destroy gpu/gfx 5:2
        a-7 1.0 destroy detached-driver/signaled-timeline 5:3";
    assert_eq!(verdicts(&report(script, 9.0)), [""; 0]);
}

/// Newer kernels print other names for what has signaled, whether the signal was seen or not.
#[test]
fn names_that_change_after_the_signal() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-2 1.1 signaled gpu/gfx 5:1
        b-9 1.2 wait_start detached-driver/signaled-timeline 5:1
        a-7 1.3 init gpu/gfx 5:2
        b-9 1.4 wait_end detached-driver/signaled-timeline 5:2
        a-7 1.3 init gpu/gfx 5:3
        a-7 1.4 destroy detached-driver/signaled-timeline 5:3";
    let report =
        judge(text(script).as_bytes(), Options { all: true, ..Options::default() }, Some(9.0));
    assert!(report.fences.iter().all(|fence| fence.verdict == Verdict::Ok), "{:#?}", report.fences);
    assert!(report.fences.iter().all(|fence| fence.timeline == "gfx" && fence.driver == "gpu"));
    assert!(!find(&report, 5, 2).certain, "its signal was not seen");
}

#[test]
fn fences_that_are_emitted_begin_there() {
    let script = "
        a-7 1.0 init virtio_gpu/controlq 1:0
        a-7 5.0 emit virtio_gpu/controlq 1:1
        a-2 5.1 signaled virtio_gpu/controlq 1:1
        a-7 6.0 init virtio_gpu/controlq 1:0";
    let report =
        judge(text(script).as_bytes(), Options { all: true, ..Options::default() }, Some(9.0));
    assert_eq!(verdicts(&report), ["1:1 ok"], "1:0 is no fence");
    let fence = find(&report, 1, 1);
    assert_eq!((fence.init_ns, fence.emit_ns), (Some(1_000_000_000), Some(5_000_000_000)));
    assert_eq!(report.timelines[0].max_ns, Some(100_000_000));
    // One that was emitted and never signals is a fence like any other.
    let report = self::report(&format!("{script}\n a-7 6.1 emit virtio_gpu/controlq 1:2"), 9.0);
    assert_eq!(verdicts(&report), ["1:2 never"]);
}

#[test]
fn errors_are_told_and_losses_are_stuck() {
    let script = "
        a-7 1.0 init io/read 5:1
        a-7 1.0 init io/read 5:2
        a-7 1.0 init own/all 6:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=all context=6 seqno=1 member=5:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=all context=6 seqno=1 member=5:2
        a-2 1.1 signaled io/read 5:1 error=-5
        a-7 1.2 abandoned own/all 6:1
        a-7 1.2 abandoned io/read 5:2
        b-9 1.3 wait_start io/read 5:2
        b-9 1.3 wait_end io/read 5:2
        a-7 1.4 signaled io/read 5:2 error=-125";
    let report = report(script, 2.0);
    assert_eq!(verdicts(&report), ["5:2 lost", "6:1 lost", "5:1 ok"]);
    assert_eq!(blames(&report), ["6:1 member 5:2"]);
    assert!(report.stuck && find(&report, 5, 2).root && !find(&report, 6, 1).root);
    assert_eq!(find(&report, 5, 1).error, Some(-5));
    let lost = find(&report, 5, 2);
    assert_eq!((lost.abandoned_ns, lost.error), (Some(1_200_000_000), Some(-125)));
}

/// A sequence number is compared modulo 2³², and so are the scheduler's 64 bits.
#[test]
fn numbers_wrap() {
    let mut script = usual("sw_sync/wrap", 8, u32::MAX - 2, 6);
    script += "
        |a-7 [000] ..... 1.000000: drm_sched_job_queue: dev=d, fence=4294967304:4294967297, ring=wrap, job count:0, hw job count:0, client_id:1
        a-7 1.0 init sw_sync/wrap 8:5";
    let report = report(&script, 3.0);
    assert_eq!(report.timelines[0].signaled, 6);
    assert_eq!(verdicts(&report), ["8:1 ok", "8:5 never"][1..]);
}

#[test]
fn a_number_that_comes_again_is_another_fence() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-2 1.1 signaled gpu/gfx 5:1
        a-7 1.2 init gpu/gfx 5:1
        a-7 1.3 init gpu/gfx 5:1";
    let report = report(script, 9.0);
    assert_eq!(verdicts(&report), ["5:1 never"]);
    assert_eq!(find(&report, 5, 1).init_ns, Some(1_300_000_000));
    assert!(report.notes.iter().any(|note| note.contains("several traces")), "{:?}", report.notes);
}

#[test]
fn old_kernels_print_no_context() {
    let script = "
        |a-7 [000] ..... 1.000000: dma_fence_init: driver=gpu timeline=gfx seqno=1
        |a-7 [000] ..... 1.100000: dma_fence_init: driver=gpu timeline=copy seqno=1
        |a-7 [000] ..... 1.200000: dma_fence_signaled: driver=gpu timeline=gfx seqno=1";
    let report = report(script, 9.0);
    assert_eq!(report.fences.len(), 1);
    assert_eq!((&*report.fences[0].timeline, report.fences[0].verdict), ("copy", Verdict::Never));
    assert!(report.notes.iter().any(|note| note.contains("no contexts")), "{:?}", report.notes);
}

#[test]
fn what_is_urgent_comes_first() {
    let script = "
        a-7 1.0 init gpu/idle 4:1
        a-7 1.0 init gpu/gfx 5:1
        b-9 1.1 wait_start gpu/gfx 5:1
        a-7 1.0 init gpu/slow 6:1
        a-2 4.0 signaled gpu/slow 6:1
        a-7 1.0 init gpu/gone 7:1
        a-7 1.2 destroy gpu/gone 7:1
        a-7 8.8 init gpu/young 8:1
        c-11 8.9 wait_start gpu/young 8:1
        a-7 8.8 init gpu/younger 9:1";
    let order = [
        "5:1 never",
        "4:1 never",
        "8:1 pending-at-end",
        "6:1 late",
        "7:1 lost",
        "9:1 pending-at-end",
    ];
    assert_eq!(verdicts(&report(script, 9.0)), order);
}

#[test]
fn percentiles_are_of_whole_fences() {
    let mut script = usual("gpu/gfx", 5, 1, 10);
    script += "
        b-9 0.5 signaled gpu/gfx 5:99
        a-7 0.6 init gpu/gfx 5:100
        b-9 0.6 wait_start gpu/gfx 5:100
        a-2 0.7 signaled gpu/gfx 5:100
        b-9 0.7 wait_end gpu/gfx 5:100";
    let report = report(&script, 1.0);
    let timeline = &report.timelines[0];
    assert_eq!((timeline.fences, timeline.signaled, timeline.pending), (11, 11, 0));
    assert_eq!((timeline.p50_ns, timeline.max_ns), (Some(10_000_000), Some(100_000_000)));
    assert_eq!((timeline.waits, timeline.wait_max_ns), (1, Some(100_000_000)));
    let last = timeline.last.as_ref().unwrap();
    assert_eq!((&*last.event, last.fence.seqno, &*last.comm), ("signaled", 100, "a"));
    assert_eq!(report.verdicts.ok, 11);
}

#[test]
fn filters_leave_the_reasons() {
    let script = "
        game-7 1.0 init gpu/gfx 5:1
        sway-8 1.1 init vkms/CRTC:45-crtc-0 1:1
        kworker/u8:0-10 1.2 wait_start gpu/gfx 5:1
        a-7 1.0 init gpu/other 6:1
        a-7 0.5 init gpu/early 7:1
        a-2 3.5 signaled gpu/early 7:1";
    let filtered = |filter: Filter| {
        let mut report = report(script, 9.0);
        report.filter(&filter);
        let mut all = verdicts(&report);
        all.sort();
        all
    };
    let timeline =
        |text: &str| filtered(Filter { timeline: Some(text.into()), ..Filter::default() });
    assert_eq!(timeline("vkms/CRTC"), ["1:1 never", "5:1 never"]);
    assert_eq!(timeline("6"), ["6:1 never"]);
    assert_eq!(timeline("nothing"), [""; 0]);
    let pid = |pid| filtered(Filter { pid: Some(pid), ..Filter::default() });
    assert_eq!(pid(8), ["1:1 never", "5:1 never"]);
    assert_eq!(pid(10), ["5:1 never"]);
    let since = filtered(Filter { since_ns: Some(4_000_000_000), ..Filter::default() });
    assert_eq!(since, ["1:1 never", "5:1 never", "6:1 never"]);
}

#[test]
fn without_anything_there_is_nothing() {
    let report = judge(b"", Options::default(), None);
    assert_eq!((report.events, report.fences.len(), report.timelines.len()), (0, 0, 0));
    assert!(!report.stuck);
}

/// i915 prints this timeline as soon as it has signaled, in the very event of the signal.
#[test]
fn names_of_i915() {
    let script = "
        a-7 1.0 init i915/game[7] 5:1
        a-2 1.1 signaled i915/signaled 5:1
        a-2 1.0 signaled i915/signaled 6:1
        a-7 1.2 init i915/Xorg[9] 6:2
        a-7 1.0 init i915/[i915] 0:0";
    let report = report(script, 9.0);
    assert_eq!(verdicts(&report), ["6:2 never"], "0:0 is not made yet");
    assert_eq!(find(&report, 6, 2).timeline, "Xorg[9]");
    let timelines: Vec<_> = report.timelines.iter().map(|timeline| &*timeline.timeline).collect();
    assert!(!timelines.contains(&"signaled"), "{timelines:?}");
}

/// Of a fence that was there before the trace, only this is seen.
#[test]
fn a_fence_that_somebody_asked_for() {
    let report = report("kwin-9 1.0 enable_signal i915/game[7] 5:1", 9.0);
    assert_eq!(verdicts(&report), ["5:1 never"]);
    assert!(find(&report, 5, 1).is_awaited());
}

#[test]
fn what_was_stuck_when_its_name_came_again() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        b-9 1.1 wait_start gpu/gfx 5:1
        a-7 9.0 init gpu/other 6:1
        a-2 9.1 signaled gpu/other 6:1
        a-7 2.0 init gpu/gfx 5:1
        a-2 2.1 signaled gpu/gfx 5:1";
    let report = report(script, 9.1);
    assert_eq!(verdicts(&report), ["5:1 never"]);
    assert!(!find(&report, 5, 1).certain);
}
