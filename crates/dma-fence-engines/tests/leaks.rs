//! What stays mapped when a pool is dropped, and for how long.
//!
//! One test on one thread in a process of its own: it counts what the whole process leaks, and looks
//! whether anything is mapped where something was.
#![cfg(not(loom))]

mod common;

use common::{begin_write, device};
use dma_fence::{Errno, taint};
use dma_fence_engines::BufferPool;

#[test]
fn memory_in_flight_is_leaked_and_recorded() {
    a_pool_dropped_idle_leaks_nothing();
    a_pool_dropped_in_flight_leaks_and_says_so();
    device_memory_keeps_the_mapping();
}

fn a_pool_dropped_in_flight_leaks_and_says_so() {
    let context = device();
    let pool = BufferPool::new(4, 100).unwrap();
    let mut buffer = pool.acquire().unwrap();
    let mut lost = pool.acquire().unwrap();
    let mut held = pool.acquire().unwrap();
    let (driver, memory) = begin_write(&context, &mut buffer);
    // SAFETY: MEM-LEASED: we are the device, and signal below, after the last access.
    let address = unsafe { memory.address() };
    drop(memory);
    let (other, third) = (device(), device());
    drop(begin_write(&other, &mut lost));
    let (last, memory) = begin_write(&third, &mut held);
    drop((buffer, lost));
    let before = taint::counts();
    drop(pool);
    let after = taint::counts();
    assert_eq!(after.leaks - before.leaks, 1);
    assert_eq!(after.leaked_bytes - before.leaked_bytes, 200);
    drop((held, memory));
    assert_eq!(taint::counts().leaked_bytes - before.leaked_bytes, 300);
    // Still there.
    // SAFETY: MEM-LEASED: as above.
    unsafe {
        address.write_bytes(0xa5, 100);
        assert_eq!(address.add(99).read(), 0xa5);
    }
    driver.signal(Ok(()));
    assert!(is_mapped(address));
    other.declare_idle(Errno::ECANCELED);
    assert!(is_mapped(address));
    last.signal(Ok(()));
    assert!(!is_mapped(address), "everything has signaled, so the mapping goes back");
}

fn a_pool_dropped_idle_leaks_nothing() {
    let before = taint::counts().leaks;
    let pool = BufferPool::new(1, 100).unwrap();
    let mut buffer = pool.acquire().unwrap();
    let address = buffer.bytes_mut().unwrap().as_mut_ptr();
    drop(pool);
    buffer.bytes_mut().unwrap()[0] = 1;
    assert!(is_mapped(address));
    drop(buffer);
    assert!(!is_mapped(address));
    assert_eq!(taint::counts().leaks, before);
}

/// Asks the system whether the page can be read.
fn is_mapped(address: *const u8) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().any(|line| {
        let range = line.split(' ').next().unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        (number(start)..number(end)).contains(&(address as usize))
    })
}

/// Signaled too early, as `Faults::early_signal` does it: the device still has its handle.
fn device_memory_keeps_the_mapping() {
    let context = device();
    let pool = BufferPool::new(1, 100).unwrap();
    let mut buffer = pool.acquire().unwrap();
    let (driver, memory) = begin_write(&context, &mut buffer);
    // SAFETY: MEM-MAPPED is what is tested; nothing is accessed.
    let address = unsafe { memory.address() };
    driver.signal(Ok(()));
    drop((buffer, pool));
    assert!(is_mapped(address));
    drop(memory);
    assert!(!is_mapped(address));
}
