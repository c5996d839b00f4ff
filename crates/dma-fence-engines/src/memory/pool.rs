//! The bookkeeping: which slot is free, held, in flight or quarantined, and who waits for one.
//!
//! # Implementation notes
//!
//! One mutex over plain data, because every transition moves a slot between two of the states and changes
//! a count with it. The rule that keeps this free of deadlocks: **while the lock is held nothing is
//! called that could call back** – no callback is registered, no waker is woken, cloned or dropped, no
//! fence is asked anything or dropped. (A clone of a fence is a reference count going up, no more.)
//!
//! A slot's life, and what moves it:
//!
//! ```text
//!   Free ──acquire──► Held ──drop, all signaled──► Free
//!                      └────drop, not all──► InFlight ──signal──► Free
//!                                               └─abandoned──► Quarantined ──signal (declared idle)──► Free
//! ```
//!
//! The callbacks that make the last three moves own a handle of the pool's inner part, and the slot keeps
//! the fence that owns the callbacks. This circle is meant: it is what keeps the mapping while a device
//! may write to it, however many of the pool's handles are gone. The signal breaks it.

use super::acquire::{Acquire, AcquireError, PoolError, PoolStats};
use super::buffer::Buffer;
use super::region::Region;
use crate::sync::{Arc, AtomicBool, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, lock, wait};
use dma_fence::{Fence, Outcome, ReservationObject, Status, Usage, taint};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::task::Waker;

/// Page-aligned buffers of one size in one mapping.
///
/// A buffer that was dropped comes back when every fence in its reservation object has signaled, by
/// callback; no thread waits for it. Behind an abandoned fence it is quarantined instead.
///
/// # Dropping the pool
/// Buffers that are still held stay valid. Memory with operations in flight, or in quarantine, stays
/// mapped, and [`taint`](dma_fence::taint) says so, with the bytes of those slots (for a buffer that was
/// held by then: when it is dropped). If their fences signal later, the whole mapping goes back to the
/// system after all, together with the last [`Buffer`] and the last
/// [`DeviceMemory`](super::DeviceMemory); if they never do, it is never unmapped.
pub struct BufferPool {
    pub(crate) inner: Arc<PoolInner>,
}

/// What outlives the pool as long as a buffer or a device needs it.
pub(crate) struct PoolInner {
    pub(crate) region: Region,
    pub(super) state: Mutex<State>,
    freed: Condvar,
    /// Live [`DeviceMemory`](super::DeviceMemory) handles of each slot.
    live: Box<[AtomicUsize]>,
    /// An engine with `Faults::early_signal` works on this pool: fences say too much.
    lies: AtomicBool,
}

pub(super) struct State {
    slots: Box<[Slot]>,
    /// Last in, first out: the slot that is most likely to be in a cache.
    pub(super) free: Vec<usize>,
    held: usize,
    in_flight: usize,
    quarantined: usize,
    /// Retirements so far: tells one stay of a slot in flight from the next.
    stays: u64,
    closed: bool,
    /// Futures to wake. Not in here although registered before means: woken.
    pub(super) waiters: VecDeque<(u64, Waker)>,
    pub(super) next_waiter: u64,
}

enum Slot {
    Free,
    Held,
    InFlight { stay: u64, fence: Fence },
    Quarantined { fence: Fence },
}

pub(super) enum Taken {
    Slot(usize),
    /// Something will come back: held, or in flight.
    Later,
    Never(Fence),
}

// === impl BufferPool ===

impl BufferPool {
    /// Maps `count` buffers of `size` bytes each. The bytes are zero.
    ///
    /// # Errors
    /// Nothing asked for, more than an address space asked for, or more than the system gives.
    ///
    /// # Context
    /// Allocates.
    ///
    /// # Examples
    /// ```
    /// use dma_fence_engines::BufferPool;
    /// let pool = BufferPool::new(2, 4096)?;
    /// let mut buffer = pool.acquire()?;
    /// buffer.bytes_mut()?[..5].copy_from_slice(b"hello");
    /// assert_eq!(&buffer.bytes()?[..5], b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(count: usize, size: usize) -> Result<BufferPool, PoolError> {
        if count == 0 {
            return Err(PoolError::NoBuffers);
        }
        if size == 0 {
            return Err(PoolError::EmptyBuffers);
        }
        let region = Region::map(count, size)
            .ok_or(PoolError::TooLarge { count, size })?
            .map_err(|error| PoolError::Refused { count, size, error })?;
        let state = State {
            slots: (0..count).map(|_| Slot::Free).collect(),
            free: (0..count).rev().collect(),
            held: 0,
            in_flight: 0,
            quarantined: 0,
            stays: 0,
            closed: false,
            waiters: VecDeque::new(),
            next_waiter: 0,
        };
        let inner = PoolInner {
            region,
            state: Mutex::new(state),
            freed: Condvar::new(),
            live: (0..count).map(|_| AtomicUsize::new(0)).collect(),
            lies: AtomicBool::new(false),
        };
        Ok(BufferPool { inner: Arc::new(inner) })
    }

    /// A buffer; sleeps until one is idle. No order among those who wait is promised.
    ///
    /// # Errors
    /// All slots are quarantined, so that waiting would never end.
    ///
    /// # Context
    /// Blocks. A thread that itself holds all the buffers waits for itself.
    pub fn acquire(&self) -> Result<Buffer, AcquireError> {
        let mut state = lock(&self.inner.state);
        loop {
            match state.take() {
                Taken::Later => state = wait(&self.inner.freed, state),
                taken => {
                    drop(state);
                    return self.hand_out(taken).map(|buffer| buffer.expect("not Later"));
                }
            }
        }
    }

    /// A buffer, if one is idle now.
    ///
    /// # Errors
    /// All slots are quarantined.
    ///
    /// # Context
    /// Does not wait.
    pub fn try_acquire(&self) -> Result<Option<Buffer>, AcquireError> {
        let taken = lock(&self.inner.state).take();
        self.hand_out(taken)
    }

    /// A buffer, as soon as one is idle. No order among those who wait is promised.
    ///
    /// # Errors
    /// All slots are quarantined.
    ///
    /// # Cancellation
    /// Dropping the future takes it off the list; a wake-up that it got and did not use goes to the next
    /// one. A buffer is taken only in the poll that returns it, so none is lost.
    pub fn acquire_async(&self) -> impl Future<Output = Result<Buffer, AcquireError>> + Send {
        Acquire::new(self)
    }

    /// Where the slots are.
    ///
    /// # Context
    /// Does not wait.
    pub fn stats(&self) -> PoolStats {
        let state = lock(&self.inner.state);
        PoolStats {
            total: state.slots.len(),
            free: state.free.len(),
            held: state.held,
            in_flight: state.in_flight,
            quarantined: state.quarantined,
        }
    }

    /// Bytes of one buffer.
    pub fn buffer_size(&self) -> usize {
        self.inner.region.size()
    }

    pub(super) fn hand_out(&self, taken: Taken) -> Result<Option<Buffer>, AcquireError> {
        match taken {
            Taken::Slot(index) => Ok(Some(Buffer::new(self.inner.clone(), index))),
            Taken::Later => Ok(None),
            Taken::Never(fence) => Err(AcquireError::Quarantined(culprit(fence))),
        }
    }
}

impl Drop for BufferPool {
    fn drop(&mut self) {
        let slots = {
            let mut state = lock(&self.inner.state);
            state.closed = true;
            state.in_flight + state.quarantined
        };
        self.inner.record_leak(slots);
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BufferPool({:?})", self.stats())
    }
}

/// The member that was abandoned, where the fence is an array.
fn culprit(fence: Fence) -> Fence {
    let abandoned = |member: &&Fence| matches!(member.status(), Status::Abandoned);
    fence.members().and_then(|members| members.iter().find(abandoned)).cloned().unwrap_or(fence)
}

// === impl PoolInner ===

impl PoolInner {
    /// Takes a slot back from its buffer: at once, or when what is in `reservation` has signaled.
    pub(super) fn retire(this: &Arc<Self>, index: usize, reservation: &ReservationObject) {
        let busy = reservation.singleton(Usage::Bookkeep).filter(|fence| !fence.is_signaled());
        let Some(fence) = busy else {
            return this.release(index);
        };
        let kept = fence.clone();
        let (stay, closed) = {
            let mut state = lock(&this.state);
            state.stays += 1;
            state.held -= 1;
            state.in_flight += 1;
            let stay = state.stays;
            state.slots[index] = Slot::InFlight { stay, fence: kept };
            (stay, state.closed)
        };
        this.record_leak(usize::from(closed));
        // From here on the slot may change hands at any moment: only the callbacks touch it.
        let pool = this.clone();
        let outcome = fence.on_outcome(move |outcome| match outcome {
            Outcome::Abandoned => pool.quarantine(index, stay),
            Outcome::Signaled(_) => {}
        });
        match outcome {
            Ok(registration) => registration.detach(),
            Err(declined) => (declined.callback)(&declined.outcome),
        }
        let pool = this.clone();
        match fence.on_signal(move |_| pool.release(index)) {
            Ok(registration) => registration.detach(),
            Err(_already_signaled) => this.release(index),
        }
    }

    /// Everything about this slot has signaled: it is free, and one of those who wait gets it.
    fn release(&self, index: usize) {
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut state.slots[index], Slot::Free);
        match &before {
            Slot::Held => state.held -= 1,
            Slot::InFlight { .. } => state.in_flight -= 1,
            Slot::Quarantined { .. } => state.quarantined -= 1,
            Slot::Free => unreachable!("slot {index} released twice"),
        }
        state.free.push(index);
        self.wake_one(state);
        drop(before);
    }

    /// The fence of this slot was abandoned. Those who wait must look whether waiting still makes sense.
    ///
    /// Called late, after the fence has signaled and the slot was used again, it does nothing.
    fn quarantine(&self, index: usize, stay: u64) {
        let mut state = lock(&self.state);
        let State { slots, in_flight, quarantined, .. } = &mut *state;
        match &mut slots[index] {
            slot @ Slot::InFlight { .. } => {
                let Slot::InFlight { stay: now, fence } = slot else { unreachable!() };
                if *now != stay {
                    return;
                }
                let fence = fence.clone();
                // The clone keeps the fence: this drop only counts down.
                *slot = Slot::Quarantined { fence };
                *in_flight -= 1;
                *quarantined += 1;
            }
            _ => return,
        }
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        self.freed.notify_all();
        waiters.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Wakes a thread and a future: whoever looks second finds nothing and waits on.
    pub(super) fn wake_one(&self, mut state: MutexGuard<'_, State>) {
        let waiter = state.waiters.pop_front();
        drop(state);
        self.freed.notify_one();
        if let Some((_, waker)) = waiter {
            waker.wake();
        }
    }

    fn record_leak(&self, slots: usize) {
        if slots > 0 {
            let bytes = (slots * self.region.size()) as u64;
            taint::record_leak("buffer pool dropped with operations in flight", bytes);
        }
    }

    /// From now on fences of this pool may signal while the device still works.
    #[cfg(not(loom))]
    pub(crate) fn expect_lies(&self) {
        self.lies.store(true, Ordering::Relaxed);
    }

    /// A device got, or gave up, its handle of a slot.
    pub(super) fn live(&self, index: usize) -> &AtomicUsize {
        &self.live[index]
    }

    /// MEM-CPU where fences lie: waits for the devices themselves instead.
    pub(super) fn settle(&self, index: usize) {
        if self.lies.load(Ordering::Relaxed) {
            while self.live[index].load(Ordering::Acquire) != 0 {
                crate::sync::yield_now();
            }
        }
    }
}

// === impl State ===

impl State {
    pub(super) fn take(&mut self) -> Taken {
        if let Some(index) = self.free.pop() {
            self.held += 1;
            self.slots[index] = Slot::Held;
            return Taken::Slot(index);
        }
        if self.held + self.in_flight > 0 {
            return Taken::Later;
        }
        let fence = self.slots.iter().find_map(|slot| match slot {
            Slot::Quarantined { fence } => Some(fence.clone()),
            _ => None,
        });
        Taken::Never(fence.expect("every slot is free, held, in flight or quarantined"))
    }
}
