//! From a line of text to what it says.

mod columns;
mod fence;
mod job;
mod keys;
mod prefix;
#[cfg(test)]
mod tests;
mod time;

use std::fmt;

use crate::event::{Event, FenceStep, JobStep};
use memchr::memchr;
use prefix::Prefix;

/// What a line says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Line<'a> {
    /// An event that concerns fences.
    Event(Event<'a>),
    /// Any other event. It tells at least that the trace went on so long.
    Other {
        /// Nanoseconds on the trace's clock.
        time_ns: u64,
        /// On which CPU, if it is known.
        cpu: Option<u32>,
    },
    /// Events are missing here.
    Lost {
        /// Of which CPU.
        cpu: u32,
        /// How many; 1 where nobody counted them.
        events: u64,
    },
    /// A buffer that was overwritten begins here: before this line, the CPU's events are missing.
    BufferStarted {
        /// Whose buffer.
        cpu: u32,
    },
    /// How many events the trace has, and had.
    Header {
        /// In the trace.
        in_buffer: u64,
        /// Ever written; more than `in_buffer` if the oldest were overwritten.
        written: u64,
    },
    /// Tracing went on until then, as `dma-fence record` says.
    Ended {
        /// Nanoseconds on the trace's clock.
        time_ns: u64,
    },
    /// An event that ends too soon. A name with a newline does this; the next line may have the rest,
    /// and [`Reader`](crate::Reader) tries that.
    Unfinished,
    /// Nobody's business: a comment, an empty line, a message.
    Foreign,
    /// An event that concerns fences, as far as one can see, but that makes no sense.
    Malformed(Problem),
}

/// What is wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It names an event, but not when and by whom.
    NoPrefix,
    /// Its time is not one of seconds (see the option `trace_clock`), or too large.
    Time,
    /// It ends before the fence is named.
    Unfinished,
    /// A number in it has more than 64 bits.
    Number,
    /// It is the rest of an event whose beginning was complete, so that one of them is wrong.
    Stray,
    /// It is longer than any kernel's.
    TooLong,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::NoPrefix => "an event, but not when and by whom",
            Problem::Time => "a time that is not in seconds, or too large",
            Problem::Unfinished => "it ends before the fence is named",
            Problem::Number => "a number of more than 64 bits",
            Problem::Stray => "the rest of an event that seemed complete",
            Problem::TooLong => "too long",
        })
    }
}

/// Understands lines, each for itself.
///
/// Which program wrote a line is found out from the line: tracefs, with and without flags and thread
/// groups, `trace-cmd report` with and without `-l`, `perf script`.
///
/// ```
/// use dma_fence_trace::{Line, Parser};
/// let mut parser = Parser::new();
/// let line = parser.line(b"  Xorg:cs0-52 [000] .....  9.520493: dma_fence_init: driver=gpu timeline=gfx context=5 seqno=1");
/// let Line::Event(event) = line else { panic!("{line:?}") };
/// assert_eq!((event.time_ns, event.task.comm, event.task.pid), (9_520_493_000, "Xorg:cs0", Some(52)));
/// ```
#[derive(Default, Debug)]
pub struct Parser {
    /// The line, if it was not UTF-8: kept, so that rubbish does not cost an allocation a line.
    repaired: String,
}

impl Parser {
    /// A parser.
    pub fn new() -> Self {
        Self::default()
    }

    /// Understands a line, with or without its end.
    ///
    /// Bytes that are not UTF-8 become U+FFFD. It never fails: what it does not know is
    /// [`Foreign`](Line::Foreign) or [`Malformed`](Line::Malformed).
    pub fn line<'a>(&'a mut self, line: &'a [u8]) -> Line<'a> {
        let line = line.trim_ascii_end();
        match simdutf8::basic::from_utf8(line) {
            Ok(line) => read(line),
            Err(_) => {
                self.repaired.clear();
                for chunk in line.utf8_chunks() {
                    self.repaired.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        self.repaired.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                read(&self.repaired)
            }
        }
    }
}

fn read(line: &str) -> Line<'_> {
    match prefix::split(line) {
        Some(prefix) => event(prefix).unwrap_or_else(Line::Malformed),
        None => text(line),
    }
}

fn event(prefix: Prefix<'_>) -> Result<Line<'_>, Problem> {
    let Some((step, body)) = named(prefix.event) else {
        // Another event's time is welcome, but not our business if it is strange.
        let other = |time_ns| Line::Other { time_ns, cpu: prefix.cpu };
        return Ok(prefix.time.map_or(Line::Foreign, other));
    };
    let kind = match step {
        Step::Fence(step) => fence::read(step, body),
        Step::Member => fence::read_member(body),
        Step::Job(step) => job::read(step, body),
    };
    let time_ns = prefix.time?;
    Ok(match kind {
        Err(Problem::Unfinished) => Line::Unfinished,
        kind => Line::Event(Event { time_ns, cpu: prefix.cpu, task: prefix.task, kind: kind? }),
    })
}

enum Step {
    Fence(FenceStep),
    Member,
    Job(JobStep),
}

/// The event's step and what it says, if it is one of ours.
fn named(event: &str) -> Option<(Step, &str)> {
    let end = memchr(b' ', event.as_bytes()).unwrap_or(event.len());
    let (name, body) = event.split_at(end);
    let name = name.strip_suffix(':')?;
    // `perf` says the system too, and others may have events of the same name.
    let system = name.strip_prefix("dma_fence:").or_else(|| name.strip_prefix("gpu_scheduler:"));
    Some((step(system.unwrap_or(name))?, without_blanks(body)))
}

/// Without blanks before it.
fn without_blanks(text: &str) -> &str {
    let first = text.bytes().position(|byte| byte != b' ');
    &text[first.unwrap_or(text.len())..]
}

fn step(name: &str) -> Option<Step> {
    Some(match name {
        "dma_fence_init" => Step::Fence(FenceStep::Init),
        "dma_fence_emit" => Step::Fence(FenceStep::Emit),
        "dma_fence_enable_signal" => Step::Fence(FenceStep::EnableSignal),
        "dma_fence_signaled" => Step::Fence(FenceStep::Signaled),
        "dma_fence_destroy" => Step::Fence(FenceStep::Destroy),
        "dma_fence_wait_start" => Step::Fence(FenceStep::WaitStart),
        "dma_fence_wait_end" => Step::Fence(FenceStep::WaitEnd),
        // The library's own.
        "dma_fence_abandoned" => Step::Fence(FenceStep::Abandoned),
        "dma_fence_member" => Step::Member,
        "drm_sched_job" | "drm_sched_job_queue" => Step::Job(JobStep::Queue),
        "drm_run_job" | "drm_sched_job_run" => Step::Job(JobStep::Run),
        "drm_sched_process_job" | "drm_sched_job_done" => Step::Job(JobStep::Done),
        "drm_sched_job_add_dep" => Step::Job(JobStep::AddDep),
        "drm_sched_job_wait_dep" | "drm_sched_job_unschedulable" => {
            Step::Job(JobStep::Unschedulable)
        }
        _ => return None,
    })
}

/// A line that is not an event.
fn text(line: &str) -> Line<'_> {
    if let Some(note) = line.strip_prefix("CPU:") {
        lost(note).unwrap_or(Line::Foreign)
    } else if let Some(comment) = line.strip_prefix('#') {
        let note = header(comment).or_else(|| buffer_started(comment)).or_else(|| ended(comment));
        note.unwrap_or(Line::Foreign)
    } else if names_event(line) {
        Line::Malformed(Problem::NoPrefix)
    } else if fence::ends_like_one(line) {
        Line::Malformed(Problem::Stray)
    } else {
        Line::Foreign
    }
}

/// `CPU:0 [LOST 158 EVENTS]`, and `trace-cmd`'s `CPU:0 [158 EVENTS DROPPED]`, also without a number.
fn lost(note: &str) -> Option<Line<'_>> {
    let (cpu, what) = note.split_once(" [")?;
    let cpu = cpu.parse().ok()?;
    let what = what.strip_suffix(']')?;
    let events = match what.strip_prefix("LOST ") {
        Some(lost) => lost.strip_suffix(" EVENTS")?,
        None => what.strip_suffix("EVENTS DROPPED")?.trim_end(),
    };
    Some(Line::Lost { cpu, events: if events.is_empty() { 1 } else { events.parse().ok()? } })
}

/// `##### CPU 1 buffer started ####`
fn buffer_started(comment: &str) -> Option<Line<'_>> {
    let (cpu, _) = comment.split_once(" CPU ")?.1.split_once(" buffer started")?;
    Some(Line::BufferStarted { cpu: cpu.parse().ok()? })
}

/// `# entries-in-buffer/entries-written: 729/1316   #P:2`
fn header(comment: &str) -> Option<Line<'_>> {
    let counts = comment.trim_start().strip_prefix("entries-in-buffer/entries-written: ")?;
    let (in_buffer, written) = counts.split(' ').next()?.split_once('/')?;
    Some(Line::Header { in_buffer: in_buffer.parse().ok()?, written: written.parse().ok()? })
}

/// `# tracing ended at 12.717909`
fn ended(comment: &str) -> Option<Line<'_>> {
    let stamp = comment.trim_start().strip_prefix("tracing ended at ")?;
    Some(Line::Ended { time_ns: time::seconds(stamp)?.ok()? })
}

/// Whether an event of ours is named somewhere in the line, with the colon that stands behind it.
fn names_event(line: &str) -> bool {
    let words = line.split([' ', '\t']);
    let mut names = words.filter_map(|word| word.strip_suffix(':')?.rsplit(':').next());
    names.any(|name| step(name).is_some())
}
