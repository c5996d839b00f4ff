//! Awaiting one fence.

use super::several::Sleeper;
use super::waker::WakerCell;
use crate::callback::{FenceCallback, drain};
use crate::fence::Fence;
use crate::outcome::FenceError;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll};

/// Resolves when the fence has signaled or was abandoned.
///
/// # Cancellation
/// Dropping it deregisters it; nothing is lost and nothing waits for it.
///
/// ```
/// use dma_fence::FenceContext;
/// let producer = FenceContext::hardware("gpu", "ring 0").new_fence();
/// let fence = producer.fence();
/// std::thread::spawn(move || producer.signal(Ok(())));
/// assert_eq!(pollster::block_on(fence.into_future()), Ok(()));
/// # use std::future::IntoFuture;
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct FenceFuture {
    fence: Fence,
    /// There from the first poll that found the fence undecided.
    registered: Option<(FenceCallback, Arc<WakerCell>)>,
}

impl Future for FenceFuture {
    type Output = Result<(), FenceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some((_, cell)) = &this.registered {
            cell.set(cx.waker());
        } else {
            let cell = Arc::new(WakerCell::new(cx.waker()));
            let woken = cell.clone();
            let wake = move |_: &_| woken.wake();
            match this.fence.on_outcome(wake) {
                Err(declined) => return Poll::Ready(declined.outcome.result()),
                Ok(callback) => this.registered = Some((callback, cell)),
            }
        }
        // After the waker is in place, or a signal in between would wake the task before the last.
        // Asking finds what a backend knows already, and a member of an array that is lost and far from
        // the walk; and an executor that blocks inside a callback must not wait for what is queued
        // behind it.
        this.fence.status();
        drain::help_until(|| this.fence.outcome().is_some());
        match this.fence.outcome() {
            Some(outcome) => Poll::Ready(outcome.result()),
            None => Poll::Pending,
        }
    }
}

impl Drop for FenceFuture {
    fn drop(&mut self) {
        if let Some((callback, _)) = self.registered.take() {
            // Not waiting for a wake-up under way: an executor may hold the lock that it takes.
            callback.cancel_without_waiting();
        }
    }
}

impl IntoFuture for Fence {
    type Output = Result<(), FenceError>;
    type IntoFuture = FenceFuture;

    fn into_future(self) -> FenceFuture {
        FenceFuture { fence: self, registered: None }
    }
}

impl IntoFuture for &Fence {
    type Output = Result<(), FenceError>;
    type IntoFuture = FenceFuture;

    fn into_future(self) -> FenceFuture {
        self.clone().into_future()
    }
}

impl fmt::Debug for FenceFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FenceFuture").field(&self.fence).finish()
    }
}
