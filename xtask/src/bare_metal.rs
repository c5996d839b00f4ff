//! The core without an operating system.

use std::{path::Path, process::Command};

use crate::shell::{self, Result};

/// One of each instruction set that kernels are written for in Rust.
pub(crate) const TARGETS: [&str; 3] =
    ["x86_64-unknown-none", "aarch64-unknown-none", "riscv64gc-unknown-none-elf"];

pub(crate) fn run() -> Result {
    for target in TARGETS {
        install(target)?;
        for features in ["", "trace"] {
            let core = ["build", "--package", "dma-fence", "--no-default-features"];
            shell::run(shell::cargo(core).args(["--features", features, "--target", target]))?;
        }
    }
    Ok(())
}

pub(crate) fn install(target: &str) -> Result {
    if is_installed(target) {
        return Ok(());
    }
    shell::run(Command::new("rustup").current_dir(shell::root()).args(["target", "add", target]))
        .map_err(|error| {
            format!(
                "the standard library for {target} is not installed and could not be added: \
                 {error}\nInstall it with `rustup target add {target}` or with what installed Rust."
            )
        })
}

fn is_installed(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(shell::root()).args(["--print", "target-libdir", "--target", target]);
    shell::output(&mut rustc).is_ok_and(|dir| Path::new(dir.trim()).is_dir())
}
