mod body;
mod prefix;

use super::{Line, Parser, Problem};
use crate::event::{Event, EventKind, FenceId, FenceStep, JobStep, Task};

const INIT: &str = "dma_fence_init: driver=gpu timeline=gfx context=5 seqno=7";

#[track_caller]
fn check<T>(line: &[u8], look: impl FnOnce(Event<'_>) -> T) -> T {
    match Parser::new().line(line) {
        Line::Event(event) => look(event),
        other => panic!("{other:?}: {}", line.escape_ascii()),
    }
}

#[track_caller]
fn is(line: &str, expected: Line<'_>) {
    assert_eq!(Parser::new().line(line.as_bytes()), expected, "{line}");
}

#[test]
fn notes_about_the_buffer() {
    is("CPU:0 [LOST 158 EVENTS]", Line::Lost { cpu: 0, events: 158 });
    is("CPU:12 [LOST 18446744073709551615 EVENTS]\r\n", Line::Lost { cpu: 12, events: u64::MAX });
    is("CPU:3 [7 EVENTS DROPPED]", Line::Lost { cpu: 3, events: 7 });
    is("CPU:3 [EVENTS DROPPED]", Line::Lost { cpu: 3, events: 1 });
    is("CPU:3 [LOST", Line::Foreign);
    is("CPU:x [LOST 1 EVENTS]", Line::Foreign);
    is("##### CPU 1 buffer started ####", Line::BufferStarted { cpu: 1 });
    let header = "# entries-in-buffer/entries-written: 729/1316   #P:2";
    is(header, Line::Header { in_buffer: 729, written: 1316 });
    is("# tracing ended at 12.717909\r", Line::Ended { time_ns: 12_717_909_000 });
    is("# tracing ended at noon", Line::Foreign);
    is("# entries-in-buffer/entries-written: 65/65", Line::Header { in_buffer: 65, written: 65 });
}

#[test]
fn what_is_nobodys_business() {
    for line in [
        "",
        "   ",
        "cpus=2",
        "# tracer: nop",
        "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
        "CPU 0 is empty",
        "\twrite fence:vgem unbound seq 1 unsignalled",
        " => dma_fence_signal",
        "\tffffffff81 dma_fence_default_wait+0x12 ([kernel.kallsyms])",
        "[    1.000000] Linux version 7.3",
        "\0\0\0",
    ] {
        is(line, Line::Foreign);
    }
}

#[test]
fn other_events_tell_the_time() {
    let other = |time_ns| Line::Other { time_ns, cpu: Some(0) };
    is(
        " <idle>-0  (-------) [000] dNs4.     9.179151: sched_wakeup: comm=a pid=13",
        other(9_179_151_000),
    );
    is(
        " a-1 [000] ..... 1.000002: tracing_mark_write: dma_fence_signaled: driver=a timeline=b context=3 seqno=1",
        other(1_000_002_000),
    );
    is(" a-1 [000] ..... 1.000002: do_idle <-cpu_startup_entry", other(1_000_002_000));
    is(" a-1 [000] ..... 1.000002: dma_fence_initial: driver=a", other(1_000_002_000));
    is(" a 1 [000] 1.000002: probe:dma_fence_init: (ffff)", other(1_000_002_000));
    is(
        " a 1 [000] 1.000002: ftrace:print: dma_fence_init: driver=a timeline=b context=3 seqno=1",
        other(1_000_002_000),
    );
    // A clock that does not count seconds: not worth a word if it is not our event.
    is(" a-1 [000] ..... 77: sched_wakeup: comm=a", Line::Foreign);
}

#[test]
fn what_is_wrong() {
    let malformed = |line: &str, problem| is(line, Line::Malformed(problem));
    malformed(INIT, Problem::NoPrefix);
    malformed("fence: drm_sched_job_done: fence=1:2 signaled", Problem::NoPrefix);
    malformed(&format!("a-1 [000] ..... 1.0: {INIT}").replace(' ', "\t"), Problem::NoPrefix);
    malformed(&format!(" a-1 [000] ..... 77: {INIT}"), Problem::Time);
    malformed(&format!(" a-1 [000] ..... 18446744073.709552: {INIT}"), Problem::Time);
    malformed(&format!(" a-1 [000] ..... 18446744074.000000: {INIT}"), Problem::Time);
    malformed(&format!(" a-1 [000] ..... 99999999999999999999.000000: {INIT}"), Problem::Time);
    malformed("ring context=3 seqno=1", Problem::Stray);
    malformed("ring context=3 seqno=1 error=-5", Problem::Stray);
    malformed("ring context=3 seqno=1 member=1:1", Problem::Stray);
    is("ring context=3 seqno=1 error=x", Line::Foreign);
    let huge = " a-1 [000] ..... 1.000000: dma_fence_init: driver=a timeline=b context=1 seqno=18446744073709551616";
    malformed(huge, Problem::Number);
    for cut in [
        "dma_fence_init:",
        "dma_fence_init: driver=sw_sync timeline=bad",
        "dma_fence_init: driver=sw_sync timeline=bad context=3 seqno=",
        "drm_sched_job_queue: dev=x, fence=5:",
        "drm_sched_job_add_dep: fence=5:1 depends on fence=",
    ] {
        is(&format!(" a-1 [000] ..... 1.000000: {cut}"), Line::Unfinished);
    }
}
