//! Random programs on sync files of a real kernel and on fences of the library, side by side: contexts,
//! numbers, statuses and the order of timestamps agree.
//!
//! - `kernel`: who makes the kernel's fences, and signals them
//! - `world`: both sides, and what has to agree

#[path = "../common/mod.rs"]
mod common;
mod kernel;
mod world;

use dma_fence_linux::{BinarySyncobj, DrmDevice, Vgem};
use kernel::{Kernel, SwSyncFences, VgemFences};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use world::{Op, World};

/// How many programs a run has, for each driver.
const PROGRAMS: u32 = 500;

fn op() -> impl Strategy<Value = Op> {
    let any = any::<u8>;
    prop_oneof![
        4 => any().prop_map(Op::Create),
        4 => (any(), any()).prop_map(|(one, other)| Op::Merge(one, other)),
        4 => any().prop_map(Op::Signal),
        1 => any().prop_map(Op::Fail),
        3 => any().prop_map(Op::Query),
        2 => any().prop_map(Op::Name),
        1 => any().prop_map(Op::Import),
        1 => any().prop_map(Op::Drop),
    ]
}

fn run<K: Kernel>(start: impl Fn() -> K) {
    // There is no place to keep failures in; they are printed, shrunk.
    let config = Config { cases: PROGRAMS, failure_persistence: None, ..Config::default() };
    let syncobjs = common::or_skip("virtio_gpu", DrmDevice::first_with_syncobjs())
        .map(|device| BinarySyncobj::new(&device).unwrap());
    let programs = prop::collection::vec(op(), 1..60);
    let comparisons = Cell::new(0);
    TestRunner::new(config)
        .run(&programs, |program| {
            let mut world = World::new(start(), syncobjs.as_ref());
            program.into_iter().for_each(|op| world.run(op));
            comparisons.set(comparisons.get() + world.finish());
            Ok(())
        })
        .unwrap();
    let comparisons = comparisons.get();
    assert!(comparisons > u64::from(PROGRAMS), "hardly anything was compared: {comparisons}");
    eprintln!("{PROGRAMS} programs, {comparisons} comparisons");
}

#[test]
fn vgem_and_the_library_agree() {
    if common::or_skip("vgem", Vgem::open()).is_none() {
        return;
    }
    run(|| VgemFences::new(Vgem::open().unwrap()));
}

/// With errors, and with several fences of a context.
#[test]
fn sw_sync_and_the_library_agree() {
    if common::or_skip("sw_sync", SwSyncFences::new()).is_none() {
        return;
    }
    run(|| SwSyncFences::new().unwrap());
}
