//! Awaiting any of several fences.

use super::several::Several;
use super::waker::WakerCell;
use crate::callback::drain;
use crate::fence::Fence;
use crate::outcome::Outcome;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// How many decided fences end a wait for any.
pub(super) const NEEDED: usize = 1;

/// The lowest index among those that are decided.
pub(super) fn first_decided(
    fences: &[Fence],
    look: impl Fn(&Fence) -> Option<Outcome>,
) -> Option<(usize, Outcome)> {
    let decided = |(index, fence)| Some((index, look(fence)?));
    fences.iter().enumerate().find_map(decided)
}

/// Awaits the first of the fences that is decided.
///
/// ```
/// use dma_fence::{FenceContext, Outcome, any_of};
/// let context = FenceContext::hardware("gpu", "ring 0");
/// let (slow, fast) = (context.new_fence(), context.new_fence());
/// let either = any_of([slow.fence(), fast.fence()]);
/// std::thread::spawn(move || fast.signal(Ok(())));
/// let (winner, outcome) = pollster::block_on(either).expect("there are some");
/// assert_eq!((winner, outcome.result()), (1, Ok(())));
/// # slow.signal(Ok(()));
/// ```
#[doc(alias = "dma_fence_wait_any_timeout")]
pub fn any_of(fences: impl IntoIterator<Item = Fence>) -> AnyFuture {
    AnyFuture { fences: fences.into_iter().collect(), registered: None }
}

/// Resolves when one of the fences has signaled or was abandoned: to its index, the lowest if there are
/// several, and what became of it. Of no fences, to `None`. See [`any_of`].
///
/// # Context
/// The first poll asks every backend, and enables signaling on all fences unless one is decided. Only the
/// task that polled last is woken, once.
///
/// # Cancellation
/// Dropping it deregisters it; nothing is lost and nothing waits for it.
#[must_use = "futures do nothing unless polled"]
pub struct AnyFuture {
    fences: Vec<Fence>,
    /// There from the first poll that found none decided, until one is.
    registered: Option<Several<WakerCell>>,
}

impl Future for AnyFuture {
    type Output = Option<(usize, Outcome)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(several) = &this.registered {
            several.sleeper().set(cx.waker());
        } else {
            let winner = first_decided(&this.fences, Fence::asked);
            if winner.is_some() || this.fences.is_empty() {
                return Poll::Ready(winner);
            }
        }
        let several = this.registered.get_or_insert_with(|| {
            Several::register(&this.fences, NEEDED, WakerCell::new(cx.waker()))
        });
        // An executor that blocks inside a callback must not wait for what is queued behind it.
        drain::help_until(|| several.is_decided());
        if !several.is_decided() {
            return Poll::Pending;
        }
        this.registered = None;
        Poll::Ready(first_decided(&this.fences, Fence::outcome))
    }
}

impl fmt::Debug for AnyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyFuture").field(&self.fences).finish()
    }
}
