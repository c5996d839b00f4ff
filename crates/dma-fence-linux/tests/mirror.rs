//! The kernel's fences of a buffer in a reservation object, beside the kernel.

mod common;

use std::time::Duration;

use common::{alone, in_time, open_fds, or_skip};
use dma_fence::{Errno, FenceContext, ReservationObject, Usage};
use dma_fence_linux::{DmaBuf, Mirror, MirrorError, Vgem, VgemBuffer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Only catches what hangs.
const LONG: Duration = Duration::from_secs(60);

fn vgem_buffer(vgem: &Vgem) -> (VgemBuffer, DmaBuf) {
    let buffer = vgem.new_buffer(4096).unwrap();
    let dma_buf = DmaBuf::new(buffer.dma_buf().unwrap()).unwrap();
    (buffer, dma_buf)
}

/// Would a reader, would a writer have to wait?
fn blocked(object: &ReservationObject) -> [bool; 2] {
    [false, true].map(|write| !object.is_signaled(Usage::for_next(write)))
}

#[test]
fn an_idle_buffer_adds_nothing() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let object = ReservationObject::new();
    Mirror::new(&dma_buf, &object).update().unwrap();
    buffer.attach(true).unwrap().signal().unwrap();
    Mirror::new(&dma_buf, &object).update().unwrap();
    assert_eq!(object.fences_with_usage(Usage::Bookkeep).len(), 0);
}

#[test]
fn readers_and_writers_are_blocked_as_in_the_kernel() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    for (device_writes, expected) in [(true, [true, true]), (false, [false, true])] {
        let (buffer, dma_buf) = vgem_buffer(&vgem);
        let fence = buffer.attach(device_writes).unwrap();
        let object = ReservationObject::new();
        Mirror::new(&dma_buf, &object).update().unwrap();
        assert_eq!(blocked(&object), expected);
        fence.signal().unwrap();
        assert_eq!(blocked(&object), [false, false]);
    }
}

#[test]
fn who_waits_for_the_object_is_woken_by_the_device() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let reads = [buffer.attach(false).unwrap(), buffer.attach(false).unwrap()];
    let object = ReservationObject::new();
    Mirror::new(&dma_buf, &object).update().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| object.wait_timeout(Usage::Read, LONG));
        let [first, second] = reads;
        first.signal().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiter.is_finished(), "the second reader reads");
        second.signal().unwrap();
        waiter.join().unwrap().unwrap();
    });
}

#[test]
fn what_the_object_has_stays() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let object = ReservationObject::new();
    let ours = FenceContext::hardware("ours", "ring").new_fence();
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    guard.add(&ours.fence(), Usage::Write).unwrap();
    drop(guard);
    let read = buffer.attach(false).unwrap();
    for _ in 0..3 {
        Mirror::new(&dma_buf, &object).update().unwrap();
    }
    ours.signal(Ok(()));
    assert_eq!(blocked(&object), [false, true]);
    read.signal().unwrap();
    assert_eq!(blocked(&object), [false, false]);
}

#[test]
fn without_file_descriptors_nothing_is_added() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let object = ReservationObject::new();
    // The reactor opens what it needs once.
    let fence = buffer.attach(true).unwrap();
    Mirror::new(&dma_buf, ReservationObject::new()).update().unwrap();
    let before = open_fds();
    let limit = getrlimit(Resource::Nofile);
    for spare in 0..2 {
        let fds: Vec<_> =
            (0..=spare).map(|_| rustix::io::dup(std::io::stderr()).unwrap()).collect();
        let last = std::os::fd::AsRawFd::as_raw_fd(fds.last().unwrap()) as u64;
        setrlimit(Resource::Nofile, Rlimit { current: Some(last), ..limit }).unwrap();
        drop(fds);
        let result = Mirror::new(&dma_buf, &object).update();
        setrlimit(Resource::Nofile, limit).unwrap();
        let error = match result.unwrap_err() {
            MirrorError::Export(error) => error,
            MirrorError::Import(error) => error.error,
            MirrorError::Reserve(error) => panic!("{error}"),
        };
        assert_eq!(error.errno(), Errno::EMFILE, "{spare} left");
        assert_eq!(object.fences_with_usage(Usage::Bookkeep).len(), 0);
        in_time(LONG, || open_fds() == before);
    }
    Mirror::new(&dma_buf, &object).update().unwrap();
    assert_eq!(blocked(&object), [true, true], "and nothing is lost");
    fence.signal().unwrap();
}

#[test]
fn nothing_stays_open() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let round = |object: &ReservationObject| {
        let fence = buffer.attach(true).unwrap();
        Mirror::new(&dma_buf, object).update().unwrap();
        fence.signal().unwrap();
        object.wait_timeout(Usage::Read, LONG).unwrap();
    };
    round(&ReservationObject::new());
    let before = open_fds();
    let object = ReservationObject::new();
    for _ in 0..1000 {
        round(&object);
    }
    drop(object);
    in_time(LONG, || open_fds() == before);
}

#[test]
fn a_mirror_takes_back_what_it_put_there() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let write = buffer.attach(true).unwrap();
    let object = ReservationObject::new();
    let others = FenceContext::hardware("gpu", "ring 0").new_fence();
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    guard.add(&others.fence(), Usage::Read).unwrap();
    drop(guard);
    let mut mirror = Mirror::new(&dma_buf, &object);
    mirror.update().unwrap();
    let before = open_fds();
    for _ in 0..100 {
        mirror.update().unwrap();
        assert_eq!(blocked(&object), [true, true]);
    }
    assert_eq!(open_fds(), before);
    assert_eq!(object.fences_with_usage(Usage::Bookkeep).len(), 3);
    write.signal().unwrap();
    assert_eq!(blocked(&object), [false, true], "what others put there stays");
    others.signal(Ok(()));
    // And on with the next one.
    let read = buffer.attach(false).unwrap();
    mirror.update().unwrap();
    assert_eq!(blocked(&object), [false, true]);
    read.signal().unwrap();
    assert_eq!(blocked(&object), [false, false]);
}
