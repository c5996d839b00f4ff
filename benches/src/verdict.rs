//! Whether a target counts as missed.

use serde::Serialize;

use crate::quartiles::quartiles;

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Met,
    /// Missed by the median, but not beyond the noise.
    WithinNoise,
    Missed,
}

/// So many rounds must be unlikely to miss a target that is met, or it is not called missed.
const CHANCE: f64 = 0.02;

/// The ratio of each round against the most that it may be.
///
/// A target is missed beyond the noise if three of four rounds missed it (their lower quartile is above it), and if
/// there were enough of them that this is no chance: with the default of 21 rounds both say the same, five are never
/// enough.
pub(crate) fn judge(ratios: &[f64], at_most: f64) -> Verdict {
    let [low, median, _] = quartiles(ratios);
    let above = ratios.iter().filter(|ratio| **ratio > at_most).count();
    if median <= at_most {
        Verdict::Met
    } else if low > at_most && chance(above, ratios.len()) < CHANCE {
        Verdict::Missed
    } else {
        Verdict::WithinNoise
    }
}

/// Whether so many rounds can be enough.
pub(crate) fn decide(rounds: usize) -> bool {
    chance(rounds, rounds) < CHANCE
}

/// How likely as many tosses of a coin show so many heads, or more.
fn chance(heads: usize, tosses: usize) -> f64 {
    let mut exactly = 0.5_f64.powf(tosses as f64);
    let mut at_least = 0.0;
    // As many heads are as likely as that many tails.
    for tails in 0..=tosses - heads {
        at_least += exactly;
        exactly *= (tosses - tails) as f64 / (tails + 1) as f64;
    }
    at_least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(below: usize, above: usize) -> Vec<f64> {
        [vec![0.9; below], vec![1.1; above]].concat()
    }

    #[test]
    fn a_target_is_missed_only_beyond_the_noise() {
        assert_eq!(judge(&rounds(11, 10), 1.0), Verdict::Met);
        assert_eq!(judge(&rounds(10, 11), 1.0), Verdict::WithinNoise);
        assert_eq!(judge(&rounds(6, 15), 1.0), Verdict::WithinNoise);
        assert_eq!(judge(&rounds(5, 16), 1.0), Verdict::Missed);
        assert_eq!(judge(&rounds(0, 21), 1.0), Verdict::Missed);
        assert_eq!(judge(&rounds(0, 21), 1.1), Verdict::Met);
    }

    #[test]
    fn a_few_rounds_decide_nothing() {
        assert_eq!(judge(&rounds(0, 1), 1.0), Verdict::WithinNoise);
        assert_eq!(judge(&rounds(0, 5), 1.0), Verdict::WithinNoise);
        assert_eq!(judge(&rounds(0, 6), 1.0), Verdict::Missed);
        assert!(!decide(5) && decide(6));
    }

    #[test]
    fn more_rounds_do_not_make_noise_a_miss() {
        assert_eq!(judge(&rounds(4_000, 6_000), 1.0), Verdict::WithinNoise);
        assert_eq!(judge(&rounds(2_000, 8_000), 1.0), Verdict::Missed);
    }

    #[test]
    fn chances() {
        assert_eq!(chance(0, 3), 1.0);
        assert_eq!(chance(2, 3), 0.5);
        assert_eq!(chance(3, 3), 0.125);
        assert!((chance(16, 21) - 0.0133).abs() < 1e-4);
    }
}
