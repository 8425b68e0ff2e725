//! `WeChat`'s smart heartbeat of 2013, as its authors described it: the idea from which Mars's code grew, with other rules for
//! when a value has proved itself and when it has failed. Mars shares the ladder with it and nothing else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, AppState, Event, Heartbeat,
    activity::{Activity, UntilTold},
    ladder::Ladder,
    line::{Line, Task},
    notebook::Notebook,
};
use crate::{Bounds, Network, Problem, Promises, Time, unit::Span};

/// `WeChat`'s smart heartbeat (52im thread 120).
///
/// Its four principles: a longer interval is tested only after short beats have been answered; one answer proves a value,
/// and only repeated failures in a row disprove it; the value in use keeps a distance from the one that just works; and it
/// is corrected for as long as the program runs. The short interval is the article's; its other numbers could not be read,
/// so they are Mars's: an assumption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct WechatSmart2013 {
    /// The interval while the application is in use and of a connection's first beats; the ladder's lowest rung (`minHeart`).
    /// Default 270 s.
    pub min: Span,
    /// The ladder's highest rung lies `margin` below. Default 600 s: Mars's.
    pub max: Span,
    /// From rung to rung. Default 60 s: Mars's.
    pub step: Span,
    /// The distance kept from the last value that worked. Default 20 s: Mars's.
    pub margin: Span,
    /// Short beats answered on a connection before a longer interval is tested. Default 3.
    #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
    pub short_beats: u32,
    /// Failures in a row of a rung that end the search. Default 2: Mars's.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub search_failures: u32,
    /// Tests that follow the failure of a stable interval; if all of them fail the search begins again. Default 5.
    #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
    pub stable_tests: u32,
    /// How long the answer to a beat may take. Default 8 s: Mars's.
    pub timeout: Span,
    /// How long an application that left the screen still counts as in use. Default 10 min.
    pub inactive_after: Span,
    /// The day on which the search begins again each week. Default Wednesday.
    pub research_on: Weekday,
    /// The day that begins at time zero. Default Monday: an assumption.
    pub time_zero: Weekday,
    /// What the application counts as before its host tells its state. Default `inactive`.
    pub until_told: UntilTold,
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

impl Default for WechatSmart2013 {
    fn default() -> Self {
        Self {
            min: Span::secs(270),
            max: Span::secs(600),
            step: Span::secs(60),
            margin: Span::secs(20),
            short_beats: 3,
            search_failures: 2,
            stable_tests: 5,
            timeout: Span::secs(8),
            inactive_after: Span::secs(10 * 60),
            research_on: Weekday::Wednesday,
            time_zero: Weekday::Monday,
            until_told: UntilTold::Inactive,
        }
    }
}

impl WechatSmart2013 {
    pub(super) fn promises(&self, bounds: &Bounds) -> Promises {
        Promises {
            // The first beat that cannot be answered leaves within an interval of the break. Writes postpone it.
            detects_within: bounds.silent_app.then(|| self.ladder().ceiling + self.timeout.get()),
            // The beat on return to the screen comes whenever the user likes, one reply or timeout after the last at the
            // earliest.
            heartbeats_per_hour: None,
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.timeout.get(),
            ..Promises::default()
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String, help: String| {
            problems.push(Problem::new(format!("heartbeat.wechat-smart-2013.{key}"), message, help));
        };
        let lowest_max = Span::at_least(self.min.get() + self.margin.get());
        if self.max < lowest_max {
            problem(
                "max",
                format!("the highest rung, {} less {}, is below the lowest, {}", self.max, self.margin, self.min),
                format!("use at least \"{lowest_max}\""),
            );
        }
        if self.timeout > self.min {
            problem(
                "timeout",
                format!("a timeout of {} is longer than the shortest interval, {}", self.timeout, self.min),
                format!("use at most \"{}\"", self.min),
            );
        }
        let counts = [
            ("short_beats", self.short_beats, 0),
            ("search_failures", self.search_failures, 1),
            ("stable_tests", self.stable_tests, 0),
        ];
        for (key, count, least) in counts {
            if !(least..=1000).contains(&count) {
                problem(
                    key,
                    format!("{count} is outside {least} to 1000"),
                    format!("use {}", count.clamp(least, 1000)),
                );
            }
        }
        problems
    }

    fn ladder(&self) -> Ladder {
        let margin = self.margin.get();
        let ceiling = self.max.get().saturating_sub(margin);
        Ladder { min: self.min.get(), ceiling, step: self.step.get(), margin }
    }

    /// The number of the day since the Monday of time zero's week.
    fn day(&self, now: Time) -> u64 {
        now.as_micros() / Duration::from_hours(24).as_micros() as u64 + self.time_zero as u64
    }
}

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
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

/// [`WechatSmart2013`] at work.
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not depend on each other")]
pub(super) struct Wechat2013 {
    spec: WechatSmart2013,
    ladder: Ladder,
    notebook: Notebook<u32, Record>,
    network: u32,
    activity: Activity,
    foreground: bool,
    /// Short beats answered on this connection.
    answered: u32,
    line: Option<Line>,
    /// When anything was sent last; when the connection was established, before that.
    last_tx: Time,
    /// The gap before the next beat is the record's interval, so its fate says something about it.
    gap_is_test: bool,
    /// The beat that is out ends such a gap.
    beat_is_test: bool,
    unsaved: bool,
}

impl Wechat2013 {
    pub(super) fn new(spec: WechatSmart2013) -> Self {
        Self {
            ladder: spec.ladder(),
            notebook: Notebook::new("wechat-smart-2013"),
            network: 0,
            activity: Activity::new(spec.until_told, spec.inactive_after.get()),
            foreground: false,
            answered: 0,
            line: None,
            last_tx: Time::ZERO,
            gap_is_test: false,
            beat_is_test: false,
            unsaved: false,
            spec,
        }
    }

    fn connected(&mut self, now: Time, network: Network) {
        self.network = network.id;
        let fresh = Record {
            interval: Span::at_least(self.ladder.min),
            stable: false,
            failures: 0,
            searched_on: self.spec.day(now),
        };
        let record = self.notebook.records.entry(network.id).or_insert(fresh);
        let usable = record.interval.get().clamp(self.ladder.min, self.ladder.ceiling);
        record.interval = Span::at_least(usable);
        self.answered = 0;
        self.beat_is_test = false;
        self.last_tx = now;
        let first = self.next_gap(now);
        self.line = Some(Line::new(now, first));
    }

    fn record(&mut self) -> &mut Record {
        self.notebook.records.get_mut(&self.network).expect("there is a record from the first connection on")
    }

    /// The interval to wait now.
    fn next_gap(&mut self, now: Time) -> Duration {
        self.gap_is_test = !self.activity.is_active(now) && self.answered >= self.spec.short_beats;
        if self.gap_is_test { self.record().interval.get() } else { self.ladder.min }
    }

    fn beat(&mut self, now: Time) -> Option<Action> {
        self.beat_is_test = self.gap_is_test;
        self.last_tx = now;
        let interval = self.next_gap(now);
        Some(self.line.as_mut()?.send(now, Some(self.spec.timeout.get()), interval))
    }

    fn success(&mut self, now: Time) {
        if self.beat_is_test {
            self.test_passed(now);
        } else {
            self.answered = self.answered.saturating_add(1);
        }
        // What was learnt holds for the gap that has begun already.
        self.set_timer(now);
    }

    fn set_timer(&mut self, now: Time) {
        let due = self.last_tx + self.next_gap(now);
        if let Some(line) = &mut self.line {
            line.schedule(due);
        }
    }

    /// One answer proves the value.
    fn test_passed(&mut self, now: Time) {
        let (ladder, today, research_on) = (self.ladder, self.spec.day(now), self.spec.research_on as u64);
        let record = self.record();
        let before = *record;
        record.failures = 0;
        if record.stable {
            if today % 7 == research_on && record.searched_on < today {
                *record =
                    Record { interval: Span::at_least(ladder.min), stable: false, failures: 0, searched_on: today };
            }
        } else if record.interval.get() >= ladder.ceiling {
            record.stable = true;
            record.searched_on = today;
        } else {
            record.interval = Span::at_least(ladder.above(record.interval.get()));
        }
        self.unsaved |= *self.record() != before;
    }

    /// A beat was not answered, whoever noticed.
    fn failure(&mut self, now: Time) {
        if !self.beat_is_test {
            return;
        }
        let (ladder, today) = (self.ladder, self.spec.day(now));
        let (search_failures, stable_tests) = (self.spec.search_failures, self.spec.stable_tests);
        let record = self.record();
        if record.interval.get() == ladder.min && !record.stable {
            return;
        }
        record.failures += 1;
        if record.stable && record.failures > stable_tests {
            *record = Record { interval: Span::at_least(ladder.min), stable: false, failures: 0, searched_on: today };
        } else if !record.stable && record.failures >= search_failures {
            let safe = Span::at_least(ladder.safe_below(record.interval.get()));
            *record = Record { interval: safe, stable: true, failures: 0, searched_on: today };
        }
        self.unsaved = true;
    }

    fn told(&mut self, now: Time, state: AppState) {
        self.activity.told(now, state);
        let was_foreground = std::mem::replace(&mut self.foreground, state == AppState::Foreground);
        // One beat on return to the screen. It ends the gap early, so that it is no test.
        if let Some(line) = &mut self.line
            && self.foreground
            && !was_foreground
            && !line.is_waiting()
        {
            line.schedule(now);
            self.gap_is_test = false;
        }
    }
}

impl Heartbeat for Wechat2013 {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.line) {
            (Event::Connected { network, .. }, _) => self.connected(now, *network),
            (Event::AppState(state), _) => self.told(now, *state),
            (Event::Lost(_), Some(line)) => {
                if line.is_waiting() {
                    self.failure(now);
                }
                self.line = None;
            }
            (Event::HeartbeatReply { id, .. }, Some(line)) if line.awaits(*id) => {
                line.answered();
                self.success(now);
            }
            // A write sets the timer anew, as in Mars, unless it has fired already.
            (Event::BytesWritten, Some(line)) if !line.is_due(now) => {
                self.last_tx = now;
                self.set_timer(now);
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        if std::mem::take(&mut self.unsaved) {
            return Some(Action::Remember);
        }
        let line = self.line.as_mut()?;
        match line.task(now)? {
            Task::Overdue => {
                line.doom();
                self.failure(now);
                self.poll(now)
            }
            Task::Say(action) => Some(action),
            Task::End(reason) => {
                self.line = None;
                Some(Action::GiveUp(reason))
            }
            Task::Beat => self.beat(now),
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.line.as_ref().map(Line::deadline)
    }

    fn memory(&self) -> Option<String> {
        Some(self.notebook.write())
    }

    fn recall(&mut self, memory: &str) {
        self.notebook.read(memory);
    }
}
