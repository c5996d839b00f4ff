//! The guest's whole file system.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufWriter},
    path::Path,
    process::Command,
};

use super::{
    at,
    binaries::{Binaries, Test},
    cpio::Archive,
    kernel::Kernel,
};
use crate::shell::Result;

const INIT: &[u8] = include_bytes!("init.sh");

/// Seconds that a test may take before it is killed and the next one runs.
const TEST_TIMEOUT: u32 = 300;

/// Packs what the kernel runs and what the tests need.
pub(super) fn write(path: &Path, kernel: &Kernel, binaries: &Binaries, tests: &[Test]) -> Result {
    let mut members = vec![
        ("init".to_owned(), INIT.to_vec()),
        ("environment".into(), environment(kernel, binaries).into()),
        ("list".into(), list(tests).into()),
        ("bin/busybox".into(), read(&kernel.busybox)?),
    ];
    if let Some(command) = &binaries.command {
        // Tests know it by where it was built.
        members.push((inside(command), read(command)?));
    }
    for suite in &binaries.suites {
        members.push((format!("tests/{}", suite.name), read(&suite.path)?));
    }
    for (number, module) in kernel.modules.iter().enumerate() {
        members.push((format!("modules/{number:02}"), unpacked(module)?));
    }
    pack(path, &members).map_err(at(path))
}

fn pack(path: &Path, members: &[(String, Vec<u8>)]) -> io::Result<()> {
    let mut archive = Archive::new(BufWriter::new(File::create(path)?));
    let empty = ["proc", "sys", "dev", "tmp"].map(String::from);
    let parents = members.iter().flat_map(|(name, _)| parents(name));
    // In order, those above come first.
    for directory in empty.into_iter().chain(parents).collect::<BTreeSet<_>>() {
        archive.directory(&directory)?;
    }
    for (name, content) in members {
        archive.file(name, content)?;
    }
    archive.finish()?;
    Ok(())
}

/// `a` and `a/b`, for `a/b/c`.
fn parents(name: &str) -> impl Iterator<Item = String> {
    name.match_indices('/').map(|(position, _)| name[..position].to_owned())
}

fn environment(kernel: &Kernel, binaries: &Binaries) -> String {
    let devices = kernel.devices;
    let command = binaries.command.as_deref().unwrap_or(Path::new("")).display();
    format!(
        "export DMA_FENCE_EXPECT={devices} RUST_BACKTRACE=1 HOME=/tmp\n\
         TEST_TIMEOUT={TEST_TIMEOUT} COMMAND='{command}'\n"
    )
}

/// For the shell's `read`. The name of no function has a space in it.
fn list(tests: &[Test]) -> String {
    tests.iter().map(|test| format!("{} {}\n", test.suite, test.name)).collect()
}

/// The path as seen from the root.
fn inside(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(at(path))
}

/// busybox loads modules as they are, and Debian's are compressed.
fn unpacked(module: &Path) -> Result<Vec<u8>> {
    if module.extension().is_none_or(|extension| extension != "xz") {
        return read(module);
    }
    let output = Command::new("xz").args(["--decompress", "--stdout"]).arg(module).output();
    match output.map_err(at(module))? {
        output if output.status.success() => Ok(output.stdout),
        output => Err(format!("{}: {}", module.display(), String::from_utf8_lossy(&output.stderr))),
    }
}
