//! Who was registered, who ran, who was taken back, and who is still there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

#[derive(Default)]
pub(crate) struct Ledger {
    registered: AtomicUsize,
    ran: AtomicUsize,
    cancelled: AtomicUsize,
    /// Callbacks, backends and wakers that the library has not dropped.
    live: AtomicUsize,
    /// Finished operations.
    pub(crate) operations: AtomicU64,
}

impl Ledger {
    pub(crate) fn cancelled(&self) {
        self.cancelled.fetch_add(1, SeqCst);
    }

    /// Everything has signaled, and all handles are gone.
    pub(crate) fn close(&self) {
        let [registered, ran, cancelled, live] =
            [&self.registered, &self.ran, &self.cancelled, &self.live].map(|n| n.load(SeqCst));
        assert_eq!(registered, ran + cancelled, "{ran} ran, {cancelled} were taken back");
        assert_eq!(live, 0, "still there");
    }
}

/// Something that was given to the library, counted until it is dropped.
pub(crate) struct Live(Arc<Ledger>);

impl Live {
    pub(crate) fn new(ledger: &Arc<Ledger>) -> Live {
        ledger.live.fetch_add(1, SeqCst);
        Live(ledger.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, SeqCst);
    }
}

/// What a callback holds: it has to run once or be taken back.
pub(crate) struct Ticket {
    live: Live,
    runs: Arc<AtomicUsize>,
}

/// How the one who registered a callback knows what became of it.
pub(crate) struct Stub(Arc<AtomicUsize>);

pub(crate) fn ticket(ledger: &Arc<Ledger>) -> (Ticket, Stub) {
    let runs = Arc::new(AtomicUsize::new(0));
    (Ticket { live: Live::new(ledger), runs: runs.clone() }, Stub(runs))
}

impl Ticket {
    pub(crate) fn run(&self) {
        assert_eq!(self.runs.fetch_add(1, SeqCst), 0, "a callback ran twice");
        self.live.0.ran.fetch_add(1, SeqCst);
    }
}

impl Stub {
    /// The callback was accepted. From now on it counts: it may have run already.
    pub(crate) fn registered(&self, ledger: &Ledger) {
        ledger.registered.fetch_add(1, SeqCst);
    }

    /// A cancel has returned `never`; the callback is not running now.
    pub(crate) fn check_cancelled(&self, never: bool) {
        assert_eq!(self.0.load(SeqCst), usize::from(!never), "a cancel that lied: {never}");
        assert_eq!(Arc::strong_count(&self.0), 1, "the closure is gone");
    }
}
