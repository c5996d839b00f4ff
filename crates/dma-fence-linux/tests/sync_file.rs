//! Sync files of a real kernel, and fences of the library made of them.

mod common;

use common::{alone, count_of, in_time, open_fds, or_skip, threads};
use dma_fence::{Errno, Fence, FenceError, Status, WaitError};
use dma_fence_linux::{FenceStatus, NotASyncFile, Reactor, SyncFile, Vgem, VgemFence};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::pipe;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, MutexGuard, mpsc};
use std::time::Duration;

/// Only ends a test that hangs; beyond the ten seconds after which vgem signals its fences.
const LIMIT: Duration = Duration::from_secs(60);

fn vgem() -> Option<(MutexGuard<'static, ()>, Vgem)> {
    let alone = alone();
    or_skip("vgem", Vgem::open()).map(|vgem| (alone, vgem))
}

fn some(vgem: &Vgem, len: usize) -> (Vec<VgemFence>, Vec<SyncFile>) {
    (0..len).map(|_| vgem.new_fence().unwrap()).unzip()
}

fn merged(files: &[SyncFile]) -> SyncFile {
    let first = files[0].try_clone().unwrap();
    files[1..].iter().fold(first, |sum, file| sum.merge(file, "merged").unwrap())
}

fn signal_all(producers: Vec<VgemFence>) {
    producers.into_iter().for_each(|producer| producer.signal().unwrap());
}

// === what a sync file says ===

#[test]
fn a_sync_file_tells_of_every_fence_in_it() {
    let Some((_alone, vgem)) = vgem() else { return };
    // As many as fit in one system call, and more.
    for len in [1, 2, 16, 17, 100] {
        let (mut producers, files) = some(&vgem, len);
        let file = merged(&files);
        let info = file.info().unwrap();
        assert_eq!(info.fences.len(), len);
        assert!(info.fences.iter().all(|fence| fence.driver == "vgem"));
        assert!(info.fences.iter().all(|fence| fence.timeline == "unbound"));
        assert!(info.fences.iter().all(|fence| fence.status == FenceStatus::Pending));
        producers.pop().unwrap().signal().unwrap();
        let pending = |status: &FenceStatus| *status == FenceStatus::Pending;
        let statuses: Vec<_> = file.info().unwrap().fences.iter().map(|f| f.status).collect();
        assert_eq!(statuses.iter().filter(|status| pending(status)).count(), len - 1);
        assert_eq!(file.is_signaled(), Ok(len == 1));
        assert_eq!(pending(&file.status().unwrap()), len > 1);
        signal_all(producers);
        assert_eq!(file.is_signaled(), Ok(true));
        let FenceStatus::Signaled(signal) = file.status().unwrap() else { panic!("signaled") };
        assert_eq!(signal.result, Ok(()));
        assert!(signal.timestamp <= dma_fence::Timestamp::now());
    }
}

#[test]
fn a_merged_file_has_the_name_it_was_given() {
    let Some((_alone, vgem)) = vgem() else { return };
    let (producers, files) = some(&vgem, 2);
    let long = "a name that is longer than the kernel keeps of it";
    assert_eq!(files[0].merge(&files[1], "frame 7").unwrap().info().unwrap().name, "frame 7");
    assert_eq!(files[0].merge(&files[1], long).unwrap().info().unwrap().name, long[..31]);
    // Of driver, timeline, context and number.
    assert!(files[0].info().unwrap().name.starts_with("vgem-unbound"));
    signal_all(producers);
}

#[test]
fn the_thread_itself_waits_as_long_as_it_says() {
    let Some((_alone, vgem)) = vgem() else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    assert_eq!(file.wait_timeout(Duration::ZERO), Ok(false));
    assert_eq!(file.wait_timeout(Duration::from_millis(20)), Ok(false));
    let waiter = std::thread::spawn(move || file.wait_timeout(LIMIT));
    producer.signal().unwrap();
    assert_eq!(waiter.join().unwrap(), Ok(true));
    let (producer, file) = vgem.new_fence().unwrap();
    producer.signal().unwrap();
    assert_eq!(file.wait_timeout(Duration::ZERO), Ok(true));
    assert_eq!(file.wait_timeout(Duration::MAX), Ok(true), "without an overflow");
}

#[test]
fn a_deadline_is_a_hint() {
    let Some((_alone, vgem)) = vgem() else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    file.set_deadline(dma_fence::Timestamp::now()).unwrap();
    file.try_clone().unwrap().into_fence().unwrap().set_deadline(dma_fence::Timestamp::now());
    assert_eq!(file.is_signaled(), Ok(false));
    producer.signal().unwrap();
}

// === what becomes of one that has signaled ===

#[test]
fn an_import_of_a_signaled_file_leaves_nothing_behind() {
    let Some((_alone, vgem)) = vgem() else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    producer.signal().unwrap();
    let FenceStatus::Signaled(signal) = file.status().unwrap() else { panic!("signaled") };
    let (fds, before) = (open_fds(), threads());
    let fence = file.into_fence().unwrap();
    assert_eq!(fence.status(), Status::Signaled(signal), "the kernel's own time");
    assert_eq!((open_fds(), threads()), (fds - 1, before));
}

// === what becomes of one that is pending ===

#[test]
fn a_pending_file_signals_its_fence_with_the_time_of_the_kernel() {
    let Some((_alone, vgem)) = vgem() else { return };
    for ask in [Fence::wait as fn(&Fence) -> _, |fence| {
        assert!(fence.is_signaled());
        Ok(())
    }] {
        let (producer, file) = vgem.new_fence().unwrap();
        let theirs = file.try_clone().unwrap();
        let fence = file.into_fence().unwrap();
        assert_eq!((&*fence.driver_name(), &*fence.timeline_name()), ("vgem", "unbound"));
        assert!(!fence.is_signaled());
        assert_eq!(fence.wait_timeout(Duration::from_millis(5)), Err(WaitError::TimedOut));
        producer.signal().unwrap();
        assert_eq!(ask(&fence), Ok(()));
        let FenceStatus::Signaled(signal) = theirs.status().unwrap() else { panic!("signaled") };
        assert_eq!(fence.status(), Status::Signaled(signal));
    }
}

#[test]
fn callbacks_and_futures_hear_of_the_kernel() {
    let Some((_alone, vgem)) = vgem() else { return };
    let (producers, files) = some(&vgem, 3);
    let fence = merged(&files).into_fence().unwrap();
    assert_eq!((&*fence.driver_name(), &*fence.timeline_name()), ("sync_file", "merged"));
    let (sender, receiver) = mpsc::channel();
    fence.on_signal(move |signal| sender.send(signal.result).unwrap()).unwrap().detach();
    // The callback keeps it.
    drop(fence);
    let other = merged(&files).into_fence().unwrap();
    let task = std::thread::spawn(move || common::block_on(async move { other.await }));
    signal_all(producers);
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(Ok(())));
    assert_eq!(task.join().unwrap(), Ok(()));
}

#[test]
fn a_fence_that_nobody_has_any_more_gives_its_file_back() {
    let Some((_alone, vgem)) = vgem() else { return };
    drop(Reactor::global().unwrap());
    let (producer, file) = vgem.new_fence().unwrap();
    let before = open_fds();
    drop(file.try_clone().unwrap().into_fence().unwrap());
    let waited = file.try_clone().unwrap().into_fence().unwrap();
    assert!(waited.wait_timeout(Duration::ZERO).is_err());
    drop(waited.on_signal(|_| ()).unwrap());
    drop(waited);
    assert_eq!(open_fds(), before);
    // The file is still open here, and must not be watched for nobody.
    let reactor = Reactor::new().unwrap();
    let waited = file.try_clone().unwrap().into_fence_on(&reactor.handle()).unwrap();
    waited.enable_signaling();
    assert_eq!(watched_by(&reactor), 1);
    drop(waited);
    assert_eq!(watched_by(&reactor), 0);
    producer.signal().unwrap();
    assert_eq!(reactor.dispatch(), Ok(0));
}

#[test]
fn nothing_leaks() {
    let Some((_alone, vgem)) = vgem() else { return };
    drop(Reactor::global().unwrap());
    let before = open_fds();
    for round in 0..10_000 / 4 {
        let (mut producers, files) = some(&vgem, 2);
        let both = files[0].merge(&files[1], "both").unwrap();
        let fence = both.into_fence().unwrap();
        let fences: Vec<_> = files.into_iter().map(|file| file.into_fence().unwrap()).collect();
        match round % 4 {
            0 => assert!(fence.wait_timeout(Duration::ZERO).is_err()),
            1 => fence.on_signal(|_| ()).unwrap().detach(),
            2 => drop(fences),
            _ => producers.pop().unwrap().signal().unwrap(),
        }
        signal_all(producers);
        assert_eq!(fence.wait(), Ok(()));
    }
    // The reactor's thread may have the last one in its hands.
    in_time(LIMIT, || open_fds() == before);
}

// === a reactor of one's own ===

#[test]
fn an_event_loop_dispatches_by_itself() {
    let Some((_alone, vgem)) = vgem() else { return };
    let reactor = Reactor::new().unwrap();
    let (producers, files) = some(&vgem, 100);
    let fences: Vec<_> =
        files.into_iter().map(|file| file.into_fence_on(&reactor.handle()).unwrap()).collect();
    assert_eq!(watched_by(&reactor), 0, "nobody waits yet");
    assert!(fences.iter().all(|fence| !fence.is_signaled()));
    assert_eq!(watched_by(&reactor), 0, "asking enables nothing");
    let (sender, receiver) = mpsc::channel();
    for fence in &fences {
        let sender = sender.clone();
        let here = std::thread::current().id();
        let told = move |_: &_| sender.send(std::thread::current().id() == here).unwrap();
        fence.on_signal(told).unwrap().detach();
    }
    assert_eq!(watched_by(&reactor), 100);
    assert_eq!(reactor.dispatch(), Ok(0));
    signal_all(producers);
    let mut fds = [PollFd::new(&reactor, PollFlags::IN)];
    let mut told = 0;
    while told < 100 {
        poll(&mut fds, None).unwrap();
        reactor.dispatch().unwrap();
        told += receiver.try_iter().inspect(|here| assert!(here)).count();
    }
    assert_eq!(watched_by(&reactor), 0);
    assert_eq!(reactor.dispatch(), Ok(0));
}

#[test]
fn a_reactor_that_goes_leaves_nobody_waiting() {
    let Some((_alone, vgem)) = vgem() else { return };
    drop(Reactor::global().unwrap());
    let before = open_fds();
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let ((a, first), (b, second)) = (vgem.new_fence().unwrap(), vgem.new_fence().unwrap());
    let ((c, third), (d, fourth)) = (vgem.new_fence().unwrap(), vgem.new_fence().unwrap());
    let (sender, receiver) = mpsc::channel();
    // A wait would ask the kernel by itself, before it sleeps.
    let tell = |fence: &Fence| {
        let sender = sender.clone();
        fence.on_signal(move |_| sender.send(()).unwrap()).unwrap().detach();
    };
    let first = first.into_fence_on(&handle).unwrap();
    let second = second.into_fence_on(&handle).unwrap();
    tell(&first);
    drop(reactor);
    // Waited for before, waited for after, imported after.
    let third = third.into_fence_on(&handle).unwrap();
    let fourth = fourth.into_fence_on(&handle).unwrap();
    [&second, &third, &fourth].into_iter().for_each(tell);
    signal_all(vec![a, b, c]);
    for _ in 0..3 {
        receiver.recv_timeout(LIMIT).unwrap();
    }
    assert!(!fourth.is_signaled());
    d.signal().unwrap();
    receiver.recv_timeout(LIMIT).unwrap();
    drop((first, second, third, fourth, handle));
    in_time(LIMIT, || open_fds() == before);
}

#[test]
fn a_callback_that_panics_does_not_stop_the_reactor() {
    let Some((_alone, vgem)) = vgem() else { return };
    // The thread may still be unwinding when the next fence is there.
    for round in 0..5 {
        let (producer, file) = vgem.new_fence().unwrap();
        let fence = file.into_fence().unwrap();
        let (sender, receiver) = mpsc::channel();
        fence.on_signal(|_| panic!("on purpose")).unwrap().detach();
        fence.on_signal(move |_| sender.send(()).unwrap()).unwrap().detach();
        producer.signal().unwrap();
        assert_eq!(receiver.recv_timeout(LIMIT), Ok(()), "round {round}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_panic_goes_on_after_the_others_of_the_batch() {
    let Some((_alone, vgem)) = vgem() else { return };
    let reactor = Reactor::new().unwrap();
    let (producers, files) = some(&vgem, 3);
    let (sender, receiver) = mpsc::channel();
    for (index, file) in files.into_iter().enumerate() {
        let sender = sender.clone();
        let told = move |_: &_| {
            sender.send(index).unwrap();
            panic!("on purpose");
        };
        let fence = file.into_fence_on(&reactor.handle()).unwrap();
        fence.on_signal(told).unwrap().detach();
    }
    signal_all(producers);
    let dispatch = || reactor.dispatch().map(drop);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(dispatch)).is_err());
    assert_eq!(receiver.try_iter().count(), 3);
}

#[test]
fn what_a_callback_panics_with_may_panic_too() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("when it is dropped");
        }
    }
    let Some((_alone, vgem)) = vgem() else { return };
    let (mut producers, files) = some(&vgem, 2);
    let [first, second] = [0, 1].map(|i| files[i].try_clone().unwrap().into_fence().unwrap());
    let (sender, receiver) = mpsc::channel();
    let panics = sender.clone();
    let told = move |_: &_| {
        panics.send(()).unwrap();
        std::panic::panic_any(Payload)
    };
    first.on_signal(told).unwrap().detach();
    second.on_signal(move |_| sender.send(()).unwrap()).unwrap().detach();
    producers.remove(0).signal().unwrap();
    // To ask would run the callback here.
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(()));
    signal_all(producers);
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(()), "the reactor goes on");
}

#[test]
fn the_file_is_closed_before_callbacks_run() {
    let Some((_alone, vgem)) = vgem() else { return };
    let reactor = Arc::new(Reactor::new().unwrap());
    let (producer, file) = vgem.new_fence().unwrap();
    let before = open_fds();
    let fence = file.into_fence_on(&reactor.handle()).unwrap();
    let (sender, receiver) = mpsc::channel();
    let again = reactor.clone();
    let told = move |_: &_| sender.send((open_fds(), again.dispatch())).unwrap();
    fence.on_signal(told).unwrap().detach();
    producer.signal().unwrap();
    assert_eq!(reactor.dispatch(), Ok(1));
    assert_eq!(receiver.try_recv(), Ok((before - 1, Ok(0))));
}

// === what goes wrong ===

#[test]
fn another_kind_of_file_is_handed_back() {
    {
        let _alone = alone();
        let (read, _write) = pipe().unwrap();
        let before = open_fds();
        let refused = SyncFile::new(read).unwrap_err();
        let NotASyncFile::OtherKind { error, .. } = &refused else { panic!("{refused}") };
        assert_eq!(error.errno(), Errno::ENOTTY);
        assert!(refused.to_string().contains("not a sync file"));
        assert_eq!(open_fds(), before);
    }
    let Some((_alone, vgem)) = vgem() else { return };
    let dma_buf = vgem.new_buffer(1).unwrap().dma_buf().unwrap();
    assert!(SyncFile::new(dma_buf).is_err());
    let (producer, file) = vgem.new_fence().unwrap();
    assert!(SyncFile::new(OwnedFd::from(file)).is_ok());
    producer.signal().unwrap();
}

/// Puts another file where the sync file was, as somebody does who closes what is not theirs.
fn spoil(sync_file: RawFd) {
    let (read, _write) = pipe().unwrap();
    // SAFETY: Forgotten below: the sync file still owns the number.
    let mut same = unsafe { OwnedFd::from_raw_fd(sync_file) };
    rustix::io::dup2(&read, &mut same).unwrap();
    std::mem::forget(same);
}

#[test]
fn a_file_that_somebody_else_closed_hangs_nobody() {
    let Some((_alone, vgem)) = vgem() else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    spoil(file.as_fd().as_raw_fd());
    let refused = file.into_fence().unwrap_err();
    assert_eq!(refused.error.request(), "SYNC_IOC_FILE_INFO");
    producer.signal().unwrap();
    // While it is imported, but not yet watched.
    let (producer, file) = vgem.new_fence().unwrap();
    let raw = file.as_fd().as_raw_fd();
    let fence = file.into_fence().unwrap();
    spoil(raw);
    producer.signal().unwrap();
    let told = std::thread::spawn(move || fence.wait());
    // The other end of the pipe is closed, so it is ready, and tells nothing.
    assert_eq!(told.join().unwrap(), Err(FenceError::Abandoned));
}

#[test]
fn a_lost_fence_is_not_watched_any_more() {
    let Some((_alone, vgem)) = vgem() else { return };
    let reactor = Reactor::new().unwrap();
    let (producer, file) = vgem.new_fence().unwrap();
    let raw = file.as_fd().as_raw_fd();
    let fence = file.into_fence_on(&reactor.handle()).unwrap();
    spoil(raw);
    fence.enable_signaling();
    assert_eq!((reactor.dispatch(), fence.status()), (Ok(1), Status::Abandoned));
    assert_eq!((reactor.dispatch(), watched_by(&reactor)), (Ok(0), 0), "or it would spin");
    producer.signal().unwrap();
}

#[test]
fn without_file_descriptors_nothing_is_lost() {
    let Some((_alone, vgem)) = vgem() else { return };
    drop(Reactor::global().unwrap());
    let ((a, first), (b, second)) = (vgem.new_fence().unwrap(), vgem.new_fence().unwrap());
    let limit = getrlimit(Resource::Nofile);
    let none = Rlimit { current: Some(3), maximum: limit.maximum };
    setrlimit(Resource::Nofile, none).unwrap();
    let refused =
        [first.merge(&second, "both"), first.try_clone(), vgem.new_fence().map(|(_, file)| file)];
    let fence = first.into_fence();
    setrlimit(Resource::Nofile, limit).unwrap();
    for refused in refused {
        assert_eq!(refused.unwrap_err().errno().raw(), 24, "EMFILE");
    }
    let fence = fence.unwrap();
    a.signal().unwrap();
    assert_eq!(fence.wait(), Ok(()));
    b.signal().unwrap();
    assert_eq!(second.is_signaled(), Ok(true));
}

#[test]
fn a_producer_that_is_gone_signals_in_finite_time() {
    let Some((_alone, vgem)) = vgem() else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    drop(producer);
    let fence = file.into_fence().unwrap();
    assert_eq!(fence.wait_timeout(LIMIT), Ok(()), "after ten seconds, and without an error");
    // The device goes, and with it what was made on it.
    let (producer, file) = vgem.new_fence().unwrap();
    drop((producer, vgem));
    assert_eq!(file.into_fence().unwrap().wait_timeout(LIMIT), Ok(()));
}

/// How many files its epoll instance watches.
fn watched_by(reactor: &Reactor) -> usize {
    count_of("tfd:", reactor.as_fd())
}
