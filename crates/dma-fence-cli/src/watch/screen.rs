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
    pub(super) fn input(&self, limit: Duration) -> io::Result<Option<Input>> {
        if has_gone() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "it has gone"));
        }
        if !event::poll(limit)? {
            return Ok(None);
        }
        Ok(match event::read()? {
            Event::Key(key) if key.is_press() => Some(Input::Key(key)),
            Event::Resize(..) => Some(Input::Resized),
            _ => None,
        })
    }
}

/// Whether nobody is at the other end any more. Reading does not tell, and the signal that does may be ignored.
fn has_gone() -> bool {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let asked = poll(&mut fds, Some(&Timespec::default()));
    asked.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
