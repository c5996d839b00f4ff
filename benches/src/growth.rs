//! How the time for one item changes with how many there are.

mod array;
mod chain;
mod plot;
mod reservation;
mod threads;

use serde::Serialize;

use crate::contest::Contender;
use crate::measure;
use crate::quartiles::quartiles;
use crate::report::SCHEMA;
use crate::table::{aligned, nanos};

pub(crate) use plot::of as plot;

/// A question, and several ways to do what it asks for.
pub(crate) struct Experiment {
    title: &'static str,
    /// Of what there are more and more.
    many: &'static str,
    ways: Vec<Way>,
}

/// The same work for more and more items.
struct Way {
    name: &'static str,
    sizes: Vec<(usize, Contender)>,
}

impl Experiment {
    fn new(title: &'static str, many: &'static str) -> Self {
        Experiment { title, many, ways: Vec::new() }
    }

    fn with(
        mut self,
        name: &'static str,
        sizes: &[usize],
        contender: impl Fn(usize) -> Contender,
    ) -> Self {
        let sizes = sizes.iter().map(|size| (*size, contender(*size))).collect();
        self.ways.push(Way { name, sizes });
        self
    }

    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    pub(crate) fn run(&mut self, rounds: u16) -> Curves {
        let all = self.ways.iter_mut().flat_map(|way| &mut way.sizes);
        let mut contenders: Vec<_> = all.map(|(_, contender)| contender).collect();
        let samples = measure::rounds(&mut contenders, rounds.into());
        // There is nothing to compare in the same round, and others' work only ever makes one slower.
        let mut times = samples.iter().map(|samples| quartiles(samples)[0]);
        let mut curve = |way: &Way| {
            let points = way.sizes.iter().zip(&mut times);
            Curve { name: way.name, points: points.map(|((size, _), ns)| (*size, ns)).collect() }
        };
        let curves = self.ways.iter().map(&mut curve).collect();
        Curves { title: self.title, many: self.many, curves }
    }
}

#[derive(Serialize)]
pub(crate) struct Growth {
    schema: u32,
    rounds: u16,
    cpus: usize,
    experiments: Vec<Curves>,
}

#[derive(Serialize)]
pub(crate) struct Curves {
    title: &'static str,
    many: &'static str,
    curves: Vec<Curve>,
}

#[derive(Serialize)]
struct Curve {
    name: &'static str,
    /// How many items, and the nanoseconds for one of them.
    points: Vec<(usize, f64)>,
}

/// All, in the order of the picture.
pub(crate) fn all() -> Vec<Experiment> {
    vec![
        array::experiment(),
        chain::experiment(),
        reservation::adding(),
        reservation::reading(),
        threads::registering(),
        threads::reading(),
    ]
}

impl Growth {
    pub(crate) fn new(rounds: u16, cpus: usize, experiments: Vec<Curves>) -> Self {
        Growth { schema: SCHEMA, rounds, cpus, experiments }
    }

    pub(crate) fn tables(&self) -> String {
        let tables = self.experiments.iter().map(Curves::table);
        tables.collect::<Vec<_>>().join("\n")
    }
}

impl Curves {
    /// All ways have the same sizes.
    fn table(&self) -> String {
        let head = std::iter::once(self.many).chain(self.curves.iter().map(|curve| curve.name));
        let sizes = self.curves[0].points.iter().map(|(size, _)| *size).enumerate();
        let rows = sizes.map(|(place, size)| {
            let times = self.curves.iter().map(|curve| nanos(curve.points[place].1));
            std::iter::once(grouped(size)).chain(times).collect()
        });
        let table = aligned(&head.collect::<Vec<_>>(), &rows.collect::<Vec<_>>());
        format!("**{}**\n\n{table}", self.title)
    }
}

/// With commas.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let comma = |place: usize| place != 0 && (digits.len() - place).is_multiple_of(3);
    let digit = |(place, digit)| [comma(place).then_some(','), Some(digit)];
    digits.chars().enumerate().flat_map(digit).flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    pub(super) fn curves() -> Curves {
        let slow = |ns: u64| {
            move |size| {
                Contender::new("", move |times| Duration::from_nanos(ns * size as u64 * times))
            }
        };
        Experiment::new("Sorting", "cards")
            .with("ours", &[1, 1000], slow(1))
            .with("theirs", &[1, 1000], slow(2))
            .run(1)
    }

    #[test]
    fn each_size_has_its_time() {
        let expected = "\
**Sorting**

| cards |    ours |  theirs |
|:------|--------:|--------:|
| 1     | 1.00 ns | 2.00 ns |
| 1,000 | 1000 ns | 2000 ns |
";
        assert_eq!(curves().table(), expected);
    }

    #[test]
    fn numbers_have_commas() {
        let all = [1, 999, 1000, 65_536, 1_000_000].map(grouped);
        assert_eq!(all, ["1", "999", "1,000", "65,536", "1,000,000"]);
    }
}
