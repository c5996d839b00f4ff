//! The file that is written: under a temporary name until the copy is complete.

use std::{
    fs::{self, File, Permissions},
    hash::{BuildHasher, RandomState},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use super::source::Source;
use crate::{entry::absolute_entry, error::CopyError};

/// A temporary file beside the destination. Dropping it removes it; only
/// [`commit`](Self::commit) touches the destination.
pub(crate) struct Destination {
    /// The name that the copy will have: symbolic links are resolved.
    target: PathBuf,
    temporary: Option<PathBuf>,
    pub(crate) file: Arc<File>,
}

impl Destination {
    /// `target` is what [`resolve`] has found.
    pub(crate) fn create(target: PathBuf) -> Result<Self, CopyError> {
        let directory = target.parent().unwrap_or(Path::new("/"));
        let (temporary, file) = create_temporary(directory)
            .map_err(CopyError::io("create a temporary file in", directory))?;
        Ok(Self { target, temporary: Some(temporary), file: Arc::new(file) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.target
    }

    /// Writes data and length to the storage.
    pub(crate) fn sync(&self) -> Result<(), CopyError> {
        self.file.sync_all().map_err(CopyError::io("flush the copy for", &self.target))
    }

    /// Gives the copy the permission bits of `mode` and the destination's name.
    pub(crate) fn commit(mut self, mode: u32, fsync: bool) -> Result<(), CopyError> {
        self.file
            .set_permissions(Permissions::from_mode(mode & 0o777))
            .map_err(CopyError::io("set the permissions of the copy for", &self.target))?;
        if fsync {
            self.sync()?;
        }
        let Some(temporary) = &self.temporary else { return Ok(()) };
        fs::rename(temporary, &self.target).map_err(CopyError::io("replace", &self.target))?;
        self.temporary = None;
        if fsync {
            let directory = self.target.parent().unwrap_or(Path::new("/"));
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(CopyError::io("flush directory", directory))?;
        }
        Ok(())
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nothing better can be done about a failure here than what the user is already told.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// The absolute name that `requested` means, as `cp` sees it.
pub(super) fn resolve(requested: &Path, source: &Source) -> Result<PathBuf, CopyError> {
    let mut requested = requested.to_owned();
    if requested.is_dir() {
        // `file_name` is None only for directories, and the source is a regular file.
        requested.push(source.path.file_name().unwrap_or_default());
    }
    match fs::metadata(&requested) {
        Ok(metadata) if source.is(&metadata) => Err(CopyError::Refused(format!(
            "source '{}' and destination '{}' are the same file",
            source.path.display(),
            requested.display()
        ))),
        Ok(metadata) if metadata.is_file() => {
            fs::canonicalize(&requested).map_err(CopyError::io("resolve destination", &requested))
        }
        Ok(_) => Err(CopyError::Refused(format!(
            "destination '{}' is not a regular file",
            requested.display()
        ))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => new_name(&requested),
        Err(cause) => Err(CopyError::io("examine destination", &requested)(cause)),
    }
}

/// The absolute name of a file that does not exist yet.
fn new_name(requested: &Path) -> Result<PathBuf, CopyError> {
    let refused =
        |why: &str| Err(CopyError::Refused(format!("destination '{}' {why}", requested.display())));
    if requested.is_symlink() {
        return refused("is a symbolic link to a file that does not exist");
    }
    if requested.as_os_str().as_bytes().ends_with(b"/") {
        return refused("is not a directory");
    }
    absolute_entry(requested).map_err(CopyError::io("create destination", requested))
}

/// A new file that only we can read, with a name that nobody else has.
fn create_temporary(directory: &Path) -> io::Result<(PathBuf, File)> {
    // The standard library's hash keys are random.
    let random = RandomState::new();
    for attempt in 0.. {
        // Short and independent of the destination's name, which may be as long as a name can be.
        let path = directory.join(format!(".dma-fence-{:016x}.tmp", random.hash_one(attempt)));
        // Readable as well, for --verify.
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        match options.open(&path) {
            // A hundred collisions of 64 random bits are no accident.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
            result => return result.map(|file| (path, file)),
        }
    }
    unreachable!("the loop ends by returning")
}
