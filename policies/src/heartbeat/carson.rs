//! Carson's adaptive heartbeat (source document 002): a longer gap after each answer, the longest answered one after five
//! failures, and the search again after five failures of that. His check of the network before a reconnect is the reconnect
//! policy's business.

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, Heartbeat,
    activity::{Activity, UntilTold},
    line::{Line, Task},
    notebook::Notebook,
    spec::per_hour,
};
use crate::{Bounds, Network, Problem, Promises, Time, unit::Span};

/// A search upwards from `start`, and the interval it found. Failures are counted in a row.
///
/// Source document 002; its diagrams are images, so what only they say is an assumption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct CarsonAdaptive5 {
    /// The first interval. Default 4 min: what the document recommends for a fixed heartbeat; it gives none for this one.
    pub start: Span,
    /// What an answer adds. Default 1 min: an assumption.
    pub step: Span,
    /// Failures in a row that end the search, end a stable interval, or end a connection. Default 5.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub failures: u32,
    /// How long the answer to a beat may take. Default 15 s: an assumption.
    pub timeout: Span,
    /// Whether each failure ends the connection, or only the last of `failures`. The document leaves it open; where a NAT has
    /// forgotten the connection only a new one can answer. Default true.
    pub reconnect_each_failure: bool,
    /// When the interval may change. Default `always`.
    pub when: When,
}

/// When a search may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// At any time.
    #[default]
    Always,
    /// Only while the application is not on the screen; on it, beats come every `start` and teach nothing (source document
    /// 003). An application whose host tells no state is not on the screen.
    Background,
}

impl Default for CarsonAdaptive5 {
    fn default() -> Self {
        Self {
            start: Span::secs(240),
            step: Span::secs(60),
            failures: 5,
            timeout: Span::secs(15),
            reconnect_each_failure: true,
            when: When::Always,
        }
    }
}

impl CarsonAdaptive5 {
    pub(super) fn promises(&self, bounds: &Bounds) -> Promises {
        Promises {
            // The interval has no upper limit.
            detects_within: None,
            heartbeats_per_hour: Some(per_hour(self.start.get())),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.timeout.get(),
            ..Promises::default()
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String, help: String| {
            problems.push(Problem::new(format!("heartbeat.carson-adaptive-5.{key}"), message, help));
        };
        if self.timeout > self.start {
            problem(
                "timeout",
                format!("a timeout of {} is longer than the first interval, {}", self.timeout, self.start),
                format!("use at most \"{}\"", self.start),
            );
        }
        if !(1..=1000).contains(&self.failures) {
            let nearest = self.failures.clamp(1, 1000);
            problem("failures", format!("{} is outside 1 to 1000", self.failures), format!("use {nearest}"));
        }
        problems
    }
}

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
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
    notebook: Notebook<u32, Record>,
    network: u32,
    activity: Activity,
    line: Option<Line>,
    /// Beats of this connection without an answer, in a row.
    misses: u32,
    /// The gap before the next beat is the record's interval.
    gap_is_test: bool,
    /// The beat that is out ends such a gap.
    beat_is_test: bool,
    unsaved: bool,
}

impl Carson {
    pub(super) fn new(spec: CarsonAdaptive5) -> Self {
        Self {
            notebook: Notebook::new("carson-adaptive-5"),
            network: 0,
            activity: Activity::new(UntilTold::Inactive, std::time::Duration::ZERO),
            line: None,
            misses: 0,
            gap_is_test: false,
            beat_is_test: false,
            unsaved: false,
            spec,
        }
    }

    fn fresh(&self) -> Record {
        Record { interval: self.spec.start, best: None, stable: false, failures: 0 }
    }

    fn record(&mut self) -> &mut Record {
        self.notebook.records.get_mut(&self.network).expect("there is a record from the first connection on")
    }

    fn connected(&mut self, now: Time, network: Network) {
        self.network = network.id;
        let (fresh, start) = (self.fresh(), self.spec.start);
        let record = self.notebook.records.entry(network.id).or_insert(fresh);
        record.interval = record.interval.max(start);
        self.misses = 0;
        let first = self.next_gap(now);
        self.line = Some(Line::new(now, first.get()));
    }

    /// The interval to wait now.
    fn next_gap(&mut self, now: Time) -> Span {
        self.gap_is_test = self.spec.when == When::Always || !self.activity.is_active(now);
        if self.gap_is_test { self.record().interval } else { self.spec.start }
    }

    fn beat(&mut self, now: Time) -> Option<Action> {
        self.beat_is_test = self.gap_is_test;
        let interval = self.next_gap(now);
        Some(self.line.as_mut()?.send(now, Some(self.spec.timeout.get()), interval.get()))
    }

    fn success(&mut self, now: Time) {
        self.misses = 0;
        if self.beat_is_test {
            let step = self.spec.step;
            let record = self.record();
            let before = *record;
            record.failures = 0;
            if !record.stable {
                record.best = Some(record.interval);
                record.interval = Span::at_least(record.interval.get() + step.get());
            }
            self.unsaved |= *self.record() != before;
        }
        self.set_timer(now);
    }

    /// What was learnt holds for the gap that began with the last beat.
    fn set_timer(&mut self, now: Time) {
        let interval = self.next_gap(now);
        if let Some(line) = &mut self.line {
            line.schedule(line.last_beat() + interval.get());
        }
    }

    /// A beat was not answered, whoever noticed.
    fn failure(&mut self) {
        if !self.beat_is_test {
            return;
        }
        let (fresh, limit) = (self.fresh(), self.spec.failures);
        let record = self.record();
        record.failures += 1;
        if record.failures >= limit {
            // A stable interval that fails, and a search whose very first interval does, begin again.
            *record = match record.best {
                Some(best) if !record.stable => Record { interval: best, best: None, stable: true, failures: 0 },
                _ => fresh,
            };
        }
        self.unsaved = true;
    }
}

impl Heartbeat for Carson {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.line) {
            (Event::Connected { network, .. }, _) => self.connected(now, *network),
            (Event::AppState(state), _) => self.activity.told(now, *state),
            (Event::Lost(_), Some(line)) => {
                if line.is_waiting() {
                    self.failure();
                }
                self.line = None;
            }
            (Event::HeartbeatReply { id, .. }, Some(line)) if line.awaits(*id) => {
                line.answered();
                self.success(now);
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
                self.misses += 1;
                if self.spec.reconnect_each_failure || self.misses >= self.spec.failures {
                    line.doom();
                }
                self.failure();
                self.set_timer(now);
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
