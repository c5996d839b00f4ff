//! The fences of a copy.
//!
//! ```text
//!                 ┌─► write ─┐
//! acquire ─► read ┤          ├─► array ─► the buffer is free again
//!                 └─► hash ──┘
//! ```
//!
//! Nothing here waits for an operation, but for a free buffer: a buffer is dropped as soon as its
//! three operations are submitted, and the pool gives it out again when its fences have signaled.
//! At most one chunk per buffer is remembered, however large the file.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use dma_fence::{Fence, FenceArray, FenceCallback, Outcome, Timestamp};
use dma_fence_engines::{
    Buffer, BufferPool, EngineKind, HashEngine, IoEngine, IoOptions, SubmitError,
};
use indicatif::ProgressBar;

use super::{
    destination::Destination, fault::Fault, progress::Progress, source::Source, trace::Trace,
};
use crate::{
    args::{CopyArgs, Engine, Sync},
    error::CopyError,
    interrupt::Interrupt,
};

/// What a driver fence stands for, in the order of submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Read,
    Write,
    Hash,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Hash => "hash",
        }
    }
}

/// What is copied, and what may end it early.
pub(crate) struct Job<'a> {
    pub(crate) source: &'a Source,
    pub(crate) destination: &'a Destination,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) bar: &'a ProgressBar,
}

impl Job<'_> {
    pub(super) fn check_interrupt(&self) -> Result<(), CopyError> {
        self.interrupt.signal().map_or(Ok(()), |signal| {
            let destination = self.destination.path().to_owned();
            Err(CopyError::Interrupted { signal, destination })
        })
    }

    /// The file that an operation is about.
    pub(super) fn path(&self, operation: Operation) -> &Path {
        match operation {
            Operation::Read | Operation::Hash => &self.source.path,
            Operation::Write => self.destination.path(),
        }
    }
}

/// What a complete copy was like.
pub(crate) struct Copied {
    pub(crate) hash: blake3::Hash,
    pub(crate) chunks: u64,
    pub(crate) fences: u64,
    pub(crate) arrays: u64,
    pub(crate) max_in_flight: u64,
    pub(crate) waited: Duration,
}

/// A chunk whose operations have been submitted, or as many of them as could be.
pub(super) struct Chunk {
    pub(super) number: u64,
    pub(super) offset: u64,
    len: usize,
    steps: Vec<Step>,
    done: Option<Done>,
}

/// One operation on a chunk.
pub(super) struct Step {
    pub(super) operation: Operation,
    pub(super) fence: Fence,
    /// When the submission returned.
    pub(super) submitted: Timestamp,
}

/// The end of a chunk: both of its readers have done with the buffer.
struct Done {
    array: FenceArray,
    /// `None`: it had ended before the callback could be registered, which ran then and there.
    callback: Option<FenceCallback>,
}

/// The engines and the memory of one copy.
pub(crate) struct Pipeline {
    pool: BufferPool,
    io: IoEngine,
    hash: HashEngine,
    sync: Sync,
    /// By the index of its buffer: the last chunk that used it.
    chunks: Vec<Option<Chunk>>,
    progress: Arc<Progress>,
    trace: Option<Trace>,
    /// The earliest of the failures seen so far.
    fault: Option<Fault>,
    arrays: u64,
    max_in_flight: u64,
    waited: Duration,
}

impl Pipeline {
    /// Starts the engines for a file of `len` bytes. The text is a notice to the user: why it is not
    /// the engine they expect.
    pub(crate) fn start(args: &CopyArgs, len: u64) -> Result<(Self, Option<String>), CopyError> {
        let engine = |error: &dyn std::error::Error| CopyError::Engine(error.to_string());
        // Buffers are registered with the kernel, and so made resident: none that nobody will use.
        let chunks = len.div_ceil(args.chunk_size as u64).max(1);
        let count = chunks.min(args.buffers.into()) as usize;
        let pool = BufferPool::new(count, args.chunk_size).map_err(|error| {
            let CopyArgs { buffers, chunk_size, .. } = args;
            CopyError::Usage(format!("--buffers {buffers} of --chunk-size {chunk_size}: {error}"))
        })?;
        let faults = super::fault::injected(args.inject);
        let options = IoOptions { queue_depth: args.queue_depth, faults: faults.clone() };
        let (io, notice) = match args.engine {
            None => IoEngine::start_best(&pool, options),
            Some(Engine::Uring) => {
                IoEngine::start(EngineKind::Uring, &pool, options).map(|io| (io, None))
            }
            Some(Engine::Threads) => {
                IoEngine::start(EngineKind::Threads, &pool, options).map(|io| (io, None))
            }
        }
        .map_err(|error| engine(&error))?;
        let hash = HashEngine::start(faults).map_err(|error| engine(&error))?;
        let pipeline = Self {
            pool,
            io,
            hash,
            sync: args.sync,
            chunks: (0..count).map(|_| None).collect(),
            progress: Arc::default(),
            trace: None,
            fault: None,
            arrays: 0,
            max_in_flight: 0,
            waited: Duration::ZERO,
        };
        Ok((pipeline, notice.map(|notice| notice.to_string())))
    }

    /// Which I/O engine it is.
    pub(crate) fn engine(&self) -> EngineKind {
        self.io.kind()
    }

    pub(crate) fn trace_to(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    /// Copies everything, or as much as can be; ends when nothing is in flight and the engines
    /// have stopped.
    pub(crate) fn copy(mut self, job: &Job<'_>) -> Result<Copied, CopyError> {
        let submitted = self.submit_all(job);
        for chunk in std::mem::take(&mut self.chunks).into_iter().flatten() {
            self.settle(chunk, job);
        }

        let (io, hash) = (self.io.stats(), self.hash.stats());
        let quarantined = self.quarantined();
        // The engines stop, so their contexts are idle: whatever was quarantined comes free.
        self.io.shutdown();
        let hashed = self.hash.finish();
        let released = quarantined.saturating_sub(self.pool.stats().quarantined);
        let traced = self.trace.map_or(Ok(()), Trace::finish);

        // What a fence says is the cause; everything else follows from it.
        if let Some(fault) = self.fault {
            return Err(fault.into_error(quarantined, released));
        }
        submitted?;
        let hash_value = hashed.map_err(|error| CopyError::Engine(error.to_string()))?;
        traced?;
        Ok(Copied {
            hash: hash_value,
            chunks: self.arrays,
            fences: io.fences + hash.fences,
            arrays: io.arrays + hash.arrays + self.arrays,
            // What was seen of both engines together, or what one of them saw of itself.
            max_in_flight: self.max_in_flight.max(io.max_in_flight).max(hash.max_in_flight),
            waited: self.waited,
        })
    }

    fn submit_all(&mut self, job: &Job<'_>) -> Result<(), CopyError> {
        let chunk_size = self.pool.buffer_size();
        let (mut number, mut offset) = (0, 0);
        // After a failure there is nothing more to do than to settle what is in flight.
        while offset < job.source.len && !self.progress.failed() {
            job.check_interrupt()?;
            let waiting = Instant::now();
            let buffer = self.pool.acquire().map_err(|e| CopyError::Engine(e.to_string()))?;
            self.waited += waiting.elapsed();

            let slot = buffer.index();
            if let Some(earlier) = self.chunks[slot].take() {
                self.settle(earlier, job);
            }
            let len = chunk_size.min((job.source.len - offset).try_into().unwrap_or(chunk_size));
            let mut chunk = Chunk { number, offset, len, steps: Vec::with_capacity(3), done: None };
            let submitted = self.submit(&mut chunk, buffer, job);
            self.chunks[slot] = Some(chunk);
            submitted.map_err(|error| CopyError::Engine(error.to_string()))?;

            job.bar.set_position(self.progress.bytes());
            number += 1;
            offset += len as u64;
        }
        Ok(())
    }

    /// One chunk's three operations. The buffer is dropped at the end, while they are in flight.
    fn submit(
        &mut self,
        chunk: &mut Chunk,
        mut buffer: Buffer,
        job: &Job<'_>,
    ) -> Result<(), SubmitError> {
        let Chunk { offset, len, .. } = *chunk;

        let read = self.io.read(&job.source.file, offset, &mut buffer, len, &[])?;
        self.step(chunk, Operation::Read, &read);
        let after = std::slice::from_ref(&read);
        let write = self.io.write(&job.destination.file, offset, &buffer, len, after)?;
        self.step(chunk, Operation::Write, &write);
        let hash = self.hash.update(&buffer, len, after)?;
        self.step(chunk, Operation::Hash, &hash);

        chunk.done = Some(self.watch(write, hash, len));
        Ok(())
    }

    fn step(&mut self, chunk: &mut Chunk, operation: Operation, fence: &Fence) {
        let submitted = Timestamp::now();
        let in_flight = self.io.stats().in_flight + self.hash.stats().in_flight;
        self.max_in_flight = self.max_in_flight.max(in_flight);
        chunk.steps.push(Step { operation, fence: fence.clone(), submitted });
        if self.sync == Sync::Serial {
            // What comes of it is seen with the rest of the chunk.
            let _ = fence.wait();
        }
    }

    /// Joins the two readers of a buffer, and has their outcome counted when there is one.
    fn watch(&mut self, write: Fence, hash: Fence, len: usize) -> Done {
        self.arrays += 1;
        let Ok(array) = FenceArray::new(vec![write, hash]) else {
            unreachable!("two fences of engines are neither none nor containers")
        };
        let progress = self.progress.clone();
        let count = move |outcome: &Outcome| progress.chunk_done(len, outcome.result().is_ok());
        let callback = match array.on_outcome(count) {
            Ok(callback) => Some(callback),
            Err(declined) => {
                (declined.callback)(&declined.outcome);
                None
            }
        };
        Done { array, callback }
    }

    /// Waits until a chunk has ended, for better or worse: an abandoned fence answers at once.
    fn settle(&mut self, chunk: Chunk, job: &Job<'_>) {
        for step in &chunk.steps {
            if let Err(error) = step.fence.wait() {
                self.blame(Fault::new(&chunk, step, error, job));
            }
            if let Some(trace) = &mut self.trace {
                trace.fence(step, chunk.number);
            }
        }
        // The buffer may be back, and so we may be here, before the array's callback has run.
        if let Some(Done { array, callback: Some(callback) }) = chunk.done
            && callback.cancel()
        {
            self.progress.chunk_done(chunk.len, array.wait().is_ok());
        }
    }

    /// How many buffers are behind an abandoned fence, when all fences are decided.
    fn quarantined(&self) -> usize {
        // Waiters wake before the pool's callbacks have run. That is soon; and this is a figure for
        // a message, which is not worth a hang.
        let patience = Instant::now() + Duration::from_secs(1);
        loop {
            let stats = self.pool.stats();
            if stats.in_flight == 0 || Instant::now() > patience {
                return stats.quarantined;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn blame(&mut self, fault: Fault) {
        if self.fault.as_ref().is_none_or(|known| fault.is_before(known)) {
            self.fault = Some(fault);
        }
    }
}
