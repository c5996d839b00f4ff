//! A queue of jobs for threads that have nothing else to wait for.
//!
//! Why it has two ends besides open: a *closed* queue is drained and then tells its threads to go; a *dead*
//! one, whose threads are gone, hands every job back, so that none waits for ever.

use crate::sync::{Condvar, Mutex, lock, wait};
use std::collections::VecDeque;

pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    filled: Condvar,
}

struct State<J> {
    jobs: VecDeque<J>,
    closed: bool,
    dead: bool,
}

impl<J> Queue<J> {
    pub(super) fn new() -> Queue<J> {
        let state = State { jobs: VecDeque::new(), closed: false, dead: false };
        Queue { state: Mutex::new(state), filled: Condvar::new() }
    }

    /// Hands the job back if nobody will take it.
    pub(super) fn push(&self, job: J) -> Result<(), J> {
        let mut state = lock(&self.state);
        if state.dead {
            return Err(job);
        }
        state.jobs.push_back(job);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Sleeps until there is a job; `None` when the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<J> {
        let mut state = lock(&self.state);
        loop {
            match state.jobs.pop_front() {
                None if !state.closed => state = wait(&self.filled, state),
                job => return job,
            }
        }
    }

    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.filled.notify_all();
    }

    /// Nobody will take jobs any more. Gives what nobody took.
    pub(super) fn kill(&self) -> VecDeque<J> {
        let mut state = lock(&self.state);
        state.dead = true;
        std::mem::take(&mut state.jobs)
    }

    pub(super) fn is_dead(&self) -> bool {
        lock(&self.state).dead
    }
}
