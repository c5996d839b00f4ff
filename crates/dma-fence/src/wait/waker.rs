//! The waker of the task that polled last.

use super::several::Sleeper;
use crate::sync::Mutex;
use core::task::Waker;

/// Empty once woken.
pub(super) struct WakerCell(Mutex<Option<Waker>>);

impl WakerCell {
    pub(super) fn new(waker: &Waker) -> WakerCell {
        WakerCell(Mutex::new(Some(waker.clone())))
    }

    /// From now on that task is woken.
    pub(super) fn set(&self, waker: &Waker) {
        self.swap(Some(waker.clone()));
    }

    /// The waker that was there before leaves the lock first: its drop is the executor's code
    /// (NO-USER-CODE).
    fn swap(&self, waker: Option<Waker>) -> Option<Waker> {
        core::mem::replace(&mut *self.0.lock(), waker)
    }
}

impl Sleeper for WakerCell {
    fn wake(&self) {
        if let Some(waker) = self.swap(None) {
            waker.wake();
        }
    }
}
