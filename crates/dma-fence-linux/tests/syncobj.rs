//! Sync objects, on a kernel and a device that have them.

mod common;

use std::fs::File;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use common::{open_fds, or_skip};
use dma_fence::{Errno, Timestamp};
use dma_fence_linux::{
    BinarySyncobj, DrmDevice, PointError, PointEvent, PointWait, PointWaitError, SyncFile,
    SyncPoint, SyncobjError, SyncobjImportError, TimelineSyncobj, Vgem,
};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno as IoErrno;

/// Long enough that it passes only where something hangs.
const LONG: Duration = Duration::from_secs(60);

fn device() -> Option<DrmDevice> {
    or_skip("virtio_gpu", DrmDevice::first_with_syncobjs())
}

fn vgem() -> Option<Vgem> {
    or_skip("vgem", Vgem::open())
}

fn at(timeline: &TimelineSyncobj, seqno: u64) -> SyncPoint {
    timeline.point(NonZeroU64::new(seqno).unwrap())
}

fn look(point: &SyncPoint) -> Result<(), PointWaitError> {
    PointWait::for_signal(Duration::ZERO).all(std::slice::from_ref(point))
}

const SIGNALED: Result<(), PointWaitError> = Ok(());
const PENDING: Result<(), PointWaitError> = Err(PointWaitError::TimedOut);
const EMPTY: Result<(), PointWaitError> = Err(PointWaitError::NotSubmitted);

fn is_signaled(sync_file: &SyncFile) -> bool {
    let mut fds = [PollFd::new(sync_file, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
}

// === life ===

#[test]
fn a_new_object_is_empty_or_signaled() {
    let Some(device) = device() else { return };
    assert_eq!(look(&BinarySyncobj::new(&device).unwrap().point()), EMPTY);
    assert_eq!(look(&BinarySyncobj::new_signaled(&device).unwrap().point()), SIGNALED);
    assert_eq!(look(&at(&TimelineSyncobj::new(&device).unwrap(), 1)), EMPTY);
}

#[test]
fn a_signaled_object_is_empty_after_a_reset() {
    let Some(device) = device() else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    object.point().signal().unwrap();
    assert_eq!(look(&object.point()), SIGNALED);
    object.reset().unwrap();
    assert_eq!(look(&object.point()), EMPTY);
}

#[test]
fn a_device_without_sync_objects_says_so() {
    let Some(vgem) = vgem() else { return };
    let device = vgem.device();
    assert_eq!(device.driver().as_deref(), Ok("vgem"));
    assert_eq!((device.has_syncobjs(), device.has_timelines()), (Ok(false), Ok(false)));
    let error = BinarySyncobj::new(device).unwrap_err();
    assert!(matches!(error, SyncobjError::Unsupported(_)), "{error}");
    let error = TimelineSyncobj::new(device).unwrap_err();
    assert!(matches!(error, SyncobjError::Unsupported(_)), "{error}");
}

#[test]
fn a_file_that_is_no_device_says_so() {
    let device = DrmDevice::open("/dev/null").unwrap();
    assert_eq!(device.driver().unwrap_err().errno().raw(), IoErrno::NOTTY.raw_os_error());
    assert_eq!(device.has_syncobjs().unwrap_err().request(), "DRM_IOCTL_GET_CAP");
    assert!(matches!(BinarySyncobj::new(&device), Err(SyncobjError::Kernel(_))));
    assert_eq!(DrmDevice::open("/dev/dri/none").unwrap_err().errno(), Errno::ENOENT);
}

#[test]
fn a_point_keeps_its_object_and_the_object_its_device() {
    let Some(device) = device() else { return };
    let before = open_fds();
    let point = {
        let device = DrmDevice::from(device.as_fd().try_clone_to_owned().unwrap());
        BinarySyncobj::new_signaled(&device).unwrap().point()
    };
    assert_eq!(look(&point), SIGNALED);
    drop(point);
    assert_eq!(open_fds(), before);
}

// === sync files ===

/// Elsewhere the handle is forgotten in the request, which then names object 0 and fails.
#[test]
fn a_sync_file_goes_into_a_binary_object_and_comes_out() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let (fence, file) = vgem.new_fence().unwrap();
    let object = BinarySyncobj::new(&device).unwrap();
    object.point().submit(&file).unwrap();
    let out = object.point().sync_file().unwrap();
    assert_eq!(look(&object.point()), PENDING);
    assert!(!is_signaled(&out));
    fence.signal().unwrap();
    assert_eq!(look(&object.point()), SIGNALED);
    assert!(is_signaled(&out));
}

#[test]
fn a_sync_file_goes_into_a_timeline_and_comes_out() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let (fence, file) = vgem.new_fence().unwrap();
    let timeline = TimelineSyncobj::new(&device).unwrap();
    at(&timeline, 5).submit(&file).unwrap();
    // Whoever waits for an earlier point waits for this one.
    for seqno in [1, 5] {
        assert_eq!(look(&at(&timeline, seqno)), PENDING);
        assert!(!is_signaled(&at(&timeline, seqno).sync_file().unwrap()));
    }
    assert_eq!(look(&at(&timeline, 6)), EMPTY);
    fence.signal().unwrap();
    for seqno in [1, 5] {
        assert_eq!(look(&at(&timeline, seqno)), SIGNALED);
        assert!(is_signaled(&at(&timeline, seqno).sync_file().unwrap()));
    }
}

#[test]
fn what_was_submitted_is_a_fence() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    let point = at(&TimelineSyncobj::new(&device).unwrap(), 3);
    point.submit(&file).unwrap();
    let fence = point.sync_file().unwrap().into_fence().unwrap();
    assert!(!fence.is_signaled());
    producer.signal().unwrap();
    assert_eq!(fence.wait_timeout(LONG), Ok(()));
    assert!(point.sync_file().unwrap().into_fence().unwrap().is_signaled());
}

#[test]
fn what_was_not_submitted_is_no_sync_file() {
    let Some(device) = device() else { return };
    let (object, timeline) =
        (BinarySyncobj::new(&device).unwrap(), TimelineSyncobj::new(&device).unwrap());
    assert_eq!(object.point().sync_file().unwrap_err(), PointError::NotSubmitted);
    assert_eq!(at(&timeline, 1).sync_file().unwrap_err(), PointError::NotSubmitted);
    at(&timeline, 1).signal().unwrap();
    assert_eq!(at(&timeline, 2).sync_file().unwrap_err(), PointError::NotSubmitted);
    assert!(is_signaled(&at(&timeline, 1).sync_file().unwrap()));
}

#[test]
fn a_second_sync_file_replaces_the_first_in_a_binary_object() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let ((first, one), (second, other)) = (vgem.new_fence().unwrap(), vgem.new_fence().unwrap());
    let object = BinarySyncobj::new(&device).unwrap();
    object.point().submit(&one).unwrap();
    object.point().submit(&other).unwrap();
    second.signal().unwrap();
    assert_eq!(look(&object.point()), SIGNALED);
    first.signal().unwrap();
}

// === waits ===

#[test]
fn another_thread_ends_a_wait() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let (fence, file) = vgem.new_fence().unwrap();
    let object = BinarySyncobj::new(&device).unwrap();
    object.point().submit(&file).unwrap();
    let points = [object.point()];
    let waiter = thread::spawn(move || PointWait::for_signal(LONG).all(&points));
    thread::sleep(Duration::from_millis(50));
    assert!(!waiter.is_finished());
    fence.signal().unwrap();
    assert_eq!(waiter.join().unwrap(), Ok(()));
}

#[test]
fn any_is_one_and_all_are_all_of_both_kinds() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let ((first, one), (second, other)) = (vgem.new_fence().unwrap(), vgem.new_fence().unwrap());
    let object = BinarySyncobj::new(&device).unwrap();
    let timeline = TimelineSyncobj::new(&device).unwrap();
    let points = [object.point(), at(&timeline, 9)];
    points[0].submit(&one).unwrap();
    points[1].submit(&other).unwrap();
    let now = PointWait::for_signal(Duration::ZERO);
    assert_eq!(now.any(&points), Err(PointWaitError::TimedOut));
    second.signal().unwrap();
    assert_eq!((now.any(&points), now.all(&points)), (Ok(1), PENDING));
    first.signal().unwrap();
    assert_eq!((now.any(&points), now.all(&points)), (Ok(0), SIGNALED));
}

#[test]
fn any_and_all_of_binary_objects() {
    let Some(device) = device() else { return };
    let objects = [0; 3].map(|_| BinarySyncobj::new(&device).unwrap());
    let points = objects.each_ref().map(BinarySyncobj::point);
    points[2].signal().unwrap();
    let now = PointWait::for_submit_and_signal(Duration::ZERO);
    assert_eq!((now.any(&points), now.all(&points)), (Ok(2), PENDING));
    points[0].signal().unwrap();
    points[1].signal().unwrap();
    assert_eq!(now.all(&points), SIGNALED);
}

#[test]
fn nothing_is_waited_for() {
    let now = PointWait::for_signal(Duration::ZERO);
    assert_eq!((now.all(&[]), now.any(&[])), (Ok(()), Err(PointWaitError::NoPoints)));
}

#[test]
fn a_wait_gives_up_in_time_and_not_before() {
    let Some(device) = device() else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let end = Timestamp::now().as_nanos() + 30_000_000;
    let end = Timestamp::from_nanos(end);
    for wait in [
        PointWait::for_submit_and_signal(end),
        PointWait::for_submit_and_signal(Duration::from_millis(30)),
    ] {
        assert_eq!(wait.all(&[object.point()]), PENDING);
        assert!(Timestamp::now() >= end);
    }
}

#[test]
fn a_limit_at_the_end_of_time_is_one() {
    let Some(device) = device() else { return };
    let points = [BinarySyncobj::new_signaled(&device).unwrap().point()];
    PointWait::for_signal(Duration::MAX).all(&points).unwrap();
    PointWait::for_signal(Timestamp::from_nanos(u64::MAX)).all(&points).unwrap();
    let object = BinarySyncobj::new(&device).unwrap();
    let (point, points) = (object.point(), [object.point()]);
    let waiter =
        thread::spawn(move || PointWait::for_submit_and_signal(Duration::MAX).all(&points));
    thread::sleep(Duration::from_millis(50));
    assert!(!waiter.is_finished());
    point.signal().unwrap();
    assert_eq!(waiter.join().unwrap(), Ok(()));
}

#[test]
fn a_wait_for_what_was_not_submitted_is_an_error_unless_meant() {
    let Some(device) = device() else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let timeline = TimelineSyncobj::new(&device).unwrap();
    let limit = Duration::from_millis(10);
    for point in [object.point(), at(&timeline, 3)] {
        let points = [point.clone()];
        assert_eq!(PointWait::for_signal(LONG).all(&points), EMPTY);
        assert_eq!(PointWait::for_submit(limit).all(&points), PENDING);
        assert_eq!(PointWait::for_submit_and_signal(limit).all(&points), PENDING);
        let waiter = thread::spawn(move || PointWait::for_submit_and_signal(LONG).all(&points));
        thread::sleep(Duration::from_millis(50));
        assert!(!waiter.is_finished());
        point.signal().unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(()));
    }
}

#[test]
fn a_wait_for_the_submission_ends_before_the_signal() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let timeline = TimelineSyncobj::new(&device).unwrap();
    for point in [object.point(), at(&timeline, 3)] {
        let (fence, file) = vgem.new_fence().unwrap();
        let points = [point.clone()];
        let waiter = thread::spawn(move || PointWait::for_submit(LONG).any(&points));
        thread::sleep(Duration::from_millis(50));
        assert!(!waiter.is_finished());
        point.submit(&file).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(0));
        assert_eq!(look(&point), PENDING);
        fence.signal().unwrap();
    }
}

#[test]
fn a_deadline_changes_nothing_else() {
    let Some(device) = device() else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let timeline = TimelineSyncobj::new(&device).unwrap();
    for point in [object.point(), at(&timeline, 3)] {
        let points = [point.clone()];
        let wait = PointWait::for_signal(Duration::ZERO).with_deadline(Timestamp::now());
        assert_eq!(wait.all(&points), EMPTY);
        point.signal().unwrap();
        assert_eq!(wait.all(&points), SIGNALED);
    }
}

// === timelines ===

#[test]
fn a_timeline_tells_its_last_points() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let timeline = TimelineSyncobj::new(&device).unwrap();
    let lasts = || {
        let (signaled, submitted) = (timeline.last_signaled(), timeline.last_submitted());
        [signaled, submitted].map(|last| last.unwrap().map_or(0, NonZeroU64::get))
    };
    assert_eq!(lasts(), [0, 0]);
    at(&timeline, 3).signal().unwrap();
    assert_eq!(lasts(), [3, 3]);
    let (fence, file) = vgem.new_fence().unwrap();
    at(&timeline, 7).submit(&file).unwrap();
    assert_eq!(lasts(), [3, 7]);
    // Signaled, but not what is before it.
    at(&timeline, 8).signal().unwrap();
    assert_eq!(lasts(), [3, 8]);
    assert_eq!(look(&at(&timeline, 8)), PENDING);
    fence.signal().unwrap();
    assert_eq!(lasts(), [8, 8]);
}

#[test]
fn the_last_point_is_a_point() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let timeline = TimelineSyncobj::new(&device).unwrap();
    let last = at(&timeline, u64::MAX);
    assert_eq!(last.seqno(), Some(NonZeroU64::MAX));
    assert_eq!(look(&last), EMPTY);
    let (fence, file) = vgem.new_fence().unwrap();
    last.submit(&file).unwrap();
    assert_eq!(look(&last), PENDING);
    fence.signal().unwrap();
    assert_eq!(look(&last), SIGNALED);
    assert_eq!(timeline.last_signaled().unwrap(), Some(NonZeroU64::MAX));
}

#[test]
fn a_point_out_of_order_makes_the_last_one_wait() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let timeline = TimelineSyncobj::new(&device).unwrap();
    at(&timeline, 7).signal().unwrap();
    assert_eq!(look(&at(&timeline, 7)), SIGNALED);
    let (fence, file) = vgem.new_fence().unwrap();
    at(&timeline, 5).submit(&file).unwrap();
    assert_eq!(timeline.last_submitted().unwrap().unwrap().get(), 7);
    assert_eq!([look(&at(&timeline, 5)), look(&at(&timeline, 7))], [PENDING, PENDING]);
    fence.signal().unwrap();
    assert_eq!([look(&at(&timeline, 5)), look(&at(&timeline, 7))], [SIGNALED, SIGNALED]);
}

// === transfer ===

#[test]
fn a_fence_goes_from_binary_to_timeline_to_binary() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let (fence, file) = vgem.new_fence().unwrap();
    let [from, to] = [0; 2].map(|_| BinarySyncobj::new(&device).unwrap());
    let timeline = TimelineSyncobj::new(&device).unwrap();
    assert_eq!(from.point().transfer(&at(&timeline, 4)), Err(PointError::NotSubmitted));
    assert_eq!(at(&timeline, 4).transfer(&to.point()), Err(PointError::NotSubmitted));
    from.point().submit(&file).unwrap();
    from.point().transfer(&at(&timeline, 4)).unwrap();
    at(&timeline, 4).transfer(&to.point()).unwrap();
    for point in [from.point(), at(&timeline, 4), to.point()] {
        assert_eq!(look(&point), PENDING);
    }
    fence.signal().unwrap();
    for point in [from.point(), at(&timeline, 4), to.point()] {
        assert_eq!(look(&point), SIGNALED);
    }
}

#[test]
fn objects_of_another_open_file_are_refused() {
    let Some(device) = device() else { return };
    let other = DrmDevice::first_with_syncobjs().unwrap();
    let [here, there] =
        [&device, &other].map(|device| BinarySyncobj::new_signaled(device).unwrap());
    let error = here.point().transfer(&there.point()).unwrap_err();
    assert_eq!(error, PointError::Syncobj(SyncobjError::BadHandle));
    let error = PointWait::for_signal(LONG).all(&[here.point(), there.point()]).unwrap_err();
    assert_eq!(error, PointWaitError::Syncobj(SyncobjError::BadHandle));
}

// === eventfd ===

fn events(eventfd: impl AsFd, limit: Duration) -> u64 {
    let mut fds = [PollFd::new(&eventfd, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec::try_from(limit).unwrap())).unwrap() == 0 {
        return 0;
    }
    let mut count = [0; 8];
    rustix::io::read(&eventfd, &mut count).unwrap();
    u64::from_ne_bytes(count)
}

#[test]
fn an_eventfd_hears_of_the_signal() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let timeline = TimelineSyncobj::new(&device).unwrap();
    for point in [object.point(), at(&timeline, 3)] {
        let event = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        point.notify(&event, PointEvent::Signaled).unwrap();
        let (fence, file) = vgem.new_fence().unwrap();
        point.submit(&file).unwrap();
        assert_eq!(events(&event, Duration::ZERO), 0);
        fence.signal().unwrap();
        assert_eq!(events(&event, LONG), 1);
        point.notify(&event, PointEvent::Signaled).unwrap();
        assert_eq!(events(&event, LONG), 1, "at once if it has signaled");
    }
}

#[test]
fn an_eventfd_hears_of_the_submission() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let timeline = TimelineSyncobj::new(&device).unwrap();
    for point in [object.point(), at(&timeline, 3)] {
        let event = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        point.notify(&event, PointEvent::Submitted).unwrap();
        assert_eq!(events(&event, Duration::ZERO), 0);
        let (fence, file) = vgem.new_fence().unwrap();
        point.submit(&file).unwrap();
        assert_eq!(events(&event, LONG), 1);
        point.notify(&event, PointEvent::Submitted).unwrap();
        assert_eq!(events(&event, LONG), 1, "at once if it was submitted");
        fence.signal().unwrap();
    }
}

#[test]
fn an_eventfd_hears_though_the_object_is_gone() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let (fence, file) = vgem.new_fence().unwrap();
    let event = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let object = BinarySyncobj::new(&device).unwrap();
    object.point().submit(&file).unwrap();
    object.point().notify(&event, PointEvent::Signaled).unwrap();
    drop(object);
    assert_eq!(events(&event, Duration::ZERO), 0);
    fence.signal().unwrap();
    assert_eq!(events(&event, LONG), 1);
}

#[test]
fn only_an_eventfd_is_notified() {
    let Some(device) = device() else { return };
    let object = BinarySyncobj::new(&device).unwrap();
    let error = object.point().notify(&device, PointEvent::Signaled).unwrap_err();
    assert!(matches!(error, SyncobjError::Kernel(error) if error.errno() == Errno::EINVAL));
}

// === sharing ===

#[test]
fn an_object_is_shared_by_two_open_files_of_the_device() {
    let Some(device) = device() else { return };
    let other = DrmDevice::first_with_syncobjs().unwrap();
    let object = BinarySyncobj::new(&device).unwrap();
    let shared = BinarySyncobj::import(&other, object.export().unwrap()).unwrap();
    object.point().signal().unwrap();
    assert_eq!(look(&shared.point()), SIGNALED);
    shared.reset().unwrap();
    assert_eq!(look(&object.point()), EMPTY);

    let timeline = TimelineSyncobj::new(&device).unwrap();
    let shared = TimelineSyncobj::import(&other, timeline.export().unwrap()).unwrap();
    drop(timeline);
    at(&shared, 2).signal().unwrap();
    assert_eq!(shared.last_signaled().unwrap().unwrap().get(), 2);
}

#[test]
fn only_a_sync_object_is_imported() {
    let Some(device) = device() else { return };
    let file = File::open("/dev/null").unwrap();
    let not = SyncobjImportError::NotASyncobj;
    assert_eq!(BinarySyncobj::import(&device, &file).unwrap_err(), not);
    assert_eq!(TimelineSyncobj::import(&device, &file).unwrap_err(), not);
}

#[test]
fn nothing_stays_open() {
    let (Some(device), Some(vgem)) = (device(), vgem()) else { return };
    let (fence, file) = vgem.new_fence().unwrap();
    let before = open_fds();
    for _ in 0..1000 {
        let timeline = TimelineSyncobj::new(&device).unwrap();
        let exported = timeline.export().unwrap();
        let timeline = TimelineSyncobj::import(&device, &exported).unwrap();
        at(&timeline, 1).submit(&file).unwrap();
        at(&timeline, 1).sync_file().unwrap();
        at(&timeline, 2).sync_file().unwrap_err();
    }
    assert_eq!(open_fds(), before);
    fence.signal().unwrap();
}
