use super::*;
use crate::event::{EventKind, FenceId};

/// Gives no more than so many bytes at once, and before each of them an interruption and an error.
struct Slow<'a>(&'a [u8], usize, u32);

impl Read for Slow<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.2 += 1;
        match self.2 % 3 {
            1 => return Err(io::ErrorKind::Interrupted.into()),
            2 => return Err(io::ErrorKind::WouldBlock.into()),
            _ => {}
        }
        let len = self.1.min(to.len());
        self.0.read(&mut to[..len])
    }
}

/// Each event's thread, timeline and fence, and what was counted.
fn read(text: &[u8], at_once: usize) -> (Vec<(String, String, Option<FenceId>)>, Tally) {
    let mut reader = Reader::new(Slow(text, at_once, 0));
    let mut events = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(Line::Event(event))) => {
                let EventKind::Fence { timeline, fence, .. } = event.kind else {
                    panic!("{event:?}")
                };
                events.push((event.task.comm.to_owned(), timeline.to_owned(), fence));
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    (events, reader.tally().clone())
}

/// Read in pieces of several sizes, it says the same.
fn events(text: &[u8]) -> (Vec<(String, String, Option<FenceId>)>, Tally) {
    let all = read(text, usize::MAX);
    for at_once in [1, 7, 4096] {
        assert_eq!(read(text, at_once), all, "{at_once}: {}", text.escape_ascii());
    }
    all
}

const A: &str =
    "              a1-50      [001] .....     9.000001: dma_fence_init: driver=d timeline=";

fn is(text: &str, expected: &[(&str, &str, u32)], malformed: &[(u64, Problem)]) {
    let (events, tally) = events(text.as_bytes());
    let seen: Vec<_> = events
        .iter()
        .map(|(comm, timeline, fence)| (&**comm, &**timeline, fence.expect("a fence").seqno))
        .collect();
    assert_eq!(seen, expected, "{text}");
    assert_eq!(tally.first_malformed, malformed, "{text}");
    assert_eq!(tally.malformed, malformed.len() as u64);
    assert_eq!(tally.events, expected.len() as u64);
}

#[test]
fn lines_with_all_ends() {
    let one = |end: &str| format!("{A}t context=1 seqno=1{end}");
    let both = [("a1", "t", 1), ("a1", "t", 1)];
    is(&(one("\n") + &one("\n")), &both, &[]);
    is(&(one("\r\n") + &one("\r\n")), &both, &[]);
    is(&(one("\n\n\n") + &one("")), &both, &[]);
    is("", &[], &[]);
}

#[test]
fn timelines_with_newlines() {
    let good = format!("{A}t context=1 seqno=2\n");
    let (bad, a) = (("a1", "bad\nring", 1), ("a1", "t", 2));
    is(&format!("{A}bad\nring context=1 seqno=1\n{good}"), &[bad, a], &[]);
    is(&format!("{A}bad\nring context=1 seqno=1"), &[bad], &[]);
    is(&format!("{A}a\n\nb\nc context=1 seqno=1\n"), &[("a1", "a\n\nb\nc", 1)], &[]);
    // The rest imitates an event; without what stands before one, it is none.
    let event = "dma_fence_signaled: driver=x timeline=y context=7 seqno=9";
    is(&format!("{A}a\n{event} context=1 seqno=1\n"), &[("a1", &format!("a\n{event}"), 1)], &[]);
    // Nothing completes it.
    is(&format!("{A}bad\n{good}"), &[a], &[(1, Problem::Unfinished)]);
    let both = [(1, Problem::Unfinished), (3, Problem::Unfinished)];
    is(&format!("{A}bad\n# comment\n{A}cut"), &[], &both);
    is(&format!("{A}bad\nCPU:0 [LOST 1 EVENTS]\n{good}"), &[a], &[(1, Problem::Unfinished)]);
    // What the library adds belongs to the rest.
    is(&format!("{A}bad\nring context=1 seqno=1 error=-5\n{good}"), &[bad, a], &[]);
    // The beginning imitates the whole.
    let stray = format!("{A}x context=9 seqno=9\ny context=1 seqno=1\n{good}");
    is(&stray, &[("a1", "x", 9), a], &[(2, Problem::Stray)]);
}

#[test]
fn threads_with_newlines() {
    let rest = "[001] ..... 9.000001: dma_fence_init: driver=d timeline=t context=1 seqno=1";
    is(&format!("        bad\nring-51      {rest}\n"), &[("bad\nring", "t", 1)], &[]);
    is(&format!("        bad\nring   51      {rest}\n"), &[("bad\nring", "t", 1)], &[]);
    // It does not fill the column: the line before is somebody else's.
    is(&format!("         bad\nring-51      {rest}\n"), &[("ring", "t", 1)], &[]);
    is(&format!("bad\nthe-rings-12-51      {rest}\n"), &[("the-rings-12", "t", 1)], &[]);
    is(&format!("        bad\n\nring-51      {rest}\n"), &[("ring", "t", 1)], &[]);
}

#[test]
fn long_lines() {
    let good = format!("{A}t context=1 seqno=2\n");
    let a = ("a1", "t", 2);
    for len in [LONGEST - 1, LONGEST, LONGEST + 1, ROOM, 3 * ROOM + 5] {
        let long = "x".repeat(len);
        let malformed = if len > LONGEST { &[(2, Problem::TooLong)][..] } else { &[] };
        is(&format!("{good}{long}\n{good}"), &[a, a], malformed);
        is(&format!("{good}{long}"), &[a], malformed);
        // After a line that needs another.
        let unfinished = [(2, Problem::Unfinished), (3, Problem::TooLong)];
        if len > LONGEST {
            is(&format!("{good}{A}bad\n{long}\n{good}"), &[a, a], &unfinished);
        }
    }
}

/// A record that never ends does not grow for ever.
#[test]
fn endless_records() {
    let text = format!("{A}bad\n{}{A}t context=1 seqno=2\n", "rest\n".repeat(100_000));
    let (events, tally) = read(text.as_bytes(), usize::MAX);
    assert_eq!((events.len(), tally.malformed, tally.lines), (1, 1, 100_002));
}

#[test]
fn few_malformed_lines_are_remembered() {
    let text = format!("{A}t context=1 seqno=99999999999999999999\n").repeat(1000);
    let (events, tally) = events(text.as_bytes());
    assert_eq!((events.len(), tally.malformed, tally.lines), (0, 1000, 1000));
    let first: Vec<_> = (1..=REMEMBERED as u64).map(|line| (line, Problem::Number)).collect();
    assert_eq!(tally.first_malformed, first);
}

/// An error is the caller's, who may go on.
#[test]
fn errors() {
    struct Fails(bool);
    impl Read for Fails {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 { Err(io::ErrorKind::WouldBlock.into()) } else { (&b"cpus=2\n"[..]).read(to) }
        }
    }
    let mut reader = Reader::new(Fails(false));
    assert_eq!(reader.next().expect_err("the first").kind(), io::ErrorKind::WouldBlock);
    assert_eq!(reader.next().expect("the second"), Some(Line::Foreign));
}
