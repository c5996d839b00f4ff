//! The file that the trace goes to, or standard output.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::fd::AsFd,
    path::Path,
};

use super::error::RecordError;
use crate::tracefs::error::TracefsError;

pub(super) struct Output<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    written: Written,
    /// Whether the file was made for a recording that has not begun.
    is_new: bool,
}

/// How much came from the kernel.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

impl<'a> Output<'a> {
    /// What the file holds stays until [`begin`](Self::begin): it may be another recording, and there may be none
    /// now. Then a file that was not there goes again.
    pub(super) fn open(path: &'a Path) -> Result<Self, RecordError> {
        let is_new = !is_stdout(path) && fs::symlink_metadata(path).is_err();
        let file = if is_stdout(path) {
            io::stdout().as_fd().try_clone_to_owned().map(File::from)
        } else {
            OpenOptions::new().write(true).create(true).truncate(false).open(path)
        };
        let file = BufWriter::new(file.map_err(RecordError::output(path))?);
        Ok(Output { path, file, written: Written::default(), is_new })
    }

    pub(super) fn begin(&mut self) -> Result<(), RecordError> {
        let file = self.file.get_ref();
        // Devices and pipes cannot be emptied, and standard output is the caller's.
        let is_ours = !is_stdout(self.path) && file.metadata().is_ok_and(|it| it.is_file());
        let emptied = if is_ours { file.set_len(0) } else { Ok(()) };
        emptied.map_err(RecordError::output(self.path))?;
        self.is_new = false;
        Ok(())
    }

    /// Takes what there is; the kernel forgets what was taken. Whoever reads along sees it at once.
    pub(super) fn take(&mut self, pipe: &mut impl Read) -> Result<(), RecordError> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => {
                    let bytes = &buffer[..len];
                    self.written.bytes += len as u64;
                    self.written.lines +=
                        bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                    self.write(bytes)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(TracefsError::of("trace_pipe")(cause).into()),
            }
        }
        self.file.flush().map_err(RecordError::output(self.path))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.file.write_all(bytes).map_err(RecordError::output(self.path))
    }

    pub(super) fn finish(mut self) -> Result<Written, RecordError> {
        self.file.flush().map_err(RecordError::output(self.path))?;
        Ok(self.written)
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if self.is_new {
            // Whoever asked for it is told of a failure already.
            let _ = fs::remove_file(self.path);
        }
    }
}

pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_goes_only_when_a_recording_begins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        fs::write(&path, "an older and longer recording").unwrap();
        let mut output = Output::open(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "an older and longer recording");
        output.begin().unwrap();
        output.write(b"new").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_file_is_new_only_until_a_recording_begins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        drop(Output::open(&path).unwrap());
        assert!(!path.exists());
        let mut output = Output::open(&path).unwrap();
        output.begin().unwrap();
        drop(output);
        assert!(path.exists());
    }

    #[test]
    fn lines_and_bytes_are_counted_and_seen_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (path, pipe) = (dir.path().join("trace"), dir.path().join("pipe"));
        fs::write(&pipe, "one\ntwo\n").unwrap();
        let mut output = Output::open(&path).unwrap();
        output.begin().unwrap();
        output.take(&mut File::open(&pipe).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let written = output.finish().unwrap();
        assert_eq!((written.lines, written.bytes), (2, 8));
    }
}
