//! What it costs to import a sync file, and how late its waiters hear of the signal, beside plain system
//! calls: all rows interleaved in one run, medians. Needs vgem; `cargo xtask rig --bench` has it.

use dma_fence::Timestamp;
use dma_fence_linux::{Reactor, SyncFile, Vgem, VgemFence};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

/// Enough for a stable median on an emulated machine, in less than a minute.
const ROUNDS: usize = 20;
const BATCH: usize = 100;

/// What a row does with files that are prepared, and signaled before or after.
struct Row {
    name: &'static str,
    signaled: bool,
    run: fn(SyncFile),
}

/// Waits for a file, says when it is about to sleep, and when it heard of the signal.
type Way = fn(SyncFile, Sender<()>) -> u64;

const COSTS: &[Row] = &[
    Row { name: "poll(2), signaled", signaled: true, run: poll_now },
    Row {
        name: "import, signaled",
        signaled: true,
        run: |file| drop(black_box(file.into_fence())),
    },
    Row { name: "poll(2), pending", signaled: false, run: poll_now },
    Row {
        name: "import, pending",
        signaled: false,
        run: |file| drop(black_box(file.into_fence())),
    },
    Row { name: "import, pending, watched", signaled: false, run: watched },
];

fn poll_now(file: SyncFile) {
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&zero)).unwrap();
}

fn watched(file: SyncFile) {
    let fence = file.into_fence().unwrap();
    fence.enable_signaling();
    drop(black_box(fence));
}

fn main() -> ExitCode {
    let vgem = match Vgem::open() {
        Ok(vgem) => vgem,
        Err(error) => {
            eprintln!("nothing to measure: {error}");
            return ExitCode::SUCCESS;
        }
    };
    // Not the first import's cost.
    drop(Reactor::global().unwrap());
    costs(&vgem);
    latencies(&vgem);
    ExitCode::SUCCESS
}

fn costs(vgem: &Vgem) {
    let mut samples = vec![Vec::new(); COSTS.len()];
    for _ in 0..ROUNDS {
        for (row, samples) in COSTS.iter().zip(&mut samples) {
            samples.push(cost(vgem, row));
        }
    }
    println!("| sync file, closed at the end | median | of poll(2) |");
    println!("|:---|---:|---:|");
    let medians: Vec<u64> = samples.iter_mut().map(|samples| median(samples)).collect();
    for (index, row) in COSTS.iter().enumerate() {
        let peer = medians[if row.signaled { 0 } else { 2 }];
        println!("| {} | {} ns | {:.2} × |", row.name, medians[index], ratio(medians[index], peer));
    }
}

/// Nanoseconds for one file.
fn cost(vgem: &Vgem, row: &Row) -> u64 {
    let (producers, files): (Vec<VgemFence>, Vec<SyncFile>) =
        (0..BATCH).map(|_| vgem.new_fence().unwrap()).unzip();
    let signal =
        |producers: Vec<VgemFence>| producers.into_iter().for_each(|p| p.signal().unwrap());
    let pending = if row.signaled {
        signal(producers);
        Vec::new()
    } else {
        producers
    };
    let begin = now();
    files.into_iter().for_each(row.run);
    let cost = (now() - begin) / BATCH as u64;
    signal(pending);
    cost
}

/// From just before the signal to the moment when the waiter hears of it.
fn latencies(vgem: &Vgem) {
    let ways: [(&str, Way); 3] = [
        ("thread in poll(2)", |file, ready| {
            ready.send(()).unwrap();
            poll(&mut [PollFd::new(&file, PollFlags::IN)], None).unwrap();
            now()
        }),
        ("callback, by the reactor", |file, ready| {
            let (sender, receiver) = mpsc::channel();
            let fence = file.into_fence().unwrap();
            fence.on_signal(move |_| sender.send(now()).unwrap()).unwrap().detach();
            ready.send(()).unwrap();
            receiver.recv().unwrap()
        }),
        ("thread in wait(), by the reactor", |file, ready| {
            let fence = file.into_fence().unwrap();
            ready.send(()).unwrap();
            fence.wait().unwrap();
            now()
        }),
    ];
    let mut samples = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS * 10 {
        for ((_, way), samples) in ways.iter().zip(&mut samples) {
            samples.push(latency(vgem, *way));
        }
    }
    println!("\n| wake-up | median | of poll(2) |");
    println!("|:---|---:|---:|");
    let medians: Vec<u64> = samples.iter_mut().map(|samples| median(samples)).collect();
    for ((name, _), time) in ways.iter().zip(&medians) {
        println!("| {name} | {:.1} µs | {:.2} × |", *time as f64 / 1e3, ratio(*time, medians[0]));
    }
}

fn latency(vgem: &Vgem, way: Way) -> u64 {
    let (producer, file) = vgem.new_fence().unwrap();
    let (ready, is_ready) = mpsc::channel();
    let waiter = thread::spawn(move || way(file, ready));
    is_ready.recv().unwrap();
    // Until it sleeps, or it would find the fence signaled.
    thread::sleep(Duration::from_millis(3));
    let begin = now();
    producer.signal().unwrap();
    waiter.join().unwrap() - begin
}

fn now() -> u64 {
    Timestamp::now().as_nanos()
}

fn median(samples: &mut [u64]) -> u64 {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn ratio(time: u64, peer: u64) -> f64 {
    time as f64 / peer as f64
}
