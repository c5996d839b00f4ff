//! What goes wrong on purpose, and what must not go wrong with it: nothing hangs, no memory is given away.
#![cfg(not(loom))]

use dma_fence::{Errno, Fence, FenceContext, FenceError, Status, wait_all};
use dma_fence_engines::{
    AcquireError, BufferPool, EngineKind, Faults, FinishError, HashEngine, IoEngine, IoOptions,
    SubmitError,
};
use std::fs::File;
use std::io::{PipeReader, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KINDS: [EngineKind; 2] = [EngineKind::Uring, EngineKind::Threads];
const CHUNK: usize = 64 * 1024;

fn each_engine(pool: &BufferPool, faults: impl Fn() -> Faults, test: impl Fn(IoEngine, Faults)) {
    for kind in KINDS {
        let faults = faults();
        let options = IoOptions { faults: faults.clone(), ..IoOptions::default() };
        if let Ok(engine) = IoEngine::start(kind, pool, options) {
            test(engine, faults);
        }
    }
}

fn file_of(content: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    Arc::new(file)
}

fn failed(error: Errno) -> Result<(), FenceError> {
    Err(FenceError::Failed(error))
}

/// A copy as the command does it. Gives the target, the hash, and what the fences of the writes say.
fn copy(
    pool: &BufferPool,
    io: &IoEngine,
    faults: &Faults,
    data: &[u8],
) -> (Arc<File>, Result<blake3::Hash, FinishError>, Result<(), FenceError>) {
    let (source, target) = (file_of(data), Arc::new(tempfile::tempfile().unwrap()));
    let hash = HashEngine::start(faults.clone()).unwrap();
    let mut fences = Vec::new();
    for (number, chunk) in data.chunks(CHUNK).enumerate() {
        let Ok(mut buffer) = pool.acquire() else { break };
        let offset = (number * CHUNK) as u64;
        let read = io.read(&source, offset, &mut buffer, chunk.len(), &[]).unwrap();
        hash.update(&buffer, chunk.len(), std::slice::from_ref(&read)).unwrap();
        fences.push(io.write(&target, offset, &buffer, chunk.len(), &[read]).unwrap());
    }
    let written = wait_all(&fences);
    // That returns at the first error; the figures are looked at when all is quiet.
    for fence in &fences {
        let _ = fence.wait();
    }
    (target, hash.finish(), written)
}

fn content(file: &File) -> Vec<u8> {
    let mut content = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut content, 0).unwrap();
    content
}

fn data(chunks: usize) -> Vec<u8> {
    (0..chunks * CHUNK).map(|at| (at / CHUNK) as u8 + 1).collect()
}

#[test]
fn early_signals_corrupt() {
    // Otherwise the same copy passes: that is what `none` shows.
    for (faults, corrupt) in [(Faults::none as fn() -> Faults, false), (Faults::early_signal, true)]
    {
        let pool = BufferPool::new(4, CHUNK).unwrap();
        each_engine(&pool, faults, |io, faults| {
            let data = data(32);
            let (target, hash, written) = copy(&pool, &io, &faults, &data);
            assert_eq!(written, Ok(()), "the fences say that all is well");
            let kind = io.kind();
            assert_eq!(io.shutdown(), 0);
            assert_eq!(content(&target) != data, corrupt, "{kind} file");
            assert_eq!(hash.unwrap() != blake3::hash(&data), corrupt, "{kind} hash");
        });
    }
}

#[test]
fn with_early_signals_the_cpu_waits_for_the_device() {
    let pool = BufferPool::new(1, CHUNK).unwrap();
    each_engine(&pool, Faults::early_signal, |io, _| {
        let mut buffer = pool.acquire().unwrap();
        let read = io.read(&file_of(&data(1)), 0, &mut buffer, CHUNK, &[]).unwrap();
        assert!(read.is_signaled());
        assert_eq!(buffer.bytes().unwrap(), data(1));
    });
}

#[test]
fn shutdown_waits_for_late_work_and_the_mapping_stays_for_it() {
    let pool = BufferPool::new(1, CHUNK).unwrap();
    each_engine(&pool, Faults::early_signal, |io, _| {
        let target = Arc::new(tempfile::tempfile().unwrap());
        let mut buffer = pool.acquire().unwrap();
        buffer.bytes_mut().unwrap().fill(7);
        let write = io.write(&target, 0, &buffer, CHUNK, &[]).unwrap();
        assert!(write.is_signaled());
        drop(buffer);
        assert_eq!(target.metadata().unwrap().len(), 0, "nothing is written yet");
        io.shutdown();
        assert_eq!(target.metadata().unwrap().len(), CHUNK as u64);
    });
}

#[test]
fn a_lost_producer_ends_the_copy_and_names_the_fence() {
    // Operation 10 is a read, 11 the hash of it, 12 its write.
    for lost in [10, 11, 12] {
        let pool = BufferPool::new(2, CHUNK).unwrap();
        each_engine(
            &pool,
            || Faults::lost_producer(lost),
            |io, faults| {
                let began = Instant::now();
                let (_, hash, written) = copy(&pool, &io, &faults, &data(8));
                match lost {
                    10 => {
                        assert_eq!(written, Err(FenceError::Abandoned).or(failed(Errno::ECANCELED)))
                    }
                    11 => assert!(hash.is_err()),
                    _ => assert_eq!(written, Err(FenceError::Abandoned)),
                }
                if lost == 10 {
                    assert!(hash.is_err());
                }
                // The hash engine has declared its own context idle; the I/O engine has not yet.
                let stats = pool.stats();
                assert_eq!(stats.quarantined, usize::from(lost != 11), "{lost} {stats:?}");
                assert_eq!(io.stats().in_flight, u64::from(lost != 11));
                assert_eq!(io.shutdown(), usize::from(lost != 11));
                assert_eq!(pool.stats().free, 2);
                // Generous: it takes milliseconds if nothing waits for what never comes.
                assert!(began.elapsed() < Duration::from_secs(10));
            },
        );
    }
}

#[test]
fn a_pool_lost_entirely_says_so() {
    let pool = BufferPool::new(1, CHUNK).unwrap();
    each_engine(
        &pool,
        || Faults::lost_producer(1),
        |io, _| {
            let mut buffer = pool.acquire().unwrap();
            let read = io.read(&file_of(&data(1)), 0, &mut buffer, CHUNK, &[]).unwrap();
            drop(buffer);
            let AcquireError::Quarantined(fence) = pool.acquire().unwrap_err();
            assert!(fence.same_fence(&read));
            assert_eq!(io.shutdown(), 1);
            assert_eq!(read.wait(), failed(Errno::ECANCELED));
            assert!(pool.acquire().is_ok());
        },
    );
}

#[test]
fn an_injected_error_reaches_what_depends_on_it() {
    let pool = BufferPool::new(2, CHUNK).unwrap();
    each_engine(
        &pool,
        || Faults::io_error(4),
        |io, faults| {
            // Operation 4 is the read of the second chunk.
            let (target, hash, written) = copy(&pool, &io, &faults, &data(3));
            let arrived = content(&target);
            assert_eq!(written, failed(Errno::EIO));
            assert!(matches!(hash, Err(FinishError::Failed { error: Errno::EIO, .. })));
            assert_eq!(arrived[..CHUNK], data(1));
            assert!(arrived[CHUNK..2 * CHUNK].iter().all(|byte| *byte == 0));
            assert_eq!(arrived[2 * CHUNK..], data(3)[2 * CHUNK..]);
            assert_eq!(io.shutdown(), 0);
            assert_eq!(pool.stats().free, 2);
        },
    );
}

// === deaths ===

fn outcome(fence: &Fence) -> Result<(), FenceError> {
    match fence.wait_timeout(Duration::from_secs(5)) {
        Ok(()) => Ok(()),
        Err(dma_fence::WaitError::Failed(error)) => Err(FenceError::Failed(error)),
        Err(dma_fence::WaitError::Abandoned) => Err(FenceError::Abandoned),
        Err(dma_fence::WaitError::TimedOut) => panic!("{fence} hangs"),
    }
}

#[test]
fn a_dying_ring_abandons_what_is_in_the_kernel() {
    let pool = BufferPool::new(4, CHUNK).unwrap();
    let options = IoOptions { queue_depth: 2, faults: Faults::panic_at(2) };
    let Ok(io) = IoEngine::start(EngineKind::Uring, &pool, options) else { return };
    let (reader, mut writer): (PipeReader, _) = pipe().unwrap();
    let pipe = Arc::new(File::from(OwnedFd::from(reader)));
    let source = file_of(&data(1));
    let mut buffers: Vec<_> = (0..3).map(|_| pool.acquire().unwrap()).collect();
    // In the kernel for as long as nobody writes to the pipe.
    let stuck = io.read(&pipe, 0, &mut buffers[0], 10, &[]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(!stuck.is_signaled());
    let fatal = io.read(&source, 0, &mut buffers[1], 10, &[]).unwrap();
    assert_eq!(outcome(&fatal), Err(FenceError::Abandoned));
    assert_eq!(outcome(&stuck), Err(FenceError::Abandoned));
    drop(buffers);
    // Whoever comes in between is cancelled, whoever comes later refused.
    let mut buffer = pool.acquire().unwrap();
    match io.read(&source, 0, &mut buffer, 10, &[]) {
        Ok(fence) => assert_eq!(outcome(&fence), failed(Errno::ECANCELED)),
        Err(refused) => assert!(matches!(refused, SubmitError::EngineDied)),
    }
    drop(buffer);
    // Lets the read end where the kernel cannot cancel it.
    writer.write_all(&[0; 10]).unwrap();
    assert_eq!(io.shutdown(), 2, "the kernel has answered, so both are released");
    assert_eq!(stuck.status(), fatal_status(&stuck));
    assert_eq!(pool.stats().free, 4);
}

fn fatal_status(fence: &Fence) -> Status {
    let status = fence.status();
    assert!(matches!(status, Status::Signaled(signal) if signal.result == Err(Errno::ECANCELED)));
    status
}

#[test]
fn a_dying_thread_abandons_its_own_fence_and_the_others_go_on() {
    let pool = BufferPool::new(2, CHUNK).unwrap();
    let options = IoOptions { queue_depth: 2, faults: Faults::panic_at(1) };
    let io = IoEngine::start(EngineKind::Threads, &pool, options).unwrap();
    let source = file_of(&data(1));
    let mut buffer = pool.acquire().unwrap();
    let fatal = io.read(&source, 0, &mut buffer, 10, &[]).unwrap();
    assert_eq!(outcome(&fatal), Err(FenceError::Abandoned));
    drop(buffer);
    assert_eq!(pool.stats().quarantined, 1);
    let mut other = pool.acquire().unwrap();
    assert_eq!(outcome(&io.read(&source, 0, &mut other, 10, &[]).unwrap()), Ok(()));
    drop(other);
    assert_eq!(io.shutdown(), 1);
    assert_eq!(pool.stats().free, 2);
}

#[test]
fn the_last_thread_to_die_cancels_what_is_queued() {
    let pool = BufferPool::new(8, CHUNK).unwrap();
    let options = IoOptions { queue_depth: 1, faults: Faults::panic_at(1) };
    let io = IoEngine::start(EngineKind::Threads, &pool, options).unwrap();
    let source = file_of(&data(1));
    let mut fences = Vec::new();
    for _ in 0..8 {
        let mut buffer = pool.acquire().unwrap();
        match io.read(&source, 0, &mut buffer, 10, &[]) {
            Ok(fence) => fences.push(fence),
            Err(refused) => assert!(matches!(refused, SubmitError::EngineDied)),
        }
    }
    assert_eq!(outcome(&fences[0]), Err(FenceError::Abandoned));
    for fence in &fences[1..] {
        assert_eq!(outcome(fence), failed(Errno::ECANCELED));
    }
    assert_eq!(io.shutdown(), 1);
    assert_eq!(pool.stats().free, 8);
}

#[test]
fn a_dying_hash_thread_abandons_and_there_is_no_hash() {
    let pool = BufferPool::new(3, CHUNK).unwrap();
    let hash = HashEngine::start(Faults::panic_at(2)).unwrap();
    let update = || {
        let buffer = pool.acquire().unwrap();
        hash.update(&buffer, CHUNK, &[])
    };
    let (first, second, third) = (update().unwrap(), update().unwrap(), update());
    assert_eq!(outcome(&first), Ok(()));
    assert_eq!(outcome(&second), Err(FenceError::Abandoned));
    match third {
        Ok(fence) => assert_eq!(outcome(&fence), failed(Errno::ECANCELED)),
        Err(refused) => assert!(matches!(refused, SubmitError::EngineDied)),
    }
    assert!(hash.finish().is_err());
    assert_eq!(pool.stats().free, 3);
}

#[test]
fn a_job_that_is_ready_after_the_death_is_cancelled() {
    for kind in KINDS {
        let pool = BufferPool::new(2, CHUNK).unwrap();
        // One thread, and it dies of the second operation while the first waits to start.
        let options = IoOptions { queue_depth: 1, faults: Faults::panic_at(2) };
        let Ok(io) = IoEngine::start(kind, &pool, options) else { continue };
        let go = FenceContext::software("test", "go").new_fence();
        let source = file_of(&data(1));
        let mut buffers = [pool.acquire().unwrap(), pool.acquire().unwrap()];
        let late = io.read(&source, 0, &mut buffers[0], 10, &[go.fence()]).unwrap();
        let fatal = io.read(&source, 0, &mut buffers[1], 10, &[]).unwrap();
        assert_eq!(outcome(&fatal), Err(FenceError::Abandoned));
        while !matches!(io.read(&source, 0, &mut buffers[0], 10, &[]), Err(SubmitError::EngineDied))
        {
            std::thread::yield_now();
        }
        go.signal(Ok(()));
        assert_eq!(outcome(&late), failed(Errno::ECANCELED));
    }
}
