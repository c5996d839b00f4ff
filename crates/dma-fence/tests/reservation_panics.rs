//! Drops of backends that panic while a reservation object lets go of their fences: nothing is freed that somebody
//! reads, and nothing stays behind.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{hardware, panic_of};
use dma_fence::{
    DriverFence, Fence, FenceContext, FenceOps, ReservationObject, Usage, WeakDriverFence,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// The next of those that share `panics` to be dropped does.
struct Falls {
    panics: Arc<AtomicBool>,
    dropped: Arc<AtomicUsize>,
}

impl FenceOps for Falls {}

impl Drop for Falls {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, SeqCst);
        assert!(!self.panics.swap(false, SeqCst), "on purpose");
    }
}

/// An object which alone keeps its fences.
struct Falling {
    object: ReservationObject,
    panics: Arc<AtomicBool>,
    /// By context: how many of its backend are gone.
    dropped: Vec<(u64, Arc<AtomicUsize>)>,
    _producers: Vec<WeakDriverFence>,
}

impl Falling {
    fn of(fences: usize) -> Falling {
        let (object, panics) = (ReservationObject::new(), Arc::new(AtomicBool::new(false)));
        let (mut dropped, mut producers) = (Vec::new(), Vec::new());
        let mut guard = object.lock();
        guard.reserve(fences).unwrap();
        for _ in 0..fences {
            let backend = Falls { panics: panics.clone(), dropped: Arc::default() };
            let gone = backend.dropped.clone();
            let (producer, fence) = hardware().new_observed_fence(Arc::new(backend));
            guard.add(&fence, Usage::Read).unwrap();
            dropped.push((fence.context(), gone));
            producers.push(producer);
        }
        drop(guard);
        Falling { object, panics, dropped, _producers: producers }
    }

    fn take_everything_away(&self) {
        self.object.lock().copy_from(&ReservationObject::new()).unwrap();
    }

    fn is_dropped(&self, fence: &Fence) -> bool {
        let of = self.dropped.iter().find(|(context, _)| *context == fence.context());
        of.unwrap().1.load(SeqCst) > 0
    }
}

#[test]
fn a_panic_frees_nothing_that_somebody_looks_at() {
    let falling = Falling::of(10);
    let mut is_first = true;
    falling.object.fold(
        Usage::Read,
        || 0,
        |count, fence, _| {
            if count == 1 && std::mem::take(&mut is_first) {
                falling.panics.store(true, SeqCst);
                assert!(panic_of(|| falling.take_everything_away()).is_some());
                assert!(!falling.is_dropped(fence), "and it is what we are being shown");
            }
            count + 1
        },
    );
}

#[test]
fn a_panic_while_a_reader_settles_leaves_nothing_behind() {
    let falling = Falling::of(10);
    let mut is_first = true;
    let fold = || {
        falling.object.fold(
            Usage::Read,
            || 0,
            |count, _, _| {
                if count == 1 && std::mem::take(&mut is_first) {
                    falling.take_everything_away();
                    falling.panics.store(true, SeqCst);
                }
                count + 1
            },
        )
    };
    assert!(panic_of(fold).is_some());
    assert!(falling.dropped.iter().all(|(_, dropped)| dropped.load(SeqCst) == 1));
}

/// How often an object has the later of two fences after a `change` that puts it beside the earlier one and panics, for
/// it lets go of something else of that context, and after it was added again.
fn later_ones_after(change: impl FnOnce(&ReservationObject, &FenceContext, &Fence)) -> usize {
    let (object, panics) = (ReservationObject::new(), Arc::new(AtomicBool::new(false)));
    let (context, of_falling) = (hardware(), FenceContext::software("test", "falling"));
    let producers = [(); 2].map(|()| context.new_fence());
    let [earlier, later] = producers.each_ref().map(DriverFence::fence);
    let mut guard = object.lock();
    guard.reserve(4).unwrap();
    guard.add(&earlier, Usage::Write).unwrap();
    let _falling = [Usage::Write, Usage::Read].map(|usage| {
        let backend = Falls { panics: panics.clone(), dropped: Arc::default() };
        let (producer, fence) = of_falling.new_observed_fence(Arc::new(backend));
        guard.add(&fence, usage).unwrap();
        producer
    });
    drop(guard);
    panics.store(true, SeqCst);
    assert!(panic_of(|| change(&object, &of_falling, &later)).is_some());
    object.lock().add(&later, Usage::Write).unwrap();
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    object.fences(Usage::Read).iter().filter(|fence| fence.same_fence(&later)).count()
}

#[test]
fn a_panic_in_an_addition_leaves_nobody_wrongly_alone() {
    let add_two = |object: &ReservationObject, of_falling: &FenceContext, later: &Fence| {
        let mut guard = object.lock();
        guard.reserve(1).unwrap();
        guard.add(&of_falling.new_fence().fence(), Usage::Read).unwrap();
        guard.add(later, Usage::Read).unwrap();
    };
    assert_eq!(later_ones_after(add_two), 1);
}

#[test]
fn a_panic_in_a_replacement_leaves_nobody_wrongly_alone() {
    let replace = |object: &ReservationObject, of_falling: &FenceContext, later: &Fence| {
        object.lock().replace(of_falling.id(), later, Usage::Read).unwrap();
    };
    assert_eq!(later_ones_after(replace), 1);
}
