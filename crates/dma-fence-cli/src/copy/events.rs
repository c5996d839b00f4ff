//! The run's fences as tracefs prints the kernel's, for whatever reads that: one line for each event.
//!
//! ```text
//!        dma-fence-4711    [001] .....  1234.000001500: dma_fence_signaled: driver=… timeline=… context=7 seqno=1 error=-5
//! ```
//!
//! The threads of the engines write what happens on them, so a lock keeps lines whole. It is held for the time
//! that it takes to put a line into a buffer, and now and then to write that into the page cache. A queue
//! and a thread of its own would not do better: when the writer is slow they wait, too, or lose events.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use dma_fence::{
    Timestamp,
    trace::{self, Event, EventKind, Sink},
};

use crate::{error::CopyError, record};

const HEADER: &str = "\
# tracer: nop
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
";

/// Some thousand lines.
const BUFFER: usize = 1 << 20;

/// Who is told; empty before the run's first fence and after its last.
static TEXT: Text = Text(Mutex::new(None));

struct Text(Mutex<Option<Output>>);

struct Output {
    writer: BufWriter<File>,
    /// The first error; nothing is written after it.
    result: io::Result<()>,
}

impl Text {
    fn lock(&self) -> MutexGuard<'_, Option<Output>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Text {
    fn event(&self, event: &Event<'_>) {
        let Some(name) = name(event.kind) else { return };
        let (task, cpu) = (Task::current(), rustix::thread::sched_getcpu());
        if let Some(output) = &mut *self.lock()
            && output.result.is_ok()
        {
            output.result = line(&mut output.writer, event, name, &task, cpu);
        }
    }
}

/// The kernel's names, and two that it has not.
fn name(kind: EventKind) -> Option<&'static str> {
    Some(match kind {
        EventKind::Init => "init",
        EventKind::Member { .. } => "member",
        EventKind::EnableSignal => "enable_signal",
        EventKind::WaitStart => "wait_start",
        EventKind::WaitEnd => "wait_end",
        EventKind::Abandoned => "abandoned",
        EventKind::Signaled(_) => "signaled",
        EventKind::Destroy => "destroy",
        // What a later version of the library tells besides.
        _ => return None,
    })
}

/// As tracefs does, but with all digits of the time: on one CPU much happens in a microsecond.
fn line(
    to: &mut impl Write,
    event: &Event<'_>,
    name: &str,
    task: &Task,
    cpu: usize,
) -> io::Result<()> {
    let Event { driver, timeline, .. } = event;
    let comm = task.comm();
    write!(to, "{:1$}", "", 16_usize.saturating_sub(comm.len()))?;
    to.write_all(comm)?;
    let (seconds, nanos) =
        (event.at.as_nanos() / 1_000_000_000, event.at.as_nanos() % 1_000_000_000);
    write!(to, "-{:<7} [{cpu:03}] ..... {seconds:5}.{nanos:09}: ", task.tid)?;
    // 32 bits of each number, as there.
    let (context, seqno) = (event.context as u32, event.seqno as u32);
    write!(
        to,
        "dma_fence_{name}: driver={driver} timeline={timeline} context={context} seqno={seqno}"
    )?;
    match event.kind {
        EventKind::Signaled(Err(error)) => write!(to, " error=-{}", error.raw())?,
        EventKind::Member { context, seqno } => {
            write!(to, " member={}:{}", context as u32, seqno as u32)?;
        }
        _ => {}
    }
    to.write_all(b"\n")
}

/// A thread, as the system knows it.
#[derive(Clone, Copy)]
struct Task {
    name: [u8; Task::LONGEST],
    len: usize,
    tid: i32,
}

impl Task {
    /// What the system calls a thread is no longer than this.
    const LONGEST: usize = 15;

    /// Asked for once: it costs more than the rest of a line.
    fn current() -> Task {
        // Without a destructor: fences are dropped by those of other thread-locals.
        thread_local! { static TASK: Cell<Option<Task>> = const { Cell::new(None) } }
        TASK.get().unwrap_or_else(|| {
            let task = Task::ask();
            TASK.set(Some(task));
            task
        })
    }

    fn ask() -> Task {
        let mut name = [0; Task::LONGEST];
        let told = rustix::thread::name().unwrap_or_default();
        let len = told.as_bytes().len().min(name.len());
        name[..len].copy_from_slice(&told.as_bytes()[..len]);
        Task { name, len, tid: rustix::thread::gettid().as_raw_nonzero().get() }
    }

    fn comm(&self) -> &[u8] {
        &self.name[..self.len]
    }
}

/// Events are written from when this is made until it is finished, or dropped.
pub(super) struct Events {
    path: PathBuf,
}

impl Events {
    pub(super) fn begin(path: &Path, file: File) -> Result<Self, CopyError> {
        let mut writer = BufWriter::with_capacity(BUFFER, file);
        let result = writer.write_all(HEADER.as_bytes());
        *TEXT.lock() = Some(Output { writer, result });
        trace::set_sink(&TEXT).map_err(|error| CopyError::Engine(error.to_string()))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Completes the file.
    pub(super) fn finish(self) -> Result<(), CopyError> {
        end().map_err(CopyError::io("write trace", &self.path))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // A run that ends before it has begun has an error to tell that is more to the point.
        let _ = end();
    }
}

fn end() -> io::Result<()> {
    let Some(Output { mut writer, result }) = TEXT.lock().take() else { return Ok(()) };
    result?;
    writer.write_all(record::ended_at(Timestamp::now().as_nanos()).as_bytes())?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dma_fence::{Errno, FenceContext};

    /// The sink's own lines, of what the library tells; the times and numbers are what they are.
    #[test]
    fn lines_are_those_of_tracefs() {
        struct Keep(Mutex<Vec<String>>);
        impl Sink for Keep {
            fn event(&self, event: &Event<'_>) {
                let task = Task { name: *b"a-thread-of:15b", len: 15, tid: 47 };
                let mut text = Vec::new();
                line(&mut text, event, name(event.kind).unwrap(), &task, 3).unwrap();
                self.0.lock().unwrap().push(String::from_utf8(text).unwrap());
            }
        }
        static KEPT: Keep = Keep(Mutex::new(Vec::new()));
        trace::set_sink(&KEPT).unwrap();
        let context = FenceContext::hardware("a", "b c").starting_at((1 << 32) + 5);
        context.new_fence().signal(Err(Errno::EIO));
        let lines = KEPT.0.lock().unwrap();
        let (prefix, event) = lines[1].split_once(": ").unwrap();
        let (who, time) = prefix.rsplit_once(' ').unwrap();
        assert_eq!(who.trim_end(), " a-thread-of:15b-47      [003] .....");
        assert_eq!(time.split_once('.').unwrap().1.len(), 9, "{time}");
        let id = context.id();
        let expected =
            format!("dma_fence_signaled: driver=a timeline=b c context={id} seqno=5 error=-5\n");
        assert_eq!(event, expected);
    }
    /// Nothing is written after an error, so the end would look fine.
    #[test]
    fn an_error_on_the_way_is_not_forgotten() {
        let file = File::options().write(true).open("/dev/null").unwrap();
        let result = Err(io::ErrorKind::StorageFull.into());
        *TEXT.lock() = Some(Output { writer: BufWriter::new(file), result });
        assert_eq!(end().unwrap_err().kind(), io::ErrorKind::StorageFull);
        end().expect("there is nothing left to end");
    }
}
