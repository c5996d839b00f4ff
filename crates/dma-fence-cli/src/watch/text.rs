//! Numbers and threads, short enough for a table that changes all the time.

/// `35 µs`, `1.2 ms`, `12.3 s`, `5 m 07 s`, `2 h 05 m`.
pub(super) fn duration(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => {
            let micros = nanos / 1_000;
            if micros < 10_000 {
                format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
            } else {
                format!("{} ms", micros / 1_000)
            }
        }
        _ if seconds < 60 => format!("{seconds}.{} s", nanos % 1_000_000_000 / 100_000_000),
        _ if seconds < 3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `0`, `0.4`, `37`, `12.3k`, of so many a second.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate < 0.05 => "0".to_owned(),
        rate if rate < 10.0 => format!("{rate:.1}"),
        rate if rate < 10_000.0 => format!("{rate:.0}"),
        rate => format!("{:.1}k", rate / 1000.0),
    }
}

/// `comm-pid`, as the kernel prints it.
pub(super) fn task(comm: &str, pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("{comm}-{pid}"),
        None => comm.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_rates() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (35_400, "35 µs"),
            (1_250_000, "1.2 ms"),
            (845_000_000, "845 ms"),
            (12_399_000_000, "12.3 s"),
            (307_000_000_000, "5 m 07 s"),
            (7_500_000_000_000, "2 h 05 m"),
        ] {
            assert_eq!(duration(nanos), text);
        }
        for (per_second, text) in [(0.0, "0"), (0.42, "0.4"), (37.2, "37"), (12_345.0, "12.3k")] {
            assert_eq!(rate(per_second), text);
        }
    }
}
