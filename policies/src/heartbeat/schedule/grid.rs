//! Beats on a grid that the application's traffic never moves: the schedule of most products.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::{PolicyRng, Time, heartbeat::Event, random, unit::Span};

/// A beat every `interval`.
///
/// Sources: `[yuan]` (QQ, every 45 s whether or not the link is idle); the spread between `shortest` and
/// `interval` is SIP's (RFC 5626: 95 s to 120 s), ICE's (RFC 7675) and BFD's (RFC 5880).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// From one beat to the next; the longest gap where `shortest` is given.
    pub interval: Span,
    /// Each gap is drawn anew, uniformly between this and `interval`. Left out, all are `interval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest: Option<Span>,
    /// When a connection's first beat is due. Default `interval`.
    #[serde(default)]
    pub first_beat: FirstBeat,
    /// A beat is left out where something was sent since the point of the grid before, another beat included (amqplib).
    /// Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unless_sent: bool,
}

/// When the first beat of a connection is due; the later ones follow every interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FirstBeat {
    /// As soon as the connection is established.
    Now,
    /// One interval after the connection came up.
    #[default]
    Interval,
    /// At a random moment of the first interval, drawn anew for each connection, so that clients that connected
    /// together do not beat together (Discord's rule).
    RandomPhase,
}

/// The least time there is.
const MOMENT: Duration = Duration::from_micros(1);

/// [`Grid`] at work.
pub(super) struct GridBeats {
    interval: Duration,
    /// The shortest gap as a share of the interval; `None` if all gaps are alike.
    shortest: Option<f64>,
    first_beat: FirstBeat,
    unless_sent: bool,
    rng: PolicyRng,
    /// When the last beat was sent, or the connection established.
    last: Time,
    /// The next point of the grid.
    next: Time,
    /// When anything was sent last.
    last_tx: Time,
}

impl GridBeats {
    pub(super) fn new(spec: &Grid, rng: PolicyRng) -> Self {
        let interval = spec.interval.get();
        let share = |shortest: Span| shortest.get().as_micros() as f64 / interval.as_micros() as f64;
        Self {
            interval,
            shortest: spec.shortest.map(share),
            first_beat: spec.first_beat,
            unless_sent: spec.unless_sent,
            rng,
            last: Time::ZERO,
            next: Time::ZERO,
            last_tx: Time::ZERO,
        }
    }

    /// Returns whether the next point of the grid is nearer than the last one: such a beat stands for that of the next point, too,
    /// where it may still wait for its reply then. One that is a little late, as every beat on a real machine is, does not, though
    /// its timeout be the whole interval.
    fn is_nearer_to_the_next(&self, now: Time) -> bool {
        let late = now.since(self.next).as_micros() % self.interval.as_micros();
        late * 2 > self.interval.as_micros()
    }

    /// Returns the next gap.
    fn gap(&mut self) -> Duration {
        let Some(shortest) = self.shortest else { return self.interval };
        let shortest = Duration::from_micros((self.interval.as_micros() as f64 * shortest) as u64);
        random::between(&mut *self.rng, shortest, self.interval)
    }
}

impl Schedule for GridBeats {
    fn connected(&mut self, now: Time) {
        (self.last, self.last_tx) = (now, now);
        self.next = now
            + match self.first_beat {
                FirstBeat::Now => Duration::ZERO,
                FirstBeat::Interval => self.gap(),
                FirstBeat::RandomPhase => random::between(&mut *self.rng, Duration::ZERO, self.interval),
            };
    }

    fn on_event(&mut self, now: Time, event: &Event) {
        if *event == Event::BytesWritten {
            self.last_tx = now;
        }
    }

    fn sent(&mut self, now: Time, settled: Time) {
        // A beat that was sent before its time, because something asked for it, leaves the grid as it is.
        if self.next > now {
            return;
        }
        self.last = now;
        self.next = if self.shortest.is_some() {
            (self.last + self.gap()).max(settled)
        } else {
            let earliest = if self.is_nearer_to_the_next(now) { settled } else { now };
            next_on_grid(self.next, self.interval, earliest.max(now + MOMENT))
        };
    }

    fn next_beat(&self, free: Time) -> Option<Time> {
        let free = if self.unless_sent { free.max(self.last_tx + self.interval + MOMENT) } else { free };
        let is_skipped = self.next < free;
        Some(match self.shortest {
            None if is_skipped => next_on_grid(self.next, self.interval, free),
            _ => self.next.max(free),
        })
    }

    fn set_interval(&mut self, interval: Duration) {
        if interval != self.interval {
            self.interval = interval;
            self.next = self.last + self.gap();
        }
    }
}

/// Returns the first grid point after `beat` that is not before `earliest`.
fn next_on_grid(beat: Time, interval: Duration, earliest: Time) -> Time {
    let step = u64::try_from(interval.as_micros()).expect("a span is at most ten years");
    let behind = u64::try_from(earliest.since(beat).as_micros()).expect("made from microseconds");
    let steps = behind.div_ceil(step).max(1);
    Time::from_micros(beat.as_micros().saturating_add(steps.saturating_mul(step)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_grid_goes_on_after_any_lateness(beat: u32, interval in 1..u64::from(u32::MAX), earliest: u32) {
            let (beat, earliest) = (Time::from_micros(beat.into()), Time::from_micros(earliest.into()));
            let next = next_on_grid(beat, Duration::from_micros(interval), earliest);
            prop_assert_eq!((next.as_micros() - beat.as_micros()) % interval, 0);
            prop_assert!(next > beat && next >= earliest);
            prop_assert!(next == beat + Duration::from_micros(interval) || next - Duration::from_micros(interval) < earliest);
        }
    }
}
