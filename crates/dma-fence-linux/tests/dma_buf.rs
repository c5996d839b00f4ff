//! DMA buffers of every kind that the machine has.

mod common;

use std::io::pipe;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::{panic, thread};

use common::{is_signaled, or_skip};
use dma_fence::Errno;
use dma_fence_linux::{
    Access, AllocateError, DmaBuf, DmaHeap, Mapping, OpenError, Udmabuf, Vgem, VgemBuffer,
};
use rustix::fs::{MemfdFlags, memfd_create};

const SIZE: u64 = 16384;

/// One buffer of each kind.
fn buffers() -> Vec<DmaBuf> {
    let udmabuf = or_skip("udmabuf", Udmabuf::open()).map(|it| it.allocate(SIZE).unwrap());
    let heap = or_skip("dma_heap", DmaHeap::open("system")).map(|it| it.allocate(SIZE).unwrap());
    let vgem = or_skip("vgem", Vgem::open()).map(|it| vgem_buffer(&it).1);
    [udmabuf, heap, vgem].into_iter().flatten().collect()
}

fn vgem_buffer(vgem: &Vgem) -> (VgemBuffer, DmaBuf) {
    let buffer = vgem.new_buffer(SIZE as usize).unwrap();
    let dma_buf = DmaBuf::new(buffer.dma_buf().unwrap()).unwrap();
    (buffer, dma_buf)
}

/// Does a new reader, and does a new writer, have to wait?
fn blocked(buffer: &DmaBuf) -> [bool; 2] {
    [Access::Read, Access::Write]
        .map(|access| !is_signaled(buffer.export_sync_file(access).unwrap()))
}

// === what it is ===

#[test]
fn a_buffer_has_size_and_identity() {
    let buffers = buffers();
    for buffer in &buffers {
        assert_eq!(buffer.size().unwrap(), SIZE);
        let again = DmaBuf::new(buffer.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(again.inode().unwrap(), buffer.inode().unwrap());
        assert_eq!(again.size().unwrap(), SIZE, "asking for the size moves nothing");
        let others = buffers.iter().filter(|other| other.inode() == buffer.inode());
        assert_eq!(others.count(), 1);
    }
}

#[test]
fn other_kinds_are_refused_and_given_back() {
    let (reader, writer) = pipe().unwrap();
    let memory = memfd_create("no buffer", MemfdFlags::CLOEXEC).unwrap();
    let mut others: Vec<OwnedFd> = vec![reader.into(), writer.into(), memory];
    if let Some(vgem) = or_skip("vgem", Vgem::open()) {
        others.push(vgem.new_fence().unwrap().1.into());
    }
    for fd in others {
        let inode = rustix::fs::fstat(&fd).unwrap().st_ino;
        let refused = DmaBuf::new(fd).unwrap_err();
        assert_eq!(rustix::fs::fstat(&refused.fd).unwrap().st_ino, inode);
        assert_eq!(refused.to_string(), "the file descriptor is not one of a DMA buffer");
    }
}

#[test]
fn names() {
    for buffer in buffers() {
        assert_eq!(buffer.info().unwrap().name, "");
        for name in ["x", "a name with blanks", "ein Name äöü", "newline\nname:\ttab"] {
            buffer.set_name(name).unwrap();
            assert_eq!(buffer.info().unwrap().name, name);
        }
        let (fits, too_long) = ("x".repeat(31), "x".repeat(32));
        buffer.set_name(&fits).unwrap();
        for refused in [too_long.as_str(), "nul\0"] {
            assert_eq!(buffer.set_name(refused).unwrap_err().errno(), Errno::EINVAL);
            assert_eq!(buffer.info().unwrap().name, fits);
        }
    }
}

#[test]
fn information() {
    for buffer in buffers() {
        let info = buffer.info().unwrap();
        assert_eq!((info.size, info.inode), (SIZE, buffer.inode().unwrap()));
        let exporters = ["udmabuf", "system", "drm", "vgem"];
        assert!(exporters.contains(&info.exporter.as_str()), "{info:?}");
    }
}

// === fences ===

#[test]
fn a_new_buffer_is_idle() {
    for buffer in buffers() {
        assert_eq!(blocked(&buffer), [false, false]);
    }
}

#[test]
fn a_device_that_writes_blocks_everybody() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let write = buffer.attach(true).unwrap();
    let before = dma_buf.export_sync_file(Access::Read).unwrap();
    assert_eq!(blocked(&dma_buf), [true, true]);
    write.signal().unwrap();
    assert_eq!(blocked(&dma_buf), [false, false]);
    assert!(is_signaled(&before), "what was exported before, too");
}

#[test]
fn a_device_that_reads_blocks_writers_only() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let read = buffer.attach(false).unwrap();
    assert_eq!(blocked(&dma_buf), [false, true]);
    read.signal().unwrap();
    assert_eq!(blocked(&dma_buf), [false, false]);
}

#[test]
fn what_is_imported_is_exported() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    for buffer in buffers() {
        for (access, expected) in [(Access::Read, [false, true]), (Access::Write, [true, true])] {
            let (fence, sync_file) = vgem.new_fence().unwrap();
            buffer.import_sync_file(&sync_file, access).unwrap();
            drop(sync_file);
            assert_eq!(blocked(&buffer), expected, "{access:?}");
            fence.signal().unwrap();
            assert_eq!(blocked(&buffer), [false, false], "{access:?}");
        }
    }
}

#[test]
fn an_export_is_of_its_moment() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    for buffer in buffers() {
        let before = buffer.export_sync_file(Access::Write).unwrap();
        let (first, sync_file) = vgem.new_fence().unwrap();
        buffer.import_sync_file(&sync_file, Access::Read).unwrap();
        let between = buffer.export_sync_file(Access::Write).unwrap();
        let (second, sync_file) = vgem.new_fence().unwrap();
        buffer.import_sync_file(&sync_file, Access::Read).unwrap();
        let after = buffer.export_sync_file(Access::Write).unwrap();
        assert_eq!([&before, &between, &after].map(is_signaled), [true, false, false]);
        first.signal().unwrap();
        assert_eq!([&before, &between, &after].map(is_signaled), [true, true, false]);
        second.signal().unwrap();
        assert_eq!([&before, &between, &after].map(is_signaled), [true, true, true]);
    }
}

// === bytes ===

/// Bytes that a shifted, repeated or missing piece would be seen in.
fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn what_is_written_is_read_through_another_mapping() {
    for buffer in buffers() {
        let buffer = Arc::new(buffer);
        let mut writer = Mapping::new(Arc::clone(&buffer)).unwrap();
        let mut reader = buffer.map().unwrap();
        assert_eq!([writer.size(), reader.size()], [SIZE as usize; 2]);
        let mut expected = vec![0; SIZE as usize];
        // Every alignment and small length, and all of it.
        let small = (0..17).flat_map(|at| (0..35).map(move |len| (at * 101, len)));
        for (offset, len) in small.chain([(0, SIZE as usize), (SIZE as usize, 0)]) {
            let bytes = pattern(len, offset + len);
            let mut access = writer.access(Access::Write).unwrap();
            access.write_at(offset, &bytes);
            access.finish().unwrap();
            expected[offset..][..len].copy_from_slice(&bytes);

            let access = reader.access(Access::Read).unwrap();
            let mut found = vec![0xff; len];
            access.read_at(offset, &mut found);
            assert_eq!(found, bytes);
            let mut all = vec![0xff; SIZE as usize];
            access.read_at(0, &mut all);
            assert!(all == expected, "{len} bytes at {offset} change nothing else");
            access.finish().unwrap();
        }
    }
}

#[test]
fn accesses_outside_of_the_buffer_panic() {
    for buffer in buffers() {
        let mut mapping = buffer.map().unwrap();
        let size = mapping.size();
        for (offset, len) in [(size, 1), (size - 3, 4), (usize::MAX, 2), (0, size + 1)] {
            for write in [false, true] {
                let mut access = mapping.access(Access::Write).unwrap();
                let mut bytes = vec![0; len];
                let attempt = panic::AssertUnwindSafe(|| match write {
                    true => access.write_at(offset, &bytes),
                    false => access.read_at(offset, &mut bytes),
                });
                panic::catch_unwind(attempt).unwrap_err();
            }
        }
    }
}

#[test]
fn a_bracket_for_reading_takes_no_writes() {
    for buffer in buffers() {
        let mut mapping = buffer.map().unwrap();
        let mut access = mapping.access(Access::Read).unwrap();
        let attempt = panic::AssertUnwindSafe(|| access.write_at(0, b"x"));
        panic::catch_unwind(attempt).unwrap_err();
        let mut byte = [0xff];
        access.read_at(0, &mut byte);
        assert_eq!(byte, [0]);
    }
}

#[test]
fn a_bracket_begins_when_devices_allow_it() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    for (device_writes, access) in
        [(true, Access::Read), (true, Access::Write), (false, Access::Write)]
    {
        let (buffer, dma_buf) = vgem_buffer(&vgem);
        let mut mapping = dma_buf.map().unwrap();
        let fence = buffer.attach(device_writes).unwrap();
        let pending = dma_buf.export_sync_file(Access::Write).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let _access = mapping.access(access).unwrap();
                is_signaled(&pending)
            });
            // It may not have begun to wait; then it has nothing to wait for, which is right too.
            thread::sleep(std::time::Duration::from_millis(50));
            assert!(!waiter.is_finished(), "{access:?} must wait");
            fence.signal().unwrap();
            assert!(waiter.join().unwrap(), "{access:?} began too early");
        });
    }
    let (buffer, dma_buf) = vgem_buffer(&vgem);
    let read = buffer.attach(false).unwrap();
    drop(dma_buf.map().unwrap().access(Access::Read).unwrap());
    read.signal().unwrap();
}

// === devices that give buffers ===

#[test]
fn sizes_that_are_no_pages() {
    let udmabuf = or_skip("udmabuf", Udmabuf::open());
    let heap = or_skip("dma_heap", DmaHeap::open("system"));
    let page = rustix::param::page_size() as u64;
    for size in [0, 1, page - 1, page + 1, u64::MAX] {
        let refused = AllocateError::Size { size, page };
        for error in [
            udmabuf.as_ref().map(|it| it.allocate(size).unwrap_err()),
            heap.as_ref().map(|it| it.allocate(size).unwrap_err()),
        ] {
            assert!(error.is_none_or(|error| error == refused), "{error:?}");
        }
    }
    let all = u64::MAX - page + 1;
    for error in [
        udmabuf.as_ref().map(|it| it.allocate(all).unwrap_err()),
        heap.as_ref().map(|it| it.allocate(all).unwrap_err()),
    ] {
        let Some(error) = error else { continue };
        let AllocateError::Kernel(error) = error else { panic!("{error:?}") };
        assert!([Errno::EINVAL, Errno::EFBIG, Errno::ENOMEM].contains(&error.errno()), "{error}");
    }
}

#[test]
fn heaps_have_names() {
    let heaps = DmaHeap::list();
    if or_skip("dma_heap", DmaHeap::open("system")).is_some() {
        assert!(heaps.contains(&"system".to_owned()), "{heaps:?}");
    }
    let Err(OpenError::Unsupported(error)) = DmaHeap::open("no such heap") else { panic!() };
    assert_eq!(error.missing(), "/dev/dma_heap/no such heap");
}
