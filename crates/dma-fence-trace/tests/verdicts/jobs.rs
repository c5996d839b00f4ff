//! Jobs of the scheduler, of three generations.

use dma_fence_trace::FenceId;
use dma_fence_trace::culprits::Culprits;
use dma_fence_trace::report::Verdict;

use crate::script::{blames, find, report, usual, verdicts};

/// A job's fences: scheduled `context - 1`, finished `context`.
fn queue(ring: &str, context: u32, seqno: u32, at: f64) -> String {
    format!(
        "app-7 {at:.6} init drm_sched/{ring} {}:{seqno}
        app-7 {at:.6} init drm_sched/{ring} {context}:{seqno}
        |app-7 [001] ..... {at:.6}: drm_sched_job_queue: dev=0000:03:00.0, fence={context}:{seqno}, ring={ring}, job count:0, hw job count:0, client_id:1\n",
        context - 1
    )
}

fn run(ring: &str, context: u32, seqno: u32, at: f64) -> String {
    format!(
        "|kworker/u8:1-10 [000] ..... {at:.6}: drm_sched_job_run: dev=0000:03:00.0, fence={context}:{seqno}, ring={ring}, job count:0, hw job count:1, client_id:1
        kworker/u8:1-10 {at:.6} init amdgpu/{ring} 90:{seqno}
        kworker/u8:1-10 {at:.6} signaled drm_sched/{ring} {}:{seqno}\n",
        context - 1
    )
}

fn depend(job: &str, on: &str) -> String {
    format!(
        "|app-7 [001] ..... 1.000000: drm_sched_job_add_dep: fence={job} depends on fence={on}
        |app-7 [001] ..... 1.000000: drm_sched_job_unschedulable: fence={job} depends on unsignalled fence={on}\n"
    )
}

#[test]
fn a_chain_over_two_rings() {
    let script = queue("gfx", 11, 1, 1.0)
        + &run("gfx", 11, 1, 1.1)
        + &queue("comp", 21, 1, 1.2)
        + &depend("21:1", "11:1");
    let report = report(&script, 9.0);
    let expected = ["11:1 hardware 90:1", "20:1 dependency 11:1", "21:1 dependency 11:1"];
    assert_eq!(blames(&report), expected);
    // The job that the others depend on comes first, with the hardware's fence, which is of the same job.
    assert_eq!(&verdicts(&report)[..2], ["11:1 never", "90:1 never"]);
    let job = find(&report, 11, 1).job.as_ref().unwrap();
    assert_eq!((&*job.device, &*job.ring), ("0000:03:00.0", "gfx"));
    assert_eq!(
        (job.queued_ns, job.run_ns, job.done_ns),
        (Some(1_000_000_000), Some(1_100_000_000), None)
    );
    assert_eq!(job.hardware, Some(FenceId { context: 90, seqno: 1 }));
    assert!(find(&report, 11, 1).root && find(&report, 90, 1).root);
    assert!(!find(&report, 21, 1).root && !find(&report, 20, 1).root);
    assert_eq!(find(&report, 90, 1).part_of, Some(FenceId { context: 11, seqno: 1 }));
}

#[test]
fn a_dependency_that_signaled_is_none() {
    let script = queue("gfx", 11, 1, 1.0)
        + &queue("comp", 21, 1, 1.0)
        + &depend("21:1", "11:1")
        + &run("gfx", 11, 1, 1.1)
        + "irq-2 1.2 signaled amdgpu/gfx 90:1\n irq-2 1.2 signaled drm_sched/gfx 11:1\n"
        + &run("comp", 21, 1, 1.3);
    let report = report(&script, 9.0);
    assert_eq!(find(&report, 21, 1).verdict, Verdict::Never);
    assert!(find(&report, 21, 1).root);
}

/// The ring is full of jobs that the hardware does not finish.
#[test]
fn a_job_that_is_not_given_to_the_device_waits_for_the_one_that_was() {
    let script = queue("gfx", 11, 1, 1.0)
        + &run("gfx", 11, 1, 1.1)
        + &queue("gfx", 11, 2, 1.2)
        + &queue("sdma", 31, 1, 1.2);
    let report = report(&script, 9.0);
    let expected =
        ["10:2 queue 11:1", "11:1 hardware 90:1", "11:2 queue 11:1", "30:1 hardware 31:1"];
    assert_eq!(blames(&report), expected);
    assert!(!find(&report, 11, 2).root);
    assert!(find(&report, 31, 1).root, "nothing is known of its reason");
}

#[test]
fn a_dependency_from_before_the_trace() {
    let script = queue("comp", 21, 1, 1.0) + &depend("21:1", "4:7");
    let report = report(&script, 9.0);
    assert_eq!(verdicts(&report)[0], "4:7 never");
    let unknown = find(&report, 4, 7);
    assert!(unknown.root && !unknown.certain && unknown.driver.is_empty(), "{unknown:?}");
}

#[test]
fn a_late_job_is_blamed_on_what_it_depended_on() {
    let mut script = usual("drm_sched/gfx", 11, 1, 20) + &usual("drm_sched/comp", 21, 1, 20);
    script += &(queue("gfx", 11, 50, 1.0)
        + &queue("comp", 21, 50, 1.0)
        + &depend("21:50", "11:50")
        + &run("gfx", 11, 50, 1.1)
        + "irq-2 4.0 signaled amdgpu/gfx 90:50\n irq-2 4.0 signaled drm_sched/gfx 11:50\n"
        + "irq-2 4.1 signaled drm_sched/comp 21:50\n");
    let report = report(&script, 5.0);
    let late: Vec<_> = blames(&report);
    assert!(late.contains(&"21:50 dependency 11:50".into()), "{late:?}");
    assert!(find(&report, 11, 50).root && !find(&report, 21, 50).root);
}

#[test]
fn only_the_schedulers_events() {
    let job = |event: &str| format!("|app-7 [001] ..... {event}\n");
    let script = job(
        "1.000000: drm_sched_job_queue: dev=d, fence=11:1, ring=gfx, job count:0, hw job count:0, client_id:1",
    ) + &job(
        "1.100000: drm_sched_job_run: dev=d, fence=11:1, ring=gfx, job count:0, hw job count:1, client_id:1",
    ) + &job("1.200000: drm_sched_job_done: fence=11:1 signaled")
        + &job(
            "1.300000: drm_sched_job_queue: dev=d, fence=11:2, ring=gfx, job count:0, hw job count:0, client_id:1",
        );
    let report = report(&script, 9.0);
    assert_eq!(verdicts(&report), ["11:2 never"]);
    assert_eq!(find(&report, 11, 2).timeline, "gfx");
    let timeline = &report.timelines[0];
    assert_eq!((timeline.fences, timeline.signaled, timeline.max_ns), (2, 1, Some(200_000_000)));
}

/// Up to Linux 6.15 a job is named by a number and an address.
#[test]
fn jobs_of_old_kernels() {
    let script = "
        app-7 1.0 init drm_sched/gfx 10:1
        app-7 1.0 init drm_sched/gfx 11:1
        |app-7 [001] ..... 1.000000: drm_sched_job: entity=00000000a1, id=5, fence=00000000f1, ring=gfx, job count:0, hw job count:0
        app-7 1.0 init drm_sched/comp 20:1
        app-7 1.0 init drm_sched/comp 21:1
        |app-7 [001] ..... 1.000000: drm_sched_job: entity=00000000a2, id=6, fence=00000000f2, ring=comp, job count:0, hw job count:0
        |w-10 [000] ..... 1.100000: drm_run_job: entity=00000000a1, id=5, fence=00000000f1, ring=gfx, job count:0, hw job count:1
        w-10 1.1 init amdgpu/gfx 90:1
        w-10 1.1 signaled drm_sched/gfx 10:1
        |w-10 [000] ..... 1.200000: drm_sched_job_wait_dep: job ring=comp, id=6, depends fence=00000000f1, context=11, seq=1";
    let report = report(script, 9.0);
    let expected = ["11:1 hardware 90:1", "20:1 dependency 11:1", "21:1 dependency 11:1"];
    assert_eq!(blames(&report), expected);
    let job = find(&report, 11, 1).job.as_ref().unwrap();
    assert_eq!((&*job.ring, job.run_ns), ("gfx", Some(1_100_000_000)));
}

#[test]
fn an_old_job_is_done() {
    let script = "
        |app-7 [001] ..... 1.000000: drm_sched_process_job: fence=00000000f9 signaled
        app-7 1.0 init drm_sched/gfx 10:1
        app-7 1.0 init drm_sched/gfx 11:1
        |app-7 [001] ..... 1.000000: drm_sched_job: entity=00000000a1, id=5, fence=00000000f1, ring=gfx, job count:0, hw job count:0
        |w-10 [000] ..... 1.100000: drm_run_job: entity=00000000a1, id=5, fence=00000000f1, ring=gfx, job count:0, hw job count:1
        |w-10 [000] ..... 1.200000: drm_sched_process_job: fence=00000000f1 signaled";
    let report = report(script, 9.0);
    // The scheduler says that the hardware was done; that the fence signaled was not seen.
    let job = find(&report, 11, 1).job.as_ref().unwrap();
    assert_eq!(job.done_ns, Some(1_200_000_000));
}

#[test]
fn nobody_waits_for_a_job_only_because_it_has_a_scheduled_fence() {
    let script = queue("gfx", 11, 1, 1.0)
        + "|x-9 [000] ..... 3.000000: dma_fence_wait_start: driver=drm_sched timeline=gfx context=7 seqno=5\n";
    // The one with a waiter is the one to look at, though it was seen later.
    assert_eq!(verdicts(&report(&script, 9.0))[0], "7:5 never");
}

#[test]
fn old_kernels_number_the_jobs_of_each_ring() {
    let script = "
        game-7 1.00 init drm_sched/gfx 20:1
        game-7 1.00 init drm_sched/gfx 21:1
        |game-7 [001] ..... 1.000000: drm_sched_job: entity=0000000000000001, id=10, fence=000000000000000a, ring=gfx, job count:1, hw job count:1
        copy-5 1.10 init drm_sched/sdma 30:1
        copy-5 1.10 init drm_sched/sdma 31:1
        |copy-5 [001] ..... 1.100000: drm_sched_job: entity=0000000000000002, id=10, fence=000000000000000b, ring=sdma, job count:0, hw job count:0
        |gfx-8 [000] ..... 1.150000: drm_sched_job_wait_dep: job ring=gfx, id=10, depends fence=00000000000000ff, context=40, seq=1
        |gfx-8 [000] ..... 1.200000: drm_run_job: entity=0000000000000001, id=10, fence=000000000000000a, ring=gfx, job count:0, hw job count:1
        gfx-8 1.20 init amdgpu/gfx 90:1
        gfx-8 1.20 signaled drm_sched/gfx 20:1
        |sdma-9 [000] ..... 1.300000: drm_run_job: entity=0000000000000002, id=10, fence=000000000000000b, ring=sdma, job count:0, hw job count:1
        sdma-9 1.30 init amdgpu/sdma 91:1
        sdma-9 1.30 signaled drm_sched/sdma 30:1
        irq-2 1.40 signaled amdgpu/sdma 91:1
        |irq-2 [000] ..... 1.400000: drm_sched_process_job: fence=000000000000000b signaled
        irq-2 1.40 signaled drm_sched/sdma 31:1";
    let report = report(script, 9.0);
    assert_eq!(blames(&report), ["21:1 dependency 40:1", "21:1 hardware 90:1"]);
    assert_eq!(find(&report, 21, 1).job.as_ref().unwrap().run_ns, Some(1_200_000_000));
}

/// xe makes the hardware's fence first, in the thread that makes the job.
#[test]
fn the_hardwares_fence_can_come_first() {
    let script = "app-7 1.0 init 0000:00:02.0/rcs0 90:1\n".to_owned()
        + &queue("rcs0", 11, 1, 1.0)
        + "app-7 1.1 init 0000:00:02.0/other 91:1\n"
        + &queue("rcs0", 11, 2, 1.1);
    let report = report(&script, 9.0);
    let hardware = |seqno| find(&report, 11, seqno).job.as_ref().unwrap().hardware;
    assert_eq!((hardware(1), hardware(2)), (Some(FenceId { context: 90, seqno: 1 }), None));
    assert_eq!(find(&report, 90, 1).part_of, Some(FenceId { context: 11, seqno: 1 }));
    // Or in the thread that gives the job to the device.
    let script = queue("gfx", 11, 3, 1.0)
        + "kworker/u8:1-10 1.1 init amdgpu/gfx 90:3\n"
        + &run("gfx", 11, 3, 1.2)
        + &queue("gfx", 11, 4, 1.3)
        + "kworker/u8:1-10 1.4 init amdgpu/other 92:1\n";
    let report = self::report(&script, 9.0);
    let job = find(&report, 11, 3).job.as_ref().unwrap();
    assert_eq!(job.hardware, Some(FenceId { context: 90, seqno: 3 }));
    assert_eq!(find(&report, 92, 1).part_of, None);
    // Where it was not seen, the next one is not taken for it.
    let script = queue("gfx", 11, 3, 1.0)
        + "kworker/u8:1-10 1.1 signaled drm_sched/gfx 10:3\n"
        + &run("gfx", 11, 3, 1.2);
    let report = self::report(&script, 9.0);
    assert_eq!(find(&report, 11, 3).job.as_ref().unwrap().hardware, None);
}

/// The end of a job does not name its ring, and must not stand for the name.
#[test]
fn a_trace_that_begins_while_a_job_runs() {
    let script = "|<idle>-0 [000] d.h1. 0.900000: drm_sched_job_done: fence=11:1 signaled
        <idle>-0 0.900001 signaled drm_sched/gfx 11:1\n"
        .to_owned()
        + &queue("gfx", 11, 2, 1.0)
        + "kworker/u8:1-10 1.1 init amdgpu/gfx 90:2
        |kworker/u8:1-10 [000] ..... 1.100000: drm_sched_job_run: dev=0000:03:00.0, fence=11:2, ring=gfx, job count:0, hw job count:1, client_id:1\n";
    let report = report(&script, 9.0);
    assert_eq!(&*find(&report, 11, 2).timeline, "gfx");
    assert!(blames(&report).contains(&"11:2 hardware 90:2".into()), "{:?}", blames(&report));
    let counted = report.timelines.iter().map(|timeline| (&*timeline.timeline, timeline.fences));
    assert_eq!(counted.collect::<Vec<_>>(), [("gfx", 1); 3], "of which a beginning was seen");
}

#[test]
fn a_ring_is_one_culprit_however_many_queue_for_it() {
    let script = queue("gfx", 11, 1, 1.0) + &queue("gfx", 13, 1, 1.1) + &queue("sdma", 15, 1, 1.1);
    let report = report(&script, 9.0);
    let culprits = Culprits::of(&report).stuck;
    let roots: Vec<_> = culprits.iter().map(|culprit| culprit.roots.len()).collect();
    assert_eq!(roots, [2, 1]);
}
