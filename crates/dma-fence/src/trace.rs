//! Events in the lives of fences, told to a [`Sink`] as they happen: what the kernel's trace points
//! `dma_fence:*` tell of its own.
//!
//! With feature `trace` a program may install one sink for the whole process. Without one each place where
//! something could be told costs one load; without the feature there is nothing.
//!
//! | event | is told | Linux |
//! |---|---|---|
//! | [`Init`](EventKind::Init) | when a fence is made, before anybody else has it | `dma_fence_init` |
//! | [`Member`](EventKind::Member) | at the same time, of containers: for each fence that it waits for | – |
//! | [`EnableSignal`](EventKind::EnableSignal) | when the first callback, wait, future or container comes, once | `dma_fence_enable_signal` |
//! | [`WaitStart`](EventKind::WaitStart) | when a thread begins to wait, for each fence that it waits for | `dma_fence_wait_start` |
//! | [`WaitEnd`](EventKind::WaitEnd) | when it has waited, for each of them, whatever came of it | `dma_fence_wait_end` |
//! | [`Abandoned`](EventKind::Abandoned) | when the loss of the producer is visible, before anybody is called | – |
//! | [`Signaled`](EventKind::Signaled) | when the signal is visible, before anybody is called, once | `dma_fence_signaled` |
//! | [`Destroy`](EventKind::Destroy) | when the last handle goes | `dma_fence_destroy` |
//!
//! - The sink is called on the thread where it happens, under no lock of the library.
//! - An event has the time when it began, so what follows from it is never earlier, and neither is anything
//!   than the `Init`. Two threads may call the sink the other way round: the times tell.
//! - A wait with a limit of zero only looks, and a future is no wait: nobody sleeps in the library. A wait for
//!   what has been decided is one, however short.
//! - Names are those of the context: no hook is asked, for it might be in the middle of something.
//! - [Stubs](crate::Fence::signaled) tell nothing and are nobody's member, for nothing happens to them. Fences
//!   made before the sink was installed tell all but `Init`, `Member` and, without a backend, `EnableSignal`.
//! - There is no `dma_fence_emit`: what a device begins, its driver knows.
//!
//! # What a sink may do
//!
//! Ask, clone and drop fences, register callbacks, even signal. What happens to fences inside the sink, on its
//! thread, is not told, so that it is never called inside itself; a sink that signals hides what follows from
//! that. It must not wait: it is called where the signal has to come from, and under the locks of whoever
//! called the library. A panic ends in the sink, after the panic hook has reported it.
//!
//! ```
//! use dma_fence::FenceContext;
//! use dma_fence::trace::{self, Event, EventKind, Sink};
//! use std::sync::Mutex;
//!
//! struct Log(Mutex<Vec<String>>);
//!
//! impl Sink for Log {
//!     fn event(&self, event: &Event<'_>) {
//!         self.0.lock().unwrap().push(format!("{} {}: {:?}", event.driver, event.seqno, event.kind));
//!     }
//! }
//!
//! static LOG: Log = Log(Mutex::new(Vec::new()));
//! trace::set_sink(&LOG)?;
//! let producer = FenceContext::hardware("gpu", "ring 0").new_fence();
//! producer.signal(Ok(()));
//! assert_eq!(*LOG.0.lock().unwrap(), ["gpu 1: Init", "gpu 1: Signaled(Ok(()))", "gpu 1: Destroy"]);
//! # Ok::<(), trace::SinkIsSet>(())
//! ```

mod hooks;
mod inside;
#[cfg(feature = "std")]
mod waits;

pub(crate) use hooks::{destroyed, listens, made, moment};
#[cfg(feature = "std")]
pub(crate) use waits::waits;

use crate::errno::Errno;
use crate::sync::global::SetOnce;
use crate::time::Timestamp;
use core::fmt;

static SINK: SetOnce<&'static dyn Sink> = SetOnce::new();

/// Who is told of events.
pub trait Sink: Sync {
    /// Something happened, on this thread.
    ///
    /// # Context
    /// Any that fences are used in: see [the module](self#what-a-sink-may-do).
    fn event(&self, event: &Event<'_>);
}

/// Tells `sink` of all events from now on, for as long as the process runs.
///
/// # Errors
/// There is one already.
///
/// # Context
/// Allocates nothing. A thread that is in the middle of something may still not tell it.
#[doc(alias = "register_trace_dma_fence_init")]
pub fn set_sink(sink: &'static dyn Sink) -> Result<(), SinkIsSet> {
    if SINK.set(sink) { Ok(()) } else { Err(SinkIsSet) }
}

/// The process has a sink already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SinkIsSet;

impl fmt::Display for SinkIsSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process has a sink for events of fences already")
    }
}

impl core::error::Error for SinkIsSet {}

/// Something happened to a fence.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// What.
    pub kind: EventKind,
    /// The number of the fence's context.
    pub context: u64,
    /// Its position on the timeline.
    pub seqno: u64,
    /// The driver's name, as the context has it.
    pub driver: &'a str,
    /// The timeline's name, likewise.
    pub timeline: &'a str,
    /// When, on the clock of all [timestamps](crate::Fence::timestamp). A signal may be told later than it
    /// says itself that it came.
    pub at: Timestamp,
}

/// What happened to a fence.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// It was made.
    #[doc(alias = "trace_dma_fence_init")]
    Init,
    /// It is a container, and waits for this fence among others: a member of an array, or of a point of a
    /// chain what it contains and what is before it.
    Member {
        /// The member's context.
        context: u64,
        /// The member's position on its timeline.
        seqno: u64,
    },
    /// Somebody is to be told of its signal, for the first time.
    #[doc(alias = "trace_dma_fence_enable_signal")]
    EnableSignal,
    /// A thread begins to wait for it.
    #[doc(alias = "trace_dma_fence_wait_start")]
    WaitStart,
    /// The thread does not wait any more: it signaled, it was lost, or time was over.
    #[doc(alias = "trace_dma_fence_wait_end")]
    WaitEnd,
    /// Its producer was lost; of a container, that of something in it.
    Abandoned,
    /// It signaled, with this result.
    #[doc(alias = "trace_dma_fence_signaled")]
    Signaled(Result<(), Errno>),
    /// Its last handle went.
    #[doc(alias = "trace_dma_fence_destroy")]
    Destroy,
}
