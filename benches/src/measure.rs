//! Rounds in which all contenders take turns, so that whatever else the machine does hits all of them.

use std::time::Duration;

use crate::contest::Contender;

/// A turn has so many parts, and the fastest counts: others' work interrupts most turns, but not most parts.
const PARTS: usize = 4;
/// How long each is.
const PART: Duration = Duration::from_millis(1);

/// What a contender does in a round.
struct Turn {
    /// In each part.
    times: u64,
    parts: usize,
}

/// The nanoseconds that each of them took in each round.
pub(crate) fn rounds(contenders: &mut [&mut Contender], rounds: usize) -> Vec<Vec<f64>> {
    let turns: Vec<Turn> = contenders.iter_mut().map(|contender| calibrate(contender)).collect();
    let mut samples = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            // Nobody always comes first.
            let index = (round + turn) % contenders.len();
            let Turn { times, parts } = turns[index];
            let took = (0..parts).map(|_| (contenders[index].run)(times)).min();
            samples[index].push(took.unwrap_or_default().as_secs_f64() * 1e9 / times as f64);
        }
    }
    samples
}

/// How often it has to do its work for a part to be long enough; warms up, too.
fn calibrate(contender: &mut Contender) -> Turn {
    let mut times = 1;
    loop {
        // Once more where it seems to be enough: it may have been interrupted.
        let long = |took: &Duration| *took >= PART / 2;
        let first = Some((contender.run)(times)).filter(long);
        let took = first.map(|first| first.min((contender.run)(times)));
        if let Some(took) = took.filter(long) {
            let exact = times as f64 * PART.as_secs_f64() / took.as_secs_f64();
            // What cannot be done in parts takes its whole turn, and longer.
            let parts = if took < PART * PARTS as u32 { PARTS } else { 1 };
            return Turn { times: (exact as u64).max(1), parts };
        }
        times *= 2;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn all_take_turns() {
        let log = Rc::new(RefCell::new(String::new()));
        let [mut one, mut other] = ["one", "other"].map(|name| {
            let log = log.clone();
            Contender::new(name, move |times| {
                *log.borrow_mut() += &format!("{name} ");
                Duration::from_millis(5 * times)
            })
        });
        let samples = rounds(&mut [&mut one, &mut other], 3);
        assert_eq!(samples, [[5e6; 3]; 2]);
        // Too long for parts. Each is calibrated first, which takes it two turns.
        assert_eq!(*log.borrow(), "one one other other one other other one one other ");
    }

    #[test]
    fn the_fastest_part_counts() {
        let mut calls = 0;
        let mut contender = Contender::new("", move |times| {
            calls += 1;
            let interrupted = Duration::from_millis(u64::from(calls % 4 != 0));
            Duration::from_millis(1).mul_f64(times as f64) + interrupted
        });
        assert_eq!(rounds(&mut [&mut contender], 3), [[1e6; 3]]);
    }
}
