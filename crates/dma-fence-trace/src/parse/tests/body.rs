//! What events say, in every generation's words.

use super::*;

fn id(context: u32, seqno: u32) -> Option<FenceId> {
    Some(FenceId { context, seqno })
}

#[track_caller]
fn fence(body: &str) -> (String, String, Option<FenceId>) {
    let line = format!(" a-1 [000] ..... 1.000000: dma_fence_init: {body}");
    check(line.as_bytes(), |event| match event.kind {
        EventKind::Fence { driver, timeline, fence, .. } => (driver.into(), timeline.into(), fence),
        kind => panic!("{kind:?}"),
    })
}

#[track_caller]
fn fence_is(body: &str, driver: &str, timeline: &str, fence_is: Option<FenceId>) {
    assert_eq!(fence(body), (driver.to_owned(), timeline.to_owned(), fence_is), "{body}");
}

#[test]
fn fences() {
    fence_is("driver=vgem timeline=unbound context=1 seqno=2", "vgem", "unbound", id(1, 2));
    fence_is("driver=vgem timeline=unbound ctx=1 seqno=2\r\n", "vgem", "unbound", id(1, 2));
    fence_is("driver= timeline=ring context=1 seqno=2", "", "ring", id(1, 2));
    fence_is("driver=d timeline= context=1 seqno=2", "d", "", id(1, 2));
    fence_is("driver=d timeline=ring seqno=2", "d", "ring", None);
    fence_is("context=1 seqno=2", "", "", id(1, 2));
    fence_is("driver=d timeline=a context=9 context=1 x seqno=2", "d", "a context=9", id(1, 2));
    fence_is("driver=d timeline=a context=9 seqno=2 context=1", "d", "a context=9", id(1, 2));
    fence_is("seqno=2 context=1 timeline=t driver=d e", "d e", "t", id(1, 2));
    fence_is("driver=d timeline=t context=1 seqno=2 error=-5 more", "d", "t", id(1, 2));
    fence_is(
        "driver=d e timeline=t u context=4294967295 seqno=4294967295",
        "d e",
        "t u",
        id(u32::MAX, u32::MAX),
    );
}

#[test]
fn names_that_imitate() {
    for name in [
        "a seqno=4",
        "timeline=",
        "ring context=9",
        "b driver=x",
        "x context=9 seqno=9",
        "context=9",
        "seqno=",
        "bad\nring",
        "x: y",
        "1.000000: dma_fence_signaled: driver=",
        "日本",
        "a, b",
        " ",
    ] {
        let body = format!("driver=sw_sync timeline={name} context=3 seqno=1");
        fence_is(&body, "sw_sync", name.trim_end(), id(3, 1));
    }
}

#[derive(Debug, PartialEq, Default)]
struct Job {
    fence: Option<FenceId>,
    id: Option<u64>,
    pointer: Option<u64>,
    ring: String,
    on: Option<FenceId>,
}

#[track_caller]
fn job_is(event: &str, step_is: JobStep, expected: Job) {
    let line = format!(" a-1 [000] ..... 1.000000: {event}");
    check(line.as_bytes(), |event| match event.kind {
        EventKind::Job { step, fence, id, pointer, ring, on } => {
            assert_eq!(step, step_is, "{line}");
            assert_eq!(Job { fence, id, pointer, ring: ring.into(), on }, expected, "{line}");
        }
        kind => panic!("{kind:?}"),
    });
}

#[test]
fn jobs_until_6_15() {
    let job =
        Job { id: Some(12), pointer: Some(0xab12), ring: "gfx_0.0.0".into(), ..Job::default() };
    job_is(
        "drm_sched_job: entity=00000000deadbeef, id=12, fence=000000000000ab12, ring=gfx_0.0.0, job count:1, hw job count:0",
        JobStep::Queue,
        job,
    );
    let job = Job {
        id: Some(12),
        pointer: Some(0xffff_8880_0000_ab12),
        ring: "a, b ring=".into(),
        ..Job::default()
    };
    job_is(
        "drm_run_job: entity=0xdeadbeef, id=12, fence=0xffff88800000ab12, ring=a, b ring=, job count:1, hw job count:0",
        JobStep::Run,
        job,
    );
    let job = Job { pointer: Some(0xab12), ..Job::default() };
    job_is("drm_sched_process_job: fence=000000000000ab12 signaled", JobStep::Done, job);
    let job = Job { id: Some(12), ring: "gfx, 1".into(), on: id(8, 2), ..Job::default() };
    job_is(
        "drm_sched_job_wait_dep: job ring=gfx, 1, id=12, depends fence=00000000000000ab, context=8, seq=2",
        JobStep::Unschedulable,
        job,
    );
    let job = Job { id: Some(3), ring: "g".into(), ..Job::default() };
    job_is(
        "drm_sched_job: entity=(____ptrval____), id=3, fence=(____ptrval____), ring=g, job count:1, hw job count:0",
        JobStep::Queue,
        job,
    );
}

#[test]
fn jobs_of_2024() {
    let job = |on| Job {
        fence: id(7914, 920),
        id: Some(51757),
        ring: "gfx_0.0.0".into(),
        on,
        ..Job::default()
    };
    let line = "drm_sched_job: id=51757, fence=(context:7914, seqno:920), ring=gfx_0.0.0, job count:0, hw job count:1, dependencies:{";
    job_is(&format!("{line}}}"), JobStep::Queue, job(None));
    job_is(&format!("{line}(context:3, seqno:4)}}"), JobStep::Queue, job(id(3, 4)));
    job_is(
        &format!("{line}(context:3, seqno:4), (context:5, seqno:6)}}"),
        JobStep::Queue,
        job(id(3, 4)),
    );
}

#[test]
fn jobs_now() {
    let job = |on| Job { fence: id(5, 1), on, ..Job::default() };
    let queued = |ring: &str| Job { ring: ring.into(), ..job(None) };
    for ring in ["drm-mock-scheduler", "a, fence=9:9, id=4", "x, job count:0", ""] {
        let event = format!(
            "drm_sched_job_queue: dev=0000:03:00.0, fence=5:1, ring={ring}, job count:0, hw job count:0, client_id:1"
        );
        job_is(&event, JobStep::Queue, queued(ring));
    }
    job_is(
        "drm_sched_job_run: hw job count:-1, ring=r, dev=d, client_id:1, fence=5:1",
        JobStep::Run,
        queued("r"),
    );
    job_is("drm_sched_job_done: fence=5:1 signaled", JobStep::Done, job(None));
    job_is("drm_sched_job_add_dep: fence=5:1 depends on fence=3:2", JobStep::AddDep, job(id(3, 2)));
    for word in ["unsignalled", "unsignaled"] {
        let event = format!("drm_sched_job_unschedulable: fence=5:1 depends on {word} fence=3:2");
        job_is(&event, JobStep::Unschedulable, job(id(3, 2)));
    }
}

/// Schedulers count to 2⁶⁴, fences' events only to 2³².
#[test]
fn modulo_32_bits() {
    let event = "drm_sched_job_add_dep: fence=4294967301:18446744073709551615 depends on fence=12884901890:4294967296";
    let job = Job { fence: id(5, u32::MAX), on: id(2, 0), ..Job::default() };
    job_is(event, JobStep::AddDep, job);
    fence_is("driver=d timeline=t context=4294967301 seqno=4294967297", "d", "t", id(5, 1));
}
