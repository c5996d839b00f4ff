//! Arrays: a fence that signals when all its members have.
//!
//! [`algorithm`] is the walk, free of everything; this file is its host in this library.
//!
//! # Implementation notes
//!
//! One node serves all members, one after the other, so the cost beyond the handles is constant. Three
//! rules keep it from leaking and from dangling:
//!
//! - ARRAY-UPWARD: the node knows its fence weakly. Handles and registered callbacks keep an array
//!   alive; its own walk does not.
//! - ARRAY-DISARM: when the last handle goes, nobody has the turn (a turn is a handle) and nobody can
//!   get one (there is nothing to upgrade), so the node is where `armed` says, or about to fire in
//!   vain; taking it off the member's list leaves nothing behind.
//! - ARRAY-ORDER: `armed` and `pending` are written by who has the turn. The array's own lock is never
//!   held while a member's is taken.
#![allow(unsafe_code)]

pub mod algorithm;

use crate::callback::{Header, Interest, Node, NodeRef};
use crate::context::{ContextInner, FenceContext, Issued, SeqnoOrder, allocate_context};
use crate::errno::Errno;
use crate::fence::{Fence, Inner, Kind};
use crate::outcome::Outcome;
use crate::shared::{AllocError, Shared, Slot, WeakShared};
use crate::sync::{AtomicU8, AtomicUsize, Ordering};
use crate::time::Timestamp;
use algorithm::{Host, Settled};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// The members and the walk: what makes a fence an array.
#[repr(C)]
pub(crate) struct ArrayNode {
    header: Header,
    context: ArrayContext,
    members: Vec<Fence>,
    /// See [`algorithm`]. Stored by who has the turn (Release), loaded by anybody (Acquire).
    pending: AtomicUsize,
    armed: Armed,
    fence: WeakShared<Inner>,
}

/// Where an array belongs.
pub(crate) enum ArrayContext {
    /// To a context somebody made.
    Of(Issued<ContextInner>),
    /// To one of its own.
    Own(u64),
}

impl ArrayContext {
    pub(crate) fn id(&self) -> u64 {
        match self {
            ArrayContext::Of(context) => context.id,
            ArrayContext::Own(id) => *id,
        }
    }

    pub(crate) fn driver_name(&self) -> &str {
        match self {
            ArrayContext::Of(context) => &context.driver,
            ArrayContext::Own(_) => "dma_fence_array",
        }
    }

    pub(crate) fn timeline_name(&self) -> &str {
        match self {
            ArrayContext::Of(context) => &context.timeline,
            ArrayContext::Own(_) => "unbound",
        }
    }

    pub(crate) fn seqnos(&self) -> SeqnoOrder {
        match self {
            ArrayContext::Of(context) => context.seqnos,
            ArrayContext::Own(_) => SeqnoOrder::Bits64,
        }
    }
}

/// With which interest the node is on member `pending - 1`, if it is on any (ARRAY-ORDER).
///
/// Set under the member's lock together with linking, cleared when a turn begins. Relaxed: it is read
/// when the last handle goes, and every turn was a handle before that.
struct Armed(AtomicU8);

impl Armed {
    fn never() -> Armed {
        Armed(AtomicU8::new(0))
    }
    fn set(&self, interest: Option<Interest>) {
        let value = match interest {
            None => 0,
            Some(Interest::Signal) => 1,
            Some(Interest::Outcome) => 2,
        };
        self.0.store(value, Ordering::Relaxed);
    }
    fn get(&self) -> Option<Interest> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Interest::Signal),
            _ => Some(Interest::Outcome),
        }
    }
}

impl ArrayNode {
    pub(crate) fn context(&self) -> &ArrayContext {
        &self.context
    }

    pub(crate) fn members(&self) -> &[Fence] {
        &self.members
    }

    /// The array's last handle goes: takes the node off the member that has it.
    #[inline(never)]
    pub(crate) fn disarm(this: &Shared<ArrayNode>) {
        let Some(interest) = this.armed.get() else { return };
        let Some(index) = this.pending.load(Ordering::Relaxed).checked_sub(1) else { return };
        // SAFETY: ARRAY-DISARM: `armed` says that it was linked there, and there is no turn.
        drop(unsafe { this.members[index].unlink(&NodeRef::new(this.clone()), interest) });
    }
}

// SAFETY: `repr(C)` with the header first.
unsafe impl Node for ArrayNode {
    fn fire(this: Shared<Self>, _: &Outcome) {
        if let Some(fence) = this.fence.upgrade() {
            this.armed.set(None);
            algorithm::on_callback(Turn(Fence(fence)));
        }
    }
}

/// A handle of an array's fence, as the algorithm passes it on.
struct Turn(Fence);

impl Turn {
    fn array(&self) -> &Shared<ArrayNode> {
        match self.0.array() {
            Some(array) => array,
            None => unreachable!("a turn is made of an array's fence only"),
        }
    }

    fn member(&self, index: usize) -> &Fence {
        &self.array().members[index]
    }

    fn link(&self, index: usize, interest: Interest) -> Result<(), Outcome> {
        let array = self.array();
        // Most have signaled when the walk comes to them, and nothing need be counted or locked to see that.
        if let Some(outcome) = array.members[index].decided(interest) {
            return Err(outcome);
        }
        let node = NodeRef::new(array.clone());
        let armed = || array.armed.set(Some(interest));
        array.members[index].link(node, interest, armed).map_err(|(_, outcome)| outcome)
    }
}

impl Host for Turn {
    fn members(&self) -> usize {
        self.array().members.len()
    }

    fn pending(&self) -> usize {
        self.array().pending.load(Ordering::Acquire)
    }

    fn set_pending(&self, pending: usize) {
        self.array().pending.store(pending, Ordering::Release);
    }

    fn member_signaled(&self, index: usize) -> bool {
        self.member(index).is_signaled()
    }

    fn member_error(&self, index: usize) -> Option<i32> {
        self.member(index).0.signal_record().result.err().map(Errno::raw)
    }

    fn member_timestamp(&self, index: usize) -> u64 {
        self.member(index).0.signal_record().timestamp.as_nanos()
    }

    fn arm(self, index: usize) -> Result<(), Self> {
        let mut outcome = self.link(index, Interest::Outcome);
        if outcome == Err(Outcome::Abandoned) {
            self.0.abandon();
            outcome = self.link(index, Interest::Signal);
        }
        // On success our handle goes here: the callback finds its own (ARRAY-UPWARD).
        outcome.map_err(|_| self)
    }

    fn queue_work(self) {
        // Callbacks run under no lock here, so now is the time.
        algorithm::on_work(self);
    }

    fn signal(&self, settled: Settled) {
        let error = settled.error.and_then(Errno::from_raw);
        self.0.complete(error.map_or(Ok(()), Err), Timestamp::from_nanos(settled.timestamp));
    }
}

/// The first waiter starts the walk.
pub(crate) fn enable(fence: &Fence) {
    algorithm::enable(Turn(fence.clone()));
}

/// Signals the array if all members have signaled.
pub(crate) fn poll(fence: &Fence) {
    let turn = Turn(fence.clone());
    if algorithm::signaled(&turn) {
        turn.signal(algorithm::settle(&turn));
    }
}

/// Why members were refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalReason {
    /// An array of nothing would signal never or at once; merge instead.
    Empty,
    /// The member at this index is an array or a chain; merge instead.
    Container(usize),
}

/// Members that no array can be made of, handed back.
pub struct RefusedMembers {
    /// Why.
    pub reason: RefusalReason,
    /// The members as they were given.
    pub members: Vec<Fence>,
}

impl fmt::Display for RefusedMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            RefusalReason::Empty => f.write_str("a fence array needs at least one member"),
            RefusalReason::Container(index) => {
                write!(f, "member {index} of the fence array is a container itself")?;
                // Who has taken the members out still has an error to print.
                self.members.get(index).map_or(Ok(()), |member| write!(f, ": {member}"))
            }
        }
    }
}

impl fmt::Debug for RefusedMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefusedMembers({self})")
    }
}

impl core::error::Error for RefusedMembers {}

/// Members that an array can be made of.
#[derive(Debug)]
pub struct ArrayMembers(Vec<Fence>);

impl ArrayMembers {
    /// # Errors
    /// Hands the members back if there are none or one is a container.
    pub fn new(members: Vec<Fence>) -> Result<Self, RefusedMembers> {
        let reason = if members.is_empty() {
            RefusalReason::Empty
        } else if let Some(index) = members.iter().position(Fence::is_container) {
            RefusalReason::Container(index)
        } else {
            return Ok(ArrayMembers(members));
        };
        Err(RefusedMembers { reason, members })
    }
}

/// Memory for an array that is not there yet.
///
/// ```
/// use dma_fence::{ArrayAllocation, ArrayMembers, FenceContext};
/// let context = FenceContext::hardware("gpu", "copy");
/// let tiles = [context.new_fence(), context.new_fence()];
/// let members = ArrayMembers::new(tiles.iter().map(|t| t.fence()).collect())?;
/// let memory = ArrayAllocation::new()?;
/// // … the point of no return …
/// let array = memory.init(members);
/// for tile in tiles {
///     assert!(!array.is_signaled());
///     tile.signal(Ok(()));
/// }
/// assert!(array.is_signaled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "dma_fence_array_alloc")]
pub struct ArrayAllocation {
    fence: Slot<Inner>,
    node: Slot<ArrayNode>,
}

impl ArrayAllocation {
    /// Allocates all that an array of any size needs beyond its members.
    ///
    /// # Errors
    /// There was no memory.
    pub fn new() -> Result<Self, AllocError> {
        Ok(ArrayAllocation { fence: Slot::try_new()?, node: Slot::try_new()? })
    }

    /// Makes the array, on a context of its own. Cannot fail and allocates nothing.
    #[doc(alias = "dma_fence_array_init")]
    pub fn init(self, members: ArrayMembers) -> FenceArray {
        self.build(members, ArrayContext::Own(allocate_context()), 1)
    }

    /// Makes the array the next fence of `context`. Cannot fail and allocates nothing.
    #[doc(alias = "dma_fence_array_init")]
    pub fn init_in(self, context: &FenceContext, members: ArrayMembers) -> FenceArray {
        let (seqno, context) = context.next();
        self.build(members, ArrayContext::Of(context), seqno)
    }

    fn build(
        self,
        ArrayMembers(members): ArrayMembers,
        context: ArrayContext,
        seqno: u64,
    ) -> FenceArray {
        let node = self.node.fill(ArrayNode {
            header: Header::new::<ArrayNode>(),
            context,
            pending: AtomicUsize::new(members.len()),
            members,
            armed: Armed::never(),
            fence: self.fence.downgrade(),
        });
        FenceArray(Fence::make(self.fence, Inner::new(Kind::Array(node), seqno, None)))
    }
}

impl fmt::Debug for ArrayAllocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArrayAllocation")
    }
}

/// A fence that signals when all its members have, with one callback registered at a time.
///
/// The result is the error of the member that failed first in time; the timestamp is the latest
/// member's. A member found abandoned makes the array abandoned. Nothing is registered on any member
/// until somebody waits for the array, and dropping its last handle takes the callback back.
///
/// ```
/// use dma_fence::{Errno, FenceArray, FenceContext, FenceError};
/// let disk = FenceContext::hardware("disk", "write").new_fence();
/// let hash = FenceContext::software("cpu", "hash").new_fence();
/// let both = FenceArray::new(vec![disk.fence(), hash.fence()])?;
/// disk.signal(Err(Errno::EIO));
/// assert!(!both.is_signaled());
/// hash.signal(Ok(()));
/// assert_eq!(both.wait(), Err(FenceError::Failed(Errno::EIO)));
/// # Ok::<(), dma_fence::RefusedMembers>(())
/// ```
#[doc(alias = "dma_fence_array")]
#[derive(Clone, Debug)]
pub struct FenceArray(Fence);

impl FenceArray {
    /// Allocates and makes an array on a context of its own.
    ///
    /// # Errors
    /// Hands the members back if there are none or one is a container.
    #[doc(alias = "dma_fence_array_create")]
    pub fn new(members: Vec<Fence>) -> Result<Self, RefusedMembers> {
        let members = ArrayMembers::new(members)?;
        let memory = ArrayAllocation { fence: Slot::new(), node: Slot::new() };
        Ok(memory.init(members))
    }

    /// The members, signaled ones included.
    #[doc(alias("dma_fence_array_for_each", "dma_fence_array_first", "dma_fence_array_next"))]
    pub fn members(&self) -> &[Fence] {
        self.0.members().unwrap_or_default()
    }
}

impl Deref for FenceArray {
    type Target = Fence;
    fn deref(&self) -> &Fence {
        &self.0
    }
}

impl From<FenceArray> for Fence {
    fn from(array: FenceArray) -> Fence {
        array.0
    }
}
