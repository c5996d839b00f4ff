//! Traces that no kernel should print, and what random ones have found.

use dma_fence_trace::culprits::Culprits;
use dma_fence_trace::report::Verdict;
use dma_fence_trace::{Filter, Options};

use crate::script::{blames, find, judge, report, text, usual, verdicts};

#[test]
fn two_that_are_stuck_have_one_name() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        b-9 1.1 wait_start gpu/gfx 5:1
        a-2 8.9 signaled gpu/other 6:1
        a-7 9.0 init gpu/gfx 5:1";
    let report = report(script, 19.0);
    let culprits = Culprits::of(&report);
    let made: Vec<_> = culprits.stuck[0].roots.iter().map(|root| root.init_ns).collect();
    assert_eq!(made, [Some(9_000_000_000), Some(1_000_000_000)]);
}

#[test]
fn of_two_with_one_name_each_has_its_reasons() {
    let script = "
        game-7 1.0 init gpu/gfx 5:1
        sway-8 1.1 init vkms/CRTC:45-crtc-0 1:1
        kworker/u8:0-10 1.2 wait_start gpu/gfx 5:1
        a-2 8.9 signaled gpu/other 6:1
        sway-8 9.0 init vkms/CRTC:45-crtc-0 1:1";
    let mut report = report(script, 19.0);
    assert_eq!(blames(&report), ["1:1 display 5:1"]);
    let culprits = Culprits::of(&report);
    assert_eq!(culprits.stuck[0].victims.len(), 1);
    report.filter(&Filter { timeline: Some("CRTC".into()), ..Filter::default() });
    assert_eq!(verdicts(&report), ["5:1 never", "1:1 never", "1:1 never"]);
}

/// The gap is between the job and the hardware's fence: only of that one it is known that it is stuck.
#[test]
fn what_is_stuck_has_a_culprit_though_its_job_is_unclear() {
    let script = "
        app-7 1.0 init drm_sched/gfx 10:1
        app-7 1.0 init drm_sched/gfx 11:1
        |app-7 [001] ..... 1.000000: drm_sched_job_queue: dev=d, fence=11:1, ring=gfx, job count:0, hw job count:0, client_id:1
        |w-10 [000] ..... 1.100000: drm_sched_job_run: dev=d, fence=11:1, ring=gfx, job count:0, hw job count:1, client_id:1
        |CPU:0 [LOST 1 EVENTS]
        w-10 1.2 init amdgpu/gfx 90:1";
    let report = report(script, 9.0);
    assert_eq!(find(&report, 11, 1).verdict, Verdict::PendingAtEnd);
    assert!(report.stuck && find(&report, 90, 1).verdict == Verdict::Never);
    assert_eq!(Culprits::of(&report).stuck[0].first().timeline, "gfx");
}

#[test]
fn a_job_that_is_a_part_of_itself_is_a_culprit() {
    let script = "
        |w-10 [000] ..... 1.000000: drm_sched_job_run: dev=d, fence=5:1, ring=gfx, job count:0, hw job count:1, client_id:1
        w-10 1.0 init gpu/gfx 5:1";
    let report = report(script, 9.0);
    assert!(report.stuck);
    assert_eq!(Culprits::of(&report).stuck.len(), 1);
}

#[test]
fn nothing_waits_for_itself() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        |a-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence=5:1 depends on fence=5:1
        a-7 1.0 init own/all 6:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=all context=6 seqno=1 member=6:1
        a-7 1.2 abandoned own/all 6:1
        a-2 1.3 signaled gpu/copy 7:1
        a-7 1.0 init gpu/copy 7:1
        |a-7 [001] ..... 1.300000: drm_sched_job_add_dep: fence=8:1 depends on fence=8:1
        a-7 1.0 init gpu/copy 8:1
        a-2 1.9 signaled gpu/copy 8:1";
    let options = Options { threshold_ns: Some(200_000_000), ..Options::default() };
    let report = judge(text(script).as_bytes(), options, Some(9.0));
    assert_eq!(find(&report, 7, 1).verdict, Verdict::Late);
    assert_eq!(blames(&report), [""; 0]);
    assert!(report.fences.iter().all(|fence| fence.root || fence.context == 6));
}

/// Whether all fences are asked for makes no difference to what is said of them.
#[test]
fn few_are_counted_as_all_are() {
    let forgotten = usual("gpu/gfx", 5, 1, 1100);
    for script in [
        // Its names were never seen.
        "
        a-7 0.0 init detached-driver/signaled-timeline 7:1
        a-7 0.1 destroy detached-driver/signaled-timeline 7:1",
        // Numbered when it was made, and others when they are emitted.
        "
        a-7 0.0 init virtio_gpu/controlq 7:0
        a-2 0.1 signaled virtio_gpu/controlq 7:0
        a-7 0.2 init virtio_gpu/controlq 7:0
        a-7 0.2 emit virtio_gpu/controlq 7:1",
        // Older than the trace, and forgotten when a job depends on it.
        "
        b-9 0.0 wait_start gpu/copy 7:1
        b-9 0.1 wait_end gpu/copy 7:1
        later
        |a-7 [001] ..... 30.000000: drm_sched_job_add_dep: fence=8:1 depends on fence=7:1
        a-7 30.0 init drm_sched/ring 8:1",
    ] {
        let script = match script.split_once("later") {
            Some((before, after)) => format!("{before}{forgotten}{after}"),
            None => format!("{script}\n{forgotten}"),
        };
        let text = text(&script);
        let of = |all| judge(text.as_bytes(), Options { all, ..Options::default() }, Some(99.0));
        let (few, mut all) = (of(false), of(true));
        assert_eq!(few.verdicts, all.verdicts, "{script}");
        all.leave_out_fine();
        assert_eq!(few.fences, all.fences);
    }
}
