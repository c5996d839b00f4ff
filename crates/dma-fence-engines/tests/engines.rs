//! Both I/O engines and the hash engine on real files.
#![cfg(not(loom))]

use dma_fence::{Errno, Fence, FenceContext, FenceError, Status};
use dma_fence_engines::{
    BufferPool, EngineError, EngineKind, Faults, FinishError, HashEngine, IoEngine, IoOptions,
    SubmitError,
};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;

const KINDS: [EngineKind; 2] = [EngineKind::Uring, EngineKind::Threads];

/// Runs the test on each engine that this kernel has.
fn each_engine(pool: &BufferPool, test: impl Fn(&IoEngine)) {
    for kind in KINDS {
        match IoEngine::start(kind, pool, IoOptions::default()) {
            Ok(engine) => test(&engine),
            Err(EngineError::Refused(error)) => eprintln!("no {kind} here: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn file_of(content: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    Arc::new(file)
}

fn content(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut content = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut content, 0).unwrap();
    content
}

fn failed(error: Errno) -> Result<(), FenceError> {
    Err(FenceError::Failed(error))
}

#[test]
fn copies_files_of_any_size() {
    let pool = BufferPool::new(4, 4096).unwrap();
    each_engine(&pool, |io| {
        // Nothing, one byte, around a page and a chunk, many chunks and a bit.
        for len in [0, 1, 4095, 4096, 4097, 3 * 4096, 100_001] {
            let data = bytes(len);
            let (source, target) = (file_of(&data), file_of(&[]));
            let hash = HashEngine::start(Faults::none()).unwrap();
            let mut last = Vec::new();
            for (number, chunk) in data.chunks(4096).enumerate() {
                let offset = number as u64 * 4096;
                let mut buffer = pool.acquire().unwrap();
                let read = io.read(&source, offset, &mut buffer, chunk.len(), &[]).unwrap();
                hash.update(&buffer, chunk.len(), std::slice::from_ref(&read)).unwrap();
                last.push(io.write(&target, offset, &buffer, chunk.len(), &[read]).unwrap());
            }
            assert_eq!(dma_fence::wait_all(&last), Ok(()));
            assert_eq!(content(&target), data, "{} of {len} bytes", io.kind());
            assert_eq!(hash.finish().unwrap(), blake3::hash(&data));
        }
        let stats = io.stats();
        assert_eq!(stats.in_flight, 0);
        assert!((1..=8).contains(&stats.max_in_flight), "{stats:?}");
        assert!(stats.fences >= 50, "{stats:?}");
    });
    assert_eq!(pool.stats().free, 4);
}

#[test]
fn more_operations_than_the_queue_is_deep() {
    let pool = BufferPool::new(40, 512).unwrap();
    for kind in KINDS {
        let options = IoOptions { queue_depth: 1, ..IoOptions::default() };
        let Ok(io) = IoEngine::start(kind, &pool, options) else { continue };
        let data = bytes(40 * 512);
        let source = file_of(&data);
        let mut buffers: Vec<_> = (0..40).map(|_| pool.acquire().unwrap()).collect();
        let fences: Vec<Fence> = (buffers.iter_mut().enumerate())
            .map(|(n, buffer)| io.read(&source, n as u64 * 512, buffer, 512, &[]).unwrap())
            .collect();
        assert_eq!(dma_fence::wait_all(&fences), Ok(()));
        for (n, buffer) in buffers.iter().enumerate() {
            assert_eq!(buffer.bytes().unwrap(), &data[n * 512..][..512]);
        }
    }
}

#[test]
fn works_without_registered_buffers() {
    // The kernel registers at most 16384 buffers at a time.
    let pool = BufferPool::new(16385, 64).unwrap();
    let Ok(io) = IoEngine::start(EngineKind::Uring, &pool, IoOptions::default()) else { return };
    assert!(io.notice().unwrap().to_string().contains("without registered buffers"));
    let (source, target) = (file_of(b"plain"), file_of(&[]));
    let mut buffer = pool.acquire().unwrap();
    let read = io.read(&source, 0, &mut buffer, 5, &[]).unwrap();
    assert_eq!(io.write(&target, 0, &buffer, 5, &[read]).unwrap().wait(), Ok(()));
    assert_eq!(content(&target), b"plain");
}

#[test]
fn errors_of_the_kernel_become_errors_of_the_fence() {
    let pool = BufferPool::new(1, 4096).unwrap();
    each_engine(&pool, |io| {
        let mut buffer = pool.acquire().unwrap();
        let short = file_of(&bytes(100));
        let read = io.read(&short, 0, &mut buffer, 101, &[]).unwrap();
        assert_eq!(read.wait(), failed(Errno::ENODATA), "{}", io.kind());
        assert_eq!(&buffer.bytes().unwrap()[..100], bytes(100));

        let read_only = Arc::new(File::open("/proc/self/exe").unwrap());
        let write = io.write(&read_only, 0, &buffer, 1, &[]).unwrap();
        assert_eq!(write.wait(), failed(Errno::EBADF), "{}", io.kind());

        let full = Arc::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let write = io.write(&full, 0, &buffer, 4096, &[]).unwrap();
        assert_eq!(write.wait(), failed(Errno::ENOSPC), "{}", io.kind());
    });
}

#[test]
fn refuses_what_makes_no_sense() {
    let pool = BufferPool::new(1, 100).unwrap();
    let foreign = BufferPool::new(1, 100).unwrap();
    let file = file_of(&[]);
    each_engine(&pool, |io| {
        let mut buffer = pool.acquire().unwrap();
        let refused = io.read(&file, 0, &mut buffer, 101, &[]).unwrap_err();
        assert!(matches!(refused, SubmitError::TooLong { len: 101, size: 100 }));
        let mut buffer = foreign.acquire().unwrap();
        let refused = io.read(&file, 0, &mut buffer, 1, &[]).unwrap_err();
        assert!(matches!(refused, SubmitError::ForeignBuffer));
        assert_eq!(io.stats().fences, 0);
    });
    for queue_depth in [0, 4097] {
        let options = IoOptions { queue_depth, ..IoOptions::default() };
        let refused = IoEngine::start(EngineKind::Threads, &pool, options).unwrap_err();
        assert!(matches!(refused, EngineError::QueueDepth(_)));
    }
}

#[test]
fn starts_after_explicit_fences() {
    let pool = BufferPool::new(1, 100).unwrap();
    each_engine(&pool, |io| {
        let context = FenceContext::software("test", "go");
        let (go, also) = (context.new_fence(), FenceContext::software("test", "also").new_fence());
        let target = file_of(&[]);
        let buffer = pool.acquire().unwrap();
        let after = [go.fence(), also.fence(), go.fence()];
        let write = io.write(&target, 0, &buffer, 1, &after).unwrap();
        go.signal(Ok(()));
        // A moment in which a job that does not wait would have run.
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!write.is_signaled());
        assert_eq!(content(&target).len(), 0);
        also.signal(Ok(()));
        assert_eq!(write.wait(), Ok(()));
        assert_eq!(io.stats().arrays, 1);
    });
}

#[test]
fn the_error_of_an_explicit_fence_is_inherited() {
    let pool = BufferPool::new(1, 100).unwrap();
    each_engine(&pool, |io| {
        let context = FenceContext::software("test", "fails");
        let target = file_of(&[]);
        let buffer = pool.acquire().unwrap();
        let (before, after) = (context.new_fence(), context.new_fence());
        let (was, will_be) = (before.fence(), after.fence());
        before.signal(Err(Errno::ENOSPC));
        let write = io.write(&target, 0, &buffer, 1, &[was]).unwrap();
        assert_eq!(write.wait(), failed(Errno::ENOSPC));
        let write = io.write(&target, 0, &buffer, 1, &[will_be]).unwrap();
        after.signal(Err(Errno::EIO));
        assert_eq!(write.wait(), failed(Errno::EIO));
        assert_eq!(content(&target).len(), 0, "nothing was written");
    });
}

#[test]
fn the_error_of_an_implicit_fence_is_not() {
    let pool = BufferPool::new(1, 100).unwrap();
    each_engine(&pool, |io| {
        let context = FenceContext::hardware("test", "earlier");
        let mut buffer = pool.acquire().unwrap();
        let earlier = context.new_fence();
        drop(buffer.lease_write().unwrap().commit(&earlier.fence()));
        let read = io.read(&file_of(b"x"), 0, &mut buffer, 1, &[]).unwrap();
        assert!(!read.is_signaled());
        earlier.signal(Err(Errno::EIO));
        assert_eq!(read.wait(), Ok(()));
    });
}

#[test]
fn an_abandoned_dependency_cancels() {
    let pool = BufferPool::new(2, 100).unwrap();
    each_engine(&pool, |io| {
        let context = FenceContext::hardware("test", "lost");
        let target = file_of(&[]);
        let mut buffer = pool.acquire().unwrap();
        let lost = context.new_fence();
        let name = lost.fence();
        let before = std::slice::from_ref(&name);
        let write = io.write(&target, 0, &buffer, 1, before).unwrap();
        drop(lost);
        assert_eq!(write.wait(), failed(Errno::ECANCELED));
        let write = io.write(&target, 0, &buffer, 1, &[name]).unwrap();
        assert_eq!(write.wait(), failed(Errno::ECANCELED), "abandoned before the submission");

        // Implicit: this read waits for a write of a lost device into the same buffer.
        let lost = context.new_fence();
        drop(buffer.lease_write().unwrap().commit(&lost.fence()));
        let read = io.read(&file_of(b"x"), 0, &mut buffer, 1, &[]).unwrap();
        drop(lost);
        assert_eq!(read.wait(), failed(Errno::ECANCELED));
        assert!(buffer.bytes().is_err(), "the cancelled read must not hide the lost write");
        drop(buffer);
        assert_eq!(pool.stats().quarantined, 1);
        context.declare_idle(Errno::ECANCELED);
        assert_eq!(pool.stats().free, 2);
    });
}

#[test]
fn two_operations_on_one_buffer_are_both_waited_for() {
    // Both write fences are of one engine and one name: the later must not displace the earlier.
    let pool = BufferPool::new(1, 100).unwrap();
    each_engine(&pool, |io| {
        let context = FenceContext::software("test", "go");
        let go = context.new_fence();
        let buffer = pool.acquire().unwrap();
        let target = file_of(&[]);
        let slow = io.write(&target, 0, &buffer, 1, &[go.fence()]).unwrap();
        let fast = io.write(&target, 1, &buffer, 1, &[]).unwrap();
        assert_eq!(fast.wait(), Ok(()));
        drop(buffer);
        assert!(pool.try_acquire().unwrap().is_none(), "the slow write still needs the buffer");
        go.signal(Ok(()));
        assert_eq!(slow.wait(), Ok(()));
        drop(pool.acquire().unwrap());
    });
}

#[test]
fn a_panicking_callback_does_not_take_the_engine_down() {
    let pool = BufferPool::new(1, 100).unwrap();
    each_engine(&pool, |io| {
        let context = FenceContext::software("test", "go");
        // More often than there are threads that could die of it.
        for _ in 0..10 {
            let go = context.new_fence();
            let buffer = pool.acquire().unwrap();
            let write = io.write(&file_of(&[]), 0, &buffer, 1, &[go.fence()]).unwrap();
            write.on_outcome(|_| panic!("a user's mistake")).unwrap().detach();
            go.signal(Ok(()));
            assert_eq!(write.wait(), Ok(()));
        }
    });
}

#[test]
fn the_hash_is_of_all_chunks_in_order_or_not_at_all() {
    let pool = BufferPool::new(8, 1024).unwrap();
    let hash = HashEngine::start(Faults::none()).unwrap();
    assert_eq!(hash.finish().unwrap(), blake3::hash(b""));

    // Submitted in order, ready in reverse.
    let hash = HashEngine::start(Faults::none()).unwrap();
    let context = FenceContext::software("test", "ready");
    let mut ready = Vec::new();
    let mut whole = Vec::new();
    for number in 0..8u8 {
        let mut buffer = pool.acquire().unwrap();
        buffer.bytes_mut().unwrap().fill(number);
        let len = 1024 - usize::from(number);
        whole.extend(vec![number; len]);
        let go = context.new_fence();
        hash.update(&buffer, len, &[go.fence()]).unwrap();
        ready.push(go);
    }
    ready.into_iter().rev().for_each(|go| go.signal(Ok(())));
    assert_eq!(hash.finish().unwrap(), blake3::hash(&whole));

    // One in the middle fails: so do those behind it, and the whole.
    let hash = HashEngine::start(Faults::none()).unwrap();
    let fails = context.new_fence();
    let buffer = pool.acquire().unwrap();
    let first = hash.update(&buffer, 1, &[]).unwrap();
    let second = hash.update(&buffer, 1, &[fails.fence()]).unwrap();
    let third = hash.update(&buffer, 1, &[]).unwrap();
    fails.signal(Err(Errno::EIO));
    assert_eq!(first.wait(), Ok(()));
    assert_eq!(second.wait(), failed(Errno::EIO));
    assert_eq!(third.wait(), failed(Errno::EIO));
    let error = hash.finish().unwrap_err();
    assert!(matches!(error, FinishError::Failed { error: Errno::EIO, .. }), "{error}");
}

#[test]
fn fences_outlive_their_engine() {
    let pool = BufferPool::new(1, 100).unwrap();
    each_engine(&pool, |io| {
        let source = file_of(b"x");
        let fence = {
            let other = IoEngine::start(io.kind(), &pool, IoOptions::default()).unwrap();
            let mut buffer = pool.acquire().unwrap();
            other.read(&source, 0, &mut buffer, 1, &[]).unwrap()
        };
        // Dropping the engine drained it.
        assert!(matches!(fence.status(), Status::Signaled(_)));
        assert_eq!(fence.timeline_name(), "read");
    });
}

#[test]
fn shutdown_drains_what_has_not_started() {
    let pool = BufferPool::new(1, 100).unwrap();
    for kind in KINDS {
        let Ok(io) = IoEngine::start(kind, &pool, IoOptions::default()) else { continue };
        let go = FenceContext::software("test", "go").new_fence();
        let buffer = pool.acquire().unwrap();
        let write = io.write(&file_of(&[]), 0, &buffer, 1, &[go.fence()]).unwrap();
        let signaller = std::thread::spawn(move || {
            // Time for a shutdown that does not wait to be through.
            std::thread::sleep(std::time::Duration::from_millis(50));
            go.signal(Ok(()));
        });
        assert_eq!(io.shutdown(), 0);
        assert!(write.is_signaled());
        assert_eq!(write.wait(), Ok(()));
        signaller.join().unwrap();
    }
}
