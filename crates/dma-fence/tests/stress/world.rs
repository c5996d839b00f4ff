//! What the threads share.

use crate::common::Random;
use crate::ledger::{Ledger, Live};
use dma_fence::{
    ContextKind, DriverFence, Errno, Fence, FenceContext, FenceOps, ReservationObject, SeqnoOrder,
    Signal,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Few enough that threads meet.
const SLOTS: usize = 12;
const OBJECTS: usize = 3;

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) contexts: Vec<FenceContext>,
    slots: Vec<Mutex<Slot>>,
    pub(crate) objects: Vec<ReservationObject>,
    pub(crate) ledger: Arc<Ledger>,
    acting: AtomicBool,
    deciding: AtomicBool,
    born: AtomicU64,
}

/// A fence that everybody finds, and its producer unless somebody has it to decide it.
pub(crate) struct Slot {
    pub(crate) fence: Fence,
    pub(crate) producer: Option<DriverFence>,
    /// Younger fences may depend on older ones, so there is always one that depends on nothing.
    pub(crate) born: u64,
}

/// A backend that does nothing but exist, and sometimes knows the end before the producer tells it.
struct Backend {
    _live: Live,
    polled: AtomicU64,
    /// Done at the poll with this number.
    done_at: u64,
}

impl FenceOps for Backend {
    fn polls(&self) -> bool {
        true
    }
    fn poll(&self) -> Option<Signal> {
        (self.polled.fetch_add(1, SeqCst) >= self.done_at).then(|| Signal::now(Ok(())))
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<World> {
        let context = |kind, seqnos| FenceContext::new(kind, "stress", "context", seqnos);
        let contexts = vec![
            context(ContextKind::Hardware, SeqnoOrder::Bits64),
            context(ContextKind::Hardware, SeqnoOrder::Unordered),
            context(ContextKind::Software, SeqnoOrder::Bits64),
        ];
        let slots =
            (0..SLOTS as u64).map(|born| Mutex::new(Slot::new(contexts[0].new_fence(), born)));
        Arc::new(World {
            seed,
            slots: slots.collect(),
            contexts,
            objects: (0..OBJECTS).map(|_| ReservationObject::new()).collect(),
            ledger: Arc::default(),
            acting: AtomicBool::new(true),
            deciding: AtomicBool::new(true),
            born: AtomicU64::new(SLOTS as u64),
        })
    }

    /// Any slot. Held for a moment only: nothing of the library's is called meanwhile.
    pub(crate) fn slot(&self, random: &mut Random) -> MutexGuard<'_, Slot> {
        self.slots[random.below(SLOTS)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fence(&self, random: &mut Random) -> Fence {
        self.slot(random).fence.clone()
    }

    /// One to four fences, perhaps the same one twice.
    pub(crate) fn fences(&self, random: &mut Random) -> Vec<Fence> {
        (0..=random.below(4)).map(|_| self.fence(random)).collect()
    }

    /// A new fence, with a backend or without.
    pub(crate) fn produce(&self, random: &mut Random) -> Slot {
        let context = &self.contexts[random.below(self.contexts.len())];
        let producer = if random.below(3) == 0 {
            let done_at = random.below(40) as u64;
            let live = Live::new(&self.ledger);
            context.new_fence_with(Arc::new(Backend {
                _live: live,
                polled: AtomicU64::new(0),
                done_at,
            }))
        } else {
            context.new_fence()
        };
        Slot::new(producer, self.next_born())
    }

    pub(crate) fn next_born(&self) -> u64 {
        self.born.fetch_add(1, SeqCst)
    }

    pub(crate) fn is_acting(&self) -> bool {
        self.acting.load(SeqCst)
    }
    pub(crate) fn stop_acting(&self) {
        self.acting.store(false, SeqCst);
    }
    pub(crate) fn is_deciding(&self) -> bool {
        self.deciding.load(SeqCst)
    }
    pub(crate) fn stop_deciding(&self) {
        self.deciding.store(false, SeqCst);
    }
    pub(crate) fn operations(&self) -> u64 {
        self.ledger.operations.load(SeqCst)
    }

    /// What everybody waits for, for who looks into a hang.
    pub(crate) fn describe(&self) -> String {
        let slots =
            self.slots.iter().map(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner));
        slots
            .map(|slot| format!("  {:?}, producer here: {}\n", slot.fence, slot.producer.is_some()))
            .collect()
    }

    /// Signals everything, takes everything apart and looks at what is left.
    pub(crate) fn end(self: Arc<World>) -> u64 {
        let world = Arc::into_inner(self).expect("the threads are gone");
        let slots = world.slots.into_iter().map(|slot| slot.into_inner().unwrap());
        let (producers, fences): (Vec<_>, Vec<_>) =
            slots.map(|slot| (slot.producer, slot.fence)).unzip();
        producers.into_iter().flatten().for_each(|producer| producer.signal(Ok(())));
        for context in &world.contexts {
            context.declare_idle(Errno::EIO);
            assert_eq!(context.abandoned(), 0);
        }
        assert!(fences.iter().all(Fence::is_signaled), "{fences:?}");
        drop((fences, world.objects));
        world.ledger.close();
        world.ledger.operations.load(SeqCst)
    }
}

impl Slot {
    fn new(producer: DriverFence, born: u64) -> Slot {
        Slot { fence: producer.fence(), producer: Some(producer), born }
    }
}
