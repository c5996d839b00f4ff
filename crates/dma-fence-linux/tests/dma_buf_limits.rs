//! DMA buffers where file descriptors are counted: in a process of their own, one test at a time.

mod common;

use std::os::fd::{AsFd, OwnedFd};

use common::{alone, is_signaled, open_fds, or_skip};
use dma_fence::Errno;
use dma_fence_linux::{Access, AllocateError, DmaBuf, DmaHeap, KernelError, Udmabuf, Vgem};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Runs it where no file descriptor is left.
fn without_fds<T>(run: impl FnOnce() -> T) -> T {
    let limit = getrlimit(Resource::Nofile);
    let next = rustix::io::dup(std::io::stderr()).unwrap();
    // All below the next are taken, for the kernel gives the lowest.
    let current = Some(std::os::fd::AsRawFd::as_raw_fd(&next) as u64);
    drop(next);
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    let result = run();
    setrlimit(Resource::Nofile, limit).unwrap();
    result
}

fn is_emfile(error: &AllocateError) -> bool {
    matches!(error, AllocateError::Kernel(error) if error.errno() == Errno::EMFILE)
}

#[test]
fn no_file_descriptor_is_left_for_a_buffer() {
    let _alone = alone();
    let before = open_fds();
    if let Some(udmabuf) = or_skip("udmabuf", Udmabuf::open()) {
        assert!(is_emfile(&without_fds(|| udmabuf.allocate(4096)).unwrap_err()));
        udmabuf.allocate(4096).unwrap();
    }
    if let Some(heap) = or_skip("dma_heap", DmaHeap::open("system")) {
        assert!(is_emfile(&without_fds(|| heap.allocate(4096)).unwrap_err()));
        heap.allocate(4096).unwrap();
    }
    assert_eq!(open_fds(), before);
}

/// The memory file gets the last one, and goes again.
#[test]
fn one_file_descriptor_is_left_for_a_udmabuf() {
    let _alone = alone();
    let Some(udmabuf) = or_skip("udmabuf", Udmabuf::open()) else { return };
    let spare = rustix::io::dup(std::io::stderr()).unwrap();
    let before = open_fds();
    let result = without_fds(|| {
        drop(spare);
        udmabuf.allocate(4096)
    });
    assert!(is_emfile(&result.unwrap_err()));
    assert_eq!(open_fds(), before - 1);
}

#[test]
fn no_file_descriptor_is_left_for_a_sync_file() {
    let _alone = alone();
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let buffer = vgem.new_buffer(4096).unwrap();
    let dma_buf = DmaBuf::new(buffer.dma_buf().unwrap()).unwrap();
    let write = buffer.attach(true).unwrap();
    let before = open_fds();
    let error: KernelError = without_fds(|| dma_buf.export_sync_file(Access::Read)).unwrap_err();
    assert_eq!(error.errno(), Errno::EMFILE);
    assert_eq!(open_fds(), before);
    let after = dma_buf.export_sync_file(Access::Read).unwrap();
    assert!(!is_signaled(&after), "the fence is still there");
    write.signal().unwrap();
    assert!(is_signaled(&after));
}

#[test]
fn nothing_stays_open() {
    let _alone = alone();
    let vgem = or_skip("vgem", Vgem::open());
    let udmabuf = or_skip("udmabuf", Udmabuf::open());
    let heap = or_skip("dma_heap", DmaHeap::open("system"));
    let before = open_fds();
    for _ in 0..1000 {
        let buffers = [
            udmabuf.as_ref().map(|it| it.allocate(4096).unwrap()),
            heap.as_ref().map(|it| it.allocate(4096).unwrap()),
        ];
        for buffer in buffers.into_iter().flatten() {
            if let Some(vgem) = &vgem {
                let (fence, sync_file) = vgem.new_fence().unwrap();
                buffer.import_sync_file(&sync_file, Access::Write).unwrap();
                fence.signal().unwrap();
            }
            buffer.export_sync_file(Access::Write).unwrap();
            let mut mapping = buffer.map().unwrap();
            mapping.access(Access::Write).unwrap().write_at(0, b"x");
            drop(mapping);
            let fd: OwnedFd = buffer.into();
            DmaBuf::new(fd.as_fd().try_clone_to_owned().unwrap()).unwrap();
        }
    }
    assert_eq!(open_fds(), before);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("/dmabuf:"), "{maps}");
}
