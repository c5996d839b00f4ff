//! The backend for kernels that refuse io_uring: threads that block in `pread` and `pwrite`.
//!
//! Why libc and raw addresses: a slice of memory that another thread may be told to write is undefined
//! behaviour however briefly it exists, and with [`Faults::early_signal`](super::Faults) that is just
//! what happens. An address that only the kernel follows is not.
#![allow(unsafe_code)]

use super::error::errno;
use super::queue::Queue;
use super::transfer::{Direction, Transfer};
use super::{Backend, EngineError};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, lock};
use dma_fence::Errno;
use std::os::fd::AsRawFd;
use std::thread::{self, JoinHandle};

pub(super) struct Threads {
    shared: Arc<Shared>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    queue: Queue<Transfer>,
    alive: AtomicUsize,
}

impl Threads {
    pub(super) fn start(queue_depth: u32) -> Result<Threads, EngineError> {
        // In the page cache a transfer is work for a CPU, so more threads than CPUs gain nothing; but
        // some wait for a disk, so one more than CPUs keeps them busy. 8 saturate any memory bus.
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let workers = (cpus + 1).min(8).min(queue_depth as usize);
        let shared = Arc::new(Shared { queue: Queue::new(), alive: AtomicUsize::new(workers) });
        let this = Threads { shared, handles: Mutex::default() };
        for number in 0..workers {
            let worker = Worker(this.shared.clone());
            let name = format!("fence-io-{number}");
            match thread::Builder::new().name(name).spawn(move || worker.run()) {
                Ok(handle) => lock(&this.handles).push(handle),
                // The worker that failed to start has counted itself off, in its drop. Fewer than planned
                // will do, none will not.
                Err(error) if number == 0 => return Err(EngineError::Thread(error)),
                Err(_) => {
                    this.shared.alive.fetch_sub(workers - number - 1, Ordering::Relaxed);
                    break;
                }
            }
        }
        Ok(this)
    }
}

impl Backend for Threads {
    fn push(&self, job: Transfer) {
        if let Err(job) = self.shared.queue.push(job) {
            job.finish(Err(Errno::ECANCELED));
        }
    }

    fn is_dead(&self) -> bool {
        self.shared.queue.is_dead()
    }

    fn close(&self) -> bool {
        self.shared.queue.close();
        let handles = std::mem::take(&mut *lock(&self.handles));
        // A thread that panicked did so outside the kernel: when it is gone, nothing is being copied.
        handles.into_iter().for_each(|handle| drop(handle.join()));
        true
    }
}

/// One thread. Its drop, however it comes about, is the thread's end.
struct Worker(Arc<Shared>);

impl Worker {
    fn run(self) {
        while let Some(mut job) = self.0.queue.pop() {
            job.ticket.panic_if_told();
            let result = loop {
                let answer = transfer(&job);
                if let Some(result) = job.account(answer) {
                    break result;
                }
            };
            job.finish(result);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // AcqRel: the last one sees that the others are through with the queue.
        if self.0.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.queue.kill().into_iter().for_each(|job| job.finish(Err(Errno::ECANCELED)));
        }
    }
}

#[doc(alias("pread", "pwrite"))]
fn transfer(job: &Transfer) -> Result<usize, Errno> {
    let fd = job.file.as_raw_fd();
    let position = libc::off64_t::try_from(job.position()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: MEM-LEASED: the gate has opened, so the dependencies have signaled; the system call has
    // returned before the fence signals; a read of the buffer for a read lease, a write for a write lease.
    // The range was checked against the buffer at submission.
    let transferred = unsafe {
        let address = job.memory.address().add(job.done()).cast();
        match job.direction {
            Direction::Read => libc::pread64(fd, address, job.chunk(), position),
            Direction::Write => libc::pwrite64(fd, address, job.chunk(), position),
        }
    };
    usize::try_from(transferred).map_err(|_| errno(&std::io::Error::last_os_error()))
}
