//! How many fences of the process are abandoned now.
//!
//! Nearly always there are none, and then nobody has to search a container for one: a chain that is asked
//! again and again would pay with all its points each time. A fence is counted before it can be seen to be
//! abandoned, so who has heard of a loss finds it. One whose context is never reset stays in the count, which
//! costs others time and nothing else. A question beside a reset may find the count lower and the fence still
//! abandoned: then the answer for a container is that of the moment after.

use crate::sync::global::{AtomicUsize, Ordering};

static NOW: AtomicUsize = AtomicUsize::new(0);

/// May there be one?
pub(super) fn any() -> bool {
    // The models share no statics, or one run would change the next.
    cfg!(loom) || NOW.load(Ordering::Relaxed) > 0
}

/// One more, before its state says so.
pub(super) fn one_more() {
    NOW.fetch_add(1, Ordering::Relaxed);
}

/// One fewer, after its state says so.
pub(super) fn one_fewer() {
    NOW.fetch_sub(1, Ordering::Relaxed);
}
