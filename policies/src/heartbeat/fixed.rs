//! A heartbeat on a fixed grid, each beat judged by its own reply: the policy of most products. The grid never moves with
//! the application's traffic; `idle` is the policy that does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Event, GiveUp, Heartbeat, check_misses, per_hour};
use crate::{Bounds, PolicyRng, Problem, Promises, Time, random, unit::Span};

/// A heartbeat every `interval`, dead after `misses` unanswered ones in a row.
///
/// Sources: source documents 000 (interval, consecutive misses) and 001 (interval and reply timeout); late replies:
/// theory of ping/pong detectors, where both readings exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// From one beat to the next.
    pub interval: Span,
    /// How long the reply to a beat may take; a reply at exactly this age is in time. At most `interval`, so that one
    /// beat is out at a time.
    pub timeout: Span,
    /// Beats in a row without a timely reply that mean death, 1 to 1000. Default 1.
    #[serde(default = "one_miss")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub misses: u32,
    /// When a connection's first beat is due. Default `interval`.
    #[serde(default)]
    pub first_beat: FirstBeat,
    /// What a reply after its timeout is worth. Default `counts`.
    #[serde(default)]
    pub late_reply: LateReply,
}

/// When the first beat of a connection is due; the later ones follow every interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FirstBeat {
    /// As soon as the connection is established.
    Now,
    /// One interval later.
    #[default]
    Interval,
    /// At a random moment of the first interval, drawn anew for each connection, so that clients who connected together
    /// do not beat together (Discord's rule).
    RandomPhase,
}

/// What a reply after its timeout is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LateReply {
    /// It proves life: the misses so far are forgotten.
    #[default]
    Counts,
    /// Nothing: only a timely reply clears the misses.
    Ignored,
}

pub(super) fn one_miss() -> u32 {
    1
}

impl Fixed {
    pub(super) fn promises(&self, bounds: &Bounds) -> Promises {
        let (interval, timeout) = (self.interval.get(), self.timeout.get());
        let late_replies_count = self.late_reply == LateReply::Counts;

        // The first beat that cannot be answered leaves at most one interval after the break, on the old grid or as the
        // connection's first; the last of `misses` follows `misses - 1` intervals later and is judged a timeout after
        // that. A reply that was under way at the break still arrives within a round trip and, where late ones count,
        // sets the count back.
        let last_judgement = if late_replies_count { timeout.max(bounds.rtt_max) } else { timeout };
        // Every beat is answered, late ones before the last of `misses` is judged. A NAT that forgets does not matter
        // here: that is a real break.
        let patience = if late_replies_count { interval * self.misses.saturating_sub(1) + timeout } else { timeout };
        Promises {
            detects_within: Some(interval * self.misses + last_judgement),
            heartbeats_per_hour: Some(per_hour(interval)),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= patience,
            ..Promises::default()
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<_> = check_misses("fixed", self.misses).into_iter().collect();
        if self.timeout > self.interval {
            problems.push(Problem::new(
                "heartbeat.fixed.timeout",
                format!("a timeout of {} is longer than the interval of {}", self.timeout, self.interval),
                format!("use at most \"{}\", or a longer interval", self.interval),
            ));
        }
        problems
    }
}

/// [`Fixed`] at work.
pub(super) struct FixedHeartbeat {
    spec: Fixed,
    rng: PolicyRng,
    connection: Option<Connection>,
}

/// What is known of the present connection; gone once it is lost or given up.
struct Connection {
    next_beat: Time,
    next_id: u32,
    /// The beat that waits for its reply. One is enough: a timeout is no longer than the interval.
    awaited: Option<Awaited>,
    /// Consecutive beats without a timely reply.
    misses: u32,
    /// What the host was told last.
    suspected: bool,
}

struct Awaited {
    id: u32,
    deadline: Time,
}

impl FixedHeartbeat {
    pub(super) fn new(spec: Fixed, rng: PolicyRng) -> Self {
        Self { spec, rng, connection: None }
    }

    fn first_beat(&mut self, connected: Time) -> Time {
        let interval = self.spec.interval.get();
        match self.spec.first_beat {
            FirstBeat::Now => connected,
            FirstBeat::Interval => connected + interval,
            FirstBeat::RandomPhase => connected + random::between(&mut *self.rng, Duration::ZERO, interval),
        }
    }
}

impl Heartbeat for FixedHeartbeat {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.connection) {
            (Event::Connected { .. }, _) => {
                let next_beat = self.first_beat(now);
                self.connection =
                    Some(Connection { next_beat, next_id: 0, awaited: None, misses: 0, suspected: false });
            }
            (Event::Lost(_), _) => self.connection = None,
            (Event::HeartbeatReply { id, .. }, Some(connection)) => {
                // Packets come before timers, so a beat that still waits has its reply in time.
                if connection.awaited.as_ref().is_some_and(|awaited| awaited.id == *id) {
                    connection.awaited = None;
                    connection.misses = 0;
                } else if self.spec.late_reply == LateReply::Counts {
                    connection.misses = 0;
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        let connection = self.connection.as_mut()?;
        if connection.awaited.as_ref().is_some_and(|awaited| awaited.deadline <= now) {
            connection.awaited = None;
            connection.misses += 1;
        }
        if connection.suspected != (connection.misses > 0) {
            connection.suspected = !connection.suspected;
            return Some(if connection.suspected { Action::Suspect } else { Action::Trust });
        }
        if connection.misses >= self.spec.misses {
            self.connection = None;
            return Some(Action::GiveUp(GiveUp::NoReply));
        }
        if connection.next_beat <= now {
            let id = connection.next_id;
            let deadline = now + self.spec.timeout.get();
            connection.next_id = id.wrapping_add(1);
            connection.awaited = Some(Awaited { id, deadline });
            connection.next_beat = next_on_grid(connection.next_beat, self.spec.interval.get(), deadline);
            return Some(Action::SendHeartbeat { id });
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        let connection = self.connection.as_ref()?;
        // The reply's deadline is never later than the next beat.
        Some(connection.awaited.as_ref().map_or(connection.next_beat, |awaited| awaited.deadline))
    }
}

/// The first grid point after `beat` that is not before `earliest`. A host that woke on time gets the very next one; one
/// that overslept skips those at which the late beat would still wait for its reply.
fn next_on_grid(beat: Time, interval: Duration, earliest: Time) -> Time {
    let step = u64::try_from(interval.as_micros()).expect("a span is at most ten years");
    let behind = u64::try_from(earliest.since(beat).as_micros()).expect("made from microseconds");
    let steps = behind.div_ceil(step).max(1);
    Time::from_micros(beat.as_micros().saturating_add(steps.saturating_mul(step)))
}
