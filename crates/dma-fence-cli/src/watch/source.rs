//! Where lines come from: the kernel, as they happen, or a file, as they happened.

use std::{
    io::{self, Read},
    time::Duration,
};

use dma_fence_trace::{Line, Reader};
use rustix::time::{ClockId, clock_gettime};

use super::{
    file::Damage,
    held::{Held, time_of},
    pace::Pace,
    status::Replaying,
};
use crate::tracefs::{Instance, Pipe, error::TracefsError};

/// How many lines are read until somebody looks at the clock.
const LINES: u32 = 256;

/// Why there are no more lines at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fed {
    /// There are more: it was enough.
    Enough,
    /// Everything that has happened was told.
    Waiting,
    Ended,
}

/// One of the two.
pub(super) enum Source {
    Live(Box<Live>),
    Replay(Box<Replay<Box<dyn Read>>>, Named),
}

/// A file's name, and what turned out to be wrong with it.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) damage: Damage,
}

impl Source {
    pub(super) fn feed(
        &mut self,
        now: Duration,
        enough: impl FnMut() -> bool,
        to: impl FnMut(&Line<'_>),
    ) -> io::Result<Fed> {
        match self {
            Self::Live(live) => live.feed(enough, to),
            Self::Replay(replay, _) => replay.feed(now, enough, to),
        }
    }

    /// The time up to which everything was told; `None` where the last line says it.
    pub(super) fn present_ns(&self) -> Option<u64> {
        match self {
            Self::Live(live) => live.complete_until_ns,
            Self::Replay(replay, _) => replay.present_ns(),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Live(live) => live.name(),
            Self::Replay(_, Named { name, damage }) => match damage.get() {
                Some(damage) => format!("{name} ({damage})"),
                None => name.clone(),
            },
        }
    }

    pub(super) fn replaying(&self) -> Option<Replaying> {
        let Self::Replay(replay, _) = self else { return None };
        Some(Replaying {
            speed: replay.pace.speed(),
            ended: replay.fed == Fed::Ended,
            silence_ns: replay.silence_ns(),
        })
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.pace(|pace| pace.pause(paused));
    }

    pub(super) fn step(&mut self) {
        self.pace(Pace::step);
    }

    pub(super) fn faster(&mut self) {
        self.pace(Pace::faster);
    }

    pub(super) fn slower(&mut self) {
        self.pace(Pace::slower);
    }

    /// The kernel has its own.
    fn pace(&mut self, change: impl FnOnce(&mut Pace)) {
        if let Self::Replay(replay, _) = self {
            change(&mut replay.pace);
        }
    }
}

/// The kernel's events, from a buffer of our own.
pub(super) struct Live {
    // Closed before the instance is removed: fields are dropped in their order.
    reader: Reader<Pipe>,
    instance: Instance,
    /// The kernel's clock when all that had happened was read.
    complete_until_ns: Option<u64>,
}

impl Live {
    pub(super) fn create(kib_per_cpu: u32) -> Result<Self, TracefsError> {
        let instance = Instance::create(kib_per_cpu)?;
        let reader = Reader::new(instance.pipe()?);
        Ok(Live { reader, instance, complete_until_ns: None })
    }

    pub(super) fn feed(
        &mut self,
        mut enough: impl FnMut() -> bool,
        mut to: impl FnMut(&Line<'_>),
    ) -> io::Result<Fed> {
        let now = clock_gettime(ClockId::Monotonic);
        let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        self.complete_until_ns = None;
        let mut lines = 0;
        loop {
            match self.reader.next() {
                Ok(Some(line)) => to(&line),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Ok(None) | Err(_) => {
                    self.complete_until_ns = Some(now);
                    return Ok(Fed::Waiting);
                }
            }
            lines += 1;
            if lines % LINES == 0 && enough() {
                return Ok(Fed::Enough);
            }
        }
    }

    fn name(&self) -> String {
        match self.instance.warning() {
            Some(warning) => format!("this kernel ({warning})"),
            None => "this kernel".to_owned(),
        }
    }
}

/// A file's events, in their time.
pub(super) struct Replay<R> {
    reader: Reader<R>,
    /// The next line, if it is not due.
    held: Option<Held>,
    /// How long tracing went on, if the trace does not say it itself.
    end_ns: Option<u64>,
    pace: Pace,
    fed: Fed,
}

impl<R: Read> Replay<R> {
    pub(super) fn new(input: R, pace: Pace, end_ns: Option<u64>) -> Self {
        Replay { reader: Reader::new(input), held: None, end_ns, pace, fed: Fed::Waiting }
    }

    /// Tells of the lines that are due. `now` is the time of whoever looks.
    pub(super) fn feed(
        &mut self,
        now: Duration,
        enough: impl FnMut() -> bool,
        to: impl FnMut(&Line<'_>),
    ) -> io::Result<Fed> {
        self.pace.advance(now);
        self.fed = self.due(enough, to)?;
        Ok(self.fed)
    }

    fn due(
        &mut self,
        mut enough: impl FnMut() -> bool,
        mut to: impl FnMut(&Line<'_>),
    ) -> io::Result<Fed> {
        if let Some(held) = &self.held {
            if !self.pace.is_due(held.time_ns()) {
                return Ok(Fed::Waiting);
            }
            to(&held.line());
            self.held = None;
        }
        let mut lines = 0;
        loop {
            let line = match self.reader.next() {
                Ok(Some(line)) => line,
                // From a pipe it may come later.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Fed::Waiting),
                Err(error) => return Err(error),
                Ok(None) => match self.end_ns.take() {
                    Some(time_ns) => Line::Ended { time_ns },
                    None => return Ok(Fed::Ended),
                },
            };
            if time_of(&line).is_some_and(|time_ns| !self.pace.is_due(time_ns)) {
                self.held = Held::of(&line);
                return Ok(Fed::Waiting);
            }
            to(&line);
            lines += 1;
            if lines % LINES == 0 && enough() {
                return Ok(Fed::Enough);
            }
        }
    }

    fn present_ns(&self) -> Option<u64> {
        match self.fed {
            Fed::Waiting => self.pace.present_ns(),
            Fed::Enough | Fed::Ended => None,
        }
    }

    /// How long nothing happens in the trace.
    fn silence_ns(&self) -> Option<u64> {
        Some(self.held.as_ref()?.time_ns().saturating_sub(self.pace.present_ns()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::pace::Speed;

    const TRACE: &str = "\
# tracer: nop
  a-1 [000] .....    10.000000: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1
  a-1 [000] .....    10.000000: dma_fence_emit: driver=gpu timeline=gfx context=5 seqno=1
CPU:0 [LOST 7 EVENTS]
  b-2 [001] .....    11.500000: dma_fence_signaled: driver=gpu timeline=gfx context=5 seqno=1
  c-3 [000] .....    12.000000: dma_fence_destroy: driver=gpu timeline=gfx context=5 seqno=1
";

    /// The times of the events that are due, in seconds; and how it goes on.
    fn due(replay: &mut Replay<&[u8]>, now: f64) -> (Vec<f64>, Fed) {
        let mut times = Vec::new();
        let now = Duration::from_secs_f64(now);
        let fed = replay.feed(now, || false, |line| times.extend(time_of(line)));
        (times.into_iter().map(|time| time as f64 / 1e9).collect(), fed.unwrap())
    }

    #[test]
    fn a_replay_keeps_the_time_of_its_events() {
        let mut replay = Replay::new(TRACE.as_bytes(), Pace::new(Speed::Times(0.5)), None);
        assert_eq!(due(&mut replay, 0.0), (vec![10.0, 10.0], Fed::Waiting));
        assert_eq!(replay.silence_ns(), Some(1_500_000_000));
        assert_eq!(due(&mut replay, 2.9), (vec![], Fed::Waiting));
        assert_eq!(replay.present_ns(), Some(11_450_000_000));
        assert_eq!(due(&mut replay, 3.0), (vec![11.5], Fed::Waiting));
        assert_eq!(due(&mut replay, 9.0), (vec![12.0], Fed::Ended));
        assert!(replay.fed == Fed::Ended && replay.present_ns().is_none());
        assert_eq!(due(&mut replay, 10.0), (vec![], Fed::Ended));
    }

    #[test]
    fn silence_at_the_end_takes_its_time_too() {
        let pace = Pace::new(Speed::Times(1.0));
        let mut replay = Replay::new(TRACE.as_bytes(), pace, Some(15_000_000_000));
        assert_eq!(due(&mut replay, 0.0), (vec![10.0, 10.0], Fed::Waiting));
        assert_eq!(due(&mut replay, 4.9), (vec![11.5, 12.0], Fed::Waiting));
        assert_eq!(replay.present_ns(), Some(14_900_000_000));
        assert_eq!(due(&mut replay, 5.0), (vec![15.0], Fed::Ended));
    }

    #[test]
    fn steps_show_event_after_event() {
        let mut replay = Replay::new(TRACE.as_bytes(), Pace::new(Speed::Max), None);
        replay.pace.pause(true);
        assert_eq!(due(&mut replay, 0.0), (vec![10.0, 10.0], Fed::Waiting));
        for (now, event) in [(1.0, 11.5), (2.0, 12.0)] {
            assert_eq!(due(&mut replay, now), (vec![], Fed::Waiting));
            replay.pace.step();
            assert_eq!(due(&mut replay, now).0, [event]);
        }
        assert!(replay.fed == Fed::Ended);
    }

    #[test]
    fn a_long_trace_is_read_in_pieces() {
        let line = "  a-1 [000] .....    10.000000: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1\n";
        let trace = line.repeat(1000);
        let mut replay = Replay::new(trace.as_bytes(), Pace::new(Speed::Max), None);
        let mut lines = 0;
        let mut pieces = 0;
        while replay.feed(Duration::ZERO, || true, |_| lines += 1).unwrap() != Fed::Ended {
            pieces += 1;
        }
        assert_eq!((lines, pieces), (1000, 3));
    }
}
