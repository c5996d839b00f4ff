//! `cargo xtask kernel drivers`

use super::{arch::Arch, build, object, place::Place};
use crate::{shell::Result, tools};

/// Those that make arrays.
const DRIVERS: [&str; 2] = ["drivers/gpu/drm/i915/", "drivers/gpu/drm/xe/"];

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
}

/// They change with the header, and only machines with their devices can run them.
pub(super) fn run(args: &Args) -> Result {
    tools::install(tools::BUILD_KERNEL, "building a kernel")?;
    let made = args.place.tree(Some(&object::build_checked()?))?;
    let dir = made.build_dir("drivers");
    build::build(&made.tree, &dir, Arch::X86, include_str!("drivers.config"), &DRIVERS)?;
    println!("{} compile", DRIVERS.join(" and "));
    Ok(())
}
