//! A piece of work, who does it, and what is measured.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// A piece of work that several do, each in its own way.
pub(crate) struct Contest {
    pub(crate) work: String,
    /// What `ns` are nanoseconds per.
    pub(crate) per: &'static str,
    pub(crate) ours: Contender,
    pub(crate) peers: Vec<Contender>,
    pub(crate) target: Option<Target>,
    /// How many times it is done to count its instructions, unless threads take part or it takes too long.
    pub(crate) counted: Option<u64>,
    /// Whether it only says something of other contests.
    pub(crate) yardstick: bool,
}

/// Enough for the largest group that is worked on at once.
const COUNTED: u64 = 4096;

/// At most so many times what that peer takes.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) peer: &'static str,
    pub(crate) at_most: f64,
}

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Does the work so many times and says how long that took, without what prepares it.
    pub(crate) run: Box<dyn FnMut(u64) -> Duration>,
}

impl Contender {
    pub(crate) fn new(name: &'static str, run: impl FnMut(u64) -> Duration + 'static) -> Self {
        Contender { name, run: Box::new(run) }
    }

    /// Of work that needs no preparation.
    pub(crate) fn of(name: &'static str, mut once: impl FnMut() + 'static) -> Self {
        Self::new(name, move |times| timed(|| (0..times).for_each(|_| once())))
    }
}

impl Contest {
    pub(crate) fn new(work: impl Into<String>, per: &'static str, ours: Contender) -> Self {
        let work = work.into();
        Contest {
            work,
            per,
            ours,
            peers: Vec::new(),
            target: None,
            counted: Some(COUNTED),
            yardstick: false,
        }
    }

    /// Adds one that may not be more than so many times faster.
    pub(crate) fn against(mut self, peer: Contender, at_most: f64) -> Self {
        self.target = Some(Target { peer: peer.name, at_most });
        self.beside(peer)
    }

    /// Adds one for comparison.
    pub(crate) fn beside(mut self, peer: Contender) -> Self {
        self.peers.push(peer);
        self
    }

    pub(crate) fn yardstick(mut self) -> Self {
        self.yardstick = true;
        self
    }

    /// What it takes in instructions says little, or takes too long to say.
    pub(crate) fn uncounted(mut self) -> Self {
        self.counted = None;
        self
    }

    /// Ours first.
    pub(crate) fn contenders(&mut self) -> impl Iterator<Item = &mut Contender> {
        std::iter::once(&mut self.ours).chain(&mut self.peers)
    }
}

pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// A thread for each: from when all are ready to when the last one has finished.
pub(crate) fn together<'a>(works: Vec<Box<dyn FnOnce() + Send + 'a>>) -> Duration {
    let ready = Barrier::new(works.len());
    let ready = &ready;
    let spans: Vec<_> = thread::scope(|scope| {
        let span = |work: Box<dyn FnOnce() + Send + 'a>| {
            scope.spawn(move || {
                ready.wait();
                let begin = Instant::now();
                work();
                (begin, Instant::now())
            })
        };
        let threads: Vec<_> = works.into_iter().map(span).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let begin = spans.iter().map(|(begin, _)| *begin).min();
    let end = spans.iter().map(|(_, end)| *end).max();
    end.expect("there are threads") - begin.expect("there are threads")
}
