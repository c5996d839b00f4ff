//! What the user is told.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use dma_fence_engines::EngineKind;
use indicatif::BinaryBytes;
use serde::Serialize;

use super::pipeline::Copied;
use crate::args::{CopyArgs, Sync};

/// A complete copy. The fields are documented in `--help`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    source: String,
    destination: String,
    engine: String,
    sync: &'static str,
    bytes: u64,
    chunks: u64,
    chunk_size_bytes: usize,
    buffers: u32,
    queue_depth: u32,
    seconds: f64,
    bytes_per_second: f64,
    blake3: String,
    verified: Option<bool>,
    verify_seconds: Option<f64>,
    fences: u64,
    arrays: u64,
    max_in_flight: u64,
    buffer_wait_seconds: f64,
    peak_rss_bytes: Option<u64>,
}

impl Report {
    pub(crate) fn new(
        args: &CopyArgs,
        destination: &Path,
        bytes: u64,
        engine: EngineKind,
        copied: &Copied,
        copying: Duration,
        verifying: Option<Duration>,
    ) -> Self {
        let seconds = copying.as_secs_f64();
        Self {
            source: args.source.display().to_string(),
            destination: destination.display().to_string(),
            engine: engine.to_string(),
            sync: match args.sync {
                Sync::Fences => "fences",
                Sync::Serial => "serial",
            },
            bytes,
            chunks: copied.chunks,
            chunk_size_bytes: args.chunk_size,
            buffers: args.buffers,
            queue_depth: args.queue_depth,
            seconds,
            bytes_per_second: bytes as f64 / seconds,
            blake3: copied.hash.to_hex().to_string(),
            verified: verifying.map(|_| true),
            verify_seconds: verifying.map(|time| time.as_secs_f64()),
            fences: copied.fences,
            arrays: copied.arrays,
            max_in_flight: copied.max_in_flight,
            buffer_wait_seconds: copied.waited.as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, seconds, buffers, engine, sync, queue_depth, .. } = self;
        let rate = BinaryBytes(self.bytes_per_second as u64);
        let chunk = BinaryBytes(self.chunk_size_bytes as u64);
        writeln!(f, "copied    {bytes} bytes in {seconds:.3} s: {rate}/s")?;
        writeln!(f, "blake3    {}", self.blake3)?;
        if let Some(seconds) = self.verify_seconds {
            writeln!(f, "verified  the copy reads back with this hash ({seconds:.3} s)")?;
        }
        writeln!(
            f,
            "engine    {engine}: {buffers} buffers of {chunk}, queue depth {queue_depth}, \
             ordered by {sync}"
        )?;
        writeln!(
            f,
            "fences    {} and {} arrays, at most {} in flight",
            self.fences, self.arrays, self.max_in_flight
        )?;
        writeln!(f, "waited    {:.3} s for a free buffer", self.buffer_wait_seconds)
    }
}

/// The greatest resident memory of this process so far.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// What the user should know although the copy goes on. Told at once, or in the JSON object.
pub(crate) struct Warnings {
    json: bool,
    messages: Vec<String>,
}

impl Warnings {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, messages: Vec::new() }
    }

    pub(crate) fn push(&mut self, message: impl Into<String>) {
        let message = message.into();
        if !self.json {
            // Nobody to tell, if standard error is closed.
            let _ = writeln!(io::stderr(), "dma-fence: warning: {message}");
        }
        self.messages.push(message);
    }

    pub(crate) fn extend(&mut self, messages: impl IntoIterator<Item = String>) {
        messages.into_iter().for_each(|message| self.push(message));
    }

    pub(crate) fn messages(&self) -> &[String] {
        &self.messages
    }
}
