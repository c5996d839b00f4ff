//! What the kernel recorded, with the names of threads that it did not know when it was asked.
//!
//! It learns a thread's name when that thread is next switched away from. Whoever reads along is often
//! faster, and finds `<...>` where it matters most: at the thread that has just begun to wait.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
};

/// What the kernel prints where it does not know a thread's name.
const UNKNOWN: &[u8] = b"<...>";

/// More than the kernel gives at once, so that no line is cut.
const PIECE: usize = 64 << 10;

/// `trace_pipe`; never waits.
pub(crate) struct Pipe {
    file: File,
    /// Whether threads have the same numbers here as in the trace.
    is_host: bool,
    raw: Box<[u8]>,
    named: Vec<u8>,
    /// How much of `named` was given away.
    given: usize,
}

impl Pipe {
    pub(super) fn new(file: File) -> Self {
        let raw = vec![0; PIECE].into_boxed_slice();
        Pipe { file, is_host: is_host(), raw, named: Vec::new(), given: 0 }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.named.len() {
            let len = self.file.read(&mut self.raw)?;
            self.given = 0;
            self.named.clear();
            let name_of = |thread: &str| if self.is_host { name_of(thread) } else { None };
            name(&self.raw[..len], &mut self.named, name_of);
        }
        let len = (&self.named[self.given..]).read(buffer)?;
        self.given += len;
        Ok(len)
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The kernel's first namespace of processes has a number that is always the same; in others, threads have
/// other numbers than in the trace.
fn is_host() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == "pid:[4026531836]")
}

/// A thread's name, as long as there is one with that number.
fn name_of(thread: &str) -> Option<Vec<u8>> {
    let mut name = fs::read(format!("/proc/{thread}/comm")).ok()?;
    name.truncate(name.trim_ascii_end().len());
    // As the kernel would print it, it would end the line.
    (!name.is_empty() && !name.contains(&b'\n')).then_some(name)
}

/// Copies lines, and fills in what `name_of` knows. Columns stay where they are.
fn name(lines: &[u8], to: &mut Vec<u8>, name_of: impl Fn(&str) -> Option<Vec<u8>>) {
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        let rest = line.trim_ascii_start();
        let (indent, named) = (line.len() - rest.len(), unknown(rest).and_then(&name_of));
        let Some(named) = named else {
            to.extend_from_slice(line);
            continue;
        };
        let indent = (indent + UNKNOWN.len()).saturating_sub(named.len());
        to.resize(to.len() + indent, b' ');
        to.extend_from_slice(&named);
        to.extend_from_slice(&rest[UNKNOWN.len()..]);
    }
}

/// The number of the thread without a name that the line is about, if it is.
fn unknown(line: &[u8]) -> Option<&str> {
    let number = line.strip_prefix(UNKNOWN)?.strip_prefix(b"-")?;
    let len = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_complete = 0 < len && len < number.len();
    is_complete.then(|| str::from_utf8(&number[..len]).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(lines: &str) -> String {
        let mut to = Vec::new();
        name(lines.as_bytes(), &mut to, |thread| match thread {
            "7" => Some(b"screencast".to_vec()),
            "8" => Some(b"sh".to_vec()),
            _ => None,
        });
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn threads_get_their_names_and_columns_stay() {
        assert_eq!(
            named("           <...>-7       [000] x: <...>-7\n           <...>-8       [001] y\n"),
            "      screencast-7       [000] x: <...>-7\n              sh-8       [001] y\n",
        );
        assert_eq!(named("<...>-7 [000] x"), "screencast-7 [000] x");
    }

    #[test]
    fn everything_else_is_left_alone() {
        let lines = "CPU:0 [LOST 7 EVENTS]\n  <...>-9 [000] x\n  <...>- y\n  <...> z\n\n  a <...>-7 b\n <...>-7";
        assert_eq!(named(lines), lines);
        assert_eq!(named(""), "");
    }

    #[test]
    fn a_living_thread_has_a_name() {
        let here = std::process::id().to_string();
        assert!(name_of(&here).is_some_and(|name| !name.is_empty() && name.len() < 16));
        assert_eq!(name_of("0"), None);
    }

    #[test]
    fn a_small_buffer_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let here = std::process::id().to_string();
        fs::write(&path, format!("  <...>-{here} [000] x\nother-9 [001] y\n").repeat(5000))
            .unwrap();
        let mut pipe = Pipe::new(File::open(&path).unwrap());
        pipe.is_host = true;
        let (mut all, mut piece) = (Vec::new(), [0; 7]);
        while let len @ 1.. = pipe.read(&mut piece).unwrap() {
            all.extend_from_slice(&piece[..len]);
        }
        let all = String::from_utf8(all).unwrap();
        assert_eq!(all.matches("other-9 [001] y\n").count(), 5000);
        assert_eq!(all.lines().count(), 10_000);
        assert!(all.matches(&format!("-{here} [000] x\n")).count() > 4990);
    }
}
