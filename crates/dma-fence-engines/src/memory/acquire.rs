//! What the pool answers, and the future that waits for an answer.
//!
//! Why the list of waiters holds no flag for "woken": who is woken is taken off the list. So a future that
//! is not on it, though it registered, has had a wake-up, and if it is dropped then, it owes it to another.

use super::buffer::Buffer;
use super::pool::{BufferPool, Taken};
use crate::sync::lock;
use dma_fence::Fence;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Why there is no pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PoolError {
    /// A pool of no buffers could never give one.
    #[error("a pool needs at least one buffer")]
    NoBuffers,
    /// Buffers of no bytes hold nothing.
    #[error("a buffer needs at least one byte")]
    EmptyBuffers,
    /// The sum is more than any address space.
    #[error("{count} buffers of {size} bytes do not fit into an address space")]
    TooLarge {
        /// Buffers asked for.
        count: usize,
        /// Bytes asked for, each.
        size: usize,
    },
    /// The system does not give that much memory.
    #[error("the system refused the memory for {count} buffers of {size} bytes: {error}")]
    Refused {
        /// Buffers asked for.
        count: usize,
        /// Bytes asked for, each.
        size: usize,
        /// What the system said.
        error: rustix::io::Errno,
    },
}

/// Why there is no buffer, and will not be one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AcquireError {
    /// Every slot is quarantined: a device that nobody can ask any more may still use it. The fence is
    /// one of those that were abandoned.
    #[error("every buffer is quarantined, behind the abandoned fence {0}")]
    Quarantined(Fence),
}

/// Where the slots of a pool are. The last four add up to `total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PoolStats {
    /// Slots in the pool.
    pub total: usize,
    /// Slots that `acquire` would give at once.
    pub free: usize,
    /// Slots whose [`Buffer`] exists.
    pub held: usize,
    /// Slots whose buffer was dropped before its fences signaled.
    pub in_flight: usize,
    /// Of those, slots behind an abandoned fence: not given out until its context is declared idle.
    pub quarantined: usize,
}

/// The future of [`BufferPool::acquire_async`].
pub(super) struct Acquire<'a> {
    pool: &'a BufferPool,
    waiter: Option<u64>,
}

// === impl Acquire ===

impl<'a> Acquire<'a> {
    pub(super) fn new(pool: &'a BufferPool) -> Self {
        Acquire { pool, waiter: None }
    }
}

impl Future for Acquire<'_> {
    type Output = Result<Buffer, AcquireError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A waker's clone and drop are the executor's code: before the lock, and after it.
        let mut waker = Some(cx.waker().clone());
        let mut state = lock(&self.pool.inner.state);
        let listed = self.waiter.and_then(|id| state.waiters.iter().position(|w| w.0 == id));
        let taken = state.take();
        let old = match (&taken, listed) {
            (Taken::Later, Some(at)) => {
                waker.take().map(|new| std::mem::replace(&mut state.waiters[at].1, new))
            }
            (Taken::Later, None) => {
                let id = state.next_waiter;
                state.next_waiter += 1;
                state.waiters.extend(waker.take().map(|new| (id, new)));
                self.waiter = Some(id);
                None
            }
            (_, listed) => {
                self.waiter = None;
                listed.and_then(|at| state.waiters.remove(at)).map(|(_, waker)| waker)
            }
        };
        drop(state);
        drop((old, waker));
        match self.pool.hand_out(taken) {
            Ok(None) => Poll::Pending,
            Ok(Some(buffer)) => Poll::Ready(Ok(buffer)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        let Some(id) = self.waiter else { return };
        let inner = &self.pool.inner;
        let mut state = lock(&inner.state);
        match state.waiters.iter().position(|waiter| waiter.0 == id) {
            Some(at) => {
                let waiter = state.waiters.remove(at);
                drop(state);
                drop(waiter);
            }
            // Woken, and will not use it.
            None if !state.free.is_empty() => inner.wake_one(state),
            None => {}
        }
    }
}
