//! Why a fence was late, or is pending, where there is more than one answer.

use dma_fence_trace::culprits::{Culprits, Doubt};

use crate::script::{blames, find, report, usual, verdicts, with_threshold};

/// An event of a job of the present scheduler.
fn job(fence: &str, event: &str, at: f64) -> String {
    format!(
        "|w-10 [000] ..... {at:.6}: drm_sched_job_{event}: dev=d, fence={fence}, ring=gfx, job count:0, hw job count:0, client_id:1\n"
    )
}

#[test]
fn each_of_two_arrays_is_late_because_of_their_member() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init dma_fence_array/unbound 9:1
        a-7 1.0 init dma_fence_array/unbound 10:1
        a-2 4.0 signaled gpu/gfx 5:1
        a-2 4.001 signaled dma_fence_array/unbound 9:1
        a-2 4.002 signaled dma_fence_array/unbound 10:1";
    assert_eq!(blames(&with_threshold(script, 0.2)), ["10:1 member 5:1", "9:1 member 5:1"]);
    // They do not queue.
    let alone = script.replace("signaled gpu/gfx", "destroy gpu/gfx");
    assert_eq!(blames(&with_threshold(&alone, 0.2)), [""; 0]);
}

#[test]
fn the_last_member_is_what_took_so_long() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init gpu/copy 6:1
        a-7 1.0 init own/all 9:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=all context=9 seqno=1 member=5:1
        |a-7 [001] ..... 1.000000: dma_fence_member: driver=own timeline=all context=9 seqno=1 member=6:1
        a-2 1.95 signaled gpu/gfx 5:1
        a-2 2.0 signaled gpu/copy 6:1
        a-2 2.01 signaled own/all 9:1";
    assert_eq!(blames(&with_threshold(script, 0.2)), ["9:1 member 6:1"]);
}

#[test]
fn of_several_causes_the_last_counts() {
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        a-7 1.0 init gpu/copy 6:1
        a-7 1.0 init gpu/copy 6:2
        |a-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence=6:2 depends on fence=5:1
        a-2 1.95 signaled gpu/gfx 5:1
        a-2 2.0 signaled gpu/copy 6:1
        a-2 2.01 signaled gpu/copy 6:2";
    assert_eq!(blames(&with_threshold(script, 0.2)), ["6:2 queue 6:1"]);
    // Of another CPU, and so the last in its queue when its beginning is read.
    let script = "
        a-7 1.0 init gpu/gfx 5:1
        |a-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence=6:2 depends on fence=5:1
        a-2 1.95 signaled gpu/gfx 5:1
        a-2 2.01 signaled gpu/copy 6:2
        a-7 1.5 init gpu/copy 6:2";
    assert_eq!(blames(&with_threshold(script, 0.2)), ["6:2 dependency 5:1"]);
}

#[test]
fn a_display_is_late_because_of_its_longest_wait() {
    let script = "
        game-7 1.0 init gpu/gfx 5:1
        game-7 1.0 init gpu/copy 6:1
        sway-8 1.1 init amdgpu/CRTC:45-crtc-0 1:1
        kworker/u8:0-10 1.2 wait_start gpu/gfx 5:1
        game-7 4.0 signaled gpu/gfx 5:1
        kworker/u8:0-10 4.001 wait_end gpu/gfx 5:1
        kworker/u8:0-10 4.002 wait_start gpu/copy 6:1
        kworker/u8:0-10 4.003 wait_end gpu/copy 6:1
        idle-0 4.01 signaled amdgpu/CRTC:45-crtc-0 1:1";
    assert_eq!(blames(&with_threshold(script, 0.2)), ["1:1 display 5:1"]);
}

#[test]
fn displays_of_all_kinds() {
    let script = "
        game-7 1.0 init gpu/gfx 5:1
        sway-8 1.1 init vkms/CONNECTOR:31 1:1
        card1-crtc0-10 1.2 wait_start gpu/gfx 5:1";
    assert_eq!(blames(&report(script, 9.0)), ["1:1 display 5:1"]);
    // Whoever waits for another picture does not do so to show this one.
    let picture = script.replace("gpu/gfx", "vkms/CRTC:45-crtc-0");
    assert_eq!(blames(&report(&picture, 9.0)), [""; 0]);
}

#[test]
fn of_many_dependencies_the_last_are_in_the_way() {
    let mut script = String::from("a-7 1.0 init gpu/gfx 5:1\n a-7 1.0 init gpu/copy 6:65\n");
    for n in 1..=65 {
        script += &format!(
            "|a-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence=5:1 depends on fence=6:{n}\n"
        );
    }
    assert_eq!(blames(&report(&script, 9.0)), ["5:1 dependency 6:65"]);
}

/// That the scheduler looks at a fence does not show that it is pending.
#[test]
fn a_dependency_that_is_added_may_have_signaled() {
    let script = "
        a-7 1.0 init drm_sched/gfx 11:1
        |a-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence=11:1 depends on fence=6:1";
    assert_eq!(verdicts(&report(script, 9.0)), ["11:1 never"]);
}

#[test]
fn a_container_has_members_and_not_their_parts() {
    let script = "
        a-7 1.0 init drm_sched/gfx 10:1
        a-7 1.0 init drm_sched/gfx 11:1\n"
        .to_owned()
        + &job("11:1", "queue", 1.0)
        + &job("11:1", "run", 1.1)
        + "w-10 1.1 init amdgpu/gfx 90:1
        a-7 1.2 init dma_fence_array/unbound 9:1
        c-11 1.3 enable_signal dma_fence_array/unbound 9:1";
    let report = report(&script, 9.0);
    let members: Vec<_> =
        find(&report, 9, 1).blamed_on.iter().map(|blame| blame.fence.context).collect();
    assert_eq!(members, [11]);
}

#[test]
fn fences_on_demand_are_no_members() {
    let script = "
        a-7 1.0 init xe/preempt 5:1
        b-13 1.1 wait_start xe/preempt 5:1
        b-9 1.5 init dma_fence_array/unbound 9:1
        c-11 1.8 enable_signal dma_fence_array/unbound 9:1";
    let report = report(script, 9.0);
    assert_eq!(blames(&report), [""; 0]);
    assert!(!find(&report, 9, 1).root, "a container is stuck because of something");
}

#[test]
fn the_oldest_job_on_the_device_is_in_the_way() {
    let mut script = String::new();
    for n in 1..=3 {
        script += &job(&format!("11:{n}"), "queue", 1.0);
    }
    script += &(job("11:1", "run", 1.1) + &job("11:2", "run", 1.2));
    assert_eq!(blames(&report(&script, 9.0)), ["11:3 queue 11:1"]);
    // The device has done it; its fence has not been heard of.
    let done = format!("a-7 1.0 init drm_sched/gfx 11:1\n{script}")
        + "|w-10 [000] ..... 1.300000: drm_sched_job_done: fence=11:1 signaled";
    let report = report(&done, 9.0);
    assert_eq!(blames(&report), ["11:3 queue 11:2"]);
    assert!(verdicts(&report).contains(&"11:1 never".to_owned()));
}

#[test]
fn hardware_that_was_quick_is_not_to_blame() {
    let script = "a-7 1.0 init drm_sched/gfx 11:1\n".to_owned()
        + &job("11:1", "queue", 1.0)
        + &job("11:1", "run", 3.9)
        + "w-10 3.9 init amdgpu/gfx 90:1
        irq-2 4.0 signaled amdgpu/gfx 90:1
        irq-2 4.0 signaled drm_sched/gfx 11:1";
    let report = with_threshold(&script, 0.2);
    assert_eq!(verdicts(&report), ["11:1 late"]);
    assert_eq!(blames(&report), [""; 0]);
    assert!(!find(&report, 11, 1).outlier, "the threshold was given");
}

#[test]
fn only_the_first_fence_made_for_a_job_is_its_hardwares() {
    let begin = "
        a-7 1.0 init gpu/gfx 10:1
        a-7 1.0 init drm_sched/gfx 11:1\n"
        .to_owned()
        + &job("11:1", "queue", 1.0)
        + &job("11:1", "run", 1.1);
    let report = report(
        &(begin.clone() + "w-10 1.1 init amdgpu/gfx 90:1\n w-10 1.2 init amdgpu/copy 91:1"),
        9.0,
    );
    assert_eq!(find(&report, 11, 1).job.as_ref().unwrap().hardware.unwrap().context, 90);
    assert_eq!(find(&report, 91, 1).part_of, None);
    assert_eq!(find(&report, 10, 1).part_of, None, "another driver's");
    // What comes after the scheduled fence has signaled is of another job.
    let none = begin + "w-10 1.1 signaled drm_sched/gfx 12:1\n w-10 1.2 init amdgpu/copy 91:1";
    let report = self::report(&none, 9.0);
    assert_eq!(find(&report, 11, 1).job.as_ref().unwrap().hardware, None);
}

/// Old kernels name a job by a number, an address, and the ring.
#[test]
fn old_jobs_of_the_same_number() {
    let old = |event: &str, at: f64, address: &str, ring: &str| {
        format!(
            "|a-7 [001] ..... {at:.6}: {event}: entity=00000000a1, id=5, fence=00000000{address}, ring={ring}, job count:0, hw job count:0\n"
        )
    };
    let script = "a-7 1.0 init drm_sched/gfx 11:1\n".to_owned()
        + &old("drm_sched_job", 1.0, "f1", "gfx")
        + "a-7 1.1 init drm_sched/gfx 11:2\n"
        + &old("drm_sched_job", 1.1, "f2", "gfx")
        + &old("drm_run_job", 1.2, "f1", "gfx")
        + "a-7 1.3 init drm_sched/gfx 11:3\n"
        + &old("drm_sched_job", 1.3, "f3", "comp");
    let report = report(&script, 9.0);
    let run = |seqno| find(&report, 11, seqno).job.as_ref().map(|job| job.run_ns.is_some());
    assert_eq!([1, 2, 3].map(run), [Some(true), Some(false), None]);
}

#[test]
fn a_job_is_one_culprit() {
    let script = "
        a-7 1.0 init drm_sched/gfx 10:1
        a-7 1.0 init drm_sched/gfx 11:1\n"
        .to_owned()
        + &job("11:1", "queue", 1.0);
    let report = report(&script, 9.0);
    let culprits = Culprits::of(&report);
    assert_eq!((culprits.stuck.len(), culprits.stuck[0].fences().count()), (1, 1));
}

#[test]
fn what_is_young_is_in_work() {
    let script = usual("gpu/gfx", 5, 1, 20)
        + "a-7 1.0 init gpu/gfx 5:50\n b-9 1.001 wait_start gpu/gfx 5:50";
    for (end, doubt) in [(1.045, Doubt::Usual), (1.055, Doubt::TooEarly)] {
        let report = report(&script, end);
        let Culprits { stuck, busy, .. } = Culprits::of(&report);
        assert_eq!(stuck.iter().chain(&busy).next().expect("one").doubt(&report), doubt);
    }
}

#[test]
fn the_first_error_comes_first_and_what_is_unclear_late() {
    let script = "
        a-7 1.0 init io/read 5:1
        a-7 1.0 init io/read 5:2
        a-2 1.1 signaled io/read 5:2 error=-5
        a-2 1.2 signaled io/read 5:1 error=-5
        a-7 1.0 init gpu/slow 6:1
        a-2 4.0 signaled gpu/slow 6:1
        a-7 4.5 init dma_fence_array/unbound 9:1
        b-9 4.5 enable_signal dma_fence_array/unbound 9:1
        |CPU:1 [LOST 1 EVENTS]";
    let order = ["6:1 late", "5:2 ok", "5:1 ok", "9:1 pending-at-end"];
    assert_eq!(verdicts(&report(script, 9.0)), order);
}

#[test]
fn vgem_signals_by_itself() {
    let script = "a-7 1.0 init vgem/unbound 5:1\n a-2 11.1 signaled vgem/unbound 5:1";
    let report = report(script, 12.0);
    assert!(report.notes.iter().any(|note| note.contains("vgem")), "{:?}", report.notes);
}
