//! What stands before every event: who, where, when.
//!
//! ```text
//!     kworker/u128:0-11      (     45) [001] d..1.     9.578000: dma_fence_signaled: …   tracefs
//!     kworker/u128:0-11      [001]     9.578000: dma_fence_signaled:   …                 trace-cmd report
//! kworker/-11     1d..1.     9.578000: dma_fence_signaled:   …                           trace-cmd report -l
//!     kworker/u128:0    11 [001]     9.578000:     dma_fence:dma_fence_signaled: …       perf script
//! ```
//!
//! The names of threads contain anything, so it is read backwards from the time. The first time
//! counts: what follows is the event's, and may be an imitation.

use super::{Problem, time, without_blanks};
use crate::event::Task;
use memchr::memchr_iter;

#[derive(PartialEq, Debug)]
pub(super) struct Prefix<'a> {
    pub(super) task: Task<'a>,
    pub(super) cpu: Option<u32>,
    pub(super) time: Result<u64, Problem>,
    /// The event's name and what it says.
    pub(super) event: &'a str,
}

/// Splits a line, if it is an event's.
pub(super) fn split(line: &str) -> Option<Prefix<'_>> {
    usual(line).or_else(|| any(line))
}

/// As nearly all are: quickly. `None` if there is anything unusual about it.
fn usual(line: &str) -> Option<Prefix<'_>> {
    let bytes = line.as_bytes();
    // The first that can be the one.
    let colon = memchr_iter(b':', bytes).find(|colon| bytes.get(colon + 1) == Some(&b' '))?;
    let event = without_blanks(&line[colon + 2..]);
    let (head, time) = time_behind(&bytes[..colon])?;
    let (head, cpu) = cpu_behind(without_flags(head)?)?;
    let last = bytes[..head].iter().rposition(|byte| *byte != b' ')?;
    let text = &line[..last + 1];
    let task = usual_task(text).or_else(|| task(text))?;
    Some(Prefix { task, cpu: Some(cpu), time: Ok(time), event })
}

/// `COMM-PID`
fn usual_task(text: &str) -> Option<Task<'_>> {
    let bytes = text.as_bytes();
    let dash = bytes.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let number = &bytes[dash + 1..];
    if bytes[dash] != b'-' || !(1..10).contains(&number.len()) {
        return None;
    }
    let is_name = |byte: &u8| *byte != b' ';
    let name = match bytes[..dash].iter().position(is_name) {
        Some(first) => &text[first..=bytes[..dash].iter().rposition(is_name)?],
        None => "",
    };
    Some(Task { comm: name, pid: Some(digits(number)? as u32) })
}

/// `9.578000` at the end, in nanoseconds, and what is before it.
fn time_behind(head: &[u8]) -> Option<(&[u8], u64)> {
    let (head, micros) = head.split_last_chunk::<6>()?;
    let (head, part) = match head.strip_suffix(b".") {
        Some(head) => (head, digits(micros)? * 1000),
        None => {
            let (head, millis) = head.split_last_chunk::<3>()?;
            (head.strip_suffix(b".")?, digits(millis)? * 1_000_000 + digits(micros)?)
        }
    };
    let blank = head.iter().rposition(|byte| *byte == b' ')?;
    let whole = &head[blank + 1..];
    // Nine digits at most, so that nothing overflows.
    if !(1..10).contains(&whole.len()) {
        return None;
    }
    Some((&head[..blank], digits(whole)? * 1_000_000_000 + part))
}

/// Without `d..1.`, if that is there.
fn without_flags(head: &[u8]) -> Option<&[u8]> {
    let head = head.trim_ascii_end();
    if head.last() == Some(&b']') {
        return Some(head);
    }
    let blank = head.iter().rposition(|byte| *byte == b' ')?;
    let flags = &head[blank + 1..];
    let usual = flags.len() == 5 && flags.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'.');
    usual.then(|| head[..blank].trim_ascii_end())
}

/// The number in `[001]` at the end, and where it begins.
fn cpu_behind(head: &[u8]) -> Option<(usize, u32)> {
    let inner = head.strip_suffix(b"]")?;
    let open = inner.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let number = &inner[open + 1..];
    let usual = inner[open] == b'[' && open > 0 && inner[open - 1] == b' ' && number.len() == 3;
    usual.then(|| Some((open, digits(number)? as u32)))?
}

fn digits(text: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    text.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
}

/// Whatever it is.
fn any(line: &str) -> Option<Prefix<'_>> {
    // Second, because a name could imitate it: see `time::seconds`.
    split_at(line, time::seconds).or_else(|| split_at(line, time::counter))
}

fn split_at(line: &str, time: impl Fn(&str) -> Option<Result<u64, Problem>>) -> Option<Prefix<'_>> {
    memchr_iter(b':', line.as_bytes()).find_map(|colon| {
        let event = line[colon + 1..].strip_prefix(' ')?;
        let (head, stamp) = last_word(&line[..colon])?;
        let time = time(stamp)?;
        let (task, cpu) = who_and_where(head)?;
        Some(Prefix { task, cpu, time, event: event.trim_start_matches(' ') })
    })
}

/// What is before the last blanks, and after them.
fn last_word(text: &str) -> Option<(&str, &str)> {
    let blank = text.bytes().rposition(|byte| byte == b' ')?;
    Some((text[..blank].trim_end_matches(' '), &text[blank + 1..]))
}

fn who_and_where(head: &str) -> Option<(Task<'_>, Option<u32>)> {
    let (before, last) = last_word(head)?;
    if let Some(cpu) = in_brackets(last) {
        return Some((task(before)?, Some(cpu)));
    }
    if let Some((who, cpu)) = last_word(before)
        && let Some(cpu) = in_brackets(cpu)
        && is_flags(last)
    {
        return Some((task(who)?, Some(cpu)));
    }
    if let Some(cpu) = glued_to_flags(last) {
        return Some((task(before)?, Some(cpu)));
    }
    // `perf script -F comm,pid,time,event,trace`
    Some((task(head)?, None))
}

/// `[001]`
fn in_brackets(word: &str) -> Option<u32> {
    number(word.strip_prefix('[')?.strip_suffix(']')?)
}

/// `d..1.`; four, five or six of them, and one more where a depth has two digits.
fn is_flags(word: &str) -> bool {
    (4..=7).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// `1dN.2.`: a flag is a digit only where it counts, and it does not count at first.
fn glued_to_flags(word: &str) -> Option<u32> {
    let flags = word.find(|c: char| !c.is_ascii_digit())?;
    is_flags(&word[flags..]).then(|| number(&word[..flags]))?
}

/// `COMM-PID`, `COMM-PID (TGID)`, `COMM PID` or `COMM TGID/PID`
fn task(text: &str) -> Option<Task<'_>> {
    let (name, pid) = last_number(without_group(text))?;
    let comm = if let Some(comm) = name.strip_suffix('-') {
        comm
    } else if let Some(group) = name.strip_suffix('/') {
        last_number(group)?.0.strip_suffix(' ')?
    } else {
        name.strip_suffix(' ')?
    };
    Some(Task { comm: comm.trim_matches(' '), pid: Some(pid) })
}

/// Without `(     45)` or `(-------)`.
fn without_group(text: &str) -> &str {
    let group = || {
        let (name, group) = text.strip_suffix(')')?.rsplit_once('(')?;
        let known = number(group.trim_start_matches(' ')).is_some();
        (known || group.bytes().all(|byte| byte == b'-')).then_some(name.trim_end_matches(' '))
    };
    group().unwrap_or(text)
}

fn last_number(text: &str) -> Option<(&str, u32)> {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((name, number(&text[name.len()..])?))
}

/// Not `parse` alone, which takes a sign too.
fn number(digits: &str) -> Option<u32> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quick way is a short cut, not another opinion.
    #[test]
    fn the_quick_way_leads_to_the_same() {
        let tasks = [
            "a-1",
            " a b-12 ",
            "a-1 (     45)",
            "<idle>-0 (-------)",
            "a: 1.000000: b-1",
            "X:cs0-7",
            "a: b-7",
            "a [001] ..... 1.000000-7",
            "a    11",
            "a 4/11",
            "-1",
            "  -1",
            "a-1234567890",
            "a",
            "x\t-1 ",
            "\u{a0}-1",
        ];
        let cpus = ["[000]", "[1]", "[0123]", "[]", "[00x]", "(001)", "1"];
        let flags = ["", " .....", " d..1.", " 1dN.2.", " ....", " .. ..", "\t.....", " ...:."];
        let times = [
            "1.000000",
            "9.520493001",
            "1.00000",
            "1.0000000",
            "12345678901.000000",
            "1",
            ".000000",
            "1.0x0000",
            "-1.000000",
        ];
        let mut quick = 0;
        for task in tasks {
            for cpu in cpus {
                for flags in flags {
                    for time in times {
                        for event in [": x: y", ":x", ":  dma: 2.000000: z", " : x", ""] {
                            let line = format!("{task} {cpu}{flags}    {time}{event}");
                            let Some(prefix) = usual(&line) else { continue };
                            assert_eq!(Some(prefix), any(&line), "{line}");
                            quick += 1;
                        }
                    }
                }
            }
        }
        assert!(quick > 50, "{quick}");
    }
}
