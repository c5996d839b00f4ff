//! Reservation objects: who waits for whom over a buffer.
#![cfg(all(feature = "std", not(loom)))]

mod common;

use common::{Backend, OnPoll, Random, hardware, in_time, lost, rounds};
use dma_fence::{
    AddError, AllocError, ContextKind, DriverFence, Errno, Fence, FenceArray, FenceChain,
    FenceContext, FenceError, ReservationObject, ReservationStatus, SeqnoOrder, Usage, WaitError,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

const USAGES: [Usage; 4] = [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep];

fn add(object: &ReservationObject, fence: &Fence, usage: Usage) {
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    guard.add(fence, usage).unwrap();
}

fn holds(object: &ReservationObject, usage: Usage, expected: &[&Fence]) {
    let fences = object.fences(usage);
    assert_eq!(fences.len(), expected.len(), "{fences:?}");
    for fence in expected {
        assert!(fences.iter().any(|held| held.same_fence(fence)), "{fence} is missing");
    }
}

fn signal(producers: impl IntoIterator<Item = DriverFence>) {
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
}

// === usages ===

#[test]
fn usages_are_ordered() {
    assert!(USAGES.is_sorted_by(|a, b| a < b));
}

#[test]
fn asking_for_a_usage_returns_those_at_or_before_it() {
    let object = ReservationObject::new();
    let producers = USAGES.map(|_| hardware().new_fence());
    let fences = producers.each_ref().map(DriverFence::fence);
    // The other way round, for the order of adding must not matter.
    for index in (0..4).rev() {
        add(&object, &fences[index], USAGES[index]);
    }
    for (last, usage) in USAGES.into_iter().enumerate() {
        holds(&object, usage, &fences.iter().take(last + 1).collect::<Vec<_>>());
    }
    signal(producers);
}

#[test]
fn row_16_every_usage_is_tested() {
    for (index, usage) in USAGES.into_iter().enumerate() {
        let object = ReservationObject::new();
        let producer = hardware().new_fence();
        add(&object, &producer.fence(), usage);
        for (asked, question) in USAGES.into_iter().enumerate() {
            let idle = asked < index;
            assert_eq!(object.is_signaled(question), idle, "{usage:?} asked for {question:?}");
            assert_eq!(matches!(object.status(question), ReservationStatus::Idle), idle);
            let looked = object.wait_timeout(question, Duration::ZERO);
            assert_eq!(looked, if idle { Ok(()) } else { Err(WaitError::TimedOut) });
            assert_eq!(object.singleton(question).is_none(), idle);
        }
        producer.signal(Ok(()));
        assert!(object.is_signaled(Usage::Bookkeep));
    }
}

#[test]
fn an_object_without_fences_is_idle() {
    let object = ReservationObject::default();
    assert!(object.is_signaled(Usage::Bookkeep));
    assert!(object.fences(Usage::Bookkeep).is_empty());
    assert!(object.singleton(Usage::Bookkeep).is_none());
    assert_eq!(object.wait(Usage::Bookkeep), Ok(()));
}

// === slots and replacing ===

#[test]
fn adding_takes_a_reserved_slot() {
    let object = ReservationObject::new();
    let producers = [hardware().new_fence(), hardware().new_fence()];
    let mut guard = object.lock();
    assert_eq!(guard.add(&producers[0].fence(), Usage::Write), Err(AddError::NoSlot));
    guard.reserve(1).unwrap();
    guard.add(&producers[0].fence(), Usage::Write).unwrap();
    assert_eq!(guard.add(&producers[1].fence(), Usage::Write), Err(AddError::NoSlot));
    assert_eq!(guard.fences(Usage::Bookkeep).len(), 1);
    drop(guard);
    signal(producers);
}

#[test]
fn reserved_slots_add_up_and_end_with_the_lock() {
    let object = ReservationObject::new();
    let producers = [(); 4].map(|()| hardware().new_fence());
    let mut guard = object.lock();
    (0..3).for_each(|_| guard.reserve(1).unwrap());
    guard.add(&producers[0].fence(), Usage::Read).unwrap();
    guard.add(&producers[2].fence(), Usage::Read).unwrap();
    drop(guard);
    let mut guard = object.lock();
    assert_eq!(guard.add(&producers[1].fence(), Usage::Read), Err(AddError::NoSlot));
    guard.reserve(0).unwrap();
    assert_eq!(guard.add(&producers[1].fence(), Usage::Read), Err(AddError::NoSlot));
    drop(guard);
    signal(producers);
}

#[test]
fn a_reservation_that_cannot_be_had_changes_nothing() {
    let object = ReservationObject::new();
    let producer = hardware().new_fence();
    add(&object, &producer.fence(), Usage::Write);
    let mut guard = object.lock();
    for slots in [usize::MAX, usize::MAX / 2] {
        assert_eq!(guard.reserve(slots), Err(AllocError));
    }
    drop(guard);
    holds(&object, Usage::Bookkeep, &[&producer.fence()]);
    producer.signal(Ok(()));
}

#[test]
fn row_18_adding_the_same_fence_again_needs_no_slot_and_weakens_nothing() {
    let object = ReservationObject::new();
    let producer = hardware().new_fence();
    let fence = producer.fence();
    add(&object, &fence, Usage::Read);
    for (usage, stands_as) in
        [(Usage::Read, Usage::Read), (Usage::Write, Usage::Write), (Usage::Bookkeep, Usage::Write)]
    {
        object.lock().add(&fence, usage).unwrap();
        holds(&object, Usage::Bookkeep, &[&fence]);
        assert!(!object.is_signaled(stands_as), "{usage:?}");
    }
    let mut iter = object.iter(Usage::Write);
    assert!(iter.next().is_some());
    object.lock().add(&fence, Usage::Write).unwrap();
    assert!(iter.next().is_none() && !iter.is_restarted(), "nothing has changed");
    producer.signal(Ok(()));
}

#[test]
fn a_later_fence_of_the_context_takes_the_place_of_an_earlier_one() {
    let (object, context) = (ReservationObject::new(), hardware());
    let producers = [(); 2].map(|()| context.new_fence());
    let [earlier, later] = producers.each_ref().map(DriverFence::fence);
    add(&object, &earlier, Usage::Write);
    object.lock().add(&later, Usage::Write).unwrap();
    holds(&object, Usage::Bookkeep, &[&later]);
    assert_eq!(object.lock().add(&earlier, Usage::Write), Err(AddError::NoSlot));
    holds(&object, Usage::Bookkeep, &[&later]);
    signal(producers);
}

#[test]
fn replacing_never_weakens_the_usage() {
    let (object, context) = (ReservationObject::new(), hardware());
    let producers = [(); 2].map(|()| context.new_fence());
    let [writer, reader] = producers.each_ref().map(DriverFence::fence);
    add(&object, &writer, Usage::Write);
    assert_eq!(object.lock().add(&reader, Usage::Read), Err(AddError::NoSlot));
    add(&object, &reader, Usage::Read);
    holds(&object, Usage::Write, &[&writer]);
    holds(&object, Usage::Read, &[&writer, &reader]);
    // Stronger than both: one of them goes, and the fence is there once.
    object.lock().add(&reader, Usage::Write).unwrap();
    assert_eq!(object.fences(Usage::Bookkeep).iter().filter(|f| f.same_fence(&reader)).count(), 1);
    signal(producers);
}

#[test]
fn a_fence_that_is_there_beside_an_earlier_one_of_its_context_is_not_there_twice() {
    let context = hardware();
    let producers = [(); 2].map(|()| context.new_fence());
    let [earlier, later] = producers.each_ref().map(DriverFence::fence);
    let holds_both_once = |object: &ReservationObject| {
        object.lock().add(&later, Usage::Write).unwrap();
        holds(object, Usage::Write, &[&earlier, &later]);
    };
    // They got there one after the other,
    let object = ReservationObject::new();
    add(&object, &earlier, Usage::Write);
    add(&object, &later, Usage::Read);
    holds_both_once(&object);
    // or the later one in the place of another context's.
    let (object, other) = (ReservationObject::new(), hardware().new_fence());
    add(&object, &earlier, Usage::Write);
    add(&object, &other.fence(), Usage::Write);
    object.lock().replace(other.context(), &later, Usage::Read).unwrap();
    holds_both_once(&object);
    signal(producers.into_iter().chain([other]));
}

#[test]
fn a_fence_that_was_copied_beside_an_abandoned_one_of_its_context_is_not_there_twice() {
    let (object, source, context) =
        (ReservationObject::new(), ReservationObject::new(), hardware());
    let (lost, later) = (lost(&context), context.new_fence());
    add(&object, &lost, Usage::Write);
    add(&source, &later.fence(), Usage::Write);
    object.lock().copy_from(&source).unwrap();
    context.declare_idle(Errno::EIO);
    object.lock().add(&later.fence(), Usage::Write).unwrap();
    holds(&object, Usage::Write, &[&lost, &later.fence()]);
    later.signal(Ok(()));
}

/// Any sequence of additions: the fence is there then, once, no weaker than asked for, and at most one has gone,
/// which it makes superfluous or which has signaled.
#[test]
fn whatever_is_added_only_one_that_is_superfluous_goes() {
    let mut random = Random(3);
    let unordered = SeqnoOrder::Unordered;
    let contexts = [
        hardware(),
        hardware(),
        FenceContext::new(ContextKind::Hardware, "test", "unordered", unordered),
    ];
    let object = ReservationObject::new();
    let mut pending: Vec<DriverFence> = Vec::new();
    for _ in 0..rounds(20_000, 200) {
        if pending.len() < 6 || random.below(3) > 0 {
            pending.push(contexts[random.below(3)].new_fence());
        }
        let usage = USAGES[random.below(4)];
        let new = pending[random.below(pending.len())].fence();
        let before = object.fences_with_usage(Usage::Bookkeep);
        add(&object, &new, usage);
        let after = object.fences_with_usage(Usage::Bookkeep);
        let here: Vec<_> = after.iter().filter(|(fence, _)| fence.same_fence(&new)).collect();
        assert!(
            matches!(here[..], [(_, stands)] if *stands <= usage),
            "{new} as {usage}: {here:?}"
        );
        let mut gone = before.iter().filter(|(old, as_)| {
            !after.iter().any(|(fence, now)| fence.same_fence(old) && now <= as_)
        });
        if let Some((old, as_)) = gone.next() {
            let superfluous = *as_ >= usage && new.is_later_than(old) == Some(true);
            assert!(superfluous || old.is_signaled(), "{new} as {usage} for {old} as {as_}");
        }
        assert!(gone.next().is_none());
        if random.below(2) == 0 {
            pending.remove(random.below(pending.len())).signal(Ok(()));
        }
        signal(pending.drain(pending.len().min(12)..));
        if random.below(50) == 0 {
            drop(pending.remove(0));
        }
        if random.below(200) == 0 {
            contexts.iter().for_each(|context| assert!(context.declare_idle(Errno::EIO) < 20));
        }
    }
    contexts.iter().for_each(|context| assert!(context.declare_idle(Errno::EIO) < 20));
    signal(pending);
}

#[test]
fn other_contexts_and_unordered_ones_keep_their_fences() {
    let object = ReservationObject::new();
    let any = FenceContext::new(ContextKind::Hardware, "test", "any", SeqnoOrder::Unordered);
    let producers = [any.new_fence(), any.new_fence(), hardware().new_fence()];
    let fences = producers.each_ref().map(DriverFence::fence);
    fences.iter().for_each(|fence| add(&object, fence, Usage::Write));
    holds(&object, Usage::Write, &fences.each_ref());
    signal(producers);
}

#[test]
fn a_signaled_fence_gives_its_slot_away() {
    let object = ReservationObject::new();
    let producers = [(); 2].map(|()| hardware().new_fence());
    let [first, second] = producers.each_ref().map(DriverFence::fence);
    add(&object, &first, Usage::Kernel);
    let [one, two] = producers;
    one.signal(Ok(()));
    holds(&object, Usage::Bookkeep, &[&first]);
    object.lock().add(&second, Usage::Bookkeep).unwrap();
    holds(&object, Usage::Bookkeep, &[&second]);
    two.signal(Ok(()));
}

#[test]
fn containers_are_refused() {
    let object = ReservationObject::new();
    let producer = hardware().new_fence();
    let array = FenceArray::new(vec![producer.fence()]).unwrap();
    let chain = FenceChain::new(None, producer.fence(), 1).unwrap();
    let mut guard = object.lock();
    guard.reserve(1).unwrap();
    assert_eq!(guard.add(&array, Usage::Read), Err(AddError::Container));
    assert_eq!(guard.add(&chain, Usage::Read), Err(AddError::Container));
    guard.add(&producer.fence(), Usage::Read).unwrap();
    drop(guard);
    producer.signal(Ok(()));
}

#[test]
fn adding_asks_no_backend_for_its_callbacks_would_run_under_the_lock() {
    let object = ReservationObject::new();
    let asked = Arc::new(AtomicBool::new(false));
    let mark = asked.clone();
    let backend = OnPoll(move || {
        mark.store(true, SeqCst);
        Some(Ok(()))
    });
    let producers = [hardware().new_fence_with(Arc::new(backend)), hardware().new_fence()];
    let mut guard = object.lock();
    guard.reserve(2).unwrap();
    producers.iter().for_each(|producer| guard.add(&producer.fence(), Usage::Read).unwrap());
    drop(guard);
    assert!(!asked.load(SeqCst));
    signal(producers);
}

// === waiting ===

#[test]
fn a_singleton_is_nothing_the_fence_itself_or_an_array() {
    let object = ReservationObject::new();
    let producers = [(); 2].map(|()| hardware().new_fence());
    let [first, second] = producers.each_ref().map(DriverFence::fence);
    add(&object, &first, Usage::Write);
    assert!(object.singleton(Usage::Write).unwrap().same_fence(&first));
    add(&object, &second, Usage::Read);
    let both = object.singleton(Usage::Read).unwrap();
    assert_eq!(both.members().map(<[Fence]>::len), Some(2));
    let [one, two] = producers;
    one.signal(Ok(()));
    assert!(object.singleton(Usage::Write).is_none());
    assert!(object.singleton(Usage::Read).unwrap().same_fence(&second));
    assert!(!both.is_signaled());
    two.signal(Ok(()));
    assert!(both.is_signaled());
}

#[test]
fn row_13_only_waiting_enables_signaling() {
    let object = ReservationObject::new();
    let backend = Backend::silent();
    let producer = hardware().new_fence_with(backend.clone());
    add(&object, &producer.fence(), Usage::Read);
    let _ = (object.is_signaled(Usage::Read), object.status(Usage::Read), format!("{object:?}"));
    let _ = (object.fences(Usage::Read), object.singleton(Usage::Read));
    assert_eq!(object.wait_timeout(Usage::Read, Duration::ZERO), Err(WaitError::TimedOut));
    assert_eq!(backend.times_enabled(), 0);
    let limit = Duration::from_millis(1);
    assert_eq!(object.wait_timeout(Usage::Read, limit), Err(WaitError::TimedOut));
    assert_eq!(backend.times_enabled(), 1);
    producer.signal(Ok(()));
}

#[test]
fn a_failed_fence_has_ended_and_is_no_error_of_the_wait() {
    let block: fn(&ReservationObject) -> _ = |object| object.wait(Usage::Read).is_ok();
    let limited: fn(&ReservationObject) -> _ =
        |object| object.wait_timeout(Usage::Read, Duration::MAX).is_ok();
    for wait in [block, limited] {
        in_time(move || {
            let object = ReservationObject::new();
            let producers = [(); 3].map(|()| hardware().new_fence());
            producers.iter().for_each(|producer| add(&object, &producer.fence(), Usage::Write));
            let signaler = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                producers.into_iter().for_each(|producer| producer.signal(Err(Errno::EIO)));
            });
            assert!(wait(&object));
            signaler.join().unwrap();
        });
    }
}

#[test]
fn row_31_an_abandoned_fence_makes_the_object_abandoned() {
    in_time(|| {
        let (object, context, other) = (ReservationObject::new(), hardware(), hardware());
        let (producer, first) = (other.new_fence(), hardware().new_fence());
        let fence = lost(&context);
        add(&object, &first.fence(), Usage::Write);
        add(&object, &fence, Usage::Write);
        // The one that the array's walk begins with: the wait must not sleep on it.
        add(&object, &producer.fence(), Usage::Write);
        assert!(!object.is_signaled(Usage::Write));
        let ReservationStatus::Abandoned(found) = object.status(Usage::Read) else { panic!() };
        assert!(found.same_fence(&fence));
        assert_eq!(object.wait(Usage::Read), Err(FenceError::Abandoned));
        let looked = object.wait_timeout(Usage::Read, Duration::ZERO);
        assert_eq!(looked, Err(WaitError::Abandoned));
        assert!(matches!(object.status(Usage::Kernel), ReservationStatus::Idle));
        context.declare_idle(Errno::EIO);
        assert!(matches!(object.status(Usage::Write), ReservationStatus::Pending));
        signal([producer, first]);
        assert!(matches!(object.status(Usage::Write), ReservationStatus::Idle));
    });
}

#[test]
fn a_later_fence_does_not_hide_an_abandoned_one() {
    let (object, context) = (ReservationObject::new(), hardware());
    let fence = lost(&context);
    add(&object, &fence, Usage::Write);
    let later = context.new_fence();
    add(&object, &later.fence(), Usage::Write);
    later.signal(Ok(()));
    let status = object.status(Usage::Write);
    context.declare_idle(Errno::EIO);
    assert!(matches!(status, ReservationStatus::Abandoned(_)), "{status:?}");
    assert!(object.is_signaled(Usage::Bookkeep));
}

// === replace and copy ===

#[test]
fn replacing_puts_one_fence_in_the_place_of_all_of_a_context() {
    let (object, context) = (ReservationObject::new(), hardware());
    let any = FenceContext::new(ContextKind::Hardware, "test", "any", SeqnoOrder::Unordered);
    let (other, new) = (hardware().new_fence(), hardware().new_fence());
    let old = [any.new_fence(), any.new_fence(), any.new_fence()];
    old.iter().for_each(|producer| add(&object, &producer.fence(), Usage::Write));
    add(&object, &other.fence(), Usage::Read);
    let mut guard = object.lock();
    guard.replace(context.id(), &new.fence(), Usage::Bookkeep).unwrap();
    holds(&object, Usage::Write, &old.each_ref().map(DriverFence::fence).each_ref());
    guard.replace(any.id(), &new.fence(), Usage::Bookkeep).unwrap();
    holds(&object, Usage::Bookkeep, &[&other.fence(), &new.fence()]);
    holds(&object, Usage::Read, &[&other.fence()]);
    // It has no place of its own in a context that is not there.
    guard.replace(any.id(), &new.fence(), Usage::Kernel).unwrap();
    holds(&object, Usage::Kernel, &[]);
    drop(guard);
    signal(old.into_iter().chain([other, new]));
}

#[test]
fn replacing_with_a_fence_that_is_there_leaves_it_there_once_and_not_weaker() {
    let (object, context) = (ReservationObject::new(), hardware());
    let (old, new) = (hardware().new_fence(), context.new_fence());
    add(&object, &new.fence(), Usage::Write);
    add(&object, &old.fence(), Usage::Kernel);
    object.lock().replace(old.fence().context(), &new.fence(), Usage::Bookkeep).unwrap();
    holds(&object, Usage::Write, &[&new.fence()]);
    holds(&object, Usage::Bookkeep, &[&new.fence()]);
    // Its own context: it does not replace itself.
    object.lock().replace(context.id(), &new.fence(), Usage::Kernel).unwrap();
    holds(&object, Usage::Kernel, &[]);
    holds(&object, Usage::Write, &[&new.fence()]);
    signal([old, new]);
}

#[test]
fn replacing_gives_the_slots_of_the_others_back() {
    let object = ReservationObject::new();
    let any = FenceContext::new(ContextKind::Hardware, "test", "any", SeqnoOrder::Unordered);
    let old = [(); 4].map(|()| any.new_fence());
    let new = hardware().new_fence();
    let mut guard = object.lock();
    guard.reserve(4).unwrap();
    old.iter().for_each(|producer| guard.add(&producer.fence(), Usage::Write).unwrap());
    guard.replace(any.id(), &new.fence(), Usage::Write).unwrap();
    holds(&object, Usage::Bookkeep, &[&new.fence()]);
    assert_eq!(guard.add(&old[0].fence(), Usage::Write), Err(AddError::NoSlot));
    guard.reserve(3).unwrap();
    old[1..].iter().for_each(|producer| guard.add(&producer.fence(), Usage::Write).unwrap());
    assert_eq!(guard.fences(Usage::Write).len(), 4);
    drop(guard);
    signal(old.into_iter().chain([new]));
}

#[test]
fn what_was_abandoned_is_neither_replaced_nor_copied_over() {
    let (object, context) = (ReservationObject::new(), hardware());
    let (fence, new) = (lost(&context), hardware().new_fence());
    add(&object, &fence, Usage::Write);
    object.lock().replace(context.id(), &new.fence(), Usage::Write).unwrap();
    holds(&object, Usage::Bookkeep, &[&fence]);
    let other = ReservationObject::new();
    add(&other, &new.fence(), Usage::Read);
    object.lock().copy_from(&other).unwrap();
    holds(&object, Usage::Bookkeep, &[&fence, &new.fence()]);
    add(&other, &fence, Usage::Kernel);
    object.lock().copy_from(&other).unwrap();
    holds(&object, Usage::Bookkeep, &[&fence, &new.fence()]);
    holds(&object, Usage::Kernel, &[&fence]);
    context.declare_idle(Errno::EIO);
    object.lock().replace(context.id(), &new.fence(), Usage::Write).unwrap();
    holds(&object, Usage::Bookkeep, &[&new.fence()]);
    new.signal(Ok(()));
}

#[test]
fn a_container_replaces_nothing() {
    let (object, context) = (ReservationObject::new(), hardware());
    let producer = context.new_fence();
    add(&object, &producer.fence(), Usage::Write);
    let array = FenceArray::new(vec![producer.fence()]).unwrap();
    let refused = object.lock().replace(context.id(), &array, Usage::Write);
    assert_eq!(refused, Err(AddError::Container));
    holds(&object, Usage::Write, &[&producer.fence()]);
    producer.signal(Ok(()));
}

#[test]
fn a_copy_is_what_the_other_has_and_nothing_else() {
    let (object, other) = (ReservationObject::new(), ReservationObject::new());
    let producers: Vec<_> = (0..8).map(|_| hardware().new_fence()).collect();
    let fences: Vec<Fence> = producers.iter().map(DriverFence::fence).collect();
    fences[..5].iter().for_each(|fence| add(&object, fence, Usage::Kernel));
    for (fence, usage) in fences[4..].iter().zip(USAGES) {
        add(&other, fence, usage);
    }
    for _ in 0..3 {
        object.lock().copy_from(&other).unwrap();
        for usage in USAGES {
            holds(&object, usage, &other.fences(usage).iter().collect::<Vec<_>>());
        }
    }
    let mut guard = object.lock();
    let same = guard.fences(Usage::Bookkeep);
    guard.copy_from(&object).unwrap();
    holds(&object, Usage::Bookkeep, &same.iter().collect::<Vec<_>>());
    guard.copy_from(&ReservationObject::new()).unwrap();
    holds(&object, Usage::Bookkeep, &[]);
    drop(guard);
    signal(producers);
}

#[test]
fn what_was_reserved_before_a_copy_is_there_after_it() {
    let (object, other) = (ReservationObject::new(), ReservationObject::new());
    let producers: Vec<_> = (0..20).map(|_| hardware().new_fence()).collect();
    producers[..10].iter().for_each(|producer| add(&other, &producer.fence(), Usage::Read));
    let mut guard = object.lock();
    guard.reserve(10).unwrap();
    guard.copy_from(&other).unwrap();
    for producer in &producers[10..] {
        guard.add(&producer.fence(), Usage::Read).unwrap();
    }
    assert_eq!(guard.fences(Usage::Read).len(), 20);
    drop(guard);
    signal(producers);
}
