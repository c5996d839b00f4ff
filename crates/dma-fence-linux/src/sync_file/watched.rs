//! The fence of the kernel behind one of the library.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use dma_fence::{
    DriverFence, Enabled, Fence, FenceContext, FenceOps, Signal, Timestamp, WeakDriverFence,
};

use super::{FenceStatus, SyncFile};
use crate::reactor::{ReactorHandle, Token};

/// Belongs to the library's fence, and goes with it: the reactor knows it weakly.
pub(crate) struct Watched {
    file: SyncFile,
    reactor: ReactorHandle,
    token: Token,
    /// This, for a thread that waits.
    this: Weak<Watched>,
    is_watched: AtomicBool,
    /// Gone once it has signaled or was lost.
    producer: Mutex<Option<WeakDriverFence>>,
}

impl Watched {
    pub(crate) fn start(file: SyncFile, context: &FenceContext, reactor: &ReactorHandle) -> Fence {
        let watched = Arc::new_cyclic(|watched| Watched {
            file,
            reactor: reactor.clone(),
            token: reactor.join(watched.clone()),
            this: watched.clone(),
            is_watched: AtomicBool::new(false),
            producer: Mutex::new(None),
        });
        let (producer, fence) = context.new_observed_fence(watched.clone());
        // Nobody has the fence yet.
        *watched.lock() = Some(producer);
        fence
    }

    /// Signals the library's fence if the kernel's has signaled.
    fn look(&self) {
        if let Ok(FenceStatus::Signaled(signal)) = self.file.status() {
            signal_with(self.take(), signal);
        }
    }

    /// The kernel says that the sync file is ready, so the fence has signaled: finds out how.
    pub(crate) fn ready(self: Arc<Self>) {
        match self.file.status() {
            Ok(FenceStatus::Signaled(signal)) => {
                let producer = self.take();
                // Callbacks may take long, and until it is closed the file is ready.
                drop(self);
                signal_with(producer, signal);
            }
            Ok(FenceStatus::Pending) => {}
            // Something is wrong with the file; one that is not watched would hang whoever waits.
            Err(_) => {
                // An abandoned fence keeps its file, which would be ready for ever.
                self.reactor.unwatch(self.file.as_fd());
                self.lose();
            }
        }
    }

    /// The reactor is closed.
    pub(crate) fn orphaned(&self) {
        if self.is_watched.load(Ordering::Acquire) {
            self.wait_for_it();
        }
    }

    /// A thread of its own waits for the file. That is dear, but nothing is lost.
    fn wait_for_it(&self) {
        let Some(this) = self.this.upgrade() else { return };
        let wait = move || {
            // Whatever comes of it, the status says it.
            let _ = this.file.wait_timeout(Duration::MAX);
            this.ready();
        };
        if thread::Builder::new().name("dma-fence wait".into()).spawn(wait).is_err() {
            self.lose();
        }
    }

    /// Nothing will tell when the fence signals: it is abandoned, so that nobody waits for ever, unless it
    /// has signaled.
    fn lose(&self) {
        self.look();
        drop(self.take());
    }

    fn take(&self) -> Option<WeakDriverFence> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<WeakDriverFence>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signal_with(producer: Option<WeakDriverFence>, signal: Signal) {
    if let Some(producer) = producer.and_then(WeakDriverFence::upgrade) {
        DriverFence::signal_at(producer, signal.result, signal.timestamp);
    }
}

impl FenceOps for Watched {
    fn enable_signaling(&self, _: &Fence) -> Enabled {
        // It fails for lack of memory, or of watches.
        let watched = self.reactor.watch(self.token, self.file.as_fd());
        self.is_watched.store(watched.is_ok(), Ordering::Release);
        // Who closes the reactor closes it first, and looks then: so one of us sees the other.
        if watched.is_err() || self.reactor.is_closed() {
            self.wait_for_it();
        }
        Enabled::WillSignal
    }

    fn polls(&self) -> bool {
        true
    }

    fn poll(&self) -> Option<Signal> {
        match self.file.status() {
            Ok(FenceStatus::Signaled(signal)) => Some(signal),
            // What went wrong is for those to say who wait.
            Ok(FenceStatus::Pending) | Err(_) => None,
        }
    }

    fn set_deadline(&self, deadline: Timestamp) {
        // A hint, which older kernels do not take.
        let _ = self.file.set_deadline(deadline);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if *self.is_watched.get_mut() {
            self.reactor.unwatch(self.file.as_fd());
        }
        self.reactor.leave(self.token);
    }
}
