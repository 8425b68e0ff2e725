//! The strip chart of one device in one run, its cardiogram: faults, the truth, what the device believed, heartbeats and
//! their replies, messages, and packets that were sent again or lost, above one axis of time.
//!
//! What is shown is found in the [trace](cardiogram_sim::trace) by `signals`, put into lanes by `lanes`, drawn by `draw`,
//! and told in a sentence by `sentence`. Statistics are not made here: one run is an example.

mod axis;
mod draw;
mod lanes;
mod sentence;
mod signals;

use cardiogram_policies::Time;
use cardiogram_sim::Outcome;

use self::{draw::Picture, signals::Signals};
use crate::chart::canvas;

/// What to show of a run, and how to call it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// The strategy's name.
    pub strategy: &'a str,
    /// The seed.
    pub seed: u64,
    /// Which device.
    pub device: u32,
    /// The left edge of the chart.
    pub from: Time,
    /// The right edge: after `from`, and not after the end of the run.
    pub to: Time,
}

/// The chart as SVG.
///
/// # Panics
///
/// Where the run's trace was not kept, or the view is empty.
pub fn svg(outcome: &Outcome, view: &View<'_>) -> String {
    let picture = picture(outcome, view);
    canvas::svg(picture.size(), |canvas| picture.draw(canvas))
}

/// The chart as PNG.
///
/// # Panics
///
/// As [`svg`].
pub fn png(outcome: &Outcome, view: &View<'_>) -> Vec<u8> {
    let picture = picture(outcome, view);
    canvas::png(picture.size(), |canvas| picture.draw(canvas))
}

fn picture(outcome: &Outcome, view: &View<'_>) -> Picture {
    assert!(view.from < view.to, "a chart has a width");
    let signals = Signals::of(outcome, view.device);
    let window = axis::Window { from: view.from, to: view.to };
    let title = format!("{} · {} · seed {} · device {}", view.scenario, view.strategy, view.seed, view.device);
    Picture::new(title, window, lanes::lanes(&signals, window), &sentence::sentence(outcome, view))
}
