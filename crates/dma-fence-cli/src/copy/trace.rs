//! The run's fences as a trace for <https://ui.perfetto.dev>: one track per fence context.
//!
//! A fence is a complete ("X") event from its submission to its signal, on the track ("thread") of its
//! context. Such events must not overlap, or Perfetto drops them. The engines' contexts have one
//! unsignaled fence at a time, so they do not.
//!
//! Events are written as chunks end; nothing but the set of known contexts is kept.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use dma_fence::{Signal, Status, Timestamp};
use serde_json::{Value, json};

use super::{
    destination::{Destination, absolute_entry},
    pipeline::Step,
    source::Source,
};
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
        let failed = |cause| CopyError::io("write trace", path)(cause);
        let is_source = fs::metadata(path).is_ok_and(|metadata| source.is(&metadata));
        let entry = fs::canonicalize(path).or_else(|_| absolute_entry(path)).map_err(failed)?;
        if is_source || entry == destination.path() {
            let path = path.display();
            return Err(CopyError::Usage(format!("--trace '{path}' is one of the files to copy")));
        }
        let mut writer = BufWriter::new(File::create(path).map_err(failed)?);
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
        let (context, pid) = (fence.context(), std::process::id());
        if self.tracks.insert(context) {
            let name = format!("{}/{}", fence.driver_name(), fence.timeline_name());
            self.event(&json!({
                "ph": "M", "name": "thread_name", "pid": pid, "tid": context,
                "args": { "name": name }
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
        let start = submitted.min(end).as_nanos();
        self.event(&json!({
            "ph": "X", "cat": "fence", "name": format!("{} {chunk}", operation.name()),
            "pid": pid, "tid": context,
            "ts": microseconds(start), "dur": microseconds(end.as_nanos() - start),
            "args": {
                "context": context, "seqno": fence.seqno(), "operation": operation.name(),
                "chunk": chunk, "result": result,
            },
        }));
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

fn microseconds(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
