//! The io_uring backend: one thread owns the ring, everybody else hands it transfers through a queue.
//!
//! # Implementation notes
//!
//! *Waking.* The thread sleeps in the kernel, for completions or for the bell (an eventfd that the ring
//! polls). Whether somebody must ring is `asleep`, which stands in the queue, under its lock:
//! URING-BELL: *the thread goes to sleep with `asleep` unset only if it does not want a job*. It sets the
//! flag in the very critical section that found the queue empty; whoever pushes takes the flag in the
//! critical section that fills it, and then rings. So a push costs a system call only if the thread
//! sleeps for want of jobs, and none when the ring's thread itself pushes, out of a callback.
//!
//! *Never full.* There are as many places in the table as the queue is deep, each with at most one entry
//! in the ring, and the bell has one more: the ring is made to hold that many.
//!
//! *Dying.* If this thread panics, the fences of what is in the kernel are abandoned at once, since nobody
//! will see it finish in time. Files and memory are kept until the kernel has answered for every entry it was
//! given; only then is the engine known to be idle.
#![allow(unsafe_code)]

use super::transfer::{Direction, Transfer};
use super::{Backend, EngineError, Notice};
use crate::memory::PoolInner;
use crate::sync::{Arc, Mutex, lock};
use dma_fence::Errno;
use io_uring::types::{CancelBuilder, Fd};
use io_uring::{IoUring, Probe, opcode, squeue};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Makes a ring with that many entries.
pub(super) type Open = fn(u32) -> io::Result<IoUring>;

/// The token of the bell; the others are places in the table.
const BELL: u64 = u64::MAX;

pub(super) struct Uring {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<bool>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    bell: OwnedFd,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Transfer>,
    /// The thread sleeps, or is about to, and wants to hear of a job (URING-BELL).
    asleep: bool,
    closed: bool,
    dead: bool,
}

/// What the ring's thread owns.
struct Ring {
    ring: IoUring,
    shared: Arc<Shared>,
    table: Vec<Option<Transfer>>,
    vacant: Vec<usize>,
    /// Entries for transfers that the kernel was given, or will be with the next submission, and has not
    /// answered. Changed in the same breath as the ring, so it is right even after a panic.
    in_kernel: usize,
    bell_armed: bool,
    fixed: bool,
}

/// The plain way to make a ring, with the flags that suit one thread that waits where it submits.
pub(super) fn open(entries: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_clamp();
    let plain = builder.clone();
    builder.setup_single_issuer().setup_defer_taskrun();
    // A kernel older than 6.1 does not know the flags.
    let ring = builder.build(entries).or_else(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => plain.build(entries),
        _ => Err(error),
    })?;
    let mut probe = Probe::new();
    let known = ring.submitter().register_probe(&mut probe).is_ok()
        && probe.is_supported(opcode::Read::CODE)
        && probe.is_supported(opcode::Write::CODE);
    if known { Ok(ring) } else { Err(io::Error::from_raw_os_error(libc::ENOSYS)) }
}

// === impl Uring ===

impl Uring {
    pub(super) fn start(
        pool: &Arc<PoolInner>,
        queue_depth: u32,
        open: Open,
    ) -> Result<(Uring, Option<Notice>), EngineError> {
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        let bell = eventfd(0, flags).map_err(|error| EngineError::Refused(error.into()))?;
        let shared = Arc::new(Shared { queue: Mutex::default(), bell });
        let (report, started) = sync_channel(1);
        let (pool, mine) = (pool.clone(), shared.clone());
        // Only the thread that makes a ring with a single issuer may submit to it.
        let run = move || match Ring::new(mine, &pool, queue_depth, open) {
            Ok((ring, notice)) => ring.live(report, notice),
            Err(error) => {
                let _ = report.send(Err(error));
                true
            }
        };
        let thread = thread::Builder::new().name("fence-uring".into()).spawn(run);
        let thread = Mutex::new(Some(thread.map_err(EngineError::Thread)?));
        let unsaid = || Err(io::Error::other("the ring's thread ended"));
        let notice = started.recv().unwrap_or_else(|_| unsaid()).map_err(EngineError::Refused)?;
        Ok((Uring { shared, thread }, notice))
    }
}

impl Backend for Uring {
    fn push(&self, job: Transfer) {
        let mut queue = lock(&self.shared.queue);
        if queue.dead {
            drop(queue);
            return job.finish(Err(Errno::ECANCELED));
        }
        queue.jobs.push_back(job);
        let asleep = std::mem::take(&mut queue.asleep);
        drop(queue);
        if asleep {
            self.shared.ring_bell();
        }
    }

    fn is_dead(&self) -> bool {
        lock(&self.shared.queue).dead
    }

    fn close(&self) -> bool {
        lock(&self.shared.queue).closed = true;
        self.shared.ring_bell();
        match lock(&self.thread).take() {
            Some(thread) => thread.join().unwrap_or(false),
            None => false,
        }
    }
}

impl Shared {
    fn ring_bell(&self) {
        // The counter cannot overflow before the thread reads it, and no other error exists.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

// === impl Ring ===

impl Ring {
    fn new(
        shared: Arc<Shared>,
        pool: &PoolInner,
        queue_depth: u32,
        open: Open,
    ) -> io::Result<(Ring, Option<Notice>)> {
        let ring = open(queue_depth + 1)?;
        let region = &pool.region;
        let slot =
            |index| libc::iovec { iov_base: region.address(index).cast(), iov_len: region.size() };
        let slots: Vec<_> = (0..region.count()).map(slot).collect();
        // SAFETY: MEM-MAPPED: the ranges are mapped; the kernel pins the pages itself.
        let registered = unsafe { ring.submitter().register_buffers(&slots) };
        let notice = registered.as_ref().err().map(|error| {
            Notice(format!("io_uring works without registered buffers, more slowly: {error}"))
        });
        let table: Vec<_> = (0..queue_depth).map(|_| None).collect();
        let vacant = (0..table.len()).rev().collect();
        let fixed = registered.is_ok();
        let (in_kernel, bell_armed) = (0, false);
        Ok((Ring { ring, shared, table, vacant, in_kernel, bell_armed, fixed }, notice))
    }

    /// The thread's life. Tells at its end whether the kernel is through with all memory.
    fn live(
        mut self,
        report: SyncSender<io::Result<Option<Notice>>>,
        notice: Option<Notice>,
    ) -> bool {
        let _ = report.send(Ok(notice));
        let ended = catch_unwind(AssertUnwindSafe(|| self.run()));
        if let Ok(Ok(())) = ended {
            return true;
        }
        let unstarted = {
            let mut queue = lock(&self.shared.queue);
            queue.dead = true;
            std::mem::take(&mut queue.jobs)
        };
        unstarted.into_iter().for_each(|job| job.finish(Err(Errno::ECANCELED)));
        let kept: Vec<_> = self.table.drain(..).flatten().map(Transfer::abandon).collect();
        let idle = self.drain();
        if !idle {
            // The kernel may still follow the file numbers, so they must not mean other files.
            std::mem::forget(kept);
        }
        idle
    }

    fn run(&mut self) -> io::Result<()> {
        let mut answers = Vec::with_capacity(self.table.len() + 1);
        loop {
            let (job, closed) = {
                let mut queue = lock(&self.shared.queue);
                let job = if self.vacant.is_empty() { None } else { queue.jobs.pop_front() };
                queue.asleep = job.is_none() && queue.jobs.is_empty();
                (job, queue.closed && queue.jobs.is_empty())
            };
            match job {
                None if closed && self.in_kernel == 0 => return Ok(()),
                None => {
                    self.arm_bell();
                    self.enter(1)?;
                    lock(&self.shared.queue).asleep = false;
                }
                // One at a time: what is in the page cache is read before `enter` returns, and those who
                // wait for these bytes are to start before the next ones are read.
                Some(job) => {
                    job.ticket.panic_if_told();
                    let place = self.vacant.pop().expect("looked at above");
                    self.table[place] = Some(job);
                    self.give(place);
                    self.enter(0)?;
                }
            }
            self.collect(&mut answers);
            answers.drain(..).for_each(|(place, answer)| self.answered(place, answer));
        }
    }

    /// Gives the kernel what is left of a transfer.
    fn give(&mut self, place: usize) {
        let job = self.table[place].as_ref().expect("a transfer in this place");
        let fd = Fd(job.file.as_raw_fd());
        let (position, len) = (job.position(), job.chunk() as u32);
        let slot = job.memory.index() as u16;
        // SAFETY: MEM-LEASED: the gate has opened, and the fence signals when the kernel has answered.
        // The sum stays in the buffer: the length was checked at submission.
        let address = unsafe { job.memory.address().add(job.done()) };
        let entry = match (job.direction, self.fixed) {
            (Direction::Read, true) => {
                opcode::ReadFixed::new(fd, address, len, slot).offset(position).build()
            }
            (Direction::Read, false) => {
                opcode::Read::new(fd, address, len).offset(position).build()
            }
            (Direction::Write, true) => {
                opcode::WriteFixed::new(fd, address, len, slot).offset(position).build()
            }
            (Direction::Write, false) => {
                opcode::Write::new(fd, address, len).offset(position).build()
            }
        };
        // SAFETY: MEM-LEASED: the table keeps file and memory until the kernel has answered.
        unsafe { self.push(entry.user_data(place as u64)) };
        self.in_kernel += 1;
    }

    /// # Safety
    /// What the entry points to stays valid until it is answered.
    unsafe fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: by contract.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("the ring holds as many entries as the table, and the bell");
    }

    fn arm_bell(&mut self) {
        if !self.bell_armed {
            let fd = Fd(self.shared.bell.as_raw_fd());
            let entry = opcode::PollAdd::new(fd, libc::POLLIN as u32).build().user_data(BELL);
            // SAFETY: MEM-LEASED is not concerned: a poll has no memory, and the bell outlives the ring.
            unsafe { self.push(entry) };
            self.bell_armed = true;
        }
    }

    /// Submits, and sleeps until there are `want` answers.
    fn enter(&mut self, want: usize) -> io::Result<()> {
        match self.ring.submit_and_wait(want) {
            Ok(_) => Ok(()),
            // Interrupted, or answers must be collected first, or no memory just now: come again.
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    fn collect(&mut self, answers: &mut Vec<(usize, i32)>) {
        for entry in self.ring.completion() {
            if entry.user_data() == BELL {
                self.bell_armed = false;
            } else {
                self.in_kernel -= 1;
                answers.push((entry.user_data() as usize, entry.result()));
            }
        }
        if !self.bell_armed {
            // Fails if nobody rang; either way the counter is zero when the bell is armed again.
            let _ = rustix::io::read(&self.shared.bell, &mut [0u8; 8]);
        }
    }

    fn answered(&mut self, place: usize, answer: i32) {
        let job = self.table[place].as_mut().expect("a transfer in this place");
        let answer = usize::try_from(answer)
            .map_err(|_| Errno::from_raw(answer.wrapping_neg()).unwrap_or(Errno::EIO));
        let Some(result) = job.account(answer) else {
            return self.give(place);
        };
        let job = self.table[place].take().expect("looked at above");
        self.vacant.push(place);
        job.finish(result);
    }

    /// After a death: waits until the kernel has answered for everything. False if it would not say.
    fn drain(&mut self) -> bool {
        // Hurries what may take for ever, like a read of a pipe. Kernels before 6.0 cannot.
        let _ = self.ring.submit();
        let _ = self.ring.submitter().register_sync_cancel(None, CancelBuilder::any());
        let mut answers = Vec::new();
        while self.in_kernel > 0 {
            if self.enter(1).is_err() {
                return false;
            }
            self.collect(&mut answers);
        }
        true
    }
}
