//! Arrays, chains, merging and unwrapping.

use crate::model::{FenceId, Kind, Merged, STUB};
use crate::op::Slots;
use crate::run::check::{Check, same};
use crate::run::{World, name};
use dma_fence::{
    ArrayAllocation, ArrayMembers, Fence, FenceArray, FenceChain, RefusalReason, Signal, Status,
    dedup, merge,
};

impl World {
    pub(super) fn new_array(&mut self, at: usize, members: Slots, context: Option<usize>) -> Check {
        let (ids, fences) = self.handles_of(members);
        let container = ids.iter().position(|&id| self.model.fences[id].is_container());
        let refused = match (ids.is_empty(), container) {
            (true, _) => Some(RefusalReason::Empty),
            (_, container) => container.map(RefusalReason::Container),
        };
        let array = ArrayMembers::new(fences).map(|members| self.init_array(members, context));
        match (array, refused) {
            (Err(back), refused) => {
                same("refused", refused, Some(back.reason))?;
                self.same_fences("handed back", &ids, &back.members)
            }
            (Ok(array), refused) => {
                let array = array?;
                same("refused", refused, None)?;
                self.same_fences("members", &ids, array.members())?;
                let id = self.model.new_array(ids, context);
                same("number of the array", self.model.number(id), array.seqno())?;
                self.put(at, id, array.into())
            }
        }
    }

    fn init_array(&self, members: ArrayMembers, context: Option<usize>) -> Check<FenceArray> {
        let memory = ArrayAllocation::new().map_err(|error| error.to_string())?;
        Ok(match context {
            None => memory.init(members),
            Some(context) => memory.init_in(&self.contexts.0[context], members),
        })
    }

    /// An array that the library made of these. Their order is its choice, and decides among errors of the
    /// same time.
    pub(super) fn put_array(&mut self, at: usize, ids: &[FenceId], array: Fence) -> Check {
        let members = array.members().unwrap_or_default();
        self.same_set("members", ids, members)?;
        let ordered = members.iter().filter_map(|member| self.id_of(member, ids)).collect();
        let id = self.model.new_array(ordered, None);
        self.put(at, id, array)
    }

    pub(super) fn new_chain(
        &mut self,
        at: usize,
        prev: Option<usize>,
        fence: usize,
        seqno: u64,
    ) -> Check {
        let Some((contained, fence)) = self.handle(fence) else { return Ok(()) };
        let (prev, before) = prev.and_then(|slot| self.handle(slot)).unzip();
        let refused = self.model.is_chain(contained);
        match FenceChain::new(before, fence, seqno) {
            Err(back) => {
                same("refused", refused, true)?;
                self.same_fences("handed back", &[contained], &[back.fence])
            }
            Ok(chain) => {
                same("refused", refused, false)?;
                let id = self.model.new_chain(prev, contained, seqno);
                let model = &self.model.fences[id];
                let Kind::Chain { prev_seqno, .. } = model.kind else { return Ok(()) };
                same("seqno", model.seqno, chain.seqno())?;
                same("prev_seqno", prev_seqno, chain.prev_seqno())?;
                let continues = |prev: FenceId| self.model.fences[prev].context == model.context;
                let continued = prev.filter(|&prev| continues(prev)).map(|prev| self.names[prev].0);
                let newest = self.names.iter().map(|name| name.0).max().unwrap_or(0);
                let fits = continued.map_or(chain.context() > newest, |it| it == chain.context());
                same("the context continues that of the chain before, or is new", true, fits)?;
                self.put(at, id, chain.into())
            }
        }
    }

    pub(super) fn leaves(&mut self, slot: usize) -> Check {
        let Some((id, fence)) = self.handle(slot) else { return Ok(()) };
        let model = self.model.leaves(id);
        let same_context = |context| model.iter().all(|&it| self.names[it].0 == context);
        for context in &self.contexts.0 {
            let id = context.id();
            same("match_context", same_context(id), fence.match_context(id))?;
        }
        self.same_fences("leaves", &model, &fence.leaves().collect::<Vec<_>>())
    }

    pub(super) fn points(&mut self, slot: usize) -> Check {
        let Some((id, fence)) = self.handle(slot) else { return Ok(()) };
        let Ok(chain) = FenceChain::from_fence(fence) else {
            return same("chain", self.model.is_chain(id), false);
        };
        let model = self.model.chain(id);
        self.model.drain();
        self.same_fences("points", &model, &chain.iter().collect::<Vec<_>>())?;
        self.same_set("before", model.get(1..2).unwrap_or_default(), &Vec::from_iter(chain.prev()))
    }

    pub(super) fn find_seqno(&mut self, at: usize, slot: usize, seqno: u64) -> Check {
        let Some((id, fence)) = self.handle(slot) else { return Ok(()) };
        let Ok(chain) = FenceChain::from_fence(fence) else { return Ok(()) };
        self.find_one(at, id, &chain, seqno)?;
        // Every other number, too: the borders are where it goes wrong.
        let kept = (self.model.handles[at], self.handles[at].clone());
        (0..=chain.seqno() + 1).try_for_each(|seqno| self.find_one(at, id, &chain, seqno))?;
        (self.model.handles[at], self.handles[at]) = kept;
        Ok(())
    }

    fn find_one(&mut self, at: usize, id: FenceId, chain: &FenceChain, seqno: u64) -> Check {
        let model = self.model.find_seqno(id, seqno);
        self.model.drain();
        match (model, chain.find_seqno(seqno)) {
            (Ok(Some(id)), Ok(found)) => {
                self.same_fences("found", &[id], std::slice::from_ref(&found))?;
                self.put_again(at, id, found)
            }
            (Ok(None), Ok(found)) => {
                same("passed", true, found.same_fence(&Fence::signaled()))?;
                self.put_again(at, STUB, found)
            }
            (model, found) => {
                let beyond = found.map(|found| Some(name(&found))).map_err(|error| error.head);
                same("find_seqno", model.map(|id| id.map(|id| self.names[id])), beyond)
            }
        }
    }

    /// In any order and any number of times: each result replaces the one before.
    pub(super) fn merge(&mut self, at: usize, fences: Slots) -> Check {
        let (mut ids, mut fences) = self.handles_of(fences);
        self.merge_once(at, &ids, &fences)?;
        ids.reverse();
        fences.reverse();
        self.merge_once(at, &ids, &fences)?;
        let (result, merged): (Vec<_>, Vec<_>) = self.handle(at).into_iter().unzip();
        self.merge_once(at, &result, &merged)?;
        ids.extend(result);
        fences.extend(merged);
        self.merge_once(at, &ids, &fences)
    }

    fn merge_once(&mut self, at: usize, ids: &[FenceId], fences: &[Fence]) -> Check {
        let model = self.model.merge(ids);
        let merged = merge(fences.iter().cloned());
        match model {
            Merged::Signaled(signal) => {
                self.same_status("merged", Status::Signaled(signal), merged.status())?;
                self.put_stub(at, merged, signal)
            }
            Merged::One(id) => {
                self.same_fences("merged", &[id], std::slice::from_ref(&merged))?;
                self.put_again(at, id, merged)
            }
            Merged::Array(ids) => {
                let members = merged.members().unwrap_or_default();
                let contexts: Vec<u64> = members.iter().map(Fence::context).collect();
                same("sorted by context", true, contexts.is_sorted())?;
                self.put_array(at, &ids, merged)
            }
        }
    }

    fn put_stub(&mut self, at: usize, fence: Fence, signal: Signal) -> Check {
        if fence.same_fence(&Fence::signaled()) {
            return self.put_again(at, STUB, fence);
        }
        let id = self.model.new_stub(signal);
        self.put(at, id, fence)
    }

    pub(super) fn dedup(&mut self, fences: Slots) -> Check {
        let (ids, mut fences) = self.handles_of(fences);
        let model = self.model.dedup(&ids);
        dedup(&mut fences);
        let contexts: Vec<u64> = fences.iter().map(Fence::context).collect();
        same("sorted by context", true, contexts.is_sorted())?;
        self.same_set("left", &model, &fences)
    }
}
