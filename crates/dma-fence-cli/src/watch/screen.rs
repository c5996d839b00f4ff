//! The terminal while it is ours.

use std::{io, time::Duration};

use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyEvent},
};

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

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
