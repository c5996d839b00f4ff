//! Fuzzing, steered by what is reached: the core with programs of random operations, the reader of traces with
//! text, the analysis with random events.

use std::fs;

use crate::shell::{self, Result};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to fuzz
    #[arg(long, value_enum, default_value_t = Target::All)]
    target: Target,

    /// How long, each
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// Programs of any operations
    Program,
    /// Nestings, merged and taken apart
    Merge,
    /// Text for the reader of traces
    Trace,
    /// Events for the analysis of traces
    Analysis,
    /// One after the other
    All,
}

/// 64 operations of four bytes: what fails in longer programs has so far failed in shorter ones.
const LONGEST: usize = 256;
/// A few lines: nothing depends on more, but for the length of a line, which tests check.
const LONGEST_TRACE: usize = 1024;
/// 64 events of four bytes, and the byte before them.
const LONGEST_ANALYSIS: usize = 257;

pub(crate) fn run(args: &Args) -> Result {
    installed()?;
    let (program, merge) = (("program", LONGEST), ("merge", LONGEST));
    let (trace, analysis) = (("trace", LONGEST_TRACE), ("analysis", LONGEST_ANALYSIS));
    let targets = match args.target {
        Target::Program => &[program][..],
        Target::Merge => &[merge],
        Target::Trace => &[trace],
        Target::Analysis => &[analysis],
        Target::All => &[program, merge, trace, analysis],
    };
    targets.iter().try_for_each(|(target, longest)| fuzz(target, *longest, args.seconds))
}

/// Nothing is installed behind anybody's back.
fn installed() -> Result {
    if !shell::succeeds(&mut shell::cargo_of("nightly", ["--version"])) {
        return Err("fuzzing needs a nightly toolchain, which can tell what a program reaches; \
                    install it with `rustup toolchain install nightly`"
            .into());
    }
    if !shell::succeeds(&mut shell::cargo_of("nightly", ["fuzz", "--version"])) {
        return Err("fuzzing needs cargo-fuzz; install it with `cargo install cargo-fuzz`".into());
    }
    Ok(())
}

fn fuzz(target: &str, longest: usize, seconds: u64) -> Result {
    // What is found goes here and not among the files that git knows: those begin it, and docs/programs.md
    // says how to add to them.
    let found = shell::target_dir().join("fuzz-corpus").join(target);
    fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let kept = shell::root().join("fuzz/corpus").join(target);
    let mut command = shell::cargo_of("nightly", ["fuzz", "run", target]);
    command.args([found, kept]);
    command.args(["--", &format!("-max_total_time={seconds}"), &format!("-max_len={longest}")]);
    shell::run(&mut command)
}
