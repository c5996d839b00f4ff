//! Who is to blame: fences in trouble, gathered by the timeline that the trouble comes from.

use std::collections::{HashMap, HashSet};
use std::ptr;

use crate::event::FenceId;
use crate::report::{Blame, Fence, Report, Timeline, Verdict};

/// What is younger is in work on any busy desktop.
const YOUNG: u64 = 50_000_000;
/// So many links of a chain are told.
const SHOWN_LINKS: usize = 6;

/// Whom to look at, the most urgent first.
#[derive(Debug)]
pub struct Culprits<'a> {
    /// For what is stuck, or may be.
    pub stuck: Vec<Culprit<'a>>,
    /// For what is waited for when the trace ends, but no longer than usual: as on any busy desktop.
    pub busy: Vec<Culprit<'a>>,
    /// For what was late.
    pub late: Vec<Culprit<'a>>,
    by_id: ById<'a>,
}

/// A timeline that trouble comes from.
#[derive(Debug)]
pub struct Culprit<'a> {
    /// The fences that are the reason, the most urgent first; there is one at least.
    pub roots: Vec<&'a Fence>,
    /// The fences that wait for them.
    pub victims: Vec<Victim<'a>>,
    /// Of a ring of the scheduler: the driver that has a timeline of the same name, and so most likely is its.
    pub driver: Option<&'a str>,
}

/// Why it is not sure that a culprit is stuck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Events are missing, or out of order.
    Missing,
    /// The trace ends before the threshold, but it takes longer than it usually does.
    TooEarly,
    /// It takes no longer than it usually does: a trace that ends at any time looks like that.
    Usual,
}

/// A fence that is in trouble because of another one.
#[derive(Debug)]
pub struct Victim<'a> {
    /// The fence.
    pub fence: &'a Fence,
    /// The one that is the reason.
    pub root: &'a Fence,
    /// The way there, as far as it is short.
    pub chain: Vec<Blame>,
}

impl<'a> Culprits<'a> {
    /// Those of a report.
    ///
    /// ```
    /// use dma_fence_trace::culprits::Culprits;
    /// # use dma_fence_trace::{Model, Options, Reader};
    /// # let mut model = Model::new(Options::default());
    /// # let mut reader = Reader::new("\
    /// #     game-7 [000] ..... 1.000000: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1\n\
    /// #     sway-9 [001] ..... 1.100000: dma_fence_init: driver=gpu timeline=CRTC:45-crtc-0 context=1 seqno=1\n\
    /// #     sway-9 [001] ..... 1.200000: dma_fence_wait_start: driver=gpu timeline=gfx context=5 seqno=1\n".as_bytes());
    /// # while let Some(line) = reader.next()? {
    /// #     model.line(&line);
    /// # }
    /// let report = model.report(Some(4_000_000_000));
    /// let culprits = Culprits::of(&report);
    /// let culprit = &culprits.stuck[0];
    /// assert_eq!((&*culprit.first().timeline, culprit.victims.len()), ("gfx", 1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn of(report: &'a Report) -> Self {
        let by_id = ById(report.fences.iter().map(|fence| (fence.id(), fence)).collect());
        // A job's own fence is nobody who waits.
        let blamed = report.fences.iter().flat_map(|fence| {
            let others = fence.blamed_on.iter().map(|blame| blame.fence);
            others.filter(|other| fence.part_of != Some(*other))
        });
        let depended_on: HashSet<_> = blamed.collect();
        let urgent = |fence: &&Fence| is_urgent(fence, depended_on.contains(&fence.id()));
        let others = report.timelines.iter().filter(|timeline| timeline.driver != "drm_sched");
        let drivers = others.map(|other| (&*other.timeline, &*other.driver)).collect();
        let late = report.fences.iter().filter(|fence| fence.verdict == Verdict::Late);
        let urgent = gather(report.fences.iter().filter(urgent), &by_id, &drivers);
        let is_busy =
            |culprit: &Culprit<'_>| !culprit.is_stuck() && culprit.doubt(report) == Doubt::Usual;
        let (busy, stuck) = urgent.into_iter().partition(is_busy);
        Self { stuck, busy, late: gather(late, &by_id, &drivers), by_id }
    }

    /// A fence of the report.
    pub fn get(&self, id: FenceId) -> Option<&'a Fence> {
        self.by_id.get(id)
    }
}

impl<'a> Culprit<'a> {
    /// The fence to name.
    pub fn first(&self) -> &'a Fence {
        self.roots[0]
    }

    /// Adds the roots that only victims name, and puts all in order: the first to get stuck tells most.
    fn complete(&mut self) {
        let mut known: HashSet<_> = self.roots.iter().map(|root| root.id()).collect();
        let named = self.victims.iter().map(|victim| victim.root);
        self.roots.extend(named.filter(|root| known.insert(root.id())));
        self.roots.sort_by_key(|fence| (fence.verdict, !fence.age_ns));
        self.victims.sort_by_key(|victim| (victim.chain.len(), !victim.fence.age_ns));
    }

    /// Whether anybody is seen to wait: for one of its fences, or for another that waits for one.
    pub fn is_awaited(&self) -> bool {
        !self.victims.is_empty() || self.fences().any(Fence::is_awaited)
    }

    /// How sure it is, where it is not [stuck](Self::is_stuck) for certain.
    pub fn doubt(&self, report: &Report) -> Doubt {
        let pending = self.fences().filter(|fence| fence.is_pending());
        if !self.first().certain {
            return Doubt::Missing;
        }
        let unusual = pending.filter(|fence| {
            let own = |timeline: &&Timeline| timeline.has(fence);
            let p99 = report.timelines.iter().find(own).and_then(|timeline| timeline.p99_ns);
            fence.age_ns > (2 * p99.unwrap_or(0)).max(YOUNG)
        });
        if unusual.count() > 0 { Doubt::TooEarly } else { Doubt::Usual }
    }

    /// All that are in trouble.
    pub fn fences(&self) -> impl Iterator<Item = &'a Fence> {
        self.roots.iter().copied().chain(self.victims.iter().map(|victim| victim.fence))
    }

    /// Whether it will never signal, as far as the trace can tell.
    pub fn is_stuck(&self) -> bool {
        self.fences().any(Fence::is_stuck)
    }

    /// The device of a job that is in trouble with it, if the kernel tells.
    pub fn device(&self) -> Option<&'a str> {
        let first = self.first().id();
        self.fences().find_map(|fence| {
            let job = fence.job.as_ref()?;
            let own = fence.id() == first || job.hardware == Some(first);
            Some(&*job.device).filter(|device| own && !device.is_empty())
        })
    }
}

/// Whether it is in trouble, or may be: what is young and nobody waits for is not.
fn is_urgent(fence: &Fence, depended_on: bool) -> bool {
    let concerns = fence.is_awaited() || depended_on || !fence.blamed_on.is_empty();
    let sure = fence.certain || fence.has_open_wait();
    fence.is_stuck() || (fence.verdict == Verdict::PendingAtEnd && sure && concerns)
}

/// Fences by name.
#[derive(Debug)]
struct ById<'a>(HashMap<FenceId, &'a Fence>);

impl<'a> ById<'a> {
    fn get(&self, id: FenceId) -> Option<&'a Fence> {
        self.0.get(&id).copied()
    }

    /// The next on the way to the one that is the reason. Between several it is one that is in as much trouble.
    fn next(&self, fence: &Fence) -> Option<(Blame, &'a Fence)> {
        let known =
            fence.blamed_on.iter().filter_map(|blame| Some((*blame, self.get(blame.fence)?)));
        let others = known.filter(|(blame, _)| blame.fence != fence.id());
        others.min_by_key(|(blame, fence)| (fence.verdict, blame.because))
    }

    /// The first links of the chain.
    fn chain(&self, fence: &'a Fence) -> Vec<Blame> {
        let mut chain = Vec::new();
        let mut at = fence;
        while chain.len() < SHOWN_LINKS
            && let Some((blame, next)) = self.next(at)
        {
            chain.push(blame);
            at = next;
        }
        chain
    }

    /// The end of the chain. Each link is looked at once, however many chains it is in. (Two fences can have the same
    /// name, so it is not by name that they are told apart.)
    fn root(&self, fence: &'a Fence, roots: &mut HashMap<*const Fence, &'a Fence>) -> &'a Fence {
        let mut way = Vec::new();
        let mut at = fence;
        let root = loop {
            if let Some(root) = roots.get(&ptr::from_ref(at)) {
                break *root;
            }
            // Until it is known better: a circle ends where it began.
            roots.insert(at, at);
            way.push(ptr::from_ref(at));
            match self.next(at) {
                Some((_, next)) => at = next,
                None => break at,
            }
        };
        roots.extend(way.into_iter().map(|at| (at, root)));
        root
    }
}

/// Gathers those of `fences` by culprit, in their order.
fn gather<'a>(
    fences: impl Iterator<Item = &'a Fence>,
    by_id: &ById<'a>,
    drivers: &HashMap<&'a str, &'a str>,
) -> Vec<Culprit<'a>> {
    let mut culprits: Vec<Culprit<'a>> = Vec::new();
    let (mut index, mut roots) = (HashMap::new(), HashMap::new());
    let fences: Vec<_> = fences.collect();
    let listed: HashSet<_> = fences.iter().map(|fence| fence.id()).collect();
    // The scheduler's and the hardware's fences of a job say no more than the job's own.
    let told = |fence: &Fence| {
        let job = fence.part_of.filter(|job| listed.contains(job)).and_then(|job| by_id.get(job));
        // Whatever a trace says, a job is no part of another, or of itself.
        let job = job.filter(|finished| finished.part_of.is_none());
        job.and_then(|finished| finished.job.as_ref())
            .is_some_and(|job| fence.driver == "drm_sched" || job.hardware == Some(fence.id()))
    };
    for fence in fences.into_iter().filter(|fence| !told(fence)) {
        let root = by_id.root(fence, &mut roots);
        let device = root.job.as_ref().map_or("", |job| &*job.device);
        let key = (&*root.driver, &*root.timeline, device, gathered_context(root));
        let at = *index.entry(key).or_insert_with(|| {
            let driver = match &*root.driver {
                "drm_sched" => drivers.get(&*root.timeline).copied(),
                _ => None,
            };
            culprits.push(Culprit { roots: Vec::new(), victims: Vec::new(), driver });
            culprits.len() - 1
        });
        let culprit = &mut culprits[at];
        match ptr::eq(root, fence) {
            true => culprit.roots.push(root),
            false => culprit.victims.push(Victim { fence, root, chain: by_id.chain(fence) }),
        }
    }
    for culprit in &mut culprits {
        culprit.complete();
    }
    culprits
}

/// Containers and the like have a context each; of the scheduler's, those of a ring belong together.
fn gathered_context(fence: &Fence) -> Option<u32> {
    (fence.timeline != "unbound" && fence.driver != "drm_sched").then_some(fence.context)
}
