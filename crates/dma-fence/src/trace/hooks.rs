//! The places where something is told.

use super::inside::{self, Inside};
use super::{Event, EventKind, SINK, Sink};
use crate::errno::Errno;
use crate::fence::{Fence, Inner, Kind};
use crate::time::Timestamp;

/// A time, and who is to hear what happened then; nobody, if there is no sink.
#[derive(Clone, Copy)]
pub(crate) struct Moment(Option<(&'static dyn Sink, Timestamp)>);

/// Now. Taken before others can see what is told of it, so that nothing that they do is earlier.
#[inline]
pub(crate) fn moment() -> Moment {
    // Nearly always there is none: the rest is out of the way.
    match SINK.get() {
        None => Moment(None),
        Some(sink) => now(sink),
    }
}

#[cold]
#[inline(never)]
fn now(sink: &'static dyn Sink) -> Moment {
    Moment(Some((sink, Timestamp::now())))
}

impl Moment {
    #[inline]
    pub(super) fn is_heard(self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(crate) fn enabled(self, fence: &Inner) {
        self.tell(EventKind::EnableSignal, fence);
    }

    #[inline]
    pub(crate) fn abandoned(self, fence: &Inner) {
        self.tell(EventKind::Abandoned, fence);
    }

    #[inline]
    pub(crate) fn signaled(self, fence: &Inner, result: Result<(), Errno>) {
        self.tell(EventKind::Signaled(result), fence);
    }

    /// NO-USER-CODE: call it under no lock of the library. It never unwinds, so it may stand anywhere else.
    #[inline]
    pub(super) fn tell(self, kind: EventKind, fence: &Inner) {
        if let Some((sink, at)) = self.0 {
            tell(sink, at, kind, fence);
        }
    }
}

#[cold]
#[inline(never)]
fn tell(sink: &'static dyn Sink, at: Timestamp, kind: EventKind, fence: &Inner) {
    if is_stub(fence) {
        return;
    }
    // What the sink does itself is not told, or there would be no end.
    let Some(_inside) = Inside::enter() else { return };
    let (context, seqno) = (fence.kind.context(), fence.seqno);
    let (driver, timeline) = (fence.kind.driver_name(), fence.kind.timeline_name());
    let event = Event { kind, context, seqno, driver, timeline, at };
    inside::contained(|| sink.event(&event));
}

fn is_stub(fence: &Inner) -> bool {
    matches!(fence.kind, Kind::Stub)
}

/// Is there a sink? Then fences without a backend, too, notice their first waiter.
#[inline]
pub(crate) fn listens() -> bool {
    SINK.get().is_some()
}

/// The fence is made, and nobody else has it yet.
#[inline]
pub(crate) fn made(fence: &Fence) {
    let moment = moment();
    if moment.is_heard() {
        tell_made(moment, fence);
    }
}

#[cold]
#[inline(never)]
fn tell_made(moment: Moment, fence: &Fence) {
    moment.tell(EventKind::Init, &fence.0);
    let member = |member: &Fence| {
        if !is_stub(&member.0) {
            let (context, seqno) = (member.context(), member.seqno());
            moment.tell(EventKind::Member { context, seqno }, &fence.0);
        }
    };
    fence.members().unwrap_or_default().iter().for_each(member);
    if let Some(node) = fence.chain() {
        member(node.contained());
        node.before().0.iter().for_each(member);
    }
}

/// The last handle has gone.
#[inline]
pub(crate) fn destroyed(fence: &Inner) {
    moment().tell(EventKind::Destroy, fence);
}
