//! A heartbeat after a stretch of idleness: traffic of the application's own makes beats unnecessary. When to beat and
//! when to call the connection dead are two separate questions with two separate clocks.

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, GiveUp, Heartbeat,
    fixed::one_miss,
    spec::{REMEMBERS_NOTHING, check_misses, describe_misses, per_hour},
};
use crate::{Bounds, Problem, Promises, Time, unit::Span};

/// A heartbeat once the connection has been idle for `threshold`, dead after `misses` beats in a row that were followed
/// by silence.
///
/// Sources: source document 004 (thresholds of 15 s to 45 s, any traffic counts) and its comments (the `tx` and `rx`
/// anchors); the `tx` anchor with an answer timer is also that of Tencent Mars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// Idleness before a beat, and the least time between two beats.
    pub threshold: Span,
    /// What ends idleness.
    pub anchor: Anchor,
    /// How long after a beat something, anything, has to arrive. At most `threshold`. Left out, the policy never gives a
    /// connection up and leaves that to the transport's errors, as the client of source document 004 does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Beats in a row followed by silence that mean death, 1 to 1000. Default 1.
    #[serde(default = "one_miss")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub misses: u32,
}

/// The traffic from which idleness is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// What this side sends: the server and the NAT hear from it at least every threshold.
    Tx,
    /// What this side receives: a broken path is tested even while the application keeps sending into it.
    Rx,
    /// Whichever came last.
    Either,
}

impl Idle {
    pub(super) fn promises(&self, bounds: &Bounds) -> Promises {
        let threshold = self.threshold.get();

        // While the application is silent, the last packet to arrive answers a beat sent before the break, so it arrives
        // within a round trip of the break; beats follow it at one threshold each, whichever clock runs, and the last of
        // them is judged a timeout after. An application that talks can hold off any of it: sending into a dead path
        // postpones the beats of `tx` and `either`, and what still arrives over a path cut one way clears the misses.
        let detects_within = self
            .timeout
            .filter(|_| bounds.silent_app)
            .map(|timeout| bounds.rtt_max + threshold * self.misses + timeout.get());
        // Every beat is answered, and the answer to the first of `misses` comes before the last is judged.
        let no_false_alarm = self.timeout.is_none_or(|timeout| {
            bounds.loss_free && bounds.rtt_max <= threshold * self.misses.saturating_sub(1) + timeout.get()
        });
        Promises {
            detects_within,
            heartbeats_per_hour: Some(per_hour(threshold)),
            no_false_alarm,
            ..Promises::default()
        }
    }

    pub(super) fn describe(&self) -> String {
        let idle = match self.anchor {
            Anchor::Tx => "sent",
            Anchor::Rx => "received",
            Anchor::Either => "sent or received",
        };
        let judgement = match self.timeout {
            None => "It waits for no answer and never gives a connection up: that is left to the transport.".into(),
            Some(timeout) => format!(
                "A heartbeat after which nothing at all arrives for {timeout} is a miss. {}",
                describe_misses(self.misses, "whatever arrives")
            ),
        };
        format!(
            "Sends a heartbeat once nothing has been {idle} for {threshold}, two of them never closer than {threshold}. \
             {judgement} {REMEMBERS_NOTHING}",
            threshold = self.threshold,
        )
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<_> = check_misses("idle", self.misses).into_iter().collect();
        if let Some(timeout) = self.timeout.filter(|timeout| *timeout > self.threshold) {
            problems.push(Problem::new(
                "heartbeat.idle.timeout",
                format!("a timeout of {timeout} is longer than the threshold of {}", self.threshold),
                format!("use at most \"{}\", or a longer threshold", self.threshold),
            ));
        }
        problems
    }
}

/// [`Idle`] at work.
pub(super) struct IdleHeartbeat {
    spec: Idle,
    connection: Option<Connection>,
}

/// What is known of the present connection; gone once it is lost or given up.
struct Connection {
    last_tx: Time,
    last_rx: Time,
    /// When the last beat was sent; when the connection was established, before the first.
    last_beat: Time,
    next_id: u32,
    /// When silence since the last beat becomes a miss. One is enough: a timeout is no longer than the threshold.
    judged_at: Option<Time>,
    /// Consecutive beats followed by silence.
    misses: u32,
    /// What the host was told last.
    suspected: bool,
}

impl IdleHeartbeat {
    pub(super) fn new(spec: Idle) -> Self {
        Self { spec, connection: None }
    }
}

impl Connection {
    fn new(now: Time) -> Self {
        Self { last_tx: now, last_rx: now, last_beat: now, next_id: 0, judged_at: None, misses: 0, suspected: false }
    }

    fn received(&mut self, now: Time) {
        self.last_rx = now;
        self.judged_at = None;
        self.misses = 0;
    }

    fn next_beat(&self, spec: &Idle) -> Time {
        let anchor = match spec.anchor {
            Anchor::Tx => self.last_tx,
            Anchor::Rx => self.last_rx,
            Anchor::Either => self.last_tx.max(self.last_rx),
        };
        anchor.max(self.last_beat) + spec.threshold.get()
    }
}

impl Heartbeat for IdleHeartbeat {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.connection) {
            (Event::Connected { .. }, _) => self.connection = Some(Connection::new(now)),
            (Event::Lost(_), _) => self.connection = None,
            (Event::BytesWritten, Some(connection)) => connection.last_tx = now,
            (
                Event::BytesReceived | Event::HeartbeatReply { .. } | Event::PeerPing | Event::DirectedInterval(_),
                Some(connection),
            ) => connection.received(now),
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        let connection = self.connection.as_mut()?;
        if connection.judged_at.is_some_and(|at| at <= now) {
            connection.judged_at = None;
            connection.misses += 1;
        }
        if connection.suspected != (connection.misses > 0) {
            connection.suspected = !connection.suspected;
            return Some(if connection.suspected { Action::Suspect } else { Action::Trust });
        }
        if connection.misses >= self.spec.misses {
            self.connection = None;
            return Some(Action::GiveUp(GiveUp::Silence));
        }
        if connection.next_beat(&self.spec) <= now {
            let id = connection.next_id;
            connection.next_id = id.wrapping_add(1);
            connection.last_beat = now;
            connection.judged_at = self.spec.timeout.map(|timeout| now + timeout.get());
            return Some(Action::SendHeartbeat { id });
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        let connection = self.connection.as_ref()?;
        // Judgement is never later than the next beat.
        Some(connection.judged_at.unwrap_or_else(|| connection.next_beat(&self.spec)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{CONNECTED, LOST, beat, bounds, play, reply};

    const SILENCE: Action = Action::GiveUp(GiveUp::Silence);
    const TX: Event = Event::BytesWritten;
    const RX: Event = Event::BytesReceived;

    /// 45 s, 15 s, one miss.
    fn spec(anchor: Anchor) -> Idle {
        Idle { threshold: Span::secs(45), anchor, timeout: Some(Span::secs(15)), misses: 1 }
    }

    fn policy(spec: Idle) -> IdleHeartbeat {
        IdleHeartbeat::new(spec)
    }

    #[test]
    fn a_silent_application_gets_a_beat_every_threshold_from_each_anchor() {
        play(
            &mut policy(spec(Anchor::Tx)),
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
                &mut policy(spec(anchor)),
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
                &mut policy(spec(anchor)),
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
            &mut policy(spec(Anchor::Rx)),
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
                &mut policy(spec(anchor)),
                &[
                    (0, Some(CONNECTED), &[]),
                    (30_000, Some(RX), &[]),
                    (60_000, Some(Event::PeerPing), &[]),
                    (105_000, None, &[beat(0)]),
                ],
            );
        }
        play(
            &mut policy(spec(Anchor::Tx)),
            &[(0, Some(CONNECTED), &[]), (30_000, Some(RX), &[]), (45_000, None, &[beat(0)])],
        );
    }

    #[test]
    fn anything_received_after_a_beat_answers_it() {
        for evidence in [RX, reply(0), Event::PeerPing, Event::DirectedInterval(Duration::from_mins(1))] {
            play(
                &mut policy(spec(Anchor::Tx)),
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
            &mut policy(spec(Anchor::Tx)),
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
            &mut policy(Idle { misses: 2, ..spec(Anchor::Either) }),
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
            &mut policy(Idle { timeout: None, ..spec(Anchor::Either) }),
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
            &mut policy(Idle { timeout: Some(Span::secs(45)), misses: 2, ..spec(Anchor::Tx) }),
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
            &mut policy(spec(Anchor::Rx)),
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
        let promises = spec(Anchor::Rx).promises(&bounds);
        assert_eq!(promises.detects_within, Some(Duration::from_secs(1 + 45 + 15)));
        assert_eq!(promises.heartbeats_per_hour, Some(81));
        assert!(promises.no_false_alarm);

        let talking = Bounds { silent_app: false, ..bounds };
        assert_eq!(spec(Anchor::Rx).promises(&talking).detects_within, None);
        assert!(!spec(Anchor::Rx).promises(&Bounds { loss_free: false, ..bounds }).no_false_alarm);

        let trusting = Idle { timeout: None, ..spec(Anchor::Rx) }.promises(&Bounds { loss_free: false, ..bounds });
        assert_eq!((trusting.detects_within, trusting.no_false_alarm), (None, true));
    }
}
