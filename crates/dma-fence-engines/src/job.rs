//! When a job starts: after its in-fences, by callback.
//!
//! Why a gate is made before the job exists: what can fail, building one array over several fences, comes
//! before the operation's fence is created and promised to anybody; opening the gate cannot fail.
//!
//! Two kinds of fences are waited for. *Explicit* ones carry data that the job needs: if one failed, the
//! job does not start and fails with the same error. *Implicit* ones only say when the memory is free:
//! whether that earlier operation went well is not this job's business. An *abandoned* fence of either
//! kind means that the job cannot start at all, and that it will not: it is cancelled.

use dma_fence::{Errno, Fence, FenceArray, Outcome, RefusedMembers, Status};

/// What a job waits for.
pub(crate) struct Gate {
    explicit: Vec<Fence>,
    wait: Option<Fence>,
}

impl Gate {
    /// Also tells whether an array had to be made.
    pub(crate) fn new(
        explicit: &[Fence],
        implicit: &[Fence],
    ) -> Result<(Gate, bool), RefusedMembers> {
        let mut waits: Vec<Fence> = Vec::with_capacity(explicit.len() + implicit.len());
        for fence in explicit.iter().chain(implicit) {
            // Arrays do not nest, so their members are waited for instead.
            for leaf in fence.members().unwrap_or(std::slice::from_ref(fence)) {
                if !leaf.is_signaled() && !waits.iter().any(|known| known.same_fence(leaf)) {
                    waits.push(leaf.clone());
                }
            }
        }
        let explicit = explicit.to_vec();
        Ok(match waits.len() {
            0 | 1 => (Gate { explicit, wait: waits.pop() }, false),
            _ => (Gate { explicit, wait: Some(FenceArray::new(waits)?.into()) }, true),
        })
    }

    /// Calls `start` once: now, or on the thread that decides the last in-fence.
    pub(crate) fn open(self, start: impl FnOnce(Result<(), Errno>) + Send + 'static) {
        let Gate { explicit, wait } = self;
        let Some(wait) = wait.filter(|_| verdict(&explicit).is_ok()) else {
            return start(verdict(&explicit));
        };
        let registered = wait.on_outcome(move |outcome| {
            start(match outcome {
                Outcome::Signaled(_) => verdict(&explicit),
                Outcome::Abandoned => Err(Errno::ECANCELED),
            })
        });
        match registered {
            Ok(registration) => registration.detach(),
            Err(declined) => (declined.callback)(&declined.outcome),
        }
    }
}

/// The error of the explicit in-fence that failed first.
fn verdict(explicit: &[Fence]) -> Result<(), Errno> {
    let signals = explicit.iter().filter_map(|fence| match fence.status() {
        Status::Signaled(signal) => signal.result.err().map(|error| (signal.timestamp, error)),
        _ => None,
    });
    signals.min_by_key(|(when, _)| *when).map_or(Ok(()), |(_, error)| Err(error))
}
