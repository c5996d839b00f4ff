//! Every DMA buffer of the machine.

use std::{fs, path::Path};

use dma_fence_linux::{BufferList, ListedBuffer, ListedFence};
use serde::Serialize;

use super::error::InfoError;

#[derive(Debug, Serialize)]
pub(crate) struct Buffers {
    pub(super) buffers: Vec<Buffer>,
    pub(super) unknown_lines: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Buffer {
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) exporter: String,
    pub(super) name: String,
    pub(super) references: u64,
    pub(super) devices: Vec<String>,
    pub(super) fences: Vec<BufferFence>,
}

#[derive(Debug, Serialize)]
pub(super) struct BufferFence {
    pub(super) usage: String,
    pub(super) driver: String,
    pub(super) timeline: String,
    pub(super) context: Option<u64>,
    pub(super) seqno: Option<u64>,
    pub(super) status: &'static str,
}

const HEADING: &str = "Dma-buf Objects:";

/// Those of this machine, or what a machine once said.
pub(super) fn list(saved: Option<&Path>) -> Result<Buffers, InfoError> {
    let list = match saved {
        None => BufferList::read().map_err(InfoError::NoList)?,
        Some(path) => {
            let text = fs::read(path)
                .map_err(|cause| InfoError::Saved { path: path.to_owned(), cause })?;
            let text = String::from_utf8_lossy(&text);
            let list = BufferList::parse(&text);
            // A kernel prints it also where there are no buffers.
            if list.buffers.is_empty() && !text.contains(HEADING) {
                return Err(InfoError::NoCopy(path.to_owned()));
            }
            list
        }
    };
    let BufferList { buffers, unknown_lines } = list;
    Ok(Buffers { buffers: buffers.into_iter().map(Buffer::from).collect(), unknown_lines })
}

impl From<ListedBuffer> for Buffer {
    fn from(buffer: ListedBuffer) -> Self {
        let ListedBuffer { size, references, exporter, inode, name, fences, devices } = buffer;
        let fences = fences.into_iter().map(BufferFence::from).collect();
        Self { inode, size, exporter, name, references, devices, fences }
    }
}

impl From<ListedFence> for BufferFence {
    fn from(fence: ListedFence) -> Self {
        let ListedFence { usage, driver, timeline, context, seqno, is_signaled } = fence;
        let status = if is_signaled { "signaled" } else { "pending" };
        Self { usage: usage.to_string(), driver, timeline, context, seqno, status }
    }
}
