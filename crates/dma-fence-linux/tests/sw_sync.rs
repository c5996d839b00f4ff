//! Software timelines, on a kernel that has them, and fences of the library exported through them.

mod common;

use std::os::fd::AsFd;
use std::time::Duration;

use common::{open_fds, or_skip};
use dma_fence::{Errno, FenceArray, FenceContext, Timestamp};
use dma_fence_linux::{
    BinarySyncobj, DrmDevice, FenceStatus, NotASyncFile, PointWait, PointWaitError, SwSync,
    SyncFile, TimelineSyncobj, UnboundedSyncFile, Vgem,
};

fn open() -> Option<SwSync> {
    or_skip("sw_sync", SwSync::open())
}

fn result(file: &UnboundedSyncFile) -> Option<Result<(), Errno>> {
    match file.info().unwrap().status() {
        FenceStatus::Pending => None,
        FenceStatus::Signaled(signal) => Some(signal.result),
    }
}

#[test]
fn a_timeline_signals_what_it_gets_to() {
    let Some(timeline) = open() else { return };
    let files = [1, 2, 5].map(|value| timeline.create_fence(value).unwrap());
    let signaled = || files.each_ref().map(|file| file.is_signaled().unwrap());
    assert_eq!(signaled(), [false, false, false]);
    timeline.inc(2).unwrap();
    assert_eq!(signaled(), [true, true, false]);
    timeline.inc(3).unwrap();
    assert_eq!(signaled(), [true, true, true]);
    assert!(timeline.create_fence(4).unwrap().is_signaled().unwrap());
    assert!(files[0].wait_timeout(Duration::ZERO).unwrap());
}

#[test]
fn a_fence_has_its_driver() {
    let Some(timeline) = open() else { return };
    let info = timeline.create_fence(1).unwrap().info().unwrap();
    assert_eq!(info.fences.len(), 1);
    assert_eq!(info.fences[0].driver, "sw_sync");
}

#[test]
fn a_dropped_timeline_is_an_error() {
    let Some(timeline) = open() else { return };
    let files = [1, 2].map(|value| timeline.create_fence(value).unwrap());
    timeline.inc(1).unwrap();
    assert_eq!([result(&files[0]), result(&files[1])], [Some(Ok(())), None]);
    drop(timeline);
    assert_eq!([result(&files[0]), result(&files[1])], [Some(Ok(())), Some(Err(Errno::ENOENT))]);
}

#[test]
fn what_is_vouched_for_is_a_sync_file() {
    let Some(timeline) = open() else { return };
    let unbounded = timeline.create_fence(1).unwrap();
    let file: SyncFile = unbounded.vouch_finite();
    let fence = file.into_fence().unwrap();
    assert!(!fence.is_signaled());
    drop(timeline);
    assert_eq!(fence.wait(), Err(dma_fence::FenceError::Failed(Errno::ENOENT)));
}

#[test]
fn an_import_passes_deadlines_on() {
    let Some(timeline) = open() else { return };
    let file = timeline.create_fence(1).unwrap().vouch_finite();
    let deadline = Timestamp::from_nanos(Timestamp::now().as_nanos() + 5_000_000);
    file.try_clone().unwrap().into_fence().unwrap().set_deadline(deadline);
    assert_eq!(timeline.deadline(&file), Ok(Some(deadline)));
    let earlier = Timestamp::from_nanos(deadline.as_nanos() - 1_000_000);
    file.set_deadline(earlier).unwrap();
    assert_eq!(timeline.deadline(&file), Ok(Some(earlier)));
}

// === sync objects that fail, and that have a deadline ===

#[test]
fn a_failed_fence_is_a_signaled_point() {
    let device = or_skip("virtio_gpu", DrmDevice::first_with_syncobjs());
    let (Some(timeline), Some(device)) = (open(), device) else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    object.point().submit(&timeline.create_fence(1).unwrap().vouch_finite()).unwrap();
    let now = PointWait::for_signal(Duration::ZERO);
    assert_eq!(now.all(&[object.point()]), Err(PointWaitError::TimedOut));
    drop(timeline);
    assert_eq!(now.all(&[object.point()]), Ok(()));
    let status = object.point().sync_file().unwrap().status().unwrap();
    let FenceStatus::Signaled(signal) = status else { panic!("{status:?}") };
    assert_eq!(signal.result, Err(Errno::ENOENT));
}

#[test]
fn a_wait_tells_its_deadline() {
    let device = or_skip("virtio_gpu", DrmDevice::first_with_syncobjs());
    let (Some(timeline), Some(device)) = (open(), device) else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let syncobj_timeline = TimelineSyncobj::new(&device).unwrap();
    let points = [object.point(), syncobj_timeline.point(3.try_into().unwrap())];
    for (value, point) in (1..).zip(points) {
        let points = [point];
        let file = timeline.create_fence(value).unwrap().vouch_finite();
        points[0].submit(&file).unwrap();
        let wait = PointWait::for_signal(Duration::from_millis(1));
        assert_eq!(wait.all(&points), Err(PointWaitError::TimedOut));
        assert_eq!(timeline.deadline(&file), Ok(None));
        let deadline = Timestamp::from_nanos(Timestamp::now().as_nanos() + 5_000_000);
        let wait = wait.with_deadline(deadline);
        assert_eq!(wait.all(&points), Err(PointWaitError::TimedOut));
        assert_eq!(timeline.deadline(&file), Ok(Some(deadline)));
    }
}

// === export ===

#[test]
fn an_export_signals_with_its_fence() {
    let Some(_) = open() else { return };
    let context = FenceContext::hardware("gpu", "ring 0");
    let (good, bad) = (context.new_fence(), context.new_fence());
    let files = [&good, &bad].map(|producer| SwSync::export(&producer.fence()).unwrap());
    assert_eq!([result(&files[0]), result(&files[1])], [None, None]);
    bad.signal(Err(Errno::EIO));
    assert_eq!([result(&files[0]), result(&files[1])], [None, Some(Err(Errno::ENOENT))]);
    good.signal(Ok(()));
    assert_eq!(result(&files[0]), Some(Ok(())));
}

#[test]
fn what_has_signaled_is_exported_as_such() {
    let Some(_) = open() else { return };
    let context = FenceContext::hardware("gpu", "ring 0");
    for (outcome, told) in [(Ok(()), Ok(())), (Err(Errno::EIO), Err(Errno::ENOENT))] {
        let producer = context.new_fence();
        let fence = producer.fence();
        producer.signal(outcome);
        assert_eq!(result(&SwSync::export(&fence).unwrap()), Some(told));
    }
}

/// Nobody but the export has the array.
#[test]
fn an_export_keeps_an_array() {
    let Some(_) = open() else { return };
    let context = FenceContext::hardware("gpu", "ring 0");
    let producers = [context.new_fence(), context.new_fence()];
    let members = producers.each_ref().map(|producer| producer.fence());
    let file = SwSync::export(&FenceArray::new(members.into()).unwrap()).unwrap();
    for producer in producers {
        assert_eq!(result(&file), None);
        producer.signal(Ok(()));
    }
    assert_eq!(result(&file), Some(Ok(())));
}

#[test]
fn an_abandoned_fence_signals_nothing_until_its_device_is_idle() {
    let Some(_) = open() else { return };
    let context = FenceContext::hardware("gpu", "ring 0");
    let file = SwSync::export(&context.new_fence().fence()).unwrap();
    assert_eq!(result(&file), None);
    context.declare_idle(Errno::EIO);
    assert_eq!(result(&file), Some(Err(Errno::ENOENT)));
}

#[test]
fn nothing_stays_open() {
    let Some(_) = open() else { return };
    let context = FenceContext::hardware("gpu", "ring 0");
    let before = open_fds();
    for _ in 0..1000 {
        let producer = context.new_fence();
        let _file = SwSync::export(&producer.fence()).unwrap();
        producer.signal(Ok(()));
    }
    assert_eq!(open_fds(), before);
}

/// Whoever gets one from another process gets it as what it is.
#[test]
fn a_file_that_waits_for_a_timeline_is_not_taken_for_a_bounded_one() {
    let Some(timeline) = open() else { return };
    let unbounded = timeline.create_fence(1).unwrap();
    let given = || unbounded.as_fd().try_clone_to_owned().unwrap();
    let Err(NotASyncFile::Unbounded(again)) = SyncFile::new(given()) else { panic!("it is none") };
    // Neither is one that waits for others, too.
    let vouched = again.vouch_finite();
    if let Some(vgem) = or_skip("vgem", Vgem::open()) {
        let (_producer, file) = vgem.new_fence().unwrap();
        let both = file.merge(&vouched, "both").unwrap();
        assert!(matches!(SyncFile::new(both.into()), Err(NotASyncFile::Unbounded(_))));
    }
    timeline.inc(1).unwrap();
    assert!(SyncFile::new(given()).is_ok(), "what has signaled waits for nobody");
}
