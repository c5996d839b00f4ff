//! Who is to blame: fences in trouble, gathered by the timeline that the trouble comes from.

use std::collections::{HashMap, HashSet};

use crate::event::FenceId;
use crate::report::{Blame, Fence, Report, Verdict};

/// Chains are no longer than this; a circle would never end.
const LONGEST_CHAIN: usize = 64;

/// Whom to look at, the most urgent first.
#[derive(Debug)]
pub struct Culprits<'a> {
    /// For what is stuck, or may be.
    pub stuck: Vec<Culprit<'a>>,
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
}

/// A fence that is in trouble because of another one.
#[derive(Debug)]
pub struct Victim<'a> {
    /// The fence.
    pub fence: &'a Fence,
    /// From its own reason to the root.
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
        let blamed = report.fences.iter().flat_map(|fence| &fence.blamed_on);
        let depended_on: HashSet<_> = blamed.map(|blame| blame.fence).collect();
        let urgent = |fence: &&Fence| is_urgent(fence, depended_on.contains(&fence.id()));
        let late = report.fences.iter().filter(|fence| fence.verdict == Verdict::Late);
        Self {
            stuck: gather(report.fences.iter().filter(urgent), &by_id),
            late: gather(late, &by_id),
            by_id,
        }
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
    let awaited = fence.is_awaited() || depended_on || !fence.blamed_on.is_empty();
    fence.is_stuck() || (fence.verdict == Verdict::PendingAtEnd && fence.certain && awaited)
}

/// Fences by name.
#[derive(Debug)]
struct ById<'a>(HashMap<FenceId, &'a Fence>);

impl<'a> ById<'a> {
    fn get(&self, id: FenceId) -> Option<&'a Fence> {
        self.0.get(&id).copied()
    }

    /// The way from a fence to the one that is the reason. Between several reasons it takes one that is in as
    /// much trouble.
    fn chain(&self, fence: &'a Fence) -> (Vec<Blame>, &'a Fence) {
        let mut chain: Vec<Blame> = Vec::new();
        let mut at = fence;
        while chain.len() < LONGEST_CHAIN {
            let next =
                at.blamed_on.iter().filter_map(|blame| Some((blame, self.get(blame.fence)?)));
            let next = next.min_by_key(|(blame, fence)| (fence.verdict, blame.because));
            let Some((blame, next)) = next else { break };
            if next.id() == fence.id() || chain.iter().any(|before| before.fence == blame.fence) {
                break;
            }
            chain.push(*blame);
            at = next;
        }
        (chain, at)
    }
}

/// Gathers those of `fences` by culprit, in their order.
fn gather<'a>(fences: impl Iterator<Item = &'a Fence>, by_id: &ById<'a>) -> Vec<Culprit<'a>> {
    let mut culprits: Vec<Culprit<'a>> = Vec::new();
    let mut index = HashMap::new();
    // The scheduler's and the hardware's fences of a job say no more than the job's own.
    let told = |fence: &Fence| fence.part_of.is_some_and(|job| by_id.get(job).is_some());
    for fence in fences.filter(|fence| !told(fence)) {
        let (chain, root) = by_id.chain(fence);
        let key = (&*root.driver, &*root.timeline, gathered_context(root));
        let at = *index.entry(key).or_insert_with(|| {
            culprits.push(Culprit { roots: Vec::new(), victims: Vec::new() });
            culprits.len() - 1
        });
        let culprit = &mut culprits[at];
        if !culprit.roots.iter().any(|known| known.id() == root.id()) {
            culprit.roots.push(root);
        }
        if !chain.is_empty() {
            culprit.victims.push(Victim { fence, chain });
        }
    }
    for culprit in &mut culprits {
        // The first to get stuck tells most.
        culprit.roots.sort_by_key(|fence| (fence.verdict, !fence.age_ns));
        culprit.victims.sort_by_key(|victim| (victim.chain.len(), !victim.fence.age_ns));
    }
    culprits
}

/// Containers and the like have a context each.
fn gathered_context(fence: &Fence) -> Option<u32> {
    (fence.timeline != "unbound").then_some(fence.context)
}
