//! BLAKE3 over buffers, in the order of submission, on a thread of its own.
//!
//! Why order is a matter of fences here as well: an update has the fence of the one before it among its
//! *explicit* in-fences. So it starts after that one, and if that one failed, or never comes, it does not
//! start: there is a hash of all chunks, or there is none.
#![allow(unsafe_code)]

use super::device::{Device, Ticket};
use super::queue::Queue;
use super::{EngineError, EngineStats, Faults, SubmitError};
use crate::job::Gate;
use crate::memory::{Buffer, DeviceMemory};
use crate::sync::{Arc, Mutex, lock};
use dma_fence::{Errno, Fence, FenceError};
use std::fmt;
use std::thread::{self, JoinHandle};

/// Why there is no hash.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FinishError {
    /// An update failed, or what it waited for did. `ECANCELED`: something before it was abandoned.
    #[error("the hash is incomplete: {fence} failed: {error}")]
    Failed {
        /// The last update.
        fence: Fence,
        /// Its error.
        error: Errno,
    },
    /// The last update was abandoned.
    #[error("the hash is incomplete: {0} was abandoned")]
    Abandoned(Fence),
    /// The engine's thread has died.
    #[error("the hash engine has died")]
    EngineDied,
}

/// Hashes buffers.
///
/// # Dropping
/// Waits like [`finish`](Self::finish).
pub struct HashEngine {
    device: Arc<Device>,
    queue: Arc<Queue<Update>>,
    /// The fence of the last update.
    last: Mutex<Option<Fence>>,
    /// Gives the hasher, unless the thread died.
    thread: Option<JoinHandle<Option<blake3::Hasher>>>,
}

struct Update {
    memory: DeviceMemory,
    len: usize,
    /// Last: when this is dropped, the fence is abandoned.
    ticket: Ticket,
}

impl HashEngine {
    /// Starts the engine. Its updates count as operations of `faults`.
    ///
    /// # Errors
    /// No thread.
    ///
    /// # Context
    /// Starts a thread.
    pub fn start(faults: Faults) -> Result<HashEngine, EngineError> {
        let queue = Arc::new(Queue::new());
        let racing = faults.signals_early();
        let device = Device::new("blake3", &["hash"], faults);
        let worker = Worker { queue: queue.clone(), racing };
        let thread = thread::Builder::new().name("fence-hash".into()).spawn(move || worker.run());
        let thread = Some(thread.map_err(EngineError::Thread)?);
        Ok(HashEngine { device, queue, last: Mutex::new(None), thread })
    }

    /// Adds the first `len` bytes of the buffer to the hash.
    ///
    /// Starts when the fences in `after`, the earlier writes to the buffer, and the update before this one
    /// have signaled. Fails with the error of a fence in `after` or of the update before, and with
    /// `ECANCELED` if one of those waited for was abandoned.
    ///
    /// # Errors
    /// The operation could not be submitted, and is not part of the hash.
    ///
    /// # Context
    /// As for [`IoEngine::read`](super::IoEngine::read).
    pub fn update(
        &self,
        buffer: &Buffer,
        len: usize,
        after: &[Fence],
    ) -> Result<Fence, SubmitError> {
        if len > buffer.len() {
            return Err(SubmitError::TooLong { len, size: buffer.len() });
        }
        if self.queue.is_dead() {
            return Err(SubmitError::EngineDied);
        }
        let lease = buffer.lease_read()?;
        let mut explicit = after.to_vec();
        // The lock makes the order of submission; the gate is opened after it, as that may call back.
        let mut last = lock(&self.last);
        explicit.extend(last.clone());
        let (gate, array) =
            Gate::new(&explicit, lease.dependencies()).map_err(SubmitError::Fences)?;
        let ticket = self.device.begin(0, array);
        let fence = ticket.fence();
        let update = Update { memory: lease.commit(&fence), len, ticket };
        let before = last.replace(fence.clone());
        drop(last);
        drop((before, explicit));
        let queue = self.queue.clone();
        gate.open(move |verdict| {
            if verdict.is_err() {
                update.finish(verdict);
            } else if update.ticket.fails() {
                update.finish(Err(Errno::EIO));
            } else if let Err(update) = queue.push(update) {
                update.finish(Err(Errno::ECANCELED));
            }
        });
        Ok(fence)
    }

    /// The hash of everything, after waiting for all updates.
    ///
    /// # Errors
    /// An update failed or was abandoned. There is no hash of a part.
    ///
    /// # Context
    /// Blocks, as [`IoEngine::shutdown`](super::IoEngine::shutdown) does.
    pub fn finish(mut self) -> Result<blake3::Hash, FinishError> {
        let last = lock(&self.last).take();
        let waited = last.as_ref().map_or(Ok(()), Fence::wait);
        let hasher = self.close();
        match (waited, last) {
            (Err(FenceError::Failed(error)), Some(fence)) => {
                Err(FinishError::Failed { fence, error })
            }
            (Err(_), Some(fence)) => Err(FinishError::Abandoned(fence)),
            _ => hasher.map(|hasher| hasher.finalize()).ok_or(FinishError::EngineDied),
        }
    }

    /// What the engine has counted.
    pub fn stats(&self) -> EngineStats {
        self.device.stats()
    }

    fn close(&mut self) -> Option<blake3::Hasher> {
        self.device.wait_until_quiet();
        self.queue.close();
        let hasher = self.thread.take().and_then(|thread| thread.join().ok()).flatten();
        // The only thread that looks at buffers is gone.
        self.device.declare_idle();
        hasher
    }
}

impl Drop for HashEngine {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for HashEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashEngine({:?})", self.stats())
    }
}

// === impl Update ===

impl Update {
    fn finish(self, result: Result<(), Errno>) {
        let Update { memory, mut ticket, .. } = self;
        drop(memory);
        ticket.signal(result);
    }
}

/// The thread. Its drop, however it comes about, is the thread's end.
struct Worker {
    queue: Arc<Queue<Update>>,
    racing: bool,
}

impl Worker {
    fn run(self) -> Option<blake3::Hasher> {
        let mut hasher = blake3::Hasher::new();
        while let Some(update) = self.queue.pop() {
            update.ticket.panic_if_told();
            if self.racing {
                hash_racing(&mut hasher, &update);
            } else {
                hash(&mut hasher, &update);
            }
            update.finish(Ok(()));
        }
        Some(hasher)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue.kill().into_iter().for_each(|update| update.finish(Err(Errno::ECANCELED)));
    }
}

fn hash(hasher: &mut blake3::Hasher, update: &Update) {
    // SAFETY: MEM-LEASED, for reading: the gate has opened, so nobody writes; the slice is gone before
    // the fence signals. The length was checked at submission.
    let bytes = unsafe { std::slice::from_raw_parts(update.memory.address(), update.len) };
    hasher.update(bytes);
}

/// The same where fences signal early, so that somebody may be writing: no slice may exist.
fn hash_racing(hasher: &mut blake3::Hasher, update: &Update) {
    const WORD: usize = size_of::<u64>();
    let mut scratch = [0u8; 4096];
    let mut done = 0;
    while done < update.len {
        for (at, word) in scratch.chunks_exact_mut(WORD).enumerate() {
            // SAFETY: MEM-LEASED, for reading. Slots are page-aligned and consist of whole pages, and a
            // page is no smaller than the scratch: the word is aligned, and in the slot.
            let read = unsafe {
                update.memory.address().add(done + at * WORD).cast::<u64>().read_volatile()
            };
            word.copy_from_slice(&read.to_ne_bytes());
        }
        let part = (update.len - done).min(scratch.len());
        hasher.update(&scratch[..part]);
        done += part;
    }
}
