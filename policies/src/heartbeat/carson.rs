//! Carson's adaptive heartbeat (`[carson]`): a longer gap after each answer, the longest answered one after five
//! failures, and the search again after five failures of that. His check of the network before a reconnect is the reconnect
//! policy's business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, Heartbeat, LossReason, SearchWhen,
    activity::{Activity, UntilTold},
    machine::{MachineState, Rules, has_state},
    notebook::Notebook,
    spec::{Learning, Machine, per_hour},
};
use crate::{Bounds, Network, Problem, Promises, Time, problem::Problems, unit::Span};

parameters! {
    /// A search upwards from `start`, and the interval it found. Failures are counted in a row.
    ///
    /// Source: `[carson]`; its diagrams are images, so what only they say is an assumption.
    pub struct CarsonAdaptive5 {
        /// The first interval. Default 4 min: what the document recommends for a fixed heartbeat; it gives none for
        /// this one.
        pub start: Span = Span::secs(240),
        /// What an answer adds. Default 1 min: an assumption.
        pub step: Span = Span::secs(60),
        /// Failures in a row that end the search, end a stable interval, or end a connection. Default 5.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub failures: u32 = 5,
        /// How long the answer to a beat may take. Default 15 s: an assumption.
        pub timeout: Span = Span::secs(15),
        /// Whether each failure ends the connection, or only the last of `failures`. The document leaves it open; where
        /// a NAT has forgotten the connection only a new one can answer. Default true.
        pub reconnect_each_failure: bool = true,
        /// When the search goes on. Outside it, on the screen, beats come every `start` and teach nothing (`[wechat]`).
        /// Default `always`.
        pub when: SearchWhen = SearchWhen::Always,
    }
}

impl Machine for CarsonAdaptive5 {
    fn build(&self) -> Box<dyn Heartbeat> {
        Box::new(Carson::new(self.clone()))
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        Promises {
            // The interval has no upper limit.
            detects_within: None,
            heartbeats_per_hour: Some(per_hour(self.start.get())),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.timeout.get(),
            ..Promises::default()
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        None
    }

    fn learning(&self) -> Option<Learning> {
        // What it settles on has lived, and so may the next step have, but for the failures of something else.
        Some(Learning::new(2 * self.step.get(), None, 4))
    }

    fn describe(&self) -> String {
        let failure = if self.reconnect_each_failure {
            "each of them ends the connection"
        } else {
            "as many in a row end the connection"
        };
        let when = if self.when == SearchWhen::Background {
            format!(" With the application on the screen the interval is {}.", self.start)
        } else {
            String::new()
        };
        format!(
            "Sends a heartbeat every interval, from {} upwards by {} with each reply. After {} failures in a row at one interval \
             it goes back to the longest that was answered and stays there; as many failures of that one begin the search anew. \
             A heartbeat without a reply within {} is a failure, and {failure}.{when} It remembers what it found for each \
             network.",
            self.start, self.step, self.failures, self.timeout
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("heartbeat.carson-adaptive-5");
        problems.check_timeout("timeout", self.timeout, "first", self.start);
        problems.check_count("failures", self.failures, 1);
        problems.into_vec()
    }
}

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    interval: Span,
    /// The longest interval that was answered in this search.
    #[serde(default)]
    best: Option<Span>,
    /// The search is over.
    #[serde(default)]
    stable: bool,
    /// Failures in a row.
    #[serde(default)]
    failures: u32,
}

/// [`CarsonAdaptive5`] at work.
pub(super) struct Carson {
    spec: CarsonAdaptive5,
    state: MachineState<Notebook<u32, Record>>,
    network: u32,
    activity: Activity,
    /// Beats of this connection without an answer, in a row.
    misses: u32,
    /// The gap before the next beat is the record's interval.
    gap_is_test: bool,
    /// The beat that is out ends such a gap.
    beat_is_test: bool,
}

impl Carson {
    pub(super) fn new(spec: CarsonAdaptive5) -> Self {
        Self {
            state: MachineState::new(Notebook::new("carson-adaptive-5")),
            network: 0,
            activity: Activity::new(UntilTold::Inactive, Duration::ZERO),
            misses: 0,
            gap_is_test: false,
            beat_is_test: false,
            spec,
        }
    }

    fn fresh(&self) -> Record {
        Record { interval: self.spec.start, best: None, stable: false, failures: 0 }
    }

    /// Returns the interval to wait now.
    fn next_gap(&mut self, now: Time) -> Span {
        self.gap_is_test = self.spec.when == SearchWhen::Always || !self.activity.is_active(now);
        if self.gap_is_test { self.state.notes.page(&self.network).interval } else { self.spec.start }
    }

    /// What was learnt holds for the gap that began with the last beat.
    fn set_timer(&mut self, now: Time) {
        let interval = self.next_gap(now);
        self.state.set_gap(interval.get());
    }

    /// A beat was not answered, whoever noticed.
    fn failure(&mut self) {
        if !self.beat_is_test {
            return;
        }
        let fresh = self.fresh();
        let record = self.state.notes.page(&self.network);
        record.failures = record.failures.saturating_add(1);
        if record.failures >= self.spec.failures {
            // A stable interval that fails, and a search whose very first interval does, begin again.
            *record = match record.best {
                Some(best) if !record.stable => Record { interval: best, best: None, stable: true, failures: 0 },
                _ => fresh,
            };
        }
        self.state.unsaved = true;
    }
}

has_state!(Carson, Notebook<u32, Record>);

impl Rules for Carson {
    fn connected(&mut self, now: Time, network: Network) {
        self.network = network.id;
        let fresh = self.fresh();
        let record = self.state.notes.records.entry(network.id).or_insert(fresh);
        record.interval = record.interval.max(self.spec.start);
        self.misses = 0;
        let first = self.next_gap(now);
        self.state.open(now, first.get());
    }

    fn due(&mut self, now: Time) -> Option<Action> {
        self.beat_is_test = self.gap_is_test;
        let interval = self.next_gap(now);
        self.state.send(now, Some(self.spec.timeout.get()), interval.get())
    }

    fn answered(&mut self, now: Time) {
        self.misses = 0;
        if self.beat_is_test {
            let record = self.state.notes.page(&self.network);
            let before = *record;
            record.failures = 0;
            if !record.stable {
                record.best = Some(record.interval);
                record.interval = Span::at_least(record.interval.get() + self.spec.step.get());
            }
            self.state.unsaved |= *record != before;
        }
        self.set_timer(now);
    }

    fn overdue(&mut self, now: Time) {
        self.misses = self.misses.saturating_add(1);
        if self.spec.reconnect_each_failure || self.misses >= self.spec.failures {
            self.state.declare_dead();
        }
        self.failure();
        self.set_timer(now);
    }

    fn lost(&mut self, _: Time, _: LossReason, waiting: bool) {
        if waiting {
            self.failure();
        }
    }

    fn heard(&mut self, now: Time, event: &Event) {
        if let Event::AppState(state) = event {
            self.activity.told(now, *state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        AppState, GiveUp,
        testing::{CONNECTED, LOST, beat, bounds, live_behind_nat, live_on, play, reply},
    };

    const REMEMBER: Action = Action::Remember;
    const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
    const DAY: Duration = Duration::from_secs(86_400);

    fn carson() -> Carson {
        Carson::new(CarsonAdaptive5::default())
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Returns the record of network 0: interval in seconds, stable, failures.
    fn record(policy: &Carson) -> (u64, bool, u32) {
        let record = policy.state.notes.records[&0];
        (record.interval.get().as_secs(), record.stable, record.failures)
    }

    #[test]
    fn each_answer_lengthens_the_very_next_gap() {
        play(
            &mut carson(),
            &[
                (0, Some(CONNECTED), &[]),
                (240_000, None, &[beat(0)]),
                (241_000, Some(reply(0)), &[REMEMBER]),
                (540_000, None, &[beat(1)]),
                (541_000, Some(reply(1)), &[REMEMBER]),
                (900_000, None, &[beat(2)]),
                (915_000, None, &[REMEMBER, Action::Suspect, NO_REPLY]),
                (916_000, Some(CONNECTED), &[]),
                (1_276_000, None, &[beat(0)]),
                (1_276_500, Some(LOST), &[REMEMBER]),
            ],
        );
    }

    #[test]
    fn the_fifth_failure_at_an_interval_ends_the_search_with_the_longest_that_was_answered() {
        let mut policy = carson();
        let report = live_behind_nat(&mut policy, secs(400), DAY);
        assert_eq!(report.losses.len(), 5);
        assert_eq!((record(&policy), report.last_interval()), ((360, true, 0), Some(secs(360))));
    }

    #[test]
    fn an_answer_between_failures_forgives_them() {
        let mut policy = carson();
        live_behind_nat(&mut policy, secs(400), DAY);
        // Four failures of the stable interval, one answer, four more: it stays.
        let mut now = Time::ZERO + DAY;
        for _ in 0..2 {
            live_on(&mut policy, Network::cellular(0), secs(300), now, secs(4 * 376));
            assert_eq!(record(&policy), (360, true, 4));
            now += secs(4 * 376);
            live_on(&mut policy, Network::cellular(0), secs(400), now, secs(400));
            assert_eq!(record(&policy), (360, true, 0));
            now += secs(400);
        }
        // A fifth in a row: the network has changed, and the search begins again.
        live_on(&mut policy, Network::cellular(0), secs(300), now, DAY);
        assert_eq!(record(&policy), (300, true, 0));
    }

    #[test]
    fn without_a_reconnect_for_each_failure_the_fifth_ends_the_connection() {
        let mut policy = Carson::new(CarsonAdaptive5 { reconnect_each_failure: false, ..CarsonAdaptive5::default() });
        play(
            &mut policy,
            &[
                (0, Some(CONNECTED), &[]),
                (240_000, None, &[beat(0)]),
                (255_000, None, &[REMEMBER, Action::Suspect]),
                (480_000, None, &[beat(1)]),
                (480_100, Some(reply(1)), &[REMEMBER, Action::Trust]),
                (780_000, None, &[beat(2)]),
                (795_000, None, &[REMEMBER, Action::Suspect]),
                (1_080_000, None, &[beat(3)]),
                (1_095_000, None, &[REMEMBER]),
                (1_380_000, None, &[beat(4)]),
                (1_395_000, None, &[REMEMBER]),
                (1_680_000, None, &[beat(5)]),
                (1_695_000, None, &[REMEMBER]),
                (1_980_000, None, &[beat(6)]),
                (1_995_000, None, &[REMEMBER, NO_REPLY]),
            ],
        );
        assert_eq!(record(&policy), (240, true, 0));
    }

    #[test]
    fn a_search_kept_for_the_background_rests_on_the_screen() {
        let mut policy = Carson::new(CarsonAdaptive5 { when: SearchWhen::Background, ..CarsonAdaptive5::default() });
        policy.on_event(Time::ZERO, &Event::AppState(AppState::Foreground));
        let report = live_behind_nat(&mut policy, secs(100), DAY);
        assert!(report.beats.iter().all(|beat| beat.gap == secs(240)));
        assert_eq!((record(&policy), report.remembered), ((240, false, 0), 0));
        policy.on_event(Time::ZERO + DAY, &Event::AppState(AppState::Background));
        live_on(&mut policy, Network::cellular(0), secs(400), Time::ZERO + DAY, DAY);
        assert_eq!(record(&policy), (360, true, 0));
    }

    #[test]
    fn what_was_found_survives_a_restart_and_belongs_to_its_network() {
        let mut policy = carson();
        live_behind_nat(&mut policy, secs(400), DAY);
        let mut again = carson();
        again.recall(&policy.memory().unwrap());
        let report = live_on(&mut again, Network::cellular(0), secs(400), Time::ZERO + DAY, DAY);
        assert!(report.beats.iter().skip(1).all(|beat| beat.answered && beat.interval == Some(secs(360))));
        let other = live_on(&mut again, Network::wifi(1), secs(400), Time::ZERO + 2 * DAY, DAY);
        assert_eq!((other.losses.len(), other.beats[0].gap), (5, secs(240)));
        assert_eq!(record(&again), (360, true, 0));
    }

    #[test]
    fn it_promises_no_detection_for_its_interval_has_no_limit() {
        let promises = CarsonAdaptive5::default().promises(&bounds());
        assert_eq!((promises.detects_within, promises.heartbeats_per_hour), (None, Some(16)));
        assert!(promises.no_false_alarm);
    }

    proptest! {
        /// Invariant 3: what is settled for was answered, and the next step was not.
        #[test]
        fn behind_any_nat_it_settles_for_the_longest_interval_that_holds(tau_s in 120_u64..3_600) {
            let mut policy = carson();
            let report = live_behind_nat(&mut policy, secs(tau_s), 6 * DAY);
            if tau_s < 240 {
                prop_assert_eq!(record(&policy).0, 240);
                prop_assert!(report.beats.iter().all(|beat| !beat.answered));
            } else {
                let (found, stable, _) = record(&policy);
                prop_assert!(stable && found <= tau_s && found + 60 > tau_s, "{found} s behind {tau_s} s");
                prop_assert_eq!(report.losses.len(), 5);
            }
        }
    }
}
