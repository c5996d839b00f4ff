//! Fences of the library as eventfds.

mod common;

use common::{alone, open_fds};
use dma_fence::{DriverFence, Errno, FenceContext};
use dma_fence_linux::FenceEventFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::AsFd;

fn gpu() -> FenceContext {
    FenceContext::hardware("gpu", "ring 0")
}

/// What is in it, or the error.
fn value(fd: impl AsFd) -> Result<u64, rustix::io::Errno> {
    let mut bytes = [0; 8];
    rustix::io::read(fd, &mut bytes).map(|_| u64::from_ne_bytes(bytes))
}

#[test]
fn the_value_says_how_the_fence_ended() {
    let _alone = alone();
    let ends: [(fn(DriverFence), u64); 3] = [
        (|producer| producer.signal(Ok(())), 1),
        (|producer| producer.signal(Err(Errno::EIO)), 2),
        (drop, 3),
    ];
    for (end, expected) in ends {
        let context = gpu();
        let producer = context.new_fence();
        let fence = producer.fence();
        let before = FenceEventFd::new(&fence).unwrap();
        assert_eq!(value(&before), Err(rustix::io::Errno::AGAIN), "still pending");
        end(producer);
        assert_eq!(value(&before), Ok(expected));
        assert_eq!(value(FenceEventFd::new(&fence).unwrap()), Ok(expected), "decided before");
        context.declare_idle(Errno::EIO);
    }
}

#[test]
fn file_descriptors_are_given_back_and_given_away() {
    let _alone = alone();
    let producer = gpu().new_fence();
    let before = open_fds();
    drop(FenceEventFd::new(&producer.fence()).unwrap());
    assert_eq!(open_fds(), before, "nobody watches any more");

    let given = FenceEventFd::new(&producer.fence()).unwrap().into_fd().unwrap();
    producer.signal(Ok(()));
    assert_eq!(value(&given), Ok(1));
    assert_eq!(open_fds(), before + 1, "what told it has gone");

    let producer = gpu().new_fence();
    let event = FenceEventFd::new(&producer.fence()).unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), maximum: limit.maximum }).unwrap();
    let (refused, given) = (FenceEventFd::new(&producer.fence()), event.into_fd());
    setrlimit(Resource::Nofile, limit).unwrap();
    assert_eq!(refused.unwrap_err().errno().raw(), 24, "EMFILE");
    let (event, error) = given.unwrap_err();
    assert_eq!(error.errno().raw(), 24, "EMFILE");
    producer.signal(Err(Errno::EIO));
    assert_eq!(value(&event), Ok(2));
}
