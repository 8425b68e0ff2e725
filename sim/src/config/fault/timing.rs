//! When faults strike and how long they last, as data. The draws are in `fate::schedule`.

use std::{borrow::Cow, time::Duration};

use cardiogram_policies::{
    Time,
    unit::{Delay, Span},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Flapping;
use crate::config::Distribution;

/// When a fault strikes. Drawn before the run from the seed; it never reacts to a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// At these times, the same for everyone.
    At(Vec<Delay>),
    /// Once, at a uniformly random moment between the two times.
    Within {
        /// The earliest moment.
        from: Delay,
        /// The moment before which it strikes.
        to: Span,
    },
    /// Again and again, on average once in this time (a Poisson process). A fault never begins inside its own last one.
    Every(Span),
    /// Again and again as with `every`, within a part of the run only.
    During {
        /// The mean time from the end of one to the begin of the next.
        every: Span,
        /// The earliest moment.
        from: Delay,
        /// The moment before which all strikes begin.
        to: Span,
    },
}

/// How long a fault lasts each time.
#[derive(Clone, Debug)]
pub(crate) enum Lasts<'a> {
    /// It is over as soon as it has struck.
    Instant,
    /// To the end of the run.
    ForEver,
    /// A draw of this distribution.
    Drawn(Cow<'a, Distribution>),
    /// It comes and goes within each strike.
    Flaps(&'a Flapping),
}

impl<'a> Lasts<'a> {
    /// What a key `lasts` says whose default is the end of the run.
    pub(super) fn of(lasts: Option<&'a Distribution>) -> Self {
        lasts.map_or(Self::ForEver, |lasts| Self::Drawn(Cow::Borrowed(lasts)))
    }

    /// A fixed time, equal for all strikes.
    pub(super) const fn constant(span: Span) -> Self {
        Self::Drawn(Cow::Owned(Distribution::Constant(span)))
    }

    /// Returns the length, where it can be said before the draws; `Duration::MAX` where there is no end.
    fn known(&self) -> Option<Duration> {
        match self {
            Self::Instant => Some(Duration::ZERO),
            Self::ForEver => Some(Duration::MAX),
            Self::Drawn(drawn) => drawn.constant().map(Span::get),
            Self::Flaps(Flapping { cycles: Some(cycles), down, up, .. }) => Some((down.get() + up.get()) * *cycles),
            Self::Flaps(Flapping { lasts, .. }) => Self::of(lasts.as_ref()).known(),
        }
    }
}

/// Returns the times from each begin to the end of the aftermath, `None` where there is no end; `None` at all where only the
/// draws know.
pub(super) fn periods(when: &When, lasts: &Lasts<'_>, aftermath: Duration) -> Option<Vec<(Time, Option<Time>)>> {
    let lasts = lasts.known()?;
    let When::At(times) = when else { return None };
    let period = |at: &Delay| {
        let begin = Time::ZERO + at.get();
        (begin, (lasts < Duration::MAX).then(|| begin + lasts + aftermath))
    };
    Some(times.iter().map(period).collect())
}
