//! What a report says.

use super::Class;
use alloc::sync::Arc;
use core::fmt;
use core::panic::Location;

/// What must not be.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// A wait for a fence inside a signalling section.
    WaitInSection,
    /// A reservation object locked inside a signalling section: its holder may wait for a fence.
    ReservationInSection,
    /// Memory allocated inside a signalling section: who frees some may wait for a fence.
    AllocationInSection,
    /// Things held and wanted in orders that make a circle.
    Order,
    /// Fences whose signalers wait for one another.
    WaitCycle,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::WaitInSection => "a wait inside a signalling section",
            Rule::ReservationInSection => "a reservation object locked inside a signalling section",
            Rule::AllocationInSection => "memory allocated inside a signalling section",
            Rule::Order => "an order that can deadlock",
            Rule::WaitCycle => "fences that wait for one another",
        })
    }
}

/// Something was wanted while something was held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// What was held.
    pub held: Class,
    /// Where it was taken.
    pub held_at: &'static Location<'static>,
    /// What was wanted.
    pub wanted: Class,
    /// Where it was asked for.
    pub wanted_at: &'static Location<'static>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wanted.fmt_wanted(f)?;
        write!(f, " at {}, ", self.wanted_at)?;
        self.held.fmt_held(f)?;
        write!(f, " at {}", self.held_at)
    }
}

/// A report: which rule was broken, and all places that belong to it. `Display` says it in one line.
#[derive(Clone, Debug)]
pub struct Violation {
    rule: Rule,
    steps: Arc<[Step]>,
    fence: Option<(u64, u64)>,
}

impl Violation {
    #[cfg(feature = "contract")]
    pub(super) fn new(rule: Rule, steps: Arc<[Step]>, fence: Option<(u64, u64)>) -> Self {
        Violation { rule, steps, fence }
    }

    /// What was broken.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The step that broke it; then, of a circle, those that had been seen before: each holds what the
    /// one before it wanted, and the last wants what the first one held.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where the step that broke it was taken.
    pub fn location(&self) -> &'static Location<'static> {
        self.steps[0].wanted_at
    }

    /// The fence that was waited for, else the one that was to be signaled, as far as it is known.
    pub fn fence(&self) -> Option<(u64, u64)> {
        self.fence
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "contract violated, {}: ", self.rule)?;
        for (index, step) in self.steps.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; seen before: " })?;
            step.fmt(f)?;
        }
        Ok(())
    }
}
