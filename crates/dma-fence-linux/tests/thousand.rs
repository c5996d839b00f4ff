//! One sync file made of a thousand, which is one large array in the kernel.

mod common;

use std::thread;
use std::time::Duration;

use common::{is_signaled, or_skip};
use dma_fence_linux::{FenceStatus, SyncFile, Vgem};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const MANY: usize = 1000;

/// Within it all signal, for then vgem signals what nobody did.
const LIMIT: Duration = Duration::from_secs(10);

/// Two by two, then those two by two: a thousand merges.
fn merged(mut files: Vec<SyncFile>) -> SyncFile {
    while files.len() > 1 {
        let pairs = files.chunks(2);
        files = pairs
            .map(|pair| match pair {
                [one, other] => one.merge(other, "thousand").unwrap(),
                rest => rest[0].try_clone().unwrap(),
            })
            .collect();
    }
    files.remove(0)
}

fn shuffled<T>(mut items: Vec<T>) -> Vec<T> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..items.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        items.swap(index, (random % (index as u64 + 1)) as usize);
    }
    items
}

/// How many have signaled, by what the kernel says of each.
fn signaled(file: &SyncFile) -> usize {
    let info = file.info().unwrap();
    assert_eq!(info.fences.len(), MANY);
    let signals = info.fences.iter().filter_map(|fence| match fence.status {
        FenceStatus::Pending => None,
        FenceStatus::Signaled(signal) => Some(signal.result),
    });
    let results: Vec<_> = signals.collect();
    assert!(results.iter().all(Result::is_ok), "vgem's limit of ten seconds has passed");
    results.len()
}

#[test]
fn a_thousand_sync_files_in_one_signal_in_any_order() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();

    let (producers, files): (Vec<_>, Vec<_>) = (0..MANY).map(|_| vgem.new_fence().unwrap()).unzip();
    let all = merged(files);
    let waited_for = all.try_clone().unwrap();
    let waiter = thread::spawn(move || waited_for.wait_timeout(2 * LIMIT));
    for (done, producer) in shuffled(producers).into_iter().enumerate() {
        // Not each time: where the machine is emulated vgem's ten seconds are short.
        if done % 10 == 0 || done + 10 > MANY {
            assert!(!is_signaled(&all), "after {done} of {MANY}");
        }
        if done % 250 == 1 {
            assert_eq!(signaled(&all), done);
        }
        producer.signal().unwrap();
    }
    assert_eq!(waiter.join().unwrap(), Ok(true));
    assert!(is_signaled(&all));
    assert_eq!(signaled(&all), MANY);
    setrlimit(Resource::Nofile, limit).unwrap();
}
