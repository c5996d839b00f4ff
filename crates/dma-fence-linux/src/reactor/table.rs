//! What a reactor watches, by numbers that are not used again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use super::panics::Panics;
use super::{Inner, NOW};
use crate::sync_file::Watched;

/// A number in epoll's events, in the process given out once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Token(pub(super) u64);

impl Token {
    fn new() -> Token {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Token(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Whom an event concerns.
#[derive(Clone)]
pub(super) enum Entry {
    /// A fence.
    Fence(Weak<Watched>),
    /// A reactor whose owner has gone.
    Reactor(Weak<Inner>),
}

#[derive(Default)]
pub(super) struct Table(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    entries: HashMap<Token, Entry>,
    /// Nobody dispatches any more.
    closed: bool,
}

impl Table {
    pub(super) fn insert(&self, entry: Entry) -> Token {
        let token = Token::new();
        self.lock().entries.insert(token, entry);
        token
    }

    pub(super) fn get(&self, token: Token) -> Option<Entry> {
        self.lock().entries.get(&token).cloned()
    }

    pub(super) fn remove(&self, token: Token) {
        self.lock().entries.remove(&token);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Nobody dispatches any more: who waits has to wait without it, and who is still to come.
    pub(super) fn close(&self) {
        let fences: Vec<Entry> = {
            let mut entries = self.lock();
            entries.closed = true;
            entries.entries.values().cloned().collect()
        };
        let mut panics = Panics::default();
        for fence in fences {
            panics.guard(|| fence.orphaned());
        }
        panics.resume();
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} entries", self.lock().entries.len())
    }
}

impl Entry {
    /// Its file descriptor is ready.
    pub(super) fn ready(&self) {
        match self {
            Entry::Fence(watched) => {
                if let Some(watched) = watched.upgrade() {
                    watched.ready();
                }
            }
            Entry::Reactor(inner) => {
                if let Some(inner) = inner.upgrade() {
                    // What is left makes it ready again.
                    let _ = inner.dispatch(NOW);
                }
            }
        }
    }

    fn orphaned(&self) {
        match self {
            Entry::Fence(watched) => {
                if let Some(watched) = watched.upgrade() {
                    watched.orphaned();
                }
            }
            // Adopted by who dispatches no more.
            Entry::Reactor(inner) => {
                if let Some(inner) = inner.upgrade() {
                    inner.table.close();
                }
            }
        }
    }
}
