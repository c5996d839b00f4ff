//! The run's fences as a trace for <https://ui.perfetto.dev>: one track per fence context.
//!
//! Fences of a context overlap, and Perfetto drops complete ("X") events that overlap on a track
//! without nesting. Asynchronous events may overlap: a fence is a pair of them, "b" at its
//! submission and "e" at its signal. They have an ID of their own, and the name of the context, by
//! which Perfetto gathers them in one track. Their thread ID is the context, too, for other viewers.
//!
//! Events are written as chunks end; nothing but the set of known contexts is kept.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use dma_fence::{Signal, Status, Timestamp};
use serde_json::{Value, json};

use super::{destination::Destination, pipeline::Step, side_file, source::Source};
use crate::error::CopyError;

pub(crate) struct Trace {
    path: PathBuf,
    writer: BufWriter<File>,
    tracks: HashSet<u64>,
    /// The first error; nothing is written after it.
    result: io::Result<()>,
}

impl Trace {
    pub(crate) fn create(
        path: &Path,
        source: &Source,
        destination: &Destination,
    ) -> Result<Self, CopyError> {
        let mut writer = BufWriter::new(side_file::create("--trace", path, source, destination)?);
        let process = json!({
            "ph": "M", "name": "process_name", "pid": std::process::id(),
            "args": { "name": "dma-fence copy" }
        });
        // The first event: those that follow put the comma before themselves.
        let result = write!(writer, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{process}");
        Ok(Self { path: path.to_owned(), writer, tracks: HashSet::new(), result })
    }

    /// Writes the life of one fence, which has ended.
    pub(super) fn fence(&mut self, step: &Step, chunk: u64) {
        let Step { operation, ref fence, submitted } = *step;
        let (context, seqno) = (fence.context(), fence.seqno());
        let pid = std::process::id();
        let track = format!("{}/{}", fence.driver_name(), fence.timeline_name());
        if self.tracks.insert(context) {
            self.event(&json!({
                "ph": "M", "name": "thread_name", "pid": pid, "tid": context,
                "args": { "name": track }
            }));
        }
        let (end, result) = match fence.status() {
            Status::Signaled(Signal { result: Ok(()), timestamp }) => (timestamp, "ok".into()),
            Status::Signaled(Signal { result: Err(e), timestamp }) => (timestamp, e.to_string()),
            // It has no end: it is drawn to where somebody looked.
            Status::Abandoned => (Timestamp::now(), "abandoned".into()),
            Status::Pending => (Timestamp::now(), "pending".into()),
        };
        // It may have signaled before its submission returned, which is when we looked at the clock.
        let start = submitted.min(end);
        let mut event = |phase: &str, time: Timestamp, args: Value| {
            self.event(&json!({
                "ph": phase, "cat": "fence", "name": track, "pid": pid, "tid": context,
                "id2": { "local": format!("{context}:{seqno}") },
                // In microseconds.
                "ts": time.as_nanos() as f64 / 1000.0,
                "args": args,
            }));
        };
        let operation = operation.name();
        let args = json!({
            "context": context, "seqno": seqno, "operation": operation, "chunk": chunk,
            "result": result,
        });
        event("b", start, args);
        event("e", end, json!({}));
    }

    fn event(&mut self, event: &Value) {
        if self.result.is_ok() {
            self.result = write!(self.writer, ",\n{event}");
        }
    }

    /// Completes the file.
    pub(crate) fn finish(mut self) -> Result<(), CopyError> {
        self.result
            .and_then(|()| self.writer.write_all(b"\n]}\n"))
            .and_then(|()| self.writer.flush())
            .map_err(CopyError::io("write trace", &self.path))
    }
}
