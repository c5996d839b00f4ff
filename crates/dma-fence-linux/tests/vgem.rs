//! vgem's fences and buffers, on a kernel that has them.

mod common;

use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use common::{open_fds, or_skip};
use dma_fence::taint::{self, Kind};
use dma_fence::{Errno, FenceContext};
use dma_fence_linux::{FenceStatus, Vgem};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn is_signaled(sync_file: impl AsFd, limit: Duration) -> bool {
    let mut fds = [PollFd::new(&sync_file, PollFlags::IN)];
    let limit = Timespec::try_from(limit).unwrap();
    poll(&mut fds, Some(&limit)).unwrap() == 1
}

#[test]
fn a_fence_is_pending_until_it_is_signaled() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (fence, sync_file) = vgem.new_fence().unwrap();
    assert!(!is_signaled(&sync_file, Duration::ZERO));
    fence.signal().unwrap();
    assert!(is_signaled(&sync_file, Duration::ZERO));
}

#[test]
fn a_fence_outlives_the_device_it_came_from() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (fence, sync_file) = vgem.new_fence().unwrap();
    drop(vgem);
    assert!(!is_signaled(&sync_file, Duration::ZERO));
    drop(fence);
    assert!(is_signaled(&sync_file, Duration::ZERO), "the file is closed now");
}

#[test]
fn the_kernel_signals_what_nobody_does() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (fence, sync_file) = vgem.new_fence().unwrap();
    assert!(is_signaled(&sync_file, Duration::from_secs(60)));
    assert_eq!(fence.signal().unwrap_err().errno(), Errno::ETIMEDOUT);
}

#[test]
fn a_reader_joins_readers_and_a_writer_nobody() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let buffer = vgem.new_buffer(10_000).unwrap();
    let reads = [buffer.attach(false).unwrap(), buffer.attach(false).unwrap()];
    assert_eq!(buffer.attach(true).unwrap_err().errno(), Errno::EBUSY);
    reads.into_iter().for_each(|read| read.signal().unwrap());
    let write = buffer.attach(true).unwrap();
    assert_eq!(buffer.attach(false).unwrap_err().errno(), Errno::EBUSY);
    write.signal().unwrap();
}

#[test]
fn a_buffer_has_its_size_in_pages() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    for (asked, given) in [(1, 4096), (4096, 4096), (4097, 8192), (10_000, 12_288)] {
        let dma_buf = vgem.new_buffer(asked).unwrap().dma_buf().unwrap();
        let end = rustix::fs::seek(&dma_buf, rustix::fs::SeekFrom::End(0)).unwrap();
        assert_eq!(end, given);
    }
    assert_eq!(vgem.new_buffer(0).unwrap_err().errno(), Errno::EINVAL);
}

/// A buffer of a size that nothing else has is looked up in the kernel's list of all.
#[test]
fn a_dropped_buffer_is_freed() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let list = || fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo");
    let Some(_) = or_skip("debugfs", list()) else { return };
    const SIZE: usize = 1237 * 4096;
    let is_listed = || list().unwrap().contains(&SIZE.to_string());
    let buffer = vgem.new_buffer(SIZE).unwrap();
    let dma_buf = buffer.dma_buf().unwrap();
    assert!(is_listed());
    drop(buffer);
    assert!(is_listed(), "somebody has its file descriptor");
    drop(dma_buf);
    assert!(!is_listed());
}

#[test]
fn nothing_stays_open() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let before = open_fds();
    for _ in 0..1000 {
        let (fence, _sync_file) = vgem.new_fence().unwrap();
        fence.signal().unwrap();
    }
    assert_eq!(open_fds(), before);
}

// === export ===

#[test]
fn an_export_signals_with_its_fence() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let context = FenceContext::hardware("gpu", "ring 0");
    let (pending, failed) = (context.new_fence(), context.new_fence());
    let failed_fence = failed.fence();
    let file = vgem.export(&pending.fence()).unwrap();
    failed.signal(Err(Errno::EIO));
    // The kernel's fence cannot be given an error.
    let status = vgem.export(&failed_fence).unwrap().status().unwrap();
    assert!(matches!(status, FenceStatus::Signaled(signal) if signal.result.is_ok()));
    assert!(!is_signaled(&file, Duration::ZERO));
    pending.signal(Ok(()));
    assert!(is_signaled(&file, Duration::ZERO));
}

#[test]
fn a_fence_that_signals_after_its_export_is_on_record() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let context = FenceContext::hardware("gpu", "ring 0");
    let (early, late) = (context.new_fence(), context.new_fence());
    let names = [&early, &late].map(|producer| (producer.context(), producer.seqno()));
    vgem.export(&early.fence()).unwrap();
    early.signal(Ok(()));
    let file = vgem.export(&late.fence()).unwrap();
    let line = line!() - 1;
    assert!(is_signaled(&file, Duration::from_secs(60)), "the kernel does");
    late.signal(Ok(()));
    let find = |name| taint::recent().into_iter().find(|record| record.fence() == Some(name));
    assert!(find(names[0]).is_none());
    let record = find(names[1]).unwrap();
    assert_eq!((record.kind(), record.location().line()), (Kind::EarlySignal, line));
}
