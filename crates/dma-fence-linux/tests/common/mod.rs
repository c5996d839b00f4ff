//! What the tests need of the machine: devices that few machines have.
#![allow(dead_code, reason = "each test takes its part")]

use std::{env, fmt::Display};

/// What a machine must have, in `cargo xtask rig`: a list of names. Nothing of it may be skipped there.
const EXPECTED: &str = "DMA_FENCE_EXPECT";

/// The device, or `None` after saying that the test is skipped and why.
///
/// Where the device is expected its lack is a failure.
pub(crate) fn or_skip<T, E: Display>(device: &str, found: Result<T, E>) -> Option<T> {
    let error = match found {
        Ok(found) => return Some(found),
        Err(error) => error,
    };
    let expected = env::var(EXPECTED).unwrap_or_default();
    let is_expected = expected.split(',').any(|name| name == device);
    assert!(!is_expected, "{device} is expected on this machine: {error}");
    let thread = std::thread::current();
    eprintln!("skipped: {}: {error}", thread.name().unwrap_or("?"));
    None
}
