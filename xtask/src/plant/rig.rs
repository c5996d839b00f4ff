//! Tests that need a real kernel, on a planted bug.

use std::{path::Path, process::Command};

use super::list::{Bug, Kernel};
use crate::{rig, shell::Result};

/// Seconds for one test and the guest around it; one that hangs does not pass.
const TIMEOUT: &str = "120";

/// Those tests of the bug's that do not notice it, in the workspace at `root`.
pub(super) fn unnoticed<'a>(
    bug: &'a Bug,
    kernel: Kernel,
    root: &Path,
    built: &Path,
) -> Result<Vec<&'a str>> {
    let mut unnoticed = Vec::new();
    for test in &bug.caught_by {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).env("CARGO_TARGET_DIR", built);
        cargo.args(["xtask", "rig", "--timeout", TIMEOUT, "--filter", test]);
        // The kernel is the same one.
        cargo.arg("--cache").arg(rig::default_cache()?);
        if kernel == Kernel::Source {
            cargo.arg("--kernel-source");
        }
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
