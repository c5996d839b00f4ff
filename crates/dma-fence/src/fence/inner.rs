//! What a fence consists of.

use super::{Fence, Kind};
use crate::callback::List;
use crate::ops::FenceOps;
use crate::outcome::Signal;
use crate::sync::{AtomicU64, Ordering, State, StateLock};
use crate::time::Timestamp;
use crate::trace;
use alloc::sync::Arc;

/// The shared part of all handles of one fence.
pub(crate) struct Inner {
    /// State and lock in one word, and what the lock guards.
    pub(crate) lock: StateLock<Guarded>,
    /// Written once, by whoever holds the lock and is about to publish Signaled; read by those who have
    /// seen Signaled (invariant RESULT-BEFORE-STATE).
    timestamp: AtomicU64,
    pub(crate) seqno: u64,
    pub(crate) kind: Kind,
}

/// What the fence's lock guards.
pub(crate) struct Guarded {
    pub(super) callbacks: List,
    /// Gone once the fence has signaled.
    pub(super) ops: Option<Arc<dyn FenceOps>>,
    /// The next fence of the context's abandoned ones.
    pub(crate) next_abandoned: Option<Fence>,
}

impl Inner {
    /// A pending fence.
    pub(crate) fn new(kind: Kind, seqno: u64, ops: Option<Arc<dyn FenceOps>>) -> Inner {
        let polled = kind.is_container() || ops.as_ref().is_some_and(|ops| ops.polls());
        let to_enable = kind.is_container() || ops.is_some() || trace::listens();
        Inner::in_state(State::NEW.polled(polled).to_enable(to_enable), kind, seqno, ops)
    }

    /// A pending fence that its consumers keep alive and its producer does not.
    pub(crate) fn observed(kind: Kind, seqno: u64, ops: Arc<dyn FenceOps>) -> Inner {
        let state = State::NEW.polled(ops.polls()).to_enable(true).observed();
        Inner::in_state(state, kind, seqno, Some(ops))
    }

    /// A fence that has signaled before anybody sees it.
    pub(crate) fn signaled(signal: Signal) -> Inner {
        let inner = Inner::in_state(State::NEW.signaled(signal.result), Kind::Stub, 0, None);
        inner.record(signal.timestamp);
        inner
    }

    fn in_state(state: State, kind: Kind, seqno: u64, ops: Option<Arc<dyn FenceOps>>) -> Inner {
        let guarded = Guarded { callbacks: List::new(), ops, next_abandoned: None };
        Inner { lock: StateLock::new(state, guarded), timestamp: AtomicU64::new(0), seqno, kind }
    }

    /// The caller holds the lock and is about to publish Signaled.
    pub(super) fn record(&self, timestamp: Timestamp) {
        self.timestamp.store(timestamp.as_nanos(), Ordering::Relaxed);
    }

    /// The caller has seen Signaled.
    pub(crate) fn signal_record(&self) -> Signal {
        Signal {
            result: self.lock.load().result(),
            timestamp: Timestamp::from_nanos(self.timestamp.load(Ordering::Relaxed)),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        trace::destroyed(self);
        self.kind.released();
    }
}
