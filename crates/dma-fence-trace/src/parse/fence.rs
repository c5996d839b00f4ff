//! `driver=%s timeline=%s context=%u seqno=%u`, and what the library adds: ` error=%d`, ` member=%u:%u`
//!
//! Names contain anything, `seqno=4` too. So the numbers are looked for from the end, and a name goes
//! on until the next of the keys that were found. What is added counts only right behind the last number.

use super::{Problem, keys};
use crate::event::{EventKind, FenceId, FenceStep};
use memchr::{memchr, memchr_iter};

/// A number and where its key begins.
type Found = (usize, u64);

pub(super) fn read(step: FenceStep, body: &str) -> Result<EventKind<'_>, Problem> {
    usual(step, body).map_or_else(|| any(step, body), Ok)
}

/// As nearly all are: quickly. `None` if there is anything unusual about it.
fn usual(step: FenceStep, body: &str) -> Option<EventKind<'_>> {
    let names = body.strip_prefix("driver=")?;
    let (names, seqno) = number_behind(names, " seqno=")?;
    let (names, context) = number_behind(names, " context=")?;
    let blank = memchr(b' ', names.as_bytes())?;
    let timeline = names[blank + 1..].strip_prefix("timeline=")?.trim_end_matches(' ');
    let fence = Some(FenceId { context, seqno });
    Some(EventKind::Fence { step, driver: &names[..blank], timeline, fence, seqno, error: None })
}

/// The number at the end, and what is before its key.
fn number_behind<'a>(text: &'a str, key: &str) -> Option<(&'a str, u32)> {
    let (mut number, mut place) = (0_u32, 1_u32);
    // With more digits it may have more than 32 bits.
    for (len, byte) in text.bytes().rev().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let before = text[..text.len() - len].strip_suffix(key)?;
            return (len > 0).then_some((before, number));
        }
        number = number.wrapping_add(place.wrapping_mul(u32::from(digit)));
        place = place.wrapping_mul(10);
    }
    None
}

/// Whatever it is.
fn any(step: FenceStep, body: &str) -> Result<EventKind<'_>, Problem> {
    let numbers = Numbers::find(body)?;
    let (seqno_at, seqno) = numbers.seqno.ok_or(Problem::Unfinished)?;
    let error = keys::added(body, seqno_at, "error=").and_then(error);
    let context_at = numbers.context.map(|(at, _)| at);
    let driver = key(body, "driver=");
    let timeline = key(body, "timeline=");
    let starts = [driver.map(|(at, _)| at), timeline.map(|(at, _)| at), context_at, Some(seqno_at)];
    let name = |key: Option<(usize, usize)>| {
        let Some((_, value)) = key else { return "" };
        let end = starts.into_iter().flatten().filter(|at| *at >= value).min();
        body[value..end.unwrap_or(body.len())].trim_end_matches(' ')
    };
    let (driver, timeline) = (name(driver), name(timeline));
    let (fence, seqno) = (numbers.fence(), seqno as u32);
    Ok(EventKind::Fence { step, driver, timeline, fence, seqno, error })
}

pub(super) fn read_member(body: &str) -> Result<EventKind<'_>, Problem> {
    let numbers = Numbers::find(body)?;
    let (seqno_at, _) = numbers.seqno.ok_or(Problem::Unfinished)?;
    let container = numbers.fence().ok_or(Problem::Unfinished)?;
    let member = keys::added(body, seqno_at, "member=").ok_or(Problem::Unfinished)?;
    let member = member_id(member).ok_or(Problem::Unfinished)??;
    Ok(EventKind::Member { container, member })
}

/// Whether a line ends as these events do.
pub(super) fn ends_like_one(line: &str) -> bool {
    let (before, word) = last_word(line);
    let added = word.strip_prefix("error=").is_some_and(|text| error(text).is_some())
        || word.strip_prefix("member=").is_some_and(|text| member_id(text).is_some());
    let word = if added { last_word(before).1 } else { word };
    keys::number(word, "seqno").is_some()
}

/// What is before the last blank, and after it.
fn last_word(text: &str) -> (&str, &str) {
    let blank = text.bytes().rposition(|byte| byte == b' ');
    blank.map_or(("", text), |blank| (&text[..blank], &text[blank + 1..]))
}

/// `-125`
fn error(text: &str) -> Option<i32> {
    keys::digits(text.strip_prefix('-').unwrap_or(text))?.ok()?;
    text.parse().ok()
}

/// `5:1`
fn member_id(text: &str) -> Option<Result<FenceId, Problem>> {
    let (context, seqno) = text.split_once(':')?;
    let (context, seqno) = (keys::digits(context)?, keys::digits(seqno)?);
    Some(context.and_then(|context| Ok(id(context, seqno?))))
}

/// Schedulers count to 2⁶⁴, fences' events to 2³²: all are compared modulo 2³².
fn id(context: u64, seqno: u64) -> FenceId {
    FenceId { context: context as u32, seqno: seqno as u32 }
}

#[derive(Default)]
struct Numbers {
    context: Option<Found>,
    seqno: Option<Found>,
}

impl Numbers {
    /// The last of each.
    fn find(body: &str) -> Result<Self, Problem> {
        let mut found = Self::default();
        let mut end = body.len();
        while found.context.is_none() || found.seqno.is_none() {
            let at =
                body[..end].bytes().rposition(|byte| byte == b' ').map_or(0, |blank| blank + 1);
            found.note(at, &body[at..end])?;
            let Some(blank) = at.checked_sub(1) else { break };
            end = blank;
        }
        Ok(found)
    }

    fn fence(&self) -> Option<FenceId> {
        Some(id(self.context?.1, self.seqno?.1))
    }

    fn note(&mut self, at: usize, word: &str) -> Result<(), Problem> {
        if self.seqno.is_none()
            && let Some(seqno) = keys::number(word, "seqno")
        {
            self.seqno = Some((at, seqno?));
        } else if self.context.is_none()
            && let Some(context) = keys::number(word, "context").or(keys::number(word, "ctx"))
        {
            self.context = Some((at, context?));
        }
        Ok(())
    }
}

/// Where the first such key begins, and where its value does.
fn key(body: &str, key: &str) -> Option<(usize, usize)> {
    let words = memchr_iter(b' ', body.as_bytes()).map(|blank| blank + 1);
    let at = std::iter::once(0).chain(words).find(|at| body[*at..].starts_with(key))?;
    Some((at, at + key.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quick way is a short cut, not another opinion.
    #[test]
    fn the_quick_way_leads_to_the_same() {
        let names = [
            "",
            "a",
            "a b",
            " a",
            "a ",
            "timeline=",
            "driver=x",
            "context=7",
            "seqno=1",
            "a seqno=4 context=1",
        ];
        let numbers = [
            "",
            "0",
            "7",
            "123456789",
            "4294967295",
            "4294967296",
            "99999999999999999999",
            "-1",
            "1,",
            " 1",
        ];
        let mut quick = 0;
        for driver in names {
            for timeline in names {
                for context in numbers {
                    for seqno in numbers {
                        for tail in ["", " ", " error=-5", "x"] {
                            let body = format!(
                                "driver={driver} timeline={timeline} context={context} seqno={seqno}{tail}"
                            );
                            let Some(event) = usual(FenceStep::Init, &body) else { continue };
                            assert_eq!(Ok(event), any(FenceStep::Init, &body), "{body}");
                            quick += 1;
                        }
                    }
                }
            }
        }
        assert!(quick > 500, "{quick}");
    }
}
