//! `dma-fence`: a verified copy in which every buffer is guarded by fences, a look at the kernel's, and an answer to
//! which of them never signaled.
#![forbid(unsafe_code)]

mod analyze;
mod args;
mod copy;
mod entry;
mod error;
mod info;
mod input;
mod interrupt;
mod output;
mod record;
mod shown;
mod tracefs;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::not_parsed(&error),
    };
    match cli.command {
        Command::Copy(args) => {
            let mut warnings = copy::report::Warnings::new(args.json);
            let result = copy::run(&args, &mut warnings);
            output::copied(&args, &result, &warnings)
        }
        Command::Info(args) => output::shown(args.json, &info::run(&args)),
        Command::Analyze(args) => output::analyzed(&args, &analyze::run(&args)),
        Command::Record(args) => output::recorded(&args, &record::run(&args)),
        Command::Watch(args) => output::watched(&watch::run(&args)),
        Command::Completions { shell } => output::completions(shell),
        Command::Man => output::manual(),
    }
}
