//! The process's own reactor, which has a thread.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::panics::discard;
use super::table::Entry;
use super::{Inner, ReactorHandle, Token};
use crate::error::KernelError;

static GLOBAL: Mutex<Option<ReactorHandle>> = Mutex::new(None);

/// The process's reactor; the first call starts its thread.
pub(super) fn global() -> Result<ReactorHandle, KernelError> {
    let mut global = lock();
    match &*global {
        Some(reactor) if !reactor.is_closed() => return Ok(reactor.clone()),
        // None yet; or its thread has ended, and another one takes its place.
        _ => {}
    }
    let reactor = ReactorHandle::new()?;
    start(&reactor.0)?;
    *global = Some(reactor.clone());
    Ok(reactor)
}

fn start(inner: &Arc<Inner>) -> Result<(), KernelError> {
    let inner = inner.clone();
    // Whatever an allocation or a thread fails for, `EAGAIN` says it.
    let again = |error: std::io::Error| {
        let raw = error.raw_os_error().and_then(dma_fence::Errno::from_raw);
        KernelError::new("clone", raw.unwrap_or(dma_fence::Errno::EAGAIN))
    };
    thread::Builder::new().name("dma-fence".into()).spawn(move || run(&inner)).map_err(again)?;
    Ok(())
}

/// A callback that panics has been reported by the panic hook, and the thread goes on for the others.
fn run(inner: &Inner) {
    loop {
        match catch_unwind(AssertUnwindSafe(|| inner.dispatch(None))) {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => break,
            Err(panic) => discard(panic),
        }
    }
    // The file descriptor is gone: somebody has closed what is not theirs.
    inner.table.close();
}

/// The process's reactor dispatches for another one: an epoll instance can be watched like any file.
pub(super) fn adopt(orphan: &Arc<Inner>) -> Result<(), KernelError> {
    let ReactorHandle(inner) = global()?;
    let token = inner.table.insert(Entry::Reactor(Arc::downgrade(orphan)));
    let _ = orphan.adopted.set(token);
    inner.watch(token, orphan.epoll.as_fd())
}

/// What was adopted has gone, and its epoll instance with it.
pub(super) fn forget(token: Token) {
    if let Some(ReactorHandle(inner)) = &*lock() {
        inner.table.remove(token);
    }
}

fn lock() -> MutexGuard<'static, Option<ReactorHandle>> {
    GLOBAL.lock().unwrap_or_else(PoisonError::into_inner)
}
