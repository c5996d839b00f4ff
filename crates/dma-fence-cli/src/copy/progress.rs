//! How far the copy is: counted by fence callbacks, shown on a terminal.

use std::{
    io::{self, IsTerminal},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Written by the callbacks of the chunks' arrays, on whatever thread signals them; read by the
/// pipeline. Both are hints: what a run ends with comes from the fences themselves.
#[derive(Default)]
pub(crate) struct Progress {
    bytes: AtomicU64,
    failed: AtomicBool,
}

impl Progress {
    pub(crate) fn chunk_done(&self, bytes: usize, succeeded: bool) {
        if succeeded {
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        } else {
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// A bar on standard error if that is a terminal and the user wants to see it. Clears itself.
pub(crate) fn bar(len: u64, wanted: bool) -> ProgressBar {
    if !wanted || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{msg}{wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  \
                    ETA {eta}";
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    ProgressBar::new(len).with_style(style).with_finish(ProgressFinish::AndClear)
}
