//! What a bare-metal host tells the library, once, before it makes the first fence.
//!
//! With `std` the operating system answers these questions and this module is not there. And where a panic
//! unwinds, one in a callback is caught and goes on later; without `std` nobody can, so a host must not
//! unwind (`panic = "abort"`): the thread whose callback did would run no other one any more.

use crate::sync::global::Mutex;

/// The host's answers.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// CLOCK_MONOTONIC or its like, in nanoseconds.
    pub now: fn() -> u64,
    /// A number of the running thread of execution that no other one under way has: on a kernel, the
    /// task's address, or the CPU's for an interrupt.
    ///
    /// Nested signals find their queue by it, and a callback that cancels itself knows itself by it.
    pub current_thread: fn() -> usize,
}

/// Until the host has answered: no clock, and one thread of execution.
static PLATFORM: Mutex<Platform> = Mutex::new(Platform { now: || 0, current_thread: || 1 });

/// Gives the host's answers. Call it before the first fence is made.
pub fn install(platform: Platform) {
    *PLATFORM.lock() = platform;
}

pub(crate) fn now() -> u64 {
    let now = PLATFORM.lock().now;
    now()
}

pub(crate) fn current_thread() -> usize {
    let current_thread = PLATFORM.lock().current_thread;
    current_thread()
}
