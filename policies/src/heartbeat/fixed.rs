//! A heartbeat on a fixed grid, each beat judged by its own reply: the policy of most products. The grid never moves with
//! the application's traffic; `idle` is the policy that does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, GiveUp, Heartbeat,
    spec::{REMEMBERS_NOTHING, check_misses, describe_misses, per_hour},
};
use crate::{Bounds, PolicyRng, Problem, Promises, Time, random, unit::Span};

/// A heartbeat every `interval`, dead after `misses` unanswered ones in a row.
///
/// It suspects the connection at the first miss and trusts it again once the misses are cleared. Sources: source documents
/// 000 (interval, consecutive misses) and 001 (interval and reply timeout). Whether a late reply counts is left open by
/// both, and real products differ; hence [`LateReply`].
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

    pub(super) fn describe(&self) -> String {
        let first = match self.first_beat {
            FirstBeat::Now => "the first as soon as the connection is established",
            FirstBeat::Interval => "the first one interval after the connection is established",
            FirstBeat::RandomPhase => "the first at a random moment of the connection's first interval",
        };
        let cleared_by = match self.late_reply {
            LateReply::Counts => "any reply, a late one too,",
            LateReply::Ignored => "a timely reply",
        };
        format!(
            "Sends a heartbeat every {}, {first}, whatever else is sent meanwhile. A heartbeat whose reply has not arrived \
             within {} is a miss. {} {REMEMBERS_NOTHING}",
            self.interval,
            self.timeout,
            describe_misses(self.misses, cleared_by),
        )
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Network,
        testing::{CONNECTED, LOST, beat, bounds, drain, play, reply, rng},
    };

    const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);

    /// 30 s, 15 s; the rest by default.
    fn spec() -> Fixed {
        Fixed {
            interval: Span::secs(30),
            timeout: Span::secs(15),
            misses: 1,
            first_beat: FirstBeat::Interval,
            late_reply: LateReply::Counts,
        }
    }

    fn policy(spec: Fixed) -> FixedHeartbeat {
        FixedHeartbeat::new(spec, rng(1))
    }

    fn within(rtt_max: u64) -> Bounds {
        Bounds { rtt_max: Duration::from_secs(rtt_max), ..bounds() }
    }

    #[test]
    fn beats_keep_to_the_grid_whatever_the_traffic() {
        play(
            &mut policy(spec()),
            &[
                (500, Some(CONNECTED), &[]),
                (10_000, Some(Event::BytesWritten), &[]),
                (30_500, None, &[beat(0)]),
                (30_500, Some(Event::BytesWritten), &[]),
                (31_000, Some(reply(0)), &[]),
                (59_000, Some(Event::BytesReceived), &[]),
                (60_500, None, &[beat(1)]),
                (60_600, Some(reply(1)), &[]),
                (90_500, None, &[beat(2)]),
            ],
        );
    }

    #[test]
    fn one_unanswered_beat_ends_the_connection_at_its_timeout() {
        play(
            &mut policy(spec()),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (31_000, Some(Event::BytesReceived), &[]),
                (45_000, None, &[Action::Suspect, NO_REPLY]),
            ],
        );
    }

    #[test]
    fn a_reply_at_the_very_deadline_is_in_time() {
        let spec = Fixed { late_reply: LateReply::Ignored, ..spec() };
        play(
            &mut policy(spec),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (45_000, Some(reply(0)), &[]),
                (60_000, None, &[beat(1)]),
            ],
        );
    }

    #[test]
    fn misses_have_to_be_consecutive() {
        play(
            &mut policy(Fixed { misses: 2, ..spec() }),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (45_000, None, &[Action::Suspect]),
                (60_000, None, &[beat(1)]),
                (61_000, Some(reply(1)), &[Action::Trust]),
                (90_000, None, &[beat(2)]),
                (105_000, None, &[Action::Suspect]),
                (120_000, None, &[beat(3)]),
                (135_000, None, &[NO_REPLY]),
            ],
        );
    }

    #[test]
    fn a_late_reply_clears_the_misses_where_it_counts() {
        play(
            &mut policy(Fixed { misses: 2, ..spec() }),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (45_000, None, &[Action::Suspect]),
                (60_000, None, &[beat(1)]),
                // Late for beat 0; beat 1 still has to be answered on its own.
                (61_000, Some(reply(0)), &[Action::Trust]),
                (75_000, None, &[Action::Suspect]),
                (90_000, None, &[beat(2)]),
                (105_000, None, &[NO_REPLY]),
            ],
        );
    }

    #[test]
    fn a_late_reply_is_nothing_where_it_is_ignored() {
        play(
            &mut policy(Fixed { misses: 2, late_reply: LateReply::Ignored, ..spec() }),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (45_000, None, &[Action::Suspect]),
                (46_000, Some(reply(0)), &[]),
                (60_000, None, &[beat(1)]),
                (75_000, None, &[NO_REPLY]),
            ],
        );
    }

    #[test]
    fn with_a_timeout_of_one_interval_a_beat_is_judged_before_the_next_is_sent() {
        play(
            &mut policy(Fixed { timeout: Span::secs(30), misses: 2, ..spec() }),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (60_000, None, &[Action::Suspect, beat(1)]),
                (90_000, None, &[NO_REPLY]),
            ],
        );
    }

    #[test]
    fn nothing_happens_between_a_lost_connection_and_the_next() {
        play(
            &mut policy(spec()),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (40_000, Some(LOST), &[]),
                (41_000, Some(reply(0)), &[]),
                (100_000, Some(Event::NetworkChanged(Some(Network::cellular(1)))), &[]),
                (200_000, Some(CONNECTED), &[]),
                (230_000, None, &[beat(0)]),
                (245_000, None, &[Action::Suspect, NO_REPLY]),
                (300_000, Some(reply(0)), &[]),
                (400_000, Some(CONNECTED), &[]),
                (430_000, None, &[beat(0)]),
            ],
        );
    }

    #[test]
    fn a_new_connection_starts_without_the_misses_of_the_old() {
        play(
            &mut policy(Fixed { misses: 2, ..spec() }),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (45_000, None, &[Action::Suspect]),
                (50_000, Some(LOST), &[]),
                (60_000, Some(CONNECTED), &[]),
                (90_000, None, &[beat(0)]),
                (105_000, None, &[Action::Suspect]),
            ],
        );
    }

    #[test]
    fn the_first_beat_can_come_at_once() {
        play(
            &mut policy(Fixed { first_beat: FirstBeat::Now, ..spec() }),
            &[(7_000, Some(CONNECTED), &[beat(0)]), (8_000, Some(reply(0)), &[]), (37_000, None, &[beat(1)])],
        );
    }

    #[test]
    fn a_random_phase_is_drawn_for_each_connection_and_spreads_over_the_interval() {
        let mut policy = policy(Fixed { first_beat: FirstBeat::RandomPhase, ..spec() });
        let mut quarters = [0; 4];
        for connection in 0..400 {
            let connected = Time::from_secs(connection * 100);
            policy.on_event(connected, &CONNECTED);
            let phase = policy.deadline().unwrap().since(connected);
            assert!(phase < Duration::from_secs(30));
            quarters[(phase.as_millis() / 7_500) as usize] += 1;
        }
        // 100 expected in each; 30 is 3.5 standard deviations, and the seed is fixed.
        assert!(quarters.iter().all(|count| (70..=130).contains(count)), "{quarters:?}");
    }

    #[test]
    fn a_host_that_overslept_gets_one_late_beat_and_then_the_grid_again() {
        let mut policy = policy(spec());
        policy.on_event(Time::ZERO, &CONNECTED);
        let late = Time::from_secs(118);
        assert_eq!(drain(&mut policy, late), [beat(0)]);
        policy.on_event(Time::from_secs(119), &reply(0));
        // 120 s is on the grid, but the late beat might still wait for its reply then.
        assert_eq!(policy.deadline(), Some(Time::from_secs(150)));
    }

    #[test]
    fn promises_follow_from_the_parameters() {
        let promises = spec().promises(&within(1));
        assert_eq!(promises.detects_within, Some(Duration::from_secs(45)));
        assert_eq!(promises.heartbeats_per_hour, Some(121));
        assert!(promises.no_false_alarm);
        assert!(!spec().promises(&Bounds { loss_free: false, ..within(1) }).no_false_alarm);
        assert!(!spec().promises(&within(16)).no_false_alarm);

        // A slow reply may come as late as the last judgement, if it counts; but then it may also come after a break.
        let patient = Fixed { misses: 2, ..spec() };
        assert!(patient.promises(&within(45)).no_false_alarm);
        assert_eq!(patient.promises(&within(45)).detects_within, Some(Duration::from_secs(60 + 45)));
        let strict = Fixed { late_reply: LateReply::Ignored, ..patient };
        assert!(!strict.promises(&within(45)).no_false_alarm);
        assert_eq!(strict.promises(&within(45)).detects_within, Some(Duration::from_secs(60 + 15)));
    }

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
