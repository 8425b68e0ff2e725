//! Instants of a run, in whole microseconds. Not a wall clock: zero is wherever the host says it is.

use std::{
    fmt,
    num::NonZeroU64,
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// An instant: microseconds since the start of the run.
///
/// Integers, so that equal inputs give equal results on every machine. Arithmetic saturates at [`Time::MAX`], which
/// stands for "never" and is about 584,000 years away.
///
/// An `Option<Time>` takes no more room than a `Time`: most of what a host keeps of a connection is moments that may not be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Time {
    /// The microseconds and one more, so that it is never zero.
    above: NonZeroU64,
}

impl Time {
    /// The start of the run.
    pub const ZERO: Self = Self::from_micros(0);
    /// Later than everything that happens.
    pub const MAX: Self = Self::from_micros(u64::MAX);

    /// Returns the instant `micros` microseconds after the start, [`Time::MAX`] at the latest.
    pub const fn from_micros(micros: u64) -> Self {
        Self { above: NonZeroU64::MIN.saturating_add(micros) }
    }

    /// Returns the instant `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self::from_micros(millis * 1_000)
    }

    /// Returns the instant `secs` seconds after the start.
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_micros(secs * 1_000_000)
    }

    /// Returns the microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.above.get() - 1
    }

    /// Returns the seconds since the start, for display and for statistics.
    pub fn as_secs_f64(self) -> f64 {
        self.as_micros() as f64 / 1e6
    }

    /// Returns the span from `earlier` to `self`; zero where `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.above.get().saturating_sub(earlier.above.get()))
    }
}

impl Default for Time {
    /// The start of the run.
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<u64> for Time {
    /// See [`Time::from_micros`].
    fn from(micros: u64) -> Self {
        Self::from_micros(micros)
    }
}

impl From<Time> for u64 {
    /// See [`Time::as_micros`].
    fn from(time: Time) -> Self {
        time.as_micros()
    }
}

impl fmt::Debug for Time {
    /// Returns `Time(271250000)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.as_micros()).finish()
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self { above: self.above.saturating_add(micros) }
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    /// Stops at the start of the run.
    fn sub(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self::from_micros(self.as_micros().saturating_sub(micros))
    }
}

impl fmt::Display for Time {
    /// Returns seconds with six decimals: `271.250000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.as_micros() / 1_000_000, self.as_micros() % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_both_ends_and_a_moment_that_may_not_be_takes_no_more_room() {
        let (first, second) = (Time::ZERO, Duration::from_secs(1));
        assert_eq!((first - second, Time::MAX + second), (first, Time::MAX));
        assert_eq!(
            (Time::from_micros(u64::MAX), Time::MAX.since(first).as_micros()),
            (Time::MAX, u128::from(u64::MAX - 1))
        );
        assert_eq!(size_of::<Option<Time>>(), size_of::<Time>());
    }
}
