//! `dma-fence`: a verified copy in which every buffer is guarded by fences.
#![forbid(unsafe_code)]

mod args;
mod copy;
mod error;
mod interrupt;
mod output;

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
        Command::Completions { shell } => output::completions(shell),
        Command::Man => output::manual(),
    }
}
