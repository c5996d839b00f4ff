//! What only the numbers of handles show.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::os::fd::AsFd;

use super::object::Object;
use crate::drm::DrmDevice;

/// The kernel gives the lowest number that is free.
#[test]
fn a_dropped_object_is_destroyed() {
    let device = common::or_skip("virtio_gpu", DrmDevice::first_with_syncobjs());
    let Some(device) = device else { return };
    let object = Object::new(&device, 0).unwrap();
    let (first, exported) = (object.handle(), object.export().unwrap());
    assert_ne!(first, 0);
    let imported = Object::import(&device, exported.as_fd()).unwrap();
    assert_ne!(imported.handle(), first);
    drop(object);
    for _ in 0..1000 {
        assert_eq!(Object::new(&device, 0).unwrap().handle(), first);
        assert_eq!(Object::import(&device, exported.as_fd()).unwrap().handle(), first);
    }
}
