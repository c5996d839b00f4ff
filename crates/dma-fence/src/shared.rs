//! Counted handles: the crate's own `Arc`.
//!
//! # Implementation notes
//!
//! `alloc`'s `Arc` would do but for four things that fences need: an allocation that can fail and is
//! apart from its initialisation ([`Slot`]), thin pointers that can go through a type-erased list
//! ([`Shared::into_raw`]), a last look at the value before it goes ([`Shared::release`]), and a weak
//! handle that the model checker can see.
//!
//! Both counts are in one word, `weak` above `strong`, so that one load tells whether anybody else has a
//! handle of any kind.
//!
//! | count | who | transition | ordering | pairs with |
//! |---|---|---|---|---|
//! | strong | holder of a handle | clone: n → n+1 | Relaxed | – |
//! | weak | holder of a handle | downgrade: n → n+1 | Relaxed | – |
//! | strong | holder of a weak handle | upgrade: n>0 → n+1 | Acquire | fill (Release) |
//! | strong | owner of a slot | fill: 0 → 1 | Release; Relaxed if there is no weak handle | upgrade |
//! | strong | holder | drop: n → n−1 | Release, and Acquire fence at 0 | every drop before |
//! | both | the only holder | look: 1 and 1 | Acquire | every drop before |
//! | weak | like strong; all strong handles together hold one | | | |
//!
//! COUNT-ALIVE: while `strong > 0` the value is initialised and not dropped; while `weak > 0` the
//! allocation exists. Only the drop that takes `strong` to 0 touches the value afterwards, and only
//! the drop that takes `weak` to 0 frees.
//!
//! COUNT-ONLY: handles are made of handles. Who has the only one, strong or weak, has nobody to race with,
//! so it changes the word by a plain store: the last drop and the first fill need no locked operation.
#![allow(unsafe_code)]

use crate::sync::{AtomicU64, Ordering, abort, fence, memory};
use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit, offset_of};
use core::ops::Deref;
use core::ptr::NonNull;

/// The allocator had no memory to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllocError;

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

impl core::error::Error for AllocError {}

#[repr(C)]
struct Counted<T> {
    counts: Counts,
    value: MaybeUninit<T>,
}

/// See the table on top.
struct Counts(AtomicU64);

const STRONG: u64 = 1;
const WEAK: u64 = 1 << 32;
/// One strong handle, and the weak count that all strong ones hold together.
const ONLY: u64 = WEAK + STRONG;
/// Half of what fits: as many threads would have to add one at the same time to get further.
const MOST: u32 = i32::MAX as u32;

impl Counts {
    /// Of memory without a value.
    #[inline]
    fn new() -> Counts {
        Counts(AtomicU64::new(WEAK))
    }

    /// There is a value now, with that many handles.
    #[inline]
    fn fill(&self, handles: u32) {
        let added = u64::from(handles) * STRONG;
        if self.0.load(Ordering::Relaxed) == WEAK {
            // COUNT-ONLY: whoever gets a handle later, gets it from us.
            self.0.store(WEAK + added, Ordering::Relaxed);
        } else {
            self.0.fetch_add(added, Ordering::Release);
        }
    }

    #[inline]
    fn raise(&self) {
        if strong(self.0.fetch_add(STRONG, Ordering::Relaxed)) > MOST {
            abort();
        }
    }

    #[inline]
    fn raise_weak(&self) {
        if weak(self.0.fetch_add(WEAK, Ordering::Relaxed)) > MOST {
            abort();
        }
    }

    /// False if there is no value any more, or not yet.
    #[inline]
    fn raise_if_any(&self) -> bool {
        let more = |counts| (strong(counts) > 0).then_some(counts + STRONG);
        self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, more).is_ok()
    }

    /// Asked by who has a strong handle: nobody else has any handle?
    #[inline]
    fn is_only(&self) -> bool {
        self.0.load(Ordering::Acquire) == ONLY
    }

    /// True if it was the last one: all that others did is visible.
    #[inline]
    fn lower(&self) -> bool {
        if self.is_only() {
            // COUNT-ONLY
            self.0.store(WEAK, Ordering::Relaxed);
            return true;
        }
        let last = strong(self.0.fetch_sub(STRONG, Ordering::Release)) == 1;
        if last {
            fence(Ordering::Acquire);
        }
        last
    }

    /// True if it was the last one of both kinds: likewise.
    #[inline]
    fn lower_weak(&self) -> bool {
        // COUNT-ONLY: it is gone with the memory.
        if self.0.load(Ordering::Acquire) == WEAK {
            return true;
        }
        let last = weak(self.0.fetch_sub(WEAK, Ordering::Release)) == 1;
        if last {
            fence(Ordering::Acquire);
        }
        last
    }
}

fn strong(counts: u64) -> u32 {
    counts as u32
}

fn weak(counts: u64) -> u32 {
    (counts >> 32) as u32
}

/// A handle that keeps the value alive.
pub(crate) struct Shared<T> {
    ptr: NonNull<Counted<T>>,
    _owns: PhantomData<Counted<T>>,
}

/// A handle that keeps only the memory, and finds the value as long as somebody else keeps it.
pub(crate) struct WeakShared<T> {
    ptr: NonNull<Counted<T>>,
    _owns: PhantomData<Counted<T>>,
}

/// Memory for a value that is not there yet.
pub(crate) struct Slot<T>(WeakShared<T>);

// SAFETY: As for `Arc`: handles on several threads share `&T` and may drop `T` on any of them.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: As above; `&Shared<T>` gives `&T` and clones.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}
// SAFETY: A weak handle can become a strong one.
unsafe impl<T: Send + Sync> Send for WeakShared<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for WeakShared<T> {}

// === impl Slot ===

impl<T> Slot<T> {
    /// Allocates.
    pub(crate) fn try_new() -> Result<Self, AllocError> {
        let layout = Layout::new::<Counted<T>>();
        // SAFETY: The layout has a size: the counts.
        let raw = unsafe { memory::alloc(layout) }.cast::<Counted<T>>();
        let ptr = NonNull::new(raw).ok_or(AllocError)?;
        // SAFETY: Fresh memory of that layout; nobody else has the pointer.
        unsafe { (&raw mut (*raw).counts).write(Counts::new()) };
        Ok(Slot(WeakShared { ptr, _owns: PhantomData }))
    }

    /// Allocates, or ends the process as any collection would.
    pub(crate) fn new() -> Self {
        Slot::try_new()
            .unwrap_or_else(|_| alloc::alloc::handle_alloc_error(Layout::new::<Counted<T>>()))
    }

    /// A weak handle of the value to come; it finds nothing before [`fill`](Self::fill).
    pub(crate) fn downgrade(&self) -> WeakShared<T> {
        self.0.counted().counts.raise_weak();
        WeakShared { ptr: self.0.ptr, _owns: PhantomData }
    }

    /// Puts the value in. Cannot fail and does not allocate.
    pub(crate) fn fill(self, value: T) -> Shared<T> {
        self.fill_for(value, 1)
    }

    /// The first of so many handles; the others are the caller's to make.
    fn fill_for(self, value: T, handles: u32) -> Shared<T> {
        let ptr = self.0.ptr;
        // The slot's weak count becomes the one that all strong handles hold together.
        core::mem::forget(self);
        // SAFETY: COUNT-ALIVE: strong is 0 and only a slot can raise it from there, so nobody else
        // reaches the value; the allocation is ours by the weak count.
        unsafe {
            (*ptr.as_ptr()).value.as_mut_ptr().write(value);
            (*ptr.as_ptr()).counts.fill(handles);
        }
        Shared { ptr, _owns: PhantomData }
    }
}

// === impl Shared ===

impl<T> Shared<T> {
    /// Allocates and initialises in one step.
    pub(crate) fn new(value: T) -> Self {
        Slot::new().fill(value)
    }

    /// Allocates and initialises, for two who have it from the start.
    pub(crate) fn new_pair(value: T) -> (Self, Self) {
        let one = Slot::new().fill_for(value, 2);
        let ptr = one.ptr;
        (one, Shared { ptr, _owns: PhantomData })
    }

    /// Does nobody else have a handle of any kind? Then nobody ever will, unless we give one away.
    #[inline]
    pub(crate) fn is_only(&self) -> bool {
        self.counted().counts.is_only()
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: COUNT-ALIVE: our strong count keeps the allocation. The value is reached through
        // `deref` only.
        unsafe { self.ptr.as_ref() }
    }

    /// A handle that does not keep the value.
    pub(crate) fn downgrade(&self) -> WeakShared<T> {
        self.counted().counts.raise_weak();
        WeakShared { ptr: self.ptr, _owns: PhantomData }
    }

    /// The handle as a thin pointer to the value, good for the whole allocation.
    pub(crate) fn into_raw(self) -> NonNull<T> {
        ManuallyDrop::new(self).as_raw()
    }

    /// As [`into_raw`](Self::into_raw), and the count stays ours: for the address.
    pub(crate) fn as_raw(&self) -> NonNull<T> {
        // SAFETY: In bounds of a live allocation, so never null.
        unsafe { NonNull::new_unchecked((&raw mut (*self.ptr.as_ptr()).value).cast()) }
    }

    /// Takes back what [`into_raw`](Self::into_raw) gave.
    ///
    /// # Safety
    /// `value` came from `into_raw` of a `Shared<T>`, and that count has not been taken back before.
    pub(crate) unsafe fn from_raw(value: NonNull<T>) -> Self {
        let offset = offset_of!(Counted<T>, value);
        // SAFETY: By contract `value` is that field of a live `Counted<T>`, with its provenance.
        let ptr = unsafe { value.byte_sub(offset) }.cast();
        Shared { ptr, _owns: PhantomData }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.ptr == other.ptr
    }

    /// Tells values apart that are alive at the same time.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.ptr.addr().get()
    }

    /// Gives the handle up. If it was the last one, `last` gets the value before it is dropped.
    ///
    /// A value that owns a handle of its own type takes it out there: so a long row of them is let go
    /// in a loop instead of by recursion.
    #[inline]
    pub(crate) fn release<R>(this: Self, last: impl FnOnce(&mut T) -> R) -> Option<R> {
        let this = ManuallyDrop::new(this);
        // SAFETY: COUNT-ALIVE: if it is lowered to 0, that is what we did.
        this.counted().counts.lower().then(|| unsafe { Self::end(this.ptr, last) })
    }

    /// Out of line: most drops are not the last.
    ///
    /// # Safety
    /// The caller took strong to 0.
    #[inline(never)]
    unsafe fn end<R>(ptr: NonNull<Counted<T>>, last: impl FnOnce(&mut T) -> R) -> R {
        // The count that the strong handles held together goes at the end, even if a drop panics.
        let _memory = WeakShared { ptr, _owns: PhantomData::<Counted<T>> };
        // SAFETY: COUNT-ALIVE: strong is 0, so the value is the caller's alone.
        let mut value = unsafe { DropInPlace::new(&mut (*ptr.as_ptr()).value) };
        last(value.get())
    }
}

/// A value that is dropped where it lies, also if whoever looks at it last panics.
struct DropInPlace<'a, T>(&'a mut MaybeUninit<T>);

impl<'a, T> DropInPlace<'a, T> {
    /// # Safety
    /// The value is initialised, and nobody uses it after this.
    unsafe fn new(value: &'a mut MaybeUninit<T>) -> Self {
        DropInPlace(value)
    }

    fn get(&mut self) -> &mut T {
        // SAFETY: Initialised by the contract of `new`.
        unsafe { self.0.assume_init_mut() }
    }
}

impl<T> Drop for DropInPlace<'_, T> {
    fn drop(&mut self) {
        // SAFETY: Initialised and used for the last time, by the contract of `new`.
        unsafe { self.0.assume_init_drop() };
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: COUNT-ALIVE: our strong count keeps the value initialised.
        unsafe { self.counted().value.assume_init_ref() }
    }
}

impl<T> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Self {
        self.counted().counts.raise();
        Shared { ptr: self.ptr, _owns: PhantomData }
    }
}

impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        // Made of our own count, which goes with it and not a second time with us.
        Shared::release(Shared { ptr: self.ptr, _owns: PhantomData }, |_| ());
    }
}

// === impl WeakShared ===

impl<T> WeakShared<T> {
    fn counted(&self) -> &Counted<T> {
        // SAFETY: COUNT-ALIVE: our weak count keeps the allocation; the value is not reached from here.
        unsafe { self.ptr.as_ref() }
    }

    /// A strong handle, unless the value is gone or not there yet.
    pub(crate) fn upgrade(&self) -> Option<Shared<T>> {
        let there = self.counted().counts.raise_if_any();
        there.then(|| Shared { ptr: self.ptr, _owns: PhantomData })
    }
}

impl<T> Drop for WeakShared<T> {
    fn drop(&mut self) {
        if !self.counted().counts.lower_weak() {
            return;
        }
        // SAFETY: COUNT-ALIVE: weak is 0 or ours alone, and the value has been dropped or never was.
        // The counters themselves need no drop natively; loom's do.
        unsafe {
            core::ptr::drop_in_place(&raw mut (*self.ptr.as_ptr()).counts);
            memory::dealloc(self.ptr.as_ptr().cast(), Layout::new::<Counted<T>>());
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::{Shared, Slot};
    use loom::cell::UnsafeCell;
    use loom::thread;

    /// A value that tells the model whenever it is touched, its drop included.
    struct Touched(UnsafeCell<u32>);

    // SAFETY: The model checks every access.
    unsafe impl Sync for Touched {}
    // SAFETY: As above.
    unsafe impl Send for Touched {}

    impl Touched {
        fn touch(&self) {
            self.0.with_mut(|value| {
                // SAFETY: The model checks that nobody else is here.
                unsafe { *value += 1 }
            });
        }
    }

    impl Drop for Touched {
        fn drop(&mut self) {
            self.touch();
        }
    }

    #[test]
    fn the_last_drop_comes_after_every_use() {
        loom::model(|| {
            let ours = Shared::new(Touched(UnsafeCell::new(0)));
            let theirs = ours.clone();
            let thread = thread::spawn(move || {
                theirs.touch();
                drop(theirs);
            });
            drop(ours);
            thread.join().unwrap();
        });
    }

    /// The other way round: the model checker does not let a new thread go first.
    #[test]
    fn a_last_drop_elsewhere_comes_after_every_use() {
        loom::model(|| {
            let ours = Shared::new(Touched(UnsafeCell::new(0)));
            let theirs = ours.clone();
            let thread = thread::spawn(move || drop(theirs));
            ours.touch();
            drop(ours);
            thread.join().unwrap();
        });
    }

    #[test]
    fn memory_goes_after_every_weak_handle() {
        loom::model(|| {
            let slot = Slot::<Touched>::try_new().unwrap();
            let weak = slot.downgrade();
            let thread = thread::spawn(move || drop(slot));
            assert!(weak.upgrade().is_none());
            drop(weak);
            thread.join().unwrap();
        });
    }

    #[test]
    fn an_upgrade_finds_a_whole_value_or_nothing() {
        loom::model(|| {
            let slot = Slot::<Touched>::try_new().unwrap();
            let weak = slot.downgrade();
            let thread = thread::spawn(move || {
                if let Some(shared) = weak.upgrade() {
                    shared.touch();
                }
            });
            drop(slot.fill(Touched(UnsafeCell::new(0))));
            thread.join().unwrap();
        });
    }

    /// COUNT-ONLY: there is always one who has a handle of the value, or it is gone.
    #[test]
    fn a_weak_handle_is_seen_by_the_last_strong_one() {
        loom::model(|| {
            let ours = Shared::new(Touched(UnsafeCell::new(0)));
            let weak = ours.downgrade();
            let thread = thread::spawn(move || {
                let shared = weak.upgrade();
                drop(weak);
                if let Some(shared) = shared {
                    shared.touch();
                }
            });
            drop(ours);
            thread.join().unwrap();
        });
    }
}
