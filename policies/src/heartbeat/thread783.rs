//! The linear search that halfrost describes (attributed to 52im thread 783): longer by a step after each answer, shorter by
//! less than a step after each connection that dies.

use serde::{Deserialize, Serialize};

use super::{
    Action, Event, Heartbeat,
    line::{Line, Task},
    notebook::Notebook,
    spec::per_hour,
};
use crate::{Bounds, Network, Problem, Promises, Time, unit::Span};

/// Up by `step`, down by `drop`.
///
/// Source: halfrost, `Advance_TCP.md`; it says nothing of a reply's timeout, nor of memory: assumptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Thread783 {
    /// The first interval. Default 180 s.
    pub start: Span,
    /// What an answer adds. Default 30 s.
    pub step: Span,
    /// What a connection's death takes away; no interval is shorter than this. Default 20 s.
    pub drop: Span,
    /// Deaths in a row, without an answer between them, that send the interval back to `start`. Default 5.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub restart_after: u32,
    /// Whether answers go on lengthening the interval after a death has shortened it. The source does not say. Default
    /// false: the search is over once a shortened interval is answered.
    pub grow_after_drop: bool,
    /// How long the answer to a beat may take. Default 15 s: an assumption.
    pub timeout: Span,
}

impl Default for Thread783 {
    fn default() -> Self {
        Self {
            start: Span::secs(180),
            step: Span::secs(30),
            drop: Span::secs(20),
            restart_after: 5,
            grow_after_drop: false,
            timeout: Span::secs(15),
        }
    }
}

impl Thread783 {
    pub(super) fn promises(&self, bounds: &Bounds) -> Promises {
        Promises {
            // The interval has no upper limit.
            detects_within: None,
            heartbeats_per_hour: Some(per_hour(self.drop.min(self.start).get())),
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.timeout.get(),
            ..Promises::default()
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String, help: String| {
            problems.push(Problem::new(format!("heartbeat.thread783.{key}"), message, help));
        };
        if self.drop > self.start {
            problem(
                "drop",
                format!("a drop of {} is more than the first interval, {}", self.drop, self.start),
                format!("use at most \"{}\"", self.start),
            );
        }
        let shortest = self.drop.min(self.start);
        if self.timeout > shortest {
            problem(
                "timeout",
                format!("a timeout of {} is longer than the shortest interval, {shortest}", self.timeout),
                format!("use at most \"{shortest}\""),
            );
        }
        if !(1..=1000).contains(&self.restart_after) {
            let nearest = self.restart_after.clamp(1, 1000);
            problem("restart_after", format!("{} is outside 1 to 1000", self.restart_after), format!("use {nearest}"));
        }
        problems
    }
}

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    interval: Span,
    /// Deaths since the last answer.
    #[serde(default)]
    deaths: u32,
    /// A death has shortened the interval.
    #[serde(default)]
    dropped: bool,
}

/// [`Thread783`] at work.
pub(super) struct LinearWithDrop {
    spec: Thread783,
    notebook: Notebook<u32, Record>,
    network: u32,
    line: Option<Line>,
    unsaved: bool,
}

impl LinearWithDrop {
    pub(super) fn new(spec: Thread783) -> Self {
        Self { notebook: Notebook::new("thread783"), network: 0, line: None, unsaved: false, spec }
    }

    fn record(&mut self) -> &mut Record {
        self.notebook.records.get_mut(&self.network).expect("there is a record from the first connection on")
    }

    fn connected(&mut self, now: Time, network: Network) {
        self.network = network.id;
        let fresh = Record { interval: self.spec.start, deaths: 0, dropped: false };
        let record = self.notebook.records.entry(network.id).or_insert(fresh);
        record.interval = record.interval.max(self.spec.drop);
        self.line = Some(Line::new(now, record.interval.get()));
    }

    fn success(&mut self) {
        let (step, grow_after_drop) = (self.spec.step.get(), self.spec.grow_after_drop);
        let record = self.record();
        let before = *record;
        record.deaths = 0;
        if !record.dropped || grow_after_drop {
            record.interval = Span::at_least(record.interval.get() + step);
        }
        let after = *record;
        self.unsaved |= after != before;
        // What was learnt holds for the gap that began with the beat.
        if let Some(line) = &mut self.line {
            line.schedule(line.last_beat() + after.interval.get());
        }
    }

    /// A beat was not answered, whoever noticed.
    fn failure(&mut self) {
        let Thread783 { start, drop, restart_after, .. } = self.spec;
        let record = self.record();
        record.deaths += 1;
        if record.deaths >= restart_after {
            *record = Record { interval: start, deaths: 0, dropped: false };
        } else {
            record.interval = Span::at_least(record.interval.get().saturating_sub(drop.get())).max(drop);
            record.dropped = true;
        }
        self.unsaved = true;
    }
}

impl Heartbeat for LinearWithDrop {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.line) {
            (Event::Connected { network, .. }, _) => self.connected(now, *network),
            (Event::Lost(_), Some(line)) => {
                if line.is_waiting() {
                    self.failure();
                }
                self.line = None;
            }
            (Event::HeartbeatReply { id, .. }, Some(line)) if line.awaits(*id) => {
                line.answered();
                self.success();
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
                self.failure();
                self.poll(now)
            }
            Task::Say(action) => Some(action),
            Task::End(reason) => {
                self.line = None;
                Some(Action::GiveUp(reason))
            }
            Task::Beat => {
                let (timeout, interval) = (self.spec.timeout.get(), self.record().interval.get());
                Some(self.line.as_mut()?.send(now, Some(timeout), interval))
            }
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
