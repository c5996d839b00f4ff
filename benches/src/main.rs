//! What fences cost, beside what else one could use.
//!
//! `cargo xtask bench` builds and runs this.
#![forbid(unsafe_code)]

mod canvas;
mod chart;
mod contest;
mod growth;
mod measure;
mod peers;
mod quartiles;
mod report;
mod rows;
mod scale;
mod table;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, thread};

use clap::Parser;
use serde::Serialize;

use contest::Contest;
use growth::Growth;
use report::{Outcome, Report, SCHEMA};
use verdict::Verdict;

/// What fences cost, beside what else one could use
#[derive(Parser)]
enum Verb {
    /// Let the library and its peers do the same work in turns
    Compare {
        #[command(flatten)]
        common: Common,

        /// How many rounds are measured
        #[arg(long, value_name = "N", default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,

        /// Fail if a target is missed by more than the noise
        #[arg(long)]
        check: bool,
    },
    /// Do the same work for more and more items
    Growth {
        #[command(flatten)]
        common: Common,

        /// How many rounds are measured
        #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
    },
    /// Name the work whose instructions can be counted, and how often it should be done
    Counted,
    /// Let the library do work so many times, for who counts its instructions
    Once {
        /// Its whole name
        work: String,
        times: u64,
    },
}

#[derive(clap::Args)]
struct Common {
    /// Only work with this in its name
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,

    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Draw the results as SVG
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

/// Errors are for the person at the terminal.
type Result<T = ()> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let result = match Verb::parse() {
        Verb::Compare { common, rounds, check } => compare(&common, rounds, check),
        Verb::Growth { common, rounds } => grow(&common, rounds),
        Verb::Counted => counted(),
        Verb::Once { work, times } => once(&work, times),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dma-fence-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(common: &Common, rounds: u16, check: bool) -> Result {
    if check && !verdict::decide(rounds.into()) {
        return Err(format!("{rounds} rounds are too few to call a target missed"));
    }
    let mut contests = rows::all();
    contests.retain(|contest| contest.work.contains(&common.filter));
    found(contests.len(), common)?;
    let count = contests.len();
    let run = |(place, mut contest): (usize, Contest)| {
        eprintln!("[{}/{count}] {}", place + 1, contest.work);
        Outcome::of(&mut contest, rounds)
    };
    let contests = contests.into_iter().enumerate().map(run).collect();
    let report = Report { schema: SCHEMA, rounds, cpus: cpus(), contests };
    println!("{}\n{}", table::of(&report), report.summary());
    common.write(&report, || chart::of(&report))?;
    let missed: Vec<_> = report.with(Verdict::Missed).map(|outcome| &*outcome.work).collect();
    if check && !missed.is_empty() {
        return Err(format!("missed beyond the noise: {}", missed.join("; ")));
    }
    Ok(())
}

fn grow(common: &Common, rounds: u16) -> Result {
    let mut experiments = growth::all();
    experiments.retain(|experiment| experiment.title().contains(&common.filter));
    found(experiments.len(), common)?;
    let count = experiments.len();
    let run = |(place, mut experiment): (usize, growth::Experiment)| {
        eprintln!("[{}/{count}] {}", place + 1, experiment.title());
        experiment.run(rounds)
    };
    let experiments = experiments.into_iter().enumerate().map(run).collect();
    let growth = Growth::new(rounds, cpus(), experiments);
    println!("{}", growth.tables());
    common.write(&growth, || growth::plot(&growth))
}

fn counted() -> Result {
    for contest in rows::all() {
        if let Some(times) = contest.counted {
            println!("{times}\t{}", contest.work);
        }
    }
    Ok(())
}

fn once(work: &str, times: u64) -> Result {
    let mut contests = rows::all();
    contests.retain(|contest| contest.work == work);
    let contest = contests.first_mut().ok_or_else(|| format!("there is no work {work:?}"))?;
    (contest.ours.run)(times);
    Ok(())
}

fn found(count: usize, common: &Common) -> Result {
    if count == 0 {
        return Err(format!("no work has {:?} in its name", common.filter));
    }
    Ok(())
}

fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Common {
    fn write(&self, results: &impl Serialize, picture: impl FnOnce() -> String) -> Result {
        let save = |path: &Path, text: String| {
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(results).map_err(|error| error.to_string())?;
            save(path, json + "\n")?;
        }
        if let Some(path) = &self.chart {
            save(path, picture())?;
        }
        Ok(())
    }
}
