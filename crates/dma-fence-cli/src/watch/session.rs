//! Reads, draws and listens to keys, one after the other: nothing here takes long.

use std::{
    thread,
    time::{Duration, Instant},
};

use dma_fence_trace::{Line, Model, Options, report::Report};
use ratatui::Frame;

use super::{
    Watched,
    error::WatchError,
    once,
    pictures::Pictures,
    rates::Rates,
    screen::{Input, Screen},
    source::{Fed, Source},
    state::{Command, State},
    status::Status,
    view,
};
use crate::interrupt::Interrupt;

/// How long is read until somebody looks at the keys.
const READING: Duration = Duration::from_millis(30);

pub(super) struct Session {
    source: Source,
    model: Model,
    state: State,
    rates: Rates,
    pictures: Pictures,
    paused: bool,
    fed: Fed,
    begin: Instant,
}

impl Session {
    pub(super) fn new(source: Source, options: Options) -> Self {
        Session {
            source,
            model: Model::new(options),
            state: State::new(),
            rates: Rates::default(),
            pictures: Pictures::new(),
            paused: false,
            fed: Fed::Waiting,
            begin: Instant::now(),
        }
    }

    /// Reads a file to its end, or the kernel's events for so long, and says how it stands then.
    pub(super) fn once(
        mut self,
        duration: Duration,
        interrupt: &Interrupt,
    ) -> Result<Watched, WatchError> {
        while self.fed != Fed::Ended && (!self.source.is_live() || self.begin.elapsed() < duration)
        {
            self.feed()?;
            if let Some(signal) = interrupt.signal() {
                return Ok(Watched::Interrupted(signal));
            }
            if self.fed == Fed::Waiting {
                thread::sleep(READING);
            }
        }
        let report = self.judge();
        Ok(Watched::State(once::text(&report, &self.status())))
    }

    pub(super) fn run(
        mut self,
        mut screen: Screen,
        interrupt: &Interrupt,
    ) -> Result<Watched, WatchError> {
        let mut report = self.judge();
        self.draw(&mut screen, &report)?;
        loop {
            self.feed()?;
            let begin = self.begin.elapsed();
            if self.pictures.is_due(begin, self.is_moving()) {
                report = self.judge();
                self.draw(&mut screen, &report)?;
                self.pictures.made(begin, self.begin.elapsed());
            }
            if let Some(signal) = interrupt.signal() {
                return Ok(Watched::Interrupted(signal));
            }
            if self.listen(&mut screen, &report)? {
                return Ok(Watched::Quit);
            }
        }
    }

    /// Does what the keys say, until there are no more of them. Whether it is to end.
    fn listen(&mut self, screen: &mut Screen, report: &Report) -> Result<bool, WatchError> {
        let mut wait = match self.fed {
            Fed::Enough => Duration::ZERO,
            Fed::Waiting | Fed::Ended => self.pictures.wait(self.begin.elapsed(), self.is_moving()),
        };
        let mut typed = false;
        while let Some(input) = screen.input(wait).map_err(WatchError::Terminal)? {
            (typed, wait) = (true, Duration::ZERO);
            let Input::Key(key) = input else { continue };
            match self.state.key(key, report, &self.rates) {
                Some(Command::Quit) => return Ok(true),
                Some(command) => self.obey(command),
                None => {}
            }
        }
        if typed {
            self.draw(screen, report)?;
        }
        Ok(false)
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Quit => {}
            Command::Pause => {
                self.paused = !self.paused;
                self.source.pause(self.paused);
            }
            Command::Step => self.source.step(),
            Command::Faster => self.source.faster(),
            Command::Slower => self.source.slower(),
        }
        self.pictures.want_now();
    }

    /// The kernel's events are read while it is paused, too: its buffer would overflow.
    fn feed(&mut self) -> Result<(), WatchError> {
        let begin = Instant::now();
        let (model, mut any) = (&mut self.model, false);
        let to = |line: &Line<'_>| {
            any = true;
            model.line(line);
        };
        let fed = self.source.feed(self.begin.elapsed(), || begin.elapsed() >= READING, to);
        self.fed = fed.map_err(|cause| WatchError::Read { name: self.source.name(), cause })?;
        if self.fed == Fed::Ended && !self.model.is_trace() {
            return Err(WatchError::NoTrace { name: self.source.name() });
        }
        let is_frozen = self.paused && self.source.is_live();
        if any && !is_frozen {
            self.pictures.want();
        }
        Ok(())
    }

    /// Whether what is on the screen changes without keys.
    fn is_moving(&self) -> bool {
        !self.paused && self.fed != Fed::Ended
    }

    fn judge(&mut self) -> Report {
        let report = self.model.report(self.source.present_ns());
        self.rates.sample(&report);
        report
    }

    fn status(&self) -> Status {
        let watched = self.begin.elapsed().as_nanos() as u64;
        Status {
            name: self.source.name(),
            paused: self.paused,
            watched_ns: self.source.is_live().then_some(watched),
            replay: self.source.replaying(),
        }
    }

    fn draw(&self, screen: &mut Screen, report: &Report) -> Result<(), WatchError> {
        let shown = self.state.shown(report, &self.rates);
        let status = self.status();
        let view = |frame: &mut Frame<'_>| view::draw(frame, &self.state, &shown, &status);
        screen.draw(view).map_err(WatchError::Terminal)
    }
}
