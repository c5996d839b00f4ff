//! What hands out numbers, and is kept by everything that has one.
//!
//! To take a number is to be counted: the numbers say how many handles there ever were, so that a handle costs no
//! locked operation of its own.
//!
//! | word | who | transition | ordering | pairs with |
//! |---|---|---|---|---|
//! | issued | user of the issuer | issue: n → n+1 | Relaxed | – |
//! | kept | holder of a handle | clone: n → n+1 | Relaxed | – |
//! | kept | holder of a handle | drop: n → n−1 | Release, and Acquire fence at 0 | every drop before |
//! | kept | owner of the issuer | drop: n → n − OWNED + issued | Release, and Acquire fence at 0 | every drop before |
//!
//! ISSUER-ALIVE: while the issuer is owned, `kept` is OWNED, minus the handles that have gone, plus the clones: so
//! `kept + issued - OWNED` handles are left, and `kept` is far from 0. Whoever drops the issuer has it alone, sees
//! every number that was issued, and from then on `kept` is the handles that are left. Whoever takes it to 0 frees.
#![allow(unsafe_code)]

// Contexts live in a `static`, too: in the record of losses. So only the models below explore the counts.
#[cfg(not(all(test, loom)))]
use crate::sync::global::{AtomicU64, Ordering, fence};
#[cfg(all(test, loom))]
use crate::sync::{AtomicU64, Ordering, fence};
use alloc::boxed::Box;
use core::ops::Deref;
use core::ptr::NonNull;

/// More than there can be handles, and less than half of what fits.
const OWNED: u64 = 1 << 62;

struct Numbered<T> {
    issued: AtomicU64,
    kept: AtomicU64,
    value: T,
}

/// The owner, which alone issues numbers.
pub(super) struct Issuer<T>(NonNull<Numbered<T>>);

/// Keeps the value.
pub(crate) struct Issued<T>(NonNull<Numbered<T>>);

// SAFETY: As for `Arc`: handles on several threads share `&T` and may drop `T` on any of them.
unsafe impl<T: Send + Sync> Send for Issuer<T> {}
// SAFETY: As above; `&Issuer<T>` gives `&T` and handles.
unsafe impl<T: Send + Sync> Sync for Issuer<T> {}
// SAFETY: As for `Arc`.
unsafe impl<T: Send + Sync> Send for Issued<T> {}
// SAFETY: As above; `&Issued<T>` gives `&T` and clones.
unsafe impl<T: Send + Sync> Sync for Issued<T> {}

impl<T> Issuer<T> {
    pub(super) fn new(value: T) -> Self {
        let (issued, kept) = (AtomicU64::new(0), AtomicU64::new(OWNED));
        Issuer(NonNull::from(Box::leak(Box::new(Numbered { issued, kept, value }))))
    }

    /// The next number, counted from 1, and a handle.
    #[inline]
    pub(super) fn issue(&self) -> (u64, Issued<T>) {
        let before = self.numbered().issued.fetch_add(1, Ordering::Relaxed);
        (before + 1, Issued(self.0))
    }

    /// The value, as long as no number has been issued.
    pub(super) fn unissued(&mut self) -> Option<&mut T> {
        if self.numbered().issued.load(Ordering::Relaxed) > 0 {
            return None;
        }
        // SAFETY: ISSUER-ALIVE: there never was a handle, and we have the issuer alone.
        Some(unsafe { &mut self.0.as_mut().value })
    }

    fn numbered(&self) -> &Numbered<T> {
        // SAFETY: ISSUER-ALIVE: owned.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Issued<T> {
    #[inline]
    fn numbered(&self) -> &Numbered<T> {
        // SAFETY: ISSUER-ALIVE: one of the handles is ours.
        unsafe { self.0.as_ref() }
    }
}

/// Takes a share out of what keeps the value.
///
/// # Safety
/// The share is the caller's, who does not use the value after this.
#[inline]
unsafe fn release<T>(numbered: NonNull<Numbered<T>>, share: u64) {
    // SAFETY: ISSUER-ALIVE: until here by the caller's share.
    let before = unsafe { numbered.as_ref() }.kept.fetch_sub(share, Ordering::Release);
    if before == share {
        // SAFETY: ISSUER-ALIVE: nobody else is left.
        unsafe { free(numbered) };
    }
}

/// # Safety
/// Nobody else has a share of it, or ever will.
#[cold]
unsafe fn free<T>(numbered: NonNull<Numbered<T>>) {
    fence(Ordering::Acquire);
    // SAFETY: It came out of a box, and by contract it is the caller's alone.
    drop(unsafe { Box::from_raw(numbered.as_ptr()) });
}

impl<T> Drop for Issuer<T> {
    fn drop(&mut self) {
        // All of them: whoever issued one had the issuer, which is ours alone now.
        let issued = self.numbered().issued.load(Ordering::Relaxed);
        // SAFETY: ISSUER-ALIVE: what is left in it are the handles.
        unsafe { release(self.0, OWNED - issued) };
    }
}

impl<T> Drop for Issued<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: ISSUER-ALIVE: one of the handles is ours.
        unsafe { release(self.0, 1) };
    }
}

impl<T> Clone for Issued<T> {
    fn clone(&self) -> Self {
        self.numbered().kept.fetch_add(1, Ordering::Relaxed);
        Issued(self.0)
    }
}

impl<T> Deref for Issuer<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.numbered().value
    }
}

impl<T> Deref for Issued<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.numbered().value
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::Issuer;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    /// A value that tells the model whenever it is touched, its drop included, and if it is not dropped at all:
    /// the model counts its `Arc`s.
    struct Touched(
        UnsafeCell<u32>,
        #[expect(dead_code, reason = "it is there to be dropped")] Arc<()>,
    );

    // SAFETY: The model checks every access.
    unsafe impl Sync for Touched {}
    // SAFETY: As above.
    unsafe impl Send for Touched {}

    impl Touched {
        fn touch(&self) {
            self.0.with(|value| {
                // SAFETY: The model checks that nobody writes.
                unsafe { *value }
            });
        }
    }

    impl Drop for Touched {
        fn drop(&mut self) {
            self.0.with_mut(|value| {
                // SAFETY: The model checks that nobody else is here.
                unsafe { *value += 1 }
            });
        }
    }

    fn issuer() -> Issuer<Touched> {
        Issuer::new(Touched(UnsafeCell::new(0), Arc::new(())))
    }

    #[test]
    fn the_owner_goes_beside_a_handle() {
        loom::model(|| {
            let issuer = issuer();
            let (number, handle) = issuer.issue();
            assert_eq!(number, 1);
            let thread = thread::spawn(move || {
                handle.touch();
                drop(handle);
            });
            issuer.touch();
            drop(issuer);
            thread.join().unwrap();
        });
    }

    #[test]
    fn handles_go_beside_each_other_and_a_clone() {
        loom::model(|| {
            let issuer = issuer();
            let [(_, one), (number, other)] = [issuer.issue(), issuer.issue()];
            assert_eq!(number, 2);
            drop(issuer);
            let thread = thread::spawn(move || one.clone().touch());
            other.touch();
            drop(other);
            thread.join().unwrap();
        });
    }
}
