//! Signals that end a run in order: Ctrl-C, SIGTERM, a terminal that goes away.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
    flag,
};

/// The signal that arrived, or 0. The handlers do no more than store it; by default there are none, and a signal does
/// what it does.
///
/// The system retries what is interrupted: while they are installed, nothing may wait that a signal should end.
#[derive(Default)]
pub(crate) struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    pub(crate) fn install() -> io::Result<Self> {
        let arrived = Arc::new(AtomicUsize::new(0));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // What whoever started us ignores (`nohup`, a shell's background job) stays ignored.
            if !is_ignored(signal) {
                flag::register_usize(signal, arrived.clone(), signal as usize)?;
            }
        }
        // A handler of any kind turns "file too large" from a death into an error of the write.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(Self(arrived))
    }

    pub(crate) fn signal(&self) -> Option<i32> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal as i32),
        }
    }

    /// The same, once: the next call tells of another one.
    pub(crate) fn take(&self) -> Option<i32> {
        match self.0.swap(0, Ordering::Relaxed) {
            0 => None,
            signal => Some(signal as i32),
        }
    }
}

/// Whether `signal` was ignored when this process started, as /proc/self/status tells.
fn is_ignored(signal: i32) -> bool {
    let mask = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
