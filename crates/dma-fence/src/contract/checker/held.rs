//! What this thread holds.
//!
//! In thread-local storage without a destructor and without memory of its own, so that an allocator may ask
//! at any time, also while the thread ends.

use super::FenceId;
use crate::contract::Class;
use core::cell::Cell;
use core::panic::Location;

/// More than a thread has that differ. What goes beyond is not checked.
const DEPTH: usize = 32;

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Holding {
    pub(super) class: Class,
    pub(super) at: &'static Location<'static>,
    pub(super) fence: Option<FenceId>,
}

struct PerThread {
    /// In no order: guards may go in any. What is held several times from one place, as the locks of a job's
    /// buffers are, makes the same steps and has one entry, which counts.
    held: [Cell<Option<(Holding, usize)>>; DEPTH],
    checking: Cell<bool>,
}

std::thread_local! {
    static HERE: PerThread = const {
        PerThread {
            held: [const { Cell::new(None) }; DEPTH],
            checking: Cell::new(false),
        }
    };
}

/// The place where something held is kept; dropping it lets go.
pub(in crate::contract) struct Entry(Option<usize>);

pub(super) fn push(holding: Holding) -> Entry {
    Entry(HERE.with(|here| {
        let first = |wanted: Option<Holding>| {
            here.held.iter().position(|entry| entry.get().map(|(held, _)| held) == wanted)
        };
        let index = first(Some(holding)).or_else(|| first(None))?;
        let times = here.held[index].get().map_or(0, |(_, times)| times);
        here.held[index].set(Some((holding, times + 1)));
        Some(index)
    }))
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(index) = self.0 {
            HERE.with(|here| {
                let left = here.held[index].get().filter(|(_, times)| *times > 1);
                here.held[index].set(left.map(|(held, times)| (held, times - 1)));
            });
        }
    }
}

/// This thread is looking at what it does; what that does in turn is not looked at.
pub(super) struct Checking(());

impl Checking {
    /// None if this is the check itself.
    pub(super) fn begin() -> Option<Checking> {
        // Made in the closure only: its drop ends the check.
        HERE.with(|here| (!here.checking.replace(true)).then(|| Checking(())))
    }

    pub(super) fn held(&self) -> impl Iterator<Item = Holding> {
        (0..DEPTH).filter_map(|index| HERE.with(|here| Some(here.held[index].get()?.0)))
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        HERE.with(|here| here.checking.set(false));
    }
}
