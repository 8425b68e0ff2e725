//! What goes wrong with one server, and when: drawn before the run, the same for every policy. What a server does then is
//! in `nodes::server`; what it means for a session's usability is said here and judged in `truth`.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{
    config::{Answer, Cause, HalfDead, HealthCheck, Pauses, ServerEffect, ServerFault, Target, When, WorldConfig},
    fate::{
        schedule::{self, Interval, numbered},
        struck::Struck,
    },
};

/// A fault of one server and when it acts.
#[derive(Clone)]
pub(crate) struct ServerFaults {
    pub(crate) cause: Cause,
    effect: ServerEffect,
    /// The devices for whom it strikes the server.
    pub(crate) struck: Struck,
    intervals: Vec<Interval>,
}

/// The moment at which a fault changes something.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Edge {
    pub(crate) at: Time,
    pub(crate) turn: Turn,
    pub(crate) cause: Cause,
    pub(crate) effect: ServerEffect,
    pub(crate) struck: Struck,
}

/// What changes at a server, in the order in which the changes of one moment are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Turn {
    Ends,
    /// The last session of a drain is closed.
    Drained,
    Begins,
}

impl ServerFaults {
    /// Returns all faults of a server.
    pub(crate) fn draw(config: &WorldConfig, server: u32, seed: u64) -> Vec<Self> {
        let horizon = Time::ZERO + config.duration;
        let mut faults = Vec::new();
        for (name, fault) in numbered(config) {
            let fault = fault.facts();
            let Target::Server { server: of, cause, effect } = fault.target else { continue };
            if of.is_none_or(|of| of == server) {
                let intervals = schedule::strikes(&fault, horizon, seed, &name, u64::from(server));
                let struck = Struck::draw(fault.whom, config.devices.count, seed, &name);
                faults.push(Self { cause, effect, struck, intervals });
            }
        }
        if let Some(Pauses { every, lasts }) = &config.server.pauses {
            let (when, name) = (When::Every(*every), "server/pauses");
            let intervals = schedule::intervals(&when, Some(lasts), horizon, seed, name, u64::from(server));
            let (cause, effect, struck) = (Cause::ServerPause, ServerEffect::Stops, Struck::All);
            faults.push(Self { cause, effect, struck, intervals });
        }
        if let Some(patience) = config.server.watchdog {
            let restarts = watch(&mut faults, patience.get());
            faults.extend(restarts);
        }
        faults
    }

    /// Returns when the fault lasts.
    pub(crate) fn spans(&self) -> &[Interval] {
        &self.intervals
    }

    /// Returns whether a session breaks of it.
    pub(crate) const fn breaks(&self) -> bool {
        !matches!(self.effect, ServerEffect::Slows { .. } | ServerEffect::RepliesLate { .. })
    }

    /// Returns when no exchange with the server could complete. A server that is slow or late, or closes its sessions one after
    /// the other, still answers those it has; one that has lost some of its sessions answers those that are new.
    pub(crate) fn unusable(&self) -> Vec<Interval> {
        match self.effect {
            ServerEffect::Stops
            | ServerEffect::Dies
            | ServerEffect::Silences(_)
            | ServerEffect::HalfDies(HalfDead::Service) => self.intervals.clone(),
            ServerEffect::Slows { .. }
            | ServerEffect::RepliesLate { .. }
            | ServerEffect::HalfDies(HalfDead::Sessions) => Vec::new(),
            ServerEffect::Drains { over } => {
                self.intervals.iter().map(|drain| Interval { begin: drain.begin + over, ..*drain }).collect()
            }
        }
    }

    /// Returns when no check of this kind is answered. A drain is announced and takes nothing away here. What strikes some
    /// devices alone no check notices.
    pub(crate) fn fails(&self, check: HealthCheck) -> Vec<Interval> {
        if !self.struck.is_all() {
            return Vec::new();
        }
        match self.effect {
            ServerEffect::Dies | ServerEffect::Silences(_) => self.intervals.clone(),
            ServerEffect::Stops if check == HealthCheck::Application => self.intervals.clone(),
            // Whoever is half dead is well for its checks.
            ServerEffect::Stops
            | ServerEffect::Slows { .. }
            | ServerEffect::RepliesLate { .. }
            | ServerEffect::Drains { .. }
            | ServerEffect::HalfDies(_) => Vec::new(),
        }
    }

    /// Returns when its host is not there, and whether the last router before it says so.
    pub(crate) fn gone(&self) -> Option<(&[Interval], bool)> {
        let ServerEffect::Silences(answers) = self.effect else { return None };
        self.struck.is_all().then_some((&self.intervals, answers != Answer::Nothing))
    }

    /// Returns when the server has said that it wants no new clients.
    pub(crate) fn announced(&self) -> Vec<Interval> {
        let is_announced = matches!(self.effect, ServerEffect::Drains { .. }) && self.struck.is_all();
        if is_announced { self.intervals.clone() } else { Vec::new() }
    }

    /// Returns when the server closes its sessions one after the other.
    pub(crate) fn draining(&self) -> Vec<Interval> {
        match self.effect {
            ServerEffect::Drains { over } => {
                self.intervals.iter().map(|drain| Interval { end: drain.begin + over, ..*drain }).collect()
            }
            ServerEffect::Stops
            | ServerEffect::Dies
            | ServerEffect::Silences(_)
            | ServerEffect::Slows { .. }
            | ServerEffect::RepliesLate { .. }
            | ServerEffect::HalfDies(_) => Vec::new(),
        }
    }
}

/// Lets a watchdog kill the process once it has stood still for `patience`: no stall or pause under way then outlasts the
/// restart. Returns the restarts, if there are any.
fn watch(faults: &mut [ServerFaults], patience: Duration) -> Option<ServerFaults> {
    let stops = faults.iter_mut().filter(|fault| fault.effect == ServerEffect::Stops && fault.struck.is_all());
    let mut stops: Vec<&mut Interval> = stops.flat_map(|fault| &mut fault.intervals).collect();
    stops.sort_unstable_by_key(|stop| (stop.begin, stop.end));
    let mut restarts = Vec::new();
    let mut rest = &mut stops[..];
    while let [first, ..] = rest {
        let killed = first.begin + patience;
        // The process stands still as long as one stop reaches into the next.
        let (mut until, mut count) = (first.end, 1);
        while let Some(next) = rest.get(count).filter(|next| next.begin <= until && next.begin < killed) {
            until = until.max(next.end);
            count += 1;
        }
        let (under_way, later) = rest.split_at_mut(count);
        if until > killed {
            let begin = killed;
            let end = killed + ServerFault::RESTART.get();
            restarts.push(Interval { begin, end });
            for stop in under_way {
                stop.end = stop.end.min(end);
            }
        }
        rest = later;
    }
    let intervals = schedule::merge(restarts);
    (!intervals.is_empty()).then_some(ServerFaults {
        cause: Cause::ServerRestart,
        effect: ServerEffect::Dies,
        struck: Struck::All,
        intervals,
    })
}

/// Returns every moment at which `faults` change something, the next one last; at equal times an end comes before a begin.
pub(crate) fn edges(faults: &[ServerFaults]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for ServerFaults { cause, effect, struck, intervals } in faults {
        for interval in intervals {
            let edge = |at, turn| Edge { at, turn, cause: *cause, effect: *effect, struck: struck.clone() };
            edges.push(edge(interval.begin, Turn::Begins));
            edges.push(edge(interval.end, Turn::Ends));
            if let ServerEffect::Drains { over } = *effect {
                edges.push(edge(interval.begin + over, Turn::Drained));
            }
        }
    }
    edges.retain(|edge| edge.at < Time::MAX);
    edges.sort_by_key(|edge| std::cmp::Reverse((edge.at, edge.turn, edge.cause)));
    edges
}

/// How much of its capacity a server has, as a function of time.
pub(crate) struct Capacity(Vec<Slow>);

/// A time of less capacity, for some devices or all.
struct Slow {
    struck: Struck,
    interval: Interval,
    to: f64,
    ramp: Duration,
}

impl Capacity {
    /// Returns the capacity of a server with these faults.
    pub(crate) fn new(faults: &[ServerFaults]) -> Self {
        let mut slow = Vec::new();
        for ServerFaults { effect, struck, intervals, .. } in faults {
            if let ServerEffect::Slows { to, ramp } = *effect {
                slow.extend(intervals.iter().map(|interval| Slow {
                    struck: struck.clone(),
                    interval: *interval,
                    to,
                    ramp,
                }));
            }
        }
        Self(slow)
    }

    /// Returns how long `work` for a device takes when it begins at `now`: by the capacity of that moment, the product of what every
    /// overload leaves.
    pub(crate) fn time_for(&self, work: Duration, device: Option<u32>, now: Time) -> Duration {
        let slow = self.0.iter().filter(|slow| slow.struck.has_whoever(device));
        let left: f64 = slow.map(|slow| slow.left(now)).product();
        // The whole capacity leaves the time as it is, to the microsecond.
        if left < 1.0 { Duration::from_micros((work.as_micros() as f64 / left) as u64) } else { work }
    }
}

/// How late replies to heartbeats are.
pub(crate) struct Lateness(Vec<(Struck, Interval, Duration)>);

impl Lateness {
    /// Returns that of a server with these faults.
    pub(crate) fn new(faults: &[ServerFaults]) -> Self {
        let late = faults.iter().filter_map(|fault| match fault.effect {
            ServerEffect::RepliesLate { by } => Some((fault, by)),
            _ => None,
        });
        let strikes = late
            .flat_map(|(fault, by)| fault.intervals.iter().map(move |interval| (fault.struck.clone(), *interval, by)));
        Self(strikes.collect())
    }

    /// Returns how much later a reply to a device leaves whose heartbeat is read at `now`: the sum over all faults.
    pub(crate) fn of(&self, device: Option<u32>, now: Time) -> Duration {
        let acts = |(struck, interval, _): &&(Struck, Interval, Duration)| {
            interval.contains(now) && struck.has_whoever(device)
        };
        self.0.iter().filter(acts).map(|(.., by)| *by).sum()
    }
}

impl Slow {
    fn left(&self, now: Time) -> f64 {
        if !self.interval.contains(now) {
            return 1.0;
        }
        let passed = now.since(self.interval.begin);
        if passed >= self.ramp {
            return self.to;
        }
        1.0 - (1.0 - self.to) * passed.as_micros() as f64 / self.ramp.as_micros() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(begin: u64, end: u64) -> Interval {
        Interval { begin: Time::from_secs(begin), end: Time::from_secs(end) }
    }

    /// A fault for all devices.
    fn whole(cause: Cause, effect: ServerEffect, intervals: Vec<Interval>) -> ServerFaults {
        ServerFaults { cause, effect, struck: Struck::All, intervals }
    }

    #[test]
    fn capacity_falls_along_its_ramp_and_is_whole_again_at_the_end() {
        let effect = ServerEffect::Slows { to: 0.2, ramp: Duration::from_secs(10) };
        let fault = whole(Cause::ServerOverload, effect, vec![secs(100, 200)]);
        let capacity = Capacity::new(&[fault]);
        let work = Duration::from_millis(30);
        let took = |at| capacity.time_for(work, Some(0), Time::from_secs(at)).as_micros();
        // 1, 1, 0.6, 0.2, 0.2 and 1 of the capacity.
        assert_eq!([99, 100, 105, 110, 199, 200].map(took), [30_000, 30_000, 50_000, 150_000, 150_000, 30_000]);
    }

    #[test]
    fn overloads_at_the_same_time_multiply() {
        let effect = ServerEffect::Slows { to: 0.5, ramp: Duration::ZERO };
        let fault = whole(Cause::ServerOverload, effect, vec![secs(0, 10)]);
        let capacity = Capacity::new(&[fault.clone(), fault]);
        assert_eq!(capacity.time_for(Duration::from_millis(1), None, Time::ZERO), Duration::from_millis(4));
    }

    #[test]
    fn a_watchdog_ends_what_stands_still_for_too_long_and_restarts_it() {
        let stops = |cause, intervals: &[Interval]| whole(cause, ServerEffect::Stops, intervals.into());
        let mut faults = vec![
            stops(Cause::ServerStall, &[secs(100, 900), secs(1_000, 1_060), secs(2_000, 2_050)]),
            // Each too short alone: the last reaches from one into the next.
            stops(Cause::ServerPause, &[secs(150, 155), secs(500, 505), secs(2_040, 2_070)]),
        ];
        let restarts = watch(&mut faults, Duration::from_mins(1)).expect("two");
        assert_eq!((restarts.cause, restarts.effect), (Cause::ServerRestart, ServerEffect::Dies));
        assert_eq!(restarts.intervals, [secs(160, 162), secs(2_060, 2_062)]);
        assert_eq!(faults[0].intervals, [secs(100, 162), secs(1_000, 1_060), secs(2_000, 2_050)]);
        assert_eq!(faults[1].intervals, [secs(150, 155), secs(500, 505), secs(2_040, 2_062)]);
        assert!(watch(&mut faults[..0], Duration::from_mins(1)).is_none());
    }

    #[test]
    fn a_drain_is_usable_until_its_last_session_is_closed() {
        let effect = ServerEffect::Drains { over: Duration::from_secs(60) };
        let drain = whole(Cause::ServerDrain, effect, vec![secs(100, 170)]);
        assert_eq!((drain.draining(), drain.unusable()), (vec![secs(100, 160)], vec![secs(160, 170)]));
        let turns: Vec<(Time, Turn)> = edges(&[drain]).iter().rev().map(|edge| (edge.at, edge.turn)).collect();
        let at = Time::from_secs;
        assert_eq!(turns, [(at(100), Turn::Begins), (at(160), Turn::Drained), (at(170), Turn::Ends)]);
    }
}
