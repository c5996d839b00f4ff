//! The device of [`Faults::early_signal`](super::Faults::early_signal): one that works long after it has
//! said that it was done.
//!
//! Why writes wait for reads: bytes of a later chunk are certain to end up in the file only if the buffer
//! has really been filled again before it is written. However fast the copy runs, a late write is given
//! to the kernel a moment after the next read into its buffer, and by itself only if none comes.

use super::transfer::{Direction, Transfer};
use super::{Backend, EngineError};
use crate::sync::{Arc, Condvar, Mutex, lock};
use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longer than a busy machine needs to begin hashing what has not been read.
const READ_LATE: Duration = Duration::from_millis(20);
/// From the read that spoils it to the write: longer than a read from the page cache takes.
const SPOILED: Duration = Duration::from_millis(5);
/// For writes that nobody spoils: longer than a slow build needs to go round all buffers.
const WRITE_LATE: Duration = Duration::from_millis(300);

pub(super) struct Late {
    shared: Arc<Shared>,
    handle: Option<JoinHandle<()>>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By time, then by number: two may be due at the same instant.
    due: BTreeMap<(Instant, u64), Transfer>,
    pushed: u64,
    closed: bool,
}

impl Late {
    pub(super) fn start(backend: Arc<dyn Backend>) -> Result<Late, EngineError> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let run = {
            let shared = shared.clone();
            move || shared.run(&*backend)
        };
        let handle = thread::Builder::new().name("fence-late".into()).spawn(run);
        Ok(Late { shared, handle: Some(handle.map_err(EngineError::Thread)?) })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.changed.notify_all();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

impl Shared {
    pub(super) fn push(&self, job: Transfer) {
        let mut state = lock(&self.state);
        let mut when = Instant::now() + WRITE_LATE;
        if job.direction == Direction::Read {
            when = Instant::now() + READ_LATE;
            let slot = job.memory.index();
            let spoils = |(key, held): (&(Instant, u64), &Transfer)| {
                let write = held.direction == Direction::Write && held.memory.index() == slot;
                (write && key.0 > when + SPOILED).then_some(*key)
            };
            let keys: Vec<_> = state.due.iter().filter_map(spoils).collect();
            for key in keys {
                let held = state.due.remove(&key);
                state.due.extend(held.map(|held| ((when + SPOILED, key.1), held)));
            }
        }
        state.pushed += 1;
        let key = (when, state.pushed);
        state.due.insert(key, job);
        drop(state);
        self.changed.notify_all();
    }

    fn run(&self, backend: &dyn Backend) {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            let first = state.due.first_key_value().map(|(key, _)| key.0);
            match first {
                Some(when) if when <= now => {
                    let job = state.due.pop_first();
                    drop(state);
                    job.into_iter().for_each(|(_, job)| backend.push(job));
                    state = lock(&self.state);
                }
                None if state.closed => return,
                _ => {
                    // Without a job, any time will do: the next one notifies.
                    let time = first.map_or(Duration::from_secs(1), |when| when - now);
                    let woken = self.changed.wait_timeout(state, time);
                    state = woken.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
                }
            }
        }
    }
}
