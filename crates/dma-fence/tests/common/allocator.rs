//! An allocator that counts, and fails when it is told to. A test file that measures makes it global.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// Counts per thread, for the tests of a file run side by side.
pub(crate) struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
    /// How many allocations succeed until one fails.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    /// All fail.
    static NOTHING_LEFT: Cell<bool> = const { Cell::new(false) };
}

/// Is this the allocation that fails?
fn fails() -> bool {
    let left = LEFT.get();
    LEFT.set(left.wrapping_sub(1));
    left == 0 || NOTHING_LEFT.get()
}

// SAFETY: Passes everything on to the system's allocator or fails; the counters have no destructor and
// do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() {
            return ptr::null_mut();
        }
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LIVE.set(LIVE.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as isize);
        // SAFETY: The caller's contract is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - 1);
        BYTES.set(BYTES.get() - layout.size() as isize);
        // SAFETY: The caller's contract is the same.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails() {
            return ptr::null_mut();
        }
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + size as isize - layout.size() as isize);
        // SAFETY: The caller's contract is the same.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

/// How many allocations this thread has that are not freed.
pub(crate) fn live() -> isize {
    LIVE.get()
}

/// How many bytes there are in what this thread has allocated and not freed.
pub(crate) fn live_bytes() -> isize {
    BYTES.get()
}

/// How often `f` allocates.
pub(crate) fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

/// What `f` leaves allocated once it has run a first time, which fills caches that stay.
pub(crate) fn leaks(f: impl Fn()) -> isize {
    f();
    let before = LIVE.get();
    f();
    LIVE.get() - before
}

/// Runs `f`, in which the allocation after the first `succeed` ones fails, and later ones do not.
pub(crate) fn failing_after<T>(succeed: usize, f: impl FnOnce() -> T) -> T {
    LEFT.set(succeed);
    let result = f();
    LEFT.set(usize::MAX);
    result
}

/// Runs `f`, in which every allocation fails.
pub(crate) fn without_memory<T>(f: impl FnOnce() -> T) -> T {
    NOTHING_LEFT.set(true);
    let result = f();
    NOTHING_LEFT.set(false);
    result
}
