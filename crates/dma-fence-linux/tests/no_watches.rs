//! A machine without watches to give. A file of its own, for this takes them from everybody; so only where
//! `DMA_FENCE_EXPECT` says that the machine is there for tests.

mod common;

use common::{in_time, open_fds, or_skip};
use dma_fence_linux::Vgem;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs};

const LIMIT_OF_WATCHES: &str = "/proc/sys/fs/epoll/max_user_watches";

/// Shorter than the ten seconds after which vgem signals its fences.
const LIMIT: Duration = Duration::from_secs(8);

#[test]
fn a_fence_that_cannot_be_watched_is_waited_for() {
    if env::var_os("DMA_FENCE_EXPECT").is_none() {
        return eprintln!("skipped: takes the watches away from the machine");
    }
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    let fence = file.into_fence().unwrap();
    let before = open_fds();
    let (sender, receiver) = mpsc::channel();
    let watches = fs::read(LIMIT_OF_WATCHES).unwrap();
    fs::write(LIMIT_OF_WATCHES, "0").unwrap();
    let callback = fence.on_signal(move |signal| sender.send(signal.result).unwrap());
    fs::write(LIMIT_OF_WATCHES, watches).unwrap();
    callback.unwrap().detach();
    assert!(!fence.is_signaled());
    producer.signal().unwrap();
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(Ok(())));
    in_time(LIMIT, || open_fds() == before - 1);
}
