//! Every capture has the events that its ground truth counts.

mod common;

use std::collections::BTreeMap;

use common::{capture, captures, truth};
use dma_fence_trace::{EventKind, FenceStep, JobStep, Line, Reader, Tally};

#[derive(Default)]
struct Seen {
    types: BTreeMap<&'static str, u64>,
    others: u64,
    times: Vec<u64>,
    comms: BTreeMap<String, u64>,
    tally: Tally,
}

fn read(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut reader = Reader::new(bytes);
    while let Some(line) = reader.next().expect("a slice cannot fail") {
        match line {
            Line::Event(event) => {
                *seen.types.entry(name(&event.kind)).or_default() += 1;
                *seen.comms.entry(event.task.comm.to_owned()).or_default() += 1;
                seen.times.push(event.time_ns);
                assert!(event.cpu.is_some_and(|cpu| cpu < 2), "{event:?}");
                assert!(event.task.pid.is_some(), "{event:?}");
            }
            Line::Other { time_ns, .. } => {
                seen.others += 1;
                seen.times.push(time_ns);
            }
            _ => {}
        }
    }
    seen.tally = reader.tally().clone();
    seen
}

fn name(kind: &EventKind<'_>) -> &'static str {
    match kind {
        EventKind::Fence { step, .. } => match step {
            FenceStep::Init => "dma_fence_init",
            FenceStep::Emit => "dma_fence_emit",
            FenceStep::EnableSignal => "dma_fence_enable_signal",
            FenceStep::Signaled => "dma_fence_signaled",
            FenceStep::Destroy => "dma_fence_destroy",
            FenceStep::WaitStart => "dma_fence_wait_start",
            FenceStep::WaitEnd => "dma_fence_wait_end",
            FenceStep::Abandoned => "dma_fence_abandoned",
        },
        EventKind::Member { .. } => "dma_fence_member",
        EventKind::Job { step, .. } => match step {
            JobStep::Queue => "drm_sched_job_queue",
            JobStep::Run => "drm_sched_job_run",
            JobStep::Done => "drm_sched_job_done",
            JobStep::AddDep => "drm_sched_job_add_dep",
            JobStep::Unschedulable => "drm_sched_job_unschedulable",
        },
    }
}

#[test]
fn every_capture_has_its_events() {
    let captures = captures();
    assert_eq!(captures.len(), 26, "{captures:?}");
    for file in captures {
        let truth = truth(&file);
        let seen = read(&capture(&file));
        let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
        let mut others = 0;
        for (event, count) in truth["events_per_type"].as_object().expect("counts") {
            let count = count.as_u64().expect("a count");
            if event.starts_with("dma_fence_") || event.starts_with("drm_") {
                expected.insert(event, count);
            } else {
                others += count;
            }
        }
        assert_eq!((seen.types, seen.others), (expected, others), "{file}");
        assert_eq!(seen.times.len() as u64, truth["lines"]["events"].as_u64().unwrap(), "{file}");
        assert_eq!((seen.tally.malformed, seen.tally.first_malformed), (0, vec![]), "{file}");
        let span = &truth["lines"]["span_s"];
        let seconds = |time: Option<&u64>| *time.expect("an event") as f64 / 1e9;
        assert_eq!(Some(seconds(seen.times.iter().min())), span[0].as_f64(), "{file}");
        assert_eq!(Some(seconds(seen.times.iter().max())), span[1].as_f64(), "{file}");
    }
}

#[test]
fn names_are_whole() {
    let comms = |file: &str| read(&capture(file)).comms.into_keys().collect::<Vec<_>>();
    assert_eq!(
        comms("sw-newline.txt"),
        ["bad\nring", "cpu\nacc", "merger", "ok", "ok-ring", "two\nlines"]
    );
    let names = comms("sw-names.txt");
    for name in [
        "-",
        "Xorg:cs0",
        "a-b (c)",
        "gpu 1-2 [003]",
        "gpu-日本語\u{fffd}",
        "kworker/0:1-9",
        "x: y=z",
    ] {
        assert!(names.iter().any(|seen| seen == name), "{name} is not in {names:?}");
    }
}

/// What `perf` and `trace-cmd` print of the same events, in two forms each.
#[test]
fn forms_agree() {
    let read = |file: &str| {
        let seen = read(&capture(file));
        (seen.types, seen.times)
    };
    assert_eq!(read("perf-vgem.txt"), read("perf-vgem.pidtid.txt"));
    assert_eq!(read("tracecmd-vgem.report.txt"), read("tracecmd-vgem.report-l.txt"));
}

#[test]
fn overwritten_buffers_say_so() {
    let bytes = capture("sw-overwritten.txt");
    let mut reader = Reader::new(&bytes[..]);
    let mut notes = Vec::new();
    while let Some(line) = reader.next().expect("a slice cannot fail") {
        match line {
            Line::Header { in_buffer, written } => notes.push((in_buffer, written)),
            Line::BufferStarted { cpu } => notes.push((u64::from(cpu), reader.tally().lines)),
            _ => {}
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let started =
        text.lines().position(|line| line.contains("buffer started")).expect("one") as u64;
    assert!(text.contains("729/"), "the header");
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].0 == 729 && notes[0].1 > 729, "{notes:?}");
    assert_eq!(notes[1].1, started + 1);
}
