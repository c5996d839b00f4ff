//! What an engine counts.

/// Figures of one engine, since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EngineStats {
    /// Driver fences created: one per operation.
    pub fences: u64,
    /// Fence arrays created, for operations that wait for more than one fence.
    pub arrays: u64,
    /// Driver fences created and not signaled; abandoned ones are among them.
    pub in_flight: u64,
    /// The most that `in_flight` has been.
    pub max_in_flight: u64,
}
