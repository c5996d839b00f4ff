//! Reading a buffer's fences while nobody changes them: whether all have signaled, each of them, and with a handle
//! of each.
//!
//! Who looks at pending fences has to look at all of them to know that none is abandoned; the peer's have no
//! such state, and it counts them. Who reads each asks it for its number and whether it has signaled. That is held
//! against a peer that takes a handle of each, for there it may be kept while it is asked, and be gone from the list
//! meanwhile; a peer that holds on to the whole list instead is shown beside it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use dma_fence::{DriverFence, Fence, FenceContext, ReservationObject, ReservationStatus, Usage};

use crate::contest::{Contender, Contest};
use crate::peers::{ArcSnapshot, BoxedFence};

pub(super) fn contests() -> Vec<Contest> {
    let mut contests = Vec::new();
    for fences in [4, 16, 64] {
        contests.push(
            Contest::new(format!("are all {fences} of a buffer signaled?"), "buffer", test(fences))
                .beside(test_snapshot(fences)),
        );
        contests.push(
            Contest::new(
                format!("the state of {fences} pending ones of a buffer"),
                "buffer",
                look(fences),
            )
            .beside(look_at_snapshot(fences)),
        );
        contests.push(
            Contest::new(format!("read each of {fences} pending ones"), "buffer", read(fences))
                .against(read_handles_of_snapshot(fences), 0.5)
                .beside(read_snapshot(fences)),
        );
        contests.push(
            Contest::new(format!("a handle of each of {fences}"), "buffer", collect(fences))
                .beside(collect_snapshot(fences)),
        );
    }
    contests
}

/// With fences that have signaled, so that nobody stops at the first.
fn object(fences: usize) -> ReservationObject {
    let (object, producers) = pending_object(fences);
    producers.into_iter().for_each(|producer| producer.signal(Ok(())));
    object
}

fn pending_object(fences: usize) -> (ReservationObject, Vec<DriverFence>) {
    let object = ReservationObject::new();
    let mut guard = object.lock();
    guard.reserve(fences).expect("memory");
    let producers: Vec<_> =
        (0..fences).map(|_| FenceContext::hardware("bench", "ring").new_fence()).collect();
    for producer in &producers {
        guard.add(&producer.fence(), Usage::Write).expect("a place");
    }
    drop(guard);
    (object, producers)
}

fn snapshot(fences: usize) -> ArcSnapshot<BoxedFence> {
    let snapshot = pending_snapshot(fences);
    snapshot.0.load().iter().for_each(|(_, fence)| fence.signal());
    snapshot
}

fn pending_snapshot(fences: usize) -> ArcSnapshot<BoxedFence> {
    let fences = (0..fences).map(|context| (context as u64, Arc::new(BoxedFence::new()))).collect();
    let fences: Vec<(u64, Arc<BoxedFence>)> = fences;
    ArcSnapshot(ArcSwap::from_pointee(fences))
}

pub(crate) fn test(fences: usize) -> Contender {
    let object = object(fences);
    Contender::of("dma-fence", move || {
        assert!(black_box(&object).is_signaled(Usage::Read));
    })
}

fn test_snapshot(fences: usize) -> Contender {
    let snapshot = snapshot(fences);
    Contender::of("ArcSwap<Vec<Arc>>", move || {
        let fences = black_box(&snapshot).0.load();
        assert!(fences.iter().all(|(_, fence)| fence.is_signaled()));
    })
}

fn look(fences: usize) -> Contender {
    let (object, producers) = pending_object(fences);
    Contender::of("dma-fence", move || {
        let status = black_box(&object).status(Usage::Read);
        assert!(matches!(status, ReservationStatus::Pending) && producers.len() == fences);
    })
}

fn look_at_snapshot(fences: usize) -> Contender {
    let snapshot = pending_snapshot(fences);
    Contender::of("ArcSwap<Vec<Arc>>", move || {
        let pending = black_box(&snapshot).0.load();
        assert_eq!(pending.iter().filter(|(_, fence)| !fence.is_signaled()).count(), fences);
    })
}

fn read(fences: usize) -> Contender {
    let (object, producers) = pending_object(fences);
    let ask = |sum, fence: &Fence, _| sum + u64::from(!fence.is_signaled()) * fence.seqno();
    Contender::of("dma-fence", move || {
        assert_eq!(black_box(&object).fold(Usage::Read, || 0, ask), producers.len() as u64);
    })
}

/// Flags with a number, the least that can be asked.
fn flags(fences: usize) -> ArcSnapshot<AtomicBool> {
    let flags: Vec<_> = (0..fences).map(|_| (1, Arc::new(AtomicBool::new(false)))).collect();
    ArcSnapshot(ArcSwap::from_pointee(flags))
}

fn ask(number: u64, flag: &AtomicBool) -> u64 {
    u64::from(!flag.load(Ordering::Acquire)) * number
}

/// To come, to tell the writers, and to go, as who reads without a lock has to, and a look at each.
pub(super) fn come_and_go(fences: usize) -> Contender {
    let flags = flags(fences).0.into_inner();
    let place = AtomicU64::new(0);
    Contender::of("three locked operations", move || {
        for step in 1..=2 {
            place.swap(step, Ordering::AcqRel);
        }
        let asked = black_box(&flags).iter().map(|(number, flag)| ask(*number, flag));
        assert_eq!(asked.sum::<u64>(), fences as u64);
        place.swap(0, Ordering::AcqRel);
    })
}

pub(super) fn read_handles_of_snapshot(fences: usize) -> Contender {
    let snapshot = flags(fences);
    Contender::of("ArcSwap<Vec<Arc>>, handles", move || {
        let pending = black_box(&snapshot).0.load();
        let handles = pending.iter().map(|(number, flag)| (*number, black_box(flag.clone())));
        assert_eq!(handles.map(|(number, flag)| ask(number, &flag)).sum::<u64>(), fences as u64);
    })
}

fn read_snapshot(fences: usize) -> Contender {
    let snapshot = flags(fences);
    Contender::of("ArcSwap<Vec<Arc>>, the list", move || {
        let pending = black_box(&snapshot).0.load();
        let asked = pending.iter().map(|(number, flag)| ask(*number, flag));
        assert_eq!(asked.sum::<u64>(), fences as u64);
    })
}

pub(crate) fn collect(fences: usize) -> Contender {
    let object = object(fences);
    Contender::of("dma-fence", move || {
        for fence in black_box(&object).iter(Usage::Read) {
            black_box(&fence);
        }
    })
}

pub(crate) fn collect_snapshot(fences: usize) -> Contender {
    let snapshot = snapshot(fences);
    Contender::of("ArcSwap<Vec<Arc>>", move || {
        for (_, fence) in black_box(&snapshot).0.load().iter() {
            black_box(&fence.clone());
        }
    })
}
