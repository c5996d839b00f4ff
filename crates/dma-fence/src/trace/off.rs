//! The places where something is told, without feature `trace`: nothing.

use crate::errno::Errno;
use crate::fence::{Fence, Inner};

#[derive(Clone, Copy)]
pub(crate) struct Moment;
#[cfg(feature = "std")]
pub(crate) struct Waiting;

#[inline(always)]
pub(crate) fn moment() -> Moment {
    Moment
}

impl Moment {
    #[inline(always)]
    pub(crate) fn enabled(self, _: &Inner) {}

    #[inline(always)]
    pub(crate) fn abandoned(self, _: &Inner) {}

    #[inline(always)]
    pub(crate) fn signaled(self, _: &Inner, _: Result<(), Errno>) {}
}

#[inline(always)]
pub(crate) fn listens() -> bool {
    false
}

#[inline(always)]
pub(crate) fn made(_: &Fence) {}

#[inline(always)]
pub(crate) fn destroyed(_: &Inner) {}

#[cfg(feature = "std")]
#[inline(always)]
pub(crate) fn waits(_: &[Fence]) -> Waiting {
    Waiting
}
