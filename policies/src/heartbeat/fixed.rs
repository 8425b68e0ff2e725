//! A heartbeat on a fixed grid, each beat judged by its own reply: the policy of most products, and short for the
//! composition of a [grid](Grid) and a judge of [replies](Reply). The grid never moves with the application's traffic;
//! `idle` is the policy that does.

use serde::{Deserialize, Serialize};

use super::{AnsweredBy, Composed, FirstBeat, Grid, Judges, LateReply, Reply, ScheduleSpec, judge::one_miss};
use crate::unit::Span;

/// A heartbeat every `interval`, dead after `misses` unanswered ones in a row.
///
/// It suspects the connection at the first miss and trusts it again once the misses are cleared. Sources: `[yuan]`
/// (interval, consecutive misses) and `[netease]` (interval and reply timeout). Whether a late reply counts is left
/// open by both, and real products differ; hence [`LateReply`].
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

impl Fixed {
    /// Returns the parts it consists of.
    pub fn parts(&self) -> Composed {
        let Self { interval, timeout, misses, first_beat, late_reply } = *self;
        let reply = Reply { timeout: timeout.into(), misses, evidence: AnsweredBy::Reply, late_reply };
        Composed {
            judge: Judges { reply: Some(reply), ..Judges::default() },
            ..Composed::new(ScheduleSpec::Grid(Grid { interval, shortest: None, first_beat, unless_sent: false }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::{
        Bounds, Network, Time,
        heartbeat::{Action, Event, GiveUp, Heartbeat, composed::ComposedHeartbeat},
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

    fn policy(spec: &Fixed) -> ComposedHeartbeat {
        ComposedHeartbeat::new(spec.parts(), rng(1))
    }

    fn within(rtt_max: u64) -> Bounds {
        Bounds { rtt_max: Duration::from_secs(rtt_max), ..bounds() }
    }

    #[test]
    fn beats_keep_to_the_grid_whatever_the_traffic() {
        play(
            &mut policy(&spec()),
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
            &mut policy(&spec()),
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
            &mut policy(&spec),
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
            &mut policy(&Fixed { misses: 2, ..spec() }),
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
            &mut policy(&Fixed { misses: 2, ..spec() }),
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
            &mut policy(&Fixed { misses: 2, late_reply: LateReply::Ignored, ..spec() }),
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
            &mut policy(&Fixed { timeout: Span::secs(30), misses: 2, ..spec() }),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, None, &[beat(0)]),
                (60_000, None, &[Action::Suspect, beat(1)]),
                (90_000, None, &[NO_REPLY]),
            ],
        );
    }

    /// As every real timer is: "dead when the next beat is due" is no reason to leave that one out.
    #[test]
    fn a_host_whose_timers_are_late_beats_at_every_point_of_the_grid() {
        let mut policy = policy(&Fixed { timeout: Span::secs(30), ..spec() });
        policy.on_event(Time::ZERO, &CONNECTED);
        for (id, late) in [(0, 2), (1, 0), (2, 3)] {
            let due = Time::from_secs(30 * (1 + u64::from(id)));
            assert_eq!(policy.deadline(), Some(due));
            let now = due + Duration::from_millis(late);
            assert_eq!(drain(&mut policy, now), [beat(id)]);
            policy.on_event(now, &Event::BytesWritten);
            policy.on_event(now + Duration::from_millis(100), &reply(id));
        }
        let due = Time::from_secs(120);
        assert_eq!(drain(&mut policy, due + Duration::from_millis(1)), [beat(3)]);
        // The whole timeout is waited for.
        let judged = due + Duration::from_millis(30_001);
        assert_eq!(policy.deadline(), Some(judged));
        assert_eq!(drain(&mut policy, judged + Duration::from_millis(1)), [Action::Suspect, NO_REPLY]);
    }

    #[test]
    fn nothing_happens_between_a_lost_connection_and_the_next() {
        play(
            &mut policy(&spec()),
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
            &mut policy(&Fixed { misses: 2, ..spec() }),
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
            &mut policy(&Fixed { first_beat: FirstBeat::Now, ..spec() }),
            &[(7_000, Some(CONNECTED), &[beat(0)]), (8_000, Some(reply(0)), &[]), (37_000, None, &[beat(1)])],
        );
    }

    #[test]
    fn a_random_phase_is_drawn_for_each_connection_and_spreads_over_the_interval() {
        let mut policy = policy(&Fixed { first_beat: FirstBeat::RandomPhase, ..spec() });
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
        let mut policy = policy(&spec());
        policy.on_event(Time::ZERO, &CONNECTED);
        let late = Time::from_secs(118);
        assert_eq!(drain(&mut policy, late), [beat(0)]);
        policy.on_event(Time::from_secs(119), &reply(0));
        // 120 s is on the grid, but the late beat might still wait for its reply then.
        assert_eq!(policy.deadline(), Some(Time::from_secs(150)));
    }

    #[test]
    fn promises_follow_from_the_parameters() {
        let promises = spec().parts().promises(&within(1));
        assert_eq!(promises.detects_within, Some(Duration::from_secs(45)));
        assert_eq!(promises.heartbeats_per_hour, Some(121));
        assert!(promises.no_false_alarm);
        assert!(!spec().parts().promises(&Bounds { loss_free: false, ..within(1) }).no_false_alarm);
        assert!(!spec().parts().promises(&within(16)).no_false_alarm);

        // A slow reply may come as late as the last judgement, if it counts; but then it may also come after a break.
        let patient = Fixed { misses: 2, ..spec() };
        assert!(patient.parts().promises(&within(45)).no_false_alarm);
        assert_eq!(patient.parts().promises(&within(45)).detects_within, Some(Duration::from_secs(60 + 45)));
        let strict = Fixed { late_reply: LateReply::Ignored, ..patient };
        assert!(!strict.parts().promises(&within(45)).no_false_alarm);
        assert_eq!(strict.parts().promises(&within(45)).detects_within, Some(Duration::from_secs(60 + 15)));
    }
}
