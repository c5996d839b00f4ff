//! The run's fences as a trace for <https://ui.perfetto.dev>: one track per fence context.
//!
//! A fence is a slice from its submission to its signal; their track has the name of the context. Events are
//! written as chunks end; nothing but the set of known contexts is kept.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use dma_fence::{Signal, Status, Timestamp};
use dma_fence_trace::perfetto::{Flow, Slice, Writer};
use serde::Serialize;

use super::pipeline::Step;
use crate::error::CopyError;

pub(crate) struct Trace {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    tracks: HashSet<u64>,
    /// The first error; nothing is written after it.
    result: io::Result<()>,
}

#[derive(Serialize)]
struct Args<'a> {
    context: u64,
    seqno: u64,
    operation: &'a str,
    chunk: u64,
    result: &'a str,
}

impl Trace {
    pub(crate) fn begin(path: &Path, file: File) -> Result<Self, CopyError> {
        let writer = Writer::new(BufWriter::new(file));
        let mut writer = writer.map_err(CopyError::io("write trace", path))?;
        let result = writer.process(std::process::id(), "dma-fence copy");
        Ok(Self { path: path.to_owned(), writer, tracks: HashSet::new(), result })
    }

    /// Writes the life of one fence, which has ended.
    pub(super) fn fence(&mut self, step: &Step, chunk: u64) {
        if self.result.is_ok() {
            self.result = self.write(step, chunk);
        }
    }

    fn write(&mut self, step: &Step, chunk: u64) -> io::Result<()> {
        let Step { operation, ref fence, submitted } = *step;
        let (context, seqno) = (fence.context(), fence.seqno());
        let pid = std::process::id();
        let track = format!("{}/{}", fence.driver_name(), fence.timeline_name());
        if self.tracks.insert(context) {
            self.writer.thread(pid, context, &track)?;
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
        let id = format!("{context}:{seqno}");
        let slice = Slice { category: "fence", name: &track, pid, tid: context, id: &id };
        let args = Args { context, seqno, operation: operation.name(), chunk, result: &result };
        self.writer.begin(slice, start.as_nanos(), Flow::None, &args)?;
        self.writer.end(slice, end.as_nanos())
    }

    /// Completes the file.
    pub(crate) fn finish(self) -> Result<(), CopyError> {
        self.result
            .and_then(|()| self.writer.finish())
            .map(drop)
            .map_err(CopyError::io("write trace", &self.path))
    }
}
