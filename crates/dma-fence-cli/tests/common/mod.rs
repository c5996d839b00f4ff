//! A directory to copy in, and runs of the command that cannot hang a test.

#![allow(dead_code, unused_imports, reason = "each test binary uses its part of these helpers")]

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Far beyond what any run here takes on a slow machine; a hang is a failure, not a wait.
const DEADLINE: Duration = Duration::from_secs(120);

#[path = "../program/mod.rs"]
mod program;
pub(crate) use program::{BIN, dma_fence, fifo};

pub(crate) const ENGINES: [&str; 2] = ["uring", "threads"];
pub(crate) const SYNCS: [&str; 2] = ["fences", "serial"];

/// A temporary directory on the disk that holds the build.
pub(crate) struct Sandbox(tempfile::TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A file of zeros that takes no space.
    pub(crate) fn sparse(&self, name: &str, len: u64) -> PathBuf {
        let path = self.path(name);
        File::create(&path).unwrap().set_len(len).unwrap();
        path
    }

    pub(crate) fn temporary_file(&self) -> Option<PathBuf> {
        fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.file_name().unwrap().to_string_lossy().starts_with(".dma-fence-"))
    }

    /// `dma-fence copy SRC DST ARGS…`, run to its end in this directory.
    #[track_caller]
    pub(crate) fn copy(&self, source: &Path, destination: &Path, args: &[&str]) -> Run {
        self.start(source, destination, args).finish()
    }

    pub(crate) fn start(&self, source: &Path, destination: &Path, args: &[&str]) -> Started<'_> {
        let mut command = dma_fence();
        command.arg("copy").arg(source).arg(destination).args(args);
        self.spawn(command)
    }

    pub(crate) fn spawn(&self, mut command: Command) -> Started<'_> {
        command.current_dir(self.0.path()).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Started { child, sandbox: self }
    }
}

/// A run that has not ended.
pub(crate) struct Started<'a> {
    child: Child,
    sandbox: &'a Sandbox,
}

impl Started<'_> {
    /// Waits until some of the copy has been written, under its temporary name.
    #[track_caller]
    pub(crate) fn wait_until_writing(&mut self) {
        self.wait_until_written(1);
    }

    #[track_caller]
    pub(crate) fn wait_until_written(&mut self, bytes: u64) {
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            let ended = self.child.try_wait().unwrap().is_some();
            assert!(!ended, "it ended before it could be disturbed");
            if let Some(path) = self.sandbox.temporary_file()
                && fs::metadata(path).is_ok_and(|metadata| metadata.len() >= bytes)
            {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("nothing was written");
    }

    #[track_caller]
    pub(crate) fn wait_until_it_waits(&self) {
        program::wait_until_it_waits(&self.child);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end, and checks what holds for every end: no temporary file is left.
    #[track_caller]
    pub(crate) fn finish(self) -> Run {
        let Self { child, sandbox } = self;
        let pid = Pid::from_child(&child);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
        let started = Instant::now();
        let Ok(output) = receiver.recv_timeout(DEADLINE) else {
            kill_process(pid, Signal::KILL).unwrap();
            panic!("it hangs");
        };
        assert_eq!(sandbox.temporary_file(), None, "a temporary file is left behind");
        let run = Run { output, took: started.elapsed() };
        assert!(!run.stderr().contains("panicked"), "{}", run.stderr());
        run
    }
}

/// A run that has ended.
pub(crate) struct Run {
    output: Output,
    pub(crate) took: Duration,
}

impl Run {
    pub(crate) fn status(&self) -> i32 {
        self.output.status.code().expect("it ended by exiting")
    }

    /// The one that ended it.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.output.status.signal()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.status(), 0, "{}{}", self.stdout(), self.stderr());
        self
    }

    /// It failed with this status and a message that has all of these words.
    #[track_caller]
    pub(crate) fn failed(self, status: i32, words: &[&str]) -> Self {
        let message = self.stderr();
        assert_eq!(self.status(), status, "{}{message}", self.stdout());
        for word in words {
            assert!(message.contains(word), "no {word:?} in: {message}");
        }
        self
    }

    /// The one object that `--json` prints, and nothing beside it.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stderr(), "");
        let text = self.stdout();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// Bytes without a pattern that a shifted, repeated or missing chunk could hide in.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

#[track_caller]
pub(crate) fn assert_content(path: &Path, expected: &[u8]) {
    let found = fs::read(path).unwrap();
    // Not assert_eq: nobody wants to see megabytes.
    assert!(found == expected, "{} has other content ({} bytes)", path.display(), found.len());
}

pub(crate) fn has_command(name: &str) -> bool {
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&dirs).any(|dir| dir.join(OsStr::new(name)).is_file())
}

/// The names of all fields in it, however deep.
pub(crate) fn add_keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.keys().cloned());
            object.values().for_each(|value| add_keys(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| add_keys(value, found)),
        _ => {}
    }
}
