//! Where one device is in its life: what happens to it next, which addresses it has, what its kernel's clock shows. The
//! life itself is drawn in [`life`](crate::fate::life); what the device does about it is in `app`.

use std::{net::Ipv4Addr, time::Duration};

use cardiogram_policies::{AppState, Time};

use super::clock::Clock;
use crate::{
    fate::{
        life::{Address, Life, Move, put_off},
        schedule::Interval,
    },
    wire::{address, packet::Packet},
};

/// How long Android lets connections over the network before work on when a better one has come (V, AOSP).
pub(crate) const LINGER: Duration = Duration::from_secs(30);

/// The addresses of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// The one that new connections use; `None`: no network.
    pub(crate) current: Option<Address>,
    /// The one before, while it still works, and until when.
    pub(crate) lingering: Option<(Address, Time)>,
}

impl Addresses {
    pub(crate) const FIRST: Self = Self { current: Some(Address::FIRST), lingering: None };

    /// Returns whether an address is one of those that `device` has.
    pub(crate) fn hold(&self, device: u32, ip: Ipv4Addr) -> bool {
        let own = [self.current, self.lingering.map(|(address, _)| address)];
        own.into_iter().flatten().any(|own| own.of(device) == ip)
    }
}

impl Address {
    /// Returns the address in packets of `device`.
    pub(crate) const fn of(self, device: u32) -> Ipv4Addr {
        address::device(self.network, self.lease, device)
    }
}

/// What happens to a device.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LifeEvent {
    /// It changes its network.
    Moves(Move),
    /// Its process is killed.
    Dies,
    /// Its process is started again.
    Starts,
    /// Its application is on the screen or not.
    Turns(AppState),
    /// Its application sends a frame that makes no sense.
    SendsMalformed,
    /// Its process stands still; or goes on.
    StandsStill(bool),
    /// The rest of it does.
    Freezes(bool),
}

/// A device in its life.
pub(crate) struct LifeProgress {
    life: Life,
    /// What is to come, the next one last.
    to_come: Vec<(Time, LifeEvent)>,
    /// When a timer of the application last woke the dozing device.
    last_idle: Option<Time>,
    /// When anything last did, dozing or not.
    woken: Time,
    /// `None`: the kernel's clock never stands still.
    clock: Option<Clock>,
    /// Its process stands still.
    is_still: bool,
    /// The whole device does.
    is_frozen: bool,
    /// Wake-ups that came while its process stood still.
    kept: Vec<Packet>,
}

impl LifeProgress {
    pub(crate) fn new(mut life: Life) -> Self {
        let standstills = life.standstills();
        let mut to_come: Vec<(Time, LifeEvent)> = Vec::new();
        // It goes on before what was put off until then happens.
        to_come.extend(life.freezes.iter().map(|still| (still.end, LifeEvent::Freezes(false))));
        to_come.extend(standstills.iter().map(|still| (still.end, LifeEvent::StandsStill(false))));
        for next in &life.moves {
            to_come.push((next.at, LifeEvent::Moves(*next)));
        }
        for Interval { begin, end } in &life.kills {
            to_come.extend([(*begin, LifeEvent::Dies), (*end, LifeEvent::Starts)]);
        }
        let mut told = None;
        for (from, state) in life.app_states() {
            if told.replace(state) != Some(state) {
                to_come.push((put_off(from, &standstills), LifeEvent::Turns(state)));
            }
        }
        to_come.extend(life.malformed.iter().map(|at| (*at, LifeEvent::SendsMalformed)));
        to_come.extend(life.freezes.iter().map(|still| (still.begin, LifeEvent::Freezes(true))));
        to_come.extend(standstills.iter().map(|still| (still.begin, LifeEvent::StandsStill(true))));
        to_come.retain(|(at, _)| *at < Time::MAX);
        // Stable, so that at one moment a move comes before a kill, and that before a change on the screen.
        to_come.sort_by_key(|(at, _)| *at);
        to_come.reverse();
        let sleeps = std::mem::take(&mut life.sleeps);
        let clock = (!sleeps.is_empty()).then(|| Clock::new(sleeps, life.freezes.clone(), life.awake));
        Self {
            life,
            to_come,
            last_idle: None,
            woken: Time::ZERO,
            clock,
            is_still: false,
            is_frozen: false,
            kept: Vec::new(),
        }
    }

    /// Nothing happens any more, timers are exact, and the processor is awake, unless the device stands still: it then does
    /// so for ever.
    pub(crate) fn freeze(&mut self, now: Time) {
        (self.life, self.to_come) = (Life::default(), Vec::new());
        if let Some(clock) = &mut self.clock {
            clock.freeze(now, self.is_frozen);
        }
    }

    /// Its process stands still, or goes on.
    pub(crate) const fn stand_still(&mut self, is_still: bool) {
        self.is_still = is_still;
    }

    /// The whole device stands still, or goes on.
    pub(crate) const fn freeze_up(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
    }

    /// A wake-up comes while the process stands still.
    pub(crate) fn keep(&mut self, wakeup: Packet) {
        self.kept.push(wakeup);
    }

    /// Takes the wake-ups that came meanwhile.
    pub(crate) fn take_kept(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.kept)
    }

    /// Returns whether its process stands still.
    pub(crate) const fn is_still(&self) -> bool {
        self.is_still
    }

    /// Returns whether the whole device does.
    pub(crate) const fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// Returns when something happens next, besides the end of an address that lingers.
    pub(crate) fn next(&self) -> Option<Time> {
        self.to_come.last().map(|(at, _)| *at)
    }

    /// Returns what happens at `now`, one after the other.
    pub(crate) fn pop(&mut self, now: Time) -> Option<LifeEvent> {
        self.to_come.pop_if(|(at, _)| *at <= now).map(|(_, what)| what)
    }

    /// Returns when a timer of the application that is due at `due` fires.
    pub(crate) fn fires(&self, due: Time) -> Time {
        self.life.fires(due, self.last_idle)
    }

    /// A timer of the application fires. It counts as an alarm unless something else has woken the device at this moment.
    pub(crate) fn fired(&mut self, now: Time) {
        if self.woken < now && self.life.is_idle_alarm(now) {
            self.last_idle = Some(now);
        }
    }

    /// The processor is awake from `now` on for a while.
    pub(crate) fn wake(&mut self, now: Time) {
        self.woken = now;
        if let Some(clock) = &mut self.clock {
            clock.wake(now);
        }
    }

    /// Returns what the kernel's clock shows.
    pub(crate) fn kernel(&self, now: Time) -> Time {
        self.clock.as_ref().map_or(now, |clock| clock.shows(now))
    }

    /// Returns when the kernel's clock will show a time.
    pub(crate) fn when(&self, kernel: Time) -> Time {
        self.clock.as_ref().map_or(kernel, |clock| clock.when(kernel))
    }
}
