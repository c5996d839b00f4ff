//! A reactor that goes when there is nobody who could take over. Alone in its process, for it must not have
//! a reactor of its own yet.

mod common;

use common::{in_time, open_fds, or_skip, threads};
use dma_fence::{Fence, Status};
use dma_fence_linux::{Reactor, Vgem};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::mpsc;
use std::time::Duration;

/// Shorter than the ten seconds after which vgem signals its fences.
const LIMIT: Duration = Duration::from_secs(8);

#[test]
fn who_waits_has_a_thread_then_and_hears_of_the_signal() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (fds, before) = (open_fds(), threads());
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let (mut producers, files): (Vec<_>, Vec<_>) =
        (0..4).map(|_| vgem.new_fence().unwrap()).unzip();
    let fences: Vec<Fence> =
        files.into_iter().map(|file| file.into_fence_on(&handle).unwrap()).collect();
    let (sender, receiver) = mpsc::channel();
    let tell = |index: usize| {
        let sender = sender.clone();
        fences[index].on_signal(move |_| sender.send(index).unwrap()).unwrap().detach();
    };
    tell(0);
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), maximum: limit.maximum }).unwrap();
    drop(reactor);
    setrlimit(Resource::Nofile, limit).unwrap();
    // Waited for before, and after; the third is only asked, and nobody wants to know of the last.
    tell(1);
    assert_eq!(threads(), before + 2);
    assert_eq!(fences[2].status(), Status::Pending);

    let last = producers.pop().unwrap();
    producers.into_iter().for_each(|producer| producer.signal().unwrap());
    let told = [(); 2].map(|()| receiver.recv_timeout(LIMIT).unwrap());
    assert_eq!(told.iter().sum::<usize>(), 1, "both of them");
    assert!(fences[2].is_signaled() && !fences[3].is_signaled());
    last.signal().unwrap();
    drop((fences, handle));
    in_time(LIMIT, || (open_fds(), threads()) == (fds, before));
}
