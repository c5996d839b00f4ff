//! What fences cost, beside what else one could use.
//!
//! `cargo xtask bench` runs this and prints the table.

mod contest;
mod measure;
mod peers;
mod rows;

use std::path::PathBuf;
use std::{fs, io};

use clap::Parser;

/// Let the library and its peers do the same work in turns
#[derive(Parser)]
struct Args {
    /// How many rounds are measured
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Only work with this in its name
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,

    /// Where the results go
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut contests = rows::all();
    contests.retain(|contest| contest.work.contains(&args.filter));
    let mut results = Vec::new();
    for contest in &mut contests {
        let result = measure::run(contest, args.rounds.into());
        eprintln!("{:45} {:9.1} ns", result.work, result.ours);
        for peer in &result.peers {
            let (low, high) = peer.quartiles;
            eprintln!(
                "    {:41} {:9.1} ns  ours is {:.2} × ({low:.2}–{high:.2})",
                peer.name, peer.ns, peer.ratio
            );
        }
        if let Some(target) = &result.target {
            eprintln!("    target {:.2} × {}: {:?}", target.at_most, target.peer, target.verdict);
        }
        results.push(result);
    }
    if let Some(path) = args.json {
        fs::write(path, serde_json::to_string_pretty(&results)?)?;
    }
    Ok(())
}
