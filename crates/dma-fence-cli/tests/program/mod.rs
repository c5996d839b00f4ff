//! The command as from a terminal, wherever these tests were started.

use std::{
    fs,
    process::Command,
    sync::{Arc, Once},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_dma-fence");

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

fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}
