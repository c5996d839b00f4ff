//! `--trace-events`: the fences of a copy as tracefs prints the kernel's, read by what reads those.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use common::{ENGINES, SYNCS, Sandbox, noise};
use dma_fence_trace::{EventKind, FenceId, FenceStep, Line, Reader};
use rustix::process::Signal;

const CHUNK: usize = 64 << 10;
/// 20 chunks, so 60 fences of the engines.
const LEN: usize = 20 * CHUNK - 5;

/// What a trace tells of a fence.
#[derive(Debug, Default)]
struct Life {
    driver: String,
    timeline: String,
    /// The times of each step.
    steps: HashMap<&'static str, Vec<u64>>,
    error: Option<i32>,
    members: Vec<FenceId>,
}

impl Life {
    fn times(&self, step: &str) -> &[u64] {
        self.steps.get(step).map_or(&[], Vec::as_slice)
    }

    fn is_array(&self) -> bool {
        self.driver == "dma_fence_array"
    }
}

#[derive(Default)]
struct Trace {
    lives: BTreeMap<FenceId, Life>,
    comms: BTreeMap<String, u32>,
}

/// Reads a trace, and checks what is true of every one, whatever became of the copy.
#[track_caller]
fn read(path: &Path) -> Trace {
    let bytes = fs::read(path).unwrap();
    let mut trace = Trace::default();
    let mut reader = Reader::new(&bytes[..]);
    let mut last = 0;
    while let Some(line) = reader.next().unwrap() {
        let event = match line {
            Line::Event(event) => event,
            Line::Foreign | Line::Ended { .. } => continue,
            other => panic!("{other:?}"),
        };
        last = last.max(event.time_ns);
        assert!(event.cpu.is_some_and(|cpu| cpu < 4096), "{event:?}");
        trace.comms.insert(event.task.comm.into(), event.task.pid.expect("a thread"));
        match event.kind {
            EventKind::Fence { step, driver, timeline, fence, error, .. } => {
                let life = trace.lives.entry(fence.expect("a context")).or_default();
                (life.driver, life.timeline) = (driver.into(), timeline.into());
                life.steps.entry(name(step)).or_default().push(event.time_ns);
                life.error = life.error.or(error);
            }
            EventKind::Member { container, member } => {
                trace.lives.entry(container).or_default().members.push(member);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reader.tally().malformed, 0);
    assert!(bytes.starts_with(b"# tracer: nop\n"));
    let text = String::from_utf8(bytes).unwrap();
    let end = text.lines().last().unwrap().strip_prefix("# tracing ended at ").expect("the end");
    let (seconds, micros) = end.split_once('.').unwrap();
    let end = 1000 * (seconds.parse::<u64>().unwrap() * 1_000_000 + micros.parse::<u64>().unwrap());
    assert!(last <= end, "{last} is after the end, {end}");
    for (fence, life) in &trace.lives {
        let one = |step| match life.times(step) {
            [at] => *at,
            other => panic!("{fence} {life:?}: {step} {other:?}"),
        };
        let (made, gone) = (one("init"), one("destroy"));
        let times = life.steps.values().flatten();
        assert!(times.clone().all(|at| (made..=gone).contains(at)), "{fence} {life:?}");
        assert_eq!(
            life.times("wait_start").len(),
            life.times("wait_end").len(),
            "{fence} {life:?}"
        );
        // An array that nobody waits for is let go of as it is.
        assert!(life.is_array() || one("signaled") > 0);
        assert!(life.times("signaled").len() <= 1 && life.times("enable_signal").len() <= 1);
        assert_eq!(life.is_array(), !life.members.is_empty(), "{fence} {life:?}");
        for member in &life.members {
            let member = &trace.lives[member];
            assert!(member.times("init")[0] <= made, "a member is older than the array");
            let done = |life: &Life| life.times("signaled").first().copied();
            assert!(done(life).is_none_or(|at| done(member).unwrap() <= at), "{fence} {life:?}");
        }
    }
    trace
}

fn name(step: FenceStep) -> &'static str {
    match step {
        FenceStep::Init => "init",
        FenceStep::EnableSignal => "enable_signal",
        FenceStep::WaitStart => "wait_start",
        FenceStep::WaitEnd => "wait_end",
        FenceStep::Abandoned => "abandoned",
        FenceStep::Signaled => "signaled",
        FenceStep::Destroy => "destroy",
        FenceStep::Emit => panic!("nobody tells that"),
    }
}

fn options<'a>(engine: &'a str, sync: &'a str) -> Vec<&'a str> {
    let mut args = vec!["--chunk-size", "64K", "--buffers", "8", "--json"];
    args.extend(["--engine", engine, "--sync", sync, "--trace-events", "events"]);
    args
}

#[test]
fn every_fence_of_a_copy_is_told_of() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(LEN));
    for engine in ENGINES {
        for sync in SYNCS {
            let args = options(engine, sync);
            let run = sandbox.copy(&source, &sandbox.path("copy"), &args).succeeded();
            let trace = read(&sandbox.path("events"));
            let arrays = trace.lives.values().filter(|life| life.is_array()).count();
            // The buffers' reservation objects make some, too.
            assert!(run.json()["arrays"].as_u64().unwrap() <= arrays as u64);
            assert_eq!(run.json()["fences"], trace.lives.len() - arrays);
            for life in trace.lives.values() {
                assert_eq!((life.error, life.times("abandoned")), (None, &[][..]), "{life:?}");
            }
            let threads: Vec<_> = trace.comms.values().collect();
            assert!(trace.comms.contains_key("dma-fence"), "{:?}", trace.comms);
            assert!(trace.comms.contains_key("fence-hash"), "{:?}", trace.comms);
            assert!(threads.len() > 2 && threads.iter().all(|tid| **tid > 1), "{threads:?}");
        }
    }
}

/// The only fence that is lost and stands for itself is the one that the error names.
#[test]
fn a_lost_producer_is_told_of_and_the_trace_is_complete() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(LEN));
    for engine in ENGINES {
        for sync in SYNCS {
            for nth in [1, 2, 3, 30, 59, 60] {
                let fault = format!("lost-producer={nth}");
                let mut args = options(engine, sync);
                args.extend(["--inject", &fault]);
                let run = sandbox.copy(&source, &sandbox.path("copy"), &args);
                assert_eq!(run.status(), 4, "{}", run.stdout());
                let trace = read(&sandbox.path("events"));
                let lost = |(_, life): &(&FenceId, &Life)| {
                    !life.is_array() && !life.times("abandoned").is_empty()
                };
                let lost: Vec<_> = trace.lives.iter().filter(lost).collect();
                let [(fence, life)] = lost[..] else { panic!("{fault}: {lost:?}") };
                let named = format!("{} {} {fence}", life.driver, life.timeline);
                assert_eq!(run.json()["error"]["fence"], named, "{fault}");
                assert!(life.times("abandoned")[0] <= life.times("signaled")[0]);
                assert!(life.error.is_some_and(|error| error < 0), "{life:?}");
                assert!(!life.times("wait_start").is_empty(), "somebody waited: {life:?}");
            }
        }
    }
}

#[test]
fn an_error_is_told_with_its_number() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(LEN));
    let mut args = options("threads", "fences");
    args.extend(["--inject", "io-error=1"]);
    assert_eq!(sandbox.copy(&source, &sandbox.path("copy"), &args).status(), 1);
    let trace = read(&sandbox.path("events"));
    let first = trace.lives.values().find(|life| life.timeline == "read").unwrap();
    assert_eq!(first.error, Some(-5));
}

#[test]
fn an_interrupted_copy_has_a_complete_trace() {
    let sandbox = Sandbox::new();
    let source = sandbox.sparse("source", 16 << 30);
    let args = ["--trace-events", "events", "--quiet"];
    let mut run = sandbox.start(&source, &sandbox.path("copy"), &args);
    run.wait_until_writing();
    run.signal(Signal::INT);
    run.finish().failed(130, &["interrupted"]);
    assert!(read(&sandbox.path("events")).lives.len() > 3);
}

#[test]
fn what_cannot_be_written_is_said() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(LEN));
    let destination = sandbox.file("destination", b"old");
    let copy = |args: &[&str]| sandbox.copy(&source, &destination, args);
    copy(&["--trace-events", "missing/events"]).failed(1, &["missing/events", "No such file"]);
    copy(&["--trace-events", "/dev/full"]).failed(1, &["/dev/full", "No space left"]);
    for file in ["source", "./destination"] {
        copy(&["--trace-events", file]).failed(2, &["--trace-events", file, "files to copy"]);
    }
    let both = ["--trace", "file", "--trace-events", "./file"];
    copy(&both).failed(2, &["--trace", "--trace-events", "both", "file"]);
    // The copy's own failure comes first, and the other is a warning.
    let both = ["--trace-events", "/dev/full", "--inject", "lost-producer=1"];
    copy(&both).failed(4, &["abandoned", "warning", "/dev/full", "No space left"]);
    common::assert_content(&source, &noise(LEN));
    common::assert_content(&destination, b"old");
}
