//! What events say, in every generation's words.

use super::*;

fn id(context: u32, seqno: u32) -> Option<FenceId> {
    Some(FenceId { context, seqno })
}

/// Looks at the event, and at its number without its context.
#[track_caller]
fn look<T>(body: &str, take: impl FnOnce(&str, &str, Option<FenceId>, Option<i32>) -> T) -> T {
    let line = format!(" a-1 [000] ..... 1.000000: dma_fence_signaled: {body}");
    check(line.as_bytes(), |event| match event.kind {
        EventKind::Fence { step, driver, timeline, fence, seqno, error } => {
            assert_eq!(step, FenceStep::Signaled, "{body}");
            assert!(fence.is_none_or(|fence| fence.seqno == seqno), "{body}: {seqno}");
            take(driver, timeline, fence, error)
        }
        kind => panic!("{kind:?}"),
    })
}

#[track_caller]
fn fence(body: &str) -> (String, String, Option<FenceId>) {
    look(body, |driver, timeline, fence, _| (driver.into(), timeline.into(), fence))
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

/// The kernel's old events name no context: their numbers tell their fences apart.
#[test]
fn a_number_without_a_context() {
    let line = " a-1 [000] ..... 1.000000: dma_fence_init: driver=d timeline=ring seqno=4294967298";
    let number = check(line.as_bytes(), |event| match event.kind {
        EventKind::Fence { fence, seqno, .. } => (fence, seqno),
        kind => panic!("{kind:?}"),
    });
    assert_eq!(number, (None, 2));
}

#[test]
fn errors() {
    let error = |tail: &str| {
        let body = format!("driver=d timeline=x error=-5 context=1 seqno=2{tail}");
        look(&body, |driver, timeline, fence, error| {
            assert_eq!((driver, timeline, fence), ("d", "x error=-5", id(1, 2)), "{body}");
            error
        })
    };
    assert_eq!(error(""), None);
    assert_eq!(error(" error=-125"), Some(-125));
    assert_eq!(error(" error=-125 more"), Some(-125));
    assert_eq!(error(" error=-2147483648"), Some(i32::MIN));
    for none in [
        " more error=-5",
        " error=-2147483649",
        " error=",
        " error=-",
        " error=--5",
        " error=+5",
        " error=EIO",
        "  error=-5",
    ] {
        assert_eq!(error(none), None, "{none}");
    }
    // Where the names come last, they are not what is added.
    let body = "seqno=2 context=1 timeline=t driver=d error=-5";
    assert_eq!(
        look(body, |driver, _, _, error| (driver.to_owned(), error)),
        ("d error=-5".into(), None)
    );
}

#[test]
fn losses() {
    let line =
        " a-1 [000] ..... 1.000000: dma_fence_abandoned: driver=d timeline=t context=1 seqno=2";
    check(line.as_bytes(), |event| {
        let EventKind::Fence { step, fence, .. } = event.kind else { panic!("{event:?}") };
        assert_eq!((step, fence), (FenceStep::Abandoned, id(1, 2)));
    });
}

#[test]
fn members() {
    let member = |body: &str| {
        let line = format!(" a-1 [000] ..... 1.000000: dma_fence_member: {body}");
        match Parser::new().line(line.as_bytes()) {
            Line::Event(Event { kind: EventKind::Member { container, member }, .. }) => {
                Ok((Some(container), Some(member)))
            }
            other => Err(format!("{other:?}")),
        }
    };
    let body = "driver=dma_fence_array timeline=x member=8:8 context=1 seqno=1";
    assert_eq!(member(&format!("{body} member=3:4")), Ok((id(1, 1), id(3, 4))));
    assert_eq!(member(&format!("{body} member=4294967299:4")), Ok((id(1, 1), id(3, 4))));
    for cut in ["", " ", " member=", " member=3", " member=3:", " member=:4", " member=3:4:5"] {
        assert_eq!(member(&format!("{body}{cut}")), Err("Unfinished".into()), "{cut}");
    }
    let huge = member(&format!("{body} member=18446744073709551616:1"));
    assert_eq!(huge, Err("Malformed(Number)".into()));
    assert_eq!(member("driver=d timeline=t seqno=1 member=3:4"), Err("Unfinished".into()));
}

#[derive(Debug, PartialEq, Default)]
struct Job {
    fence: Option<FenceId>,
    id: Option<u64>,
    pointer: Option<u64>,
    device: String,
    ring: String,
    on: Option<FenceId>,
}

#[track_caller]
fn job_is(event: &str, step_is: JobStep, expected: Job) {
    let line = format!(" a-1 [000] ..... 1.000000: {event}");
    check(line.as_bytes(), |event| match event.kind {
        EventKind::Job { step, fence, id, pointer, device, ring, on } => {
            assert_eq!(step, step_is, "{line}");
            let (device, ring) = (device.to_owned(), ring.to_owned());
            assert_eq!(Job { fence, id, pointer, device, ring, on }, expected, "{line}");
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
    let queued =
        |device: &str, ring: &str| Job { device: device.into(), ring: ring.into(), ..job(None) };
    for name in
        ["drm-mock-scheduler", "a, dev=b, id=4", "x, job count:0", "ring=y", "", "a, fence=9:9"]
    {
        let event = |device: &str, ring: &str| {
            format!(
                "drm_sched_job_queue: dev={device}, fence=5:1, ring={ring}, job count:0, hw job count:0, client_id:1"
            )
        };
        job_is(&event("0000:03:00.0", name), JobStep::Queue, queued("0000:03:00.0", name));
        if !name.contains("fence=") {
            job_is(&event(name, "r"), JobStep::Queue, queued(name, "r"));
        }
    }
    job_is(
        "drm_sched_job_run: hw job count:-1, ring=r, dev=d, client_id:1, fence=5:1",
        JobStep::Run,
        queued("d", "r"),
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
