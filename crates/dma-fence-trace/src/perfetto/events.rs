//! The format's events, one after the other.

use std::io;

use serde::Serialize;

/// Writes events as they come: nothing is kept.
///
/// Perfetto drops complete ("X") events that overlap on a track without nesting, and fences of a timeline
/// do overlap. Asynchronous events may: a [`Slice`] is a pair of them, "b" and "e". Each has an ID of its
/// own, on which others nest, and Perfetto gathers in one track those of a process whose outermost slices
/// have the same name.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    /// What stands before the next event.
    separator: &'static str,
}

/// What the events of a slice have in common.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Its category, which its ID belongs to.
    pub category: &'a str,
    /// Its name; if it is an outermost one, of its track too.
    pub name: &'a str,
    /// The process that it is shown in.
    pub pid: u32,
    /// Its track, for viewers that go by it. Perfetto takes a number for one thread of one process.
    pub tid: u64,
    /// Within its process and category.
    pub id: &'a str,
}

/// Whether an arrow begins or ends at an event.
///
/// Older arrows, events of their own, stick to threads' slices only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// None does.
    None,
    /// All arrows of this number begin here.
    Out(u64),
    /// One of this number ends here. It is not drawn unless they begin earlier, or at the same time in an
    /// event written earlier.
    In(u64),
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

impl<W: io::Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// What `to` fails with, as for all that follows.
    pub fn new(mut to: W) -> io::Result<Self> {
        to.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n")?;
        Ok(Self { to, separator: "" })
    }

    /// Names a process.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub fn process(&mut self, pid: u32, name: &str) -> io::Result<()> {
        self.event("M", "process_name")?;
        write!(self.to, ",\"pid\":{pid}")?;
        self.args(&Named { name })
    }

    /// Names a track of a process.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub fn thread(&mut self, pid: u32, tid: u64, name: &str) -> io::Result<()> {
        self.event("M", "thread_name")?;
        write!(self.to, ",\"pid\":{pid},\"tid\":{tid}")?;
        self.args(&Named { name })
    }

    /// Begins a slice.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub fn begin(
        &mut self,
        slice: Slice<'_>,
        at_ns: u64,
        flow: Flow,
        args: &impl Serialize,
    ) -> io::Result<()> {
        self.slice("b", slice, at_ns, flow)?;
        self.args(args)
    }

    /// Ends a slice that was begun with the same names and numbers.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub fn end(&mut self, slice: Slice<'_>, at_ns: u64) -> io::Result<()> {
        self.slice("e", slice, at_ns, Flow::None)?;
        self.to.write_all(b"}")
    }

    /// A mark in a slice, or beside it.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub fn mark(
        &mut self,
        slice: Slice<'_>,
        at_ns: u64,
        flow: Flow,
        args: &impl Serialize,
    ) -> io::Result<()> {
        self.slice("n", slice, at_ns, flow)?;
        self.args(args)
    }

    /// Completes the file, and gives back where it was written to.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new).
    pub fn finish(mut self) -> io::Result<W> {
        self.to.write_all(b"\n]}\n")?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn slice(&mut self, phase: &str, slice: Slice<'_>, at_ns: u64, flow: Flow) -> io::Result<()> {
        let Slice { category, name, pid, tid, id } = slice;
        self.event(phase, name)?;
        self.to.write_all(b",\"cat\":")?;
        self.string(category)?;
        write!(self.to, ",\"pid\":{pid},\"tid\":{tid},\"id2\":{{\"local\":")?;
        self.string(id)?;
        // In microseconds, and with all digits: as a number of the machine it would have 15.
        write!(self.to, "}},\"ts\":{}.{:03}", at_ns / 1000, at_ns % 1000)?;
        match flow {
            Flow::None => Ok(()),
            Flow::Out(id) => write!(self.to, ",\"bind_id\":\"{id:#x}\",\"flow_out\":true"),
            Flow::In(id) => write!(self.to, ",\"bind_id\":\"{id:#x}\",\"flow_in\":true"),
        }
    }

    fn event(&mut self, phase: &str, name: &str) -> io::Result<()> {
        write!(self.to, "{}{{\"ph\":\"{phase}\",\"name\":", self.separator)?;
        self.separator = ",\n";
        self.string(name)
    }

    fn args(&mut self, args: &impl Serialize) -> io::Result<()> {
        self.to.write_all(b",\"args\":")?;
        serde_json::to_writer(&mut self.to, args)?;
        self.to.write_all(b"}")
    }

    /// Names contain anything.
    fn string(&mut self, text: &str) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut self.to, text)?)
    }
}
