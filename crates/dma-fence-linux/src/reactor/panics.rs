//! Callbacks that panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Lets what comes after a panic have its turn; the first one goes on then.
#[derive(Default)]
pub(super) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(super) fn guard(&mut self, f: impl FnOnce()) {
        match catch_unwind(AssertUnwindSafe(f)) {
            Err(panic) if self.0.is_none() => self.0 = Some(panic),
            Err(panic) => discard(panic),
            Ok(()) => {}
        }
    }

    pub(super) fn resume(self) {
        match self.0 {
            Some(panic) if !thread::panicking() => resume_unwind(panic),
            // A second panic while unwinding would end the process; the hook has reported it.
            Some(panic) => discard(panic),
            None => {}
        }
    }
}

/// Drops a panic that does not go on. What it carries may panic in turn, and that, too.
pub(super) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}
