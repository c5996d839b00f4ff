//! The kernel's sources: Debian's newest, or what somebody gives.

use std::{
    fs,
    path::{Path, PathBuf},
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
    match given {
        None => newest_in(cache).map_or_else(|| fetch(cache), Ok).map(in_cache),
        Some(path) => {
            taken(path, cache).map_err(|error| format!("--source {}: {error}", path.display()))
        }
    }
}

fn in_cache(dir: PathBuf) -> Source {
    let name = dir.file_name().expect("it is in the cache").to_string_lossy().into_owned();
    Source { dir, name }
}

fn taken(path: &Path, cache: &Path) -> Result<Source> {
    if !path.is_dir() {
        return unpacked(path, cache).map(in_cache);
    }
    let dir = path.canonicalize().map_err(at(path))?;
    check(&dir)?;
    // Directories of one name are not one kernel.
    let name = dir.to_string_lossy().trim_start_matches('/').replace('/', "-");
    Ok(Source { dir, name })
}

fn check(dir: &Path) -> Result {
    match dir.join("drivers/dma-buf").is_dir() {
        true => Ok(()),
        false => Err("these are no sources of a kernel: they have no drivers/dma-buf".into()),
    }
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
    let mut incomplete = dir.to_owned().into_os_string();
    incomplete.push(".incomplete");
    let incomplete = PathBuf::from(incomplete);
    let _ = fs::remove_dir_all(&incomplete);
    match extract(archive, &incomplete).and_then(|()| check(&incomplete)) {
        Ok(()) => fs::rename(&incomplete, dir).map_err(at(dir)),
        Err(error) => {
            let _ = fs::remove_dir_all(&incomplete);
            Err(error)
        }
    }
}

fn extract(archive: &Path, dir: &Path) -> Result {
    fs::create_dir_all(dir).map_err(at(dir))?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--strip-components", "1", "--file"]).arg(archive);
    shell::run(tar.arg("--directory").arg(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own for a test.
    fn home(test: &str) -> PathBuf {
        let home = std::env::temp_dir().join(format!("source-{test}-{}", std::process::id()));
        fs::create_dir_all(home.join("cache")).unwrap();
        home
    }

    fn archive(home: &Path, inner: &str) -> PathBuf {
        fs::create_dir_all(home.join("linux").join(inner)).unwrap();
        fs::write(home.join("linux/file"), [7; 20_000]).unwrap();
        let archive = home.join("linux-7.3.tar");
        let mut tar = Command::new("tar");
        tar.arg("--directory").arg(home).arg("--create").arg("--file").args([&archive]);
        shell::run(tar.arg("linux")).unwrap();
        archive
    }

    fn refusal(home: &Path, given: &Path) -> String {
        let cache = home.join("cache");
        let error = get(Some(given), &cache).err().expect("it is refused");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0, "{error}");
        fs::remove_dir_all(home).unwrap();
        error
    }

    #[test]
    fn an_archive_is_unpacked_once() {
        let home = home("archive");
        let archive = archive(&home, "drivers/dma-buf");
        let source = get(Some(&archive), &home.join("cache")).unwrap();
        fs::remove_file(source.dir.join("file")).unwrap();
        let again = get(Some(&archive), &home.join("cache")).unwrap();
        assert_eq!((&again.dir, &again.name), (&source.dir, &source.name));
        assert!(!again.dir.join("file").exists());
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn half_an_archive_leaves_nothing() {
        let home = home("half");
        let archive = archive(&home, "drivers/dma-buf");
        let whole = fs::read(&archive).unwrap();
        fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
        assert!(refusal(&home, &archive).starts_with("--source"));
    }

    #[test]
    fn what_is_no_kernel_leaves_nothing() {
        let other = home("other");
        let archive = archive(&other, "src");
        assert!(refusal(&other, &archive).contains("no drivers/dma-buf"));
        let text = home("text");
        fs::write(text.join("linux.tar"), "no archive").unwrap();
        assert!(refusal(&text, &text.join("linux.tar")).contains("tar --extract"));
        let missing = home("missing");
        assert!(refusal(&missing, &missing.join("linux.tar")).contains("No such file"));
        let directory = home("directory");
        assert!(refusal(&directory, &directory.clone()).contains("no drivers/dma-buf"));
    }

    #[test]
    fn directories_of_one_name_are_told_apart() {
        let home = home("names");
        let cache = home.join("cache");
        let names = ["a/linux", "b/linux"].map(|dir| {
            fs::create_dir_all(home.join(dir).join("drivers/dma-buf")).unwrap();
            get(Some(&home.join(dir)), &cache).unwrap().name
        });
        assert_ne!(names[0], names[1]);
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn a_cache_without_sources_has_none() {
        let home = home("none");
        for dir in ["builds", "trees", "given-linux-7"] {
            fs::create_dir_all(home.join("cache").join(dir)).unwrap();
        }
        assert_eq!(newest_in(&home.join("cache")), None);
        let kernel = home.join("cache/linux-source-7.3");
        fs::create_dir(&kernel).unwrap();
        assert_eq!(newest_in(&home.join("cache")), Some(kernel));
        fs::remove_dir_all(&home).unwrap();
    }
}
