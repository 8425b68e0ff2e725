//! The linear search that halfrost describes (attributed to `[52im-783]`): longer by a step after each answer, shorter by
//! less than a step after each connection that dies.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, Heartbeat, LossReason,
    machine::{MachineState, Rules, has_state},
    notebook::Notebook,
    spec::{Learning, Machine, per_hour},
};
use crate::{Bounds, Network, Problem, Promises, Time, problem::Problems, unit::Span};

parameters! {
    /// Up by `step`, down by `drop`.
    ///
    /// Source: halfrost, `Advance_TCP.md`; it says nothing of a reply's timeout, nor of memory: assumptions.
    pub struct HalfrostSearch {
        /// The first interval. Default 180 s.
        pub start: Span = Span::secs(180),
        /// What an answer adds. Default 30 s.
        pub step: Span = Span::secs(30),
        /// What a connection's death takes away; no interval is shorter than this. Default 20 s.
        pub drop: Span = Span::secs(20),
        /// Deaths in a row, without an answer between them, that send the interval back to `start`. Default 5.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub restart_after: u32 = 5,
        /// Whether answers go on lengthening the interval after a death has shortened it. The source does not say. Default
        /// false: the search is over once a shortened interval is answered.
        pub grow_after_drop: bool = false,
        /// How long the answer to a beat may take. Default 15 s: an assumption.
        pub timeout: Span = Span::secs(15),
    }
}

impl Machine for HalfrostSearch {
    fn build(&self) -> Box<dyn Heartbeat> {
        Box::new(Halfrost::new(self.clone()))
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        Promises {
            // The interval has no upper limit.
            detects_within: None,
            heartbeats_per_hour: Some(per_hour(self.drop.min(self.start).get())),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.timeout.get(),
            ..Promises::default()
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        None
    }

    fn learning(&self) -> Option<Learning> {
        Some(Learning::new(self.step.get() + self.drop.get(), None, 5))
    }

    fn describe(&self) -> String {
        let after = if self.grow_after_drop { "and grows again" } else { "and stays once it is answered" };
        format!(
            "Sends a heartbeat every interval, from {} upwards by {} with each reply. When the connection fails it is made anew \
             and the interval is {} shorter than the one reached, {after}. After {} failures in a row it begins at {} again. A \
             heartbeat without a reply within {} ends the connection. It remembers what it found for each network.",
            self.start, self.step, self.drop, self.restart_after, self.start, self.timeout
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("heartbeat.thread783");
        if self.drop > self.start {
            let message = format!("a drop of {} is more than the first interval, {}", self.drop, self.start);
            problems.add("drop", message, format!("use at most \"{}\"", self.start));
        }
        problems.check_timeout("timeout", self.timeout, "shortest", self.drop.min(self.start));
        problems.check_count("restart_after", self.restart_after, 1);
        problems.into_vec()
    }
}

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    interval: Span,
    /// Deaths since the last answer.
    #[serde(default)]
    deaths: u32,
    /// A death has shortened the interval.
    #[serde(default)]
    dropped: bool,
}

/// [`HalfrostSearch`] at work.
pub(super) struct Halfrost {
    spec: HalfrostSearch,
    state: MachineState<Notebook<u32, Record>>,
    network: u32,
}

impl Halfrost {
    pub(super) fn new(spec: HalfrostSearch) -> Self {
        Self { state: MachineState::new(Notebook::new("thread783")), network: 0, spec }
    }

    /// A beat was not answered, whoever noticed.
    fn failure(&mut self) {
        let HalfrostSearch { start, drop, restart_after, .. } = self.spec;
        let record = self.state.notes.page(&self.network);
        record.deaths = record.deaths.saturating_add(1);
        if record.deaths >= restart_after {
            *record = Record { interval: start, deaths: 0, dropped: false };
        } else {
            record.interval = Span::at_least(record.interval.get().saturating_sub(drop.get())).max(drop);
            record.dropped = true;
        }
        self.state.unsaved = true;
    }
}

has_state!(Halfrost, Notebook<u32, Record>);

impl Rules for Halfrost {
    fn connected(&mut self, now: Time, network: Network) {
        self.network = network.id;
        let fresh = Record { interval: self.spec.start, deaths: 0, dropped: false };
        let record = self.state.notes.records.entry(network.id).or_insert(fresh);
        record.interval = record.interval.max(self.spec.drop);
        let first = record.interval.get();
        self.state.open(now, first);
    }

    fn due(&mut self, now: Time) -> Option<Action> {
        let interval = self.state.notes.page(&self.network).interval.get();
        self.state.send(now, Some(self.spec.timeout.get()), interval)
    }

    fn answered(&mut self, _: Time) {
        let record = self.state.notes.page(&self.network);
        let before = *record;
        record.deaths = 0;
        if !record.dropped || self.spec.grow_after_drop {
            record.interval = Span::at_least(record.interval.get() + self.spec.step.get());
        }
        let after = *record;
        self.state.unsaved |= after != before;
        // What was learnt holds for the gap that began with the beat.
        self.state.set_gap(after.interval.get());
    }

    fn overdue(&mut self, _: Time) {
        self.state.declare_dead();
        self.failure();
    }

    fn lost(&mut self, _: Time, _: LossReason, waiting: bool) {
        if waiting {
            self.failure();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        GiveUp,
        testing::{CONNECTED, LOST, beat, bounds, drain, live_behind_nat, live_on, play, reply},
    };

    const REMEMBER: Action = Action::Remember;
    const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
    const DAY: Duration = Duration::from_secs(86_400);

    fn policy() -> Halfrost {
        Halfrost::new(HalfrostSearch::default())
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn interval(policy: &Halfrost) -> Duration {
        policy.state.notes.records[&0].interval.get()
    }

    #[test]
    fn answers_add_thirty_seconds_and_a_death_takes_twenty() {
        play(
            &mut policy(),
            &[
                (0, Some(CONNECTED), &[]),
                (180_000, None, &[beat(0)]),
                (181_000, Some(reply(0)), &[REMEMBER]),
                (390_000, None, &[beat(1)]),
                (405_000, None, &[REMEMBER, Action::Suspect, NO_REPLY]),
                (406_000, Some(CONNECTED), &[]),
                (596_000, None, &[beat(0)]),
                (597_000, Some(reply(0)), &[REMEMBER]),
                // A shortened interval was answered: the search is over.
                (786_000, None, &[beat(1)]),
                (787_000, Some(reply(1)), &[]),
                (976_000, None, &[beat(2)]),
            ],
        );
    }

    #[test]
    fn growth_may_go_on_after_a_drop() {
        let mut policy = Halfrost::new(HalfrostSearch { grow_after_drop: true, ..HalfrostSearch::default() });
        let report = live_behind_nat(&mut policy, secs(300), DAY);
        // 300, 330 dies, 310 dies, 290, 320 dies, 300, 330 dies: for ever.
        assert!(report.losses.len() > 50, "{}", report.losses.len());
        assert!((secs(290)..=secs(330)).contains(&interval(&policy)));
    }

    #[test]
    fn five_deaths_in_a_row_send_it_back_to_the_start() {
        let mut policy = policy();
        let mut now = Time::ZERO;
        let mut gaps = Vec::new();
        for _ in 0..6 {
            policy.on_event(now, &CONNECTED);
            let due = policy.deadline().unwrap();
            gaps.push(due.since(now).as_secs());
            assert!(drain(&mut policy, due).contains(&beat(0)));
            policy.on_event(due, &LOST);
            now = due;
        }
        assert_eq!(gaps, [180, 160, 140, 120, 100, 180]);
    }

    #[test]
    fn a_connection_that_ends_while_no_beat_is_out_teaches_nothing() {
        let mut policy = policy();
        play(&mut policy, &[(0, Some(CONNECTED), &[]), (100_000, Some(LOST), &[])]);
        assert_eq!(interval(&policy), secs(180));
    }

    #[test]
    fn no_interval_is_shorter_than_a_drop() {
        let mut policy = Halfrost::new(HalfrostSearch { restart_after: 100, ..HalfrostSearch::default() });
        live_behind_nat(&mut policy, secs(1), secs(3_600));
        assert_eq!(interval(&policy), secs(20));
    }

    #[test]
    fn what_was_found_survives_a_restart_and_belongs_to_its_network() {
        let mut before = policy();
        live_behind_nat(&mut before, secs(300), DAY);
        let mut again = policy();
        again.recall(&before.memory().unwrap());
        let report = live_on(&mut again, Network::cellular(0), secs(300), Time::ZERO + DAY, DAY);
        assert!(report.losses.is_empty());
        assert!(report.beats.iter().all(|beat| beat.interval.is_none_or(|interval| interval == secs(290))));
        let other = live_on(&mut again, Network::wifi(1), secs(300), Time::ZERO + 2 * DAY, DAY);
        assert_eq!(other.beats[0].gap, secs(180));
        assert_eq!(interval(&again), secs(290));
    }

    #[test]
    fn it_promises_no_detection_for_its_interval_has_no_limit() {
        let promises = HalfrostSearch::default().promises(&bounds());
        assert_eq!((promises.detects_within, promises.heartbeats_per_hour), (None, Some(181)));
    }

    #[test]
    fn contradictions_name_the_nearest_valid_value() {
        let spec = HalfrostSearch { drop: Span::secs(200), timeout: Span::secs(190), ..HalfrostSearch::default() };
        let problems: Vec<_> = spec.problems().into_iter().map(|problem| (problem.path, problem.help)).collect();
        let expected = [("drop", "use at most \"3m\""), ("timeout", "use at most \"3m\"")];
        let expected = expected.map(|(key, help)| (format!("heartbeat.thread783.{key}"), help.to_owned()));
        assert_eq!(problems, expected);
    }

    proptest! {
        #[test]
        fn behind_any_nat_it_ends_within_a_drop_of_the_timeout(tau_s in 120_u64..3_600) {
            let mut policy = policy();
            let report = live_behind_nat(&mut policy, secs(tau_s), 6 * DAY);
            let found = interval(&policy).as_secs();
            prop_assert!(found <= tau_s && found + 20 > tau_s, "{found} s behind {tau_s} s");
            prop_assert_eq!(report.last_interval(), Some(interval(&policy)));
            prop_assert!(report.losses.len() <= 4);
        }
    }
}
