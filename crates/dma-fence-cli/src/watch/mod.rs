//! `dma-fence watch`, from top to bottom.

pub(crate) mod error;
mod fences;
mod file;
mod held;
mod once;
mod pace;
mod pictures;
mod rates;
#[cfg(test)]
mod sample;
mod screen;
mod session;
mod source;
mod state;
mod status;
mod table;
mod text;
mod timelines;
mod view;
mod words;

use std::{
    io::{self, IsTerminal, Read},
    path::Path,
    time::Duration,
};

use dma_fence_trace::Options;

use self::{
    error::WatchError,
    file::{Background, Damage, Noted},
    pace::Pace,
    screen::Screen,
    session::Session,
    source::{Live, Named, Replay, Source},
};
use crate::{args::WatchArgs, input, interrupt::Interrupt};

pub(crate) use self::pace::Speed;

/// How it ended.
pub(crate) enum Watched {
    Quit,
    /// By a signal.
    Interrupted(i32),
    /// `--once`
    State(String),
}

/// Shows what fences are up to until somebody has seen enough.
pub(crate) fn run(args: &WatchArgs) -> Result<Watched, WatchError> {
    if !args.once && !io::stdout().is_terminal() {
        return Err(WatchError::NoTerminal);
    }
    // A pipe may keep us waiting for its first bytes, or --once for its last: nobody looks whether a signal has
    // come then, so that it has to end us by itself.
    let replay = args.replay.as_deref().map(|path| open(path, args)).transpose()?;
    let interrupt = match &replay {
        Some(_) if args.once => Interrupt::default(),
        _ => Interrupt::install().map_err(WatchError::Signals)?,
    };
    let source = match replay {
        Some(replay) => replay,
        // Not before there are handlers: somebody has to remove its buffer.
        None => Source::Live(Box::new(Live::create(args.buffer_size)?)),
    };
    let options = Options { threshold_ns: args.threshold, ..Options::default() };
    let session = Session::new(source, options);
    if args.once {
        return session.once(Duration::from_nanos(args.seconds), &interrupt);
    }
    let screen = Screen::take().map_err(WatchError::Terminal)?;
    session.run(screen, &interrupt)
}

fn open(path: &Path, args: &WatchArgs) -> Result<Source, WatchError> {
    let input = input::open(path)?;
    let speed = if args.once { Speed::Max } else { args.speed };
    let damage = Damage::default();
    let noted = Noted { input, damage: damage.clone() };
    let reader: Box<dyn Read> = match args.once {
        // There are no keys that it could keep waiting.
        true => Box::new(noted),
        false => Box::new(Background::start(noted).map_err(WatchError::Thread)?),
    };
    let name = match path.to_str() {
        Some("-") => "standard input".into(),
        _ => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
    };
    let replay = Replay::new(reader, Pace::new(speed), args.end);
    Ok(Source::Replay(Box::new(replay), Named { name, damage }))
}
