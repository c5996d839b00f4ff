//! What a fence consists of.

use super::Fence;
use crate::array::ArrayNode;
use crate::callback::List;
use crate::context::ContextInner;
use crate::errno::Errno;
use crate::ops::FenceOps;
use crate::outcome::Signal;
use crate::shared::Shared;
use crate::sync::{AtomicI32, AtomicU64, Ordering, State, StateLock};
use crate::time::Timestamp;
use alloc::sync::Arc;

/// The shared part of all handles of one fence.
pub(crate) struct Inner {
    /// State and lock in one word, and what the lock guards.
    pub(crate) lock: StateLock<Guarded>,
    /// 0 or the error number. With `timestamp`: written once, by whoever holds the lock and is about
    /// to publish Signaled; read by those who have seen Signaled (invariant RESULT-BEFORE-STATE).
    error: AtomicI32,
    timestamp: AtomicU64,
    pub(crate) seqno: u64,
    pub(crate) context: ContextRef,
    pub(crate) array: Option<Shared<ArrayNode>>,
}

/// What the fence's lock guards.
pub(crate) struct Guarded {
    pub(super) callbacks: List,
    /// Gone once the fence has signaled.
    pub(super) ops: Option<Arc<dyn FenceOps>>,
    /// The next fence of the context's abandoned ones.
    pub(crate) next_abandoned: Option<Fence>,
}

/// Where a fence belongs.
pub(crate) enum ContextRef {
    /// To a context somebody made.
    Of(Arc<ContextInner>),
    /// To a context of its own: an array.
    Own(u64),
}

impl Inner {
    pub(crate) fn new(
        context: ContextRef,
        seqno: u64,
        ops: Option<Arc<dyn FenceOps>>,
        array: Option<Shared<ArrayNode>>,
    ) -> Inner {
        let polled = array.is_some() || ops.as_ref().is_some_and(|ops| ops.polls());
        let to_enable = array.is_some() || ops.is_some();
        let state = State::NEW.polled(polled).to_enable(to_enable);
        Inner {
            lock: StateLock::new(
                state,
                Guarded { callbacks: List::new(), ops, next_abandoned: None },
            ),
            error: AtomicI32::new(0),
            timestamp: AtomicU64::new(0),
            seqno,
            context,
            array,
        }
    }

    /// The caller holds the lock and is about to publish Signaled.
    pub(super) fn record(&self, signal: Signal) {
        let error = signal.result.err().map_or(0, Errno::raw);
        self.error.store(error, Ordering::Relaxed);
        self.timestamp.store(signal.timestamp.as_nanos(), Ordering::Relaxed);
    }

    /// The caller has seen Signaled.
    pub(crate) fn signal_record(&self) -> Signal {
        let error = Errno::from_raw(self.error.load(Ordering::Relaxed));
        Signal {
            result: error.map_or(Ok(()), Err),
            timestamp: Timestamp::from_nanos(self.timestamp.load(Ordering::Relaxed)),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(array) = &self.array {
            ArrayNode::disarm(array);
        }
    }
}

impl ContextRef {
    pub(crate) fn id(&self) -> u64 {
        match self {
            ContextRef::Of(context) => context.id,
            ContextRef::Own(id) => *id,
        }
    }

    pub(crate) fn driver_name(&self) -> &str {
        match self {
            ContextRef::Of(context) => &context.driver,
            ContextRef::Own(_) => "dma_fence_array",
        }
    }

    pub(crate) fn timeline_name(&self) -> &str {
        match self {
            ContextRef::Of(context) => &context.timeline,
            ContextRef::Own(_) => "unbound",
        }
    }

    pub(crate) fn seqno_is_later(&self, this: u64, other: u64) -> Option<bool> {
        match self {
            ContextRef::Of(context) => context.seqnos.is_later(this, other),
            ContextRef::Own(_) => Some(this > other),
        }
    }
}
