//! What the faults of a link, other than cuts, do to the packets of one lane. Each is a function of time: an effect knows
//! when it is in force, and tosses its own coins for a packet's time of sending.

use std::time::Duration;

use cardiogram_policies::{Time, unit::Fraction};

use crate::{
    config::{Distribution, Rate},
    fate::{
        random::{Coins, DrawPurpose},
        schedule::Interval,
    },
};

/// A fault on one lane and direction.
pub(crate) struct Effect {
    what: EffectKind,
    coins: Coins,
    /// When it is in force; sorted, without overlaps.
    intervals: Vec<Interval>,
    /// Intervals before this one are over.
    next: usize,
}

/// What it does.
pub(crate) enum EffectKind {
    /// Nothing leaves before it is over.
    Pause,
    /// Nothing arrives before it is over.
    Store,
    /// Packets leave at this rate at most.
    Limit(Rate),
    /// Packets are lost with this probability.
    Lose(Fraction),
    /// Packets are late by this much.
    Delay(Distribution),
    /// With this probability, a packet is held back by this much.
    HoldBack(Fraction, Distribution),
    /// With this probability, a copy of a packet arrives this much later.
    Copy(Fraction, Distribution),
}

/// What all effects of a lane together do to one packet after it has left.
#[derive(Default)]
pub(crate) struct PacketEffects {
    /// How much later it arrives, in order with the others.
    pub(crate) late: Duration,
    /// How long it is held back while others overtake it.
    pub(crate) held: Duration,
    /// Whether it is lost.
    pub(crate) lost: bool,
    /// How much later a copy arrives.
    pub(crate) copy: Option<Duration>,
}

impl Effect {
    pub(crate) fn new(what: EffectKind, coins: Coins, intervals: Vec<Interval>) -> Self {
        Self { what, coins, intervals, next: 0 }
    }

    /// Returns the interval that `at` lies in. Times must not run backwards.
    fn in_force(&mut self, at: Time) -> Option<Interval> {
        while self.intervals.get(self.next).is_some_and(|interval| interval.end <= at) {
            self.next += 1;
        }
        self.intervals.get(self.next).copied().filter(|interval| interval.begin <= at)
    }

    /// Returns the earliest moment from `start` on at which it lets a packet leave.
    pub(crate) fn resumes(&mut self, start: Time) -> Time {
        let paused = matches!(self.what, EffectKind::Pause).then(|| self.in_force(start)).flatten();
        paused.map_or(start, |pause| pause.end)
    }

    /// Returns the earliest moment from `arrival` on at which it lets a packet arrive.
    pub(crate) fn delivers(&self, arrival: Time) -> Time {
        // Arrivals do not come in order where packets are lost.
        let over = self.intervals.partition_point(|interval| interval.end <= arrival);
        let stored = self.intervals.get(over).filter(|interval| interval.begin <= arrival);
        stored.filter(|_| matches!(self.what, EffectKind::Store)).map_or(arrival, |interval| interval.end)
    }

    /// Returns the rate it allows at `start`, if it limits it.
    pub(crate) fn rate(&mut self, start: Time) -> Option<Rate> {
        let EffectKind::Limit(rate) = self.what else { return None };
        self.in_force(start).map(|_| rate)
    }

    /// Adds what it does to a packet sent at `now`.
    pub(crate) fn add_to(&mut self, combined: &mut PacketEffects, now: Time) {
        // Those are asked at the time of leaving.
        if matches!(self.what, EffectKind::Pause | EffectKind::Limit(_)) || self.in_force(now).is_none() {
            return;
        }
        let strikes = |probability: &Fraction| self.coins.unit(DrawPurpose::Fault, now) < probability.get();
        let drawn = |delay: &Distribution| delay.at(self.coins.unit(DrawPurpose::FaultDelay, now));
        match &self.what {
            EffectKind::Lose(probability) => combined.lost |= strikes(probability),
            EffectKind::Delay(delay) => combined.late += drawn(delay),
            EffectKind::HoldBack(probability, delay) if strikes(probability) => combined.held += drawn(delay),
            EffectKind::Copy(probability, delay) if strikes(probability) => combined.copy = Some(drawn(delay)),
            _ => {}
        }
    }
}
