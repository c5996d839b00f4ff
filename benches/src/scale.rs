//! Logarithmic scales.

use std::ops::RangeInclusive;

/// From values to places.
pub(crate) struct Scale {
    values: (f64, f64),
    places: (f64, f64),
}

/// Where scales begin and end, and are marked if that is not too much.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// More marks than this are too much.
const MARKS: usize = 9;

impl Scale {
    /// Wide enough for all values; from the first place to the second one.
    pub(crate) fn over(values: impl IntoIterator<Item = f64>, places: (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values {
            (low, high) = (low.min(value), high.max(value));
        }
        let below = steps().filter(|step| *step <= low).last();
        let above = steps().find(|step| *step >= high && Some(*step) > below);
        Scale { values: (below.unwrap_or(low), above.unwrap_or(high)), places }
    }

    pub(crate) fn place(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let part = (value / low).ln() / (high / low).ln();
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// What should be marked.
    pub(crate) fn marks(&self) -> Vec<f64> {
        let (low, high) = self.values;
        let inside = |step: &f64| (low..=high).contains(step);
        let all: Vec<f64> = steps().filter(inside).collect();
        if all.len() <= MARKS { all } else { decades().filter(inside).collect() }
    }
}

/// As exact as they can be written.
fn decades() -> impl Iterator<Item = f64> {
    let exponents: RangeInclusive<i32> = -6..=9;
    exponents.map(|exponent| format!("1e{exponent}").parse().expect("a number"))
}

fn steps() -> impl Iterator<Item = f64> {
    decades().flat_map(|decade| STEPS.map(|step| decade * step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_logarithmic_and_wide_enough() {
        let scale = Scale::over([0.3, 1.0, 4.0], (100.0, 200.0));
        assert_eq!(scale.values, (0.2, 5.0));
        assert_eq!(scale.place(1.0).round(), 150.0);
        assert_eq!((scale.place(0.2), scale.place(5.0)), (100.0, 200.0));
        assert_eq!(scale.marks(), [0.2, 0.5, 1.0, 2.0, 5.0]);
    }

    #[test]
    fn wide_scales_are_marked_by_decades() {
        let scale = Scale::over([1.0, 1e6], (0.0, 1.0));
        assert_eq!(scale.marks(), [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6]);
    }

    #[test]
    fn one_value_is_a_scale() {
        let scale = Scale::over([7.0], (0.0, 1.0));
        assert_eq!(scale.values, (5.0, 10.0));
        assert_eq!(Scale::over([1.0], (0.0, 1.0)).values, (1.0, 2.0));
    }
}
