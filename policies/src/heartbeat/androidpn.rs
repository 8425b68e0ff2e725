//! The heart manager of `androidpn`: a search from the longest interval downwards, in rounds of several beats.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, Heartbeat, LossReason,
    activity::{Activity, UntilTold},
    machine::{MachineState, Rules, has_state},
    notebook::Notebook,
    spec::{Learning, Machine, per_hour},
};
use crate::{Bounds, Network, NetworkKind, Problem, Promises, Time, problem::Problems, unit::Span};

parameters! {
    /// Rounds of beats at one interval, from the longest allowed downwards, until one holds; then a little less than that.
    ///
    /// Source: androidpn, `HeartManager.java` (2015). It does not say how long it waits for an answer: an assumption.
    pub struct Androidpn {
        /// The shortest interval of the search. Default 5 s.
        pub min: Span = Span::secs(5),
        /// The longest on mobile networks, where the search begins. Default 5 min.
        pub cellular_max: Span = Span::secs(300),
        /// The longest on Wi-Fi and cable. Default 7 min.
        pub wifi_max: Span = Span::secs(420),
        /// From round to round. Default 5 s.
        pub step: Span = Span::secs(5),
        /// The distance kept from the interval that was found. Default 2 s.
        pub margin: Span = Span::secs(2),
        /// More answers than this decide a round, as do more failures than this; more failures than this in a row end the
        /// connection. Default 5.
        #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
        pub threshold: u32 = 5,
        /// The interval while the application is on the screen; its beats teach nothing. Default 20 s.
        pub foreground: Span = Span::secs(20),
        /// A fixed interval in the background in place of the search. In use there: 250 s. Default: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub background: Option<Span> = None,
        /// How long the answer to a beat may take, but no longer than until the next beat. Default 10 s.
        pub timeout: Span = Span::secs(10),
    }
}

impl Machine for Androidpn {
    fn build(&self) -> Box<dyn Heartbeat> {
        Box::new(HeartManager::new(self.clone()))
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        let background = self.background.map_or_else(|| self.min.get().saturating_sub(self.margin.get()), Span::get);
        let shortest = background.min(self.foreground.get());
        Promises {
            // Traffic moves no beat. The first that cannot be answered leaves within an interval of the break, the last one
            // that is waited for `threshold` intervals later.
            detects_within: Some(self.longest() * (self.threshold + 1) + self.timeout.get()),
            heartbeats_per_hour: Some(per_hour(shortest)),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.timeout.get().min(shortest),
            ..Promises::default()
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        Some(self.longest())
    }

    fn learning(&self) -> Option<Learning> {
        let longest = self.cellular_max.get().min(self.wifi_max.get());
        self.background.is_none().then(|| Learning::new(self.step.get() + self.margin.get(), Some(longest), 2))
    }

    fn describe(&self) -> String {
        let background = match self.background {
            Some(background) => format!("{background} in the background, without a search"),
            None => format!(
                "in the background searched downwards: it begins at the longest there is, {} on a cellular network and {} on \
                 others, or at what it found before, grows by {} after more than {} answered heartbeats, shrinks by as much \
                 after more than {} failed ones, and in use stays {} below what was found",
                self.cellular_max, self.wifi_max, self.step, self.threshold, self.threshold, self.margin
            ),
        };
        format!(
            "Sends a heartbeat every interval, whatever else is sent: {} on the screen, {background}. A heartbeat without a \
             reply within {} is a failure; more than {} in a row end the connection. It remembers what it found for each network.",
            self.foreground, self.timeout, self.threshold
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("heartbeat.androidpn");
        for (key, max) in [("cellular_max", self.cellular_max), ("wifi_max", self.wifi_max)] {
            if max < self.min {
                let message = format!("the longest interval, {max}, is below the shortest, {}", self.min);
                problems.add(key, message, format!("use at least \"{}\"", self.min));
            }
        }
        if self.margin >= self.min {
            let message = format!("a margin of {} leaves nothing of the shortest interval, {}", self.margin, self.min);
            problems.add("margin", message, format!("use less than \"{}\"", self.min));
        }
        if self.threshold > 1000 {
            problems.add("threshold", format!("{} is more than 1000", self.threshold), "use 1000");
        }
        problems.into_vec()
    }
}

impl Androidpn {
    /// Returns the longest gap between two beats.
    pub(super) fn longest(&self) -> Duration {
        let background = self.background.unwrap_or_else(|| self.cellular_max.max(self.wifi_max));
        background.max(self.foreground).get()
    }

    fn cap(&self, kind: NetworkKind) -> Span {
        match kind {
            NetworkKind::Cellular => self.cellular_max,
            NetworkKind::Wifi | NetworkKind::Wired => self.wifi_max,
        }
    }
}

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The interval of the present round.
    interval: Span,
    /// The longest interval that held a round.
    #[serde(default)]
    best: Option<Span>,
    /// Answers and failures in the present round.
    #[serde(default)]
    successes: u32,
    #[serde(default)]
    failures: u32,
    /// A round has failed.
    #[serde(default)]
    failed: bool,
    /// The search is over.
    #[serde(default)]
    done: bool,
}

impl Record {
    fn new(max: Span) -> Self {
        Self { interval: max, best: None, successes: 0, failures: 0, failed: false, done: false }
    }

    fn success(&mut self, spec: &Androidpn, cap: Span) {
        self.successes = self.successes.saturating_add(1);
        if self.successes <= spec.threshold {
            return;
        }
        (self.successes, self.failures) = (0, 0);
        self.best = Some(self.interval);
        if self.failed || self.interval >= cap {
            self.done = true;
        } else {
            self.interval = Span::at_least(self.interval.get() + spec.step.get()).min(cap);
        }
    }

    /// Returns whether that was the end of a round, and so of the connection.
    fn failure(&mut self, spec: &Androidpn) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures <= spec.threshold {
            return false;
        }
        (self.successes, self.failures) = (0, 0);
        self.failed = true;
        if self.best.is_some() {
            self.done = true;
        } else {
            self.interval = Span::at_least(self.interval.get().saturating_sub(spec.step.get())).max(spec.min);
        }
        true
    }

    /// Returns the interval to beat at.
    fn in_use(&self, spec: &Androidpn) -> Duration {
        match self.best.filter(|_| self.done) {
            Some(best) => best.get().saturating_sub(spec.margin.get()),
            None => self.interval.get(),
        }
    }
}

/// [`Androidpn`] at work.
pub(super) struct HeartManager {
    spec: Androidpn,
    state: MachineState<Notebook<u32, Record>>,
    network: Network,
    activity: Activity,
    /// Beats of this connection without an answer, in a row.
    misses: u32,
    /// The gap before the next beat is the search's.
    gap_is_test: bool,
    /// The beat that is out ends such a gap.
    beat_is_test: bool,
}

impl HeartManager {
    pub(super) fn new(spec: Androidpn) -> Self {
        Self {
            state: MachineState::new(Notebook::new("androidpn")),
            network: Network::cellular(0),
            activity: Activity::new(UntilTold::Inactive, Duration::ZERO),
            misses: 0,
            gap_is_test: false,
            beat_is_test: false,
            spec,
        }
    }

    /// Returns the interval to wait now.
    fn next_gap(&mut self, now: Time) -> Duration {
        self.gap_is_test = false;
        if self.activity.is_active(now) {
            return self.spec.foreground.get();
        }
        if let Some(background) = self.spec.background {
            return background.get();
        }
        let record = self.state.notes.page(&self.network.id);
        self.gap_is_test = !record.done;
        record.in_use(&self.spec)
    }

    /// What is known now holds for the gap that began with the last beat.
    fn set_timer(&mut self, now: Time) {
        if self.state.beats.is_none() {
            return;
        }
        let interval = self.next_gap(now);
        self.state.set_gap(interval);
    }

    /// A beat was not answered, whoever noticed. Whether the connection has to end.
    fn failure(&mut self) -> bool {
        self.misses = self.misses.saturating_add(1);
        let mut end = self.misses > self.spec.threshold;
        if self.beat_is_test {
            end |= self.state.notes.page(&self.network.id).failure(&self.spec);
            self.state.unsaved = true;
        }
        end
    }
}

has_state!(HeartManager, Notebook<u32, Record>);

impl Rules for HeartManager {
    fn connected(&mut self, now: Time, network: Network) {
        self.network = network;
        let cap = self.spec.cap(network.kind);
        let record = self.state.notes.records.entry(network.id).or_insert_with(|| Record::new(cap));
        record.interval = record.interval.clamp(self.spec.min, cap);
        record.best = record.best.map(|best| best.clamp(self.spec.min, cap));
        self.misses = 0;
        let first = self.next_gap(now);
        self.state.open(now, first);
    }

    fn due(&mut self, now: Time) -> Option<Action> {
        self.beat_is_test = self.gap_is_test;
        let interval = self.next_gap(now);
        self.state.send(now, Some(self.spec.timeout.get()), interval)
    }

    fn answered(&mut self, now: Time) {
        self.misses = 0;
        if self.beat_is_test {
            let cap = self.spec.cap(self.network.kind);
            self.state.notes.page(&self.network.id).success(&self.spec, cap);
            self.state.unsaved = true;
        }
        self.set_timer(now);
    }

    fn overdue(&mut self, _: Time) {
        if self.failure() {
            self.state.declare_dead();
        }
    }

    fn lost(&mut self, _: Time, _: LossReason, waiting: bool) {
        if waiting {
            self.failure();
        }
    }

    fn heard(&mut self, now: Time, event: &Event) {
        if let Event::AppState(state) = event {
            self.activity.told(now, *state);
            self.set_timer(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        AppState, GiveUp,
        testing::{CONNECTED, beat, bounds, live_behind_nat, live_on, play, reply},
    };

    const REMEMBER: Action = Action::Remember;
    const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
    const DAY: Duration = Duration::from_secs(86_400);

    fn policy() -> HeartManager {
        HeartManager::new(Androidpn::default())
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn record(policy: &HeartManager) -> Record {
        policy.state.notes.records[&0]
    }

    #[test]
    fn six_answers_at_the_longest_interval_end_the_search_a_margin_below() {
        let mut policy = policy();
        let report = live_behind_nat(&mut policy, Duration::MAX, secs(9 * 300));
        let gaps: Vec<_> = report.beats.iter().filter_map(|beat| beat.interval).map(|gap| gap.as_secs()).collect();
        assert_eq!(gaps, [300, 300, 300, 300, 300, 298, 298, 298]);
        assert_eq!((record(&policy).done, record(&policy).best), (true, Some(Span::secs(300))));
    }

    #[test]
    fn six_failures_make_the_longest_interval_shorter_and_the_connection_new() {
        let mut policy = policy();
        policy.on_event(Time::ZERO, &CONNECTED);
        for n in 1..=6_u32 {
            let due = u64::from(n) * 300_000;
            let first = if n == 1 { &[REMEMBER, Action::Suspect][..] } else { &[REMEMBER][..] };
            let judged = if n == 6 { &[REMEMBER, NO_REPLY][..] } else { first };
            play(&mut policy, &[(due, None, &[beat(n - 1)]), (due + 10_000, None, judged)]);
        }
        play(&mut policy, &[(1_900_000, Some(CONNECTED), &[]), (2_195_000, None, &[beat(0)])]);
    }

    #[test]
    fn from_a_stored_interval_below_the_cap_it_climbs_until_a_round_fails() {
        let mut policy = policy();
        policy.recall(r#"{"policy":"androidpn","networks":{"0":{"interval":"4m"}}}"#);
        let report = live_behind_nat(&mut policy, secs(250), DAY);
        assert_eq!((record(&policy).done, record(&policy).best), (true, Some(Span::secs(250))));
        // Six failures of 255 s are four until the transport ends the connection, and two on the next.
        assert_eq!((report.losses.len(), report.last_interval()), (2, Some(secs(248))));
    }

    #[test]
    fn each_kind_of_network_has_its_longest_interval() {
        for (network, longest) in [(Network::cellular(0), 300), (Network::wifi(0), 420)] {
            let report = live_on(&mut policy(), network, Duration::MAX, Time::ZERO, secs(1_000));
            assert_eq!(report.beats[0].gap, secs(longest));
        }
    }

    #[test]
    fn on_the_screen_beats_come_every_twenty_seconds_and_teach_nothing() {
        let mut policy = policy();
        play(
            &mut policy,
            &[
                (0, Some(CONNECTED), &[]),
                (100_000, Some(Event::AppState(AppState::Foreground)), &[beat(0)]),
                (101_000, Some(reply(0)), &[]),
                (120_000, None, &[beat(1)]),
                (121_000, Some(reply(1)), &[]),
                (130_000, Some(Event::AppState(AppState::Background)), &[]),
                (420_000, None, &[beat(2)]),
                (421_000, Some(reply(2)), &[REMEMBER]),
            ],
        );
        assert_eq!(record(&policy).successes, 1);
    }

    #[test]
    fn six_unanswered_beats_on_the_screen_end_the_connection() {
        let mut policy = policy();
        policy.on_event(Time::ZERO, &Event::AppState(AppState::Foreground));
        let report = live_behind_nat(&mut policy, secs(10), secs(150));
        assert_eq!(report.losses, [Time::from_secs(6 * 20 + 10)]);
        assert_eq!(record(&policy).failures, 0);
    }

    #[test]
    fn the_interval_in_use_in_the_background_is_fixed() {
        let mut policy = HeartManager::new(Androidpn { background: Some(Span::secs(250)), ..Androidpn::default() });
        let report = live_behind_nat(&mut policy, secs(300), DAY);
        assert!(report.beats.iter().all(|beat| beat.answered && beat.interval.unwrap_or(beat.gap) == secs(250)));
        assert_eq!(report.remembered, 0);
    }

    #[test]
    fn what_was_found_survives_a_restart_and_belongs_to_its_network() {
        let mut before = policy();
        live_behind_nat(&mut before, secs(280), DAY);
        assert_eq!(record(&before).best, Some(Span::secs(280)));
        let mut again = policy();
        again.recall(&before.memory().unwrap());
        let report = live_on(&mut again, Network::cellular(0), secs(280), Time::ZERO + DAY, DAY);
        assert!(
            report.losses.is_empty() && report.beats.iter().all(|beat| beat.interval.unwrap_or(beat.gap) == secs(278))
        );
        let other = live_on(&mut again, Network::wifi(1), secs(500), Time::ZERO + 2 * DAY, DAY);
        assert_eq!(other.beats[0].gap, secs(420));
        assert_eq!(record(&again), record(&before));
    }

    #[test]
    fn six_misses_bound_its_detection() {
        let promises = Androidpn::default().promises(&bounds());
        assert_eq!(promises.detects_within, Some(secs(6 * 420 + 10)));
        assert_eq!(promises.heartbeats_per_hour, Some(1_201));
        let promises = Androidpn { background: Some(Span::secs(250)), ..Androidpn::default() }.promises(&bounds());
        assert_eq!((promises.detects_within, promises.heartbeats_per_hour), (Some(secs(1_510)), Some(181)));
    }

    #[test]
    fn contradictions_name_the_nearest_valid_value() {
        let spec = Androidpn { min: Span::secs(350), margin: Span::secs(400), ..Androidpn::default() };
        let problems: Vec<_> = spec.problems().into_iter().map(|problem| (problem.path, problem.help)).collect();
        let expected = [("cellular_max", "use at least \"5m50s\""), ("margin", "use less than \"5m50s\"")];
        let expected = expected.map(|(key, help)| (format!("heartbeat.androidpn.{key}"), help.to_owned()));
        assert_eq!(problems, expected);
    }

    proptest! {
        #[test]
        fn behind_any_nat_it_ends_with_the_longest_round_that_holds(tau_s in 120_u64..3_600) {
            let mut policy = policy();
            let report = live_behind_nat(&mut policy, secs(tau_s), 6 * DAY);
            let found = (tau_s / 5 * 5).min(300);
            prop_assert_eq!((record(&policy).done, record(&policy).best), (true, Some(Span::secs(found))));
            prop_assert_eq!(report.last_interval(), Some(secs(found - 2)));
            // A round of long intervals takes two connections: the transport ends the first before the sixth failure.
            let rounds = (300 - found) / 5;
            prop_assert!((rounds..=2 * rounds).contains(&(report.losses.len() as u64)));
        }
    }
}
