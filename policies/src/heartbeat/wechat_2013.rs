//! `WeChat`'s smart heartbeat of 2013, as its authors described it: the idea from which Mars's code grew, with other
//! rules for when a value has proved itself and when it has failed. Mars shares the ladder with it and nothing else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, AppState, Event, Heartbeat, LossReason,
    activity::{Activity, UntilTold},
    ladder::{self, Ladder},
    machine::{MachineState, Rules, has_state},
    notebook::Notebook,
    spec::{Learning, Machine},
};
use crate::{Bounds, Network, Problem, Promises, Time, problem::Problems, unit::Span};

parameters! {
    /// `WeChat`'s smart heartbeat (`[52im-120]`).
    ///
    /// Its four principles: a longer interval is tested only after short beats have been answered; one answer proves a
    /// value, and only repeated failures in a row disprove it; the value in use keeps a distance from the one that just
    /// works; and it is corrected for as long as the program runs. The short interval is the article's; its other
    /// numbers could not be read, so they are Mars's: an assumption.
    pub struct WechatSmart2013 {
        /// The interval while the application is in use and of a connection's first beats; the ladder's lowest rung
        /// (`minHeart`). Default 270 s.
        pub min: Span = Span::secs(270),
        /// The ladder's highest rung lies `margin` below. Default 600 s: Mars's.
        pub max: Span = Span::secs(600),
        /// From rung to rung. Default 60 s: Mars's.
        pub step: Span = Span::secs(60),
        /// The distance kept from the last value that worked. Default 20 s: Mars's.
        pub margin: Span = Span::secs(20),
        /// Short beats answered on a connection before a longer interval is tested. Default 3.
        #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
        pub short_beats: u32 = 3,
        /// Failures in a row of a rung that end the search. Default 2: Mars's.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub search_failures: u32 = 2,
        /// Tests that follow the failure of a stable interval; if all of them fail the search begins again. Default 5.
        #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
        pub stable_tests: u32 = 5,
        /// How long the answer to a beat may take. Default 8 s: Mars's.
        pub timeout: Span = Span::secs(8),
        /// How long an application that left the screen still counts as in use. Default 10 min.
        pub inactive_after: Span = Span::secs(10 * 60),
        /// The day on which the search begins again each week. Default Wednesday.
        pub research_on: Weekday = Weekday::Wednesday,
        /// The day that begins at time zero. Default Monday: an assumption.
        pub time_zero: Weekday = Weekday::Monday,
        /// What the application counts as before its host tells its state. Default `inactive`.
        pub until_told: UntilTold = UntilTold::Inactive,
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Machine for WechatSmart2013 {
    fn build(&self) -> Box<dyn Heartbeat> {
        Box::new(Wechat::new(self.clone()))
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        // Answers to the server's pings are writes too.
        let nothing_else_is_sent = bounds.silent_app && bounds.server_pings.is_none();
        Promises {
            // The first beat that cannot be answered leaves within an interval of the break. Writes postpone it.
            detects_within: nothing_else_is_sent.then(|| self.ladder().ceiling + self.timeout.get()),
            // The beat on return to the screen comes whenever the user likes, one reply or timeout after the last at the
            // earliest.
            heartbeats_per_hour: None,
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.timeout.get(),
            ..Promises::default()
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        Some(self.max.get())
    }

    fn learning(&self) -> Option<Learning> {
        Some(Learning::new(self.step.get() + self.margin.get(), Some(self.max.get()), 2))
    }

    fn describe(&self) -> String {
        format!(
            "Sends a heartbeat an interval after whatever it sent last, and one when the application comes to the screen. A \
             heartbeat without a reply within {timeout} ends the connection. The interval is {min} while the application is in \
             use, until {inactive} after that, and for the first {short} heartbeats of a connection. Otherwise it is searched: \
             from {min} by {step} up to {max}; one answer proves an interval, {failures} failures in a row disprove it, and the \
             one in use stays {margin} below the last that was proved. When that one fails it is tested {tests} more times: one \
             answer keeps it, otherwise the search begins anew, and so it does every {day:?}. It remembers what it found for \
             each network.",
            timeout = self.timeout,
            min = self.min,
            inactive = self.inactive_after,
            short = self.short_beats,
            step = self.step,
            max = self.max,
            failures = self.search_failures,
            margin = self.margin,
            tests = self.stable_tests,
            day = self.research_on,
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("heartbeat.wechat-smart-2013");
        ladder::check(&mut problems, self.min, self.max, self.margin);
        problems.check_timeout("timeout", self.timeout, "shortest", self.min);
        problems.check_count("short_beats", self.short_beats, 0);
        problems.check_count("search_failures", self.search_failures, 1);
        problems.check_count("stable_tests", self.stable_tests, 0);
        problems.into_vec()
    }
}

impl WechatSmart2013 {
    fn ladder(&self) -> Ladder {
        Ladder::new(self.min, self.max, self.step, self.margin)
    }

    /// Returns the number of the day since the Monday of time zero's week.
    fn day(&self, now: Time) -> u64 {
        now.as_micros() / Duration::from_hours(24).as_micros() as u64 + self.time_zero as u64
    }
}

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    interval: Span,
    /// The search is over.
    #[serde(default)]
    stable: bool,
    /// Failures in a row of `interval`.
    #[serde(default)]
    failures: u32,
    /// The day on which the search last began, or ended.
    #[serde(default)]
    searched_on: u64,
}

impl Record {
    /// Returns a search that begins on `day`.
    fn search(ladder: &Ladder, day: u64) -> Self {
        Self { interval: Span::at_least(ladder.min), stable: false, failures: 0, searched_on: day }
    }
}

/// [`WechatSmart2013`] at work.
pub(super) struct Wechat {
    spec: WechatSmart2013,
    ladder: Ladder,
    state: MachineState<Notebook<u32, Record>>,
    network: u32,
    activity: Activity,
    foreground: bool,
    /// Short beats answered on this connection.
    answered: u32,
    /// When anything was sent last; when the connection was established, before that.
    last_tx: Time,
    /// The gap before the next beat is the record's interval, so its fate says something about it.
    gap_is_test: bool,
    /// The beat that is out ends such a gap.
    beat_is_test: bool,
}

impl Wechat {
    pub(super) fn new(spec: WechatSmart2013) -> Self {
        Self {
            ladder: spec.ladder(),
            state: MachineState::new(Notebook::new("wechat-smart-2013")),
            network: 0,
            activity: Activity::new(spec.until_told, spec.inactive_after.get()),
            foreground: false,
            answered: 0,
            last_tx: Time::ZERO,
            gap_is_test: false,
            beat_is_test: false,
            spec,
        }
    }

    /// Returns the interval to wait now.
    fn next_gap(&mut self, now: Time) -> Duration {
        self.gap_is_test = !self.activity.is_active(now) && self.answered >= self.spec.short_beats;
        if self.gap_is_test { self.state.notes.page(&self.network).interval.get() } else { self.ladder.min }
    }

    fn set_timer(&mut self, now: Time) {
        let due = self.last_tx + self.next_gap(now);
        self.state.schedule(due);
    }

    /// One answer proves the value.
    fn test_passed(&mut self, now: Time) {
        let today = self.spec.day(now);
        let record = self.state.notes.page(&self.network);
        let before = *record;
        record.failures = 0;
        if record.stable {
            if today % 7 == self.spec.research_on as u64 && record.searched_on < today {
                *record = Record::search(&self.ladder, today);
            }
        } else if record.interval.get() >= self.ladder.ceiling {
            record.stable = true;
            record.searched_on = today;
        } else {
            record.interval = Span::at_least(self.ladder.above(record.interval.get()));
        }
        self.state.unsaved |= *record != before;
    }

    /// A beat was not answered, whoever noticed.
    fn failure(&mut self, now: Time) {
        if !self.beat_is_test {
            return;
        }
        let today = self.spec.day(now);
        let record = self.state.notes.page(&self.network);
        if record.interval.get() == self.ladder.min && !record.stable {
            return;
        }
        record.failures = record.failures.saturating_add(1);
        if record.stable && record.failures > self.spec.stable_tests {
            *record = Record::search(&self.ladder, today);
        } else if !record.stable && record.failures >= self.spec.search_failures {
            let safe = Span::at_least(self.ladder.safe_below(record.interval.get()));
            *record = Record { interval: safe, stable: true, ..Record::search(&self.ladder, today) };
        }
        self.state.unsaved = true;
    }

    fn told(&mut self, now: Time, state: AppState) {
        self.activity.told(now, state);
        let was_foreground = std::mem::replace(&mut self.foreground, state == AppState::Foreground);
        // One beat on return to the screen. It ends the gap early, so that it is no test.
        if let Some(beats) = &mut self.state.beats
            && self.foreground
            && !was_foreground
            && !beats.is_waiting()
        {
            beats.schedule(now);
            self.gap_is_test = false;
        }
    }
}

has_state!(Wechat, Notebook<u32, Record>);

impl Rules for Wechat {
    fn connected(&mut self, now: Time, network: Network) {
        self.network = network.id;
        let fresh = Record::search(&self.ladder, self.spec.day(now));
        let record = self.state.notes.records.entry(network.id).or_insert(fresh);
        let usable = record.interval.get().clamp(self.ladder.min, self.ladder.ceiling);
        record.interval = Span::at_least(usable);
        self.answered = 0;
        self.beat_is_test = false;
        self.last_tx = now;
        let first = self.next_gap(now);
        self.state.open(now, first);
    }

    fn due(&mut self, now: Time) -> Option<Action> {
        self.beat_is_test = self.gap_is_test;
        self.last_tx = now;
        let interval = self.next_gap(now);
        self.state.send(now, Some(self.spec.timeout.get()), interval)
    }

    fn answered(&mut self, now: Time) {
        if self.beat_is_test {
            self.test_passed(now);
        } else {
            self.answered = self.answered.saturating_add(1);
        }
        // What was learnt holds for the gap that has begun already.
        self.set_timer(now);
    }

    fn overdue(&mut self, now: Time) {
        self.state.declare_dead();
        self.failure(now);
    }

    fn lost(&mut self, now: Time, _: LossReason, waiting: bool) {
        if waiting {
            self.failure(now);
        }
    }

    fn heard(&mut self, now: Time, event: &Event) {
        match (event, &self.state.beats) {
            (Event::AppState(state), _) => self.told(now, *state),
            // A write sets the timer anew, as in Mars, unless it has fired already.
            (Event::BytesWritten, Some(beats)) if !beats.is_due(now) => {
                self.last_tx = now;
                self.set_timer(now);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        GiveUp,
        testing::{CONNECTED, beat, bounds, live_behind_nat, live_on, play, reply},
    };

    const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
    const DAY: Duration = Duration::from_secs(86_400);

    fn wechat() -> Wechat {
        Wechat::new(WechatSmart2013::default())
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Returns a policy that has found this interval on network 0.
    fn knowing(interval: &str) -> Wechat {
        let mut policy = wechat();
        let record = format!(r#"{{"interval":"{interval}","stable":true}}"#);
        policy.recall(&format!(r#"{{"policy":"wechat-smart-2013","networks":{{"0":{record}}}}}"#));
        policy
    }

    /// Returns the record of network 0: interval in seconds, stable, failures.
    fn record(policy: &Wechat) -> (u64, bool, u32) {
        let record = policy.state.notes.records[&0];
        (record.interval.get().as_secs(), record.stable, record.failures)
    }

    #[test]
    fn three_short_beats_come_before_a_longer_interval_and_one_answer_proves_it() {
        play(
            &mut wechat(),
            &[
                (0, Some(CONNECTED), &[]),
                (270_000, None, &[beat(0)]),
                (270_100, Some(reply(0)), &[]),
                (540_000, None, &[beat(1)]),
                (540_100, Some(reply(1)), &[]),
                (810_000, None, &[beat(2)]),
                (810_100, Some(reply(2)), &[]),
                (1_080_000, None, &[beat(3)]),
                (1_080_100, Some(reply(3)), &[Action::Remember]),
                (1_410_000, None, &[beat(4)]),
                (1_410_100, Some(reply(4)), &[Action::Remember]),
                (1_800_000, None, &[beat(5)]),
                (1_808_000, None, &[Action::Remember, Action::Suspect, NO_REPLY]),
                // Delayed test: short beats first, then 390 s again.
                (1_809_000, Some(CONNECTED), &[]),
                (2_079_000, None, &[beat(0)]),
            ],
        );
    }

    #[test]
    fn a_write_sets_the_timer_anew() {
        play(
            &mut wechat(),
            &[(0, Some(CONNECTED), &[]), (200_000, Some(Event::BytesWritten), &[]), (470_000, None, &[beat(0)])],
        );
    }

    #[test]
    fn the_return_to_the_screen_is_one_beat_at_once_and_short_beats_from_then_on() {
        let foreground = Some(Event::AppState(AppState::Foreground));
        play(
            &mut wechat(),
            &[
                (0, Some(CONNECTED), &[]),
                (100_000, foreground, &[beat(0)]),
                (100_000, foreground, &[]),
                (100_100, Some(reply(0)), &[]),
                (370_000, None, &[beat(1)]),
                (371_000, Some(Event::AppState(AppState::Background)), &[]),
                // One that waits for its answer is enough.
                (372_000, foreground, &[]),
            ],
        );
    }

    #[test]
    fn any_of_five_tests_keeps_a_stable_interval_and_only_all_of_them_end_it() {
        for (deaths, kept) in [(1, true), (5, true), (6, false)] {
            let mut policy = knowing("390s");
            // Each death takes three short beats, the gap of 390 s and the wait for its answer.
            let one = secs(3 * 270 + 390 + 9);
            let dead = live_on(&mut policy, Network::cellular(0), secs(300), Time::ZERO, one * deaths);
            assert_eq!(dead.losses.len(), deaths as usize);
            assert_eq!(record(&policy).1, kept, "{deaths}");
            let healed = live_on(&mut policy, Network::cellular(0), secs(400), Time::ZERO + one * deaths, DAY / 2);
            assert_eq!(healed.losses.len(), if kept { 0 } else { 2 });
            assert_eq!(record(&policy), if kept { (390, true, 0) } else { (370, true, 0) });
        }
    }

    #[test]
    fn each_wednesday_the_search_begins_again() {
        let mut policy = wechat();
        live_behind_nat(&mut policy, secs(300), 2 * DAY);
        assert_eq!(record(&policy), (270, true, 0));
        // The network has become better, which nobody looks for on a Tuesday; on Wednesday it is found once.
        let report = live_on(&mut policy, Network::cellular(0), Duration::MAX, Time::ZERO + DAY, DAY);
        assert_eq!(report.remembered, 0);
        let wednesday = live_on(&mut policy, Network::cellular(0), Duration::MAX, Time::ZERO + 2 * DAY, DAY);
        assert_eq!((wednesday.losses.len(), record(&policy)), (0, (580, true, 0)));
        let rest = live_on(&mut policy, Network::cellular(0), Duration::MAX, Time::ZERO + 3 * DAY, 6 * DAY);
        assert_eq!(rest.remembered, 0);
        let next = live_on(&mut policy, Network::cellular(0), Duration::MAX, Time::ZERO + 9 * DAY, DAY);
        assert!(next.remembered > 1);
    }

    #[test]
    fn the_day_of_time_zero_moves_wednesday() {
        let spec = WechatSmart2013 { time_zero: Weekday::Wednesday, ..WechatSmart2013::default() };
        assert_eq!(spec.day(Time::ZERO) % 7, Weekday::Wednesday as u64);
        assert_eq!(WechatSmart2013::default().day(Time::ZERO + 9 * DAY) % 7, Weekday::Wednesday as u64);
    }

    #[test]
    fn what_was_found_survives_a_restart_and_belongs_to_its_network() {
        let mut policy = wechat();
        live_behind_nat(&mut policy, secs(450), DAY);
        assert_eq!(record(&policy), (430, true, 0));
        let mut again = wechat();
        again.recall(&policy.memory().unwrap());
        let report = live_on(&mut again, Network::cellular(0), secs(450), Time::ZERO + DAY, DAY / 2);
        assert_eq!((report.losses.len(), report.last_interval()), (0, Some(secs(430))));
        live_on(&mut again, Network::wifi(1), secs(300), Time::ZERO + DAY, DAY / 2);
        assert_eq!(record(&again), (430, true, 0));
        assert_eq!(again.state.notes.records[&1].interval, Span::secs(270));
    }

    #[test]
    fn promises_need_a_silent_application_and_a_lossless_path() {
        let promises = WechatSmart2013::default().promises(&bounds());
        assert_eq!((promises.detects_within, promises.no_false_alarm), (Some(secs(588)), true));
        let busy = Bounds { silent_app: false, loss_free: false, ..bounds() };
        let promises = WechatSmart2013::default().promises(&busy);
        assert_eq!((promises.detects_within, promises.no_false_alarm), (None, false));
    }

    proptest! {
        #[test]
        fn behind_any_nat_it_settles_a_margin_below_the_rung_that_failed(tau_s in 120_u64..3_600) {
            let mut policy = wechat();
            let report = live_behind_nat(&mut policy, secs(tau_s), DAY);
            match [270, 330, 390, 450, 510, 570, 580].into_iter().find(|rung| *rung > tau_s) {
                Some(270) => prop_assert_eq!(record(&policy), (270, false, 0)),
                Some(failed) => {
                    prop_assert_eq!(record(&policy), ((failed - 80).max(270), true, 0));
                    prop_assert_eq!(report.losses.len(), 2);
                }
                None => prop_assert_eq!((record(&policy), report.losses.len()), ((580, true, 0), 0)),
            }
        }
    }
}
