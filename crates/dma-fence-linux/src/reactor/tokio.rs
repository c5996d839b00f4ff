//! A reactor in tokio's event loop.
//!
//! REACTOR-OPEN: a reactor's epoll instance is open as long as the reactor is, and never another one.
#![allow(unsafe_code)]

use core::convert::Infallible;
use std::io;
use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Reactor;

impl Reactor {
    /// Dispatches whenever there is something to; a task of its own for all fences of this reactor.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use dma_fence_linux::{Reactor, Vgem};
    /// let reactor = Reactor::new()?;
    /// let handle = reactor.handle();
    /// tokio::spawn(async move { reactor.run().await });
    /// let (producer, file) = Vgem::open()?.new_fence()?;
    /// let fence = file.into_fence_on(&handle)?;
    /// producer.signal()?;
    /// fence.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The runtime cannot watch files, or what the kernel answers.
    ///
    /// # Panics
    /// Outside a runtime with its I/O driver enabled; and with a callback that does.
    ///
    /// # Cancellation
    /// Nothing is lost: it may be called again.
    pub async fn run(&self) -> io::Result<Infallible> {
        let epoll = self.as_fd();
        // SAFETY: REACTOR-OPEN, and the reactor is borrowed longer than this lives.
        let fd = unsafe { AsyncFd::register_with_interest(epoll, Interest::READABLE) }
            .map_err(|error| error.into_parts().1)?;
        loop {
            let mut ready = fd.readable().await?;
            // Ready means that there was something once; what is left does not make it ready again.
            while self.dispatch().map_err(io::Error::other)? > 0 {}
            ready.clear_ready();
        }
    }
}
