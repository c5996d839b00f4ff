//! Programs of this machine that the rig needs.

use std::process::Command;

use crate::shell::{self, Result};

/// Not on everybody's PATH.
pub(super) const DEPMOD: &str = "/usr/sbin/depmod";

/// Program, an option that makes it say something and end, Debian's package.
const TOOLS: &[(&str, &str, &str)] = &[
    ("qemu-system-x86_64", "--version", "qemu-system-x86"),
    (DEPMOD, "--version", "kmod"),
    ("xz", "--version", "xz-utils"),
];

pub(super) fn install() -> Result {
    let packages: Vec<&str> =
        TOOLS.iter().filter(|tool| !is_there(tool)).map(|(_, _, package)| *package).collect();
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
                "the rig needs the packages {missing}, which could not be installed: {error}\n\
                 Install them as root with `apt-get install {missing}`."
            )
        })
}

fn is_there((program, option, _): &(&str, &str, &str)) -> bool {
    shell::succeeds(Command::new(program).arg(option))
}
