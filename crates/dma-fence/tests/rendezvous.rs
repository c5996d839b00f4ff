//! Where a thread that cancels a callback meets the one that runs it.
//!
//! One test, alone in its process: the meeting point serves all threads of it, and a callback of another
//! test that ends would wake this one's canceller.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{hardware, in_time};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[test]
fn a_cancel_waits_for_a_callback_that_runs_elsewhere() {
    in_time(|| {
        let producer = hardware().new_fence();
        let (started, starts) = mpsc::channel();
        let returned = Arc::new(AtomicBool::new(false));
        let mark = returned.clone();
        let callback = move |_: &_| {
            started.send(()).unwrap();
            thread::sleep(Duration::from_millis(30));
            mark.store(true, SeqCst);
        };
        let callback = producer.fence().on_signal(callback).unwrap();
        let signaler = thread::spawn(move || producer.signal(Ok(())));
        starts.recv().unwrap();
        assert!(!callback.cancel());
        assert!(returned.load(SeqCst), "cancelled while it was running");
        signaler.join().unwrap();
    });
}
