//! The command line of `dma-fence watch`.

use std::path::PathBuf;

use clap::Args;

use super::parse_time;
use crate::watch::Speed;

/// Watch fences in the terminal: what is pending, for how long, who waits, and because of what
///
/// Live, from the kernel's events, or from a file with --replay, in the time in which it happened. What the
/// kernel traces otherwise is not disturbed.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_WATCH)]
pub(crate) struct WatchArgs {
    /// Show what happened in FILE: what `dma-fence record` has written, or any text of tracefs, trace-cmd or perf,
    /// also packed with gzip, xz or zstd; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,

    /// How many seconds of the file go by in one: 10, 0.5, …; 0 or max is as fast as it can be read
    #[arg(long, value_name = "X", default_value = "1", requires = "replay")]
    pub(crate) speed: Speed,

    /// Tracing went on until TIME, as the trace counts it: seconds, or a number with s, ms
    ///
    /// What `dma-fence record` has written says it itself. Of other files only the last event is known, and
    /// what has been pending since shortly before it may be in order.
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "replay")]
    pub(crate) end: Option<u64>,

    /// A fence that is pending for longer is stuck: seconds, or a number with s, ms
    ///
    /// Without this option it is 1 s, or 10 times what the fences of its timeline take, if that is more.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) threshold: Option<u64>,

    /// Print the state as text and end: that at the end of the file, or of the kernel after --seconds
    #[arg(long)]
    pub(crate) once: bool,

    /// How long --once looks at the kernel
    #[arg(long, value_name = "TIME", default_value = "1", value_parser = parse_time,
          requires = "once", conflicts_with = "replay")]
    pub(crate) seconds: u64,

    /// KiB that the kernel keeps for each CPU until they are read
    #[arg(long, value_name = "KIB", default_value_t = 8192, conflicts_with = "replay",
          value_parser = clap::value_parser!(u32).range(4..=4_194_304))]
    pub(crate) buffer_size: u32,
}

/// What `watch --help` ends with, and the manual has.
pub(crate) const AFTER_WATCH: &str = "\
Live it needs root, and tracefs: mount -t tracefs tracefs /sys/kernel/tracing
Only events since the beginning are seen: a fence that has been stuck for long
shows up when somebody waits for it again. A replay needs nothing.

What is shown:
  the first line: how many fences are stuck and pending, how long it has been
  watched, how many events came and how many were lost
  pending fences: the reasons first, in red; ! is stuck by itself, · is stuck
  behind another one, and an age with ? is not certain, because events
  are missing
  timelines: fences made and signaled per second, what half of them and 99 of
  100 take, and a trend
  details: the chain from the selected fence to the reason

Keys:
  q, Esc, Ctrl-C    quit (Esc first clears the filter)
  up, down, k, j    select; PgUp, PgDn, g, G go further
  Tab               fences or timelines
  Enter             open or close the details
  space             pause, go on; live, events are counted meanwhile
  n                 while paused: the next event, or how it stands now
  +, -              replay twice or half as fast
  /                 filter by driver, timeline or thread
  s                 sort by something else
  ?                 help

Example: the frozen desktop of a bug report, ten times as fast
  dma-fence watch --replay freeze.trace --speed 10

Example: another machine, as it happens
  ssh root@that-machine dma-fence record -o - |
    dma-fence watch --replay - --speed max

Example: in a script
  dma-fence watch --replay freeze.trace --once

Exit status:
  0    somebody has quit, or --once has printed
  1    there is nothing to watch: not root, no tracefs, no such file
  2    wrong usage, or standard output is no terminal
  129, 130, 143   ended by SIGHUP, SIGINT, SIGTERM; the terminal is as it was";
