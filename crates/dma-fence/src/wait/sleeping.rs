//! A thread that sleeps for one fence.
//!
//! Its place to sleep is an entry of the fence's list itself, so a wait is one allocation. There is nothing to claim: a
//! wake-up that comes when nobody sleeps any more does no harm.
#![allow(unsafe_code)]

use crate::callback::{Header, Interest, Node, NodeRef};
use crate::fence::Fence;
use crate::outcome::Outcome;
use crate::shared::Shared;
use crate::sync::{Life, Parker};

#[repr(C)]
struct Place {
    header: Header,
    parker: Parker,
}

// SAFETY: `repr(C)` with the header first.
unsafe impl Node for Place {
    fn fire(this: Shared<Self>, _: &Outcome) {
        this.parker.unpark();
    }
}

/// Woken when the fence is decided. Dropping it takes the place off the fence.
pub(super) struct Sleeping<'a> {
    fence: &'a Fence,
    place: Shared<Place>,
}

impl<'a> Sleeping<'a> {
    /// Enables signaling.
    ///
    /// # Errors
    /// What the fence has been decided to.
    pub(super) fn register(fence: &'a Fence) -> Result<Self, Outcome> {
        let place = Place { header: Header::new::<Place>(), parker: Parker::new() };
        let (theirs, place) = Shared::new_pair(place);
        let linked = fence.link(NodeRef::new(theirs), Interest::Outcome, || {});
        linked.map(|()| Sleeping { fence, place }).map_err(|(_, outcome)| outcome)
    }

    pub(super) fn parker(&self) -> &Parker {
        &self.place.parker
    }
}

impl Drop for Sleeping<'_> {
    fn drop(&mut self) {
        // Else the place has left the fence, and need not be looked for.
        if self.fence.life() == Life::Pending {
            let place = NodeRef::new(self.place.clone());
            // SAFETY: We linked this node on this fence with this interest.
            drop(unsafe { self.fence.unlink(&place, Interest::Outcome) });
        }
    }
}
