//! Captures with random damage: nothing panics, everything ends, and each line is counted once.

mod common;

use common::{capture, captures};
use dma_fence_trace::{Line, Parser, Reader};

/// xorshift64: the same damage every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Pieces that mean something to the parser.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b" ",
    b":",
    b": ",
    b"=",
    b"-",
    b"[",
    b"]",
    b"(",
    b")",
    b"/",
    b",",
    b".",
    b"\0",
    b"\xff",
    b"\xe6\x97",
    "日".as_bytes(),
    b"18446744073709551616",
    b"context=",
    b" seqno=1",
    b" ctx=1",
    b"timeline=",
    b"driver=",
    b"fence=",
    b"fence=(",
    b"fence=1:",
    b"ring=",
    b"dev=",
    b" error=-5",
    b" member=1:1",
    b"dma_fence_member: ",
    b"depends ",
    b"dependencies:{",
    b"id=",
    b" [000]",
    b" 1.000000: ",
    b" 1: ",
    b"dma_fence_init: ",
    b"drm_sched_job_queue: ",
    b"CPU:1 [LOST ",
    b"##### CPU ",
    b"# entries-in-buffer/entries-written: ",
];

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(12)).min(bytes.len());
    match random.below(4) {
        0 => drop(bytes.drain(at..end)),
        1 => bytes[at..end].fill_with(|| random.below(256) as u8),
        2 => bytes.extend_from_within(at..end),
        _ => {
            let piece = PIECES[random.below(PIECES.len())];
            bytes.splice(at..end.min(at + 2), piece.iter().copied());
        }
    }
}

#[test]
fn damaged_lines() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut parser = Parser::new();
    let mut understood = 0;
    let mut refused = 0;
    for file in captures() {
        let bytes = capture(&file);
        // The first few hundred: large captures have many lines of few kinds.
        for line in bytes.split(|byte| *byte == b'\n').take(300) {
            for _ in 0..20 {
                let mut line = line.to_vec();
                for _ in 0..=random.below(4) {
                    damage(&mut line, &mut random);
                }
                match parser.line(&line) {
                    Line::Event(_) => understood += 1,
                    _ => refused += 1,
                }
            }
        }
    }
    assert!(understood > 1_000 && refused > 1_000, "{understood} understood, {refused} refused");
}

#[test]
fn damaged_traces() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for file in captures().iter().filter(|file| *file != "busy.txt") {
        let mut bytes = capture(file);
        bytes.truncate(200_000);
        for _ in 0..bytes.len() / 200 {
            damage(&mut bytes, &mut random);
        }
        let mut reader = Reader::new(&bytes[..]);
        let mut lines = 0;
        let expected = count_lines(&bytes);
        while reader.next().expect("a slice cannot fail").is_some() {
            lines += 1;
            assert!(lines <= expected, "{file}: it goes on");
        }
        let tally = reader.tally();
        assert_eq!((tally.lines, lines), (expected, expected), "{file}");
        assert!(tally.events > 0 && tally.malformed > 0, "{file}: {tally:?}");
        assert!(tally.first_malformed.iter().all(|(line, _)| (1..=lines).contains(line)), "{file}");
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    let newlines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    newlines + u64::from(bytes.last().is_some_and(|byte| *byte != b'\n'))
}
