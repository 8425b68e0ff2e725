//! microG's heartbeat for Google's message service: the interval grows by a little with each answer and shrinks by more with
//! each failure, for ever, so that it swings around what the network allows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, Heartbeat, LossReason,
    line::{Line, Task},
    notebook::Notebook,
    spec::per_hour,
};
use crate::{Bounds, Network, NetworkKind, Problem, Promises, Time, unit::Span};

/// Multiplicative increase and decrease, learnt for each kind of network.
///
/// Source: `GmsCore` at 9a206ae1, `GcmPrefs.kt` and `McsService.java`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MicrogMcsAimd {
    /// The shortest interval, and the first. Default 300 s.
    pub min: Span,
    /// The longest. Default 900 s.
    pub max: Span,
    /// Factor of an answer after a quiet time longer than three quarters of the interval, 1 to 10. Default 1.02.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10)))]
    pub growth: f64,
    /// Factor of a failure, above 0, at most 1. Default 0.95.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1)))]
    pub shrink: f64,
    /// How long the answer to a beat may take. Default 90 s.
    pub ack_timeout: Span,
    /// The user's own interval in place of all this. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Span>,
}

impl Default for MicrogMcsAimd {
    fn default() -> Self {
        Self {
            min: Span::secs(300),
            max: Span::secs(900),
            growth: 1.02,
            shrink: 0.95,
            ack_timeout: Span::secs(90),
            fixed: None,
        }
    }
}

impl MicrogMcsAimd {
    pub(super) fn promises(&self, bounds: &Bounds) -> Promises {
        let (shortest, longest) = self.fixed.map_or((self.min, self.max), |fixed| (fixed, fixed));
        Promises {
            // Beats follow each other by at most the longest interval, whatever the traffic.
            detects_within: Some(longest.get() + self.ack_timeout.get()),
            heartbeats_per_hour: Some(per_hour(shortest.get())),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.ack_timeout.get(),
            ..Promises::default()
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String, help: String| {
            problems.push(Problem::new(format!("heartbeat.microg-mcs-aimd.{key}"), message, help));
        };
        if self.max < self.min {
            problem(
                "max",
                format!("the longest interval, {}, is below the shortest, {}", self.max, self.min),
                format!("use at least \"{}\"", self.min),
            );
        }
        if !(1.0..=10.0).contains(&self.growth) {
            problem("growth", format!("{} is outside 1 to 10", self.growth), "use 1.02".into());
        }
        if !(self.shrink > 0.0 && self.shrink <= 1.0) {
            problem("shrink", format!("{} is not above 0 and at most 1", self.shrink), "use 0.95".into());
        }
        let shortest = self.fixed.unwrap_or(self.min);
        if self.ack_timeout > shortest {
            problem(
                "ack_timeout",
                format!("a timeout of {} is longer than the shortest interval, {shortest}", self.ack_timeout),
                format!("use at most \"{shortest}\""),
            );
        }
        problems
    }
}

/// What was learnt of one kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Whole milliseconds.
    interval_ms: u64,
}

/// [`MicrogMcsAimd`] at work.
pub(super) struct Microg {
    spec: MicrogMcsAimd,
    notebook: Notebook<NetworkKind, Record>,
    kind: NetworkKind,
    line: Option<Line>,
    /// When anything arrived last; when the connection was established, before that.
    last_rx: Time,
    unsaved: bool,
}

impl Microg {
    pub(super) fn new(spec: MicrogMcsAimd) -> Self {
        Self {
            notebook: Notebook::new("microg-mcs-aimd"),
            kind: NetworkKind::default(),
            line: None,
            last_rx: Time::ZERO,
            unsaved: false,
            spec,
        }
    }

    fn connected(&mut self, now: Time, network: Network) {
        self.kind = network.kind;
        self.last_rx = now;
        self.line = Some(Line::new(now, self.interval()));
    }

    fn learnt(&self) -> Duration {
        let learnt = self.notebook.records.get(&self.kind).map(|record| Duration::from_millis(record.interval_ms));
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
        self.unsaved |= self.notebook.records.insert(self.kind, record) != Some(record);
    }

    fn acknowledged(&mut self, now: Time) {
        // Little is learnt from an answer on a line that was busy.
        if now.since(self.last_rx) > self.learnt() * 3 / 4 {
            self.learn(self.spec.growth);
        }
    }
}

impl Heartbeat for Microg {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.line) {
            (Event::Connected { network, .. }, _) => self.connected(now, *network),
            (Event::Lost(reason), Some(_)) => {
                self.line = None;
                // Every error of the connection, but for a network that went away.
                if *reason != LossReason::Aborted {
                    self.learn(self.spec.shrink);
                }
            }
            (Event::HeartbeatReply { id, .. }, Some(line)) => {
                if line.awaits(*id) {
                    line.answered();
                    self.acknowledged(now);
                }
                self.last_rx = now;
            }
            (Event::BytesReceived | Event::Acknowledged | Event::PeerPing | Event::DirectedInterval(_), Some(_)) => {
                self.last_rx = now;
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        if std::mem::take(&mut self.unsaved) {
            return Some(Action::Remember);
        }
        let interval = self.interval();
        let line = self.line.as_mut()?;
        match line.task(now)? {
            Task::Overdue => {
                line.doom();
                self.learn(self.spec.shrink);
                self.poll(now)
            }
            Task::Say(action) => Some(action),
            Task::End(reason) => {
                self.line = None;
                Some(Action::GiveUp(reason))
            }
            Task::Beat => Some(line.send(now, Some(self.spec.ack_timeout.get()), interval)),
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
