//! Everything that must be green.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    bare_metal, bench_core, loom, msrv, rig,
    shell::{self, Result, cargo},
    tools,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only install and download what is needed
    #[arg(long)]
    prepare: bool,
}

type Step = (&'static str, fn() -> Result);

const STEPS: &[Step] = &[
    ("format", || shell::run(&mut cargo(["fmt", "--all", "--check"]))),
    ("clippy", || clippy(&["--workspace", "--all-targets"])),
    ("clippy, contract checks", || {
        clippy(&["--package", "dma-fence", "--all-targets", "--features", "contract,tracing"])
    }),
    ("clippy, events", || {
        clippy(&["--package", "dma-fence", "--all-targets", "--features", "trace"])
    }),
    ("clippy, Linux's fences with all features", || {
        clippy(&["--package", "dma-fence-linux", "--all-targets", "--all-features"])
    }),
    ("clippy, core without std", || clippy(&["--package", "dma-fence", "--no-default-features"])),
    ("clippy, core without std, events", || {
        clippy(&["--package", "dma-fence", "--no-default-features", "--features", "trace"])
    }),
    ("documentation", || {
        let mut doc = cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
        shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    }),
    // As the README says it, except that no test of the page may be skipped.
    ("test", || shell::run(cargo(["test"]).env("DMA_FENCE_NEED_CHROMIUM", "1"))),
    ("test, core without std", || without_std(&[])),
    ("test, core without std, events", || without_std(&["--features", "trace"])),
    // With the log, which no other step looks at; and without events, which the command brings.
    ("test, contract checks", || {
        let package = ["test", "--package", "dma-fence"];
        shell::run(cargo(package).args(["--features", "contract,tracing"]))
    }),
    ("test, events", || {
        let package = ["test", "--package", "dma-fence"];
        shell::run(cargo(package).args(["--features", "contract,trace"]))
    }),
    // What needs a device runs in the last step; the examples of the adapters are compiled here.
    ("test, Linux's fences with all features", || {
        shell::run(&mut cargo(["test", "--package", "dma-fence-linux", "--all-features"]))
    }),
    ("test, xtask and benchmarks", || {
        shell::run(&mut cargo(["test", "--package", "xtask", "--package", "dma-fence-benches"]))
    }),
    // Times would say nothing here.
    ("instructions", || bench_core::run(&bench_core::Args::counts())),
    // On its own lock file, and without the nightly that running it takes.
    ("fuzz targets", || shell::run(&mut cargo(["check", "--manifest-path", "fuzz/Cargo.toml"]))),
    ("oldest Rust", msrv::run),
    ("bare metal", bare_metal::run),
    ("models", || loom::run(&loom::Args::default())),
    ("real kernel", || rig::run(&rig::Args::default())),
];

/// Runs every step, also after one has failed: who looks wants to see all that is wrong.
pub(crate) fn run(args: &Args) -> Result {
    tools::install(tools::BROWSER, "testing the page")?;
    tools::install(tools::COUNT, "counting instructions")?;
    if args.prepare {
        return rig::run(&rig::Args::prepare());
    }
    let mut results: Vec<(&str, Duration, Result)> = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n=== {name}");
        let started = Instant::now();
        let result = step();
        if let Err(error) = &result {
            eprintln!("xtask: {error}");
        }
        results.push((name, started.elapsed(), result));
    }

    eprintln!("\n=== summary");
    for (name, time, result) in &results {
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        eprintln!("{verdict:7} {:7.1} s  {name}", time.as_secs_f64());
    }
    let failed = results.iter().filter(|(_, _, result)| result.is_err()).count();
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} steps failed", results.len())) }
}

fn without_std(args: &[&str]) -> Result {
    let package = ["test", "--package", "dma-fence", "--no-default-features", "--tests"];
    shell::run(cargo(package).args(args))
}

fn clippy(args: &[&str]) -> Result {
    let mut clippy: Command = cargo(["clippy"]);
    shell::run(clippy.args(args).args(["--", "-D", "warnings"]))
}
