//! A kernel whose fences can be recorded, and recordings that are under way.
#![allow(dead_code, reason = "each test takes its part")]

#[path = "../../../dma-fence-linux/tests/common/mod.rs"]
pub(crate) mod common;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::MutexGuard,
};

use common::{alone, in_time, or_skip};
use dma_fence_linux::Vgem;
use rustix::process::{Pid, Signal, kill_process};

#[path = "../program/mod.rs"]
pub(crate) mod program;
pub(crate) use program::{LIMIT, dma_fence};

const TRACEFS: &str = "/sys/kernel/tracing";

pub(crate) fn record(args: &[&str]) -> Command {
    let mut command = dma_fence();
    command.arg("record").args(args);
    command
}

/// What goes when a test ends: its directory, and then others' turn begins, who look at the same settings.
pub(crate) type Kept = (tempfile::TempDir, MutexGuard<'static, ()>);

/// A machine with fences and tracefs, and a file to record to.
pub(crate) fn machine() -> Option<(Vgem, Kept, String)> {
    let vgem = or_skip("vgem", Vgem::open())?;
    tracefs().map(|(dir, file)| (vgem, dir, file))
}

/// A machine with tracefs, and a file to record to.
pub(crate) fn tracefs() -> Option<(Kept, String)> {
    or_skip("tracefs", fs::metadata(format!("{TRACEFS}/events/dma_fence")))?;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trace").to_str().unwrap().to_owned();
    Some(((dir, alone()), file))
}

/// What others have set there, and what is left behind.
pub(crate) fn settings() -> (String, usize) {
    let read = |file: &str| fs::read_to_string(Path::new(TRACEFS).join(file)).unwrap();
    let instances = fs::read_dir(format!("{TRACEFS}/instances")).unwrap().count();
    let files = ["trace_clock", "buffer_size_kb", "events/dma_fence/enable", "tracing_on"];
    (files.map(read).concat(), instances)
}

/// A command that takes the kernel's events, and ends when the test does, however that ends.
pub(crate) struct Taking(Option<Child>);

impl Taking {
    /// Events are taken from here on.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let enabled =
            format!("{TRACEFS}/instances/dma-fence-{}/events/dma_fence/enable", child.id());
        let taking = Taking(Some(child));
        in_time(LIMIT, || fs::read_to_string(&enabled).is_ok_and(|enabled| enabled == "1\n"));
        taking
    }

    /// As by Ctrl-C.
    pub(crate) fn interrupt(self) -> String {
        self.kill(Signal::INT);
        self.output()
    }

    /// Waits until it has ended, and well. What it had to say.
    pub(crate) fn output(mut self) -> String {
        let output = self.0.take().expect("it is taken here only").wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn kill(&self, signal: Signal) {
        if let Some(child) = &self.0 {
            kill_process(Pid::from_child(child), signal).unwrap();
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.kill(Signal::INT);
        if let Some(child) = &mut self.0 {
            child.wait().unwrap();
        }
    }
}
