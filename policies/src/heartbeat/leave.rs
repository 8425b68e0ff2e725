//! Leaving a connection on purpose: a thing done, nobody is alarmed. With a reconnect policy that comes back after a while
//! this is polling; with one that waits to be called, it is life on a platform's push service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Composed, Event, ScheduleSpec};
use crate::{
    Problem, Time,
    random::SplitMix,
    unit::{Fraction, Span},
};

/// No heartbeat, and the connection is left once nothing was sent or received on it for `after`: short for the composition
/// of a peer that sends with [`Leave`].
///
/// Sources: polling as `[wechat]` compares it with a long connection; `WhatsApp` with Google's push service drops
/// its connection after 10 minutes without a message (`[52im-121]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeaveWhenQuiet {
    /// Quiet time before the connection is closed. A client that polls wants it just long enough for a late packet of
    /// what it fetches.
    pub after: Span,
}

impl LeaveWhenQuiet {
    /// Returns the parts it consists of.
    pub fn parts(&self) -> Composed {
        Composed {
            leave: Some(Leave { quiet: Some(self.after), ..Leave::default() }),
            ..Composed::new(ScheduleSpec::PeerSends)
        }
    }
}

/// When a connection is left on purpose; whatever comes first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Leave {
    /// Once nothing was sent or received for this long, heartbeats and their replies apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Span>,
    /// When the beat after this many would be due (`WhatsApp`: 5; `[52im-121]`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub beats: Option<u32>,
    /// This long after it was established (LINE in the USA: 30 min; `[52im-121]`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<Span>,
    /// How much the age of each connection strays from `age`, up and down, as a fraction of it: drawn evenly for each, so that
    /// connections that were opened together are not left together (gRPC's servers stray by 0.1). Below 1; default 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub spread: Fraction,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it by reference")]
fn is_zero(spread: &Fraction) -> bool {
    *spread == Fraction::ZERO
}

impl Leave {
    /// Returns whether anything of it is drawn.
    pub(super) fn draws(&self) -> bool {
        !is_zero(&self.spread)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if (self.quiet, self.beats, self.age) == (None, None, None) {
            problems.push(Problem::new(
                "heartbeat.composed.leave",
                "it does not say when",
                "name one of `quiet`, `beats` and `age`, as in leave = { quiet = \"10m\" }",
            ));
        }
        if self.beats == Some(0) {
            problems.push(Problem::new(
                "heartbeat.composed.leave.beats",
                "a connection that is left after 0 beats is left at its first",
                "use at least 1, or `quiet`",
            ));
        }
        if self.draws() && self.age.is_none() {
            problems.push(Problem::new(
                "heartbeat.composed.leave.spread",
                "it strays from an age that is not named",
                "name `age`, as in leave = { age = \"30m\", spread = 0.1 }, or leave `spread` out",
            ));
        }
        if self.spread == Fraction::ONE {
            problems.push(Problem::new(
                "heartbeat.composed.leave.spread",
                "a connection may be left as soon as it is established",
                "use less than 1",
            ));
        }
        problems
    }
}

/// [`Leave`] at work.
pub(super) struct Leaver {
    quiet: Option<Duration>,
    beats: Option<u32>,
    age: Option<Duration>,
    spread: f64,
    random: SplitMix,
    /// When the connection is too old.
    old: Option<Time>,
    last_traffic: Time,
    sent: u32,
    /// The last bytes written are a heartbeat's.
    own_bytes: bool,
}

impl Leaver {
    /// What is drawn is drawn from `seed`.
    pub(super) fn new(spec: &Leave, seed: u64) -> Self {
        Self {
            quiet: spec.quiet.map(Span::get),
            beats: spec.beats,
            age: spec.age.map(Span::get),
            spread: spec.spread.get(),
            random: SplitMix::new(seed),
            old: None,
            last_traffic: Time::ZERO,
            sent: 0,
            own_bytes: false,
        }
    }

    pub(super) fn connected(&mut self, now: Time) {
        (self.last_traffic, self.sent, self.own_bytes) = (now, 0, false);
        self.old = self.age.map(|age| {
            if self.spread == 0.0 {
                return now + age;
            }
            let share = 1.0 - self.spread + 2.0 * self.spread * self.random.unit();
            now + Duration::from_micros((age.as_micros() as f64 * share) as u64)
        });
    }

    pub(super) fn on_event(&mut self, now: Time, event: &Event) {
        match event {
            // The host reports a heartbeat's own bytes too.
            Event::BytesWritten if std::mem::take(&mut self.own_bytes) => {}
            Event::BytesWritten | Event::BytesReceived | Event::Acknowledged | Event::PeerPing => {
                self.last_traffic = now;
            }
            _ => {}
        }
    }

    pub(super) fn sent(&mut self) {
        self.sent += 1;
        self.own_bytes = true;
    }

    /// Returns when the connection is left, if nothing else happens; `beat`: when the next beat is due.
    pub(super) fn due(&self, beat: Option<Time>) -> Option<Time> {
        let quiet = self.quiet.map(|quiet| self.last_traffic + quiet);
        let beats = beat.filter(|_| self.beats.is_some_and(|beats| self.sent >= beats));
        [quiet, self.old, beats].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        heartbeat::{Action, FirstBeat, GiveUp, Grid, Heartbeat, composed::ComposedHeartbeat},
        testing::{CONNECTED, LOST, beat, play, reply, rng},
    };

    const LEAVE: Action = Action::GiveUp(GiveUp::Done);

    #[test]
    fn a_connection_is_left_once_it_has_been_quiet_for_long_enough() {
        play(
            &mut ComposedHeartbeat::new(LeaveWhenQuiet { after: Span::secs(2) }.parts(), rng(1)),
            &[
                (0, Some(CONNECTED), &[]),
                (1_500, Some(Event::BytesReceived), &[]),
                (3_000, Some(Event::BytesWritten), &[]),
                (5_000, None, &[LEAVE]),
                // What is still on its way concerns nobody.
                (5_100, Some(Event::BytesReceived), &[]),
                (300_000, Some(CONNECTED), &[]),
                (302_000, None, &[LEAVE]),
                (600_000, Some(CONNECTED), &[]),
                (601_000, Some(LOST), &[]),
            ],
        );
    }

    /// Returns a beat a minute, and `leave`.
    fn beating(leave: Leave) -> ComposedHeartbeat {
        let grid =
            Grid { interval: Span::secs(60), shortest: None, first_beat: FirstBeat::Interval, unless_sent: false };
        ComposedHeartbeat::new(Composed { leave: Some(leave), ..Composed::new(ScheduleSpec::Grid(grid)) }, rng(1))
    }

    #[test]
    fn a_connection_is_left_instead_of_the_beat_after_the_last() {
        play(
            &mut beating(Leave { beats: Some(2), ..Leave::default() }),
            &[
                (0, Some(CONNECTED), &[]),
                (60_000, None, &[beat(0)]),
                (60_100, Some(reply(0)), &[]),
                (120_000, None, &[beat(1)]),
                (120_100, Some(reply(1)), &[]),
                (180_000, None, &[LEAVE]),
                (200_000, Some(CONNECTED), &[]),
                (260_000, None, &[beat(0)]),
            ],
        );
    }

    #[test]
    fn heartbeats_do_not_make_a_connection_any_busier_or_younger() {
        for leave in [
            Leave { quiet: Some(Span::secs(90)), ..Leave::default() },
            Leave { age: Some(Span::secs(90)), ..Leave::default() },
        ] {
            play(
                &mut beating(leave),
                &[
                    (0, Some(CONNECTED), &[]),
                    (60_000, None, &[beat(0)]),
                    (60_000, Some(Event::BytesWritten), &[]),
                    (60_100, Some(reply(0)), &[]),
                    (90_000, None, &[LEAVE]),
                ],
            );
        }
    }

    /// Ten connections of a pool, opened at once: 30 min and a tenth more or less, each its own, and each anew.
    #[test]
    fn connections_that_are_opened_together_are_left_apart() {
        let leave = Leave { age: Some(Span::secs(1_800)), spread: Fraction::new(0.1).unwrap(), ..Leave::default() };
        let ages = |seed| {
            let parts = Composed { leave: Some(leave.clone()), ..Composed::new(ScheduleSpec::PeerSends) };
            let mut policy = ComposedHeartbeat::new(parts, rng(seed));
            [0, 1].map(|_| {
                policy.on_event(Time::ZERO, &CONNECTED);
                let left = policy.deadline().expect("it will be too old");
                assert_eq!(policy.poll(left), Some(LEAVE));
                left.since(Time::ZERO)
            })
        };
        let all: BTreeSet<Duration> = (0..10).flat_map(ages).collect();
        assert_eq!(all.len(), 20, "no two are left at the same time");
        assert!(
            all.iter().all(|age| (Duration::from_secs(1_620)..Duration::from_secs(1_980)).contains(age)),
            "{all:?}"
        );
        // Evenly drawn from 6 min: the ends are met.
        let (first, last) = (all.first().unwrap(), all.last().unwrap());
        assert!(last.saturating_sub(*first) > Duration::from_secs(240), "{all:?}");
    }
}
