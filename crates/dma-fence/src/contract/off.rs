//! The checker without feature `contract`: nothing.

use super::{Class, Violation};
use crate::fence::Fence;

pub(super) struct Entry;
#[cfg(feature = "std")]
pub(crate) struct Waiting;

#[inline(always)]
pub(super) fn enter(_: Class, _: Option<&Fence>) -> Entry {
    Entry
}

#[inline(always)]
pub(super) fn acquire(_: Class) -> Entry {
    Entry
}

#[inline(always)]
pub(super) fn want(_: Class) {}

#[inline(always)]
pub(super) fn want_without_panic(_: Class) {}

#[cfg(feature = "std")]
#[inline(always)]
pub(super) fn wait_for(_: &[Fence]) -> Waiting {
    Waiting
}

pub(super) fn on_violation(_: fn(&Violation)) {}
