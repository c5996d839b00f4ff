//! The command line.

mod analyze;
mod watch;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::analyze::{AFTER_ANALYZE, AnalyzeArgs};
pub(crate) use self::watch::{AFTER_WATCH, WatchArgs};

/// Copy files through a pipeline in which every buffer is guarded by DMA fences; look at the kernel's fences.
#[derive(Debug, Parser)]
#[command(name = "dma-fence", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Copy(CopyArgs),
    Info(InfoArgs),
    Record(RecordArgs),
    Analyze(AnalyzeArgs),
    Watch(WatchArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff: try `dma-fence man | man -l -`)
    Man,
}

/// Copy one file: each chunk is read, then hashed and written at the same time
///
/// A buffer is used again when the fences of its hash and of its write have both signaled.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct CopyArgs {
    /// The regular file to copy
    #[arg(value_name = "SRC")]
    pub(crate) source: PathBuf,

    /// Where to; a directory gets a file of the source's name
    #[arg(value_name = "DST")]
    pub(crate) destination: PathBuf,

    /// Bytes per buffer: a number with an optional K, M, G (or KiB, …; KB, … are powers of 1000)
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = parse_chunk_size)]
    pub(crate) chunk_size: usize,

    /// How many buffers circulate; a file with fewer chunks gets as many as it has chunks
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(1..=16384))]
    pub(crate) buffers: u32,

    /// How many operations the I/O engine has in the kernel at once
    #[arg(long, value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) queue_depth: u32,

    /// The I/O engine; without this option io_uring, or threads where the kernel refuses io_uring
    #[arg(long, value_enum)]
    pub(crate) engine: Option<Engine>,

    /// What orders the operations
    #[arg(long, value_enum, default_value_t = Sync::Fences)]
    pub(crate) sync: Sync,

    /// Write the copy, and the directory that names it, to the storage before success is reported
    #[arg(long)]
    pub(crate) fsync: bool,

    /// Read the copy back and compare hashes before it takes the destination's name
    #[arg(long)]
    pub(crate) verify: bool,

    /// Print one JSON object, for success and for failure; fields are described below
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but warnings and errors
    #[arg(long, conflicts_with = "json")]
    pub(crate) quiet: bool,

    /// Write the life of every fence to FILE, for ui.perfetto.dev: one track per fence context
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,

    /// Write every event in the lives of all fences to FILE, as the kernel prints those of its own
    ///
    /// The lines are those that tracefs has of the trace points dma_fence:*, and two more: a fence that lost
    /// its producer, and what an array waits for. The file is complete whatever becomes of the copy.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace_events: Option<PathBuf>,

    /// Break the run on purpose, to see what fences are for
    ///
    /// early-signal: reads and writes claim to be done when they have only begun, as with a driver
    /// that force-signals. What comes after them works on memory that is still being filled, or
    /// fills it again too early: the copy is corrupt, and --verify says so.
    ///
    /// lost-producer=N: the Nth fence loses its driver and never signals. It becomes abandoned:
    /// nobody hangs waiting for it, and its buffer is quarantined instead of being used again,
    /// until the engine has stopped.
    ///
    /// io-error=N: the Nth operation fails with EIO. The error travels through the fences to
    /// everything that depends on it.
    ///
    /// Fences are counted over reads, writes and hashes in the order of submission, from 1.
    #[arg(long, value_name = "FAULT")]
    pub(crate) inject: Option<Inject>,
}

/// What `copy --help` and the manual end with.
pub(crate) const AFTER_HELP: &str = "\
Files:
  The copy is written under a temporary name (.dma-fence-….tmp) in the
  destination's directory and renamed at the end: whatever fails, the
  destination is as it was and the temporary file is gone. A destination that
  is a symbolic link stays one: the file that it points to is replaced.
  Permission bits (rwx) are kept exactly, whatever the umask; set-user-ID,
  set-group-ID and sticky are not. Owner and times are those of a new file.

Events (--trace-events):
  COMM-TID [CPU] ..... SECONDS: dma_fence_EVENT: FENCE
  FENCE is driver=D timeline=T context=C seqno=N
  EVENT is init, enable_signal, wait_start, wait_end, signaled (with error=-E
  if it failed), destroy; abandoned; member (with member=C:N, what the fence
  waits for). Times are CLOCK_MONOTONIC, and may be out of order where threads
  are. The last line says when it ended.

Exit status:
  0    the copy is complete (and, with --verify, reads back with its hash)
  1    the copy failed
  2    wrong usage
  3    --verify found the copy corrupt
  4    a fence was abandoned: its producer was lost before it signaled
  129, 130, 143   interrupted by SIGHUP, SIGINT (Ctrl-C), SIGTERM

JSON fields (--json):
  source, destination, engine, sync   as used
  bytes, chunks, chunk_size_bytes, buffers, queue_depth
  seconds              reading, writing, hashing, --fsync; without --verify
  bytes_per_second     bytes / seconds
  blake3               the hash, as b3sum prints it
  verified             true, or null without --verify
  verify_seconds       time that --verify took, or null
  fences, arrays       how many were created
  max_in_flight        greatest number of fences pending at the same time
  buffer_wait_seconds  time spent waiting for a free buffer
  peak_rss_bytes       greatest resident memory of the process, or null
  warnings             list of messages
  error                only on failure, and then with warnings alone: kind
                       (usage, io, refused, fence_failed, fence_abandoned,
                       engine, corrupt, interrupted), message, exit_status;
                       with fence_failed and fence_abandoned also fence,
                       chunk; with fence_abandoned also quarantined_buffers,
                       released_buffers and taint (abandoned_fences, leaks,
                       leaked_bytes)";

/// Show the kernel's fences: of a process's file descriptors, or of every DMA buffer
///
/// Looking changes nothing: no fence is waited for, and none is asked to signal.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_INFO)]
#[command(group(ArgGroup::new("what").required(true).args(["pid", "buffers"])))]
pub(crate) struct InfoArgs {
    /// Show the sync files, DMA buffers, sync objects, DRM devices and eventfds of process PID
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,

    /// Show file descriptor FD of that process only, whatever it is
    #[arg(long, value_name = "FD", requires = "pid", conflicts_with = "buffers",
          value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) fd: Option<i32>,

    /// Show every DMA buffer of the machine, from debugfs; or those in FILE, a copy of its bufinfo
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub(crate) buffers: Option<Option<PathBuf>>,

    /// Print one JSON object, for success and for failure; fields are described below
    #[arg(long)]
    pub(crate) json: bool,
}

impl InfoArgs {
    /// The copy of a list of buffers, if it is not to be this machine's.
    pub(crate) fn saved(&self) -> Option<&Path> {
        self.buffers.as_ref()?.as_deref()
    }
}

/// What `info --help` ends with, and the manual has.
pub(crate) const AFTER_INFO: &str = "\
Permissions:
  --pid duplicates the file descriptors that it asks, which the kernel permits
  like debugging: to the user whose process it is, or to root only, as
  kernel.yama.ptrace_scope says.
  --buffers reads /sys/kernel/debug/dma_buf/bufinfo, which is root's. Where
  debugfs is not mounted: mount -t debugfs debugfs /sys/kernel/debug

Exit status:
  0    shown
  1    there is no such process or file descriptor, it may not be looked at,
       debugfs is missing, or FILE is no list of buffers
  2    wrong usage

JSON fields (--pid, --json):
  pid                  the process
  fds                  list, of one with --fd:
    fd, link           its number, and what /proc says that it leads to
    kind               sync_file, dma_buf, syncobj, drm_device, eventfd; with
                       --fd also other
    error              why there is no more than that, or null
   of a sync_file:
    name
    status             pending, signaled, or failed: signaled with an error
    errno              the error's number, or null
    signaled_seconds_ago   or null
    fences             list, each with driver, timeline, status, errno,
                       signaled_seconds_ago
   of a dma_buf:
    name, size, exporter, inode
    read_waits_for, write_waits_for   lists of pending fences, as above
   of a drm_device:
    driver
JSON fields (--buffers, --json):
  buffers              list, each with inode, size, exporter, name,
                       references, devices, and
    fences             list, each with usage (kernel, write, read, bookkeep),
                       driver, timeline, context, seqno (each a number or
                       null), status (pending or signaled)
  unknown_lines        how many lines of the list were not understood
JSON fields of a failure:
  error                kind (usage, no_process, no_fd, denied, unsupported,
                       input, io), message, exit_status
  warnings             empty";

/// Record what the kernel does with fences: until Ctrl-C, for some time, or as long as a command runs
///
/// What the kernel traces otherwise is not disturbed: the recording has a buffer of its own, which is gone
/// afterwards.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_RECORD)]
pub(crate) struct RecordArgs {
    /// Where to: a file, which is overwritten, or - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "dma-fence.trace")]
    pub(crate) output: PathBuf,

    /// Stop after so long: seconds, or a number with s, ms
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) seconds: Option<u64>,

    /// KiB that the kernel keeps for each CPU until they are written to the file
    #[arg(long, value_name = "KIB", default_value_t = 8192,
          value_parser = clap::value_parser!(u32).range(4..=4_194_304))]
    pub(crate) buffer_size: u32,

    /// Run this, and record as long as it runs
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What `record --help` ends with, and the manual has.
pub(crate) const AFTER_RECORD: &str = "\
Needs root, and tracefs: mount -t tracefs tracefs /sys/kernel/tracing

The file is the text of the kernel's trace_pipe, with the events dma_fence:*
and gpu_scheduler:* on the clock CLOCK_MONOTONIC. Where events were lost
because the buffer was full it says so. Its last line says when the
recording ended.

Ctrl-C and SIGTERM end the recording, and the command with it; a second one
kills a command that does not want to end. With -o - the command's standard
output goes to standard error.

Example: what does the desktop wait for?
  sudo dma-fence record -o freeze.trace --seconds 10
  dma-fence analyze freeze.trace

Example: the same of another machine
  ssh root@that-machine dma-fence record -o - --seconds 10 > freeze.trace

Exit status:
  0    recorded; with a command, the command's own (128 and the signal's
       number if one ended it)
  1    not recorded
  2    wrong usage";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// io_uring with registered buffers
    Uring,
    /// pread and pwrite on a pool of threads
    Threads,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sync {
    /// Fences between the operations: everything that may overlap does
    Fences,
    /// Wait after each operation: the baseline to compare with
    Serial,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inject {
    EarlySignal,
    LostProducer(u64),
    IoError(u64),
}

impl FromStr for Inject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (fault, number) = match text.split_once('=') {
            Some((fault, number)) => (fault, Some(number)),
            None => (text, None),
        };
        let nth = || match number.map(str::parse) {
            Some(Ok(n)) if n > 0 => Ok(n),
            _ => Err(format!("{fault} needs the number of a fence, from 1: {fault}=N")),
        };
        match fault {
            "early-signal" if number.is_none() => Ok(Self::EarlySignal),
            "lost-producer" => Ok(Self::LostProducer(nth()?)),
            "io-error" => Ok(Self::IoError(nth()?)),
            _ => Err("one of early-signal, lost-producer=N, io-error=N".into()),
        }
    }
}

/// Nanoseconds from `12.5`, `500ms`, `3us`: seconds without a unit.
fn parse_time(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.trim() {
        "" | "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" => 1_000,
        "ns" => 1,
        _ => return Err("a time is a number with s, ms, us or ns".into()),
    };
    scaled(number, scale).ok_or_else(|| "a time is a number, as 12.717909 or 500ms".into())
}

/// Exact where floating point is not: clocks count nanoseconds since the machine was started.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut nanos = 0;
    let mut unit = scale;
    for digit in fraction.chars() {
        unit /= 10;
        nanos += u64::from(digit.to_digit(10)?) * unit;
    }
    whole.checked_add(nanos)
}

const MAX_CHUNK: u64 = 1 << 30;

fn parse_chunk_size(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text).ok_or("a size is a number with K, M, G, KiB, KB, …")?;
    if bytes == 0 || bytes > MAX_CHUNK {
        return Err("a chunk is at least 1 byte and at most 1 GiB".into());
    }
    Ok(bytes as usize)
}

/// `64K`, `1M`, `256KiB`, `10MB`: K and KiB are 1024, KB is 1000, as in GNU's tools.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let power = match unit.chars().next() {
        None | Some('b') => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return None,
    };
    let base: u64 = match (power, unit.get(1..).unwrap_or("")) {
        (_, "") | (1.., "ib") => 1024,
        (1.., "b") => 1000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(base.pow(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1", 1),
            ("512b", 512),
            ("64K", 64 << 10),
            ("64k", 64 << 10),
            ("256KiB", 256 << 10),
            ("1M", 1 << 20),
            ("10MB", 10_000_000),
            ("1 GiB", 1 << 30),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "K",
            "-1",
            "1.5M",
            "1X",
            "1bb",
            "1iB",
            "1KK",
            "99999999999999999999",
            "9999999999T",
        ] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert!(parse_chunk_size("0").is_err());
        assert_eq!(parse_chunk_size("1G"), Ok(1 << 30));
        assert!(parse_chunk_size("1073741825").is_err());
    }

    #[test]
    fn times() {
        for (text, nanos) in [
            ("12.717909", 12_717_909_000),
            ("500ms", 500_000_000),
            ("1.5 s", 1_500_000_000),
            ("0.5us", 500),
            ("7ns", 7),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(parse_time(text), Ok(nanos), "{text}");
        }
        for text in ["", "s", "-1", "1.2.3", "1h", "18446744074", "1e3"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn faults() {
        assert_eq!("early-signal".parse(), Ok(Inject::EarlySignal));
        assert_eq!("lost-producer=7".parse(), Ok(Inject::LostProducer(7)));
        assert_eq!("io-error=1".parse(), Ok(Inject::IoError(1)));
        for bad in ["", "early-signal=1", "lost-producer", "io-error=0", "io-error=x", "fire"] {
            assert!(bad.parse::<Inject>().is_err(), "{bad}");
        }
    }

    /// A terminal that wraps its lines again leaves single words.
    #[test]
    fn notes_fit_a_terminal() {
        for notes in [AFTER_HELP, AFTER_INFO, AFTER_RECORD, AFTER_ANALYZE, AFTER_WATCH] {
            for line in notes.lines() {
                assert!(line.chars().count() <= 78, "{line}");
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
