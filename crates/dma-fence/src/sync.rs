//! The one place that names atomics, cells, locks and threads.
//!
//! Everything else in the crate takes its primitives from here, so that the same code runs natively,
//! on bare metal and, under `cfg(loom)`, in the model checker. Three homes, one set of names:
//!
//! | name | `std` | bare metal | loom |
//! |---|---|---|---|
//! | [`AtomicU32`] … [`UnsafeCell`] | `core` | `core` | loom's |
//! | [`Mutex`] | `std`'s, poison ignored | spin lock | loom's |
//! | [`SpinLock`], where nobody may sleep | spin lock | spin lock | loom's |
//! | [`current_thread`] | address of a thread-local | [`platform`](crate::platform) | loom thread-local |
//! | [`Backoff`] | spin, then yield | spin | loom's yield |
//! | [`rendezvous`] | condition variable | spin | loom's yield |
//! | [`Sleeper`] | park | spin | loom's park |
//! | [`Parker`] | futex | – | loom's condition variable |
//! | [`look`] | spin a little | – | not at all |
//!
//! [`global`] holds what must live in a `static`; no model explores those.

#[cfg(feature = "std")]
mod futex;
#[cfg(feature = "trace")]
mod once;
#[cfg(feature = "std")]
mod parker;
#[cfg(feature = "std")]
mod patience;
mod sleeper;
mod state;

#[cfg(feature = "std")]
pub(crate) use parker::Parker;
#[cfg(feature = "std")]
pub(crate) use patience::look;
pub(crate) use sleeper::{Sleeper, sleep_until};
pub(crate) use state::{Life, State, StateGuard, StateLock};

#[cfg(not(loom))]
pub(crate) use native::*;
#[cfg(not(loom))]
mod native {
    pub(crate) use alloc::alloc as memory;
    pub(crate) use core::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    /// `core`'s cell behind loom's interface: access is a closure, so that a model can check it.
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(core::cell::UnsafeCell::new(value))
        }
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(loom)]
pub(crate) use model::*;
#[cfg(loom)]
mod model {
    pub(crate) use loom::alloc as memory;
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    pub(crate) fn current_thread() -> usize {
        use super::global::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        loom::thread_local! { static ID: usize = NEXT.fetch_add(1, Ordering::Relaxed) }
        ID.with(|id| *id)
    }
}

/// What lives in a `static`: process-wide counters and the taint record.
pub(crate) mod global {
    #[cfg(feature = "trace")]
    pub(crate) use super::once::SetOnce;
    #[cfg(not(all(test, loom)))]
    pub(crate) use core::sync::atomic::fence;
    pub(crate) use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    #[cfg(feature = "std")]
    pub(crate) type Mutex<T> = super::blocking::Mutex<T>;
    #[cfg(not(feature = "std"))]
    pub(crate) use super::Mutex;
}

#[cfg(feature = "std")]
mod blocking {
    use std::sync::PoisonError;

    /// `std`'s mutex without poisoning: no user code runs under a lock of this crate, so a panic
    /// cannot leave the data half changed.
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Mutex(std::sync::Mutex::new(value))
        }
        pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(all(feature = "std", not(loom)))]
pub(crate) use blocking::Mutex;
#[cfg(all(feature = "std", not(loom)))]
pub(crate) use std::sync::MutexGuard;

#[cfg(not(loom))]
pub(crate) use spinning::SpinLock;
#[cfg(not(feature = "std"))]
pub(crate) use spinning::{SpinLock as Mutex, SpinLockGuard as MutexGuard};
#[cfg(not(loom))]
mod spinning {
    use super::{State, StateGuard, StateLock};

    /// The fence's own lock without a state to carry.
    pub(crate) struct SpinLock<T>(StateLock<T>);
    #[cfg(not(feature = "std"))]
    pub(crate) type SpinLockGuard<'a, T> = StateGuard<'a, T>;

    impl<T> SpinLock<T> {
        pub(crate) const fn new(value: T) -> Self {
            SpinLock(StateLock::new(State::NEW, value))
        }
        pub(crate) fn lock(&self) -> StateGuard<'_, T> {
            self.0.lock()
        }
    }
}

#[cfg(loom)]
pub(crate) use loom_mutex::{Mutex, Mutex as SpinLock, MutexGuard};
#[cfg(loom)]
mod loom_mutex {
    pub(crate) use loom::sync::MutexGuard;

    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);
    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

/// A `SeqCst` fence, where this thread has done a read-modify-write since what the fence is to order.
///
/// On x86 that was a full fence already, whatever ordering it asked for: a locked instruction. So there it is
/// only the compiler that has to be told. Models and Miri go by the language's rules and get the fence.
#[inline(always)]
pub(crate) fn fence_after_rmw() {
    #[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), not(any(loom, miri))))]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(any(target_arch = "x86", target_arch = "x86_64"), not(any(loom, miri)))))]
    fence(Ordering::SeqCst);
}

/// How a loop that waits for another CPU spends its time.
pub(crate) struct Backoff(u32);

impl Backoff {
    /// Critical sections are a few instructions long; whoever holds a lock for longer than this many
    /// polls has lost its CPU, and giving it ours is the fastest way on.
    #[cfg(all(feature = "std", not(loom)))]
    const SPINS: u32 = 64;

    pub(crate) fn new() -> Self {
        Backoff(0)
    }

    pub(crate) fn snooze(&mut self) {
        self.0 = self.0.saturating_add(1);
        #[cfg(loom)]
        loom::thread::yield_now();
        #[cfg(all(feature = "std", not(loom)))]
        if self.0 > Self::SPINS {
            std::thread::yield_now();
        } else {
            core::hint::spin_loop();
        }
        #[cfg(not(feature = "std"))]
        core::hint::spin_loop();
    }
}

/// A number that no other running thread has at the same time.
#[cfg(all(feature = "std", not(loom)))]
pub(crate) fn current_thread() -> usize {
    std::thread_local! { static ANCHOR: u8 = const { 0 } }
    ANCHOR.with(|anchor| core::ptr::from_ref(anchor).addr())
}

#[cfg(not(feature = "std"))]
pub(crate) use crate::platform::current_thread;

/// Where a thread that cancels a callback meets the thread that is running it.
///
/// Rare by nature, so one meeting point serves the whole process.
pub(crate) mod rendezvous {
    /// Blocks until `done` answers true; whoever makes it true calls [`notify`] afterwards.
    pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
        #[cfg(all(feature = "std", not(loom)))]
        {
            let mut guard = native::LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            while !done() {
                guard = native::MET.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
        }
        #[cfg(any(not(feature = "std"), loom))]
        {
            let mut backoff = super::Backoff::new();
            while !done() {
                backoff.snooze();
            }
        }
    }

    pub(crate) fn notify() {
        #[cfg(all(feature = "std", not(loom)))]
        {
            // Taking the lock orders this after a waiter's last look at its condition.
            drop(native::LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            native::MET.notify_all();
        }
    }

    #[cfg(all(feature = "std", not(loom)))]
    mod native {
        pub(super) static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
        pub(super) static MET: std::sync::Condvar = std::sync::Condvar::new();
    }
}

/// Ends the process: a reference count is about to wrap.
#[cold]
pub(crate) fn abort() -> ! {
    #[cfg(feature = "std")]
    std::process::abort();
    #[cfg(not(feature = "std"))]
    panic!("reference count overflow");
}
