//! The scheduler's events, of three generations.
//!
//! ```text
//! entity=%p, id=%llu, fence=%p, ring=%s, job count:%u, hw job count:%d
//! job ring=%s, id=%llu, depends fence=%p, context=%llu, seq=%u
//! id=%llu, fence=(context:%llu, seqno:%llu), ring=%s, job count:%u, hw job count:%d, dependencies:{…}
//! dev=%s, fence=%llu:%llu, ring=%s, job count:%u, hw job count:%d, client_id:%llu
//! fence=%llu:%llu depends on fence=%llu:%llu
//! ```

use super::{Problem, keys};
use crate::event::{EventKind, FenceId, JobStep};
use memchr::memmem;

pub(super) fn read(step: JobStep, body: &str) -> Result<EventKind<'_>, Problem> {
    let (own, on) = dependency(body);
    let (device, own) = split_device(own);
    let (before, ring, behind) = split_ring(own);
    let value = |name| key(before, name).or_else(|| key(behind, name));
    let device = device.or_else(|| value("dev=")?.split(", ").next()).unwrap_or_default();
    let reference = value("fence=").map(Reference::read).transpose()?.unwrap_or_default();
    let id = value("id=").and_then(first_number).transpose()?;
    let on = on.map(depended_on).transpose()?.flatten();
    let nameless = reference == Reference::default() && id.is_none();
    let depends = matches!(step, JobStep::AddDep | JobStep::Unschedulable);
    if nameless || (depends && on.is_none()) {
        return Err(Problem::Unfinished);
    }
    let Reference { fence, pointer } = reference;
    Ok(EventKind::Job { step, fence, pointer, id, device, ring, on })
}

/// What is said about the job, and about what it depends on.
fn dependency(body: &str) -> (&str, Option<&str>) {
    // From the end: a ring's name contains anything.
    let split = ["depends ", "dependencies:"].into_iter().find_map(|word| body.rsplit_once(word));
    split.map_or((body, None), |(own, on)| (own, Some(on)))
}

/// Of several dependencies the first. (Only a generation that was never released lists several.)
fn depended_on(text: &str) -> Result<Option<FenceId>, Problem> {
    if let Some(value) = key(text, "fence=") {
        let fence = Reference::read(value)?.fence;
        if fence.is_some() {
            return Ok(fence);
        }
    }
    // The pointer's digits are not a number of the fence.
    numbered(text.split_once("context").map_or("", |(_, numbers)| numbers))
}

/// How a fence is named.
#[derive(Clone, Copy, PartialEq, Default)]
struct Reference {
    fence: Option<FenceId>,
    pointer: Option<u64>,
}

impl Reference {
    /// `5:1`, `(context:5, seqno:1)` or a pointer.
    fn read(value: &str) -> Result<Self, Problem> {
        let word = value.split([',', ' ']).next().unwrap_or_default();
        let fence = if value.starts_with('(') {
            numbered(value.split(')').next().unwrap_or_default())?
        } else if word.contains(':') {
            numbered(word)?
        } else {
            None
        };
        let hex = word.strip_prefix("0x").unwrap_or(word);
        // `(____ptrval____)`, or what is too long, is no name.
        let pointer = u64::from_str_radix(hex, 16).ok();
        Ok(Self { fence, pointer: if fence.is_some() { None } else { pointer } })
    }
}

/// The fence whose context and number are the first two numbers.
fn numbered(text: &str) -> Result<Option<FenceId>, Problem> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(keys::digits);
    let (Some(context), Some(seqno)) = (numbers.next(), numbers.next()) else { return Ok(None) };
    // See `fence::read`.
    Ok(Some(FenceId { context: context? as u32, seqno: seqno? as u32 }))
}

fn first_number(value: &str) -> Option<Result<u64, Problem>> {
    keys::digits(value.split([',', ' ']).next()?)
}

/// What follows the first such key.
fn key<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    memmem::find_iter(text.as_bytes(), key).find_map(|at| {
        // `client_id:` and the like have other letters before it.
        let begins = text[..at].chars().next_back().is_none_or(|c| c == ' ' || c == ',');
        begins.then(|| &text[at + key.len()..])
    })
}

/// The device's name, where it begins the event, and what stands behind it: it contains anything, keys too.
fn split_device(own: &str) -> (Option<&str>, &str) {
    let Some(value) = own.strip_prefix("dev=") else { return (None, own) };
    match memmem::find(value.as_bytes(), b", fence=") {
        Some(end) => (Some(&value[..end]), &value[end..]),
        None => (None, own),
    }
}

/// The queue's name, and what stands before and behind it: a name contains anything, keys too.
fn split_ring(own: &str) -> (&str, &str, &str) {
    let Some(value) = key(own, "ring=") else { return (own, "", "") };
    let before = &own[..own.len() - value.len()];
    let end = [", job count:", ", id="].into_iter().find_map(|next| value.rfind(next));
    let (ring, behind) = value.split_at(end.or(value.find(", ")).unwrap_or(value.len()));
    (before, ring, behind)
}
