//! The file that is copied.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::OFlags;

use crate::error::CopyError;

/// An open regular file, and what it was like when it was opened.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    pub(crate) len: u64,
    pub(crate) mode: u32,
    id: (u64, u64),
}

/// What became of the source while it was being copied.
pub(crate) enum Change {
    None,
    Grew { to: u64 },
    Shrank { to: u64 },
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, CopyError> {
        let failed = |cause| CopyError::io("open source", path)(cause);
        refuse_irregular(path, &fs::metadata(path).map_err(failed)?)?;
        // Should a FIFO have taken the name since, opening it must not block.
        let nonblock = OFlags::NONBLOCK.bits() as i32;
        let file = File::options().read(true).custom_flags(nonblock).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        refuse_irregular(path, &metadata)?;
        // An asynchronous read of a non-blocking file may fail with EAGAIN.
        rustix::fs::fcntl_setfl(&file, OFlags::empty()).map_err(|errno| failed(errno.into()))?;

        if metadata.len() == 0 && file.read_at(&mut [0], 0).is_ok_and(|bytes| bytes > 0) {
            return Err(CopyError::Refused(format!(
                "source '{}' does not know its size (as files in /proc do not)",
                path.display()
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(file),
            len: metadata.len(),
            mode: metadata.mode(),
            id: file_id(&metadata),
        })
    }

    /// Whether `metadata` is this very file, under whatever name.
    pub(crate) fn is(&self, metadata: &Metadata) -> bool {
        self.id == file_id(metadata)
    }

    pub(crate) fn change(&self) -> Result<Change, CopyError> {
        let now = self.file.metadata().map_err(CopyError::io("examine source", &self.path))?.len();
        Ok(match now {
            to if to > self.len => Change::Grew { to },
            to if to < self.len => Change::Shrank { to },
            _ => Change::None,
        })
    }
}

fn file_id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn refuse_irregular(path: &Path, metadata: &Metadata) -> Result<(), CopyError> {
    let what = if metadata.is_dir() {
        "is a directory"
    } else if !metadata.is_file() {
        "is not a regular file"
    } else {
        return Ok(());
    };
    Err(CopyError::Refused(format!("source '{}' {what}", path.display())))
}
