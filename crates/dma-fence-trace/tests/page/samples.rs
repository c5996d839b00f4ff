//! Reports to show, made by hand.

use dma_fence_trace::FenceId;
use dma_fence_trace::report::{
    Because, Blame, Fence, Job, Report, SCHEMA, Task, Timeline, Verdict, Verdicts, Waiter,
};

pub(crate) const MS: u64 = 1_000_000;
/// The traces begin after some days of uptime, as real ones do.
pub(crate) const BEGIN: u64 = 312_345_678_901_234;

/// A fence that signaled in time.
pub(crate) fn fence(id: (u32, u32), driver: &str, timeline: &str, init: u64, took: u64) -> Fence {
    Fence {
        context: id.0,
        seqno: id.1,
        driver: driver.into(),
        timeline: timeline.into(),
        verdict: Verdict::Ok,
        root: false,
        certain: true,
        init_ns: Some(BEGIN + init),
        emit_ns: None,
        signaled_ns: Some(BEGIN + init + took),
        destroyed_ns: None,
        abandoned_ns: None,
        error: None,
        age_ns: took,
        late_ns: None,
        outlier: false,
        made_by: Some(Task { comm: "Xorg".into(), pid: Some(812) }),
        signaled_by: Some(Task { comm: "<idle>".into(), pid: Some(0) }),
        waiters: Vec::new(),
        asked_by: Vec::new(),
        blamed_on: Vec::new(),
        job: None,
        part_of: None,
    }
}

/// It never signaled, up to the end of the trace.
pub(crate) fn never(mut fence: Fence, end: u64) -> Fence {
    fence.verdict = Verdict::Never;
    fence.signaled_ns = None;
    fence.signaled_by = None;
    fence.age_ns = BEGIN + end - fence.init_ns.unwrap();
    fence
}

pub(crate) fn root(mut fence: Fence) -> Fence {
    fence.root = true;
    fence
}

pub(crate) fn blamed(mut fence: Fence, on: (u32, u32), because: Because) -> Fence {
    fence.blamed_on.push(Blame { fence: FenceId { context: on.0, seqno: on.1 }, because });
    fence
}

/// A thread waits, and still does when the trace ends.
pub(crate) fn waiting(mut fence: Fence, comm: &str, pid: u32, since: u64, end: u64) -> Fence {
    let (since_ns, waited_ns) = (BEGIN + since, end - since);
    fence.waiters.push(Waiter {
        comm: comm.into(),
        pid: Some(pid),
        since_ns,
        waited_ns,
        open: true,
    });
    fence
}

pub(crate) fn late(mut fence: Fence) -> Fence {
    fence.verdict = Verdict::Late;
    fence.late_ns = Some(fence.age_ns.saturating_sub(1_000 * MS));
    fence
}

/// Sorts, counts, and finds the timelines.
pub(crate) fn report(mut fences: Vec<Fence>, end: u64) -> Report {
    fences.sort_by_key(|fence| fence.verdict);
    let mut verdicts = Verdicts::default();
    let mut timelines: Vec<Timeline> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for fence in &fences {
        *match fence.verdict {
            Verdict::Never => &mut verdicts.never,
            Verdict::Lost => &mut verdicts.lost,
            Verdict::PendingAtEnd => &mut verdicts.pending_at_end,
            Verdict::Late => &mut verdicts.late,
            Verdict::Unobserved => &mut verdicts.unobserved,
            Verdict::Ok => &mut verdicts.ok,
        } += 1;
        let at = *index.entry(fence.context).or_insert_with(|| {
            timelines.push(Timeline {
                driver: fence.driver.clone(),
                timeline: fence.timeline.clone(),
                context: Some(fence.context),
                contexts: 1,
                fences: 0,
                signaled: 0,
                pending: 0,
                p50_ns: Some(2 * MS),
                p99_ns: Some(9 * MS),
                max_ns: Some(20 * MS),
                waits: 0,
                wait_p50_ns: None,
                wait_p99_ns: None,
                wait_max_ns: None,
                last: None,
            });
            timelines.len() - 1
        });
        timelines[at].fences += 1;
    }
    Report {
        schema: SCHEMA,
        events: fences.len() as u64 * 3,
        other_events: 7,
        malformed: 0,
        malformed_lines: Vec::new(),
        lost: 0,
        span_ns: end,
        begin_ns: BEGIN,
        last_ns: BEGIN + end,
        end_ns: BEGIN + end,
        stuck: verdicts.never > 0,
        verdicts,
        notes: vec!["No event tells which fences an array has; that is inferred.".into()],
        fences,
        late_not_listed: 0,
        timelines,
    }
}

/// A desktop that stands still: the display waits for a fence of a device that stopped.
pub(crate) fn frozen() -> Report {
    let end = 5_400 * MS;
    let mut fences = Vec::new();
    for n in 1..21 {
        let at = u64::from(n) * 17 * MS;
        fences.push(fence((3, n), "sw_sync", "nv-prime-ring", at, 9 * MS));
        let mut flip = fence((1, n), "vkms", "CRTC:45-crtc-0", at + MS, 15 * MS);
        flip.waiters.push(Waiter {
            comm: "kworker/u8:0".into(),
            pid: Some(10),
            since_ns: BEGIN + at + 2 * MS,
            waited_ns: 13 * MS,
            open: false,
        });
        fences.push(flip);
        fences.push(fence((7, n), "virtio_gpu", "ring 0", at + 3 * MS, 6 * MS));
        if n % 3 == 0 {
            fences.push(fence((8, n), "virtio_gpu", "ring 1", at, 44 * MS));
        }
    }
    let stopped = root(never(fence((3, 21), "sw_sync", "nv-prime-ring", 357 * MS, 0), end));
    fences.push(waiting(stopped, "kworker/u8:0", 10, 360 * MS, end));
    let flip = never(fence((1, 21), "vkms", "CRTC:45-crtc-0", 359 * MS, 0), end);
    fences.push(waiting(blamed(flip, (3, 21), Because::Display), "Xorg", 812, 371 * MS, end));
    for n in 21..300 {
        fences.push(fence((7, n), "virtio_gpu", "ring 0", u64::from(n) * 17 * MS, 8 * MS));
    }
    fences.push(late(root(fence((8, 400), "virtio_gpu", "ring 1", 2_000 * MS, 1_500 * MS))));
    report(fences, end)
}

/// Jobs over three rings, each of which waits for the one before; the first never ends.
pub(crate) fn chain() -> Report {
    let end = 3_000 * MS;
    let rings = ["copy", "gfx", "compute"];
    let mut fences = Vec::new();
    for (ring, name) in rings.iter().enumerate() {
        let context = 10 + 2 * ring as u32;
        for n in 1..9 {
            let at = u64::from(n) * 40 * MS + ring as u64 * 9 * MS;
            fences.push(fence((context, n), "drm_sched", name, at, 60 * MS));
        }
        let stuck = never(fence((context, 9), "drm_sched", name, 400 * MS, 0), end);
        let mut stuck = match ring {
            0 => root(stuck),
            _ => blamed(stuck, (context - 2, 9), Because::Dependency),
        };
        stuck.job = Some(Job {
            device: "mock".into(),
            ring: (*name).into(),
            queued_ns: Some(BEGIN + 401 * MS),
            run_ns: (ring == 0).then_some(BEGIN + 402 * MS),
            done_ns: None,
            hardware: (ring == 0).then_some(FenceId { context: 99, seqno: 4 }),
        });
        fences.push(stuck);
    }
    let next = never(fence((14, 10), "drm_sched", "compute", 500 * MS, 0), end);
    fences.push(waiting(blamed(next, (14, 9), Because::Queue), "ollama:0", 4242, 510 * MS, end));
    report(fences, end)
}

/// Names as nobody should choose them, and as the kernel lets everybody.
pub(crate) const HOSTILE: [&str; 5] = [
    "</script><script>throw Error('ran')</script>",
    "<img src=x onerror=\"throw Error('ran')\">",
    "two\nlines\tand \u{fffd}cut",
    "\"quotes\" 'both' \\ & &amp; /*{data}*/ -->",
    "turned \u{202e}around\u{0}",
];

/// All of [`HOSTILE`], wherever a name can be.
pub(crate) fn hostile() -> Report {
    let end = 1_000 * MS;
    let fences = (1..).zip(HOSTILE).map(|(context, name)| {
        let mut fence = root(never(fence((context, 1), name, name, 10 * MS, 0), end));
        fence.made_by = Some(Task { comm: name.into(), pid: Some(context) });
        fence.job = Some(Job {
            device: name.into(),
            ring: name.into(),
            queued_ns: None,
            run_ns: None,
            done_ns: None,
            hardware: None,
        });
        waiting(fence, name, context, 20 * MS, end)
    });
    let mut report = report(fences.collect(), end);
    report.notes = HOSTILE.map(str::to_owned).to_vec();
    report
}

/// Forty fences of one timeline that are all there at the same time.
pub(crate) fn crowd() -> Report {
    let one = |n| fence((5, n), "panthor", "ring 5", u64::from(n) * MS, 900 * MS);
    report((1..=40).map(one).collect(), 1_000 * MS)
}

/// Many fences on many timelines, a few of them late or stuck; some timelines overlap a lot.
pub(crate) fn many(count: u32, tracks: u32) -> Report {
    // Splitmix64, so that every run shows the same.
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 31)) % below
    };
    let end = 60_000 * MS;
    let drivers = ["amdgpu", "i915", "drm_sched", "virtio_gpu", "sw_sync"];
    let mut fences: Vec<Fence> = Vec::new();
    for n in 0..count {
        // Some timelines are busier than others.
        let track =
            (random(u64::from(tracks)) * random(u64::from(tracks)) / u64::from(tracks)) as u32;
        let driver = drivers[track as usize % drivers.len()];
        let name = format!("ring_{}.{}", track / 8, track % 8);
        let at = random(58_000 * MS);
        let took = (1 << random(if track.is_multiple_of(7) { 31 } else { 24 })) + random(2 * MS);
        let mut one = fence((track + 1, n + 1), driver, &name, at, took.min(end - at));
        match random(20_000) {
            0 => one = waiting(root(never(one, end)), "Xorg", 812, at + 10, end),
            1..20 => one = late(one),
            _ => {}
        }
        if let (Verdict::Late, Some(other)) = (one.verdict, fences.last()) {
            one = blamed(one, (other.context, other.seqno), Because::Dependency);
        }
        fences.push(one);
    }
    report(fences, end)
}
