//! Unwrapping: the fences that containers stand for.

use crate::fence::Fence;
use crate::tally::Tally;
use core::iter::FusedIterator;

impl Fence {
    /// The fences that this one stands for, through any nesting of chains and arrays; a fence that is no
    /// container gives itself. Signaled ones are included, except those that a chain has let go.
    ///
    /// # Context
    /// Asks no fence anything, and takes nothing out of a chain.
    ///
    /// ```
    /// use dma_fence::{FenceArray, FenceChain, FenceContext};
    /// let gpu = FenceContext::software("gpu", "ring 0");
    /// let (a, b, c) = (gpu.new_fence(), gpu.new_fence(), gpu.new_fence());
    /// let both = FenceArray::new(vec![a.fence(), b.fence()])?;
    /// let chain = FenceChain::new(Some(c.fence()), both.into(), 1)?;
    /// let seqnos: Vec<u64> = chain.leaves().map(|leaf| leaf.seqno()).collect();
    /// assert_eq!(seqnos, [1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("dma_fence_unwrap_for_each", "dma_fence_unwrap_first", "dma_fence_unwrap_next"))]
    pub fn leaves(&self) -> Leaves {
        Leaves { array: None, rest: Some(self.clone()), taken_out: Tally::NONE }
    }
}

/// The fences that a fence stands for; see [`Fence::leaves`].
#[derive(Clone, Debug)]
pub struct Leaves {
    /// The array we are in, and its next member.
    array: Option<(Fence, usize)>,
    /// What comes after it.
    rest: Option<Fence>,
    taken_out: Tally,
}

impl Leaves {
    /// What those amounted to that the chains passed so far have let go.
    pub(crate) fn taken_out(&self) -> Tally {
        self.taken_out
    }

    fn next_member(&mut self) -> Option<Fence> {
        let (array, index) = self.array.as_mut()?;
        let member = array.members()?.get(*index).cloned();
        *index += 1;
        member
    }
}

impl Iterator for Leaves {
    type Item = Fence;

    fn next(&mut self) -> Option<Fence> {
        loop {
            if let Some(member) = self.next_member() {
                return Some(member);
            }
            let mut fence = self.rest.take()?;
            if let Some(node) = fence.chain() {
                let (prev, collected) = node.before();
                self.rest = prev;
                self.taken_out = self.taken_out.and(collected);
                fence = node.contained().clone();
            }
            if !fence.is_array() {
                return Some(fence);
            }
            self.array = Some((fence, 0));
        }
    }
}

impl FusedIterator for Leaves {}
