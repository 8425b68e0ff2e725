//! The strip chart of one device in one run, its cardiogram: faults, the truth, what the device believed, heartbeats and
//! their replies, messages, and packets that were sent again or lost, above one axis of time.
//!
//! What is shown is found in the [trace](cardiogram_sim::trace) by `signals`, put into the lanes of a chart by `lanes`, and
//! told in a sentence by `sentence`. Statistics are not made here: one run is an example. How lanes are drawn is not known
//! here: see `chart`.

mod lanes;
mod sentence;
mod signals;

use std::time::Duration;

use cardiogram_policies::{Time, unit::format_duration};
use cardiogram_sim::{Outcome, trace::Trace};

use self::signals::{Period, Signals};
use crate::chart::{Chart, moment};

/// What to show of a run, and how to call it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// The strategy's name.
    pub strategy: &'a str,
    /// The seed.
    pub seed: u64,
    /// The number of the device.
    pub device: u32,
    /// The left edge of the chart.
    pub from: Time,
    /// The right edge: after `from`, and not after the end of the run.
    pub to: Time,
}

/// Returns the chart as SVG.
///
/// # Panics
///
/// Where the run's trace was not kept, or the view is empty.
pub fn svg(outcome: &Outcome, view: &View<'_>) -> String {
    chart(outcome, view).to_svg()
}

/// Returns the chart as PNG.
///
/// # Panics
///
/// Where the run's trace was not kept, or the view is empty.
pub fn png(outcome: &Outcome, view: &View<'_>) -> Vec<u8> {
    chart(outcome, view).to_png()
}

fn chart(outcome: &Outcome, view: &View<'_>) -> Chart {
    assert!(view.from < view.to, "a chart has a width");
    let window = Window { from: view.from, to: view.to };
    let title = format!("{} · {} · seed {} · device {}", view.scenario, view.strategy, view.seed, view.device);
    let notes = vec![shown(window), sentence::sentence(outcome, view)];
    Chart { notes, ..lanes::chart(title, &Signals::of(outcome, view.device), window) }
}

/// What to show of a record of a link, which no laboratory has seen.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// What the record is called.
    pub name: &'a str,
    /// The number of the device.
    pub device: u32,
    /// The left edge of the chart.
    pub from: Time,
    /// The right edge: after `from`.
    pub to: Time,
}

/// Returns the chart of a record as SVG.
///
/// # Panics
///
/// Where the view is empty.
pub fn record_svg(record: &Trace, view: &RecordView<'_>) -> String {
    record_chart(record, view).to_svg()
}

/// Returns the chart of a record as PNG.
///
/// # Panics
///
/// Where the view is empty.
pub fn record_png(record: &Trace, view: &RecordView<'_>) -> Vec<u8> {
    record_chart(record, view).to_png()
}

fn record_chart(record: &Trace, view: &RecordView<'_>) -> Chart {
    assert!(view.from < view.to, "a chart has a width");
    let window = Window { from: view.from, to: view.to };
    let signals = Signals::of_record(record, view.device);
    let notes = vec![shown(window), sentence::of_record(&signals, window)];
    Chart { notes, ..lanes::chart(view.name.to_owned(), &signals, window) }
}

/// Says which part is shown. A record ends at any microsecond, which nobody wants to read.
fn shown(window: Window) -> String {
    let [from, to] = [window.from, window.to].map(|at| moment(at.as_micros()));
    let span = window.span();
    let fine = Duration::from_micros(u64::from(span.subsec_micros() % 1_000));
    let span = if span < Duration::from_secs(1) { span } else { span.saturating_sub(fine) };
    format!("{from} to {to} ({}).", format_duration(span))
}

/// The part of a run that is shown.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Time,
    to: Time,
}

impl Window {
    const fn span(self) -> Duration {
        self.to.since(self.from)
    }

    /// Returns whether a moment lies in it.
    fn has(self, at: Time) -> bool {
        (self.from..=self.to).contains(&at)
    }

    /// Returns what of a period lies in it.
    fn clip(self, (begin, end): Period) -> Option<Period> {
        (begin <= self.to && end >= self.from).then(|| (begin.max(self.from), end.min(self.to)))
    }
}
