//! Whom a fence waits for.

use crate::script::{blames, find, report, usual, verdicts};

#[test]
fn a_display_is_a_victim() {
    let script = "
        game-7 1.0 init gpu/gfx 5:1
        sway-8 1.1 init amdgpu/CRTC:45-crtc-0 1:1
        kworker/u8:0-10 1.2 wait_start gpu/gfx 5:1";
    let report = report(script, 9.0);
    assert_eq!(blames(&report), ["1:1 display 5:1"]);
    assert_eq!(verdicts(&report), ["5:1 never", "1:1 never"]);
    assert!(find(&report, 5, 1).root && !find(&report, 1, 1).root);
}

#[test]
fn a_blocking_commit_waits_itself() {
    let script = "
        game-7 1.0 init gpu/gfx 5:1
        sway-8 1.1 init amdgpu/CRTC:45-crtc-0 1:1
        sway-8 1.2 wait_start gpu/gfx 5:1";
    assert_eq!(blames(&report(script, 9.0)), ["1:1 display 5:1"]);
    // Somebody else's wait, or one that was there before, is none of the display's.
    let other = script.replace("sway-8 1.2", "firefox-9 1.2");
    assert_eq!(blames(&report(&other, 9.0)), [""; 0]);
    let before = script.replace("sway-8 1.2", "sway-8 1.05");
    assert_eq!(blames(&report(&before, 9.0)), [""; 0]);
}

#[test]
fn a_late_display_is_a_victim_too() {
    let mut script = usual("gpu/gfx", 5, 1, 20) + &usual("amdgpu/CRTC:45-crtc-0", 1, 1, 20);
    script += "
        game-7 1.0 init gpu/gfx 5:50
        sway-8 1.1 init amdgpu/CRTC:45-crtc-0 1:50
        kworker/u8:0-10 1.2 wait_start gpu/gfx 5:50
        game-7 4.0 signaled gpu/gfx 5:50
        kworker/u8:0-10 4.001 wait_end gpu/gfx 5:50
        idle-0 4.01 signaled amdgpu/CRTC:45-crtc-0 1:50";
    let report = report(&script, 5.0);
    assert_eq!(blames(&report), ["1:50 display 5:50"]);
    assert_eq!(verdicts(&report), ["5:50 late", "1:50 late"]);
    // If the display takes its own time after that, it is its own fault.
    let slow = script.replace("idle-0 4.01", "idle-0 6.01");
    assert_eq!(blames(&self::report(&slow, 7.0)), [""; 0]);
}

#[test]
fn an_array_is_no_root() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.1 init gpu/copy 6:1
        a-2 1.2 signaled gpu/copy 6:1
        a-7 1.3 init dma_fence_array/unbound 9:1
        b-9 1.4 enable_signal dma_fence_array/unbound 9:1
        a-7 1.5 init gpu/later 7:1";
    let report = report(script, 9.0);
    assert_eq!(blames(&report), ["9:1 member 5:1"]);
    let array = find(&report, 9, 1);
    assert!(!array.root);
    assert_eq!((&*array.asked_by[0].comm, array.asked_by[0].at_ns), ("b", 1_400_000_000));
}

#[test]
fn members_that_are_told_are_not_guessed() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.1 init gpu/copy 6:1
        a-7 1.3 init dma_fence_array/unbound 9:1
        |a-7 [001] ..... 1.300000: dma_fence_member: driver=dma_fence_array timeline=unbound context=9 seqno=1 member=6:1";
    assert_eq!(blames(&report(script, 9.0)), ["9:1 member 6:1"]);
}

#[test]
fn a_late_array_is_blamed_on_its_last_member() {
    let mut script = usual("gpu/gfx", 5, 1, 20) + &usual("dma_fence_array/unbound", 9, 1, 20);
    script += "
        a-7 1.0 init gpu/gfx 5:50
        a-7 1.1 init dma_fence_array/unbound 10:1
        a-2 4.0 signaled gpu/gfx 5:50
        a-2 4.001 signaled dma_fence_array/unbound 10:1";
    let report = report(&script, 5.0);
    assert_eq!(blames(&report), ["10:1 member 5:50"]);
    assert_eq!(verdicts(&report), ["5:50 late", "10:1 late"]);
}

#[test]
fn what_queues_behind_a_late_one_is_not_to_blame() {
    let mut script = usual("gpu/gfx", 5, 1, 20);
    script += "
        a-7 1.0 init gpu/gfx 5:50
        a-7 1.1 init gpu/gfx 5:51
        a-7 3.9 init gpu/gfx 5:52
        a-2 4.0 signaled gpu/gfx 5:50
        a-2 4.01 signaled gpu/gfx 5:51
        a-2 4.02 signaled gpu/gfx 5:52";
    let report = report(&script, 5.0);
    assert_eq!(verdicts(&report), ["5:50 late", "5:51 late"]);
    assert_eq!(blames(&report), ["5:51 queue 5:50"]);
    assert!(find(&report, 5, 50).root && !find(&report, 5, 51).root);
}

/// A later number of a context that signals proves nothing for an earlier one.
#[test]
fn later_numbers_do_not_signal_earlier_ones() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.1 init gpu/gfx 5:2
        a-2 1.2 signaled gpu/gfx 5:2";
    assert_eq!(verdicts(&report(script, 9.0)), ["5:1 never"]);
}

#[test]
fn chains_that_go_round_end() {
    let script = "
        |a-7 [000] ..... 1.000000: drm_sched_job_queue: dev=d, fence=5:1, ring=r, job count:0, hw job count:0, client_id:1
        |a-7 [000] ..... 1.000000: drm_sched_job_add_dep: fence=5:1 depends on fence=6:1
        |a-7 [000] ..... 1.000000: drm_sched_job_queue: dev=d, fence=6:1, ring=q, job count:0, hw job count:0, client_id:1
        |a-7 [000] ..... 1.000000: drm_sched_job_add_dep: fence=6:1 depends on fence=5:1
        |a-7 [000] ..... 1.000000: drm_sched_job_add_dep: fence=6:1 depends on fence=6:1";
    let report = report(script, 9.0);
    assert_eq!(report.fences.len(), 2);
    assert!(report.stuck);
}
