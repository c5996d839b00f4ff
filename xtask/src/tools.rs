//! Programs of this machine, from Debian's packages.

use std::process::Command;

use crate::shell::{self, Result};

/// Not on everybody's PATH.
pub(crate) const DEPMOD: &str = "/usr/sbin/depmod";

/// A command that succeeds where Debian's package is installed.
type Tool = (&'static [&'static str], &'static str);

/// What every run of the rig needs.
pub(crate) const RUN: &[Tool] = &[
    (&["qemu-system-x86_64", "--version"], "qemu-system-x86"),
    (&[DEPMOD, "--version"], "kmod"),
    (&["xz", "--version"], "xz-utils"),
];

/// What building a kernel needs.
pub(crate) const BUILD_KERNEL: &[Tool] = &[
    (&["make", "--version"], "make"),
    (&["cc", "--version"], "gcc"),
    (&["flex", "--version"], "flex"),
    (&["bison", "--version"], "bison"),
    (&["bc", "--version"], "bc"),
    (&["cc", "-E", "-include", "libelf.h", "-x", "c", "/dev/null"], "libelf-dev"),
];

/// What the tests of the page for a browser look for.
pub(crate) const BROWSER: &[Tool] = &[(&["chromium", "--version"], "chromium")];

/// What counts instructions.
pub(crate) const COUNT: &[Tool] = &[(&["valgrind", "--version"], "valgrind")];

/// Installs what is missing, for somebody.
pub(crate) fn install(tools: &[Tool], who: &str) -> Result {
    let packages: Vec<&str> =
        tools.iter().filter(|tool| !is_there(tool)).map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let missing = packages.join(" ");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]).args(&packages);
    shell::run(Command::new("apt-get").arg("update"))
        .and_then(|()| shell::run(install.env("DEBIAN_FRONTEND", "noninteractive")))
        .map_err(|error| {
            format!(
                "{who} needs the packages {missing}, which could not be installed: {error}\n\
                 Install them as root with `apt-get install {missing}`."
            )
        })
}

fn is_there((command, _): &Tool) -> bool {
    shell::succeeds(Command::new(command[0]).args(&command[1..]))
}
