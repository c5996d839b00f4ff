//! `driver=%s timeline=%s context=%u seqno=%u`
//!
//! Names contain anything, `seqno=4` too. So the numbers are looked for from the end, and a name goes
//! on until the next of the keys that were found.

use super::{Problem, keys};
use crate::event::{EventKind, FenceId, FenceStep};
use memchr::memchr_iter;

/// A number and where its key begins.
type Found = (usize, u64);

pub(super) fn read(step: FenceStep, body: &str) -> Result<EventKind<'_>, Problem> {
    let numbers = Numbers::find(body)?;
    let (seqno_at, seqno) = numbers.seqno.ok_or(Problem::Unfinished)?;
    let context_at = numbers.context.map(|(at, _)| at);
    let driver = key(body, "driver=");
    let timeline = key(body, "timeline=");
    let starts = [driver.map(|(at, _)| at), timeline.map(|(at, _)| at), context_at, Some(seqno_at)];
    let name = |key: Option<(usize, usize)>| {
        let Some((_, value)) = key else { return "" };
        let end = starts.into_iter().flatten().filter(|at| *at >= value).min();
        body[value..end.unwrap_or(body.len())].trim_end_matches(' ')
    };
    // Schedulers count to 2⁶⁴, fences' events to 2³²: all are compared modulo 2³².
    let fence = numbers
        .context
        .map(|(_, context)| FenceId { context: context as u32, seqno: seqno as u32 });
    Ok(EventKind::Fence { step, driver: name(driver), timeline: name(timeline), fence })
}

/// Whether a line ends as these events do.
pub(super) fn ends_like_one(line: &str) -> bool {
    let word = line.bytes().rposition(|byte| byte == b' ').map_or(0, |blank| blank + 1);
    keys::number(&line[word..], "seqno").is_some()
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
