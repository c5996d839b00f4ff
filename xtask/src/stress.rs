//! The stress test of the core, optimised and for longer than `cargo test` runs it.

use std::time::UNIX_EPOCH;

use crate::shell::{self, Result};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long
    #[arg(long, value_name = "N", default_value_t = 120)]
    seconds: u64,

    /// Start with the same random operations as a run before; what that run printed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result {
    let seed = args.seed.unwrap_or_else(|| {
        UNIX_EPOCH.elapsed().map_or(0, |now| now.as_millis().try_into().unwrap_or(0))
    });
    let mut command =
        shell::cargo(["test", "--release", "--package", "dma-fence", "--test", "stress"]);
    // Without capturing, or the progress would be shown at the end.
    command.args(["--", "--nocapture"]);
    command.env("DMA_FENCE_STRESS_SECONDS", args.seconds.to_string());
    command.env("DMA_FENCE_STRESS_SEED", seed.to_string());
    shell::run(&mut command)
}
