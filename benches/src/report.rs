//! What came out of all contests: what the table, the chart and the JSON are made of.

use serde::Serialize;

use crate::contest::Contest;
use crate::measure;
use crate::quartiles::{median, quartiles};
use crate::verdict::{Verdict, judge};

/// Of the JSON, which docs/benchmarks.md describes.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) rounds: u16,
    pub(crate) cpus: usize,
    pub(crate) contests: Vec<Outcome>,
}

#[derive(Serialize, Debug)]
pub(crate) struct Outcome {
    pub(crate) work: String,
    pub(crate) per: &'static str,
    /// The median of all rounds.
    pub(crate) ours_ns: f64,
    pub(crate) peers: Vec<Peer>,
    pub(crate) target: Option<Judged>,
    #[serde(skip)]
    yardstick: bool,
}

#[derive(Serialize, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The median of all rounds.
    pub(crate) ns: f64,
    /// Ours to this one's: the median of the ratios of all rounds.
    pub(crate) ratio: f64,
    /// Half of these ratios lie between these two.
    pub(crate) quartiles: (f64, f64),
}

#[derive(Serialize, Debug)]
pub(crate) struct Judged {
    pub(crate) peer: &'static str,
    pub(crate) at_most: f64,
    pub(crate) verdict: Verdict,
}

impl Outcome {
    pub(crate) fn of(contest: &mut Contest, rounds: u16) -> Self {
        let mut contenders: Vec<_> = contest.contenders().collect();
        let samples = measure::rounds(&mut contenders, rounds.into());
        let ours = &samples[0];
        let ratios = |theirs: &[f64]| -> Vec<f64> {
            ours.iter().zip(theirs).map(|(ours, peer)| ours / peer).collect()
        };
        let theirs = || contest.peers.iter().zip(&samples[1..]);
        let peers = theirs().map(|(peer, theirs)| {
            let [low, ratio, high] = quartiles(&ratios(theirs));
            Peer { name: peer.name, ns: median(theirs), ratio, quartiles: (low, high) }
        });
        let target = contest.target.map(|target| {
            let of_target = theirs().find(|(peer, _)| peer.name == target.peer);
            let (_, theirs) = of_target.expect("it was added");
            let verdict = judge(&ratios(theirs), target.at_most);
            Judged { peer: target.peer, at_most: target.at_most, verdict }
        });
        Outcome {
            work: contest.work.clone(),
            per: contest.per,
            ours_ns: median(ours),
            peers: peers.collect(),
            target,
            yardstick: contest.yardstick,
        }
    }

    /// Whom the target names, or else the best.
    pub(crate) fn rival(&self) -> &Peer {
        let named = |peer: &&Peer| self.target.as_ref().is_some_and(|it| it.peer == peer.name);
        self.peers.iter().find(named).unwrap_or_else(|| self.best())
    }

    /// The fastest of the peers.
    pub(crate) fn best(&self) -> &Peer {
        let by_time = |one: &&Peer, other: &&Peer| one.ns.total_cmp(&other.ns);
        self.peers.iter().min_by(by_time).expect("every contest has a peer")
    }

    /// Whether ours is faster than all.
    pub(crate) fn leads(&self) -> bool {
        !self.yardstick && self.peers.iter().all(|peer| peer.ratio < 1.0)
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.target.as_ref().map(|target| target.verdict)
    }
}

impl Report {
    pub(crate) fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Outcome> {
        self.contests.iter().filter(move |outcome| outcome.verdict() == Some(verdict))
    }

    /// In one line.
    pub(crate) fn summary(&self) -> String {
        let leads = self.contests.iter().filter(|outcome| outcome.leads()).count();
        let of = self.contests.iter().filter(|outcome| !outcome.yardstick).count();
        let count = |verdict| self.with(verdict).count();
        let [met, near, missed] = [Verdict::Met, Verdict::WithinNoise, Verdict::Missed].map(count);
        let targets = met + near + missed;
        format!(
            "Faster than every peer in {leads} of {of} contests · {targets} targets: {met} met, {near} missed within \
             the noise, {missed} missed"
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contest::Contender;

    fn slow(name: &'static str, ns: u64) -> Contender {
        Contender::new(name, move |times| Duration::from_nanos(ns * times))
    }

    /// Ours takes 300 ns, the peers 200 ns and 400 ns.
    pub(crate) fn outcome(at_most: f64) -> Outcome {
        let mut contest = Contest::new("a < b", "time", slow("ours", 300))
            .beside(slow("Arc<slow>", 400))
            .against(slow("Arc<fast>", 200), at_most);
        Outcome::of(&mut contest, 8)
    }

    #[test]
    fn all_are_compared_with_ours() {
        let outcome = outcome(1.4);
        let near = |value: f64, expected: f64| (value - expected).abs() < 1e-6;
        assert!(near(outcome.ours_ns, 300.0), "{outcome:?}");
        assert!(near(outcome.peers[0].ratio, 0.75) && near(outcome.peers[1].ratio, 1.5));
        assert_eq!((outcome.rival().name, outcome.best().name), ("Arc<fast>", "Arc<fast>"));
        assert_eq!(outcome.verdict(), Some(Verdict::Missed));
    }

    #[test]
    fn yardsticks_lead_nowhere() {
        let run = |contest: Contest| Outcome::of(&mut contest.beside(slow("peer", 400)), 8);
        let contest = || Contest::new("a", "time", slow("ours", 300));
        let contests = vec![run(contest()), run(contest().yardstick())];
        let report = Report { schema: SCHEMA, rounds: 8, cpus: 1, contests };
        assert!(report.summary().starts_with("Faster than every peer in 1 of 1 contests"));
    }

    #[test]
    fn targets_are_counted() {
        let contests = vec![outcome(1.4), outcome(1.6), outcome(2.0)];
        let report = Report { schema: SCHEMA, rounds: 8, cpus: 1, contests };
        let summary = "Faster than every peer in 0 of 3 contests · 3 targets: 2 met, 0 missed within the noise, 1 missed";
        assert_eq!(report.summary(), summary);
        assert_eq!(report.with(Verdict::Missed).count(), 1);
    }
}
