//! Who, where, when: in every program's form.

use super::*;

fn who(prefix: &str) -> (String, u32, Option<u32>, u64) {
    check(format!("{prefix}: {INIT}").as_bytes(), |event| {
        let kind = EventKind::Fence {
            step: FenceStep::Init,
            driver: "gpu",
            timeline: "gfx",
            fence: Some(FenceId { context: 5, seqno: 7 }),
            seqno: 7,
            error: None,
        };
        assert_eq!(event.kind, kind, "{prefix}");
        let pid = event.task.pid.expect("a number");
        (event.task.comm.to_owned(), pid, event.cpu, event.time_ns)
    })
}

#[track_caller]
fn prefix_is(prefix: &str, comm: &str, pid: u32, cpu: impl Into<Option<u32>>, time_ns: u64) {
    assert_eq!(who(prefix), (comm.to_owned(), pid, cpu.into(), time_ns), "{prefix}");
}

#[test]
fn tracefs() {
    prefix_is("         ok-ring-50      [001] .....     9.348968", "ok-ring", 50, 1, 9_348_968_000);
    prefix_is(
        "   umr:cs0-6498    [130] d..1  1234.000001",
        "umr:cs0",
        6498,
        130,
        1_234_000_001_000,
    );
    prefix_is(" <...>-12 [000] 0.000000", "<...>", 12, 0, 0);
    prefix_is(
        " kworker/u128:0-11 (     45) [001] d..1. 9.348968",
        "kworker/u128:0",
        11,
        1,
        9_348_968_000,
    );
    prefix_is(" <idle>-0       (-------) [001] d..1. 9.348968", "<idle>", 0, 1, 9_348_968_000);
    prefix_is(" <idle>-0       (-----) [001] dN.a2. 9.348968", "<idle>", 0, 1, 9_348_968_000);
}

#[test]
fn trace_cmd() {
    prefix_is("        tc-app-1-161   [000]    10.746268", "tc-app-1", 161, 0, 10_746_268_000);
    prefix_is("        tc-app-1-161   [000]    10.746268123", "tc-app-1", 161, 0, 10_746_268_123);
    prefix_is("tc-app-1-161     0.....    10.746268", "tc-app-1", 161, 0, 10_746_268_000);
    prefix_is("  tc-cpu-159   123dN.2.    10.746268", "tc-cpu", 159, 123, 10_746_268_000);
}

#[test]
fn perf() {
    prefix_is("      perf-app:1   160 [000]    15.671157", "perf-app:1", 160, 0, 15_671_157_000);
    prefix_is(
        "      perf-app:1   153/160   [000]    15.671157",
        "perf-app:1",
        160,
        0,
        15_671_157_000,
    );
    prefix_is("      a b 2   153/160   15.671157", "a b 2", 160, None, 15_671_157_000);
    let line = b" perf-cpu 158 [001] 15.683824:    dma_fence:dma_fence_wait_start: driver=v timeline=u context=1 seqno=1";
    check(line, |event| {
        assert!(matches!(event.kind, EventKind::Fence { step: FenceStep::WaitStart, .. }))
    });
    let line =
        b" perf-cpu 158 [001] 15.683824: gpu_scheduler:drm_sched_job_done: fence=1:2 signaled";
    check(line, |event| assert!(matches!(event.kind, EventKind::Job { step: JobStep::Done, .. })));
}

#[test]
fn times() {
    prefix_is(" a-1 [000] ..... 0.000001", "a", 1, 0, 1_000);
    prefix_is(" a-1 [000] ..... 0.0000011", "a", 1, 0, 1_100);
    prefix_is(" a-1 [000] ..... 18446744073.709551615", "a", 1, 0, u64::MAX);
}

/// Whatever a thread is called, it is neither another event nor another thread.
#[test]
fn strange_names() {
    for name in [
        "",
        "-",
        "--",
        "a-b (c)",
        "gpu 1-2 [003]",
        "x: y=z",
        "a-1 [0] 1: b:",
        "a-1 [0] 1.0: b:",
        "(12)",
        "x (12)",
        "x [000]",
        "1dN.2.",
        "12",
        "0/1",
        "a-1 0.....",
        "bad\nring",
        "context=9",
        "日本語",
        "a\tb",
    ] {
        prefix_is(&format!(" {name}-53      [001] ..... 9.515427"), name, 53, 1, 9_515_427_000);
        prefix_is(
            &format!(" {name}-53 (     45) [001] ..... 9.515427"),
            name,
            53,
            1,
            9_515_427_000,
        );
        prefix_is(&format!(" {name}-53   [001]   9.515427"), name, 53, 1, 9_515_427_000);
        prefix_is(&format!(" {name} 53   [001]   9.515427"), name, 53, 1, 9_515_427_000);
        prefix_is(&format!(" {name} 45/53   [001]   9.515427"), name, 53, 1, 9_515_427_000);
    }
    let long = "ab-".repeat(100);
    prefix_is(&format!("{long}-53 [001] ..... 9.515427"), &long, 53, 1, 9_515_427_000);
}

#[test]
fn bytes_that_are_no_text() {
    let line = b" gpu-\xe6\x97-53 [001] ..... 9.515427: dma_fence_init: driver=g\xff timeline=a context=5 seqno=7";
    check(line, |event| {
        assert_eq!(event.task, Task { comm: "gpu-\u{fffd}", pid: Some(53) });
        let EventKind::Fence { driver, .. } = event.kind else { panic!("{event:?}") };
        assert_eq!(driver, "g\u{fffd}");
    });
}

#[test]
fn not_a_prefix() {
    for prefix in [
        "9.515427",
        "[001] 9.515427",
        "a [001] ..... 9.515427",
        "a-1 [x] ..... 9.515427",
        "a-x [001] 9.515427",
        "a-1 [001] ..... 9.5154",
        "a-1 [001] ..... 9.5154271234",
        "a-1 [001] ..... -9.515427",
        "a-99999999999 [001] ..... 9.515427",
        "a-1 [99999999999] ..... 9.515427",
    ] {
        is(&format!("{prefix}: {INIT}"), Line::Malformed(Problem::NoPrefix));
    }
}
