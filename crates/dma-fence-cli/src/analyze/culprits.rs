//! Who is to blame: fences in trouble, gathered by the timeline that the trouble comes from.

use std::collections::HashMap;

use dma_fence_trace::FenceId;
use dma_fence_trace::report::{Because, Blame, Fence, Report, Verdict};

/// Chains are no longer than this; a circle would never end.
const LONGEST_CHAIN: usize = 64;

/// A timeline that trouble comes from.
pub(super) struct Culprit<'a> {
    /// The fences that are the reason, the most urgent first.
    pub(super) roots: Vec<&'a Fence>,
    /// The fences that wait for them, each with the way to its root.
    pub(super) victims: Vec<Victim<'a>>,
}

/// A fence that is in trouble because of another one.
pub(super) struct Victim<'a> {
    pub(super) fence: &'a Fence,
    /// From its own reason to the root.
    pub(super) chain: Vec<Blame>,
}

impl<'a> Culprit<'a> {
    /// The fence to name.
    pub(super) fn first(&self) -> &'a Fence {
        self.roots[0]
    }

    pub(super) fn fences(&self) -> impl Iterator<Item = &'a Fence> {
        self.roots.iter().copied().chain(self.victims.iter().map(|victim| victim.fence))
    }

    /// Whether it will never signal, as far as the trace can tell.
    pub(super) fn is_stuck(&self) -> bool {
        self.fences().any(Fence::is_stuck)
    }
}

/// Fences by name.
pub(super) struct ById<'a>(HashMap<FenceId, &'a Fence>);

impl<'a> ById<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        Self(report.fences.iter().map(|fence| (fence.id(), fence)).collect())
    }

    pub(super) fn get(&self, id: FenceId) -> Option<&'a Fence> {
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
pub(super) fn gather<'a>(
    fences: impl Iterator<Item = &'a Fence>,
    by_id: &ById<'a>,
) -> Vec<Culprit<'a>> {
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

/// Whether it is in trouble, or may be: what is young and nobody waits for is not.
pub(super) fn is_urgent(fence: &Fence, depended_on: bool) -> bool {
    let awaited = fence.is_awaited() || depended_on || !fence.blamed_on.is_empty();
    fence.is_stuck() || (fence.verdict == Verdict::PendingAtEnd && fence.certain && awaited)
}

/// What a link of the chain means.
pub(super) fn because(because: Because) -> &'static str {
    match because {
        Because::Dependency => "its job depends on it, says the scheduler",
        Because::Display => "the display waits for it to show the picture",
        Because::Member => "it is in the container",
        Because::Queue => "it is before it in the queue",
        Because::Hardware => "it is the hardware's part of the same job",
    }
}
