//! The object that a kernel links.

use std::path::PathBuf;

use super::check;
use crate::{
    bare_metal,
    rig::outcome::{self, Outcome},
    shell::{self, Result},
};

/// Builds it, and tells what the checks say of it.
pub(super) fn build() -> Result<(PathBuf, Vec<Outcome>)> {
    bare_metal::install("x86_64-unknown-none")?;
    let object = compile()?;
    let outcomes = check::all(&object)?;
    Ok((object, outcomes))
}

/// Builds it, and fails unless a kernel can link it.
pub(super) fn build_checked() -> Result<PathBuf> {
    let (object, outcomes) = build()?;
    outcome::report(&outcomes)?;
    Ok(object)
}

/// Beside what cargo builds: whoever removes the one removes the other, and cargo makes both again.
fn compile() -> Result<PathBuf> {
    let target = shell::target_dir().join("kernel-object");
    let object = target.join("dma-fence-array.o");
    let mut cargo = shell::cargo(["rustc", "--release", "--quiet"]);
    // Its options are in its own .cargo, which cargo looks for from here.
    cargo.current_dir(shell::root().join("kernel"));
    cargo.env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS");
    cargo.arg("--").arg(format!("--emit=obj={}", object.display()));
    shell::run(&mut cargo)?;
    Ok(object)
}
