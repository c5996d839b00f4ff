//! Which threads are in the sink, and how they leave it.

#[cfg(feature = "std")]
pub(super) use threads::{Inside, contained};
#[cfg(feature = "std")]
mod threads {
    use core::cell::Cell;
    use core::mem::forget;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    // Without a destructor: fences are dropped by those of other thread-locals.
    std::thread_local! { static INSIDE: Cell<bool> = const { Cell::new(false) } }

    /// This thread is in the sink, until this is dropped.
    pub(crate) struct Inside(());

    impl Inside {
        /// None if it is already.
        pub(crate) fn enter() -> Option<Inside> {
            // Made in the closure only: its drop leaves again.
            INSIDE.with(|inside| (!inside.replace(true)).then(|| Inside(())))
        }
    }

    impl Drop for Inside {
        fn drop(&mut self) {
            INSIDE.with(|inside| inside.set(false));
        }
    }

    /// Runs user code whose panic goes no further: events are told where nothing may unwind, as in drops.
    pub(crate) fn contained(f: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
            // What it carries may panic in turn, and that, too.
            catch_unwind(AssertUnwindSafe(|| drop(panic))).unwrap_or_else(forget);
        }
    }
}

#[cfg(not(feature = "std"))]
pub(super) use table::{Inside, contained};
#[cfg(not(feature = "std"))]
mod table {
    use crate::sync::{Mutex, current_thread};

    /// Threads of execution in the sink at once: CPUs times levels of interrupts, with room to spare. What
    /// happens on one more is not told.
    const THREADS: usize = 64;

    static INSIDE: Mutex<[Option<usize>; THREADS]> = Mutex::new([None; THREADS]);

    /// This thread is in the sink, until this is dropped.
    pub(crate) struct Inside(usize);

    impl Inside {
        /// None if it is already, or if there is no room.
        pub(crate) fn enter() -> Option<Inside> {
            let me = Some(current_thread());
            let mut inside = INSIDE.lock();
            if inside.contains(&me) {
                return None;
            }
            let free = inside.iter().position(|thread| thread.is_none())?;
            inside[free] = me;
            Some(Inside(free))
        }
    }

    impl Drop for Inside {
        fn drop(&mut self) {
            INSIDE.lock()[self.0] = None;
        }
    }

    /// Runs user code. Without unwinding a panic ends everything.
    pub(crate) fn contained(f: impl FnOnce()) {
        f();
    }
}
