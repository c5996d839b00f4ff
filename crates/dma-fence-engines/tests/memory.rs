//! The rules of buffers and leases, with the test itself as the device.
#![cfg(not(loom))]

mod common;

use common::{begin_write, device};
use dma_fence::{DriverFence, Errno, Fence, FenceContext, Status, Usage};
use dma_fence_engines::{AcquireError, Buffer, BufferPool, DeviceMemory, PoolError};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Long enough to see that something does not happen, short enough to wait for it in each test.
const A_WHILE: Duration = Duration::from_millis(50);

fn begin_read(context: &FenceContext, buffer: &Buffer) -> (DriverFence, DeviceMemory) {
    let driver = context.new_fence();
    let memory = buffer.lease_read().unwrap().commit(&driver.fence());
    (driver, memory)
}

fn is(fences: &[Fence], wanted: &[&Fence]) -> bool {
    fences.len() == wanted.len()
        && wanted.iter().all(|fence| fences.iter().any(|other| other.same_fence(fence)))
}

#[test]
fn refuses_absurd_pools() {
    assert_eq!(BufferPool::new(0, 1).unwrap_err(), PoolError::NoBuffers);
    assert_eq!(BufferPool::new(1, 0).unwrap_err(), PoolError::EmptyBuffers);
    let too_large = |count, size| PoolError::TooLarge { count, size };
    assert_eq!(BufferPool::new(1, usize::MAX).unwrap_err(), too_large(1, usize::MAX));
    assert_eq!(BufferPool::new(4, usize::MAX / 4).unwrap_err(), too_large(4, usize::MAX / 4));
    // Fits into the type, and into no machine: 47 or 56 bits are all there is.
    let refused = BufferPool::new(1, 1 << 60).unwrap_err();
    assert!(matches!(refused, PoolError::Refused { .. }), "{refused}");
}

#[test]
fn slots_are_page_aligned_zero_and_apart() {
    let pool = BufferPool::new(3, 5000).unwrap();
    let mut buffers: Vec<_> = (0..3).map(|_| pool.acquire().unwrap()).collect();
    for (number, buffer) in buffers.iter_mut().enumerate() {
        assert_eq!(buffer.len(), 5000);
        let bytes = buffer.bytes_mut().unwrap();
        assert_eq!(bytes.as_ptr() as usize % 4096, 0);
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(number as u8 + 1);
    }
    for (number, buffer) in buffers.iter().enumerate() {
        assert!(buffer.bytes().unwrap().iter().all(|byte| *byte == number as u8 + 1));
    }
}

#[test]
fn a_write_keeps_the_cpu_out() {
    let (pool, context) = (BufferPool::new(1, 100).unwrap(), device());
    let mut buffer = pool.acquire().unwrap();
    let (driver, _memory) = begin_write(&context, &mut buffer);
    assert!(buffer.bytes().unwrap_err().fence.same_fence(&driver.fence()));
    assert!(buffer.bytes_mut().unwrap_err().fence.same_fence(&driver.fence()));
    driver.signal(Err(Errno::EIO));
    assert!(buffer.bytes().is_ok());
    assert!(buffer.bytes_mut().is_ok());
}

#[test]
fn a_read_lets_the_cpu_read() {
    let (pool, context) = (BufferPool::new(1, 100).unwrap(), device());
    let mut buffer = pool.acquire().unwrap();
    let (driver, _memory) = begin_read(&context, &buffer);
    assert!(buffer.bytes().is_ok());
    assert!(buffer.bytes_mut().unwrap_err().fence.same_fence(&driver.fence()));
    driver.signal(Ok(()));
    assert!(buffer.bytes_mut().is_ok());
}

#[test]
fn an_abandoned_write_keeps_the_cpu_out_until_declared_idle() {
    let (pool, context) = (BufferPool::new(1, 100).unwrap(), device());
    let mut buffer = pool.acquire().unwrap();
    let (driver, memory) = begin_write(&context, &mut buffer);
    drop((driver, memory));
    assert!(buffer.bytes().is_err());
    assert!(buffer.bytes_mut().is_err());
    assert_eq!(context.declare_idle(Errno::ECANCELED), 1);
    assert!(buffer.bytes().is_ok());
}

#[test]
fn leases_follow_implicit_sync() {
    let pool = BufferPool::new(1, 100).unwrap();
    let mut buffer = pool.acquire().unwrap();
    assert!(buffer.lease_write().unwrap().dependencies().is_empty());
    // Three contexts, as what runs at the same time is not ordered.
    let (a, b, c) = (device(), device(), device());
    let (write, _m) = begin_write(&a, &mut buffer);
    let w = write.fence();
    assert!(is(buffer.lease_read().unwrap().dependencies(), &[&w]));
    assert!(is(buffer.lease_write().unwrap().dependencies(), &[&w]));
    let (read_b, _m) = begin_read(&b, &buffer);
    let (read_c, _m) = begin_read(&c, &buffer);
    let (rb, rc) = (read_b.fence(), read_c.fence());
    assert!(is(buffer.lease_read().unwrap().dependencies(), &[&w]));
    assert!(is(buffer.lease_write().unwrap().dependencies(), &[&w, &rb, &rc]));
    write.signal(Ok(()));
    assert!(buffer.lease_read().unwrap().dependencies().is_empty());
    assert!(is(buffer.lease_write().unwrap().dependencies(), &[&rb, &rc]));
    // Lost is not signaled.
    drop(read_b);
    read_c.signal(Ok(()));
    assert!(is(buffer.lease_write().unwrap().dependencies(), &[&rb]));
    assert!(buffer.lease_read().unwrap().dependencies().is_empty());
}

#[test]
fn a_dropped_lease_is_nothing() {
    let pool = BufferPool::new(1, 100).unwrap();
    let mut buffer = pool.acquire().unwrap();
    drop(buffer.lease_write().unwrap());
    assert!(buffer.bytes_mut().is_ok());
    assert!(buffer.reservation().fences(Usage::Bookkeep).is_empty());
}

#[test]
fn a_buffer_comes_back_at_once_or_after_the_last_signal() {
    let pool = BufferPool::new(1, 100).unwrap();
    drop(pool.acquire().unwrap());
    assert_eq!(pool.stats().free, 1);
    let (a, b) = (device(), device());
    let buffer = pool.acquire().unwrap();
    let (first, _m) = begin_read(&a, &buffer);
    let (second, _m) = begin_read(&b, &buffer);
    assert_eq!(pool.stats().held, 1);
    drop(buffer);
    for signal in [first, second] {
        let stats = pool.stats();
        assert_eq!((stats.free, stats.held, stats.in_flight), (0, 0, 1));
        assert!(pool.try_acquire().unwrap().is_none());
        signal.signal(Ok(()));
    }
    assert_eq!(pool.stats().free, 1);
    // With no memory of what was.
    let again = pool.acquire().unwrap();
    assert!(again.reservation().fences(Usage::Bookkeep).is_empty());
}

#[test]
fn acquire_sleeps_until_the_signal() {
    let (pool, context) = (BufferPool::new(1, 100).unwrap(), device());
    let mut buffer = pool.acquire().unwrap();
    let (driver, memory) = begin_write(&context, &mut buffer);
    drop(buffer);
    let (done, got) = channel();
    thread::scope(|scope| {
        scope.spawn(|| done.send(pool.acquire().unwrap().index()).unwrap());
        assert!(got.recv_timeout(A_WHILE).is_err(), "handed out before the signal");
        drop(memory);
        driver.signal(Ok(()));
        assert_eq!(got.recv_timeout(Duration::from_secs(5)), Ok(0));
    });
}

#[test]
fn an_abandoned_buffer_is_quarantined_and_acquire_says_so() {
    let (pool, context) = (BufferPool::new(2, 100).unwrap(), device());
    for _ in 0..2 {
        let mut buffer = pool.acquire().unwrap();
        drop(begin_write(&context, &mut buffer));
        // Held, so not in quarantine yet.
        assert_eq!(pool.stats().held, 1);
    }
    let stats = pool.stats();
    assert_eq!((stats.free, stats.held, stats.in_flight, stats.quarantined), (0, 0, 0, 2));
    let AcquireError::Quarantined(fence) = pool.acquire().unwrap_err();
    assert_eq!((fence.context(), fence.status()), (context.id(), Status::Abandoned));
    assert!(pool.try_acquire().is_err());
    assert_eq!(context.declare_idle(Errno::ECANCELED), 2);
    assert_eq!(pool.stats().free, 2);
    assert!(pool.acquire().is_ok());
}

#[test]
fn a_fence_abandoned_after_the_drop_wakes_those_who_wait() {
    // Also with an array, whose other member signals later.
    for readers in 1..=3 {
        let pool = BufferPool::new(1, 100).unwrap();
        let contexts: Vec<_> = (0..readers).map(|_| device()).collect();
        let buffer = pool.acquire().unwrap();
        let mut drivers: Vec<_> = contexts.iter().map(|c| begin_read(c, &buffer).0).collect();
        drop(buffer);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.acquire());
            thread::sleep(A_WHILE);
            let lost = drivers.remove(0);
            let name = lost.fence();
            drop(lost);
            drivers.drain(..).for_each(|driver| driver.signal(Ok(())));
            let AcquireError::Quarantined(fence) = waiter.join().unwrap().unwrap_err();
            assert!(fence.same_fence(&name), "{fence}");
        });
        assert_eq!(pool.stats().quarantined, 1);
        assert_eq!(contexts[0].declare_idle(Errno::ECANCELED), 1);
        assert_eq!(pool.stats().free, 1);
    }
}

#[test]
fn waits_while_a_buffer_is_held_though_the_others_are_quarantined() {
    let (pool, context) = (BufferPool::new(2, 100).unwrap(), device());
    let mut lost = pool.acquire().unwrap();
    let held = pool.acquire().unwrap();
    drop(begin_write(&context, &mut lost));
    drop(lost);
    assert!(pool.try_acquire().unwrap().is_none());
    let index = held.index();
    drop(held);
    assert_eq!(pool.acquire().unwrap().index(), index);
}

// === acquire_async ===

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn new() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), Waker::from(count))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

#[test]
fn acquire_async_is_woken_by_the_signal() {
    let (pool, context) = (BufferPool::new(1, 100).unwrap(), device());
    let mut buffer = pool.acquire().unwrap();
    let (driver, _memory) = begin_write(&context, &mut buffer);
    drop(buffer);
    let (count, waker) = Count::new();
    let (unused, old) = Count::new();
    let mut future = pin!(pool.acquire_async());
    assert!(poll(future.as_mut(), &old).is_pending());
    assert!(poll(future.as_mut(), &waker).is_pending());
    driver.signal(Ok(()));
    assert_eq!((count.get(), unused.get()), (1, 0), "the waker of the last poll, once");
    assert!(poll(future.as_mut(), &waker).is_ready());
}

#[test]
fn a_dropped_acquire_passes_its_wake_up_on() {
    let pool = BufferPool::new(1, 100).unwrap();
    let buffer = pool.acquire().unwrap();
    let (first, first_waker) = Count::new();
    let (second, second_waker) = Count::new();
    let (third, third_waker) = Count::new();
    let mut one = Box::pin(pool.acquire_async());
    let mut two = Box::pin(pool.acquire_async());
    let mut three = Box::pin(pool.acquire_async());
    assert!(poll(one.as_mut(), &first_waker).is_pending());
    assert!(poll(two.as_mut(), &second_waker).is_pending());
    assert!(poll(three.as_mut(), &third_waker).is_pending());
    // Gone before it is woken: nobody is told.
    drop(two);
    drop(buffer);
    assert_eq!((first.get(), second.get(), third.get()), (1, 0, 0));
    // Gone after it was woken: the next one is.
    drop(one);
    assert_eq!(third.get(), 1);
    assert!(poll(three.as_mut(), &third_waker).is_ready());
}

#[test]
fn acquire_async_hears_of_quarantine() {
    let (pool, context) = (BufferPool::new(1, 100).unwrap(), device());
    let mut buffer = pool.acquire().unwrap();
    let (driver, _memory) = begin_write(&context, &mut buffer);
    drop(buffer);
    let (count, waker) = Count::new();
    let mut future = pin!(pool.acquire_async());
    assert!(poll(future.as_mut(), &waker).is_pending());
    drop(driver);
    assert_eq!(count.get(), 1);
    assert!(matches!(poll(future.as_mut(), &waker), Poll::Ready(Err(_))));
}

#[test]
fn many_threads_never_share_a_buffer() {
    // Two buffers for three threads and a device that signals from a fourth.
    let pool = BufferPool::new(2, 64).unwrap();
    let (send, receive) = channel::<(DriverFence, DeviceMemory)>();
    thread::scope(|scope| {
        scope.spawn(|| {
            for (driver, memory) in receive {
                drop(memory);
                driver.signal(Ok(()));
            }
        });
        for number in 0..3u8 {
            let (pool, send) = (&pool, send.clone());
            scope.spawn(move || {
                for _ in 0..500 {
                    let mut buffer = pool.acquire().unwrap();
                    buffer.bytes_mut().unwrap().fill(number);
                    assert!(buffer.bytes().unwrap().iter().all(|byte| *byte == number));
                    let context = device();
                    send.send(begin_read(&context, &buffer)).unwrap();
                }
            });
        }
        drop(send);
    });
    assert_eq!(pool.stats().free, 2);
}

#[test]
fn handles_can_change_threads() {
    fn assert<T: Send + Sync>() {}
    fn assert_send<T: Send>(_: T) {}
    assert::<BufferPool>();
    assert::<Buffer>();
    assert::<DeviceMemory>();
    let pool = BufferPool::new(1, 1).unwrap();
    assert_send(pool.acquire_async());
}
