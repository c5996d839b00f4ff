//! What a file is, by its beginning.

/// The longest mark, those of trace-cmd and bzip2.
pub(super) const LONGEST: usize = 10;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Kind {
    /// Or anything else: whoever reads it finds out.
    Text,
    Gzip,
    Xz,
    Zstd,
    /// What is passed by mistake.
    Known(Known),
}

/// A kind of file that is not read here, but that has a trace in it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Known {
    pub(super) what: &'static str,
    /// What makes text of it. `FILE` is its name.
    pub(super) command: &'static str,
}

const TRACE_CMD: Known =
    Known { what: "trace-cmd's binary data", command: "trace-cmd report FILE > FILE.txt" };
const PERF: Known = Known { what: "perf's binary data", command: "perf script -i FILE > FILE.txt" };
const PERFETTO: Known =
    Known { what: "Perfetto's binary data", command: "traceconv systrace FILE FILE.txt" };
const BZIP2: Known = Known { what: "bzip2 data", command: "bzip2 -dc FILE > FILE.txt" };
const ZIP: Known = Known { what: "a ZIP archive", command: "unzip FILE" };

const UTF_16: Known =
    Known { what: "UTF-16 text", command: "iconv -f UTF-16 -t UTF-8 FILE > FILE.txt" };

const MARKS: &[(&[u8], Kind)] = &[
    (b"\x1f\x8b\x08", Kind::Gzip),
    (b"\xfd7zXZ\0", Kind::Xz),
    (b"\x28\xb5\x2f\xfd", Kind::Zstd),
    (b"\x17\x08\x44tracing", Kind::Known(TRACE_CMD)),
    (b"PERFILE2", Kind::Known(PERF)),
    // Of a machine with the other byte order.
    (b"2ELIFREP", Kind::Known(PERF)),
    (b"PK\x03\x04", Kind::Known(ZIP)),
    // What a redirection in PowerShell makes.
    (b"\xff\xfe", Kind::Known(UTF_16)),
    (b"\xfe\xff", Kind::Known(UTF_16)),
];

impl Kind {
    pub(super) fn of(head: &[u8]) -> Self {
        if let Some((_, kind)) = MARKS.iter().find(|(mark, _)| head.starts_with(mark)) {
            return *kind;
        }
        match head {
            // A frame with something else in it, as parallel compressors write it at first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Kind::Zstd,
            // "BZh" and the block size alone could be a thread's name.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => {
                Kind::Known(BZIP2)
            }
            _ if is_perfetto(head) => Kind::Known(PERFETTO),
            _ => Kind::Text,
        }
    }
}

/// Whether this begins with two packets of Perfetto, each behind a newline, which is their tag, and their length.
/// A text may begin with a newline, but then nothing is where the length says, nor are there bytes that no text has.
fn is_perfetto(head: &[u8]) -> bool {
    let second = packet(head).and_then(packet);
    second.is_some() && head.iter().any(|byte| *byte < b'\t')
}

/// What follows the first packet, if it ends before that, or there.
fn packet(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"\n")?;
    let mut len = 0_usize;
    // Seven bits a byte, the lowest first. No packet has more than 2²⁸ bytes.
    for shift in [0, 7, 14, 21] {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return rest.get(len..);
        }
    }
    None
}
