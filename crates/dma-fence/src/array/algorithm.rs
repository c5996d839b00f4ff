//! The array algorithm: all of N, with one callback registered at a time.
//!
//! Written once, for every host: this library, and Linux itself. It allocates nothing, needs no `std`
//! and no `unsafe`, takes no lock, and knows nothing about how fences work; a [`Host`] tells it.
//!
//! # The walk
//!
//! The array looks at its members from the last to the first. `pending` is how many it has yet to
//! account for, **including the one that carries the callback**:
//!
//! ```text
//!   members   0     1     2    …   n-1  |  n    …   N-1
//!             not looked at yet    armed|  accounted for: signaled
//!                          pending = n ─┘
//! ```
//!
//! WALK-TURN: there is one *turn*, an owned handle of the array. Who has it, and nobody else, may
//! lower `pending` and arm members: first who enables the array, then the callback of the armed
//! member, and so on. Arming gives the turn away, so nothing is touched after it.
//!
//! WALK-ACCOUNTED: a member at an index `>= pending` has signaled. `pending` is lowered with
//! store-release after that was found out, and read with load-acquire.
//!
//! | who | step | then |
//! |---|---|---|
//! | first waiter | [`enable`]: takes the turn, walks | member armed, or array signaled |
//! | armed member's signal | [`on_callback`]: has the turn | [`Host::queue_work`] |
//! | deferred work | [`on_work`]: has the turn, walks again from the member that fired | as `enable` |
//! | anybody | [`signaled`]: asks every member below `pending`, has no turn | answer |
//!
//! A member that fired is armed again, and its "already signaled" is what continues the loop: so there
//! is one path, whether it signaled long ago or just now.

#![forbid(unsafe_code)]

/// What the algorithm needs of an array. A value is an owned, counted handle: the turn.
pub trait Host: Sized {
    /// How many members there are.
    fn members(&self) -> usize;

    /// How many are not accounted for; load-acquire.
    fn pending(&self) -> usize;

    /// Accounts for one more; store-release. Called by who has the turn.
    fn set_pending(&self, pending: usize);

    /// Has that member signaled?
    fn member_signaled(&self, index: usize) -> bool;

    /// The error of a member that has signaled, a positive number; `None` if it succeeded.
    fn member_error(&self, index: usize) -> Option<i32>;

    /// When a member that has signaled did so, in nanoseconds.
    fn member_timestamp(&self, index: usize) -> u64;

    /// Registers the array's callback on that member. The turn goes with it; [`on_callback`] gets it.
    ///
    /// # Errors
    /// The member has signaled already: hands the turn back.
    fn arm(self, index: usize) -> Result<(), Self>;

    /// Calls [`on_work`] with this turn from where members may be armed: now, if callbacks run under
    /// no lock, else a little later.
    fn queue_work(self);

    /// All members have signaled: so does the array. Does nothing if it had signaled before.
    fn signal(&self, result: Settled);
}

/// What the members make of the array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The error of the member that failed first in time, the lowest index among equals.
    pub error: Option<i32>,
    /// When the last member signaled, in nanoseconds.
    pub timestamp: u64,
}

/// Somebody waits for the array for the first time.
pub fn enable<H: Host>(turn: H) {
    walk(turn);
}

/// The armed member has signaled.
pub fn on_callback<H: Host>(turn: H) {
    turn.queue_work();
}

/// Goes on after [`on_callback`].
pub fn on_work<H: Host>(turn: H) {
    walk(turn);
}

/// Have all members signaled? True at no moment before they have.
pub fn signaled<H: Host>(array: &H) -> bool {
    (0..array.pending()).rev().all(|index| array.member_signaled(index))
}

/// The result of an array whose members have all signaled.
pub fn settle<H: Host>(array: &H) -> Settled {
    let mut latest = 0;
    let mut first: Option<(u64, i32)> = None;
    for index in 0..array.members() {
        let timestamp = array.member_timestamp(index);
        latest = latest.max(timestamp);
        if let Some(error) = array.member_error(index)
            && first.is_none_or(|(earliest, _)| timestamp < earliest)
        {
            first = Some((timestamp, error));
        }
    }
    Settled { error: first.map(|(_, error)| error), timestamp: latest }
}

fn walk<H: Host>(mut turn: H) {
    let mut pending = turn.pending();
    while let Some(index) = pending.checked_sub(1) {
        match turn.arm(index) {
            Ok(()) => return,
            Err(back) => turn = back,
        }
        turn.set_pending(index);
        pending = index;
    }
    turn.signal(settle(&turn));
}
