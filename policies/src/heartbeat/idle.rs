//! A heartbeat after a stretch of idleness, judged by what arrives after it: short for the composition of an
//! [idle](Threshold) schedule and a judge of [replies](Reply) to whom anything is an answer. When to beat and when to call
//! the connection dead are two separate questions with two separate clocks.

use serde::{Deserialize, Serialize};

use super::{Anchor, AnsweredBy, Composed, Judges, LateReply, Reply, ScheduleSpec, Threshold, judge::one_miss};
use crate::unit::Span;

/// A heartbeat once the connection has been idle for `threshold`, dead after `misses` beats in a row that were followed
/// by silence.
///
/// Sources: `[zhang]` (thresholds of 15 s to 45 s, any traffic counts) and its comments (the `tx` and `rx`
/// anchors); the `tx` anchor with an answer timer is also that of Tencent Mars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// Idleness before a beat, and the least time between two beats.
    pub threshold: Span,
    /// Which traffic ends idleness.
    pub anchor: Anchor,
    /// How long after a beat something, anything, has to arrive. At most `threshold`. Left out, the policy never gives a
    /// connection up and leaves that to the transport's errors, as the client of `[zhang]` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Beats in a row followed by silence that mean death, 1 to 1000. Default 1.
    #[serde(default = "one_miss")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub misses: u32,
}

impl Idle {
    /// Returns the parts it consists of.
    pub fn parts(&self) -> Composed {
        let Self { threshold, anchor, timeout, misses } = *self;
        let reply = |timeout: Span| Reply {
            timeout: timeout.into(),
            misses,
            evidence: AnsweredBy::Any,
            late_reply: LateReply::Counts,
        };
        Composed {
            judge: Judges { reply: timeout.map(reply), ..Judges::default() },
            ..Composed::new(ScheduleSpec::Idle(Threshold { threshold, anchor }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Bounds,
        heartbeat::{Action, Event, GiveUp, composed::ComposedHeartbeat},
        testing::{CONNECTED, LOST, beat, bounds, play, reply, rng},
    };

    const SILENCE: Action = Action::GiveUp(GiveUp::Silence);
    const TX: Event = Event::BytesWritten;
    const RX: Event = Event::BytesReceived;

    /// 45 s, 15 s, one miss.
    fn spec(anchor: Anchor) -> Idle {
        Idle { threshold: Span::secs(45), anchor, timeout: Some(Span::secs(15)), misses: 1 }
    }

    fn policy(spec: &Idle) -> ComposedHeartbeat {
        ComposedHeartbeat::new(spec.parts(), rng(1))
    }

    #[test]
    fn a_silent_application_gets_a_beat_every_threshold_from_each_anchor() {
        play(
            &mut policy(&spec(Anchor::Tx)),
            &[
                (0, Some(CONNECTED), &[]),
                (45_000, None, &[beat(0)]),
                (45_000, Some(TX), &[]),
                (46_000, Some(reply(0)), &[]),
                (90_000, None, &[beat(1)]),
            ],
        );
        for anchor in [Anchor::Rx, Anchor::Either] {
            play(
                &mut policy(&spec(anchor)),
                &[
                    (0, Some(CONNECTED), &[]),
                    (45_000, None, &[beat(0)]),
                    (45_000, Some(TX), &[]),
                    (46_000, Some(reply(0)), &[]),
                    // The reply was the last traffic.
                    (91_000, None, &[beat(1)]),
                ],
            );
        }
    }

    #[test]
    fn sending_postpones_the_beats_of_tx_and_either() {
        for anchor in [Anchor::Tx, Anchor::Either] {
            play(
                &mut policy(&spec(anchor)),
                &[
                    (0, Some(CONNECTED), &[]),
                    (30_000, Some(TX), &[]),
                    (60_000, Some(TX), &[]),
                    (105_000, None, &[beat(0)]),
                ],
            );
        }
    }

    #[test]
    fn sending_into_the_void_does_not_postpone_the_beats_of_rx() {
        play(
            &mut policy(&spec(Anchor::Rx)),
            &[
                (0, Some(CONNECTED), &[]),
                (30_000, Some(TX), &[]),
                (45_000, None, &[beat(0)]),
                (50_000, Some(TX), &[]),
                (60_000, None, &[Action::Suspect, SILENCE]),
            ],
        );
    }

    #[test]
    fn receiving_postpones_the_beats_of_rx_and_either_but_not_of_tx() {
        for anchor in [Anchor::Rx, Anchor::Either] {
            play(
                &mut policy(&spec(anchor)),
                &[
                    (0, Some(CONNECTED), &[]),
                    (30_000, Some(RX), &[]),
                    (60_000, Some(Event::PeerPing), &[]),
                    (105_000, None, &[beat(0)]),
                ],
            );
        }
        play(
            &mut policy(&spec(Anchor::Tx)),
            &[(0, Some(CONNECTED), &[]), (30_000, Some(RX), &[]), (45_000, None, &[beat(0)])],
        );
    }

    #[test]
    fn anything_received_after_a_beat_answers_it() {
        for evidence in [RX, reply(0), Event::PeerPing, Event::DirectedInterval(Duration::from_mins(1))] {
            play(
                &mut policy(&spec(Anchor::Tx)),
                &[
                    (0, Some(CONNECTED), &[]),
                    (45_000, None, &[beat(0)]),
                    // At the very deadline is in time.
                    (60_000, Some(evidence), &[]),
                    (90_000, None, &[beat(1)]),
                    (105_000, None, &[Action::Suspect, SILENCE]),
                ],
            );
        }
    }

    #[test]
    fn what_was_received_before_a_beat_does_not_answer_it() {
        play(
            &mut policy(&spec(Anchor::Tx)),
            &[
                (0, Some(CONNECTED), &[]),
                (44_999, Some(RX), &[]),
                (45_000, None, &[beat(0)]),
                (60_000, None, &[Action::Suspect, SILENCE]),
            ],
        );
    }

    #[test]
    fn misses_add_up_until_something_arrives() {
        play(
            &mut policy(&Idle { misses: 2, ..spec(Anchor::Either) }),
            &[
                (0, Some(CONNECTED), &[]),
                (45_000, None, &[beat(0)]),
                (45_000, Some(TX), &[]),
                (60_000, None, &[Action::Suspect]),
                (70_000, Some(RX), &[Action::Trust]),
                (115_000, None, &[beat(1)]),
                (130_000, None, &[Action::Suspect]),
                (160_000, None, &[beat(2)]),
                (175_000, None, &[SILENCE]),
            ],
        );
    }

    #[test]
    fn without_a_timeout_it_beats_on_and_never_gives_up() {
        play(
            &mut policy(&Idle { timeout: None, ..spec(Anchor::Either) }),
            &[
                (0, Some(CONNECTED), &[]),
                (45_000, None, &[beat(0)]),
                (90_000, None, &[beat(1)]),
                (135_000, None, &[beat(2)]),
                (136_000, Some(LOST), &[]),
            ],
        );
    }

    #[test]
    fn a_timeout_of_one_threshold_is_judged_before_the_next_beat() {
        play(
            &mut policy(&Idle { timeout: Some(Span::secs(45)), misses: 2, ..spec(Anchor::Tx) }),
            &[
                (0, Some(CONNECTED), &[]),
                (45_000, None, &[beat(0)]),
                (90_000, None, &[Action::Suspect, beat(1)]),
                (135_000, None, &[SILENCE]),
            ],
        );
    }

    #[test]
    fn nothing_happens_between_a_connection_and_the_next() {
        play(
            &mut policy(&spec(Anchor::Rx)),
            &[
                (0, Some(CONNECTED), &[]),
                (45_000, None, &[beat(0)]),
                (50_000, Some(LOST), &[]),
                (100_000, Some(RX), &[]),
                (200_000, Some(CONNECTED), &[]),
                (245_000, None, &[beat(0)]),
                (260_000, None, &[Action::Suspect, SILENCE]),
                (300_000, Some(RX), &[]),
                (400_000, Some(TX), &[]),
                (500_000, Some(CONNECTED), &[]),
                (545_000, None, &[beat(0)]),
            ],
        );
    }

    #[test]
    fn a_bound_on_detection_needs_a_timeout_and_a_silent_application() {
        let bounds = bounds();
        let promises = spec(Anchor::Rx).parts().promises(&bounds);
        assert_eq!(promises.detects_within, Some(Duration::from_secs(1 + 45 + 15)));
        assert_eq!(promises.heartbeats_per_hour, Some(81));
        assert!(promises.no_false_alarm);

        let talking = Bounds { silent_app: false, ..bounds };
        assert_eq!(spec(Anchor::Rx).parts().promises(&talking).detects_within, None);
        assert!(!spec(Anchor::Rx).parts().promises(&Bounds { loss_free: false, ..bounds }).no_false_alarm);

        let trusting =
            Idle { timeout: None, ..spec(Anchor::Rx) }.parts().promises(&Bounds { loss_free: false, ..bounds });
        assert_eq!((trusting.detects_within, trusting.no_false_alarm), (None, true));
    }
}
