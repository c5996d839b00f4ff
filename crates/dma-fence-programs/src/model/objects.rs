//! Reservation objects: a list of fences, each with its usage.

use super::{FenceId, Model};
use dma_fence::{AddError, Status, Usage};

impl Model {
    /// The fences at or before a usage.
    pub(crate) fn fences_of(&self, object: usize, usage: Usage) -> Vec<FenceId> {
        let entries = self.objects[object].iter().filter(|entry| entry.1 <= usage);
        entries.map(|entry| entry.0).collect()
    }

    /// Those of them that have not signaled.
    pub(crate) fn unsignaled(&self, object: usize, usage: Usage) -> Vec<FenceId> {
        let mut fences = self.fences_of(object, usage);
        fences.retain(|&id| self.signaled(id).is_none());
        fences
    }

    /// Adds a fence. Where several entries could make room for it, the library chooses; `entries` is what
    /// it holds now, in any order. `None` if that is none of the possibilities.
    pub(crate) fn add(
        &mut self,
        object: usize,
        new: (FenceId, Usage),
        reserved: &mut usize,
        entries: &[(FenceId, Usage)],
    ) -> Option<Result<(), AddError>> {
        match self.possible_adds(object, new, *reserved > 0) {
            Err(error) => same(&self.objects[object], entries).then_some(Err(error)),
            Ok(possible) => {
                let chosen = possible.into_iter().find(|it| same(it, entries))?;
                *reserved -= chosen.len() - self.objects[object].len();
                self.objects[object] = chosen;
                Some(Ok(()))
            }
        }
    }

    fn possible_adds(
        &self,
        object: usize,
        new: (FenceId, Usage),
        has_slot: bool,
    ) -> Result<Vec<Entries>, AddError> {
        let old = &self.objects[object];
        if self.fences[new.0].is_container() {
            return Err(AddError::Container);
        }
        let with = |index: usize, entry: (FenceId, Usage)| {
            let mut entries = old.clone();
            entries[index] = entry;
            entries
        };
        if let Some(index) = old.iter().position(|entry| entry.0 == new.0) {
            return Ok(vec![with(index, (new.0, new.1.min(old[index].1)))]);
        }
        let makes_room = |index: &usize| self.makes_room(old[*index], new);
        let possible: Vec<Entries> =
            (0..old.len()).filter(makes_room).map(|index| with(index, new)).collect();
        match possible.is_empty() {
            false => Ok(possible),
            true if has_slot => Ok(vec![[&old[..], &[new]].concat()]),
            true => Err(AddError::NoSlot),
        }
    }

    fn makes_room(&self, old: (FenceId, Usage), new: (FenceId, Usage)) -> bool {
        match self.fences[old.0].life {
            Status::Signaled(_) => true,
            Status::Abandoned => false,
            Status::Pending => old.1 >= new.1 && self.is_later(new.0, old.0) == Some(true),
        }
    }
}

type Entries = Vec<(FenceId, Usage)>;

/// The same entries; their order means nothing.
fn same(a: &[(FenceId, Usage)], b: &[(FenceId, Usage)]) -> bool {
    a.len() == b.len() && a.iter().all(|entry| b.contains(entry))
}
