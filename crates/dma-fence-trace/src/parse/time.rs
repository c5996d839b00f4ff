//! The time of an event.

use super::Problem;

const PER_SECOND: u64 = 1_000_000_000;

/// `9.520493` or `9.520493001`, in nanoseconds. `None` if it does not look like a time.
///
/// Fewer digits are refused: with them a thread's name, which has 15 bytes, could imitate all that
/// stands before an event.
pub(super) fn seconds(stamp: &str) -> Option<Result<u64, Problem>> {
    let (whole, part) = stamp.split_once('.')?;
    if !digits(whole) || !digits(part) || !(6..=9).contains(&part.len()) {
        return None;
    }
    Some(nanoseconds(whole, part).ok_or(Problem::Time))
}

fn nanoseconds(whole: &str, part: &str) -> Option<u64> {
    let nanoseconds = part.parse::<u64>().ok()? * 10_u64.pow(9 - part.len() as u32);
    whole.parse::<u64>().ok()?.checked_mul(PER_SECOND)?.checked_add(nanoseconds)
}

/// What the clocks print that count something else than seconds.
pub(super) fn counter(stamp: &str) -> Option<Result<u64, Problem>> {
    digits(stamp).then_some(Err(Problem::Time))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
