//! Without feature `contract` the annotations are nothing.
#![cfg(all(feature = "std", not(feature = "contract"), not(loom)))]

use dma_fence::contract::{self, LockClass};
use dma_fence::{FenceContext, ReservationObject, taint};

#[test]
fn the_guards_are_empty_and_nothing_is_recorded() {
    static QUEUE: LockClass = LockClass::new("queue");
    assert_eq!(size_of::<contract::Held>(), 0);
    assert_eq!(size_of::<contract::SignallingSection>(), 0);
    assert!(!std::mem::needs_drop::<contract::SignallingSection>());

    contract::on_violation(|violation| panic!("{violation}"));
    let producer = FenceContext::software("test", "off").new_fence();
    let fence = producer.fence();
    producer.signal(Ok(()));
    let _section = contract::signalling_of(&fence);
    let _held = (contract::reclaim(), QUEUE.acquire(), QUEUE.acquire());
    contract::may_allocate();
    contract::may_wait();
    fence.wait().unwrap();
    drop(ReservationObject::new().lock());
    assert!(!taint::is_tainted(), "{:?}", taint::recent());
}
