//! The allocator that says that it is one.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use dma_fence::contract::CheckedAllocator;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;

#[global_allocator]
static ALLOCATOR: CheckedAllocator<System> = CheckedAllocator(System);

/// Answers with addresses that nobody else would, and keeps what it was asked.
struct Recording(RefCell<Vec<(&'static str, usize, Layout, usize)>>);

impl Recording {
    fn answer(&self, what: &'static str, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let mut asked = self.0.borrow_mut();
        asked.push((what, memory.addr(), layout, size));
        std::ptr::without_provenance_mut(asked.len())
    }
}

// SAFETY: Nobody uses the addresses.
unsafe impl GlobalAlloc for Recording {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.answer("alloc", std::ptr::null_mut(), layout, 0)
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.answer("alloc_zeroed", std::ptr::null_mut(), layout, 0)
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.answer("realloc", memory, layout, size)
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.answer("dealloc", memory, layout, 0);
    }
}

#[test]
fn what_is_asked_and_answered_is_passed_on() {
    let allocator = CheckedAllocator(Recording(RefCell::default()));
    let layout = |size| Layout::from_size_align(size, 8).unwrap();
    let memory = std::ptr::without_provenance_mut(77);
    // SAFETY: The recorder touches no memory.
    let answers = unsafe {
        let answers = [
            allocator.alloc(layout(8)),
            allocator.alloc_zeroed(layout(16)),
            allocator.realloc(memory, layout(24), 32),
        ];
        allocator.dealloc(memory, layout(40));
        answers
    };
    assert_eq!(answers.map(|answer| answer.addr()), [1, 2, 3]);
    let asked = [
        ("alloc", 0, layout(8), 0),
        ("alloc_zeroed", 0, layout(16), 0),
        ("realloc", 77, layout(24), 32),
        ("dealloc", 77, layout(40), 0),
    ];
    assert_eq!(*allocator.0.0.borrow(), asked);
}

#[cfg(feature = "contract")]
mod checked {
    use super::common::in_time;
    use dma_fence::contract::{self, Class, Rule, SignallingSection, Violation};
    use dma_fence::taint;
    use std::cell::RefCell;

    thread_local! { static SEEN: RefCell<Vec<Violation>> = const { RefCell::new(Vec::new()) } }

    fn note(violation: &Violation) {
        // Allocates, in the middle of an allocation.
        SEEN.with_borrow_mut(|seen| seen.push(violation.clone()));
    }

    /// What is reported of `f` inside a section of its own place.
    fn reports<R>(section: SignallingSection, f: impl FnOnce() -> R) -> Vec<Violation> {
        let result = f();
        drop(section);
        drop(result);
        SEEN.take()
    }

    /// One test, for there is one hook.
    #[test]
    fn each_way_to_allocate_in_a_section_is_reported_and_giving_back_is_not() {
        contract::on_violation(note);
        let (mut list, kept) = (Vec::with_capacity(1), Box::new(1));
        let found = [
            (reports(contract::signalling(), || Box::new(1)), line!()),
            (reports(contract::signalling(), || vec![0_u64; 64]), line!()),
            (reports(contract::signalling(), || list.extend([1_u64; 64])), line!()),
        ];
        for (found, begun) in found {
            let [violation] = &found[..] else { panic!("{begun}: {found:?}") };
            assert_eq!(violation.rule(), Rule::AllocationInSection);
            let step = violation.steps()[0];
            assert_eq!((step.held, step.wanted), (Class::Signal, Class::Reclaim));
            assert_eq!((step.held_at.file(), step.held_at.line()), (file!(), begun));
        }
        assert!(reports(contract::signalling(), || drop(kept)).is_empty());
        assert!(reports(contract::signalling(), || ()).is_empty());

        // The record itself is looked at where that is reported.
        let records = in_time(|| {
            let _section = contract::signalling();
            taint::recent().len()
        });
        assert!(records >= 3);

        a_hook_runs_under_no_lock();
        a_hook_that_panics_does_not_unwind_through_the_allocator();
    }

    fn a_hook_runs_under_no_lock() {
        contract::on_violation(|violation| {
            contract::on_violation(note);
            note(violation);
        });
        let wait = || reports(contract::signalling(), contract::may_wait).len();
        assert_eq!(in_time(wait), 1);
    }

    /// Else this would be undefined, and in fact the end of the process.
    fn a_hook_that_panics_does_not_unwind_through_the_allocator() {
        contract::on_violation(|violation| {
            note(violation);
            panic!("the hook's own");
        });
        assert_eq!(reports(contract::signalling(), || Box::new(1)).len(), 1);
        // Anywhere else it goes on, and the next one is checked all the same.
        let panics = |section: SignallingSection| {
            super::common::panic_of(|| {
                let _section = section;
                contract::may_wait();
            })
        };
        assert!(panics(contract::signalling()).is_some());
        assert!(panics(contract::signalling()).is_some());
        contract::on_violation(note);
    }
}
