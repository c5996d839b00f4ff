//! An allocator that says that it is one.
//!
//! ALLOC-PASS: what is asked of it is asked of the inner allocator as it is, the answer is given as it is,
//! and it unwinds only if the inner one does: what the check calls cannot.
#![allow(unsafe_code)]

use super::{Class, checker};
use core::alloc::{GlobalAlloc, Layout};

/// Passes everything on, and reports allocations inside a [signalling section](super::signalling).
///
/// The place that is reported is the section's and this allocator; a backtrace taken by the
/// [hook](super::on_violation) leads to the allocation. Each section is reported once. Giving memory
/// back is allowed everywhere.
///
/// ```
/// use dma_fence::contract::CheckedAllocator;
/// use std::alloc::System;
/// #[global_allocator]
/// static ALLOCATOR: CheckedAllocator<System> = CheckedAllocator(System);
/// # assert_eq!(vec![1, 2, 3].len(), 3);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckedAllocator<A>(
    /// Who has the memory.
    pub A,
);

fn check() {
    checker::want_without_panic(Class::Reclaim);
}

// SAFETY: ALLOC-PASS.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CheckedAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check();
        // SAFETY: ALLOC-PASS: the caller's contract is the same.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check();
        // SAFETY: ALLOC-PASS: the caller's contract is the same.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check();
        // SAFETY: ALLOC-PASS: the caller's contract is the same.
        unsafe { self.0.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: ALLOC-PASS: the caller's contract is the same.
        unsafe { self.0.dealloc(memory, layout) }
    }
}
