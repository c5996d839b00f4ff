//! A flag with boxed callbacks behind a mutex.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

type Callback = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
pub(crate) struct BoxedFence(Arc<Inner>);

struct Inner {
    signaled: AtomicBool,
    callbacks: Mutex<Vec<Callback>>,
}

impl BoxedFence {
    pub(crate) fn new() -> Self {
        let inner = Inner { signaled: AtomicBool::new(false), callbacks: Mutex::default() };
        BoxedFence(Arc::new(inner))
    }

    pub(crate) fn is_signaled(&self) -> bool {
        self.0.signaled.load(Ordering::Acquire)
    }

    /// Calls back at once if it has signaled.
    pub(crate) fn on_signal(&self, callback: impl FnOnce() + Send + 'static) {
        let mut callbacks = self.0.callbacks.lock().unwrap();
        if self.is_signaled() {
            drop(callbacks);
            callback();
        } else {
            callbacks.push(Box::new(callback));
        }
    }

    pub(crate) fn signal(&self) {
        let mut callbacks = self.0.callbacks.lock().unwrap();
        self.0.signaled.store(true, Ordering::Release);
        let taken = std::mem::take(&mut *callbacks);
        drop(callbacks);
        taken.into_iter().for_each(|callback| callback());
    }
}
