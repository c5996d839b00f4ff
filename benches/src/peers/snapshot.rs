//! A buffer's fences, as one would keep them without a reservation object.

use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;

/// A fence of such a list: its timeline and what it is.
pub(crate) type Entry<T> = (u64, Arc<T>);

/// A list that readers and writers lock.
pub(crate) struct LockedVec<T>(pub(crate) RwLock<Vec<Entry<T>>>);

impl<T> LockedVec<T> {
    /// Takes the place of the one of its timeline.
    pub(crate) fn add(&self, context: u64, fence: &Arc<T>) {
        let mut fences = self.0.write().unwrap();
        match fences.iter_mut().find(|(of, _)| *of == context) {
            Some(old) => old.1 = fence.clone(),
            None => fences.push((context, fence.clone())),
        }
    }
}

/// A list that is replaced whole, so that readers take no lock.
pub(crate) struct ArcSnapshot<T>(pub(crate) ArcSwap<Vec<Entry<T>>>);
