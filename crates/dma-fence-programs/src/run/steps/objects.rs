//! Reservation objects.

use crate::model::{FenceId, Kind};
use crate::op::Slots;
use crate::run::check::{Check, same};
use crate::run::{World, name};
use dma_fence::{Fence, ReservationGuard, ReservationStatus, Status, Usage, WaitError};
use std::time::Duration;

impl World {
    pub(super) fn add(
        &mut self,
        object: usize,
        usage: Usage,
        reserve: usize,
        fences: Slots,
    ) -> Check {
        let (ids, fences) = self.handles_of(fences);
        let mut reserved = reserve;
        let mut guard = self.objects[object].lock();
        guard.reserve(reserve).map_err(|error| error.to_string())?;
        for (id, fence) in ids.into_iter().zip(fences) {
            // Stubs are all on one timeline at one place: there is no telling which one is held.
            if matches!(self.model.fences[id].kind, Kind::Stub) {
                continue;
            }
            let real = guard.add(&fence, usage);
            let entries = entries(&guard, |fence| {
                let held = self.model.objects[object].iter().map(|&(held, _)| held);
                held.chain([id]).find(|&id| self.names[id] == name(fence))
            });
            let model = self.model.add(object, (id, usage), &mut reserved, &entries?);
            match model {
                Some(model) => same("add", model, real)?,
                None => return Err(format!("adding {id}: {real:?}, and now it holds {guard:?}")),
            }
        }
        Ok(())
    }

    pub(super) fn ask_object(&mut self, object: usize, usage: Usage) -> Check {
        self.ask_everything_in(object);
        let real = &self.objects[object];
        let fences = self.model.fences_of(object, usage);
        self.same_set("fences", &fences, &real.fences(usage))?;
        let unsignaled = self.model.unsignaled(object, usage);
        self.same_set("unsignaled", &unsignaled, &real.unsignaled(usage))?;
        same("is_signaled", unsignaled.is_empty(), real.is_signaled(usage))?;
        let abandoned: Vec<FenceId> = (unsignaled.iter().copied())
            .filter(|&id| self.model.fences[id].life == Status::Abandoned)
            .collect();
        let (status, waited) = match (abandoned.is_empty(), unsignaled.is_empty()) {
            (false, _) => ("abandoned", Err(WaitError::Abandoned)),
            (true, true) => ("idle", Ok(())),
            (true, false) => ("pending", Err(WaitError::TimedOut)),
        };
        let found = match real.status(usage) {
            ReservationStatus::Idle => "idle",
            ReservationStatus::Pending => "pending",
            ReservationStatus::Abandoned(fence) => {
                same("abandoned one", true, self.id_of(&fence, &abandoned).is_some())?;
                "abandoned"
            }
        };
        same("status", status, found)?;
        same("wait", waited, real.wait_timeout(usage, Duration::ZERO))
    }

    pub(super) fn singleton(&mut self, at: usize, object: usize, usage: Usage) -> Check {
        self.ask_everything_in(object);
        let unsignaled = self.model.unsignaled(object, usage);
        match (self.objects[object].singleton(usage), &unsignaled[..]) {
            (None, model) => same("singleton", model.len(), 0),
            (Some(fence), &[id]) => {
                self.same_fences("singleton", &[id], std::slice::from_ref(&fence))?;
                self.put_again(at, id, fence)
            }
            (Some(fence), model) => {
                let members = fence.members().unwrap_or_default();
                self.same_set("singleton", model, members)?;
                // Their order is the library's choice, and decides among errors of the same time.
                let ordered =
                    members.iter().filter_map(|member| self.id_of(member, model)).collect();
                let id = self.model.new_array(ordered, None);
                self.put(at, id, fence)
            }
        }
    }

    /// What an answer sets free may change the next one, and the order of the entries is the library's
    /// choice: so there is nothing left to set free.
    fn ask_everything_in(&mut self, object: usize) {
        for fence in self.model.fences_of(object, Usage::Bookkeep) {
            self.model.status(fence);
        }
        for fence in self.objects[object].fences(Usage::Bookkeep) {
            fence.status();
        }
    }
}

/// What an object holds. A fence is found from its own usage upwards.
fn entries(
    guard: &ReservationGuard<'_>,
    id: impl Fn(&Fence) -> Option<FenceId>,
) -> Check<Vec<(FenceId, Usage)>> {
    let mut entries: Vec<(FenceId, Usage)> = Vec::new();
    for usage in [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep] {
        for fence in guard.fences(usage) {
            let id = id(&fence).ok_or_else(|| format!("it holds {fence}"))?;
            if !entries.iter().any(|entry| entry.0 == id) {
                entries.push((id, usage));
            }
        }
    }
    Ok(entries)
}
