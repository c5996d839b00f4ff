//! Many durations in little memory: percentiles.

/// So many are kept as they are.
const EXACT: usize = 1024;
/// Buckets of each power of two: a percentile of more durations than that is off by 1/64 at most.
const STEPS: u64 = 64;

/// Durations, of which the number, the greatest and percentiles are wanted.
#[derive(Clone, Debug)]
pub(crate) enum Durations {
    Exact(Vec<u64>),
    /// Counts of [`bucket`]s.
    Counted {
        counts: Vec<u64>,
        total: u64,
        max: u64,
    },
}

impl Durations {
    pub(crate) const fn new() -> Self {
        Durations::Exact(Vec::new())
    }

    pub(crate) fn add(&mut self, duration: u64) {
        match self {
            Durations::Exact(all) if all.len() < EXACT => all.push(duration),
            Durations::Exact(all) => {
                let all = std::mem::take(all);
                *self = Durations::Counted { counts: Vec::new(), total: 0, max: 0 };
                all.into_iter().for_each(|earlier| self.count(earlier));
                self.count(duration);
            }
            Durations::Counted { .. } => self.count(duration),
        }
    }

    fn count(&mut self, duration: u64) {
        let Durations::Counted { counts, total, max } = self else { return };
        let bucket = bucket(duration);
        if counts.len() <= bucket {
            counts.resize(bucket + 1, 0);
        }
        counts[bucket] += 1;
        *total += 1;
        *max = duration.max(*max);
    }

    /// In order, so that several questions cost one sorting.
    pub(crate) fn sorted(&self) -> Sorted<'_> {
        match self {
            Durations::Exact(all) => {
                let mut all = all.clone();
                all.sort_unstable();
                Sorted::Exact(all)
            }
            Durations::Counted { counts, total, max } => {
                Sorted::Counted { counts, total: *total, max: *max }
            }
        }
    }
}

/// Durations in order.
pub(crate) enum Sorted<'a> {
    Exact(Vec<u64>),
    Counted { counts: &'a [u64], total: u64, max: u64 },
}

impl Sorted<'_> {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Sorted::Exact(all) => all.len() as u64,
            Sorted::Counted { total, .. } => *total,
        }
    }

    pub(crate) fn max(&self) -> Option<u64> {
        match self {
            Sorted::Exact(all) => all.last().copied(),
            Sorted::Counted { max, .. } => Some(*max),
        }
    }

    /// The least duration than which `percent` of them are not longer.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        self.nth((self.len() * percent).div_ceil(100).checked_sub(1)?)
    }

    /// The `nth` shortest, from 0.
    pub(crate) fn nth(&self, nth: u64) -> Option<u64> {
        match self {
            Sorted::Exact(all) => all.get(nth as usize).copied(),
            Sorted::Counted { counts, max, .. } => {
                let mut seen = 0;
                let bucket = counts.iter().position(|count| {
                    seen += count;
                    seen > nth
                });
                bucket.map(|bucket| longest_of(bucket).min(*max))
            }
        }
    }

    /// How many are longer.
    pub(crate) fn longer_than(&self, duration: u64) -> u64 {
        match self {
            Sorted::Exact(all) => (all.len() - all.partition_point(|d| *d <= duration)) as u64,
            Sorted::Counted { counts, .. } => counts.iter().skip(bucket(duration) + 1).sum(),
        }
    }
}

/// Short durations have a bucket each, longer ones `STEPS` for each power of two.
fn bucket(duration: u64) -> usize {
    let octave = duration.checked_ilog2().unwrap_or(0).saturating_sub(STEPS.ilog2());
    (u64::from(octave) * STEPS + (duration >> octave)) as usize
}

/// The longest duration of a bucket.
fn longest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let octave = (bucket / STEPS).saturating_sub(1);
    let first = (bucket - octave * STEPS) << octave;
    first + ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: impl IntoIterator<Item = u64>) -> Durations {
        let mut durations = Durations::new();
        all.into_iter().for_each(|duration| durations.add(duration));
        durations
    }

    #[test]
    fn few_are_exact() {
        let durations = of((1..=100).rev());
        let sorted = durations.sorted();
        assert_eq!((sorted.len(), sorted.max()), (100, Some(100)));
        assert_eq!((sorted.percentile(50), sorted.percentile(99)), (Some(50), Some(99)));
        assert_eq!((sorted.longer_than(97), sorted.longer_than(100)), (3, 0));
        assert_eq!(of([7]).sorted().percentile(50), Some(7));
        let none = Durations::new();
        assert_eq!((none.sorted().percentile(50), none.sorted().max()), (None, None));
    }

    #[test]
    fn many_are_close() {
        let durations = of((0..100_000).map(|n| n * 1_000_003));
        let sorted = durations.sorted();
        assert_eq!((sorted.len(), sorted.max()), (100_000, Some(99_999 * 1_000_003)));
        for percent in [1, 50, 99] {
            let exact = (percent * 1000 - 1) * 1_000_003;
            let found = sorted.percentile(percent).unwrap();
            assert!(found >= exact && found - exact <= exact / 64 + 1, "{percent}: {found}");
        }
        let longer = sorted.longer_than(90_000 * 1_000_003);
        assert!((8_500..=10_000).contains(&longer), "{longer}");
        assert_eq!(sorted.percentile(100), sorted.max());
    }

    #[test]
    fn every_duration_is_in_its_bucket() {
        let mut last = 0;
        for duration in (0..63).flat_map(|shift| [1 << shift, (1 << shift) + 1, (2 << shift) - 1]) {
            let bucket = bucket(duration);
            assert!(bucket >= last || duration <= 4, "{duration}");
            last = bucket;
            assert!(longest_of(bucket) >= duration, "{duration}");
            assert!(bucket == 0 || longest_of(bucket - 1) < duration, "{duration}");
        }
        assert_eq!(longest_of(bucket(u64::MAX)), u64::MAX);
    }
}
