//! A kernel that runs its tests.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::suites::Suites;
use crate::{
    console::{self, Limit},
    rig::outcome::Outcome,
    shell::Result,
};

/// Runs it to its end, keeps what it prints, and judges that.
pub(super) fn run(
    mut kernel: Command,
    name: &str,
    limit: Duration,
    log: &Path,
) -> Result<Vec<Outcome>> {
    eprintln!("running {name}");
    kernel.stderr(Stdio::null());
    let limit = Limit { after: limit, test: format!("{name}: the time limit") };
    console::run(kernel, "the kernel", limit, log, Suites::of(name))
}
