//! The core's tests under Miri.

use std::env;

use crate::shell::{self, Result};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the tests whose name contains this
    filter: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result {
    if !shell::succeeds(&mut shell::cargo_of("nightly", ["miri", "--version"])) {
        return Err("Miri needs a nightly toolchain; install it with \
                    `rustup toolchain install nightly --component miri,rust-src`"
            .into());
    }
    let mut command =
        shell::cargo_of("nightly", ["miri", "test", "--package", "dma-fence", "--lib", "--tests"]);
    if let Some(filter) = &args.filter {
        command.args(["--", filter]);
    }
    if env::var_os("MIRIFLAGS").is_none() {
        // Timestamps are of the real clock.
        command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    }
    shell::run(&mut command)
}
