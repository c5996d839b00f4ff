//! `dma-fence record`, from top to bottom.

pub(crate) mod error;
mod output;
mod victim;

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use self::{
    error::RecordError,
    output::{Output, Written},
    victim::{Stdout, Victim},
};
use crate::{args::RecordArgs, interrupt::Interrupt, tracefs::Instance};

pub(crate) use self::output::is_stdout;

/// What was recorded.
pub(crate) struct Recording {
    pub(crate) written: Written,
    pub(crate) took: Duration,
    /// How many events the kernel had no room for.
    pub(crate) lost: u64,
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
    // A pipe is opened when somebody reads it, if ever: a signal ends that as long as there are no handlers, and
    // there is nothing yet to be removed.
    let mut output = Output::open(&args.output)?;
    let interrupt = Interrupt::install().map_err(RecordError::Signals)?;
    let instance = Instance::create(args.buffer_size)?;
    let mut pipe = instance.pipe()?;
    let stdout = if is_stdout(&args.output) { Stdout::Stderr } else { Stdout::Ours };
    let mut victim = Victim::start(&args.command, stdout)?;
    output.begin()?;
    announce(args);
    let begin = Instant::now();
    let signal = loop {
        output.take(&mut pipe)?;
        let signal = interrupt.take();
        if signal.is_some() || victim.has_ended()? || is_over(begin, args.seconds) {
            break signal;
        }
        // Woken early or not at all, it looks again.
        let _ = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&TICK));
    };
    instance.stop()?;
    let (took, end) = (begin.elapsed(), clock_gettime(ClockId::Monotonic));
    output.take(&mut pipe)?;
    let end = end.tv_sec as u64 * 1_000_000_000 + end.tv_nsec as u64;
    output.write(ended_at(end).as_bytes())?;
    let written = output.finish()?;
    let (lost, warning) = (instance.lost(), instance.warning());
    // Before the command has ended: it may not want to.
    drop(pipe);
    drop(instance);
    let exit_status = victim.end(signal, &interrupt)?;
    Ok(Recording { written, took, lost, warning, exit_status })
}

/// For whoever would wait for something to happen.
fn announce(args: &RecordArgs) {
    if args.command.is_empty() && args.seconds.is_none() {
        let _ = writeln!(io::stderr(), "dma-fence: recording; Ctrl-C ends it");
    }
}

/// The last line of a trace, which the kernel does not write; never before an event in it.
pub(crate) fn ended_at(nanos: u64) -> String {
    let micros = nanos.div_ceil(1000);
    format!("# tracing ended at {}.{:06}\n", micros / 1_000_000, micros % 1_000_000)
}

fn is_over(begin: Instant, limit: Option<u64>) -> bool {
    limit.is_some_and(|nanos| begin.elapsed() >= Duration::from_nanos(nanos))
}

/// One line about a recording, and what to do with it.
pub(crate) fn summary(args: &RecordArgs, recording: &Recording) -> String {
    let Written { bytes, lines } = recording.written;
    let what = match lines {
        0 => "nobody used a fence".to_owned(),
        lines => format!("{lines} lines of events ({bytes} bytes)"),
    };
    let seconds = recording.took.as_secs_f64();
    if is_stdout(&args.output) {
        return format!("{what} in {seconds:.1} s");
    }
    let path = shell_word(&args.output.to_string_lossy());
    format!("{what} in {seconds:.1} s; next: dma-fence analyze {path}")
}

/// As a shell takes it for one word.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let path = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_can_be_pasted() {
        for (path, word) in [
            ("dma-fence.trace", "dma-fence.trace"),
            ("/tmp/a b", "'/tmp/a b'"),
            ("it's", r"'it'\''s'"),
            ("-x", "'./-x'"),
        ] {
            assert_eq!(shell_word(path), word);
        }
    }

    #[test]
    fn no_event_is_after_the_end() {
        for (nanos, end) in [
            (9_000_001_000, "# tracing ended at 9.000001\n"),
            (9_000_001_001, "# tracing ended at 9.000002\n"),
            (9_999_999_001, "# tracing ended at 10.000000\n"),
        ] {
            assert_eq!(ended_at(nanos), end);
        }
    }
}
