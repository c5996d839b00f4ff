//! The process's own reactor ends, for somebody closed what is not theirs. Alone in its process.

mod common;

use common::{in_time, or_skip, threads};
use dma_fence::Signal;
use dma_fence_linux::{Reactor, Vgem};
use std::fs::{read_dir, read_link};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::mpsc;
use std::time::Duration;

/// Shorter than the ten seconds after which vgem signals its fences.
const LIMIT: Duration = Duration::from_secs(8);

/// The file descriptors of epoll instances.
fn epolls() -> Vec<RawFd> {
    let entries = read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| read_link(path).is_ok_and(|to| to.ends_with("anon_inode:[eventpoll]")))
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn whom_it_adopted_it_gives_threads_too_whatever_their_callbacks_do() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let global = Reactor::global().unwrap();
    let before = threads();
    let [epoll] = epolls()[..] else { panic!("there is one") };
    let reactor = Reactor::new().unwrap();
    let (producers, files): (Vec<_>, Vec<_>) = (0..4).map(|_| vgem.new_fence().unwrap()).unzip();
    let import = |file: dma_fence_linux::SyncFile| file.into_fence_on(&reactor.handle()).unwrap();
    let fences: Vec<_> = files.into_iter().map(import).collect();
    let (sender, receiver) = mpsc::channel();
    for fence in &fences {
        let sender = sender.clone();
        let told = move |signal: &Signal| {
            sender.send(signal.result).unwrap();
            panic!("on purpose");
        };
        fence.on_signal(told).unwrap().detach();
    }
    drop(reactor);

    let (last, file) = vgem.new_fence().unwrap();
    let waited = file.into_fence_on(&global).unwrap();
    waited.enable_signaling();
    // SAFETY: Forgotten below: the reactor still owns the number.
    let mut same = unsafe { OwnedFd::from_raw_fd(epoll) };
    rustix::io::dup2(rustix::pipe::pipe().unwrap().0, &mut same).unwrap();
    std::mem::forget(same);
    // The thread comes back for more, and finds that there is nothing.
    last.signal().unwrap();
    // Two threads there were, and each of those who wait has one now.
    in_time(LIMIT, || threads() == before - 1 + fences.len());
    // To ask would run the callbacks here.
    for producer in producers {
        producer.signal().unwrap();
        assert_eq!(receiver.recv_timeout(LIMIT), Ok(Ok(())));
    }
    // And there is another one for those who come later.
    let (producer, file) = vgem.new_fence().unwrap();
    let (sender, receiver) = mpsc::channel();
    let told = move |signal: &Signal| sender.send(signal.result).unwrap();
    file.into_fence().unwrap().on_signal(told).unwrap().detach();
    assert_eq!(epolls().len(), 1, "it has an instance of its own");
    producer.signal().unwrap();
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(Ok(())));
}
