//! Keys and their values.

use super::Problem;

/// The value, if the word is `key=digits`. It may end in a comma. Not a number means not a key: names
/// look like keys sometimes.
pub(super) fn number(word: &str, key: &str) -> Option<Result<u64, Problem>> {
    digits(word.strip_prefix(key)?.strip_prefix('=')?.trim_end_matches(','))
}

/// Only digits.
pub(super) fn digits(text: &str) -> Option<Result<u64, Problem>> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().map_err(|_| Problem::Number))
}

/// What follows the key, if it begins the word behind the one at `at`.
pub(super) fn added<'a>(body: &'a str, at: usize, key: &str) -> Option<&'a str> {
    let behind = at + body.as_bytes()[at..].iter().position(|byte| *byte == b' ')? + 1;
    body[behind..].strip_prefix(key)?.split(' ').next()
}
