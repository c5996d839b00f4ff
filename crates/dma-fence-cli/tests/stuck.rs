//! What `record`, `analyze` and `watch` find out about a real kernel whose fences signal, do not, and do too late.

mod recording;

use std::{
    num::NonZeroU64,
    sync::mpsc,
    thread::{self, Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use dma_fence_linux::{Access, DmaBuf, DrmDevice, PointWait, SyncFile, TimelineSyncobj, Vgem};
use recording::common::{is_signaled, or_skip};
use recording::{LIMIT, Taking, dma_fence, machine, record};
use serde_json::Value;

/// How long --once looks at the kernel: until then the fence has to be stuck, also on a slow machine, and it must not
/// be so long that vgem signals it by itself, after ten seconds.
const WATCHED: Duration = Duration::from_secs(4);

/// What is pending for a second is stuck.
const STUCK: Duration = Duration::from_millis(1200);

/// What `analyze` says of a file, to people and to programs.
struct Analysis {
    status: Option<i32>,
    text: String,
    json: Value,
}

fn analyze(file: &str) -> Analysis {
    let run = |args: &[&str]| {
        let mut analyze = dma_fence();
        // As it is for what is pending anyway; what signals may take long on a busy machine that is emulated.
        analyze.args(["analyze", "--threshold", "1s"]).args(args).arg(file);
        let output = analyze.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, text) = run(&[]);
    let (same, json) = run(&["--all", "--json"]);
    assert_eq!(status, same, "{text}{json}");
    Analysis { status, text, json: serde_json::from_str(&json).unwrap() }
}

impl Analysis {
    fn headline(&self) -> &str {
        self.text.lines().next().unwrap()
    }

    fn all(&self) -> &[Value] {
        self.json["fences"].as_array().unwrap()
    }

    /// The fence `context:seqno`.
    #[track_caller]
    fn fence(&self, id: &str) -> &Value {
        let found = self.all().iter().find(|fence| id_of(fence) == id);
        found.unwrap_or_else(|| panic!("no {id} in:\n{:#}", self.json))
    }

    /// The one fence of a driver.
    #[track_caller]
    fn only(&self, driver: &str) -> &Value {
        let found: Vec<_> = self.all().iter().filter(|fence| fence["driver"] == driver).collect();
        assert_eq!(found.len(), 1, "{driver}: {:#}", self.json);
        found[0]
    }
}

fn id_of(fence: &Value) -> String {
    format!("{}:{}", fence["context"], fence["seqno"])
}

/// As `context:seqno`, for the kernel calls a file of one pending fence `vgem-unbound5-1`.
fn id(file: &SyncFile) -> String {
    let name = file.info().unwrap().name;
    name.strip_prefix("vgem-unbound").expect(&name).replace('-', ":")
}

/// A thread with a name, and its number.
fn named<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    run: impl FnOnce() + Send + 'scope,
) -> (i32, ScopedJoinHandle<'scope, ()>) {
    let (sender, number) = mpsc::channel();
    let thread = thread::Builder::new().name(name.into());
    let handle = thread.spawn_scoped(scope, move || {
        sender.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        run();
    });
    (number.recv().unwrap(), handle.unwrap())
}

fn has(list: &Value, comm: &str, pid: i32) -> bool {
    list.as_array().unwrap().iter().any(|who| who["comm"] == comm && who["pid"] == pid)
}

#[test]
fn nothing_is_stuck_where_everything_signals() {
    let Some((vgem, _kept, file)) = machine() else { return };
    let recorder = Taking::start(&mut record(&["-o", &file]));
    let mut ids = Vec::new();
    for _ in 0..4 {
        let buffer = vgem.new_buffer(4096).unwrap();
        let dma_buf = DmaBuf::new(buffer.dma_buf().unwrap()).unwrap();
        let (write, (other, other_file)) =
            (buffer.attach(true).unwrap(), vgem.new_fence().unwrap());
        let write_file = dma_buf.export_sync_file(Access::Read).unwrap();
        let both = write_file.merge(&other_file, "both").unwrap();
        ids.extend([id(&write_file), id(&other_file)]);
        thread::scope(|scope| {
            let mut mapping = dma_buf.map().unwrap();
            scope.spawn(move || mapping.access(Access::Read).unwrap().finish().unwrap());
            scope.spawn(move || assert!(both.wait_timeout(LIMIT).unwrap()));
            // Until they wait, more or less; it is right if they do not.
            thread::sleep(Duration::from_millis(20));
            write.signal().unwrap();
            other.signal().unwrap();
        });
    }
    recorder.interrupt();

    let analysis = analyze(&file);
    assert_eq!(analysis.status, Some(0), "{}", analysis.text);
    assert!(analysis.headline().contains("nothing is stuck"), "{}", analysis.text);
    assert_eq!(analysis.json["stuck"], false);
    for verdict in ["never", "lost", "pending-at-end"] {
        assert_eq!(analysis.json["verdicts"][verdict], 0, "{:#}", analysis.json);
    }
    for id in &ids {
        assert!(analysis.fence(id)["signaled_ns"].is_u64(), "{:#}", analysis.json);
    }
}

#[test]
fn a_fence_that_does_not_signal_is_found_and_who_waits_for_it() {
    let Some((vgem, _kept, file)) = machine() else { return };
    let device = or_skip("virtio_gpu", DrmDevice::first_with_syncobjs());
    let Some(device) = device else { return };
    let later = format!("{file}.later");
    let recorder = Taking::start(&mut record(&["-o", &file]));
    let recorder_of_the_end = Taking::start(&mut record(&["-o", &later]));
    let seconds = WATCHED.as_secs().to_string();
    let mut watch = dma_fence();
    let watch = Taking::start(watch.args(["watch", "--once", "--seconds", &seconds]));

    let hang = hang(&vgem, &device, || {
        let made = Instant::now();
        let watched = watch.output();
        thread::sleep(STUCK.saturating_sub(made.elapsed()));
        recorder.interrupt();
        watched
    });
    recorder_of_the_end.interrupt();

    let analysis = analyze(&file);
    let headline = analysis.headline();
    assert_eq!(analysis.status, Some(1), "{}", analysis.text);
    for part in ["STUCK", "driver vgem", &format!("fence {}", hang.id)] {
        assert!(headline.contains(part), "{part} is not in: {headline}");
    }
    hang.is_told_as(&analysis, "never");
    let fence = analysis.fence(&hang.id);
    assert!(fence["signaled_ns"].is_null(), "{fence:#}");
    assert_eq!(fence["waiters"][0]["open"], true, "{fence:#}");
    assert!(fence["age_ns"].as_u64().unwrap() > 1_000_000_000, "{fence:#}");
    let reader = format!("screencast (pid {})", hang.reader);
    assert!(analysis.text.contains(&reader), "{}", analysis.text);

    // Whoever watched meanwhile has seen the same.
    let replay = ["watch", "--once", "--replay", &file];
    let replay = dma_fence().args(replay).output().unwrap();
    hang.is_shown(&hang.watched, &analysis);
    hang.is_shown(&String::from_utf8(replay.stdout).unwrap(), &analysis);

    let analysis = analyze(&later);
    let headline = analysis.headline();
    assert_eq!(analysis.status, Some(0), "{}", analysis.text);
    for part in ["LATE, but nothing is stuck", "driver vgem", &format!("fence {}", hang.id)] {
        assert!(headline.contains(part), "{part} is not in: {headline}");
    }
    hang.is_told_as(&analysis, "late");
    let fence = analysis.fence(&hang.id);
    assert!(fence["signaled_ns"].is_u64(), "{fence:#}");
    assert_eq!(fence["waiters"][0]["open"], false, "{fence:#}");
}

/// A fence that did not signal for long, and the threads that waited for it.
struct Hang {
    id: String,
    /// One that signaled in time, and was in the same array.
    innocent: String,
    reader: i32,
    poller: i32,
    waiter: i32,
    /// What `watch` showed meanwhile.
    watched: String,
}

/// Lets a fence be pending for as long as `meanwhile` takes: a thread waits for it inside of the kernel, one polls an
/// array that has it, and one waits for a point of a timeline.
fn hang(vgem: &Vgem, device: &DrmDevice, meanwhile: impl FnOnce() -> String) -> Hang {
    let buffer = vgem.new_buffer(4096).unwrap();
    let dma_buf = DmaBuf::new(buffer.dma_buf().unwrap()).unwrap();
    let producer = buffer.attach(true).unwrap();
    let file = dma_buf.export_sync_file(Access::Read).unwrap();
    let (innocent, innocent_file) = vgem.new_fence().unwrap();
    let both = file.merge(&innocent_file, "both").unwrap();
    let timeline = TimelineSyncobj::new(device).unwrap();
    let point = timeline.point(NonZeroU64::MIN);
    point.submit(&file).unwrap();
    let ids = [&file, &innocent_file].map(id);
    innocent.signal().unwrap();
    thread::scope(|scope| {
        let mut mapping = dma_buf.map().unwrap();
        let (reader, _) = named(scope, "screencast", move || {
            mapping.access(Access::Read).unwrap().finish().unwrap();
        });
        let (poller, _) = named(scope, "compositor", || assert!(both.wait_timeout(LIMIT).unwrap()));
        let (waiter, _) = named(scope, "vulkan", || {
            PointWait::for_signal(LIMIT).all(std::slice::from_ref(&point)).unwrap();
        });
        let watched = meanwhile();
        assert!(!is_signaled(&file), "vgem has signaled it: the machine is too slow");
        producer.signal().unwrap();
        let [id, innocent] = ids;
        Hang { id, innocent, reader, poller, waiter, watched }
    })
}

impl Hang {
    /// It is the reason, and nobody else is.
    #[track_caller]
    fn is_told_as(&self, analysis: &Analysis, verdict: &str) {
        let fence = analysis.fence(&self.id);
        assert_eq!((&fence["driver"], &fence["root"]), (&"vgem".into(), &true.into()), "{fence:#}");
        assert_eq!(fence["verdict"], verdict, "{fence:#}");
        assert!(has(&fence["waiters"], "screencast", self.reader), "{fence:#}");
        for (driver, comm, pid) in [
            ("dma_fence_array", "compositor", self.poller),
            ("dma_fence_chain", "vulkan", self.waiter),
        ] {
            let container = analysis.only(driver);
            assert_eq!(container["verdict"], verdict, "{container:#}");
            assert_eq!(container["root"], false, "{container:#}");
            let blamed: Vec<_> = container["blamed_on"].as_array().unwrap().iter().collect();
            assert_eq!(blamed.iter().map(|on| id_of(on)).collect::<Vec<_>>(), [&*self.id]);
            assert!(has(&container["asked_by"], comm, pid), "{container:#}");
        }
        assert_eq!(analysis.fence(&self.innocent)["verdict"], "ok");
        let bad = analysis.all().iter().filter(|fence| fence["verdict"] == verdict);
        assert_eq!(bad.count(), 3, "{:#}", analysis.json);
    }

    /// A row says that it is stuck by itself, and two that a container is because of it.
    #[track_caller]
    fn is_shown(&self, watched: &str, analysis: &Analysis) {
        assert!(watched.starts_with("3 stuck  3 pending  "), "{watched}");
        let container = |driver| id_of(analysis.only(driver));
        let (array, chain) = (container("dma_fence_array"), container("dma_fence_chain"));
        let reason = format!("{}, member", self.id);
        let [reader, poller, waiter] = [
            format!("screencast-{}", self.reader),
            format!("asked by compositor-{}", self.poller),
            format!("asked by vulkan-{}", self.waiter),
        ];
        for (mark, parts) in [
            ('!', ["vgem", &self.id, &reader, "itself"]),
            ('·', ["dma_fence_array", &array, &poller, &reason]),
            ('·', ["dma_fence_chain", &chain, &waiter, &reason]),
        ] {
            let is_row = |line: &str| parts.iter().all(|part| line.contains(part));
            let shown = watched.lines().any(|line| line.starts_with(mark) && is_row(line));
            assert!(shown, "no {mark} {parts:?} in:\n{watched}");
        }
    }
}
