//! A reactor that goes when there is nobody who could take over. Alone in its process, for it must not have
//! a reactor of its own yet.

mod common;

use common::or_skip;
use dma_fence::{FenceError, Status};
use dma_fence_linux::{Reactor, Vgem};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn fences_that_nobody_can_watch_any_more_are_lost_and_hang_nobody() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (producers, files): (Vec<_>, Vec<_>) = (0..4).map(|_| vgem.new_fence().unwrap()).unzip();
    let mut fences =
        files.into_iter().map(|file| file.into_fence_on(&handle).unwrap()).collect::<Vec<_>>();
    fences[0].enable_signaling();
    fences[1].enable_signaling();
    let mut producers = producers.into_iter();
    producers.next().unwrap().signal().unwrap();

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), maximum: limit.maximum }).unwrap();
    drop(reactor);
    setrlimit(Resource::Nofile, limit).unwrap();

    assert!(fences[0].is_signaled(), "it had signaled in the kernel");
    assert_eq!(fences[1].wait(), Err(FenceError::Abandoned), "waited for before");
    assert_eq!(fences[2].wait(), Err(FenceError::Abandoned), "waited for after");
    let asked = fences.pop().unwrap();
    assert_eq!(asked.status(), Status::Abandoned, "only asked");
    producers.for_each(|producer| producer.signal().unwrap());
}
