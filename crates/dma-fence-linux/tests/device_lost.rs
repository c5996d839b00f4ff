//! A device that goes away while objects of it are in use.
//!
//! A file of its own, for this takes the device from everybody. So only where `DMA_FENCE_EXPECT` says that
//! the machine is there for tests.

mod common;

use std::time::{Duration, Instant};
use std::{env, fs, thread};

use common::or_skip;
use dma_fence_linux::{
    BinarySyncobj, DrmDevice, PointError, PointEvent, PointWait, PointWaitError, SyncobjError,
};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{fstat, major, minor};

/// Long enough that it passes only where something hangs.
const LONG: Duration = Duration::from_secs(60);

/// Takes it off its bus, and gives it back on drop.
struct Removed;

impl Removed {
    fn remove(device: &DrmDevice) -> Removed {
        let node = fstat(device).unwrap().st_rdev;
        let path = format!("/sys/dev/char/{}:{}/device/remove", major(node), minor(node));
        fs::write(path, "1").unwrap();
        Removed
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        fs::write("/sys/bus/pci/rescan", "1").unwrap();
        let begin = Instant::now();
        while DrmDevice::first_with_syncobjs().is_err() && begin.elapsed() < LONG {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn every_operation_says_that_the_device_is_lost() {
    if env::var_os("DMA_FENCE_EXPECT").is_none() {
        return eprintln!("skipped: takes the device away from the machine");
    }
    let device = or_skip("virtio_gpu", DrmDevice::first_with_syncobjs());
    let Some(device) = device else { return };
    let object = BinarySyncobj::new_signaled(&device).unwrap();
    let (point, points) = (object.point(), [object.point()]);
    let event = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let exported = object.export().unwrap();
    let removed = Removed::remove(&device);

    let lost = |error: &SyncobjError| matches!(error, SyncobjError::DeviceLost(_));
    assert!(lost(&point.signal().unwrap_err()));
    assert!(lost(&object.reset().unwrap_err()));
    assert!(lost(&object.export().unwrap_err()));
    assert!(lost(&BinarySyncobj::new(&device).unwrap_err()));
    assert!(lost(&point.notify(&event, PointEvent::Signaled).unwrap_err()));
    let error = point.sync_file().unwrap_err();
    assert!(matches!(&error, PointError::Syncobj(error) if lost(error)), "{error}");
    let error = PointWait::for_signal(LONG).all(&points).unwrap_err();
    assert!(matches!(&error, PointWaitError::Syncobj(error) if lost(error)), "{error}");

    // What is exported outlives the device.
    drop(removed);
    let device = DrmDevice::first_with_syncobjs().unwrap();
    let object = BinarySyncobj::import(&device, exported).unwrap();
    PointWait::for_signal(Duration::ZERO).all(&[object.point()]).unwrap();
}
