//! Numbers as people read them.

use std::fmt;

/// Nanoseconds as three digits, in the unit that a person would choose.
///
/// ```
/// use dma_fence_trace::words::Duration;
/// assert_eq!(Duration(13_020_000).to_string(), "13.0 ms");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duration(pub u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, per_unit) = match self.0 {
            0..1_000 => return write!(f, "{} ns", self.0),
            1_000..1_000_000 => ("µs", 1e3),
            1_000_000..1_000_000_000 => ("ms", 1e6),
            _ => ("s", 1e9),
        };
        let value = self.0 as f64 / per_unit;
        let digits = match value {
            ..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        write!(f, "{value:.digits$} {unit}")
    }
}

/// A point in time, as a trace prints it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000_000, self.0 / 1_000 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (ns, shown) in [
            (7, "7 ns"),
            (1_500, "1.50 µs"),
            (13_020_000, "13.0 ms"),
            (662_346_000, "662 ms"),
            (3_465_900_000, "3.47 s"),
            (75_000_000_000, "75.0 s"),
            (7_500_000_000_000, "7500 s"),
        ] {
            assert_eq!(Duration(ns).to_string(), shown);
        }
        assert_eq!(Time(9_259_670_999).to_string(), "9.259670");
    }
}
