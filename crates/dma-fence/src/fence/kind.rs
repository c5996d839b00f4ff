//! What kind of fence it is, which says where it belongs and what it stands for.

use super::Fence;
use crate::array::{self, ArrayNode};
use crate::chain::{self, ChainNode};
use crate::context::{ContextInner, Issued, SeqnoOrder};
use crate::shared::Shared;

pub(crate) enum Kind {
    /// One operation, on a context that somebody made.
    Plain(Issued<ContextInner>),
    /// All of its members.
    Array(Shared<ArrayNode>),
    /// A point of a timeline and all before it.
    Chain(Shared<ChainNode>),
    /// Nothing: it has been signaled from the start.
    Stub,
}

impl Kind {
    #[inline]
    pub(crate) fn context(&self) -> u64 {
        match self {
            Kind::Plain(context) => context.id,
            Kind::Array(array) => array.context().id(),
            Kind::Chain(chain) => chain.context(),
            // No context has this number.
            Kind::Stub => 0,
        }
    }

    pub(crate) fn driver_name(&self) -> &str {
        match self {
            Kind::Plain(context) => &context.driver,
            Kind::Array(array) => array.context().driver_name(),
            Kind::Chain(_) => "dma_fence_chain",
            Kind::Stub => "stub",
        }
    }

    pub(crate) fn timeline_name(&self) -> &str {
        match self {
            Kind::Plain(context) => &context.timeline,
            Kind::Array(array) => array.context().timeline_name(),
            Kind::Chain(_) => "unbound",
            Kind::Stub => "stub",
        }
    }

    #[inline]
    pub(crate) fn seqnos(&self) -> SeqnoOrder {
        match self {
            Kind::Plain(context) => context.seqnos,
            Kind::Array(array) => array.context().seqnos(),
            Kind::Chain(_) => SeqnoOrder::Bits64,
            Kind::Stub => SeqnoOrder::Unordered,
        }
    }

    /// The context, and how its numbers compare, of what is no container.
    #[inline]
    pub(crate) fn timeline(&self) -> Option<(u64, SeqnoOrder)> {
        match self {
            Kind::Plain(context) => Some((context.id, context.seqnos)),
            Kind::Stub => Some((0, SeqnoOrder::Unordered)),
            Kind::Array(_) | Kind::Chain(_) => None,
        }
    }

    #[inline]
    pub(crate) fn is_container(&self) -> bool {
        matches!(self, Kind::Array(_) | Kind::Chain(_))
    }

    /// The last handle has gone.
    #[inline]
    pub(super) fn released(&self) {
        match self {
            Kind::Array(array) => ArrayNode::disarm(array),
            Kind::Chain(chain) => ChainNode::released(chain),
            Kind::Plain(_) | Kind::Stub => {}
        }
    }
}

// === what a container does as a fence ===

/// The first waiter is there: starts the walk over what the container stands for.
pub(super) fn enable(fence: &Fence) {
    match &fence.0.kind {
        Kind::Array(_) => array::enable(fence),
        Kind::Chain(node) => chain::enable(fence, node),
        Kind::Plain(_) | Kind::Stub => {}
    }
}

/// Signals the container if all that it stands for has.
pub(super) fn poll(fence: &Fence) {
    match &fence.0.kind {
        Kind::Array(_) => array::poll(fence),
        Kind::Chain(node) => chain::poll(fence, node),
        Kind::Plain(_) | Kind::Stub => {}
    }
}
