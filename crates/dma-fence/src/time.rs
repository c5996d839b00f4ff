//! When a fence signaled.

use core::fmt;

/// A point on CLOCK_MONOTONIC, in nanoseconds.
#[doc(alias = "ktime_t")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The clock's own zero; for a fence that never was pending.
    pub const ZERO: Timestamp = Timestamp(0);

    /// The time now. On bare metal it comes from the clock that the host installed.
    #[doc(alias = "ktime_get")]
    pub fn now() -> Timestamp {
        #[cfg(feature = "std")]
        {
            let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            Timestamp(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
        }
        #[cfg(not(feature = "std"))]
        Timestamp(crate::platform::now())
    }

    /// The point `nanos` nanoseconds after the clock's zero.
    pub const fn from_nanos(nanos: u64) -> Timestamp {
        Timestamp(nanos)
    }

    /// Nanoseconds since the clock's zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}
