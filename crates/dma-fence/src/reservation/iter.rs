//! Going through the fences without a lock.

use super::Usage;
use super::table::{Pass, Table};
use crate::fence::Fence;
use core::fmt;
use core::iter::FusedIterator;

/// The fences of a reservation object at or before a usage, each with its own.
///
/// If the object changes, the iteration starts over: what came before the item at which
/// [`is_restarted`](Self::is_restarted) answers true is to be forgotten. What comes from there to the end are the
/// fences that the object had at one moment.
///
/// # Context
/// Takes no lock, and nobody waits for it or is waited for, however slowly it is used. Allocates nothing,
/// unless other readers are at the same time between seeing a fence and counting their handle of it, or fold. Only
/// changes make it start over.
///
/// ```
/// use dma_fence::{FenceContext, ReservationObject, Usage};
/// let buffer = ReservationObject::new();
/// let render = FenceContext::hardware("gpu", "ring 0").new_fence();
/// let mut guard = buffer.lock();
/// guard.reserve(1)?;
/// guard.add(&render.fence(), Usage::Write)?;
/// drop(guard);
///
/// let mut writers = 0;
/// let mut iter = buffer.iter(Usage::Read);
/// while let Some((_fence, usage)) = iter.next() {
///     if iter.is_restarted() {
///         writers = 0;
///     }
///     writers += usize::from(usage <= Usage::Write);
/// }
/// if iter.is_restarted() {
///     writers = 0; // all were taken away
/// }
/// assert_eq!(writers, 1);
/// # render.signal(Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("dma_resv_iter", "dma_resv_iter_begin", "dma_resv_iter_end"))]
#[must_use = "iterators are lazy"]
pub struct ReservationIter<'a> {
    usage: Usage,
    /// None once all has been seen.
    pass: Option<Pass<'a>>,
    restarted: bool,
}

impl<'a> ReservationIter<'a> {
    pub(super) fn over(table: &'a Table, usage: Usage) -> Self {
        let pass = Some(Pass::new(table));
        ReservationIter { usage, pass, restarted: false }
    }

    /// Did the iteration start over just before the item that came last, or before the end?
    #[doc(alias = "dma_resv_iter_is_restarted")]
    pub fn is_restarted(&self) -> bool {
        self.restarted
    }
}

/// RESV-MOMENT: whatever came in between, to the end of the pass, starts it over.
impl Iterator for ReservationIter<'_> {
    type Item = (Fence, Usage);

    #[doc(alias(
        "dma_resv_iter_first_unlocked",
        "dma_resv_iter_next_unlocked",
        "dma_resv_iter_usage"
    ))]
    fn next(&mut self) -> Option<(Fence, Usage)> {
        self.restarted = false;
        loop {
            let pass = self.pass.as_mut()?;
            let item = pass.next(self.usage);
            let current = pass.is_current();
            match item {
                Some(item) if current => return Some(item),
                None if current && pass.is_whole() => {
                    self.pass = None;
                    return None;
                }
                _ => {}
            }
            self.pass = Some(pass.again());
            self.restarted = true;
        }
    }
}

impl FusedIterator for ReservationIter<'_> {}

impl fmt::Debug for ReservationIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReservationIter").field("usage", &self.usage).finish_non_exhaustive()
    }
}
