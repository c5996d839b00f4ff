//! Imported fences on several threads, whatever comes first: the signal, waiters, drops, the end of the reactor.

mod common;

use common::{alone, in_time, open_fds, or_skip};
use dma_fence::Fence;
use dma_fence_linux::{FenceEventFd, Reactor, ReactorHandle, SyncFile, Vgem, VgemFence};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// Only ends a test that hangs; vgem signals its fences after ten seconds.
const LIMIT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(5);

static EXPECTED: AtomicUsize = AtomicUsize::new(0);
static TOLD: AtomicUsize = AtomicUsize::new(0);

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn fork(&mut self) -> Random {
        Random(self.below(u64::MAX) | 1)
    }
}

/// A callback that has to come, now or later.
fn expect(fence: &Fence, told: impl FnOnce() + Send + 'static) {
    EXPECTED.fetch_add(1, SeqCst);
    let count = |told: Box<dyn FnOnce() + Send>| {
        told();
        TOLD.fetch_add(1, SeqCst);
    };
    let told: Box<dyn FnOnce() + Send> = Box::new(told);
    match fence.on_signal(move |_| count(told)) {
        Ok(callback) => callback.detach(),
        Err(declined) => {
            let dma_fence::Status::Signaled(signal) = fence.status() else { panic!("declined") };
            (declined.callback)(&signal);
        }
    }
}

fn wait_by_eventfd(fence: Fence) {
    let fd = FenceEventFd::new(&fence).unwrap().into_fd().unwrap();
    drop(fence);
    let limit = Timespec { tv_sec: LONG.as_secs() as i64, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)), Ok(1));
    let mut value = [0; 8];
    rustix::io::read(&fd, &mut value).unwrap();
    assert_eq!(u64::from_ne_bytes(value), 1);
}

/// Something that one does with a fence; `file` is of another one.
fn consume(fence: Fence, file: &SyncFile, reactor: &ReactorHandle, random: &mut Random) {
    match random.below(8) {
        0 => assert_eq!(fence.wait_timeout(LONG), Ok(())),
        1 => in_time(LONG, || fence.is_signaled()),
        2 => drop(fence.on_signal(|_| ())),
        3 => drop(FenceEventFd::new(&fence).unwrap()),
        4 => wait_by_eventfd(fence),
        5 => fence.enable_signaling(),
        6 => expect(&fence, || ()),
        _ => {
            let (file, reactor) = (file.try_clone().unwrap(), reactor.clone());
            expect(&fence, move || {
                expect(&file.into_fence_on(&reactor).unwrap(), || ());
            });
        }
    }
}

fn produce(producers: Vec<VgemFence>, mut random: Random) {
    for producer in producers {
        (0..random.below(200)).for_each(|_| std::hint::spin_loop());
        if random.below(3) == 0 {
            thread::yield_now();
        }
        producer.signal().unwrap();
    }
}

/// `reactor` is dropped at some time or other.
fn round(vgem: &Vgem, reactor: Option<Reactor>, random: &mut Random) {
    let handle = reactor.as_ref().map_or_else(|| Reactor::global().unwrap(), Reactor::handle);
    let (producers, files): (Vec<_>, Vec<_>) = (0..8).map(|_| vgem.new_fence().unwrap()).unzip();
    let import = |file: &SyncFile| file.try_clone().unwrap().into_fence_on(&handle).unwrap();
    let fences: Vec<Fence> = files.iter().map(import).collect();
    thread::scope(|scope| {
        let (seed, files, handle) = (random.fork(), &files, &handle);
        scope.spawn(move || produce(producers, seed));
        for mut random in [random.fork(), random.fork()] {
            let fences = fences.clone();
            scope.spawn(move || {
                for (fence, other) in fences.into_iter().zip(files.iter().cycle().skip(1)) {
                    consume(fence, other, handle, &mut random);
                }
            });
        }
        drop(fences);
        if let Some(reactor) = reactor {
            for _ in 0..random.below(6) {
                reactor.dispatch().unwrap();
            }
        }
    });
}

fn stress(new_reactor: fn() -> Option<Reactor>) {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    drop(Reactor::global().unwrap());
    let before = open_fds();
    let (begin, mut random) = (Instant::now(), Random(0x9e37_79b9_7f4a_7c15));
    while begin.elapsed() < Duration::from_secs(5) {
        round(&vgem, new_reactor(), &mut random);
    }
    in_time(LIMIT, || TOLD.load(SeqCst) == EXPECTED.load(SeqCst));
    in_time(LIMIT, || open_fds() == before);
}

#[test]
fn on_the_reactor_of_the_process() {
    stress(|| None);
}

#[test]
fn on_reactors_that_go() {
    stress(|| Some(Reactor::new().unwrap()));
}
