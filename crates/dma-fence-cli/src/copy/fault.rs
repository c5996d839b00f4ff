//! Failures: the ones that are asked for, and which of those that are seen is the cause.

use dma_fence::{FenceError, taint};
use dma_fence_engines::Faults;

use super::pipeline::{Chunk, Job, Step};
use crate::{
    args::Inject,
    error::{CopyError, FenceReport, Taint},
};

/// What `--inject` means to the engines.
pub(super) fn injected(inject: Option<Inject>) -> Faults {
    match inject {
        None => Faults::none(),
        Some(Inject::EarlySignal) => Faults::early_signal(),
        Some(Inject::LostProducer(nth)) => Faults::lost_producer(nth),
        Some(Inject::IoError(nth)) => Faults::io_error(nth),
    }
}

/// A fence that did not signal success.
pub(super) struct Fault {
    fence: FenceReport,
    error: FenceError,
}

impl Fault {
    pub(super) fn new(chunk: &Chunk, step: &Step, error: FenceError, job: &Job<'_>) -> Self {
        let Step { operation, ref fence, .. } = *step;
        let name = format!(
            "{} {} {}:{}",
            fence.driver_name(),
            fence.timeline_name(),
            fence.context(),
            fence.seqno()
        );
        let fence = FenceReport {
            name,
            operation,
            path: job.path(operation).to_owned(),
            chunk: chunk.number,
            offset: chunk.offset,
        };
        Self { fence, error }
    }

    /// One failure takes others with it: what depends on it is cancelled, or fails with its error.
    /// But an operation depends only on earlier ones, so the earliest failure is the cause.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        let order = |fault: &Self| (fault.fence.chunk, fault.fence.operation);
        order(self) < order(other)
    }

    pub(super) fn into_error(self, quarantined: usize, released: usize) -> CopyError {
        match self.error {
            FenceError::Failed(errno) => CopyError::FenceFailed(self.fence, errno),
            FenceError::Abandoned => {
                let taint::Counts { abandoned, leaks, leaked_bytes, .. } = taint::counts();
                let taint = Taint { abandoned, leaks, leaked_bytes };
                CopyError::FenceAbandoned { fence: self.fence, quarantined, released, taint }
            }
        }
    }
}
