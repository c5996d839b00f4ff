//! Leaves, merge and dedup, as one would write them on a napkin.

use super::{FenceId, Kind, Model};
use dma_fence::{Errno, Signal, Status};

/// What a merge must give.
pub(crate) enum Merged {
    /// A fence that has signaled like this.
    Signaled(Signal),
    /// This fence.
    One(FenceId),
    /// An array of these.
    Array(Vec<FenceId>),
}

impl Model {
    /// The fences that one stands for.
    pub(crate) fn leaves(&self, id: FenceId) -> Vec<FenceId> {
        match &self.fences[id].kind {
            Kind::Plain { .. } | Kind::Stub => vec![id],
            Kind::Array { members } => members.clone(),
            Kind::Chain { contained, prev, .. } => {
                let mut leaves = self.leaves(*contained);
                leaves.extend(prev.iter().flat_map(|&prev| self.leaves(prev)));
                leaves
            }
        }
    }

    /// Those that no other makes superfluous, by context.
    pub(crate) fn dedup(&self, fences: &[FenceId]) -> Vec<FenceId> {
        let abandoned = |id: FenceId| self.fences[id].life == Status::Abandoned;
        // A container may not know yet that something in it is.
        let lost = |id: FenceId| abandoned(id) || self.leaves(id).into_iter().any(abandoned);
        let superseded = |id: FenceId| {
            !lost(id) && fences.iter().any(|&other| self.is_later(other, id) == Some(true))
        };
        let mut left: Vec<FenceId> = fences.iter().copied().filter(|&id| !superseded(id)).collect();
        left.sort_by_key(|&id| (self.fences[id].context, id));
        left.dedup();
        left
    }

    /// What a merge of these must give, which asks them all.
    pub(crate) fn merge(&mut self, fences: &[FenceId]) -> Merged {
        let mut pending: Vec<FenceId> = fences.iter().flat_map(|&id| self.leaves(id)).collect();
        pending.retain(|&leaf| !self.is_signaled(leaf));
        match self.dedup(&pending)[..] {
            [] => {
                // What a chain has let go of counts as much as what is left of it.
                let leaves = fences.iter().flat_map(|&id| self.all_leaves(id));
                Merged::Signaled(self.sum(&leaves.collect::<Vec<_>>(), Errno::raw))
            }
            [one] => Merged::One(one),
            ref several => Merged::Array(several.to_vec()),
        }
    }
}
