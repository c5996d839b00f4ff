//! The kernel's sources: Debian's newest, or what somebody gives.

use std::{
    fs,
    path::{self, Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use super::at;
use crate::{
    rig::{
        apt::Apt,
        kernel::{NEWER, newest},
    },
    shell::{self, Result},
};

/// A tree that is only read.
pub(super) struct Source {
    pub(super) dir: PathBuf,
    /// What is made of it is kept under this name.
    pub(super) name: String,
}

/// What is in the cache, and fetched if nothing is; or a directory, or an archive of one.
pub(super) fn get(given: Option<&Path>, cache: &Path) -> Result<Source> {
    let dir = match given {
        None => match newest_in(cache) {
            Some(dir) => dir,
            None => fetch(cache)?,
        },
        Some(path) if path.is_dir() => path::absolute(path).map_err(at(path))?,
        Some(archive) => unpacked(archive, cache)?,
    };
    if !dir.join("drivers/dma-buf").is_dir() {
        return Err(format!("{} has no kernel's sources in it", dir.display()));
    }
    let name = dir.file_name().map_or("given".into(), |name| name.to_string_lossy().into_owned());
    Ok(Source { dir, name })
}

fn newest_in(cache: &Path) -> Option<PathBuf> {
    let names = fs::read_dir(cache).ok()?.flatten();
    let names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    Some(cache.join(newest(&names).ok()?))
}

/// From the backports to the release that the rig uses: the machine's own may not have a kernel that is new enough.
fn fetch(cache: &Path) -> Result<PathBuf> {
    let (indexes, packages) = (cache.join("apt"), cache.join("package"));
    let apt = Apt::of(NEWER, indexes.clone())?;
    let package = newest(&apt.named("^linux-source-[0-9.]+$")?)?;
    eprintln!(
        "fetching {package} of Debian's {NEWER}, which is not installed, to {}",
        cache.display()
    );
    apt.unpack(&[&package], &packages)?;
    let dir = cache.join(&package);
    unpack(&packages.join(format!("usr/src/{package}.tar.xz")), &dir)?;
    for done in [indexes, packages] {
        fs::remove_dir_all(&done).map_err(at(&done))?;
    }
    Ok(dir)
}

/// An archive of somebody's, again if it has changed.
fn unpacked(archive: &Path, cache: &Path) -> Result<PathBuf> {
    let meta = fs::metadata(archive).map_err(at(archive))?;
    let age = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let seconds = age.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let name = archive.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let dir = cache.join(format!("given-{}-{seconds}", name.split(".tar").next().unwrap_or("")));
    if !dir.exists() {
        unpack(archive, &dir)?;
    }
    Ok(dir)
}

/// It gets its name when it is complete.
fn unpack(archive: &Path, dir: &Path) -> Result {
    eprintln!("unpacking {}", archive.display());
    let incomplete = dir.with_extension("incomplete");
    let _ = fs::remove_dir_all(&incomplete);
    fs::create_dir_all(&incomplete).map_err(at(&incomplete))?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--strip-components", "1", "--file"]).arg(archive);
    shell::run(tar.arg("--directory").arg(&incomplete))?;
    fs::rename(&incomplete, dir).map_err(at(dir))
}
