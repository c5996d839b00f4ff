//! Rounds in which all contenders take turns, so that whatever else the machine does hits all of them.

use std::time::Duration;

use crate::contest::Contender;

/// How long a contender works in a round.
const SAMPLE: Duration = Duration::from_millis(4);

/// The nanoseconds that each of them took in each round.
pub(crate) fn rounds(contenders: &mut [&mut Contender], rounds: usize) -> Vec<Vec<f64>> {
    let times: Vec<u64> = contenders.iter_mut().map(|contender| calibrate(contender)).collect();
    let mut samples = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            // Nobody always comes first.
            let index = (round + turn) % contenders.len();
            let took = (contenders[index].run)(times[index]);
            samples[index].push(took.as_secs_f64() * 1e9 / times[index] as f64);
        }
    }
    samples
}

/// How often it has to do its work for a sample to be long enough; warms up, too.
fn calibrate(contender: &mut Contender) -> u64 {
    let mut times = 1;
    loop {
        // Once more where it seems to be enough: it may have been interrupted.
        let long = |took: &Duration| *took >= SAMPLE / 2;
        let first = Some((contender.run)(times)).filter(long);
        let took = first.map(|first| first.min((contender.run)(times)));
        if let Some(took) = took.filter(long) {
            let exact = times as f64 * SAMPLE.as_secs_f64() / took.as_secs_f64();
            return (exact as u64).max(1);
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
                Duration::from_millis(2 * times)
            })
        });
        let samples = rounds(&mut [&mut one, &mut other], 3);
        assert_eq!(samples, [[2e6; 3]; 2]);
        // Each is calibrated first, which takes it two turns.
        assert_eq!(*log.borrow(), "one one other other one other other one one other ");
    }
}
