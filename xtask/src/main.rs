//! `cargo xtask VERB`: everything that this repository does beside plain cargo.
#![forbid(unsafe_code)]

mod bare_metal;
mod bench;
mod bench_analyze;
mod bench_copy;
mod bench_core;
mod ci;
mod console;
mod fuzz;
mod kernel;
mod loom;
mod miri;
mod msrv;
mod mutants;
mod plant;
mod rig;
mod shell;
mod stress;
mod tools;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Every verb of this repository that is not plain cargo", max_term_width = 100)]
enum Verb {
    /// Everything that must be green before a change is merged
    Ci(ci::Args),
    /// Run the concurrency models: all tests/loom_*.rs, under the loom model checker
    Loom(loom::Args),
    /// Build the core for machines without an operating system
    BareMetal,
    /// Run the core's tests under Miri, which finds undefined behaviour (needs a nightly toolchain)
    Miri(miri::Args),
    /// Do random operations on shared fences from several threads, for minutes
    Stress(stress::Args),
    /// Change the core in hundreds of ways and see whether its tests notice (needs cargo-mutants)
    Mutants(mutants::Args),
    /// Fuzz the core with programs of random operations, and the reader of traces (needs a nightly toolchain and cargo-fuzz)
    Fuzz(fuzz::Args),
    /// Plant bugs in a copy and see whether the tests that stand for something fail
    Plant(plant::Args),
    /// Run the tests that need a real kernel and its devices in a virtual machine (needs qemu)
    Rig(rig::Args),
    /// The array algorithm inside Linux: build the object, edit a kernel, run the kernel's own tests and ours
    Kernel(kernel::Args),
    /// Check that everything compiles with the oldest Rust that Cargo.toml promises
    Msrv,
    /// Compare the core with what else one could use, count its instructions, see how its costs grow
    Bench(bench_core::Args),
    /// Compare `dma-fence copy` with cp, with cp followed by b3sum, and with itself without overlap
    BenchCopy(bench_copy::Args),
    /// Compare `dma-fence analyze` with grep on a large trace, and see that its memory does not grow with it
    BenchAnalyze(bench_analyze::Args),
}

fn main() -> ExitCode {
    let result = match Verb::parse() {
        Verb::Ci(args) => ci::run(&args),
        Verb::Loom(args) => loom::run(&args),
        Verb::BareMetal => bare_metal::run(),
        Verb::Miri(args) => miri::run(&args),
        Verb::Stress(args) => stress::run(&args),
        Verb::Mutants(args) => mutants::run(&args),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::Plant(args) => plant::run(&args),
        Verb::Rig(args) => rig::run(&args),
        Verb::Kernel(args) => kernel::run(&args),
        Verb::Msrv => msrv::run(),
        Verb::Bench(args) => bench_core::run(&args),
        Verb::BenchCopy(args) => bench_copy::run(&args),
        Verb::BenchAnalyze(args) => bench_analyze::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
