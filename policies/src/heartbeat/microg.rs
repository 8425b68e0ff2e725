//! microG's heartbeat for Google's message service: the interval grows by a little with each answer and shrinks by more with
//! each failure, for ever, so that it swings around what the network allows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, Heartbeat, LossReason,
    machine::{MachineState, Rules, has_state},
    notebook::Notebook,
    spec::{Learning, Machine, per_hour},
};
use crate::{Bounds, Network, NetworkKind, Problem, Promises, Time, problem::Problems, unit::Span};

parameters! {
    /// Multiplicative increase and decrease, learnt for each kind of network.
    ///
    /// Source: `GmsCore` at 9a206ae1, `GcmPrefs.kt` and `McsService.java`.
    pub struct MicrogMcsAimd {
        /// The shortest interval, and the first. Default 300 s.
        pub min: Span = Span::secs(300),
        /// The longest interval. Default 900 s.
        pub max: Span = Span::secs(900),
        /// Factor of an answer after a quiet time longer than three quarters of the interval, 1 to 10. Default 1.02.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10)))]
        pub growth: f64 = 1.02,
        /// Factor of a failure, above 0, at most 1. Default 0.95.
        #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1)))]
        pub shrink: f64 = 0.95,
        /// How long the answer to a beat may take. Default 90 s.
        pub ack_timeout: Span = Span::secs(90),
        /// The user's own interval in place of all this. Default: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fixed: Option<Span> = None,
    }
}

impl Machine for MicrogMcsAimd {
    fn build(&self) -> Box<dyn Heartbeat> {
        Box::new(Microg::new(self.clone()))
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        let (shortest, longest) = self.fixed.map_or((self.min, self.max), |fixed| (fixed, fixed));
        Promises {
            // Beats follow each other by at most the longest interval, whatever the traffic.
            detects_within: Some(longest.get() + self.ack_timeout.get()),
            heartbeats_per_hour: Some(per_hour(shortest.get())),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.ack_timeout.get(),
            ..Promises::default()
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        Some(self.fixed.unwrap_or(self.max).get())
    }

    fn learning(&self) -> Option<Learning> {
        // It swings around what the network allows, by a tenth of its longest interval at most.
        Some(Learning::new(self.max.get() / 10, Some(self.max.get()), 2))
    }

    fn describe(&self) -> String {
        let interval = match self.fixed {
            Some(fixed) => format!("of {fixed}"),
            None => format!(
                "learnt for each kind of network, from {} to {}: times {} when the connection was silent for more than three \
                 quarters of it before a reply, times {} when a heartbeat fails or the connection is lost",
                self.min, self.max, self.growth, self.shrink
            ),
        };
        format!(
            "Sends a heartbeat every interval {interval}. A heartbeat without a reply within {} ends the connection. What it has \
             learnt it remembers over restarts.",
            self.ack_timeout
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("heartbeat.microg-mcs-aimd");
        if self.max < self.min {
            let message = format!("the longest interval, {}, is below the shortest, {}", self.max, self.min);
            problems.add("max", message, format!("use at least \"{}\"", self.min));
        }
        if !(1.0..=10.0).contains(&self.growth) {
            problems.add("growth", format!("{} is outside 1 to 10", self.growth), "use 1.02");
        }
        if !(self.shrink > 0.0 && self.shrink <= 1.0) {
            problems.add("shrink", format!("{} is not above 0 and at most 1", self.shrink), "use 0.95");
        }
        problems.check_timeout("ack_timeout", self.ack_timeout, "shortest", self.fixed.unwrap_or(self.min));
        problems.into_vec()
    }
}

/// What was learnt of one kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Whole milliseconds.
    interval_ms: u64,
}

/// [`MicrogMcsAimd`] at work.
pub(super) struct Microg {
    spec: MicrogMcsAimd,
    state: MachineState<Notebook<NetworkKind, Record>>,
    kind: NetworkKind,
    /// When anything arrived last; when the connection was established, before that.
    last_rx: Time,
}

impl Microg {
    pub(super) fn new(spec: MicrogMcsAimd) -> Self {
        Self {
            state: MachineState::new(Notebook::new("microg-mcs-aimd")),
            kind: NetworkKind::default(),
            last_rx: Time::ZERO,
            spec,
        }
    }

    fn learnt(&self) -> Duration {
        let learnt = self.state.notes.records.get(&self.kind).map(|record| Duration::from_millis(record.interval_ms));
        learnt.unwrap_or_else(|| self.spec.min.get()).clamp(self.spec.min.get(), self.spec.max.get())
    }

    fn interval(&self) -> Duration {
        self.spec.fixed.map_or_else(|| self.learnt(), Span::get)
    }

    /// What was learnt changes by a factor, in whole milliseconds, the rest cut off.
    fn learn(&mut self, factor: f64) {
        if self.spec.fixed.is_some() {
            return;
        }
        let scaled = Duration::from_millis((self.learnt().as_millis() as f64 * factor) as u64);
        let interval_ms = scaled.clamp(self.spec.min.get(), self.spec.max.get()).as_millis() as u64;
        let record = Record { interval_ms };
        self.state.unsaved |= self.state.notes.records.insert(self.kind, record) != Some(record);
    }
}

has_state!(Microg, Notebook<NetworkKind, Record>);

impl Rules for Microg {
    fn connected(&mut self, now: Time, network: Network) {
        self.kind = network.kind;
        self.last_rx = now;
        self.state.open(now, self.interval());
    }

    fn due(&mut self, now: Time) -> Option<Action> {
        let interval = self.interval();
        self.state.send(now, Some(self.spec.ack_timeout.get()), interval)
    }

    fn answered(&mut self, now: Time) {
        // Little is learnt from an answer on a connection that was busy.
        if now.since(self.last_rx) > self.learnt() * 3 / 4 {
            self.learn(self.spec.growth);
        }
        self.last_rx = now;
    }

    fn overdue(&mut self, _: Time) {
        self.state.declare_dead();
        self.learn(self.spec.shrink);
    }

    fn lost(&mut self, _: Time, reason: LossReason, _: bool) {
        // Every error of the connection, but for a network that went away.
        if reason != LossReason::Aborted {
            self.learn(self.spec.shrink);
        }
    }

    fn heard(&mut self, now: Time, event: &Event) {
        if let Event::HeartbeatReply { .. }
        | Event::BytesReceived
        | Event::Acknowledged
        | Event::PeerPing
        | Event::DirectedInterval(_) = event
        {
            self.last_rx = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        GiveUp,
        testing::{Beat, CONNECTED, LOST, beat, bounds, live_behind_nat, live_on, play, reply},
    };

    const REMEMBER: Action = Action::Remember;
    const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
    const DAY: Duration = Duration::from_secs(86_400);

    fn policy() -> Microg {
        Microg::new(MicrogMcsAimd::default())
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn knowing(interval_ms: u64) -> Microg {
        let mut policy = policy();
        let record = format!(r#"{{"interval_ms":{interval_ms}}}"#);
        policy.recall(&format!(r#"{{"policy":"microg-mcs-aimd","networks":{{"cellular":{record}}}}}"#));
        policy
    }

    #[test]
    fn an_answer_adds_two_per_cent_and_a_failure_takes_five() {
        let mut policy = policy();
        play(
            &mut policy,
            &[
                (0, Some(CONNECTED), &[]),
                (300_000, None, &[beat(0)]),
                (301_000, Some(reply(0)), &[REMEMBER]),
                (600_000, None, &[beat(1)]),
                (601_000, Some(reply(1)), &[REMEMBER]),
                (906_000, None, &[beat(2)]),
                (996_000, None, &[REMEMBER, Action::Suspect, NO_REPLY]),
            ],
        );
        // 300 000 -> 306 000 -> 312 120 -> 296 514, which is below the least.
        assert_eq!(policy.learnt(), secs(300));
    }

    #[test]
    fn whole_milliseconds_are_kept_and_the_rest_is_cut_off() {
        let mut policy = knowing(333_333);
        policy.learn(1.02);
        assert_eq!(policy.learnt(), Duration::from_millis(339_999));
        policy.learn(0.95);
        assert_eq!(policy.learnt(), Duration::from_millis(322_999));
    }

    #[test]
    fn nothing_is_learnt_from_an_answer_on_a_busy_line() {
        // 300 s, three quarters of which are 225 s.
        for (heard, learnt) in [(76_000, 300), (75_999, 306)] {
            let mut policy = policy();
            let answer: &[Action] = if learnt == 300 { &[] } else { &[REMEMBER] };
            play(
                &mut policy,
                &[
                    (0, Some(CONNECTED), &[]),
                    (heard, Some(Event::BytesReceived), &[]),
                    (300_000, None, &[beat(0)]),
                    (301_000, Some(reply(0)), answer),
                ],
            );
            assert_eq!(policy.learnt(), secs(learnt));
        }
    }

    #[test]
    fn an_error_of_the_connection_shortens_the_interval_but_a_network_that_went_away_does_not() {
        for (reason, learnt) in [(LossReason::Reset, 570), (LossReason::Aborted, 600)] {
            let mut policy = knowing(600_000);
            policy.on_event(Time::ZERO, &CONNECTED);
            policy.on_event(Time::from_secs(1), &Event::Lost(reason));
            assert_eq!(policy.learnt(), secs(learnt));
        }
        let mut policy = knowing(600_000);
        policy.on_event(Time::ZERO, &LOST);
        assert_eq!(policy.learnt(), secs(600), "there was no connection to lose");
    }

    #[test]
    fn each_kind_of_network_learns_for_itself_and_over_restarts() {
        let mut before = policy();
        live_on(&mut before, Network::wifi(1), Duration::MAX, Time::ZERO, DAY);
        let mut again = policy();
        again.recall(&before.memory().unwrap());
        let wifi = live_on(&mut again, Network::wifi(2), Duration::MAX, Time::ZERO + DAY, DAY);
        assert_eq!(wifi.beats[0].gap, secs(900));
        let cellular = live_on(&mut again, Network::cellular(1), Duration::MAX, Time::ZERO + 2 * DAY, DAY);
        assert_eq!(cellular.beats[0].gap, secs(300));
    }

    #[test]
    fn the_users_own_interval_switches_learning_off() {
        let mut policy = Microg::new(MicrogMcsAimd { fixed: Some(Span::secs(600)), ..MicrogMcsAimd::default() });
        let report = live_behind_nat(&mut policy, secs(300), DAY);
        assert!(report.beats.iter().all(|beat| beat.gap == secs(600) && !beat.answered));
        assert_eq!(report.remembered, 0);
    }

    #[test]
    fn every_break_is_noticed_one_longest_interval_and_one_wait_later() {
        let promises = MicrogMcsAimd::default().promises(&bounds());
        assert_eq!((promises.detects_within, promises.heartbeats_per_hour), (Some(secs(990)), Some(13)));
        assert!(promises.no_false_alarm);
    }

    #[test]
    fn contradictions_name_the_key_to_change() {
        let spec = MicrogMcsAimd {
            max: Span::secs(200),
            growth: 0.5,
            shrink: f64::NAN,
            ack_timeout: Span::secs(400),
            ..MicrogMcsAimd::default()
        };
        let paths: Vec<_> = spec.problems().into_iter().map(|problem| problem.path).collect();
        let expected = ["max", "growth", "shrink", "ack_timeout"];
        assert_eq!(paths, expected.map(|key| format!("heartbeat.microg-mcs-aimd.{key}")));
    }

    proptest! {
        /// Invariant 7.
        #[test]
        fn between_its_limits_it_swings_around_the_nat_with_2_6_answers_to_a_failure(tau_s in 400_u64..800) {
            let mut policy = policy();
            let report = live_behind_nat(&mut policy, secs(tau_s), 30 * DAY);
            let begin = Time::ZERO + 5 * DAY;
            let settled = report.beats.iter().filter(|beat| beat.at >= begin);
            let (answered, failed): (Vec<&Beat>, Vec<&Beat>) = settled.partition(|beat| beat.answered);
            // ln(1 / 0.95) / ln(1.02) = 2.59
            let ratio = answered.len() as f64 / failed.len() as f64;
            prop_assert!((ratio - 2.59).abs() < 0.1, "{ratio}");
            for beat in answered.iter().chain(&failed) {
                let gap = beat.gap.as_secs_f64() / tau_s as f64;
                prop_assert!((0.9..1.1).contains(&gap), "a gap of {:?} around {tau_s} s", beat.gap);
            }
        }

        #[test]
        fn the_interval_stays_within_five_to_fifteen_minutes(tau_s in 120_u64..3_600) {
            let report = live_behind_nat(&mut policy(), secs(tau_s), 3 * DAY);
            for interval in report.beats.iter().filter_map(|beat| beat.interval) {
                prop_assert!((secs(300)..=secs(900)).contains(&interval));
            }
            if tau_s >= 900 {
                prop_assert_eq!((report.losses.len(), report.last_interval()), (0, Some(secs(900))));
            }
        }
    }
}
