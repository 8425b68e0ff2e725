//! Searching for the longest interval that a network lets live. What is learnt is kept by network, so that a device that
//! comes back to one need not search again. Where the beats go that test an interval, over the session itself or over a
//! connection of their own, is a choice.

mod bracket;
mod prober;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::bracket::SearchRule;
use self::bracket::{Bracket, Limits};
pub(super) use self::prober::Prober;
use super::{AppState, Event, Learning};
use crate::{
    Problem, Time,
    problem::Problems,
    unit::{Delay, Span},
};

/// A search for the longest interval that survives, between `min` and `max`.
///
/// Sources: Rahman et al., IEEE/ACM Transactions on Networking 2018 (binary, exponential, composite; their steps in detail
/// are UNVERIFIED), Courier at 56708f6 (`halving`, on a probe connection), US patent 8,375,134 (linear, on a test
/// connection, confirmed by the other one).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// How the next candidate follows from what is known.
    pub rule: SearchRule,
    /// The shortest interval, and the first to be tried.
    pub min: Span,
    /// The longest interval.
    pub max: Span,
    /// The (first) increment. Default: the granularity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Span>,
    /// How finely it is searched, in whole milliseconds. Default 1 min; `linear` stops at the first failure in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Span>,
    /// Failures in a row that disprove an interval, 1 to 100. Default 1.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub failures: u32,
    /// By how much the interval in use stays below the one found, but not below `min`. Default 0.
    #[serde(default)]
    pub margin: Delay,
    /// Which connection is put at risk. Default `session`.
    #[serde(default)]
    pub on: TestOn,
    /// When the interval in use follows a search on a connection of its own. Default `at-once`.
    #[serde(default)]
    pub adopt: Adopt,
    /// A failure on the probe connection counts only if the session hears something afterwards; otherwise it is the network
    /// that fails, not the interval. Default false.
    #[serde(default)]
    pub confirm: bool,
    /// At which times it is searched; at other times the interval is `min`. Default `always`.
    #[serde(default)]
    pub when: SearchWhen,
    /// Beats at `min` on a new connection before an interval is tested on it. Default 0.
    #[serde(default)]
    pub short_beats: u32,
    /// After how many failures of the interval found it is searched anew. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relearn_after: Option<u32>,
    /// Whether those failures add up over all time; otherwise an answered beat forgets them. Default false.
    #[serde(default)]
    pub failures_add_up: bool,
    /// After what time it is searched anew. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relearn_every: Option<Span>,
}

/// Which connection an interval is tested on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TestOn {
    /// The session itself: a failure costs it.
    #[default]
    Session,
    /// A second connection, which costs packets of its own.
    Probe,
}

/// When the session's interval follows a search on a probe connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Adopt {
    /// Whenever a longer one has survived.
    #[default]
    AtOnce,
    /// Once the search is over; the schedule's own interval until then.
    WhenFound,
}

/// The times at which an interval is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SearchWhen {
    /// It is searched at all times.
    #[default]
    Always,
    /// While the application is not known to be on the screen (`[wechat]`).
    Background,
}

/// How finely it is searched where nothing else is said.
const GRANULARITY: Span = Span::secs(60);

fn one() -> u32 {
    1
}

impl Search {
    fn limits(&self) -> Limits {
        let granularity = self.granularity.unwrap_or(GRANULARITY);
        let step = self.step.unwrap_or(granularity);
        Limits {
            rule: self.rule,
            min: self.min.get(),
            max: self.max.get(),
            step: step.get(),
            // One failure ends a linear search: it is as fine as its steps.
            granularity: if self.rule == SearchRule::Linear { step.get() } else { granularity.get() },
        }
    }

    pub(super) fn learning(&self) -> Learning {
        let finest = self.granularity.unwrap_or(GRANULARITY).get();
        Learning::new(finest + self.margin.get(), Some(self.max.get()), 2)
    }

    /// Returns the contradictions between its parameters.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("heartbeat.composed.search");
        let Limits { min, max, step, granularity, .. } = self.limits();
        if max < min {
            let message = format!("the longest interval of {} is shorter than the shortest of {}", self.max, self.min);
            problems.add("max", message, format!("use at least \"{}\"", self.min));
        } else if max > min && min + step > max {
            problems.add(
                "step",
                "a step leads from the shortest interval beyond the longest",
                format!("use at most the difference between \"{}\" and \"{}\"", self.min, self.max),
            );
        }
        for (key, span) in [("min", min), ("max", max), ("step", step), ("granularity", granularity)] {
            if !span.as_micros().is_multiple_of(1_000) {
                problems.add(key, "it is not a whole number of milliseconds", "round it, as in \"60s\"");
            }
        }
        if !(1..=100).contains(&self.failures) {
            let message = format!("{} failures are outside 1 to 100", self.failures);
            problems.add("failures", message, "use 1 where one failure is proof, 2 or 3 where packets get lost");
        }
        if self.relearn_after == Some(0) {
            problems.add("relearn_after", "it would be searched for ever", "use at least 1, or leave it out");
        }
        if self.on == TestOn::Session && (self.adopt != Adopt::AtOnce || self.confirm) {
            let key = if self.confirm { "confirm" } else { "adopt" };
            problems.add(key, "there is no probe connection that it could be about", "write on = \"probe\"");
        }
        problems.into_vec()
    }
}

/// What is known of one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    bracket: Bracket,
    /// Failures in a row of the present candidate, or of the interval found.
    failures: u32,
    /// When the search ended, in microseconds of the host's clock.
    found_us: u64,
}

/// [`Search`] at work: which interval to try, and what came of it.
pub(super) struct Searcher {
    spec: Search,
    limits: Limits,
    records: BTreeMap<u32, Record>,
    network: u32,
    state: Option<AppState>,
    /// Beats answered on the present connection.
    answered: u32,
    /// The host has not been told yet that the memory has changed.
    changed: bool,
}

impl Searcher {
    pub(super) fn new(spec: &Search) -> Self {
        Self {
            limits: spec.limits(),
            spec: spec.clone(),
            records: BTreeMap::new(),
            network: 0,
            state: None,
            answered: 0,
            changed: false,
        }
    }

    pub(super) fn on_event(&mut self, now: Time, event: &Event) {
        match *event {
            Event::Connected { network, .. } => {
                (self.network, self.answered) = (network.id, 0);
                let fresh = self.fresh();
                self.records.entry(network.id).or_insert(fresh);
                self.forget_the_old(now);
            }
            Event::AppState(state) => self.state = Some(state),
            Event::HeartbeatReply { .. } => self.answered = self.answered.saturating_add(1),
            _ => {}
        }
    }

    fn fresh(&self) -> Record {
        Record { bracket: Bracket::new(&self.limits), failures: 0, found_us: 0 }
    }

    fn record(&self) -> Record {
        self.records.get(&self.network).copied().unwrap_or_else(|| self.fresh())
    }

    /// A result that has grown too old is searched anew.
    fn forget_the_old(&mut self, now: Time) {
        let Some(every) = self.spec.relearn_every else { return };
        let Record { bracket, found_us, .. } = self.record();
        if bracket.is_done() && now.since(Time::from_micros(found_us)) >= every.get() {
            let fresh = self.fresh();
            self.store(fresh);
        }
    }

    fn store(&mut self, record: Record) {
        self.records.insert(self.network, record);
        self.changed = true;
    }

    /// Returns what an interval is worth that was found.
    fn found(&self) -> Duration {
        let best = self.record().bracket.best(&self.limits);
        best.saturating_sub(self.spec.margin.get()).max(self.limits.min)
    }

    pub(super) fn is_done(&self) -> bool {
        self.record().bracket.is_done()
    }

    /// Returns the next interval to try.
    pub(super) fn candidate(&self) -> Duration {
        self.record().bracket.candidate(&self.limits)
    }

    /// Returns the interval that the session should have; `None` if the schedule's own.
    pub(super) fn interval(&self) -> Option<Duration> {
        if self.spec.when == SearchWhen::Background && self.state == Some(AppState::Foreground) {
            return Some(self.limits.min);
        }
        match (self.spec.on, self.spec.adopt) {
            (TestOn::Session, _) if self.answered < self.spec.short_beats => Some(self.limits.min),
            (TestOn::Session, _) if self.is_done() => Some(self.found()),
            (TestOn::Session, _) => Some(self.candidate()),
            (TestOn::Probe, Adopt::WhenFound) if !self.is_done() => None,
            (TestOn::Probe, _) => Some(self.found()),
        }
    }

    /// Returns whether a beat after this idle time says anything about the interval under test. One that comes late has
    /// waited longer than the interval, and its failure would be charged to the wrong one.
    fn is_a_test(&self, gap: Duration) -> bool {
        let interval = if self.is_done() { self.found() } else { self.candidate() };
        gap >= interval && gap <= interval + self.limits.granularity
    }

    /// A beat of the session after `gap` of idleness was answered.
    pub(super) fn beat_answered(&mut self, now: Time, gap: Duration) {
        if self.spec.on == TestOn::Session && self.is_a_test(gap) {
            self.survived(now);
        } else if !self.spec.failures_add_up && self.is_done() {
            self.answered_when_found();
        }
    }

    /// The session is dead; a beat after `gap` of idleness was waiting for its answer, if there was one.
    pub(super) fn session_lost(&mut self, now: Time, gap: Option<Duration>) {
        let was_a_test = gap.is_some_and(|gap| self.is_a_test(gap));
        match self.spec.on {
            TestOn::Session if !was_a_test => {}
            TestOn::Session if !self.is_done() => self.failed(now),
            // Courier counts every connection that is lost while the device has a network.
            TestOn::Session | TestOn::Probe => {
                if self.is_done() {
                    self.failed_when_found();
                }
            }
        }
    }

    /// The candidate has survived.
    pub(super) fn survived(&mut self, now: Time) {
        if self.is_done() {
            if !self.spec.failures_add_up {
                self.answered_when_found();
            }
            self.forget_the_old(now);
            return;
        }
        let mut record = self.record();
        record.bracket.survived(&self.limits);
        record.failures = 0;
        record.found_us = now.as_micros();
        self.store(record);
    }

    /// The candidate has failed, once.
    pub(super) fn failed(&mut self, now: Time) {
        let mut record = self.record();
        record.failures = record.failures.saturating_add(1);
        if record.failures >= self.spec.failures {
            record.bracket.failed(&self.limits);
            (record.failures, record.found_us) = (0, now.as_micros());
        }
        self.store(record);
    }

    fn answered_when_found(&mut self) {
        let record = self.record();
        if record.failures > 0 {
            self.store(Record { failures: 0, ..record });
        }
    }

    fn failed_when_found(&mut self) {
        let Some(after) = self.spec.relearn_after else { return };
        let mut record = self.record();
        record.failures = record.failures.saturating_add(1);
        let record = if record.failures >= after { self.fresh() } else { record };
        self.store(record);
    }

    /// Returns whether there is something new to remember.
    pub(super) const fn has_changed(&self) -> bool {
        self.changed
    }

    /// Returns whether there was something new to remember, which the host is told now.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn memory(&self) -> String {
        serde_json::to_string(&self.records).expect("numbers under numbers are JSON")
    }

    pub(super) fn recall(&mut self, memory: &str) {
        // A text that makes no sense, or was written under other limits, counts as none.
        let records: BTreeMap<u32, Record> = serde_json::from_str(memory).unwrap_or_default();
        self.records = records.into_iter().filter(|(_, record)| record.bracket.fits(&self.limits)).collect();
    }
}
