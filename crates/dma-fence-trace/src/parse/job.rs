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
use memchr::{memchr, memmem};

pub(super) fn read(step: JobStep, body: &str) -> Result<EventKind<'_>, Problem> {
    usual(step, body).map_or_else(|| any(step, body), Ok)
}

/// As the present generation prints nearly all: quickly. `None` if there is anything unusual about it.
fn usual(step: JobStep, body: &str) -> Option<EventKind<'_>> {
    let (mut device, mut ring, mut on) = ("", "", None);
    let fence = match step {
        JobStep::Queue | JobStep::Run => {
            let comma = memchr(b',', body.as_bytes())?;
            device = body[..comma].strip_prefix("dev=")?;
            let (fence, rest) = fence_before(body[comma..].strip_prefix(", fence=")?)?;
            let rest = rest.strip_prefix(", ring=")?;
            let comma = memchr(b',', rest.as_bytes())?;
            ring = &rest[..comma];
            let rest = number_before(rest[comma..].strip_prefix(", job count:")?)?.1;
            let rest = number_before(rest.strip_prefix(", hw job count:")?)?.1;
            let rest = number_before(rest.strip_prefix(", client_id:")?)?.1;
            // Those that look like something else.
            let odd = |byte: u8| matches!(byte, b' ' | b'=');
            if !rest.is_empty()
                || device.bytes().any(odd)
                || ring.bytes().any(|b| odd(b) || b == b':')
            {
                return None;
            }
            fence
        }
        JobStep::Done => {
            let (fence, rest) = fence_before(body.strip_prefix("fence=")?)?;
            (rest == " signaled").then_some(fence)?
        }
        JobStep::AddDep | JobStep::Unschedulable => {
            let (fence, rest) = fence_before(body.strip_prefix("fence=")?)?;
            let rest = rest.strip_prefix(" depends on ")?;
            let rest = rest.strip_prefix("unsignalled ").unwrap_or(rest);
            let (other, rest) = fence_before(rest.strip_prefix("fence=")?)?;
            on = rest.is_empty().then_some(other);
            on.and(Some(fence))?
        }
    };
    Some(EventKind::Job { step, fence: Some(fence), pointer: None, id: None, device, ring, on })
}

/// `5:1` at the beginning, and what is behind it.
fn fence_before(text: &str) -> Option<(FenceId, &str)> {
    let (context, rest) = number_before(text)?;
    let (seqno, rest) = number_before(rest.strip_prefix(':')?)?;
    Some((FenceId { context: context as u32, seqno: seqno as u32 }, rest))
}

/// The number at the beginning, if it has no more digits than 64 bits do for certain.
fn number_before(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    let (count, number) = digits.fold((0, 0_u64), |(count, number), digit| {
        (count + 1, number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    });
    (1..=19).contains(&count).then(|| (number, &text[count..]))
}

/// Whatever it is.
fn any(step: JobStep, body: &str) -> Result<EventKind<'_>, Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The quick way is a short cut, not another opinion.
    #[test]
    fn the_quick_way_leads_to_the_same() {
        let fences = [
            "1:2",
            "18446744073709551615:1",
            "18446744073709551616:1",
            "1:",
            ":1",
            "1:2:3",
            "(1:2)",
            "00f1",
            "1:9999999999999999999",
        ];
        let devices = ["", "0000:03:00.0", "a b", "a,b", "ring=x", "a fence=1:2", "id=7", "x=y"];
        let rings = [
            "",
            "gfx_0.0.0",
            "a b",
            "a, b",
            "a, job count:1, hw job count:1, client_id:1",
            "fence=1:2",
            " id=7",
            "depends on",
        ];
        let tails = [
            "job count:0, hw job count:0, client_id:1",
            "job count:0, hw job count:-1, client_id:1",
            "job count:0, hw job count:0",
            "job count:0, hw job count:0, client_id:1 depends on fence=1:2",
            "",
        ];
        let mut bodies = Vec::new();
        for fence in fences {
            for device in devices {
                for ring in rings {
                    for tail in tails {
                        bodies.push(format!("dev={device}, fence={fence}, ring={ring}, {tail}"));
                    }
                }
            }
            bodies.push(format!("fence={fence} signaled"));
            bodies.push(format!("fence={fence} signalled"));
            for other in fences {
                for word in ["", "unsignalled ", "unsignaled ", "unsignalled unsignalled "] {
                    bodies.push(format!("fence={fence} depends on {word}fence={other}"));
                }
            }
        }
        let mut quick = 0;
        for body in &bodies {
            for step in [
                JobStep::Queue,
                JobStep::Run,
                JobStep::Done,
                JobStep::AddDep,
                JobStep::Unschedulable,
            ] {
                let Some(event) = usual(step, body) else { continue };
                assert_eq!(Ok(event), any(step, body), "{step:?} {body}");
                quick += 1;
            }
        }
        assert!(quick > 20, "{quick}");
    }
}
