//! A process that is killed while others wait for its fence.

mod common;

use common::or_skip;
use dma_fence_linux::{SyncFile, Vgem};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::env;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Says that this process is the one to be killed.
const VICTIM: &str = "DMA_FENCE_TEST_VICTIM";

/// Only ends a test that hangs; beyond the ten seconds after which vgem signals its fences.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_killed_producer_leaves_nobody_waiting() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    if env::var_os(VICTIM).is_some() {
        let (_producer, file) = vgem.new_fence().unwrap();
        println!("\nfile {}", file.as_fd().as_raw_fd());
        std::thread::sleep(LIMIT);
        return;
    }
    let (mut victim, file) = victim();
    let fence = file.into_fence().unwrap();
    // A wait would ask the kernel by itself, before it sleeps.
    let (sender, receiver) = mpsc::channel();
    fence.on_signal(move |signal| sender.send(signal.result).unwrap()).unwrap().detach();
    assert!(!fence.is_signaled());
    victim.kill().unwrap();
    victim.wait().unwrap();
    let result = receiver.recv_timeout(LIMIT);
    assert_eq!(result, Ok(Ok(())), "the kernel signals it, and knows of no error");
}

/// This test again, in a process of its own, and its sync file.
fn victim() -> (Child, SyncFile) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "a_killed_producer_leaves_nobody_waiting", "--nocapture"]);
    let mut child = command.env(VICTIM, "1").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = lines.find_map(|line| line.unwrap().strip_prefix("file ")?.parse().ok());
    let pid = Pid::from_child(&child);
    let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let fd = pidfd_getfd(process, number.unwrap(), PidfdGetfdFlags::empty()).unwrap();
    (child, SyncFile::new(fd).unwrap())
}
