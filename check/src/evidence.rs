//! A run as the judges of promises see it: what was set, what happened, and when something was wrong.
//!
//! The truth about sessions is the simulator's; nothing is judged here.

use std::time::Duration;

use cardiogram_policies::{Bounds, Time};
use cardiogram_sim::{
    Outcome, WorldConfig,
    outcome::Episode,
    trace::{DeviceEvent, Entry, Fact, ServerEvent, Trace, Usable, What},
};

use super::fault_periods::{self, Period};

/// A run with its whole record.
pub struct Evidence<'a> {
    world: &'a WorldConfig,
    outcome: &'a Outcome,
    periods: Option<Vec<Period>>,
}

impl<'a> Evidence<'a> {
    /// The run of `world` that came to `outcome`, which must have its trace.
    pub fn new(world: &'a WorldConfig, outcome: &'a Outcome) -> Self {
        assert!(outcome.trace.is_some(), "a promise is checked against the record of a run: keep the trace");
        Self { world, outcome, periods: fault_periods::periods(&world.faults) }
    }

    /// Returns the world, with the strategy that lived in it.
    pub const fn world(&self) -> &'a WorldConfig {
        self.world
    }

    /// Returns what came out of the run.
    pub const fn outcome(&self) -> &'a Outcome {
        self.outcome
    }

    /// Returns the end of the run.
    pub fn end(&self) -> Time {
        Time::ZERO + self.world.duration
    }

    /// Returns what the world guarantees while nothing is wrong.
    pub fn bounds(&self) -> Bounds {
        self.world.bounds()
    }

    /// Returns whether nothing ever goes wrong: no fault, no chance losses, and no application that leaves a session itself.
    pub fn is_healthy(&self) -> bool {
        let app_leaves = self.world.traffic.leaves_after().is_some();
        self.world.faults.is_empty() && self.bounds().loss_free && !app_leaves
    }

    /// Returns the moment from which on nothing is wrong any more, if there is one before the end of the run and it is known:
    /// faults at random moments, or without an end, have none.
    pub fn healed(&self) -> Option<Time> {
        let ends = self.periods.as_ref()?.iter().map(|period| period.end);
        ends.collect::<Option<Vec<Time>>>()?.into_iter().max().filter(|healed| *healed < self.end())
    }

    /// Returns when something is wrong, as far as it is known: `None` where faults strike at random moments.
    pub(crate) fn periods(&self) -> Option<&[Period]> {
        self.periods.as_deref()
    }

    fn trace(&self) -> &'a Trace {
        self.outcome.trace.as_ref().expect("asserted when it was made")
    }

    /// Returns the whole record, in its order.
    pub fn entries(&self) -> &'a [Entry] {
        &self.trace().entries
    }

    /// Returns what happened to devices, in the order of time.
    pub fn device_events(&self) -> impl Iterator<Item = (Time, u32, DeviceEvent)> + use<'a> {
        self.entries().iter().filter_map(|entry| match entry.what {
            What::Fact(Fact::Device { device, event }) => Some((entry.at, device, event)),
            _ => None,
        })
    }

    /// Returns what happened to one device.
    pub fn events_of(&self, device: u32) -> impl Iterator<Item = (Time, DeviceEvent)> + use<'a> {
        self.device_events().filter(move |(_, of, _)| *of == device).map(|(at, _, event)| (at, event))
    }

    /// Returns what happened to servers, in the order of time.
    pub fn server_events(&self) -> impl Iterator<Item = (Time, u32, ServerEvent)> + use<'a> {
        self.entries().iter().filter_map(|entry| match entry.what {
            What::Fact(Fact::Server { server, event }) => Some((entry.at, server, event)),
            _ => None,
        })
    }

    /// Returns when a device had a usable session, by the lab's truth, in the order of time.
    pub fn usable_of(&self, device: u32) -> impl Iterator<Item = &'a Usable> + use<'a> {
        self.trace().usable.iter().filter(move |usable| usable.device == device)
    }

    /// Returns when the session began whose break `episode` is.
    pub(crate) fn session_begin(&self, episode: &Episode) -> Option<Time> {
        let connected = |(at, event): (Time, DeviceEvent)| matches!(event, DeviceEvent::Connected { .. }).then_some(at);
        self.events_of(episode.device).take_while(|(at, _)| *at <= episode.begin).filter_map(connected).last()
    }

    /// Returns whether the path was well from `from` to `episode`'s begin, and is not mended within `within` of it: what a
    /// break for good is, as far as a policy can tell.
    pub(crate) fn breaks_a_healthy_session(&self, episode: &Episode, within: Duration) -> bool {
        let (Some(periods), Some(from)) = (self.periods(), self.session_begin(episode)) else { return false };
        let until = episode.begin + within;
        periods.iter().all(|period| {
            let is_over = period.end.is_some_and(|end| end < from);
            let lasts = period.begin >= episode.begin && period.end.is_none_or(|end| end > until);
            is_over || lasts || period.begin > until || period.is_instant_at(episode.begin)
        })
    }
}
