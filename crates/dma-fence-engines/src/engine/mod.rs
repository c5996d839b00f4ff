//! Engines: devices that work on buffers asynchronously and say by fences when they have finished.
//!
//! Why this structure: an operation goes through the same four steps whatever executes it. A *lease* of the
//! buffer says what to wait for; a *ticket* of the [`device`] is the fence to be; a *gate* ([`crate::job`])
//! opens when the in-fences have signaled; a *backend* executes. Only the last step differs between
//! io_uring ([`uring`]) and threads ([`threads`]), so that is all a backend is.

mod device;
mod error;
mod faults;
mod hash;
mod late;
mod queue;
mod stats;
mod threads;
mod transfer;
mod uring;

pub use error::{EngineError, Notice, SubmitError};
pub use faults::Faults;
pub use hash::{FinishError, HashEngine};
pub use stats::EngineStats;

use crate::job::Gate;
use crate::memory::{Buffer, BufferPool, Lease, PoolInner};
use device::Device;
use dma_fence::{Errno, Fence};
use late::Late;
use std::fmt;
use std::fs::File;
use std::sync::Arc;
use transfer::{Direction, Transfer};

/// What executes reads and writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineKind {
    /// Linux's submission and completion rings.
    Uring,
    /// Threads that call `pread` and `pwrite`.
    Threads,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Uring => "io_uring",
            EngineKind::Threads => "threads",
        })
    }
}

/// How to start an [`IoEngine`].
#[derive(Clone, Debug)]
pub struct IoOptions {
    /// The most operations that the kernel is given at a time, 1 to 4096. More may be submitted.
    pub queue_depth: u32,
    /// What is to go wrong on purpose.
    pub faults: Faults,
}

impl Default for IoOptions {
    fn default() -> Self {
        IoOptions { queue_depth: 32, faults: Faults::none() }
    }
}

/// What executes transfers whose gate has opened.
trait Backend: Send + Sync {
    /// Takes over the transfer; ends it with `ECANCELED` if nobody is there to execute it.
    fn push(&self, job: Transfer);
    fn is_dead(&self) -> bool;
    /// Ends the threads, after all transfers have ended. Tells whether the device is known to touch no
    /// memory any more. A second call does nothing.
    fn close(&self) -> bool;
}

/// Reads files into buffers and writes buffers to files.
///
/// An operation starts when its in-fences have signaled, and is one fence. The fences of an engine belong
/// to two hardware contexts, "read" and "write", both unordered: operations end as they like.
///
/// # Dropping
/// As [`shutdown`](Self::shutdown).
pub struct IoEngine {
    kind: EngineKind,
    notice: Option<Notice>,
    pool: Arc<PoolInner>,
    device: Arc<Device>,
    backend: Arc<dyn Backend>,
    late: Option<Late>,
}

impl IoEngine {
    /// Starts an engine of this kind for the buffers of `pool`.
    ///
    /// # Errors
    /// The kernel refuses io_uring or a thread, or the queue depth is absurd.
    ///
    /// # Context
    /// Starts threads; may block for them.
    pub fn start(
        kind: EngineKind,
        pool: &BufferPool,
        options: IoOptions,
    ) -> Result<IoEngine, EngineError> {
        IoEngine::start_with(kind, pool, options, uring::open)
    }

    /// Starts io_uring, or where the kernel refuses it, threads; the notice says why.
    ///
    /// There is a notice, too, if io_uring works but could not register the buffers.
    ///
    /// # Errors
    /// A thread cannot be started, or the queue depth is absurd.
    ///
    /// # Context
    /// As for [`start`](Self::start).
    pub fn start_best(
        pool: &BufferPool,
        options: IoOptions,
    ) -> Result<(IoEngine, Option<Notice>), EngineError> {
        IoEngine::start_best_with(pool, options, uring::open)
    }

    fn start_best_with(
        pool: &BufferPool,
        options: IoOptions,
        open: uring::Open,
    ) -> Result<(IoEngine, Option<Notice>), EngineError> {
        match IoEngine::start_with(EngineKind::Uring, pool, options.clone(), open) {
            Err(error @ EngineError::Refused(_)) => {
                let engine = IoEngine::start_with(EngineKind::Threads, pool, options, open)?;
                Ok((engine, Some(Notice(format!("{error}; using threads instead")))))
            }
            started => started.map(|engine| {
                let notice = engine.notice.clone();
                (engine, notice)
            }),
        }
    }

    /// `open` makes the ring: tests give one that is refused.
    fn start_with(
        kind: EngineKind,
        pool: &BufferPool,
        options: IoOptions,
        open: uring::Open,
    ) -> Result<IoEngine, EngineError> {
        let IoOptions { queue_depth, faults } = options;
        if !(1..=4096).contains(&queue_depth) {
            return Err(EngineError::QueueDepth(queue_depth));
        }
        let pool = pool.inner.clone();
        let (backend, notice, driver): (Arc<dyn Backend>, _, _) = match kind {
            EngineKind::Uring => {
                let (uring, notice) = uring::Uring::start(&pool, queue_depth, open)?;
                (Arc::new(uring), notice, "io_uring")
            }
            EngineKind::Threads => {
                (Arc::new(threads::Threads::start(queue_depth)?), None, "threads")
            }
        };
        let mut late = None;
        if faults.signals_early() {
            pool.expect_lies();
            late = Some(Late::start(backend.clone())?);
        }
        Ok(IoEngine {
            kind,
            notice,
            pool,
            device: Device::new(driver, &Direction::TIMELINES, faults),
            backend,
            late,
        })
    }

    /// What executes the operations.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// What the user should know about this engine.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// Reads `len` bytes of the file at `offset` into the start of the buffer.
    ///
    /// Starts when the fences in `after` and the earlier operations on the buffer have signaled. The fence
    /// fails with `ENODATA` if the file ends before, with the error of a fence in `after` that failed, with
    /// `ECANCELED` if one of those waited for was abandoned, else with what the kernel says.
    ///
    /// # Errors
    /// The operation could not be submitted.
    ///
    /// # Context
    /// Does not wait for I/O. Takes the buffer's reservation lock. If there is nothing to wait for and the
    /// operation fails at once, callbacks that others have registered on its fence run here.
    #[doc(alias = "IORING_OP_READ_FIXED")]
    pub fn read(
        &self,
        file: &Arc<File>,
        offset: u64,
        buffer: &mut Buffer,
        len: usize,
        after: &[Fence],
    ) -> Result<Fence, SubmitError> {
        self.check(buffer, len)?;
        self.submit(Direction::Read, file, offset, len, buffer.lease_write()?, after)
    }

    /// Writes the first `len` bytes of the buffer to the file at `offset`.
    ///
    /// Starts when the fences in `after` and the earlier writes to the buffer have signaled. The fence
    /// fails as for [`read`](Self::read).
    ///
    /// # Errors
    /// The operation could not be submitted.
    ///
    /// # Context
    /// As for [`read`](Self::read).
    #[doc(alias = "IORING_OP_WRITE_FIXED")]
    pub fn write(
        &self,
        file: &Arc<File>,
        offset: u64,
        buffer: &Buffer,
        len: usize,
        after: &[Fence],
    ) -> Result<Fence, SubmitError> {
        self.check(buffer, len)?;
        self.submit(Direction::Write, file, offset, len, buffer.lease_read()?, after)
    }

    /// What the engine has counted.
    pub fn stats(&self) -> EngineStats {
        self.device.stats()
    }

    /// Waits until every submitted operation has ended, stops the engine and declares its contexts idle:
    /// fences that were abandoned signal `ECANCELED`, and buffers come out of quarantine. Returns how many
    /// fences that were.
    ///
    /// If the engine died and the kernel would not say that it is through with the memory, nothing is
    /// declared and the buffers stay in quarantine.
    ///
    /// # Context
    /// Blocks, also for the in-fences of operations that have not started: one that is never signaled nor
    /// abandoned makes this wait for ever. Must not be called, nor the engine be dropped, in a callback of
    /// one of its fences.
    pub fn shutdown(mut self) -> usize {
        self.close()
    }

    fn check(&self, buffer: &Buffer, len: usize) -> Result<(), SubmitError> {
        if !buffer.is_of(&self.pool) {
            return Err(SubmitError::ForeignBuffer);
        }
        if len > buffer.len() {
            return Err(SubmitError::TooLong { len, size: buffer.len() });
        }
        if self.backend.is_dead() {
            return Err(SubmitError::EngineDied);
        }
        Ok(())
    }

    fn submit(
        &self,
        direction: Direction,
        file: &Arc<File>,
        offset: u64,
        len: usize,
        lease: Lease<'_>,
        after: &[Fence],
    ) -> Result<Fence, SubmitError> {
        let (gate, array) = Gate::new(after, lease.dependencies()).map_err(SubmitError::Fences)?;
        // Nothing below fails.
        let ticket = self.device.begin(direction as usize, array);
        let fence = ticket.fence();
        let memory = lease.commit(&fence);
        let job = Transfer::new(direction, file.clone(), offset, len, memory, ticket);
        let backend = self.backend.clone();
        let late = self.late.as_ref().map(|late| late.shared().clone());
        gate.open(move |verdict| start(job, verdict, &*backend, late.as_deref()));
        Ok(fence)
    }

    fn close(&mut self) -> usize {
        self.device.wait_until_quiet();
        self.late = None;
        if self.backend.close() { self.device.declare_idle() } else { 0 }
    }
}

impl Drop for IoEngine {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for IoEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IoEngine({}, {:?})", self.kind, self.stats())
    }
}

/// The gate has opened.
fn start(
    mut job: Transfer,
    verdict: Result<(), Errno>,
    backend: &dyn Backend,
    late: Option<&late::Shared>,
) {
    if verdict.is_err() {
        return job.finish(verdict);
    }
    if job.ticket.fails() {
        return job.finish(Err(Errno::EIO));
    }
    if job.chunk() == 0 {
        return job.finish(Ok(()));
    }
    match late {
        Some(late) => {
            job.ticket.signal(Ok(()));
            late.push(job);
        }
        None => backend.push(job),
    }
}

#[cfg(test)]
mod tests;
