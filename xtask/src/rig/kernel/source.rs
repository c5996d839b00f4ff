//! The newest kernel that Debian has the source of, with what its own lacks: sw_sync, and a check of every
//! lock that is taken.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use super::{
    super::{apt::Apt, at},
    Kernel, RELEASE,
};
use crate::{
    shell::{self, Result},
    tools,
};

/// Where newer kernels are, for `RELEASE`.
pub(crate) const NEWER: &str = "trixie-backports";

/// All else is off, or as it comes. Nothing is a module.
const CONFIGURATION: &str = include_str!("source.config");

/// Fetched and built, unless that one with that configuration is in the cache.
pub(in super::super) fn source(cache: &Path) -> Result<Kernel> {
    let home = cache.join("source");
    let tree = home.join("tree");
    let built_with = fs::read_to_string(tree.join("configuration")).unwrap_or_default();
    if built_with != CONFIGURATION {
        tools::install(tools::BUILD_KERNEL, "building a kernel")?;
        make(&home, &tree)?;
    }
    Ok(Kernel {
        image: tree.join("image"),
        modules: Vec::new(),
        headers: tree.join("usr/include"),
        busybox: tree.join("usr/bin/busybox"),
        devices: "udmabuf,dma_heap,vgem,virtio_gpu,debugfs,sw_sync",
        options: "",
    })
}

fn make(home: &Path, tree: &Path) -> Result {
    eprintln!("building a kernel in {}", home.display());
    let incomplete = home.join("incomplete");
    for old in [&incomplete, tree] {
        let _ = fs::remove_dir_all(old);
    }
    let indexes = home.join("apt");
    Apt::of(RELEASE, indexes.clone())?.unpack(&["busybox-static"], &incomplete)?;
    let apt = Apt::of(NEWER, indexes.clone())?;
    let package = newest(&apt.named("^linux-source-[0-9.]+$")?)?;
    apt.unpack(&[&package, "linux-libc-dev"], &incomplete)?;
    fs::remove_dir_all(&indexes).map_err(at(&indexes))?;

    let image = build(&incomplete.join("usr/src"), &package)?;
    let write = |name, content: Vec<u8>| {
        let path = incomplete.join(name);
        fs::write(&path, content).map_err(at(&path))
    };
    write("image", fs::read(&image).map_err(at(&image))?)?;
    write("configuration", CONFIGURATION.into())?;
    // Two gigabytes that nobody needs any more.
    let sources = incomplete.join("usr/src");
    fs::remove_dir_all(&sources).map_err(at(&sources))?;
    fs::rename(&incomplete, tree).map_err(at(tree))
}

/// `linux-source-7.10` is newer than `linux-source-7.9`.
pub(crate) fn newest(packages: &[String]) -> Result<String> {
    let version = |package: &String| -> Option<Vec<u32>> {
        let numbers = package.strip_prefix("linux-source-")?.split('.');
        numbers.map(|number| number.parse().ok()).collect()
    };
    let named = packages.iter().filter_map(|package| Some((version(package)?, package)));
    let newest = named.max().map(|(_, package)| package.clone());
    newest.ok_or_else(|| format!("{NEWER} has no source of a kernel"))
}

/// Unpacks the sources, and builds the image.
fn build(sources: &Path, package: &str) -> Result<PathBuf> {
    let archive = sources.join(format!("{package}.tar.xz"));
    let mut tar = Command::new("tar");
    shell::run(tar.arg("--extract").arg("--file").arg(archive).arg("--directory").arg(sources))?;
    let source = sources.join(package);

    let wanted = source.join("wanted.config");
    fs::write(&wanted, CONFIGURATION).map_err(at(&wanted))?;
    let mut configure = Command::new("make");
    configure.current_dir(&source).args(["--silent", "allnoconfig"]);
    shell::run(configure.env("KCONFIG_ALLCONFIG", &wanted))?;
    let config = source.join(".config");
    let got = fs::read_to_string(&config).map_err(at(&config))?;
    let lost = lost(&got);
    if !lost.is_empty() {
        return Err(format!("{package} cannot be configured with {}", lost.join(", ")));
    }

    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut build = Command::new("nice");
    build.current_dir(&source).args(["make", "--silent", &format!("-j{jobs}"), "bzImage"]);
    shell::run(&mut build)?;
    Ok(source.join("arch/x86/boot/bzImage"))
}

/// What was wanted and is not on: kernels come to call things by other names.
fn lost(configuration: &str) -> Vec<&'static str> {
    let is_on = |wanted: &&str| configuration.lines().any(|line| line == *wanted);
    CONFIGURATION.lines().filter(|wanted| !is_on(wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::{CONFIGURATION, lost, newest};

    #[test]
    fn versions_are_numbers() {
        let packages = ["linux-source-7.9", "linux-source-7.10", "linux-source-6.12"];
        assert_eq!(newest(&packages.map(String::from)).unwrap(), "linux-source-7.10");
        assert!(newest(&["builds", "linux-source-7.11.incomplete"].map(String::from)).is_err());
    }

    #[test]
    fn what_a_kernel_does_not_have_is_named() {
        assert!(lost(CONFIGURATION).is_empty());
        let without = CONFIGURATION.replace("CONFIG_SW_SYNC=y", "# CONFIG_SW_SYNC is not set");
        assert_eq!(lost(&without), ["CONFIG_SW_SYNC=y"]);
    }
}
