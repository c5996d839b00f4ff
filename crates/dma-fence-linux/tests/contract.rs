//! Waits in the kernel where nobody may wait: on the way to a signal.
#![cfg(feature = "contract")]

mod common;

use common::or_skip;
use dma_fence::contract::{self, Rule, Violation};
use dma_fence_linux::{BinarySyncobj, DmaBuf, DmaHeap, DrmDevice, PointWait, Vgem};
use std::cell::RefCell;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(1);

thread_local! { static SEEN: RefCell<Vec<Violation>> = const { RefCell::new(Vec::new()) } }

/// How many waits are reported while `wait` runs in a signalling section.
fn waits_reported(wait: impl FnOnce()) -> usize {
    contract::on_violation(|violation| SEEN.with_borrow_mut(|seen| seen.push(violation.clone())));
    let section = contract::signalling();
    wait();
    drop(section);
    SEEN.take().iter().filter(|violation| violation.rule() == Rule::WaitInSection).count()
}

#[test]
fn a_wait_for_a_sync_file_is_reported_and_a_look_is_not() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    assert_eq!(waits_reported(|| assert_eq!(file.wait_timeout(Duration::ZERO), Ok(false))), 0);
    assert_eq!(waits_reported(|| assert_eq!(file.wait_timeout(SHORT), Ok(false))), 1);
    producer.signal().unwrap();
}

#[test]
fn a_wait_for_a_point_is_reported_and_a_look_is_not() {
    let device = or_skip("virtio_gpu", DrmDevice::first_with_syncobjs());
    let Some(device) = device else { return };
    let object = BinarySyncobj::new_signaled(&device).unwrap();
    let points = [object.point()];
    let now = PointWait::for_signal(Duration::ZERO);
    assert_eq!(waits_reported(|| now.all(&points).unwrap()), 0);
    // It may wait, even if it does not this time.
    let later = PointWait::for_signal(Duration::from_secs(1));
    assert_eq!(waits_reported(|| later.all(&points).unwrap()), 1);
    assert_eq!(waits_reported(|| assert_eq!(later.any(&points), Ok(0))), 1);
}

#[test]
fn a_bracket_is_reported() {
    let Some(heap) = or_skip("dma_heap", DmaHeap::open("system")) else { return };
    let buffer: DmaBuf = heap.allocate(4096).unwrap();
    let mut mapping = buffer.map().unwrap();
    let access = || drop(mapping.access(dma_fence_linux::Access::Read).unwrap());
    assert_eq!(waits_reported(access), 1);
}
