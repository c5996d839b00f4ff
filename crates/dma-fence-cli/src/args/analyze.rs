//! The command line of `dma-fence analyze`.

use std::path::PathBuf;

use clap::Args;

use super::parse_time;

/// Find out which fence never signaled, and who waits for it
///
/// Reads what the kernel printed of fences, and says who is to blame: the driver and the timeline of the fence that
/// everything else waits for.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_ANALYZE)]
pub(crate) struct AnalyzeArgs {
    /// Traces: text of tracefs (`dma-fence record`), `trace-cmd report`, `perf script` or `dma-fence copy
    /// --trace-events`, also packed with gzip, xz or zstd; `-` is standard input
    ///
    /// Several are parts of one trace, in any order: as of a CPU each. Memory grows with them then.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// How long a fence may take: a number with s, ms, us, ns
    ///
    /// Without it, a pending fence may take 1 s, or 10 times the 99th percentile of its timeline if that is more; one
    /// that signaled may take 250 ms, or 10 times what is usual for its timeline (the 99th percentile; of fewer than
    /// 100 fences 5 times the median).
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) threshold: Option<u64>,

    /// When tracing ended, on the trace's clock: nothing happened between the last event and then
    ///
    /// Of a frozen machine the last event can be old. `dma-fence record` writes it at the end of its files.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) end: Option<u64>,

    /// Only timelines whose driver/timeline contains TEXT, or whose context it is
    #[arg(long, value_name = "TEXT")]
    pub(crate) timeline: Option<String>,

    /// Only fences that thread PID made, signaled or waited for
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// Only fences that were still pending at TIME, or came later, on the trace's clock
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) since: Option<u64>,

    /// Everything: fences that are fine (in JSON), and lists of any length
    #[arg(long)]
    pub(crate) all: bool,

    /// Print one JSON object, for success and for failure; docs/analyze.md describes it
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page for a browser: timelines, waits and dependencies, in one file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Write a trace for ui.perfetto.dev
    #[arg(long, value_name = "FILE")]
    pub(crate) perfetto: Option<PathBuf>,
}

/// What `analyze --help` ends with, and the manual has.
pub(crate) const AFTER_ANALYZE: &str = "\
Verdicts:
  never           pending when tracing ended, for longer than the threshold,
                  or waited for longer
  pending-at-end  pending when tracing ended, but not for long: too soon to
                  tell (see --end)
  lost            abandoned by its producer, or destroyed before it signaled
  late            signaled, but later than the threshold
  unobserved      an array that was destroyed unsignaled because nobody
                  waited: normal
  ok              signaled in time
  Fences that others depend on come first: a display's fence that waits for a
  renderer's is a victim.

What a trace cannot tell:
  A wait by the kernel leaves wait_start and wait_end; a poll by user space
  leaves nothing, so \"no waiter seen\" does not mean that nobody waits. No
  event of the kernel has an error, or an array's members: what an array waits
  for is guessed, and so is what a display waits for.
  --html and --perfetto keep all fences in memory; without them, only those
  that are pending.

Examples:
  sudo dma-fence record -o freeze.trace --seconds 10
  dma-fence analyze freeze.trace
  dma-fence analyze --end 12.7 --html freeze.html trace.txt.gz
  dma-fence analyze --json - < trace.txt | jq '.fences[] | select(.root)'

Exit status:
  0    nothing is stuck
  1    something is stuck: never signaled, or lost while somebody waited
  2    unusable input, wrong usage, or a page that cannot be written

JSON fields (--json): docs/analyze.md";
