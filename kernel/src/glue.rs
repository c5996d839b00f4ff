//! What C does for the algorithm: `linux/dma-fence-array-glue.c`.

use core::marker::{PhantomData, PhantomPinned};
use core::ptr::NonNull;

/// `struct dma_fence_array`, of which nothing is known here.
#[repr(C)]
pub struct Array {
    _content: [u8; 0],
    _neither_send_nor_unpin: PhantomData<(*mut u8, PhantomPinned)>,
}

// For each of them the array is alive, and the index is below the number of members.
unsafe extern "C" {
    /// `dma_fence_get`
    pub(crate) fn dfa_get(array: NonNull<Array>);
    /// `dma_fence_put`
    pub(crate) fn dfa_put(array: NonNull<Array>);

    pub(crate) fn dfa_members(array: NonNull<Array>) -> u32;
    /// Load-acquire.
    pub(crate) fn dfa_pending(array: NonNull<Array>) -> u32;
    /// Store-release.
    pub(crate) fn dfa_set_pending(array: NonNull<Array>, pending: u32);

    /// `dma_fence_is_signaled`
    pub(crate) fn dfa_member_signaled(array: NonNull<Array>, index: u32) -> bool;
    /// Of a member that has signaled: negative, or 0.
    pub(crate) fn dfa_member_error(array: NonNull<Array>, index: u32) -> i32;
    /// Of a member that has signaled: `dma_fence_timestamp` in nanoseconds.
    pub(crate) fn dfa_member_timestamp(array: NonNull<Array>, index: u32) -> i64;

    /// `dma_fence_add_callback` with the array's only callback. If true, a reference goes with it: to
    /// [`crate::dfa_on_callback`].
    pub(crate) fn dfa_arm(array: NonNull<Array>, index: u32) -> bool;
    /// `irq_work_queue`. A reference goes with it: to [`crate::dfa_on_work`].
    pub(crate) fn dfa_queue_work(array: NonNull<Array>);

    /// Leaves the result for the signal that comes.
    pub(crate) fn dfa_set_error(array: NonNull<Array>, error: i32);
    /// `dma_fence_signal_timestamp`
    pub(crate) fn dfa_signal(array: NonNull<Array>, timestamp: i64);
    /// The same under the array's lock.
    pub(crate) fn dfa_signal_locked(array: NonNull<Array>, timestamp: i64);
}
