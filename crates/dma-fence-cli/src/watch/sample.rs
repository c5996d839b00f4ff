//! Reports for tests.

use dma_fence_trace::FenceId;
use dma_fence_trace::report::{
    Because, Blame, Fence, Last, Report, SCHEMA, Task, Timeline, Verdict, Verdicts, Waiter,
};

pub(super) const SECOND: u64 = 1_000_000_000;

/// Nothing has happened, for 60 seconds.
pub(super) fn report() -> Report {
    Report {
        schema: SCHEMA,
        events: 0,
        other_events: 0,
        malformed: 0,
        malformed_lines: vec![],
        lost: 0,
        span_ns: 60 * SECOND,
        begin_ns: 0,
        last_ns: 60 * SECOND,
        end_ns: 60 * SECOND,
        stuck: false,
        verdicts: Verdicts::default(),
        notes: vec![],
        fences: vec![],
        late_not_listed: 0,
        timelines: vec![],
    }
}

pub(super) fn timeline(driver: &str, name: &str, context: Option<u32>) -> Timeline {
    Timeline {
        driver: driver.into(),
        timeline: name.into(),
        context,
        contexts: 1,
        fences: 0,
        signaled: 0,
        pending: 0,
        p50_ns: None,
        p99_ns: None,
        max_ns: None,
        waits: 0,
        wait_p50_ns: None,
        wait_p99_ns: None,
        wait_max_ns: None,
        last: None,
    }
}

pub(super) fn id(context: u32, seqno: u32) -> FenceId {
    FenceId { context, seqno }
}

/// Pending at the end, and made so many seconds before.
pub(super) fn fence(context: u32, seqno: u32, names: (&str, &str), age: u64) -> Fence {
    Fence {
        context,
        seqno,
        driver: names.0.into(),
        timeline: names.1.into(),
        verdict: Verdict::PendingAtEnd,
        root: true,
        certain: true,
        init_ns: Some((60 - age) * SECOND),
        emit_ns: None,
        signaled_ns: None,
        destroyed_ns: None,
        abandoned_ns: None,
        error: None,
        age_ns: age * SECOND,
        late_ns: None,
        outlier: false,
        made_by: Some(Task { comm: "game".into(), pid: Some(77) }),
        signaled_by: None,
        waiters: vec![],
        asked_by: vec![],
        blamed_on: vec![],
        part_of: None,
        job: None,
    }
}

pub(super) fn waiter(comm: &str, pid: u32, seconds: u64) -> Waiter {
    Waiter {
        comm: comm.into(),
        pid: Some(pid),
        since_ns: (60 - seconds) * SECOND,
        waited_ns: seconds * SECOND,
        open: true,
    }
}

/// The frozen desktop: the display's worker waits for a fence of another device, which never signals, and the
/// compositor for the display. A fence of a third one is young, and one is older but in order.
pub(super) fn frozen() -> Report {
    let root = Fence {
        verdict: Verdict::Never,
        waiters: vec![waiter("kworker/u4:1", 31, 40)],
        ..fence(7, 3, ("sw_sync", "ring-stuck"), 40)
    };
    let display = Fence {
        verdict: Verdict::Never,
        root: false,
        waiters: vec![waiter("compositor", 52, 41)],
        blamed_on: vec![Blame { fence: id(7, 3), because: Because::Display }],
        ..fence(2, 9, ("vkms", "CRTC:34-crtc-0"), 42)
    };
    let young = fence(5, 100, ("gpu", "gfx"), 1);
    let mut gfx = Timeline {
        fences: 100,
        signaled: 99,
        pending: 1,
        p50_ns: Some(2_000_000),
        p99_ns: Some(9_000_000),
        ..timeline("gpu", "gfx", Some(5))
    };
    gfx.last = Some(Last {
        event: "init".into(),
        fence: id(5, 100),
        at_ns: 59 * SECOND,
        comm: "game".into(),
        pid: Some(77),
    });
    let stuck = Timeline {
        fences: 3,
        signaled: 2,
        pending: 1,
        ..timeline("sw_sync", "ring-stuck", Some(7))
    };
    let crtc = Timeline {
        fences: 9,
        signaled: 8,
        pending: 1,
        ..timeline("vkms", "CRTC:34-crtc-0", Some(2))
    };
    Report {
        events: 304_001,
        lost: 12,
        stuck: true,
        verdicts: Verdicts { never: 2, pending_at_end: 1, ok: 109, ..Verdicts::default() },
        fences: vec![young, display, root],
        timelines: vec![gfx, crtc, stuck],
        ..report()
    }
}
