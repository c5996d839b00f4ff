//! What stands before an event where it has the columns that the kernel and `trace-cmd report` give it.
//!
//! ```text
//!     kworker/u128:0-11      (     45) [001] d..1.     9.578000: dma_fence_signaled: …
//!     kworker/u128:0-11      [001]     9.578000: dma_fence_signaled:   …
//! ```
//!
//! A thread's name is in the first 16 bytes, whatever it contains, so this can be read forwards, and quickly:
//! nearly all lines are like this. It is a short cut of [`prefix`](super::prefix), not another opinion.

use super::{prefix::Prefix, without_blanks};
use crate::event::Task;

/// How wide a thread's name is printed.
const NAME: usize = 16;

/// Splits a line. `None` if there is anything unusual about it.
pub(super) fn split(line: &str) -> Option<Prefix<'_>> {
    let (name, rest) = line.as_bytes().split_first_chunk::<NAME>()?;
    let (pid, rest) = number(rest.strip_prefix(b"-")?)?;
    let rest = behind_group(behind_blanks(rest)?)?;
    let (cpu, rest) = rest.strip_prefix(b"[")?.split_first_chunk::<3>()?;
    let rest = behind_blanks(behind_flags(rest.strip_prefix(b"]")?)?)?;
    let (seconds, rest) = number(rest)?;
    let (nanos, rest) = part_of_second(rest.strip_prefix(b".")?)?;
    let event = &line[line.len() - rest.strip_prefix(b": ")?.len()..];
    Some(Prefix {
        task: Task { comm: &line[trimmed(name)?], pid: Some(pid) },
        cpu: Some(digits(cpu)?),
        time: Ok(u64::from(seconds) * 1_000_000_000 + u64::from(nanos)),
        event: without_blanks(event),
    })
}

/// Where the name is, without blanks around it. `None` if it could be taken for a time with its event.
fn trimmed(name: &[u8; NAME]) -> Option<std::ops::Range<usize>> {
    let all = u128::from_le_bytes(*name);
    let (blanks, colons) = (equal(all, b' '), equal(all, b':'));
    if (colons << 8) & blanks != 0 {
        return None;
    }
    let others = all ^ each(b' ');
    let start = others.trailing_zeros() as usize / 8;
    let end = NAME - others.leading_zeros() as usize / 8;
    Some(start.min(end)..end)
}

/// The byte, sixteen times.
const fn each(byte: u8) -> u128 {
    u128::from_le_bytes([byte; NAME])
}

/// The highest bit of each byte that is this one, and of some behind those.
fn equal(all: u128, byte: u8) -> u128 {
    let zeros = all ^ each(byte);
    zeros.wrapping_sub(each(1)) & !zeros & each(0x80)
}

/// The number at the beginning, and what is behind it; nine digits at most, so that nothing overflows.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0;
    for (len, byte) in text.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (len > 0).then(|| (number, &text[len..]));
        }
        number = number.wrapping_mul(10).wrapping_add(u32::from(digit));
    }
    None
}

/// A number that has just these digits.
fn digits<const N: usize>(text: &[u8; N]) -> Option<u32> {
    let digits = text.map(|byte| u32::from(byte.wrapping_sub(b'0')));
    let number = digits.iter().fold(0, |number, digit| number * 10 + digit);
    digits.iter().all(|digit| *digit < 10).then_some(number)
}

/// Micro- or nanoseconds, in nanoseconds.
fn part_of_second(text: &[u8]) -> Option<(u32, &[u8])> {
    let (micros, rest) = text.split_first_chunk::<6>()?;
    let micros = digits(micros)? * 1000;
    match rest.split_first_chunk::<3>() {
        Some((nanos, rest)) if nanos[0] != b':' => Some((micros + digits(nanos)?, rest)),
        _ => Some((micros, rest)),
    }
}

/// At least one.
fn behind_blanks(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().position(|byte| *byte != b' ')?;
    (len > 0).then(|| &text[len..])
}

/// Without `(     45) ` or `(-------) `, if that is there.
fn behind_group(text: &[u8]) -> Option<&[u8]> {
    let Some(group) = text.strip_prefix(b"(") else { return Some(text) };
    let (group, rest) = group.split_first_chunk::<7>()?;
    let blanks = group.iter().take_while(|byte| **byte == b' ').count();
    let is_number = blanks < group.len() && group[blanks..].iter().all(u8::is_ascii_digit);
    (is_number || group == b"-------").then(|| rest.strip_prefix(b") "))?
}

/// Without ` d..1.`, if that is there.
fn behind_flags(text: &[u8]) -> Option<&[u8]> {
    let (flags, rest) = text.strip_prefix(b" ")?.split_first_chunk::<5>()?;
    let is_flag = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
    let has_flags = rest.first() == Some(&b' ') && flags.iter().all(is_flag);
    Some(if has_flags { rest } else { text })
}

#[cfg(test)]
mod tests {
    use super::super::prefix;
    use super::*;

    const NAMES: [&str; 18] = [
        "a",
        "",
        " a b ",
        "X:cs0",
        "X: cs0",
        "a: 1.000000: b",
        "x-1 1.000000: y",
        "[000] 1.000000:",
        "x-1 1.000000:",
        ":",
        "a-12",
        "a (     45)",
        "a\t",
        "kworker/u16:5+ev",
        "\u{a0}é",
        "\u{1}: ",
        " \u{21}\u{3b}\u{21}",
        "fifteen bytes  é",
    ];
    const NUMBERS: [&str; 7] = ["-1", "-123456789", "-1234567890", "-", " 1", "--1", "-9 7"];
    const GROUPS: [&str; 11] = [
        "",
        "  ",
        " (     45)",
        " (-------)",
        "(     45)",
        " (  4  5)",
        " (       )",
        " (\t    45)",
        " (1234567)",
        " (12345678)",
        " (     45",
    ];
    const CPUS: [&str; 6] = ["[123]", "[1]", "[0123]", "[00x]", "(001)", "[001"];
    const FLAGS: [&str; 10] = [
        "", " .....", " d..1.", " 1dN.2.", " ....", " .. ..", "\t.....", " ...:.", "  .....",
        ".....",
    ];
    const TIMES: [&str; 13] = [
        " 1.000000",
        "   9.520493001",
        " 12345.678901",
        " 1.00000",
        " 1.0000000",
        " 1.0000000000",
        " 999999999.999999999",
        " 1234567890.000000",
        " 1",
        " .000000",
        " 1.0x0000",
        " -1.000000",
        "\t1.000000",
    ];
    const EVENTS: [&str; 4] = [":    x: 2.000000: y", ": ", ":x", " : x"];

    #[test]
    fn the_quick_way_leads_to_the_same() {
        let mut quick = 0;
        for name in NAMES {
            for number in NUMBERS {
                for group in GROUPS {
                    for (cpu, flags) in CPUS.iter().flat_map(|cpu| FLAGS.map(|flags| (cpu, flags)))
                    {
                        let head = format!("{name:>NAME$}{number}{group} {cpu}{flags}");
                        for time in TIMES {
                            for event in EVENTS {
                                quick += usize::from(is_same(&format!("{head}{time}{event}")));
                            }
                        }
                    }
                }
            }
        }
        assert!(quick > 1000, "{quick}");
    }

    /// Whether there is a quick way.
    fn is_same(line: &str) -> bool {
        let Some(quick) = split(line) else { return false };
        assert_eq!(Some(quick), prefix::any(line), "{line}");
        true
    }

    #[test]
    fn usual_lines_take_it() {
        for line in [
            "  kworker/u128:0-11      (     45) [001] d..1.     9.578000: dma_fence_signaled: x",
            "          <idle>-0       (-------) [001] d.h2.     9.578000: dma_fence_signaled: x",
            "  gnome-s:disk$0-1000    [000] .....  2077.029244: dma_fence_wait_end: x",
            "        Xorg:cs0-52      [001]     9.578000: dma_fence_init:       x",
            "        Xorg:cs0-52      [001]     9.578000123: dma_fence_init:       x",
        ] {
            assert!(is_same(line), "{line}");
        }
    }
}
