//! One read or write of a file: what both backends do with it, whatever way they talk to the kernel.

use super::device::Ticket;
use crate::memory::DeviceMemory;
use dma_fence::Errno;
use std::fs::File;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// From the file into the buffer.
    Read,
    /// From the buffer into the file.
    Write,
}

impl Direction {
    /// The names of their timelines, in this order.
    pub(super) const TIMELINES: [&'static str; 2] = ["read", "write"];
}

pub(super) struct Transfer {
    pub(super) direction: Direction,
    pub(super) file: Arc<File>,
    pub(super) memory: DeviceMemory,
    offset: u64,
    len: usize,
    done: usize,
    /// Last: when this is dropped, the fence is abandoned.
    pub(super) ticket: Ticket,
}

impl Transfer {
    pub(super) fn new(
        direction: Direction,
        file: Arc<File>,
        offset: u64,
        len: usize,
        memory: DeviceMemory,
        ticket: Ticket,
    ) -> Transfer {
        Transfer { direction, file, memory, offset, len, done: 0, ticket }
    }

    /// Bytes transferred so far: where in the buffer to go on.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Where in the file to go on.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.done as u64
    }

    /// Bytes to ask for next. A kernel transfers less than 2 GiB at a time anyway.
    pub(super) fn chunk(&self) -> usize {
        (self.len - self.done).min(1 << 30)
    }

    /// Takes in what the kernel answered. `None`: go on with the rest.
    pub(super) fn account(&mut self, answer: Result<usize, Errno>) -> Option<Result<(), Errno>> {
        match answer {
            // A file that ends before it should, or a device that takes nothing and says no reason.
            Ok(0) if self.direction == Direction::Read => Some(Err(Errno::ENODATA)),
            Ok(0) => Some(Err(Errno::EIO)),
            Ok(bytes) => {
                self.done += bytes;
                (self.done >= self.len).then_some(Ok(()))
            }
            Err(error) if error.raw() == libc::EINTR || error.raw() == libc::EAGAIN => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Ends the operation. File and memory are given up before anybody hears of it.
    pub(super) fn finish(self, result: Result<(), Errno>) {
        let Transfer { file, memory, mut ticket, .. } = self;
        drop((file, memory));
        ticket.signal(result);
    }

    /// Abandons the fence, and keeps what the kernel may still use.
    pub(super) fn abandon(self) -> (Arc<File>, DeviceMemory) {
        (self.file, self.memory)
    }
}
