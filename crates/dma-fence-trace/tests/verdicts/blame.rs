//! Whom a fence waits for.

use dma_fence_trace::FenceId;
use dma_fence_trace::culprits::{Culprits, Doubt};
use dma_fence_trace::report::Verdict;

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

/// A worker waits for the other head's picture, which is in work.
#[test]
fn what_never_signals_is_not_blamed_on_what_is_in_work() {
    let mut script = usual("gpu/gfx", 5, 1, 20);
    script += "
        sway-8 1.1 init amdgpu/CRTC:77-crtc-0 1:1
        game-7 8.990 init gpu/gfx 5:50
        kworker/u8:0-10 8.995 wait_start gpu/gfx 5:50";
    let report = report(&script, 9.0);
    assert_eq!(blames(&report), [""; 0]);
    assert_eq!(verdicts(&report), ["1:1 never", "5:50 pending-at-end"]);
    assert!(find(&report, 1, 1).root);
}

#[test]
fn a_job_that_is_stuck_is_not_blamed_on_one_that_runs() {
    let job = |fence: &str, event: &str, at: f64| {
        format!(
            "|app-7 [001] ..... {at:.6}: drm_sched_job_{event}: dev=d, fence={fence}, ring=r, job count:0, hw job count:0, client_id:1\n"
        )
    };
    let script = job("11:1", "queue", 1.0) + &job("13:7", "queue", 8.9) + &job("13:7", "run", 8.99);
    let report = report(&script, 9.0);
    assert_eq!(blames(&report), [""; 0]);
    assert!(find(&report, 11, 1).root);
}

/// Which of many pending fences are in an array? Those that its maker has just made.
#[test]
fn members_are_guessed_near_the_container() {
    let script = "
        a-7 1.0 init gpu/old 4:1
        a-7 1.5 init gpu/mine 5:1
        b-9 1.6 init gpu/others 6:1
        a-7 1.7 init dma_fence_array/unbound 9:1
        c-11 1.8 enable_signal dma_fence_array/unbound 9:1";
    let report = report(script, 9.0);
    assert_eq!(find(&report, 9, 1).blamed_on[0].fence, FenceId { context: 5, seqno: 1 });
}

/// Of compute processes, to take their memory away: nobody waits, and nothing is wrong.
#[test]
fn fences_that_are_signaled_on_demand() {
    let script = "
        a-7 1.0 init amdgpu_amdkfd_fence/ollama 4:1
        a-7 1.0 init xe/preempt 5:1
        b-9 1.5 init dma_fence_array/unbound 9:1
        c-11 1.8 enable_signal dma_fence_array/unbound 9:1";
    let report = report(script, 9.0);
    assert_eq!(blames(&report), [""; 0]);
    assert_eq!(find(&report, 4, 1).verdict, Verdict::PendingAtEnd);
    assert_eq!(find(&report, 5, 1).verdict, Verdict::PendingAtEnd);
    let awaited = format!("{script}\n b-13 2.0 wait_start amdgpu_amdkfd_fence/ollama 4:1");
    assert_eq!(find(&self::report(&awaited, 9.0), 4, 1).verdict, Verdict::Never);
}

/// It looks at its members when somebody asks, not before.
#[test]
fn an_array_that_nobody_asks_is_not_stuck() {
    let script = "
        a-7 1.0 init dma_fence_array/unbound 9:1";
    let report = report(script, 9.0);
    assert!(!report.stuck);
    assert_eq!(verdicts(&report), ["9:1 pending-at-end"]);
}

#[test]
fn long_chains_have_one_culprit() {
    let mut script = String::new();
    for n in 0..500 {
        let (context, on) = (1001 + 2 * n, 999 + 2 * n);
        script += &format!(
            "|app-7 [001] ..... 1.000000: drm_sched_job_queue: dev=d, fence={context}:1, ring=r{n}, job count:0, hw job count:0, client_id:1\n"
        );
        script += &format!(
            "|app-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence={context}:1 depends on fence={on}:1\n"
        );
    }
    script += "a-7 1.0 init gpu/gfx 999:1";
    let report = report(&script, 9.0);
    let culprits = Culprits::of(&report);
    assert_eq!(culprits.stuck.len(), 1);
    assert_eq!((culprits.stuck[0].first().context, culprits.stuck[0].victims.len()), (999, 500));
    assert!(culprits.stuck[0].is_awaited());
}

#[test]
fn a_ring_has_the_driver_of_its_hardware() {
    let mut script = usual("amdgpu/gfx", 90, 1, 3);
    script += "a-7 1.0 init drm_sched/gfx 11:1\n b-9 1.1 wait_start drm_sched/gfx 11:1";
    let report = report(&script, 9.0);
    assert_eq!(Culprits::of(&report).stuck[0].driver, Some("amdgpu"));
}

#[test]
fn what_is_in_work_at_the_end_looks_as_any_trace_does() {
    let doubt = |script: &str, end: f64| {
        let report = report(&(usual("gpu/gfx", 5, 1, 20) + script), end);
        let Culprits { stuck, busy, .. } = Culprits::of(&report);
        let doubt = stuck.iter().chain(&busy).next().expect("one").doubt(&report);
        assert_eq!(stuck.is_empty(), doubt == Doubt::Usual);
        doubt
    };
    let script = "a-7 1.0 init gpu/gfx 5:50\n b-9 1.001 wait_start gpu/gfx 5:50";
    assert_eq!(doubt(script, 1.005), Doubt::Usual);
    assert_eq!(doubt(script, 1.5), Doubt::TooEarly);
    let lost = format!("{script}\n|CPU:1 [LOST 1 EVENTS]");
    assert_eq!(doubt(&lost, 1.5), Doubt::Missing);
}
