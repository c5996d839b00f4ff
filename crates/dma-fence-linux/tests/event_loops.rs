//! A reactor in other people's event loops.
#![cfg(all(feature = "tokio", feature = "calloop"))]

mod common;

use common::or_skip;
use dma_fence::{Errno, FenceError};
use dma_fence_linux::{Reactor, ReactorSource, Vgem};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Only ends a test that hangs.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn tokio_wakes_whoever_awaits() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let reactor = Reactor::new().unwrap();
        let handle = reactor.handle();
        tokio::task::spawn_local(async move { reactor.run().await });
        // More than are fetched at once, and one after the other.
        for len in [200, 1, 1] {
            let (producers, files): (Vec<_>, Vec<_>) =
                (0..len).map(|_| vgem.new_fence().unwrap()).unzip();
            let fences: Vec<_> =
                files.into_iter().map(|file| file.into_fence_on(&handle).unwrap()).collect();
            let all = tokio::time::timeout(LIMIT, dma_fence::all_of(fences));
            // Runs when this task waits.
            tokio::task::spawn_local(async move {
                producers.into_iter().for_each(|producer| producer.signal().unwrap());
            });
            assert_eq!(all.await.expect("in time"), Ok(()));
        }
    });
}

#[test]
fn calloop_calls_back_on_its_thread() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let mut event_loop = calloop::EventLoop::<()>::try_new().unwrap();
    let reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    let events = Rc::new(Cell::new(0));
    let counted = events.clone();
    let source = ReactorSource::new(reactor);
    event_loop
        .handle()
        .insert_source(source, move |number, (), ()| counted.set(counted.get() + number))
        .unwrap();
    let (producer, file) = vgem.new_fence().unwrap();
    let fence = file.into_fence_on(&handle).unwrap();
    let here = std::thread::current().id();
    let told = move |_: &_| assert_eq!(std::thread::current().id(), here);
    fence.on_signal(told).unwrap().detach();
    event_loop.dispatch(Some(Duration::ZERO), &mut ()).unwrap();
    assert_eq!(events.get(), 0);
    producer.signal().unwrap();
    event_loop.dispatch(Some(LIMIT), &mut ()).unwrap();
    assert_eq!(events.get(), 1);
    // Not polled: the event loop was told.
    assert_eq!(
        fence.wait_timeout(Duration::ZERO).map_err(|_| FenceError::Failed(Errno::EIO)),
        Ok(())
    );
}
