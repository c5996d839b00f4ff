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

    /// Only fences that thread PID made, signaled, waited for or asked for
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// Only fences that were still pending at TIME, or came later, on the trace's clock
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) since: Option<u64>,

    /// Everything: fences that are fine (in JSON), and lists of any length
    #[arg(long)]
    pub(crate) all: bool,

    /// Print one JSON object, for success and for failure; fields are described below
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
  --all, --html, --perfetto and several files keep all fences in memory;
  without them, only those that are pending.

Examples:
  sudo dma-fence record -o freeze.trace --seconds 10
  dma-fence analyze freeze.trace
  dma-fence analyze --end 12.7 --html freeze.html trace.txt.gz
  dma-fence analyze --json - < trace.txt | jq '.fences[] | select(.root)'

Exit status:
  0    nothing is stuck
  1    something is stuck: never signaled, or lost while somebody waited
  2    unusable input, wrong usage, or a page that cannot be written

JSON fields (--json; _ns: nanoseconds, on the trace's clock or how long; null
if not known):
  schema               1; fields may be added to it
  events, other_events   that concern fences, and others
  malformed            how many lines make no sense
  malformed_lines      the first ten: file (empty if there is one only), line,
                       problem
  lost                 events known to be missing
  begin_ns, last_ns, end_ns, span_ns   the first event, the last, the end of
                       tracing, and from the first to the end
  stuck                whether anything is, as the exit status says
  verdicts             how many fences have each, in the whole trace
  notes                what to know before one draws conclusions
  fences               list, most urgent first; those that are fine only with
                       --all, or if they have an error:
    context, seqno     its name, modulo 2^32
    driver, timeline   as first seen
    verdict            see above
    root               whether the reason is here, not at another fence
    certain            whether the trace is complete enough to be sure
    init_ns, emit_ns, signaled_ns, destroyed_ns, abandoned_ns   when
    age_ns             how long it took, or has been pending
    late_ns            of a late one: by how much
    outlier            of a late one: whether only its timeline makes it so
    error              that it signaled with, negative
    made_by, signaled_by   comm, pid
    waiters            list: comm, pid, since_ns, waited_ns, open (it waits
                       still)
    asked_by           list, who enabled signaling: comm, pid, at_ns
    blamed_on          list, what it waits for: context, seqno, because
                       (dependency, member, display, queue, hardware)
    job                that ends with it: device, ring, queued_ns, run_ns,
                       done_ns, hardware (context, seqno)
    part_of            the fence that ends its job: context, seqno
  late_not_listed      how many late ones are not in fences
  timelines            list, the busiest first:
    driver, timeline, context   no context if gathered by name
    contexts, fences, signaled, pending   how many
    p50_ns, p99_ns, max_ns   what fences took
    waits, wait_p50_ns, wait_p99_ns, wait_max_ns   waits by the kernel
    last               sign of life: event, context, seqno, at_ns, comm, pid
  warnings             what is wrong with the input
  error                instead of all that but warnings: kind (input, io,
                       usage), message, exit_status";
