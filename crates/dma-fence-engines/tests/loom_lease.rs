//! Lease against signal, explored by the model checker.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p dma-fence-engines --release --test loom_lease`
//!
//! The bytes of the buffer are stood for by a cell that loom watches: the device writes it before its fence
//! signals, whoever acquires the slot writes it afterwards. Handing the slot out too early, or without the
//! device's writes being visible, is a race that loom reports; losing it is a deadlock that loom reports.
#![cfg(loom)]

use dma_fence::{DriverFence, Errno, FenceContext};
use dma_fence_engines::{AcquireError, Buffer, BufferPool};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// Two preemptions find all that is known to go wrong between two parties; three threads need one more.
/// Without a bound the models take hours.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

struct Bytes(UnsafeCell<u32>);

// SAFETY: loom's cell reports every race.
unsafe impl Sync for Bytes {}
// SAFETY: as above.
unsafe impl Send for Bytes {}

impl Bytes {
    fn new() -> Arc<Bytes> {
        Arc::new(Bytes(UnsafeCell::new(0)))
    }

    fn write(&self) {
        // SAFETY: loom checks that nobody else accesses the cell meanwhile.
        self.0.with_mut(|bytes| unsafe { *bytes += 1 });
    }
}

fn leased(pool: &BufferPool, context: &FenceContext) -> (Buffer, DriverFence) {
    let mut buffer = pool.acquire().unwrap();
    let driver = context.new_fence();
    drop(buffer.lease_write().unwrap().commit(&driver.fence()));
    (buffer, driver)
}

/// The device does its one access, and says so.
fn device_writes(bytes: &Arc<Bytes>, driver: DriverFence) -> thread::JoinHandle<()> {
    let bytes = bytes.clone();
    thread::spawn(move || {
        bytes.write();
        driver.signal(Ok(()));
    })
}

#[test]
fn drop_and_acquire_against_signal() {
    model(3, || {
        let pool = BufferPool::new(1, 1).unwrap();
        let context = FenceContext::hardware("test", "device");
        let bytes = Bytes::new();
        let (buffer, driver) = leased(&pool, &context);
        let device = device_writes(&bytes, driver);
        drop(buffer);
        let again = pool.acquire().unwrap();
        bytes.write();
        drop(again);
        device.join().unwrap();
        assert_eq!(pool.stats().free, 1);
    });
}

#[test]
fn signal_against_drop_against_acquire() {
    model(2, || {
        let pool = BufferPool::new(1, 1).unwrap();
        let context = FenceContext::hardware("test", "device");
        let bytes = Bytes::new();
        let (buffer, driver) = leased(&pool, &context);
        let device = device_writes(&bytes, driver);
        let holder = thread::spawn(move || drop(buffer));
        drop(pool.acquire().unwrap());
        bytes.write();
        device.join().unwrap();
        holder.join().unwrap();
        assert_eq!(pool.stats().free, 1);
    });
}

#[test]
fn two_readers_against_drop() {
    model(2, || {
        let pool = BufferPool::new(1, 1).unwrap();
        let bytes = Bytes::new();
        let buffer = pool.acquire().unwrap();
        let contexts = [(); 2].map(|()| FenceContext::hardware("test", "device"));
        let [first, second] = contexts.each_ref().map(|context| {
            let driver = context.new_fence();
            drop(buffer.lease_read().unwrap().commit(&driver.fence()));
            driver
        });
        let device = thread::spawn({
            let bytes = bytes.clone();
            move || {
                first.signal(Ok(()));
                bytes.write();
                second.signal(Ok(()));
            }
        });
        drop(buffer);
        drop(pool.acquire().unwrap());
        bytes.write();
        device.join().unwrap();
    });
}

#[test]
fn abandonment_against_drop_against_acquire() {
    model(2, || {
        let pool = BufferPool::new(1, 1).unwrap();
        let context = FenceContext::hardware("test", "device");
        let bytes = Bytes::new();
        let (buffer, driver) = leased(&pool, &context);
        let device = thread::spawn(move || drop(driver));
        let holder = thread::spawn(move || drop(buffer));
        assert!(matches!(pool.acquire(), Err(AcquireError::Quarantined(_))));
        device.join().unwrap();
        holder.join().unwrap();
        bytes.write();
        assert_eq!(context.declare_idle(Errno::ECANCELED), 1);
        drop(pool.acquire().unwrap());
        bytes.write();
    });
}

#[test]
fn a_late_word_of_abandonment_does_not_touch_the_next_use() {
    model(3, || {
        let pool = BufferPool::new(1, 1).unwrap();
        let (context, other) =
            (FenceContext::hardware("test", "device"), FenceContext::hardware("test", "other"));
        let (buffer, driver) = leased(&pool, &context);
        drop(buffer);
        let device = thread::spawn(move || drop(driver));
        // The callbacks of the abandonment may still be running over there.
        if context.declare_idle(Errno::ECANCELED) == 1 {
            let (buffer, driver) = leased(&pool, &other);
            drop(buffer);
            device.join().unwrap();
            assert_eq!(pool.stats().quarantined, 0);
            driver.signal(Ok(()));
        } else {
            device.join().unwrap();
            context.declare_idle(Errno::ECANCELED);
        }
        assert_eq!(pool.stats().free, 1);
    });
}
