//! Reading a file back.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use rustix::fs::Advice;

use super::pipeline::Job;
use crate::error::CopyError;

/// Large enough that system calls cost nothing beside the hash, small against the memory bound.
const BLOCK: usize = 1 << 20;

/// Hashes a file from beginning to end, by nothing but `pread`: a check must not lean on what it
/// checks.
pub(crate) fn hash_file(
    file: &File,
    path: &Path,
    job: &Job<'_>,
) -> Result<blake3::Hash, CopyError> {
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; BLOCK];
    let mut offset = 0;
    loop {
        job.check_interrupt()?;
        job.bar.set_position(offset);
        match file.read_at(&mut block, offset) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(bytes) => {
                hasher.update(&block[..bytes]);
                offset += bytes as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::io("read back", path)(error)),
        }
    }
}

/// Asks the kernel to forget what it holds of a flushed file, so that reading it back asks the
/// storage. Advice: a kernel that does not follow it makes the check weaker, not wrong.
pub(crate) fn drop_cache(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
}
