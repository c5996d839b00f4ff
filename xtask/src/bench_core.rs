//! What the core costs: beside its peers, for more and more items, and in instructions.
//!
//! `dma-fence-benches` (the folder `benches`) measures and draws; this builds and runs it, counts instructions, and puts
//! what came out where it is kept.

mod counts;
mod record;

use std::{path::PathBuf, process::Command};

use crate::shell::{self, Result};

#[derive(clap::Args, Default)]
#[command(after_help = "What is measured and how to read it is in docs/benchmarks.md.")]
pub(crate) struct Args {
    /// Show how the time for one item changes with how many there are
    #[arg(long, conflicts_with_all = ["counts", "check"])]
    growth: bool,

    /// Count instructions with valgrind, and fail if they are more than is on record
    #[arg(long, conflicts_with_all = ["check", "rounds", "json", "chart"])]
    counts: bool,

    /// Only work with this in its name
    #[arg(long, value_name = "TEXT", conflicts_with = "record")]
    filter: Option<String>,

    /// How many rounds are measured [default: 21; of growth 9]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Write the results as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    json: Option<PathBuf>,

    /// Draw the results as SVG
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    chart: Option<PathBuf>,

    /// Fail if a target is missed by more than the noise
    #[arg(long)]
    check: bool,

    /// Put the results where they are kept: benches/results, docs/*.svg, docs/benchmarks.md
    #[arg(long)]
    record: bool,
}

impl Args {
    /// What is the same on a busy machine.
    pub(crate) fn counts() -> Self {
        Args { counts: true, ..Args::default() }
    }
}

pub(crate) fn run(args: &Args) -> Result {
    let benches = build()?;
    if args.counts {
        return counts::run(&benches, args.filter.as_deref().unwrap_or(""), args.record);
    }
    let name = if args.growth { "growth" } else { "compare" };
    let mut command = Command::new(benches);
    command.arg(name);
    if let Some(filter) = &args.filter {
        command.args(["--filter", filter]);
    }
    if let Some(rounds) = args.rounds {
        command.args(["--rounds", &rounds.to_string()]);
    }
    if args.check {
        command.arg("--check");
    }
    if args.record {
        return record::run(command, name);
    }
    for (option, path) in [("--json", &args.json), ("--chart", &args.chart)] {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    shell::run(&mut command)
}

fn build() -> Result<PathBuf> {
    shell::run(&mut shell::cargo(["build", "--release", "--package", "dma-fence-benches"]))?;
    Ok(shell::target_dir().join("release/dma-fence-benches"))
}
