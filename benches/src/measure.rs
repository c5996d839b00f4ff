//! Rounds in which all contenders of a contest take turns, so that whatever else the machine does hits all of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contest::{Contender, Contest};

/// How long a contender works in a round.
const SAMPLE: Duration = Duration::from_millis(4);

/// What came out of a contest.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Result {
    pub(crate) work: String,
    pub(crate) per: String,
    /// Nanoseconds.
    pub(crate) ours: f64,
    pub(crate) peers: Vec<Peer>,
    pub(crate) target: Option<Judged>,
}

#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// Nanoseconds, the median of all rounds.
    pub(crate) ns: f64,
    /// Ours to this one's: the median of the ratios of all rounds.
    pub(crate) ratio: f64,
    /// Half of these ratios lie between these two.
    pub(crate) quartiles: (f64, f64),
}

#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Judged {
    pub(crate) peer: String,
    pub(crate) at_most: f64,
    pub(crate) verdict: Verdict,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Met,
    /// Missed, but by less than the noise: a quarter of all rounds met it.
    WithinNoise,
    Missed,
}

pub(crate) fn run(contest: &mut Contest, rounds: usize) -> Result {
    let times: Vec<u64> = contest.contenders().map(calibrate).collect();
    let mut samples = vec![Vec::with_capacity(rounds); times.len()];
    for round in 0..rounds {
        let mut turns: Vec<_> = contest.contenders().zip(&times).enumerate().collect();
        // Nobody always comes after the same one.
        let first = round % turns.len();
        turns.rotate_left(first);
        for (index, (contender, times)) in turns {
            samples[index].push((contender.run)(*times).as_secs_f64() * 1e9 / *times as f64);
        }
    }
    let ours = &samples[0];
    let peers: Vec<Peer> = contest
        .peers
        .iter()
        .zip(&samples[1..])
        .map(|(peer, theirs)| {
            let ratios: Vec<f64> =
                ours.iter().zip(theirs).map(|(ours, peer)| ours / peer).collect();
            let [low, ratio, high] = quartiles(&ratios);
            let ns = quartiles(theirs)[1];
            Peer { name: peer.name.to_owned(), ns, ratio, quartiles: (low, high) }
        })
        .collect();
    let target = contest.target.map(|target| {
        let peer = peers.iter().find(|peer| peer.name == target.peer).expect("it was added");
        Judged {
            peer: peer.name.clone(),
            at_most: target.at_most,
            verdict: judge(peer, target.at_most),
        }
    });
    let (work, per) = (contest.work.clone(), contest.per.to_owned());
    Result { work, per, ours: quartiles(ours)[1], peers, target }
}

fn judge(peer: &Peer, at_most: f64) -> Verdict {
    if peer.ratio <= at_most {
        Verdict::Met
    } else if peer.quartiles.0 <= at_most {
        Verdict::WithinNoise
    } else {
        Verdict::Missed
    }
}

/// How often it has to do its work for a sample to be long enough; warms up, too.
fn calibrate(contender: &mut Contender) -> u64 {
    let mut times = 1;
    loop {
        let took = (contender.run)(times);
        if took >= SAMPLE / 2 {
            let exact = times as f64 * SAMPLE.as_secs_f64() / took.as_secs_f64();
            return (exact as u64).max(1);
        }
        times *= 2;
    }
}

/// The lower one, the median and the upper one.
fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        let place = (sorted.len() - 1) as f64 * quarter as f64 / 4.0;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        low + (high - low) * place.fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_between_values() {
        assert_eq!(quartiles(&[5.0, 1.0, 3.0, 2.0, 4.0]), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles(&[1.0, 2.0]), [1.25, 1.5, 1.75]);
        assert_eq!(quartiles(&[7.0]), [7.0; 3]);
    }

    #[test]
    fn a_target_is_missed_only_beyond_the_noise() {
        let peer = |ratio, quartiles| Peer { name: String::new(), ns: 1.0, ratio, quartiles };
        assert_eq!(judge(&peer(0.9, (0.8, 1.2)), 1.0), Verdict::Met);
        assert_eq!(judge(&peer(1.1, (0.9, 1.2)), 1.0), Verdict::WithinNoise);
        assert_eq!(judge(&peer(1.1, (1.05, 1.2)), 1.0), Verdict::Missed);
    }

    #[test]
    fn all_take_turns_and_are_compared() {
        let slow =
            |name, ns: u64| Contender::new(name, move |times| Duration::from_nanos(ns * times));
        let mut contest =
            Contest::new("sleep", "time", slow("ours", 300)).against(slow("theirs", 200), 1.4);
        let result = run(&mut contest, 5);
        let near = |value: f64, expected: f64| (value - expected).abs() < 1e-6;
        assert!(near(result.ours, 300.0) && near(result.peers[0].ns, 200.0), "{result:?}");
        assert!(near(result.peers[0].ratio, 1.5), "{result:?}");
        assert_eq!(result.target.unwrap().verdict, Verdict::Missed);
    }
}
