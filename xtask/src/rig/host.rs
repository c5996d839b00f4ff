//! The tests that a guest is no place for.

use std::process::Command;

use super::{
    binaries::{Binaries, Test},
    kernel::Kernel,
    outcome::Outcome,
};
use crate::shell::Result;

/// It compares with headers, which takes a compiler.
pub(super) fn runs(test: &Test) -> bool {
    test.suite == "uapi"
}

/// Runs a test here, with the kernel's own headers.
pub(super) fn run(test: &Test, binaries: &Binaries, kernel: &Kernel) -> Result<Outcome> {
    let suite = binaries.suites.iter().find(|suite| suite.name == test.suite);
    let suite = suite.expect("the test was found there");
    let mut command = Command::new(&suite.path);
    command.args(["--exact", &test.name, "--nocapture"]);
    command.env("DMA_FENCE_UAPI_HEADERS", &kernel.headers);
    let output = command.output().map_err(|error| format!("{}: {error}", suite.path.display()))?;
    let said = [output.stdout, output.stderr].concat();
    let (how, said) = (output.status.to_string(), String::from_utf8_lossy(&said));
    let outcome = Outcome::of(test.to_string(), output.status.success(), &how, &said);
    eprintln!("{outcome}");
    Ok(outcome)
}
