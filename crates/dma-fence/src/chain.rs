//! Chains: a timeline of fences, each point of which signals when it and all before it have.
//!
//! - [`node`]: what makes a fence a chain node, and the walk along it

mod node;

pub(crate) use node::{ChainNode, poll, walk as enable};

use crate::context::allocate_context;
use crate::fence::{Fence, Inner, Kind};
use crate::shared::{AllocError, Shared, Slot};
use core::fmt;
use core::ops::Deref;

/// A fence that a chain node can contain: any but another chain.
#[derive(Clone, Debug)]
pub struct ContainedFence(Fence);

impl ContainedFence {
    /// # Errors
    /// Hands the fence back if it is a chain: put it *before* the node instead.
    pub fn new(fence: Fence) -> Result<Self, RefusedFence> {
        if fence.is_chain() { Err(RefusedFence { fence }) } else { Ok(ContainedFence(fence)) }
    }
}

/// A chain, which no chain node can contain, handed back.
#[derive(Debug)]
pub struct RefusedFence {
    /// The fence as it was given.
    pub fence: Fence,
}

impl fmt::Display for RefusedFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a fence chain node cannot contain another chain: {}", self.fence)
    }
}

impl core::error::Error for RefusedFence {}

/// A point of the timeline that nobody has added yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeyondHead {
    /// The last point there is.
    pub head: u64,
    /// The point that was asked for.
    pub asked: u64,
}

impl fmt::Display for BeyondHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "point {} is beyond the chain's head, which is {}", self.asked, self.head)
    }
}

impl core::error::Error for BeyondHead {}

/// Memory for a chain node that is not there yet.
///
/// ```
/// use dma_fence::{ChainAllocation, ContainedFence, FenceContext};
/// let job = FenceContext::hardware("gpu", "ring 0").new_fence();
/// let contained = ContainedFence::new(job.fence())?;
/// let memory = ChainAllocation::new()?;
/// // … the point of no return …
/// let point = memory.init(None, contained, 1);
/// job.signal(Ok(()));
/// assert!(point.is_signaled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "dma_fence_chain_alloc")]
pub struct ChainAllocation {
    fence: Slot<Inner>,
    node: Slot<ChainNode>,
}

impl ChainAllocation {
    /// Allocates all that a chain node needs.
    ///
    /// # Errors
    /// There was no memory.
    pub fn new() -> Result<Self, AllocError> {
        Ok(ChainAllocation { fence: Slot::try_new()?, node: Slot::try_new()? })
    }

    /// Makes the node that comes after `prev`. Cannot fail and allocates nothing.
    ///
    /// It is on the context of `prev` if that is a chain with an earlier `seqno`. Else a new context
    /// begins, and the node's sequence number is at least that of the chain before it.
    #[doc(alias = "dma_fence_chain_init")]
    pub fn init(self, prev: Option<Fence>, fence: ContainedFence, seqno: u64) -> FenceChain {
        let before = prev.as_ref().and_then(|prev| Some((prev.chain()?.context(), prev.seqno())));
        let (context, prev_seqno, seqno) = match before {
            Some((context, before)) if seqno > before => (context, before, seqno),
            Some((_, before)) => (allocate_context(), 0, before),
            None => (allocate_context(), 0, seqno),
        };
        let upward = self.fence.downgrade();
        let node = ChainNode::new(context, prev, prev_seqno, fence.0, upward);
        let node = Kind::Chain(self.node.fill(node));
        FenceChain(Fence::make(self.fence, Inner::new(node, seqno, None)))
    }
}

impl fmt::Debug for ChainAllocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainAllocation")
    }
}

/// A point of a timeline: signals when its own fence and everything before it have.
///
/// The result is the error that came first in time, the one with the lowest number among equals; the
/// timestamp is the latest. Something in it found abandoned makes the point abandoned: found as with
/// arrays, when the walk gets there or somebody asks for the status. And as with arrays one callback is
/// registered at a time, none until somebody waits, and dropping the last handle takes it back.
///
/// ```
/// use dma_fence::{FenceChain, FenceContext};
/// let gpu = FenceContext::hardware("gpu", "ring 0");
/// let jobs = [gpu.new_fence(), gpu.new_fence()];
/// let first = FenceChain::new(None, jobs[0].fence(), 10)?;
/// let head = FenceChain::new(Some(first.into()), jobs[1].fence(), 20)?;
///
/// let point = head.find_seqno(7)?;           // what signals 7 is the node at 10
/// assert_eq!(point.seqno(), 10);
/// assert!(head.find_seqno(21).is_err());     // nobody has submitted that yet
///
/// let [one, two] = jobs;
/// two.signal(Ok(()));
/// assert!(!head.is_signaled());
/// one.signal(Ok(()));
/// assert!(head.is_signaled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "dma_fence_chain")]
#[derive(Clone, Debug)]
pub struct FenceChain(Fence);

impl FenceChain {
    /// Allocates and makes the node that comes after `prev`; see [`ChainAllocation::init`].
    ///
    /// # Errors
    /// Hands `fence` back if it is a chain itself.
    pub fn new(prev: Option<Fence>, fence: Fence, seqno: u64) -> Result<Self, RefusedFence> {
        let contained = ContainedFence::new(fence)?;
        let memory = ChainAllocation { fence: Slot::new(), node: Slot::new() };
        Ok(memory.init(prev, contained, seqno))
    }

    /// The chain that a fence is.
    ///
    /// # Errors
    /// Hands the fence back if it is none.
    #[doc(alias = "to_dma_fence_chain")]
    pub fn from_fence(fence: Fence) -> Result<Self, Fence> {
        if fence.is_chain() { Ok(FenceChain(fence)) } else { Err(fence) }
    }

    fn node(&self) -> &Shared<ChainNode> {
        match self.0.chain() {
            Some(node) => node,
            None => unreachable!("only chains get in here"),
        }
    }

    /// The fence of this point alone.
    #[doc(alias = "dma_fence_chain_contained")]
    pub fn contained(&self) -> &Fence {
        self.node().contained()
    }

    /// What is before this point and has not signaled. Takes signaled nodes out of the chain.
    ///
    /// # Context
    /// Asks the fences on the way as [`Fence::is_signaled`] does.
    #[doc(alias = "dma_fence_chain_walk")]
    pub fn prev(&self) -> Option<Fence> {
        self.node().prev(Fence::is_signaled)
    }

    /// The sequence number of the point before this one on the same context; 0 if this is the first.
    pub fn prev_seqno(&self) -> u64 {
        self.node().prev_seqno()
    }

    /// This point, then what is before it; the last one may be a fence that is no chain. Takes signaled
    /// nodes out of the chain on the way.
    #[doc(alias = "dma_fence_chain_for_each")]
    pub fn iter(&self) -> ChainIter {
        ChainIter(Some(self.0.clone()))
    }

    /// The first fence of the chain that will signal the point `seqno`; one that has signaled if the
    /// point has been passed. As in Linux, 0 asks for the chain itself, and what points failed with that
    /// have been let go is told by those after them only.
    ///
    /// # Errors
    /// Nobody has added that point yet.
    ///
    /// # Context
    /// As [`prev`](Self::prev).
    #[doc(alias = "dma_fence_chain_find_seqno")]
    pub fn find_seqno(&self, seqno: u64) -> Result<Fence, BeyondHead> {
        if seqno == 0 {
            return Ok(self.0.clone());
        }
        if seqno > self.seqno() {
            return Err(BeyondHead { head: self.seqno(), asked: seqno });
        }
        let signals_it = |fence: &Fence| match fence.chain() {
            Some(node) => node.context() != self.context() || node.prev_seqno() < seqno,
            None => true,
        };
        Ok(self.iter().find(signals_it).unwrap_or_else(Fence::signaled))
    }
}

impl Deref for FenceChain {
    type Target = Fence;
    fn deref(&self) -> &Fence {
        &self.0
    }
}

impl From<FenceChain> for Fence {
    fn from(chain: FenceChain) -> Fence {
        chain.0
    }
}

impl IntoIterator for &FenceChain {
    type Item = Fence;
    type IntoIter = ChainIter;

    fn into_iter(self) -> ChainIter {
        self.iter()
    }
}

/// The points of a chain, from the head back.
#[derive(Clone, Debug)]
pub struct ChainIter(Option<Fence>);

impl Iterator for ChainIter {
    type Item = Fence;

    fn next(&mut self) -> Option<Fence> {
        let fence = self.0.take()?;
        self.0 = fence.chain().and_then(|node| node.prev(Fence::is_signaled));
        Some(fence)
    }
}
