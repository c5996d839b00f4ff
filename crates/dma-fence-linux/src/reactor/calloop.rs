//! A reactor in calloop's event loop, which compositors use.

use std::io;

use calloop::generic::Generic;
use calloop::{EventSource, Interest, Mode, Poll, PostAction, Readiness, Token, TokenFactory};

use super::Reactor;

/// A [`Reactor`] as a source of events: each event says how many fences had one.
///
/// ```no_run
/// use calloop::EventLoop;
/// use dma_fence_linux::{Reactor, ReactorSource, Vgem};
/// let mut event_loop = EventLoop::<()>::try_new()?;
/// let reactor = Reactor::new()?;
/// let handle = reactor.handle();
/// event_loop.handle().insert_source(ReactorSource::new(reactor), |_, _, _| ())?;
///
/// let (producer, file) = Vgem::open()?.new_fence()?;
/// let fence = file.into_fence_on(&handle)?;
/// fence.on_signal(|_| println!("draw it")).unwrap().detach();
/// producer.signal()?;
/// event_loop.dispatch(None, &mut ())?; // calls back on this thread
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ReactorSource(Generic<Reactor>);

impl ReactorSource {
    /// Makes a source of it. Dropped, the source does what a dropped reactor does.
    pub fn new(reactor: Reactor) -> Self {
        ReactorSource(Generic::new(reactor, Interest::READ, Mode::Level))
    }
}

impl EventSource for ReactorSource {
    type Event = usize;
    type Metadata = ();
    type Ret = ();
    type Error = io::Error;

    fn process_events<F>(
        &mut self,
        readiness: Readiness,
        token: Token,
        mut callback: F,
    ) -> io::Result<PostAction>
    where
        F: FnMut(usize, &mut ()),
    {
        self.0.process_events(readiness, token, |_, reactor| {
            callback(reactor.dispatch().map_err(io::Error::other)?, &mut ());
            Ok(PostAction::Continue)
        })
    }

    fn register(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.0.register(poll, tokens)
    }

    fn reregister(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.0.reregister(poll, tokens)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.0.unregister(poll)
    }
}
