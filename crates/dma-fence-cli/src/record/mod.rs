//! `dma-fence record`, from top to bottom.

pub(crate) mod error;
mod instance;
mod victim;

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use self::{error::RecordError, instance::Instance, victim::Victim};
use crate::{args::RecordArgs, interrupt::Interrupt};

/// What was recorded.
pub(crate) struct Recording {
    pub(crate) bytes: u64,
    /// What to know before one draws conclusions from it.
    pub(crate) warning: Option<&'static str>,
    /// That of the command, if there was one.
    pub(crate) exit_status: u8,
}

/// How long nobody looks whether the command has ended, or a signal has come.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Records until the time is over, the command has ended or a signal comes. Whatever happens, the kernel traces
/// afterwards what it traced before.
pub(crate) fn run(args: &RecordArgs) -> Result<Recording, RecordError> {
    let interrupt = Interrupt::install().map_err(RecordError::Signals)?;
    let instance = Instance::create(args.buffer_size)?;
    let mut output = Output::create(&args.output)?;
    let mut pipe = instance.pipe()?;
    let mut victim = Victim::start(&args.command)?;
    let begin = Instant::now();
    loop {
        output.take(&mut pipe)?;
        if interrupt.signal().is_some() || victim.has_ended()? || is_over(begin, args.seconds) {
            break;
        }
        // Woken early or not at all, it looks again.
        let _ = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&TICK));
    }
    instance.stop()?;
    let end = clock_gettime(ClockId::Monotonic);
    output.take(&mut pipe)?;
    let end = end.tv_sec as u64 * 1_000_000_000 + end.tv_nsec as u64;
    output.write(ended_at(end).as_bytes())?;
    let bytes = output.finish()?;
    let exit_status = victim.end(interrupt.signal())?;
    Ok(Recording { bytes, warning: instance.warning(), exit_status })
}

/// The last line of a trace, which the kernel does not write; never before an event in it.
pub(crate) fn ended_at(nanos: u64) -> String {
    let micros = nanos.div_ceil(1000);
    format!("# tracing ended at {}.{:06}\n", micros / 1_000_000, micros % 1_000_000)
}

fn is_over(begin: Instant, limit: Option<u64>) -> bool {
    limit.is_some_and(|nanos| begin.elapsed() >= Duration::from_nanos(nanos))
}

/// The file that the trace goes to.
struct Output<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    bytes: u64,
}

impl<'a> Output<'a> {
    fn create(path: &'a Path) -> Result<Self, RecordError> {
        let file = File::create(path).map_err(RecordError::output(path))?;
        Ok(Output { path, file: BufWriter::new(file), bytes: 0 })
    }

    /// Takes what there is; the kernel forgets what was taken.
    fn take(&mut self, pipe: &mut File) -> Result<(), RecordError> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(len) => self.write(&buffer[..len])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(RecordError::Tracefs { file: "trace_pipe", cause }),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(RecordError::output(self.path))
    }

    fn finish(mut self) -> Result<u64, RecordError> {
        self.file.flush().map_err(RecordError::output(self.path))?;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_event_is_after_the_end() {
        for (nanos, end) in [
            (9_000_001_000, "# tracing ended at 9.000001\n"),
            (9_000_001_001, "# tracing ended at 9.000002\n"),
            (9_999_999_001, "# tracing ended at 10.000000\n"),
        ] {
            assert_eq!(super::ended_at(nanos), end);
        }
    }
}
