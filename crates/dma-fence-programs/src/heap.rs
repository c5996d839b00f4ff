//! How much the heap holds, so that a program can be asked what it left behind.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts per thread, for tests run side by side.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: ALLOC-PASS: every call goes on to the system's allocator as it came; the counter has no
// destructor and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + 1);
        // SAFETY: ALLOC-PASS: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - 1);
        // SAFETY: ALLOC-PASS: the caller's contract is the same.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: ALLOC-PASS: the caller's contract is the same.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations of this thread are alive after `f` that were not before.
pub(crate) fn growth(f: impl FnOnce()) -> isize {
    let before = LIVE.get();
    f();
    LIVE.get() - before
}

#[cfg(test)]
mod tests {
    use super::growth;

    #[test]
    fn the_counter_counts() {
        let mut kept = Vec::with_capacity(1);
        assert_eq!(growth(|| kept.push(Box::new(1))), 1);
        assert_eq!(growth(|| kept.clear()), -1);
        assert_eq!(growth(|| drop(Box::new(1))), 0);
    }
}
