use std::{
    env, fs,
    io::{self, Read, Seek, Write},
    path::Path,
    process::{Command, Stdio},
};

use super::*;
use crate::error::Failure;

/// Many pieces long.
fn text() -> Vec<u8> {
    (0..20_000).flat_map(|n| format!("line {n} of {}\n", n * n % 977).into_bytes()).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    writer.include_checksum(true).unwrap();
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;
const PACKERS: [(&str, Pack); 3] = [("gzip", gzip), ("xz", xz), ("zstd", zstd)];

fn input(bytes: impl Into<Vec<u8>>) -> Result<Input, InputError> {
    Input::new(Name::of(Path::new("trace")), Cursor::new(bytes.into()), None)
}

/// All of it, and the damage.
fn all(mut input: Input) -> (Vec<u8>, Option<String>) {
    let mut text = Vec::new();
    input.read_to_end(&mut text).unwrap();
    // And it stays there.
    assert_eq!(input.read(&mut [0; 9]).unwrap(), 0);
    (text, input.damage().map(str::to_owned))
}

fn refusal(input: Result<Input, InputError>) -> String {
    let error = input.err().expect("it is refused");
    assert_eq!(error.exit_status(), 2);
    error.to_string()
}

#[test]
fn packed_or_not_it_is_the_same_text() {
    let text = text();
    assert_eq!(all(input(&*text).unwrap()), (text.clone(), None));
    for (name, pack) in PACKERS {
        assert!(all(input(pack(&text)).unwrap()) == (text.clone(), None), "{name}");
    }
}

#[test]
fn several_members_are_one_text() {
    let text = text();
    let (begin, end) = text.split_at(70_001);
    for (name, pack) in PACKERS {
        let members = [pack(begin), pack(b""), pack(end)].concat();
        assert!(all(input(members).unwrap()) == (text.clone(), None), "{name}");
    }
    // What pzstd writes first.
    let skipped = b"\x50\x2a\x4d\x18\x04\0\0\0\x12\x34\x56\x78";
    let frames = [skipped.as_slice(), &zstd(begin), skipped, &zstd(end)].concat();
    assert!(all(input(frames).unwrap()) == (text.clone(), None));
}

#[test]
fn what_was_unpacked_before_it_is_cut_off_is_delivered() {
    let text = text();
    for (name, pack) in PACKERS {
        let packed = pack(&text);
        let (got, damage) = all(input(&packed[..packed.len() - 1]).unwrap());
        assert_eq!(got.len(), text.len(), "{name}: only the end of the file is missing");
        let damage = damage.expect(name);
        assert!(damage.starts_with("'trace' is damaged or cut off: "), "{damage}");
        // Zstandard's blocks have 128 KiB, and half of one is nothing.
        let (got, damage) = all(input(&packed[..packed.len() * 3 / 4]).unwrap());
        assert!(got.len() > text.len() / 3 && text.starts_with(&got), "{name}: {}", got.len());
        assert!(damage.is_some(), "{name}");
    }
}

#[test]
fn what_comes_before_damage_is_delivered() {
    let text = text();
    for (name, pack) in PACKERS {
        let whole = pack(&text);
        // In the second member: the first one is complete.
        let mut damaged = [whole.clone(), whole.clone()].concat();
        for byte in &mut damaged[whole.len() * 3 / 2..][..100] {
            *byte ^= 0x5a;
        }
        let (got, damage) = all(input(damaged).unwrap());
        assert!(got.len() >= text.len() && got.starts_with(&text), "{name}: {}", got.len());
        assert!(damage.is_some(), "{name}");
        // Something else behind it.
        let (got, damage) = all(input([&*whole, b"rubbish, and more of it"].concat()).unwrap());
        assert!(text.starts_with(&got) && got.len() + PIECE >= text.len(), "{name}");
        assert!(damage.is_some(), "{name}");
    }
}

/// The data itself may look good.
#[test]
fn checksums_are_checked() {
    let text = text();
    for (name, pack, behind) in [("gzip", gzip as Pack, 8), ("zstd", zstd, 4)] {
        let mut packed = pack(&text);
        let at = packed.len() - behind;
        packed[at] ^= 1;
        let (got, damage) = all(input(packed).unwrap());
        assert!(damage.is_some() && text.starts_with(&got), "{name}");
    }
}

#[test]
fn where_nothing_can_be_unpacked_it_is_an_error() {
    for (name, pack) in PACKERS {
        let packed = pack(&text());
        let refusal = refusal(input(&packed[..10]));
        assert!(refusal.starts_with("'trace' is damaged or cut off: "), "{name}: {refusal}");
    }
}

#[test]
fn what_is_empty_is_refused() {
    let empty = "'trace' is empty: there is no trace in it";
    assert_eq!(refusal(input("")), empty);
    for (name, pack) in PACKERS {
        assert_eq!(refusal(input(pack(b""))), empty, "{name}");
    }
}

/// One byte at a time, and every other time a signal.
struct Pieces(Cursor<Vec<u8>>, bool);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn pieces_may_be_tiny() {
    let text = text();
    for (name, pack) in [("text", <[u8]>::to_vec as Pack)].into_iter().chain(PACKERS) {
        let pieces = Pieces(Cursor::new(pack(&text)), false);
        let input = Input::new(Name::Stdin, pieces, None).unwrap();
        assert!(all(input) == (text.clone(), None), "{name}");
        // Shorter than any mark.
        let pieces = Pieces(Cursor::new(pack(b"x\n")), false);
        let mut input = Input::new(Name::Stdin, pieces, None).unwrap();
        let mut byte = [0];
        assert_eq!(input.read(&mut byte).unwrap(), 1, "{name}");
        assert_eq!(all(input), (b"\n".to_vec(), None), "{name}");
    }
}

/// A pipe that has a line, and nobody knows when the next one comes.
struct Slow(Option<&'static [u8]>);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().expect("this would wait").read(buffer)
    }
}

#[test]
fn no_more_is_waited_for_than_is_needed() {
    let line = b"# tracer: nop\n";
    let mut input = Input::new(Name::Stdin, Slow(Some(line)), None).unwrap();
    assert_eq!(input.read(&mut [0; 100]).unwrap(), line.len());
}

/// Fails after what it has.
struct Failing(Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::from_raw_os_error(5)),
            read => Ok(read),
        }
    }
}

#[test]
fn an_error_of_reading_is_no_damage() {
    for (name, pack) in [("text", <[u8]>::to_vec as Pack)].into_iter().chain(PACKERS) {
        let mut packed = pack(&text());
        packed.truncate(packed.len() * 3 / 4);
        let mut input = Input::new(Name::Stdin, Failing(Cursor::new(packed)), None).unwrap();
        let error = input.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5), "{name}");
        assert_eq!(input.damage(), None, "{name}");
    }
    let input = Input::new(Name::Stdin, Failing(Cursor::default()), None);
    assert_eq!(refusal(input), "cannot read standard input: Input/output error (os error 5)");
}

/// A decoder that would go on.
struct FailsOnce(bool);

impl Read for FailsOnce {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failed = std::mem::replace(&mut self.0, true);
        if failed { Ok(buffer.len()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

#[test]
fn nothing_is_read_behind_damage() {
    let mut input = input(gzip(b"begin")).unwrap();
    input.rest = Box::new(FailsOnce(false));
    let (text, damage) = all(input);
    assert_eq!(text, b"begin");
    assert!(damage.is_some());
}

#[test]
fn mistakes_are_told_from_text() {
    let trace_cmd = b"\x17\x08\x44tracing6\0\0\0\x08".as_slice();
    assert_eq!(
        refusal(input(trace_cmd)),
        "'trace' is trace-cmd's binary data: run `trace-cmd report trace > trace.txt`"
    );
    for perf in [b"PERFILE2\x68\0\0\0", b"2ELIFREP\0\0\0\x68"] {
        assert_eq!(
            refusal(input(perf)),
            "'trace' is perf's binary data: run `perf script -i trace > trace.txt`"
        );
    }
    assert!(refusal(input("BZh91AY&SY\x12\x34")).contains("`bzip2 -dc trace > trace.txt`"));
    assert!(refusal(input("PK\x03\x04\x14\0")).contains("`unzip trace`"));
    for utf_16 in [b"\xff\xfe#\0 \0", b"\xfe\xff\0#\0 "] {
        let command = "iconv -f UTF-16 -t UTF-8 trace > trace.txt";
        assert_eq!(refusal(input(utf_16)), format!("'trace' is UTF-16 text: run `{command}`"));
    }
    for (name, pack) in PACKERS {
        assert_eq!(
            refusal(input(pack(trace_cmd))),
            "'trace' has trace-cmd's binary data in it: unpack it, then run `trace-cmd report FILE > FILE.txt`",
            "{name}"
        );
    }
}

#[test]
fn perfetto_is_told_from_text() {
    // Two packets, the second one of 200 bytes.
    let packets = [b"\n\x03\x50\x01\x18\n\xc8\x01".as_slice(), &[0; 200]].concat();
    assert!(refusal(input(packets)).contains("`traceconv systrace trace trace.txt`"));
    let texts = [
        "\n",
        "\n\n",
        "\n# tracer: nop\n#\n",
        // A length, and there is a newline where it says, twice.
        "\n\t123456789\n\t123456789\n",
        // Names have any bytes. Once there is a length, too.
        "# tracer: nop\n\u{1}",
        "\n\t123456789 \u{1}",
        "BZh9-12 [000] \n",
    ];
    for text in texts {
        assert_eq!(all(input(text).unwrap()), (text.into(), None));
    }
}

/// It could do harm if it were copied.
#[test]
fn a_name_that_a_shell_would_not_take_as_it_is_is_not_in_the_command() {
    for name in ["a b", "$(reboot)", "-rf", "it's", "-"] {
        let input = Input::new(Name::of(Path::new(name)), Cursor::new("PERFILE2\0\0"), None);
        assert!(refusal(input).ends_with("run `perf script -i FILE > FILE.txt`"), "{name}");
    }
}

#[test]
fn files_and_how_far_they_were_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace.txt");
    let packed = xz(&text());
    fs::write(&path, &packed).unwrap();
    let mut input = open(&path).unwrap();
    let position = input.position();
    assert_eq!(position.len(), Some(packed.len() as u64));
    assert!(position.bytes_read() > 0);
    assert!(input.read_to_end(&mut Vec::new()).unwrap() > packed.len());
    assert_eq!(position.bytes_read(), packed.len() as u64);

    let missing = refusal(open(&dir.path().join("missing")));
    assert!(missing.ends_with("/missing': No such file or directory (os error 2)"), "{missing}");
    let directory = refusal(open(dir.path()));
    assert!(directory.ends_with("' is a directory: name the file in it that has the trace"));
    assert!(refusal(open(Path::new("/dev/null"))).contains("is empty"));
}

/// In a process of its own: this one's standard input is anything.
#[test]
fn a_dash_is_standard_input() {
    const CHILD: &str = "DMA_FENCE_TEST_READS_STDIN";
    if env::var_os(CHILD).is_some() {
        let input = open(Path::new("-")).unwrap();
        let len = input.position().len();
        return println!("<{len:?} {}>", String::from_utf8(all(input).0).unwrap());
    }
    let mut file = tempfile::tempfile().unwrap();
    let packed = gzip(b"a trace");
    file.write_all(&packed).unwrap();
    file.rewind().unwrap();
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&packed).unwrap();
    drop(writer);
    let len = packed.len();
    for (stdin, expected) in [
        (Stdio::from(file), format!("<Some({len}) a trace>")),
        (Stdio::from(reader), "<None a trace>".to_owned()),
    ] {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "input::tests::a_dash_is_standard_input", "--nocapture"]);
        let output = child.env(CHILD, "").stdin(stdin).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(&expected), "{stdout}");
    }
}

/// The kernel says of such files that they are empty.
#[test]
fn a_file_without_a_length_has_text() {
    let input = open(Path::new("/proc/self/status")).unwrap();
    assert_eq!(input.position().len(), None);
    assert!(all(input).0.starts_with(b"Name:"));
}
