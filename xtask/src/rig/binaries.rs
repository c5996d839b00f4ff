//! The tests, built so that they run where there is nothing but a kernel.

use std::{fmt, path::PathBuf, process::Command};

use crate::shell::{self, Result};

const TARGET: &str = "x86_64-unknown-linux-gnu";

const PACKAGES: [&str; 2] = ["dma-fence-linux", "dma-fence-cli"];

/// Whether a kernel with devices says something about it.
fn is_wanted(package: &str, suite: &str) -> bool {
    package == "dma-fence-linux" || ["info", "record", "stuck"].contains(&suite)
}

/// What was built.
pub(super) struct Binaries {
    pub(super) suites: Vec<Suite>,
    /// The command, for tests, which know it by the path that it was built at.
    pub(super) command: Option<PathBuf>,
}

/// A file of `tests/`, or the tests inside of a library.
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

pub(super) struct Test {
    pub(super) suite: String,
    pub(super) name: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.suite, self.name)
    }
}

pub(super) fn build() -> Result<Binaries> {
    eprintln!("building the tests");
    let mut cargo = cargo("test");
    cargo.args(["--tests", "--all-features"]);
    cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    let artifacts = artifacts(&mut cargo)?;
    let command = artifacts.iter().find(|artifact| !artifact.is_test);
    let command = command.ok_or("cargo has not built the command")?.path.clone();
    let wanted =
        |artifact: &Artifact| artifact.is_test && is_wanted(&artifact.package, &artifact.name);
    let tests = artifacts.into_iter().filter(wanted);
    let suites = tests.map(|artifact| Suite { name: artifact.name, path: artifact.path });
    let mut suites: Vec<Suite> = suites.collect();
    // Not in the order in which they happened to be built.
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Binaries { suites, command: Some(command) })
}

pub(super) fn build_benches() -> Result<Binaries> {
    eprintln!("building the benchmarks");
    let mut cargo = cargo("bench");
    cargo.args(["--benches", "--package", "dma-fence-linux"]);
    let benches = artifacts(&mut cargo)?.into_iter().filter(|artifact| artifact.is_bench);
    let suites = benches.map(|artifact| Suite { name: artifact.name, path: artifact.path });
    Ok(Binaries { suites: suites.collect(), command: None })
}

/// Static, for there are no libraries in the guest; and small, for everything there is in memory.
fn cargo(verb: &str) -> Command {
    let mut cargo = shell::cargo([verb, "--no-run", "--quiet", "--message-format", "json"]);
    cargo.args(["--target", TARGET]);
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C debuginfo=line-tables-only");
    cargo
}

fn artifacts(cargo: &mut Command) -> Result<Vec<Artifact>> {
    let messages = shell::output(cargo)?;
    Ok(messages.lines().filter_map(Artifact::parse).collect())
}

impl Binaries {
    /// As the binaries list them: they run on this machine, too.
    pub(super) fn tests(&self) -> Result<Vec<Test>> {
        let mut tests = Vec::new();
        for suite in &self.suites {
            let mut list = Command::new(&suite.path);
            let listed = shell::output(list.args(["--list", "--format", "terse"]))?;
            let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
            tests.extend(
                names.map(|name| Test { suite: suite.name.clone(), name: name.to_owned() }),
            );
        }
        Ok(tests)
    }
}

/// A program that cargo says it has built.
struct Artifact {
    package: String,
    name: String,
    is_test: bool,
    is_bench: bool,
    path: PathBuf,
}

impl Artifact {
    fn parse(message: &str) -> Option<Self> {
        let message: serde_json::Value = serde_json::from_str(message).ok()?;
        let path = PathBuf::from(message["executable"].as_str()?);
        // …/crates/dma-fence-linux/Cargo.toml
        let manifest = PathBuf::from(message["manifest_path"].as_str()?);
        Some(Artifact {
            package: manifest.parent()?.file_name()?.to_str()?.to_owned(),
            name: message["target"]["name"].as_str()?.to_owned(),
            is_test: message["profile"]["test"].as_bool()?,
            is_bench: message["target"]["kind"][0] == "bench",
            path,
        })
    }
}
