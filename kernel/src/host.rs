//! The algorithm's host in Linux.
//!
//! HOST-REFERENCE: a [`Turn`] owns one reference of the array: so the array is alive. Arming and queueing give
//! that reference to C, and C gives it back with the callback and with the work.
//!
//! HOST-RESULT: all who find that every member has signaled compute the same result, for that of a member
//! that has signaled is final. So it does not matter who of them writes it last.

use crate::algorithm::{Host, Settled};
use crate::glue::{self, Array};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

/// A reference of an array, as the algorithm passes it on.
pub(crate) struct Turn<P: Place> {
    array: NonNull<Array>,
    place: PhantomData<P>,
}

/// Where a turn is, which decides how it signals.
pub(crate) trait Place {
    /// # Safety
    /// The array is alive, and its lock is as this place says.
    unsafe fn signal(array: NonNull<Array>, timestamp: i64);
}

/// Inside the first waiter's call, under the array's lock.
pub(crate) struct Enabling;

impl Place for Enabling {
    unsafe fn signal(array: NonNull<Array>, timestamp: i64) {
        // SAFETY: our contract.
        unsafe { glue::dfa_signal_locked(array, timestamp) }
    }
}

/// Outside the array's lock.
pub(crate) struct Deferred;

impl Place for Deferred {
    unsafe fn signal(array: NonNull<Array>, timestamp: i64) {
        // SAFETY: our contract.
        unsafe { glue::dfa_signal(array, timestamp) }
    }
}

impl<P: Place> Turn<P> {
    /// Counts a new reference.
    ///
    /// # Safety
    /// The array is alive, and we are in that place as long as the turn is used.
    pub(crate) unsafe fn of(array: NonNull<Array>) -> Self {
        // SAFETY: our contract.
        unsafe {
            glue::dfa_get(array);
            Self::from_raw(array)
        }
    }

    /// Takes over a reference.
    ///
    /// # Safety
    /// There is one to take over, and we are in that place as long as the turn is used.
    pub(crate) unsafe fn from_raw(array: NonNull<Array>) -> Self {
        Turn { array, place: PhantomData }
    }

    /// Leaves the result for the signal that comes.
    pub(crate) fn leave_error(&self, settled: &Settled) {
        let error = settled.error.map_or(0, i32::wrapping_neg);
        // SAFETY: HOST-REFERENCE.
        unsafe { glue::dfa_set_error(self.array, error) }
    }
}

impl<P: Place> Clone for Turn<P> {
    fn clone(&self) -> Self {
        // SAFETY: HOST-REFERENCE; the place is the same.
        unsafe { Turn::of(self.array) }
    }
}

impl<P: Place> Drop for Turn<P> {
    fn drop(&mut self) {
        // SAFETY: HOST-REFERENCE.
        unsafe { glue::dfa_put(self.array) }
    }
}

impl<P: Place> Host for Turn<P> {
    fn members(&self) -> usize {
        // SAFETY: HOST-REFERENCE.
        unsafe { glue::dfa_members(self.array) as usize }
    }

    fn pending(&self) -> usize {
        // SAFETY: HOST-REFERENCE.
        unsafe { glue::dfa_pending(self.array) as usize }
    }

    fn set_pending(&self, pending: usize) {
        // SAFETY: HOST-REFERENCE.
        unsafe { glue::dfa_set_pending(self.array, pending as u32) }
    }

    fn member_signaled(&self, index: usize) -> bool {
        // SAFETY: HOST-REFERENCE; the algorithm's indices are below the number of members.
        unsafe { glue::dfa_member_signaled(self.array, index as u32) }
    }

    fn member_error(&self, index: usize) -> Option<i32> {
        // SAFETY: as above, and the member has signaled.
        let error = unsafe { glue::dfa_member_error(self.array, index as u32) };
        (error != 0).then(|| error.wrapping_neg())
    }

    fn member_timestamp(&self, index: usize) -> u64 {
        // SAFETY: as above, and the member has signaled.
        unsafe { glue::dfa_member_timestamp(self.array, index as u32) as u64 }
    }

    fn arm(self, index: usize) -> Result<(), Self> {
        let turn = ManuallyDrop::new(self);
        // SAFETY: as above; the reference goes with it if it is taken (HOST-REFERENCE).
        match unsafe { glue::dfa_arm(turn.array, index as u32) } {
            true => Ok(()),
            false => Err(ManuallyDrop::into_inner(turn)),
        }
    }

    fn queue_work(self) {
        let turn = ManuallyDrop::new(self);
        // SAFETY: the reference goes with it (HOST-REFERENCE).
        unsafe { glue::dfa_queue_work(turn.array) }
    }

    fn signal(&self, settled: Settled) {
        self.leave_error(&settled);
        // SAFETY: HOST-REFERENCE, and `of` and `from_raw` were promised the place.
        unsafe { P::signal(self.array, settled.timestamp as i64) }
    }
}
