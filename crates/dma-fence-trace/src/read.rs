//! From a stream of bytes to lines.

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::ops::Range;

use crate::parse::{Line, Parser, Problem};
use memchr::memchr;

/// No kernel prints more in a line; its own buffer for one has a page or two.
const LONGEST: usize = 64 << 10;
/// Room for a line and the one before, and to read in large pieces.
const ROOM: usize = 4 * LONGEST;
/// How many lines a record has at most: the names of software timelines have 32 bytes. Without a bound,
/// rubbish would be read again with every line that follows.
const MOST_LINES: u64 = 32;
/// How many malformed lines are remembered.
const REMEMBERED: usize = 10;
/// How wide tracefs, `trace-cmd report` and `perf script` print a thread's name.
const NAME: usize = 16;

/// Reads a trace line by line, in bounded memory.
///
/// Names can have newlines, so that a record has several lines. Where a line ends too soon, the next
/// one is read together with it, unless it is a record of its own; where the two halves of a thread's
/// name fill its column exactly, so are they. The rest is not repaired: of a thread's name with more
/// newlines the last part is left, and a timeline's name that imitates the whole end of a record
/// (`x context=1 seqno=1`, then a newline) is believed, but its rest is reported as
/// [`Stray`](Problem::Stray).
///
/// ```
/// use dma_fence_trace::{Line, Reader};
/// let text = "\
///     #                                _-----=> irqs-off/BH-disabled\n\
///     \x20       bad\nring-51      [000] .....     9.349202: dma_fence_init: driver=sw_sync timeline=bad\n\
///     ring context=3 seqno=1\n";
/// let mut reader = Reader::new(text.as_bytes());
/// let mut names = Vec::new();
/// while let Some(line) = reader.next()? {
///     if let Line::Event(event) = line {
///         names.push(event.task.comm.to_owned());
///     }
/// }
/// assert_eq!(names, ["bad\nring"]);
/// assert_eq!((reader.tally().lines, reader.tally().malformed), (4, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    parser: Parser,
    buffer: Box<[u8]>,
    /// Where the next line begins.
    next: usize,
    /// Where what was read ends.
    filled: usize,
    /// How many bytes of the next line are known to have no newline.
    searched: usize,
    before: Before,
    /// Within a line that is too long.
    skipping: bool,
    tally: Tally,
}

/// The line before, if it may go on. Its bytes, with their newline, stand right before the next line.
#[derive(Clone, Copy, Debug)]
enum Before {
    Complete,
    /// Maybe the beginning of a thread's name.
    Name {
        len: usize,
    },
    Unfinished {
        len: usize,
        /// Its number.
        line: u64,
    },
}

/// How much was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Lines.
    pub lines: u64,
    /// Events that concern fences.
    pub events: u64,
    /// Other events.
    pub others: u64,
    /// Lines that concern fences and make no sense.
    pub malformed: u64,
    /// Their numbers, the first being 1, and what is wrong with them: the first few.
    pub first_malformed: Vec<(u64, Problem)>,
}

impl Tally {
    fn count(&mut self, line: &Line<'_>) {
        match line {
            Line::Event(_) => self.events += 1,
            Line::Other { .. } => self.others += 1,
            Line::Malformed(problem) => self.malformed(self.lines, *problem),
            _ => {}
        }
    }

    fn malformed(&mut self, line: u64, problem: Problem) {
        self.malformed += 1;
        if self.first_malformed.len() < REMEMBERED {
            self.first_malformed.push((line, problem));
        }
    }
}

impl<R: Read> Reader<R> {
    /// A reader. It has its own buffer: `input` needs none.
    pub fn new(input: R) -> Self {
        Self {
            input,
            parser: Parser::new(),
            buffer: vec![0; ROOM].into(),
            next: 0,
            filled: 0,
            searched: 0,
            before: Before::Complete,
            skipping: false,
            tally: Tally::default(),
        }
    }

    /// Where it reads from.
    pub fn get_ref(&self) -> &R {
        &self.input
    }

    /// What was read so far. An unfinished line is malformed as soon as it is known that nothing
    /// completes it.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    ///
    /// What `input` fails with. Another call tries again.
    #[expect(clippy::should_implement_trait, reason = "a line borrows from the reader")]
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(found) = self.find()? else {
            self.give_up_before();
            return Ok(None);
        };
        self.tally.lines += 1;
        let (record, first) = match found {
            Found::Line(line) => self.with_before(line),
            Found::TooLong => {
                self.give_up_before();
                self.tally.malformed(self.tally.lines, Problem::TooLong);
                return Ok(Some(Line::Malformed(Problem::TooLong)));
            }
        };
        let bytes = &self.buffer[record.clone()];
        let line = self.parser.line(bytes);
        self.tally.count(&line);
        let len = self.next - record.start;
        self.before = match line {
            Line::Unfinished if len < LONGEST && self.tally.lines - first < MOST_LINES => {
                Before::Unfinished { len, line: first }
            }
            Line::Unfinished => {
                self.tally.malformed(first, Problem::Unfinished);
                Before::Complete
            }
            Line::Foreign if len <= NAME && bytes.starts_with(b" ") => Before::Name { len },
            _ => Before::Complete,
        };
        Ok(Some(line))
    }

    /// The line, with the one before it if they are one record; and the number of the first of them.
    fn with_before(&mut self, line: Range<usize>) -> (Range<usize>, u64) {
        let number = self.tally.lines;
        let (joined, first, belongs) = match self.before {
            Before::Complete => return (line, number),
            Before::Name { len } => {
                let joined = line.start - len..line.end;
                let belongs = fills_column(&self.buffer[joined.clone()]);
                (joined, number - 1, belongs)
            }
            Before::Unfinished { len, line: first } => {
                let belongs = is_rest(self.parser.line(&self.buffer[line.clone()]));
                (line.start - len..line.end, first, belongs)
            }
        };
        if belongs {
            self.before = Before::Complete;
            return (joined, first);
        }
        self.give_up_before();
        (line, number)
    }

    fn give_up_before(&mut self) {
        if let Before::Unfinished { line, .. } = self.before {
            self.tally.malformed(line, Problem::Unfinished);
        }
        self.before = Before::Complete;
    }

    /// Finds the next line and goes on behind it.
    fn find(&mut self) -> io::Result<Option<Found>> {
        loop {
            if self.skipping {
                self.skip()?;
                return Ok(Some(Found::TooLong));
            }
            let rest = &self.buffer[self.next..self.filled];
            if let Some(more) = memchr(b'\n', &rest[self.searched..]) {
                return Ok(Some(self.take(self.searched + more, 1)));
            }
            self.searched = rest.len();
            if self.searched > LONGEST {
                self.give_up_before();
                self.searched = 0;
                self.skipping = true;
            } else if !self.fill()? {
                let last = self.searched;
                return Ok((last > 0).then(|| self.take(last, 0)));
            }
        }
    }

    fn take(&mut self, len: usize, newline: usize) -> Found {
        let start = self.next;
        self.next += len + newline;
        self.searched = 0;
        if len > LONGEST { Found::TooLong } else { Found::Line(start..start + len) }
    }

    /// Skips the rest of a line. After an error, the next call goes on with that.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            let end = memchr(b'\n', &self.buffer[self.next..self.filled]);
            self.next = end.map_or(self.filled, |end| self.next + end + 1);
            if end.is_some() || !self.fill()? {
                self.skipping = false;
                return Ok(());
            }
        }
    }

    /// Reads on. `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if ROOM - self.filled < LONGEST {
            self.make_room();
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    let read = read?;
                    self.filled += read;
                    return Ok(read > 0);
                }
            }
        }
    }

    /// Moves to the front what is still needed.
    fn make_room(&mut self) {
        let before = match self.before {
            Before::Complete => 0,
            Before::Name { len } | Before::Unfinished { len, .. } => len,
        };
        self.buffer.copy_within(self.next - before..self.filled, 0);
        self.filled -= self.next - before;
        self.next = before;
    }
}

enum Found {
    Line(Range<usize>),
    TooLong,
}

/// Whether a line can be the rest of a record.
fn is_rest(line: Line<'_>) -> bool {
    use Problem::{NoPrefix, Stray};
    matches!(line, Line::Foreign | Line::Malformed(NoPrefix | Stray))
}

/// Whether a record begins with a thread's name that is as wide as its column.
fn fills_column(record: &[u8]) -> bool {
    match record.get(NAME..NAME + 2) {
        Some([b'-', next]) => next.is_ascii_digit(),
        Some([b' ', next]) => *next == b' ' || next.is_ascii_digit(),
        _ => false,
    }
}
