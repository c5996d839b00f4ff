//! Configuring and building a kernel, beside its sources.

use std::{fs, path::Path, process::Command, thread};

use super::{arch::Arch, at};
use crate::shell::{self, Result};

/// Builds `targets` of `tree` in `dir`, with that configuration: all else is off, or as it comes.
pub(super) fn build(
    tree: &Path,
    dir: &Path,
    arch: Arch,
    configuration: &str,
    targets: &[&str],
) -> Result {
    fs::create_dir_all(dir).map_err(at(dir))?;
    configure(tree, dir, arch, configuration)?;
    make(tree, dir, arch, targets)
}

pub(super) fn configure(tree: &Path, dir: &Path, arch: Arch, configuration: &str) -> Result {
    let wanted = dir.join("wanted.config");
    let config = dir.join(".config");
    let is_wanted = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text == configuration);
    if is_wanted(&wanted) && config.exists() {
        return Ok(());
    }
    fs::write(&wanted, configuration).map_err(at(&wanted))?;
    make(tree, dir, arch, &["KCONFIG_ALLCONFIG=wanted.config", "allnoconfig"])?;
    let got = fs::read_to_string(&config).map_err(at(&config))?;
    let lost = lost(configuration, &got);
    if lost.is_empty() {
        return Ok(());
    }
    fs::remove_file(&config).map_err(at(&config))?;
    Err(format!("{} cannot be configured with {}", tree.display(), lost.join(", ")))
}

/// What was wanted and is not on: kernels come to call things by other names.
fn lost<'a>(wanted: &'a str, got: &str) -> Vec<&'a str> {
    let is_on = |line: &&str| got.lines().any(|other| other == *line);
    wanted.lines().filter(|line| line.starts_with("CONFIG_") && !is_on(line)).collect()
}

pub(super) fn make(tree: &Path, dir: &Path, arch: Arch, targets: &[&str]) -> Result {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut make = Command::new("nice");
    make.current_dir(tree).args(["-n", "5", "make", "--silent", &format!("-j{jobs}")]);
    make.arg(format!("O={}", dir.display())).args(arch.variables()).args(targets);
    shell::run(&mut make)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_does_not_have_is_named() {
        let wanted = "# why\nCONFIG_A=y\nCONFIG_B=2\n";
        assert!(lost(wanted, "CONFIG_B=2\nCONFIG_A=y\n").is_empty());
        assert_eq!(lost(wanted, "# CONFIG_A is not set\nCONFIG_B=2\n"), ["CONFIG_A=y"]);
    }
}
