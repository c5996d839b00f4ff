//! Tests that need a real kernel, on a planted bug.

use std::{path::Path, process::Command};

use super::list::{Bug, Kernel};
use crate::{kernel, rig, shell::Result};

/// Seconds for one test and the guest around it; one that hangs does not pass.
const TIMEOUT: &str = "120";

/// Those tests of the bug's that do not notice it, in the workspace at `root`.
pub(super) fn unnoticed<'a>(
    bug: &'a Bug,
    on: Kernel,
    root: &Path,
    built: &Path,
) -> Result<Vec<&'a str>> {
    let mut unnoticed = Vec::new();
    for test in &bug.caught_by {
        let mut cargo = run(on, test)?;
        cargo.current_dir(root).env("CARGO_TARGET_DIR", built);
        let output = cargo.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
        let summary = String::from_utf8_lossy(&output.stdout);
        match summary.lines().next_back().and_then(passed_and_failed) {
            Some((_, 1..)) => {}
            Some((1.., 0)) => unnoticed.push(test.as_str()),
            _ => return Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
    Ok(unnoticed)
}

/// The verb that runs a test on that kernel: one that this workspace has built, too.
fn run(on: Kernel, test: &str) -> Result<Command> {
    let mut cargo = Command::new("cargo");
    cargo.arg("xtask");
    match on {
        Kernel::Stock => cargo.args(["rig", "--filter", test]),
        Kernel::Source => cargo.args(["rig", "--kernel-source", "--filter", test]),
        // KUnit knows it by another name.
        Kernel::Array => cargo.args(["kernel", "test", "--filter", &test.replace("::", ".")]),
    };
    // Drivers are those of a PC.
    if test.starts_with("drivers::") {
        cargo.args(["--arch", "x86"]);
    }
    let cache = match on {
        Kernel::Stock | Kernel::Source => rig::default_cache()?,
        Kernel::Array => kernel::default_cache()?,
    };
    cargo.arg("--cache").arg(cache).args(["--timeout", TIMEOUT]);
    Ok(cargo)
}

/// `N passed, N failed`.
fn passed_and_failed(line: &str) -> Option<(u32, u32)> {
    let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

#[test]
fn the_rigs_last_line_is_read() {
    assert_eq!(passed_and_failed("12 passed, 3 failed"), Some((12, 3)));
    assert_eq!(passed_and_failed("error: could not compile"), None);
}
