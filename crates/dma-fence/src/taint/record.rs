//! One event.

use super::thread::Thread;
use crate::context::{ContextInner, Issued};
use crate::contract::Violation;
use crate::time::Timestamp;
use core::fmt;
use core::panic::Location;

/// What happened.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A fence lost its producer.
    Abandoned,
    /// Memory was leaked on purpose.
    Leak,
    /// Others were told that a fence had signaled before it had.
    EarlySignal,
    /// The contract was violated.
    Violation,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Abandoned => "abandoned",
            Kind::Leak => "leak",
            Kind::EarlySignal => "early signal",
            Kind::Violation => "violation",
        })
    }
}

/// One event: what, where, on which thread and when. `Display` says it all in one line.
#[derive(Clone)]
pub struct Record {
    event: Event,
    location: &'static Location<'static>,
    thread: Thread,
    at: Timestamp,
}

#[derive(Clone)]
pub(super) enum Event {
    Abandoned {
        context: Issued<ContextInner>,
        seqno: u64,
    },
    Leak {
        what: &'static str,
        bytes: u64,
    },
    EarlySignal {
        fence: (u64, u64),
    },
    #[cfg_attr(not(feature = "contract"), expect(dead_code, reason = "nothing is checked"))]
    Violation(Violation),
}

impl Record {
    pub(super) fn new(event: Event, location: &'static Location<'static>) -> Record {
        Record { event, location, thread: Thread::current(), at: Timestamp::now() }
    }

    /// What happened.
    pub fn kind(&self) -> Kind {
        match self.event {
            Event::Abandoned { .. } => Kind::Abandoned,
            Event::Leak { .. } => Kind::Leak,
            Event::EarlySignal { .. } => Kind::EarlySignal,
            Event::Violation(_) => Kind::Violation,
        }
    }

    /// When it happened.
    pub fn timestamp(&self) -> Timestamp {
        self.at
    }

    /// Where: for an abandoned fence where its producer was made, for a leak where the memory was given
    /// up, for an early signal where the fence was exported, for a violation where the forbidden step
    /// was taken.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// The name of the thread that it happened on, as the system knows it: 15 bytes at most. None
    /// without `std`, or if the system does not say.
    pub fn thread(&self) -> Option<&str> {
        self.thread.name()
    }

    /// Was that thread panicking?
    pub fn thread_was_panicking(&self) -> bool {
        self.thread.was_panicking()
    }

    /// The fence that it is about, as context and sequence number.
    pub fn fence(&self) -> Option<(u64, u64)> {
        match &self.event {
            Event::Abandoned { context, seqno } => Some((context.id, *seqno)),
            Event::Leak { .. } => None,
            Event::EarlySignal { fence } => Some(*fence),
            Event::Violation(violation) => violation.fence(),
        }
    }

    /// The driver of the abandoned fence.
    pub fn driver_name(&self) -> Option<&str> {
        self.context().map(|context| &*context.driver)
    }

    /// The timeline of the abandoned fence.
    pub fn timeline_name(&self) -> Option<&str> {
        self.context().map(|context| &*context.timeline)
    }

    fn context(&self) -> Option<&ContextInner> {
        match &self.event {
            Event::Abandoned { context, .. } => Some(context),
            _ => None,
        }
    }

    /// How many bytes were leaked.
    pub fn leaked_bytes(&self) -> Option<u64> {
        match self.event {
            Event::Leak { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// What was violated, with all places.
    pub fn violation(&self) -> Option<&Violation> {
        match &self.event {
            Event::Violation(violation) => Some(violation),
            _ => None,
        }
    }

    #[cfg(feature = "tracing")]
    pub(super) fn log(&self) {
        let (context, seqno) = self.fence().unzip();
        tracing::warn!(
            kind = %self.kind(),
            driver = self.driver_name(),
            timeline = self.timeline_name(),
            context,
            seqno,
            location = %self.location,
            thread = self.thread(),
            "{self}"
        );
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.location;
        match &self.event {
            Event::Abandoned { context, seqno } => write!(
                f,
                "fence {} {} {}:{seqno}, made at {location}, lost its producer before it signaled",
                context.driver, context.timeline, context.id
            ),
            Event::Leak { what, bytes } => {
                write!(f, "{bytes} bytes leaked on purpose at {location}: {what}")
            }
            Event::EarlySignal { fence: (context, seqno) } => write!(
                f,
                "fence {context}:{seqno}, exported at {location}, was signaled to others before it had"
            ),
            // It names its places itself.
            Event::Violation(violation) => write!(f, "{violation}"),
        }?;
        write!(f, "{}", self.thread)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:?}] {self}", self.at)
    }
}
