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
        // Rounded first, or 999.9 ms would be 1000 ms.
        let digits = self.0.checked_ilog10().unwrap_or(0).min(11);
        let place = 10_u64.pow(digits.saturating_sub(2));
        let ns = self.0.saturating_add(place / 2) / place * place;
        let (unit, per_unit) = match ns {
            0..1_000 => return write!(f, "{ns} ns"),
            1_000..1_000_000 => ("µs", 1e3),
            1_000_000..1_000_000_000 => ("ms", 1e6),
            _ => ("s", 1e9),
        };
        let value = ns as f64 / per_unit;
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
            (999_999_000, "1.00 s"),
            (9_996_000_000, "10.0 s"),
            (u64::MAX, "18446744073 s"),
        ] {
            assert_eq!(Duration(ns).to_string(), shown);
        }
        assert_eq!(Time(9_259_670_999).to_string(), "9.259670");
    }
}
