//! Awaiting all of several fences.

use super::several::Several;
use super::waker::WakerCell;
use crate::callback::drain;
use crate::fence::Fence;
use crate::outcome::{FenceError, Outcome};
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// What all fences came to: a loss decides at once, else it takes the signals of all.
pub(super) fn verdict(
    fences: &[Fence],
    look: impl Fn(&Fence) -> Option<Outcome>,
) -> Option<Result<(), FenceError>> {
    let mut verdict = Some(Ok(()));
    for fence in fences {
        match look(fence) {
            Some(Outcome::Abandoned) => return Some(Err(FenceError::Abandoned)),
            Some(signaled) => verdict = verdict.map(|first| first.and(signaled.result())),
            None => verdict = None,
        }
    }
    verdict
}

/// What all fences came to, once a wait for them is decided.
pub(super) fn final_verdict(fences: &[Fence]) -> Result<(), FenceError> {
    // Pending in spite of that: one was lost, which decided the wait, and its context is idle since.
    verdict(fences, Fence::outcome).unwrap_or(Err(FenceError::Abandoned))
}

/// Awaits the signals of all the fences.
///
/// ```
/// use dma_fence::{Errno, FenceContext, FenceError, all_of};
/// let context = FenceContext::hardware("gpu", "ring 0");
/// let (draw, copy) = (context.new_fence(), context.new_fence());
/// let both = all_of([draw.fence(), copy.fence()]);
/// std::thread::spawn(move || {
///     copy.signal(Err(Errno::EIO));
///     draw.signal(Ok(()));
/// });
/// assert_eq!(pollster::block_on(both), Err(FenceError::Failed(Errno::EIO)));
/// ```
pub fn all_of(fences: impl IntoIterator<Item = Fence>) -> AllFuture {
    AllFuture { fences: fences.into_iter().collect(), registered: None }
}

/// Resolves when all the fences have signaled, to the first error in their order; or when one of them is
/// abandoned, to that. Of no fences, to `Ok`. See [`all_of`].
///
/// # Context
/// The first poll asks every backend, and enables signaling on all fences unless they are decided. Only
/// the task that polled last is woken, once.
///
/// # Cancellation
/// Dropping it deregisters it; nothing is lost and nothing waits for it.
#[must_use = "futures do nothing unless polled"]
pub struct AllFuture {
    fences: Vec<Fence>,
    /// There from the first poll that found one pending, until all are decided.
    registered: Option<Several<WakerCell>>,
}

impl Future for AllFuture {
    type Output = Result<(), FenceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(several) = &this.registered {
            several.sleeper().set(cx.waker());
        } else if let Some(verdict) = verdict(&this.fences, Fence::asked) {
            return Poll::Ready(verdict);
        }
        let several = this.registered.get_or_insert_with(|| {
            Several::register(&this.fences, this.fences.len(), WakerCell::new(cx.waker()))
        });
        // An executor that blocks inside a callback must not wait for what is queued behind it.
        drain::help_until(|| several.is_decided());
        if !several.is_decided() {
            return Poll::Pending;
        }
        this.registered = None;
        Poll::Ready(final_verdict(&this.fences))
    }
}

impl fmt::Debug for AllFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AllFuture").field(&self.fences).finish()
    }
}
