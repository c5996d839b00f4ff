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

use super::{Problem, columns, time};
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
    columns::split(line).or_else(|| any(line))
}

/// Whatever it is.
pub(super) fn any(line: &str) -> Option<Prefix<'_>> {
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
