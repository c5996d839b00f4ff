//! The command as from a terminal, wherever these tests were started.

#![allow(dead_code, reason = "each test binary uses its part of these helpers")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    sync::{Arc, Once},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_dma-fence");

/// Only ends what hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// `dma-fence`, which SIGHUP, SIGINT and SIGTERM reach also if they are ignored here, as in a shell's
/// background job: what is ignored stays so in a new program, what is handled does not.
pub(crate) fn dma_fence() -> Command {
    static HANDLED: Once = Once::new();
    HANDLED.call_once(|| {
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            if is_ignored(signal) {
                flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
    Command::new(BIN)
}

/// A pipe with a name, which nobody has opened.
pub(crate) fn fifo(dir: &Path) -> PathBuf {
    let path = dir.join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

/// Waits until it has slept for a while: nothing goes on in it that would end by itself.
#[track_caller]
pub(crate) fn wait_until_it_waits(child: &Child) {
    let begin = Instant::now();
    let mut slept = 0;
    while slept < 10 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let sleeps = stat.rsplit(") ").next().is_some_and(|state| state.starts_with('S'));
        slept = if sleeps { slept + 1 } else { 0 };
        assert!(begin.elapsed() < LIMIT, "it does not wait: {stat}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The status, or `None` if it hangs.
pub(crate) fn ended(child: &mut Child) -> Option<ExitStatus> {
    let begin = Instant::now();
    while begin.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    None
}

fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}
