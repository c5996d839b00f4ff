//! Random operations on shared fences from several threads, and what must be true of them all the time.
//!
//! - [`world`]: what the threads share
//! - [`actor`]: a thread that does random operations; [`operations`] and [`containers`]: what it does
//! - [`ledger`]: that each callback runs once or is taken back, and nothing stays behind
//!
//! `DMA_FENCE_STRESS_SECONDS` says how long (2), `DMA_FENCE_STRESS_SEED` with which random numbers (others
//! every time). The same seed gives each thread the same operations; the order between threads is the
//! machine's. `cargo xtask stress` runs it for minutes, optimised.
// The interpreter would get through a handful of operations; the other tests serve it better.
#![cfg(all(feature = "std", not(loom), not(miri)))]

#[path = "../common/mod.rs"]
mod common;

mod actor;
mod containers;
mod ledger;
mod operations;
mod world;

use actor::Actor;
use std::io::Write;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, io, process};
use world::World;

/// More than the machine has CPUs, so that threads lose theirs in the middle of things.
const ACTORS: u64 = 6;
/// A world is looked at for what it left behind this often.
const EPOCH: Duration = Duration::from_millis(500);
/// Nobody sleeps for as long as this unless a wake-up was lost.
const STUCK: Duration = Duration::from_secs(30);
/// How often progress is told.
const REPORT: Duration = Duration::from_secs(10);

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value} is not a number")))
}

#[test]
fn random_operations_on_shared_fences() {
    let time = Duration::from_secs(number("DMA_FENCE_STRESS_SECONDS").unwrap_or(2));
    let seed = number("DMA_FENCE_STRESS_SEED").unwrap_or_else(|| {
        let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is after 1970");
        now.as_millis() as u64
    });
    // Shown if the test fails, and by `cargo xtask stress`.
    eprintln!("seed {seed}, {} s", time.as_secs());
    let (start, mut operations, mut reported) = (Instant::now(), 0, Duration::ZERO);
    for epoch in 0.. {
        if start.elapsed() >= time {
            break;
        }
        operations += run_epoch(seed.wrapping_add(epoch));
        if start.elapsed() >= reported + REPORT {
            reported = start.elapsed();
            eprintln!("{:4} s, {operations} operations", reported.as_secs());
        }
    }
    eprintln!("{operations} operations");
}

/// Lives through one world; how many operations there were in it.
fn run_epoch(seed: u64) -> u64 {
    let world = World::new(seed);
    let start = Instant::now();
    let decider = spawn(&world, Actor::decider(seed));
    let actors: Vec<_> =
        (1..=ACTORS).map(|number| spawn(&world, Actor::new(seed, number))).collect();
    // Who panics ends early, and so does the world.
    let ended = |actor: &JoinHandle<()>| actor.is_finished();
    while start.elapsed() < EPOCH && !actors.iter().any(ended) && !ended(&decider) {
        thread::sleep(Duration::from_millis(5));
    }
    world.stop_acting();
    watch(&world, &actors);
    let panicked = actors.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    // To the end somebody has to signal what the actors wait for.
    world.stop_deciding();
    watch(&world, std::slice::from_ref(&decider));
    let panicked = panicked + usize::from(decider.join().is_err());
    assert_eq!(panicked, 0, "panicked threads in the epoch of seed {seed}");
    world.end()
}

fn spawn(world: &Arc<World>, mut actor: Actor) -> JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || actor.live(&world))
}

/// Waits for the threads; ends the process if no operation ends for too long.
fn watch(world: &World, threads: &[JoinHandle<()>]) {
    let (mut seen, mut since) = (world.operations(), Instant::now());
    while !threads.iter().all(JoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(1));
        // The decider goes on for ever: only those that are waited for count.
        let now = world.operations();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        if since.elapsed() > STUCK {
            // A panic would wait for threads that never come back, and what a test prints by `eprintln`
            // is not shown unless it ends.
            let _ = writeln!(io::stderr(), "stuck, seed {}:\n{}", world.seed, world.describe());
            process::exit(1);
        }
    }
}
