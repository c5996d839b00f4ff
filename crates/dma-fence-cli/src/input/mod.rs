//! What a trace is read from: a file or standard input, unpacked if it is packed.
//!
//! Its beginning decides, not its name: people attach `trace.txt` that is gzip, and pipe. What is no text but
//! known is refused with the command that makes text of it. Damaged data is no error: what comes before the damage
//! is delivered, and [`Input::damage`] tells at the end.

mod error;
mod kind;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Cursor, Read},
    os::fd::AsFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

pub(crate) use self::error::{InputError, Name};
use self::kind::Kind;

/// What is read here, for messages about what was not understood.
pub(crate) const READ: &str = "This reads the text of tracefs, `trace-cmd report`, `perf script` and \
                               `dma-fence copy --trace-events`";

/// How much is looked at. Not waited for: what a pipe has at first is enough if no kind's mark is longer.
const HEAD: usize = 4 << 10;
/// How much is unpacked at once. What a decoder has unpacked when it finds damage in the same call is lost, so that
/// this is little: some forty events. It costs no more than the analysis can wait for.
const PIECE: usize = 4 << 10;

/// A trace's text.
pub(crate) struct Input {
    name: Name,
    /// What was looked at, and not read yet.
    head: Cursor<Vec<u8>>,
    rest: Box<dyn Read + Send>,
    packed: bool,
    source: Arc<Progress>,
    len: Option<u64>,
    damage: Option<String>,
}

/// How far an input has been read: to be asked while somebody else has the input.
#[derive(Clone)]
pub(crate) struct Position {
    source: Arc<Progress>,
    len: Option<u64>,
}

/// Written by the source, wherever it is.
#[derive(Default)]
struct Progress {
    bytes: AtomicU64,
    /// Reading has failed, so that an error is not the decoder's.
    failed: AtomicBool,
}

/// Opens a file, or standard input if it is `-`.
pub(crate) fn open(path: &Path) -> Result<Input, InputError> {
    let name = Name::of(path);
    let file = match name {
        Name::Stdin => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        Name::File(_) => File::open(path),
    };
    let opened = file.and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = match opened {
        Ok(opened) => opened,
        Err(cause) => return Err(InputError::Io { name, cause }),
    };
    if metadata.is_dir() {
        return Err(InputError::Directory(name));
    }
    // Files of tracefs and /proc have text, but say that they have no length.
    let len = (metadata.is_file() && metadata.len() > 0).then_some(metadata.len());
    Input::new(name, file, len)
}

impl Input {
    fn new(
        name: Name,
        from: impl Read + Send + 'static,
        len: Option<u64>,
    ) -> Result<Self, InputError> {
        let source = Arc::<Progress>::default();
        let mut from = Source { from, progress: source.clone() };
        let head = match look(&mut from) {
            Ok(head) if head.is_empty() => return Err(InputError::Empty(name)),
            Ok(head) => head,
            Err(cause) => return Err(InputError::Io { name, cause }),
        };
        let kind = Kind::of(&head);
        let from = Cursor::new(head).chain(from);
        let rest: Box<dyn Read + Send> = match kind {
            Kind::Text => Box::new(from),
            Kind::Gzip => Box::new(flate2::read::MultiGzDecoder::new(from)),
            Kind::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(from)),
            Kind::Zstd => match zstd::stream::read::Decoder::new(from) {
                Ok(decoder) => Box::new(decoder),
                Err(cause) => return Err(InputError::Io { name, cause }),
            },
            Kind::Known(known) => return Err(InputError::Known { name, known, packed: false }),
        };
        let packed = kind != Kind::Text;
        let head = Cursor::default();
        let mut input = Self { name, head, rest, packed, source, len, damage: None };
        if packed {
            input.look_inside()?;
        }
        Ok(input)
    }

    /// Looks at what was packed.
    fn look_inside(&mut self) -> Result<(), InputError> {
        let head = match look(self) {
            Ok(head) => head,
            Err(cause) => return Err(InputError::Io { name: self.name.clone(), cause }),
        };
        let name = || self.name.clone();
        if head.is_empty() {
            return Err(match &self.damage {
                Some(damage) => InputError::Damaged(damage.clone()),
                None => InputError::Empty(name()),
            });
        }
        if let Kind::Known(known) = Kind::of(&head) {
            return Err(InputError::Known { name: name(), known, packed: true });
        }
        self.head = Cursor::new(head);
        Ok(())
    }

    /// For whoever shows how far it is.
    pub(crate) fn position(&self) -> Position {
        Position { source: self.source.clone(), len: self.len }
    }

    /// Why this is not all, if it was packed and is damaged or cut off: known at its end.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer) {
            Ok(0) => {}
            read => return read,
        }
        if !self.packed {
            return self.rest.read(buffer);
        }
        if self.damage.is_some() {
            return Ok(0);
        }
        let most = buffer.len().min(PIECE);
        self.rest.read(&mut buffer[..most]).or_else(|cause| {
            if self.source.failed.load(Ordering::Relaxed) {
                return Err(cause);
            }
            self.damage = Some(format!("{} is damaged or cut off: {cause}", self.name));
            Ok(0)
        })
    }
}

impl Position {
    /// How many bytes were read, still packed if they are.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.source.bytes.load(Ordering::Relaxed)
    }

    /// How many there are, if that is known.
    pub(crate) fn len(&self) -> Option<u64> {
        self.len
    }
}

/// Counts, and tells failures of reading from those of unpacking.
struct Source<R> {
    from: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = self.from.read(buffer);
            match &result {
                // Not all decoders go on after it.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.progress.failed.store(true, Ordering::Relaxed),
                Ok(read) => {
                    self.progress.bytes.fetch_add(*read as u64, Ordering::Relaxed);
                }
            }
            return result;
        }
    }
}

/// The beginning: as much as tells the kinds apart, and what else is there already.
fn look(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    while filled < kind::LONGEST {
        match from.read(&mut head[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    Ok(head)
}
