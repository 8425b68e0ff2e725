//! The rungs that Tencent's searches climb: up by a step while beats are answered, and from a rung that fails back to below
//! the last one that held. What counts as held or failed is each search's own business.

use std::time::Duration;

/// Intervals from `min` to `ceiling`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    pub(super) min: Duration,
    pub(super) ceiling: Duration,
    pub(super) step: Duration,
    /// The distance kept from a value that only just works.
    pub(super) margin: Duration,
}

impl Ladder {
    /// The rung above.
    pub(super) fn above(&self, rung: Duration) -> Duration {
        (rung + self.step).min(self.ceiling)
    }

    /// What to settle for after `failed`: the rung below it, less the margin.
    pub(super) fn safe_below(&self, failed: Duration) -> Duration {
        failed.saturating_sub(self.step + self.margin).max(self.min)
    }
}
