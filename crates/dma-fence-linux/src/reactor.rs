//! The reactor: one epoll instance for all sync files that somebody waits for.
//!
//! - [`thread`]: the process's own reactor, which has a thread
//! - [`table`]: what is watched
//! - [`panics`]: callbacks that panic
//! - `tokio`, `calloop`: other people's event loops, behind features of those names
//!
//! # Implementation notes
//!
//! A fence joins when it is imported, and is *watched* from its first waiter on: adding a sync file to an
//! epoll instance enables signaling, which a fence that is only asked must not do. It leaves when the
//! library's fence goes, signaled or not. The reactor knows fences weakly and by numbers that are not used
//! again, so an event that comes late finds nothing.

#[cfg(feature = "calloop")]
mod calloop;
mod panics;
mod table;
mod thread;
#[cfg(feature = "tokio")]
mod tokio;

#[cfg(feature = "calloop")]
pub use calloop::ReactorSource;
pub(crate) use table::Token;

use core::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, Weak};

use rustix::event::epoll;
use rustix::event::{Timespec, epoll::EventFlags};
use rustix::io::Errno;

use crate::error::KernelError;
use crate::sync_file::Watched;
use panics::Panics;
use table::{Entry, Table};

/// Watches sync files for an event loop of yours.
///
/// Its file descriptor is readable when there is something to [dispatch](Self::dispatch). Dropping it
/// leaves what is pending to the process's [own reactor](Self::global), so that nobody waits in vain.
///
/// ```no_run
/// use dma_fence_linux::{Reactor, Vgem};
/// use rustix::event::{PollFd, PollFlags, poll};
/// let reactor = Reactor::new()?;
/// let (producer, file) = Vgem::open()?.new_fence()?;
/// let fence = file.into_fence_on(&reactor.handle())?;
/// fence.on_signal(|signal| println!("{:?}", signal.result)).unwrap().detach();
/// producer.signal()?;
/// while !fence.is_signaled() {
///     poll(&mut [PollFd::new(&reactor, PollFlags::IN)], None)?;
///     reactor.dispatch()?; // calls back on this thread
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reactor(ReactorHandle);

/// What imports need of a [`Reactor`]: cheap to clone, and to send to other threads.
#[derive(Clone, Debug)]
pub struct ReactorHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    epoll: OwnedFd,
    table: Table,
    /// Where the process's reactor knows this one, once it serves it.
    adopted: OnceLock<Token>,
}

/// Do not wait.
const NOW: Option<&Timespec> = Some(&Timespec { tv_sec: 0, tv_nsec: 0 });

/// How many events one system call fetches.
const BATCH: usize = 64;

impl Reactor {
    /// A reactor without a thread.
    ///
    /// # Errors
    /// What the kernel answers: `EMFILE`, `ENOMEM`.
    ///
    /// # Context
    /// Costs one file descriptor.
    pub fn new() -> Result<Self, KernelError> {
        ReactorHandle::new().map(Reactor)
    }

    /// The process's own reactor, on a thread that the first call starts.
    ///
    /// Callbacks of its fences run on that thread: they should be short, and must not wait for another
    /// fence of it. After a `fork` without `exec` the child has no such thread and must leave imports alone, even
    /// dropping them: the two share the epoll instance.
    ///
    /// # Errors
    /// What the kernel answers when there is no file descriptor or thread left: `EMFILE`, `EAGAIN`. The
    /// next call tries again.
    pub fn global() -> Result<ReactorHandle, KernelError> {
        thread::global()
    }

    /// What imports need of it.
    pub fn handle(&self) -> ReactorHandle {
        self.0.clone()
    }

    /// Signals what has signaled in the kernel; does not wait for more. Returns how many events there were.
    ///
    /// # Errors
    /// What the kernel answers; nothing is lost.
    ///
    /// # Context
    /// Runs callbacks on this thread, under no lock. One that panics does so after the others of the batch.
    #[doc(alias = "epoll_wait")]
    pub fn dispatch(&self) -> Result<usize, KernelError> {
        self.0.0.dispatch(NOW)
    }
}

impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.epoll.as_fd()
    }
}

impl Drop for Reactor {
    /// Whoever has a fence of this reactor, or imports another one by a handle, is served by the process's own
    /// reactor from here on.
    fn drop(&mut self) {
        let inner = &self.0.0;
        let last = Arc::strong_count(inner) == 1;
        if !last && thread::adopt(inner).is_err() {
            inner.table.close();
        }
    }
}

impl ReactorHandle {
    fn new() -> Result<Self, KernelError> {
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(KernelError::of("epoll_create1"))?;
        let (table, adopted) = (Table::default(), OnceLock::new());
        Ok(ReactorHandle(Arc::new(Inner { epoll, table, adopted })))
    }

    /// A fence that may want to be watched.
    pub(crate) fn join(&self, watched: Weak<Watched>) -> Token {
        self.0.table.insert(Entry::Fence(watched))
    }

    /// From here on the fence hears when its sync file is ready. Enables signaling.
    pub(crate) fn watch(&self, token: Token, fd: BorrowedFd<'_>) -> Result<(), KernelError> {
        self.0.watch(token, fd)
    }

    /// Does nobody dispatch any more?
    pub(crate) fn is_closed(&self) -> bool {
        self.0.table.is_closed()
    }

    /// A duplicate of the file descriptor elsewhere would keep it watched.
    pub(crate) fn unwatch(&self, fd: BorrowedFd<'_>) {
        // It is there, by the caller's word.
        let _ = epoll::delete(&self.0.epoll, fd);
    }

    /// The fence is about to go.
    pub(crate) fn leave(&self, token: Token) {
        self.0.table.remove(token);
    }
}

impl Inner {
    fn watch(&self, token: Token, fd: BorrowedFd<'_>) -> Result<(), KernelError> {
        let data = epoll::EventData::new_u64(token.0);
        epoll::add(&self.epoll, fd, data, EventFlags::IN).map_err(KernelError::of("epoll_ctl"))
    }

    /// Waits for events as long as `timeout` says, `None` for ever, and tells those whom they concern.
    fn dispatch(&self, timeout: Option<&Timespec>) -> Result<usize, KernelError> {
        let mut buffer = [MaybeUninit::uninit(); BATCH];
        let events = match epoll::wait(&self.epoll, &mut buffer, timeout) {
            Ok((events, _)) => &*events,
            Err(Errno::INTR) => &[],
            Err(error) => return Err(KernelError::new("epoll_wait", crate::error::errno(error))),
        };
        let mut panics = Panics::default();
        for event in events {
            if let Some(entry) = self.table.get(Token(event.data.u64())) {
                panics.guard(|| entry.ready());
            }
        }
        panics.resume();
        Ok(events.len())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(token) = self.adopted.get() {
            thread::forget(*token);
        }
    }
}
