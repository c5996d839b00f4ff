//! Merging: one fence for many, without signaled ones, duplicates or containers.

use crate::array::{ArrayAllocation, ArrayMembers};
use crate::fence::Fence;
use crate::outcome::Status;
use crate::shared::AllocError;
use crate::tally::Tally;
use alloc::vec::Vec;

/// One fence that signals when all of `fences` have, whatever containers they are.
///
/// - None is pending: a signaled fence with the latest timestamp and the error that came first in time.
/// - One is pending: that fence itself.
/// - Else an array of the pending ones, sorted by context, with only the latest of each context.
///
/// An abandoned fence is pending, and no later one makes it superfluous. The order of the input makes no
/// difference: among errors of the very same time the one with the lowest number counts.
///
/// # Context
/// Allocates; where that must not fail, see [`try_merge`]. Asks the fences as [`Fence::status`] does.
///
/// ```
/// use dma_fence::{FenceContext, merge};
/// let (gpu, disk) = (FenceContext::hardware("gpu", "0"), FenceContext::hardware("disk", "0"));
/// let (first, second, write) = (gpu.new_fence(), gpu.new_fence(), disk.new_fence());
/// let merged = merge([second.fence(), write.fence(), first.fence()]);
/// assert_eq!(merged.members().unwrap().len(), 2, "the second one of the GPU stands for the first");
/// let again = merge([merged, write.fence()]);
/// assert_eq!(again.members().unwrap().len(), 2);
/// # first.signal(Ok(())); second.signal(Ok(())); write.signal(Ok(()));
/// # assert!(merge([again]).is_signaled());
/// ```
///
/// # Panics
/// As any collection, if there is no memory.
#[doc(alias = "dma_fence_unwrap_merge")]
pub fn merge(fences: impl IntoIterator<Item = Fence>) -> Fence {
    try_merge(fences).expect("out of memory")
}

/// As [`merge`], where memory may be short.
///
/// # Errors
/// There was no memory; nothing has changed.
#[doc(alias = "dma_fence_unwrap_merge")]
pub fn try_merge(fences: impl IntoIterator<Item = Fence>) -> Result<Fence, AllocError> {
    let fences = fences.into_iter();
    let mut found = Found::room_for(fences.size_hint().0.min(MANY))?;
    for fence in fences {
        if !fence.is_container() {
            found.add(fence)?;
            continue;
        }
        let mut walk = fence.leaves();
        walk.by_ref().try_for_each(|leaf| found.add(leaf))?;
        found.signaled = found.signaled.and(walk.taken_out());
    }
    if found.leaves.is_empty() {
        return Ok(Fence::signaled());
    }
    found.sift();
    let Found { mut leaves, signaled } = found;
    match leaves.len() {
        0 => Fence::try_signaled_with(signaled.signal()),
        1 => Ok(leaves.remove(0)),
        _ => {
            // Leaves are no containers, and there are some.
            let members = ArrayMembers::new(leaves).map_err(|_| AllocError)?;
            Ok(ArrayAllocation::new()?.init(members).into())
        }
    }
}

/// So many fences are believed to come before they do, and are kept before they are sifted.
const MANY: usize = 1024;

/// What was found so far.
struct Found {
    leaves: Vec<Fence>,
    /// What those amounted to that are no longer there, for they had signaled.
    signaled: Tally,
}

impl Found {
    fn room_for(count: usize) -> Result<Found, AllocError> {
        let mut leaves = Vec::new();
        leaves.try_reserve(count).map_err(|_| AllocError)?;
        Ok(Found { leaves, signaled: Tally::NONE })
    }

    #[inline]
    fn add(&mut self, leaf: Fence) -> Result<(), AllocError> {
        if self.leaves.len() == self.leaves.capacity() {
            self.make_room()?;
        }
        self.leaves.push(leaf);
        Ok(())
    }

    #[cold]
    fn make_room(&mut self) -> Result<(), AllocError> {
        let mut more = 1;
        if self.leaves.len() >= MANY {
            // The points of a timeline stand for the same fences again and again. As many come before the
            // next time as are left, so this takes no longer than sorting them all.
            self.sift();
            more = self.leaves.len();
        }
        self.leaves.try_reserve(more).map_err(|_| AllocError)
    }

    /// Leaves only what is pending and nothing else makes superfluous.
    fn sift(&mut self) {
        self.leaves.retain(|leaf| match leaf.status() {
            Status::Signaled(signal) => {
                self.signaled = self.signaled.and(Tally::of(signal));
                false
            }
            _ => true,
        });
        dedup(&mut self.leaves);
    }
}

/// Sorts `fences` by context and leaves only those that no other makes superfluous: duplicates go, and so
/// does what another of the same context is later than, unless it, or a fence in it, is abandoned. Asks no hook.
///
/// ```
/// use dma_fence::{FenceContext, dedup};
/// let gpu = FenceContext::software("gpu", "ring 0");
/// let (first, second) = (gpu.new_fence(), gpu.new_fence());
/// let mut fences = vec![second.fence(), first.fence(), second.fence()];
/// dedup(&mut fences);
/// assert_eq!(fences.len(), 1);
/// assert!(fences[0].same_fence(&second.fence()));
/// ```
#[doc(alias = "dma_fence_dedup_array")]
pub fn dedup(fences: &mut Vec<Fence>) {
    fences.sort_unstable_by_key(|fence| (fence.context(), fence.seqno(), fence.address()));
    fences.dedup_by(|next, fence| next.same_fence(fence));
    let same_context = |a: &Fence, b: &Fence| a.context() == b.context();
    fences.chunk_by_mut(same_context).for_each(latest_first);
    // What is kept is moved to the front; `latest` is the place of the first of its context there.
    let (mut kept, mut latest) = (0, 0);
    for next in 0..fences.len() {
        if kept == 0 || !same_context(&fences[latest], &fences[next]) {
            latest = kept;
        } else if fences[latest].supersedes(&fences[next]) {
            continue;
        }
        fences.swap(kept, next);
        kept += 1;
    }
    fences.truncate(kept);
}

/// Numbers that wrap are not sorted by time, so the latest one is looked for.
fn latest_first(timeline: &mut [Fence]) {
    if timeline.len() == 1 {
        return;
    }
    let later = |index: usize, than: usize| timeline[index].is_later_than(&timeline[than]);
    let latest = (1..timeline.len())
        .fold(0, |latest, index| if later(index, latest) == Some(true) { index } else { latest });
    timeline[..=latest].rotate_right(1);
}
