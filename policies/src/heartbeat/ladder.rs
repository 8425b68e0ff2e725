//! The rungs that Tencent's searches climb: up by a step while beats are answered, and from a rung that fails back to below
//! the last one that held. What counts as held or failed is each search's own business.

use std::time::Duration;

use crate::{problem::Problems, unit::Span};

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
    /// Returns the ladder whose highest rung lies a margin below `max`.
    pub(super) fn new(min: Span, max: Span, step: Span, margin: Span) -> Self {
        let (margin, max) = (margin.get(), max.get());
        Self { min: min.get(), ceiling: max.saturating_sub(margin), step: step.get(), margin }
    }

    /// Returns the rung above.
    pub(super) fn above(&self, rung: Duration) -> Duration {
        (rung + self.step).min(self.ceiling)
    }

    /// Returns what to settle for after `failed`: the rung below it, less the margin.
    pub(super) fn safe_below(&self, failed: Duration) -> Duration {
        failed.saturating_sub(self.step + self.margin).max(self.min)
    }
}

/// Adds a problem at `max` if the highest rung, a margin below it, is below the lowest, `min`.
pub(super) fn check(problems: &mut Problems, min: Span, max: Span, margin: Span) {
    let lowest = Span::at_least(min.get() + margin.get());
    if max < lowest {
        let message = format!("the highest rung, {max} less {margin}, is below the lowest, {min}");
        problems.add("max", message, format!("use at least \"{lowest}\""));
    }
}
