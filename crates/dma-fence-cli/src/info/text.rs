//! What was found, for people.
//!
//! Names come from other programs and from drivers, so no byte of them may control the terminal.

use std::fmt;

use super::{
    Report,
    buffers::{Buffer, BufferFence, Buffers},
    describe::{Described, Detail, Fence, Status},
};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffers(buffers) => buffers.fmt(f),
            Self::Process { pid, fds } if fds.is_empty() => {
                writeln!(f, "process {pid} has no file descriptor that has to do with fences")
            }
            Self::Process { fds, .. } => {
                writeln!(f, "{:>6}  {:<11}  WHAT", "FD", "KIND")?;
                fds.iter().try_for_each(|fd| fd.fmt(f))
            }
        }
    }
}

/// Where the third column begins.
const INDENT: &str = "                     ";

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}  {:<11}  ", self.fd, self.kind)?;
        match (&self.detail, &self.error) {
            (Some(detail), _) => detail.fmt(f),
            (None, Some(error)) => writeln!(f, "{error}"),
            (None, None) => writeln!(f, "{}", Clean(&self.link)),
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SyncFile { name, status, fences } => {
                writeln!(f, "{status}{}", Named(name))?;
                fences.iter().try_for_each(|fence| writeln!(f, "{INDENT}{fence}: {}", fence.status))
            }
            Self::DmaBuf { name, size, exporter, inode, read_waits_for, write_waits_for } => {
                let exporter = Clean(exporter);
                writeln!(f, "{size} bytes from {exporter}, inode {inode}{}", Named(name))?;
                writeln!(f, "{INDENT}a reader waits for {}", Several(read_waits_for))?;
                writeln!(f, "{INDENT}a writer waits for {}", Several(write_waits_for))
            }
            Self::DrmDevice { driver } => writeln!(f, "of the driver {}", Clean(driver)),
        }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Clean(&self.driver), Clean(&self.timeline))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status)?;
        if let Some(errno) = self.errno.and_then(dma_fence::Errno::from_raw) {
            write!(f, " with {errno}")?;
        }
        self.signaled_seconds_ago.map_or(Ok(()), |age| write!(f, ", {age:.3} s ago"))
    }
}

impl fmt::Display for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8}  {:>12}  {:<12}  NAME AND FENCES", "INODE", "BYTES", "EXPORTER")?;
        self.buffers.iter().try_for_each(|buffer| buffer.fmt(f))?;
        let pending = |buffer: &&Buffer| buffer.fences.iter().any(BufferFence::is_pending);
        let (count, busy) = (self.buffers.len(), self.buffers.iter().filter(pending).count());
        let bytes: u128 = self.buffers.iter().map(|buffer| u128::from(buffer.size)).sum();
        writeln!(f, "{count} buffers of {bytes} bytes, {busy} with pending fences")?;
        match self.unknown_lines {
            0 => Ok(()),
            lines => writeln!(f, "{lines} lines of the kernel's list were not understood"),
        }
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inode, size, .. } = self;
        let (exporter, name) = (Clean(&self.exporter).to_string(), Clean(&self.name).to_string());
        writeln!(f, "{}", format!("{inode:>8}  {size:>12}  {exporter:<12}  {name}").trim_end())?;
        // Those that have signaled concern nobody.
        let mut pending = self.fences.iter().filter(|fence| fence.is_pending());
        pending.try_for_each(|fence| writeln!(f, "{:40}{fence}", ""))?;
        self.devices.iter().try_for_each(|device| writeln!(f, "{:40}used by {}", "", Clean(device)))
    }
}

impl BufferFence {
    fn is_pending(&self) -> bool {
        self.status == "pending"
    }
}

impl fmt::Display for BufferFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { usage, driver, timeline, status, .. } = self;
        write!(f, "{usage}: {} {}", Clean(driver), Clean(timeline))?;
        match (self.context, self.seqno) {
            (Some(context), Some(seqno)) => write!(f, " {context}:{seqno}")?,
            (None, Some(seqno)) => write!(f, " {seqno}")?,
            _ => {}
        }
        write!(f, ", {status}")
    }
}

/// Several fences, or nothing.
struct Several<'a>(&'a [Fence]);

impl fmt::Display for Several<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fence) in self.0.iter().enumerate() {
            write!(f, "{}{fence}", if i == 0 { "" } else { ", " })?;
        }
        if self.0.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

/// A name, if there is one.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", named '{}'", Clean(self.0)) }
    }
}

/// A text without control characters.
struct Clean<'a>(&'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_default()),
            false => write!(f, "{char}"),
        })
    }
}
