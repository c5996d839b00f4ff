//! Names of files of which some may not exist yet.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The absolute name: two that are the same are the same file.
pub(crate) fn entry(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|_| absolute_entry(path))
}

/// The canonical directory of `path`, joined with its last component as it is.
pub(crate) fn absolute_entry(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::NotFound)?;
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    Ok(fs::canonicalize(directory)?.join(name))
}
