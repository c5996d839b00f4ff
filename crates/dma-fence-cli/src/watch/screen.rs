//! The terminal while it is ours.

use std::{io, time::Duration};

use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyEvent},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Given back on drop, as it was; a panic gives it back before it says what is wrong.
pub(super) struct Screen(DefaultTerminal);

/// What came from the terminal.
pub(super) enum Input {
    Key(KeyEvent),
    /// Something to draw anew for.
    Resized,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Screen(terminal)),
            Err(error) => {
                // It may be half ours.
                ratatui::restore();
                Err(error)
            }
        }
    }

    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(view).map(|_| ())
    }

    /// Waits for a key, but not for longer than `limit`.
    ///
    /// It is not left to crossterm to wait: it does not tell that the terminal has gone, and can wait for ever then.
    pub(super) fn input(&self, limit: Duration) -> io::Result<Option<Input>> {
        wait(limit)?;
        if !event::poll(Duration::ZERO)? {
            return Ok(None);
        }
        Ok(match event::read()? {
            Event::Key(key) if key.is_press() => Some(Input::Key(key)),
            Event::Resize(..) => Some(Input::Resized),
            _ => None,
        })
    }
}

/// Until there is a key, the size has changed or time is over. An error if nobody is at the other end any more: reading
/// does not tell, and the signal that does may be ignored.
fn wait(limit: Duration) -> io::Result<()> {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::IN)];
    let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: limit.subsec_nanos().into() };
    // A signal interrupts it, as when the size changes.
    let asked = poll(&mut fds, Some(&limit));
    match asked.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
        true => Err(io::Error::new(io::ErrorKind::BrokenPipe, "it has gone")),
        false => Ok(()),
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
