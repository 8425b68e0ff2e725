//! The truth: when a device really had a usable session, computed after the run from the facts that the nodes recorded
//! and from the fault schedule. No policy sees any of it.
//!
//! A session is usable at t when an exchange begun at t could complete: the path is up both ways, the mapping of every
//! NAT is the one the server knows (or comes back on the same port), the server's process is up and not stalled, and both ends
//! hold the connection; where a proxy stands between them, it holds both halves as well. Chance losses are not breaks.
//!
//! An episode begins when a usable session stops being usable, and ends when the device has a usable session again. A
//! usable session that the device leaves is a false alarm. A session that it leaves on purpose, since there is nothing more
//! to do, is neither: the time after it is just time without a session, and if something was broken, nobody has noticed.

mod change;
mod surroundings;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use cardiogram_policies::{GiveUp, Time};

use self::{
    change::{Change, Obstacle, Outside, common_changes, cut_changes, edges, server_changes_of},
    surroundings::Surroundings,
};
use crate::{
    config::{Cause, FromOutside, NatClass, WorldConfig},
    fate::{Schedule, life::Address, nat::MappingRules},
    record::{
        faults::FaultPlace,
        trace::{Clue, Fact, Parting, ProxyEvent, Turn, Usable},
    },
    verdict::{
        accuracy::Output,
        downtime::{Blame, Downtime},
        outcome::{Accuracy, DetectedBy, Detection, Episode, FalseAlarm},
        path::{self, Key, MappingEvent},
        strikes::{self, Strikes},
    },
};

/// What the truth has to say about a run.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) episodes: Vec<Episode>,
    pub(crate) false_alarms: Vec<FalseAlarm>,
    pub(crate) accuracy: Accuracy,
    pub(crate) usable_time: Duration,
    pub(crate) downtime: Downtime,
    pub(crate) zombie_time: Duration,
    /// The times at which a device's session turned usable, or stopped being so; by device, then by time.
    pub(crate) turns: Vec<(u32, Time, bool)>,
    /// The times at which a device's new connections turned impossible, or possible again; by device, then by time.
    pub(crate) kept_out: Vec<(u32, Time, bool)>,
}

/// Judges a run by what its nodes recorded, in the order of the nodes.
pub(crate) fn judge<'a>(
    config: &WorldConfig,
    schedule: &Schedule,
    clues: impl Iterator<Item = &'a [(Time, Clue)]>,
) -> Verdict {
    let mut of_device: Vec<Vec<(Time, Change)>> = vec![Vec::new(); config.devices.count as usize];
    let mut of_nats = Vec::new();
    for (at, clue) in clues.flatten() {
        match clue {
            Clue::Fact(fact @ (Fact::Device { .. } | Fact::Proxy { .. } | Fact::Server { .. })) => {
                if let Some((device, change)) = Change::of(*fact) {
                    of_device[device as usize].push((*at, change));
                }
            }
            Clue::Fact(Fact::Nat { .. } | Fact::OuterNat { .. }) | Clue::Port(_) => of_nats.push((*at, *clue)),
        }
    }
    for path::Step { device, at, mapping, happens } in path::steps(of_nats) {
        of_device[device as usize].push((at, Change::Nat { mapping, happens }));
    }
    let classes = classes(schedule);
    let common = common_changes(schedule);
    let common_strikes = strikes::common(schedule);
    let mut verdict = Verdict::default();
    for (device, mut changes) in of_device.into_iter().enumerate() {
        changes.extend(cut_changes(None, schedule.core.cuts_of(device)));
        changes.extend(&common);
        changes.extend(server_changes_of(schedule, device as u32));
        if let Some(life) = schedule.lives.get(device) {
            changes.extend(edges(&life.stalls, Obstacle::Standstill { cause: Cause::DeviceStall }));
            changes.extend(edges(&life.freezes, Obstacle::Standstill { cause: Cause::DeviceFreeze }));
        }
        for (network, of_network) in (0..).zip(&schedule.networks) {
            let link = Some(network);
            changes.extend(cut_changes(link, &of_network.access[device]));
            let dead = of_network.dead_leases.get(device).into_iter().flatten();
            changes.extend(edges(dead, Obstacle::DeadLease { network }));
        }
        // Stable: facts of one kind and moment stay in their order.
        changes.sort_by_key(|(at, _)| *at);
        let strikes = Strikes::of_device(&common_strikes, schedule, device);
        let judge = Judge::new(device as u32, config.server.count, &classes, strikes);
        judge.judge(&changes, Time::ZERO + config.duration, &mut verdict);
    }
    verdict
}

/// Returns the times in which sessions were usable, from the [turns](Verdict::turns) of a run that ends at `end`.
pub(crate) fn spans(turns: &[(u32, Time, bool)], end: Time) -> Vec<Usable> {
    let mut spans: Vec<Usable> = Vec::new();
    for &(device, at, usable) in turns {
        match spans.last_mut() {
            Some(last) if !usable => last.end = at,
            _ => spans.push(Usable { device, begin: at, end }),
        }
    }
    spans
}

/// How the NATs of each network, by their places, treat what they have forgotten, by their subscribers: the devices, or a
/// single one.
type Classes = Vec<Vec<Vec<NatClass>>>;

fn classes(schedule: &Schedule) -> Classes {
    let of_nat = |mapping_rules: &Rc<[MappingRules]>| mapping_rules.iter().map(|rules| rules.class).collect();
    schedule.networks.iter().map(|network| network.mapping_rules.iter().map(of_nat).collect()).collect()
}

/// How a device's session is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// An exchange could complete.
    Usable,
    /// This keeps an exchange from completing.
    Broken(Cause),
    /// There is none, and nothing is known to have ended it.
    Absent,
}

impl State {
    const fn cause(self) -> Option<Cause> {
        match self {
            Self::Broken(cause) => Some(cause),
            Self::Usable | Self::Absent => None,
        }
    }
}

/// The state of everything that matters to one device.
struct Judge<'a> {
    device: u32,
    classes: &'a Classes,
    strikes: Strikes<'a>,
    now: Time,
    /// What is wrong around the device.
    around: Surroundings,
    /// It has made its first attempt.
    has_begun: bool,
    /// The socket of the attempt or session under way.
    socket: Option<Socket>,
    /// The socket of another attempt, beside the session, which may take its place.
    rival: Option<Socket>,
    /// Mappings of the device's connections.
    mappings: BTreeMap<Key, Mapping>,
    /// What the proxy has made of the device's connections, by server and as the proxy sees the client.
    halves: BTreeMap<(u32, Outside), Halves>,
    /// Sessions the servers hold for the device.
    held: BTreeSet<(u32, Outside)>,
    /// Those that they closed for their age.
    too_old: BTreeSet<(u32, Outside)>,
    /// Those through which nothing but heartbeats goes.
    half_dead: BTreeSet<(u32, Outside)>,
    episode: Option<Episode>,
    false_alarm: Option<FalseAlarm>,
    /// What the device's detector says.
    output: Output,
}

struct Socket {
    port: u16,
    address: Address,
    server: u32,
    connected: bool,
    /// The outside port that each NAT has for it, as long as all have one: from the moment the server opens the session,
    /// what they had then. The last is the one that the server knows.
    path: Option<Vec<u16>>,
    /// The server has opened the session.
    opened: bool,
}

impl Socket {
    fn new(port: u16, address: Address, server: u32) -> Self {
        Self { port, address, server, connected: false, path: None, opened: false }
    }

    /// Returns the session as its server knows it, as far as there is a path to it; `halves`: what a proxy has made of
    /// connections.
    fn at_server(&self, halves: &BTreeMap<(u32, Outside), Halves>) -> Option<(u32, Outside)> {
        let client = (self.address.network, *self.path.as_ref()?.last()?);
        Some((self.server, seen_behind(halves, self.server, client)))
    }
}

/// What a proxy has made of a connection.
struct Halves {
    /// Its port towards the server.
    upstream: u16,
    /// Why it has ended both halves, if it has.
    parted: Option<Parting>,
}

/// Returns how a server sees a client that is seen as `client` in front of the proxy, if there is one.
fn seen_behind(halves: &BTreeMap<(u32, Outside), Halves>, server: u32, client: Outside) -> Outside {
    halves.get(&(server, client)).map_or(client, |halves| (0, halves.upstream))
}

struct Mapping {
    /// The outside port it has, or had.
    outside: u16,
    /// Whether the NAT has it now.
    exists: bool,
    /// Once it has ended: it would come back on its port.
    returns: bool,
    /// What ended it last, and when, if anything has.
    ended: Option<(Cause, Time)>,
}

impl Mapping {
    fn ended_by(&self) -> Option<Cause> {
        self.ended.map(|(cause, _)| cause)
    }
}

impl<'a> Judge<'a> {
    fn new(device: u32, servers: u32, classes: &'a Classes, strikes: Strikes<'a>) -> Self {
        Self {
            device,
            classes,
            strikes,
            now: Time::ZERO,
            around: Surroundings::new(servers),
            has_begun: false,
            socket: None,
            rival: None,
            mappings: BTreeMap::new(),
            halves: BTreeMap::new(),
            held: BTreeSet::new(),
            too_old: BTreeSet::new(),
            half_dead: BTreeSet::new(),
            episode: None,
            false_alarm: None,
            output: Output::new(device),
        }
    }

    fn judge(mut self, changes: &[(Time, Change)], end: Time, verdict: &mut Verdict) {
        let mut then = Time::ZERO;
        let (mut usable, mut kept_out) = (false, false);
        for moment in changes.chunk_by(|a, b| a.0 == b.0) {
            let now = moment[0].0;
            if now >= end {
                break;
            }
            self.pass(now.since(then), usable, verdict);
            (then, self.now) = (now, now);

            let mut left_by = None;
            let mut broken_by = None;
            for (_, change) in moment {
                // A break that is noticed at once, as that of an address that the system takes away.
                if usable && broken_by.is_none() && change.ends_address() {
                    self.apply(*change);
                    broken_by = self.state().cause();
                    continue;
                }
                left_by = self.apply(*change).or(left_by);
                self.hear(now, *change, usable && broken_by.is_none(), &mut verdict.accuracy);
            }
            if let Some(cause) = broken_by {
                self.episode = Some(self.broken(cause));
                self.output.end_stretch(now, &mut verdict.accuracy);
            }
            if kept_out != self.around.keep_newcomers_out() {
                kept_out = !kept_out;
                verdict.kept_out.push((self.device, now, kept_out));
            }
            self.find_path();
            let state = if usable { self.handed_over(self.state()) } else { self.state() };
            if self.is_broken(state) {
                self.output.end_stretch(now, &mut verdict.accuracy);
            }
            match (left_by, &mut self.episode) {
                // Only the first leaving counts.
                (Some(by), Some(episode)) if episode.detection.is_none() => {
                    episode.suspected = self.output.suspects_since(episode.begin);
                    episode.detection = Some(Detection { at: now, by });
                }
                (Some(by), None) if usable => {
                    self.false_alarm = Some(FalseAlarm { device: self.device, at: now, by, end: None });
                }
                (None, None) if usable && let State::Broken(cause) = state => {
                    self.episode = Some(self.broken(cause));
                }
                _ => {}
            }
            if usable != (state == State::Usable) {
                usable = !usable;
                verdict.turns.push((self.device, now, usable));
            }
            if usable {
                verdict.episodes.extend(self.close_episode().map(|episode| Episode { end: Some(now), ..episode }));
                verdict
                    .false_alarms
                    .extend(self.false_alarm.take().map(|alarm| FalseAlarm { end: Some(now), ..alarm }));
            }
        }
        self.pass(end.since(then), usable, verdict);
        self.output.end_stretch(end, &mut verdict.accuracy);
        verdict.episodes.extend(self.close_episode());
        verdict.false_alarms.extend(self.false_alarm);
    }

    /// Lets time pass in the present state.
    fn pass(&self, span: Duration, usable: bool, verdict: &mut Verdict) {
        if usable {
            verdict.usable_time += span;
        } else if self.has_begun {
            verdict.downtime.add(self.blame(), span);
        }
        self.output.pass(span, usable, &mut verdict.accuracy);
        let own = [&self.socket, &self.rival].map(|socket| socket.as_ref()?.at_server(&self.halves));
        let zombies = self.held.iter().filter(|session| !own.contains(&Some(**session))).count();
        verdict.zombie_time += span * zombies as u32;
    }

    /// Returns who could end the time without a session that passes now.
    fn blame(&self) -> Blame {
        if self.around.keep_newcomers_out() {
            return Blame::Nobody;
        }
        match (&self.socket, &self.rival) {
            (_, Some(_)) | (Some(Socket { connected: false, .. }), None) => Blame::Connecting,
            (Some(Socket { connected: true, .. }), None) => Blame::Unnoticed,
            (None, None) => Blame::Waiting,
        }
    }

    /// Returns the episode that begins now.
    fn broken(&self, cause: Cause) -> Episode {
        let fault = self.struck(cause).and_then(|(place, at)| self.strikes.number(cause, place, at));
        let (device, begin) = (self.device, self.now);
        Episode { device, cause, fault, begin, end: None, detection: None, suspected: None }
    }

    /// Returns where a fault struck that breaks the session now, and when at the latest; `None` where it was no fault.
    fn struck(&self, cause: Cause) -> Option<(FaultPlace, Time)> {
        let socket = self.socket.as_ref();
        match cause {
            // An address may outlive the move by which it is lost, but not the next one.
            Cause::ProcessKilled
            | Cause::DeviceStall
            | Cause::DeviceFreeze
            | Cause::LeaseExpiry
            | Cause::NetworkSwitch
            | Cause::NoNetwork => Some((FaultPlace::Device, self.now)),
            Cause::Cut | Cause::CutUp | Cause::CutDown => {
                Some((self.around.cut_link(socket?.address.network), self.now))
            }
            Cause::NatFlush => self.flush(socket?),
            Cause::ServerVanish
            | Cause::ServerCrash
            | Cause::ServerRestart
            | Cause::ServerDrain
            | Cause::ServerStall
            | Cause::ServerPause
            | Cause::ServerHalfDead => Some((FaultPlace::Server { server: socket?.server }, self.now)),
            Cause::ProxyRestart | Cause::ProxyDrain => Some((FaultPlace::Proxy, self.now)),
            Cause::NatExpiry
            | Cause::NatEvicted
            | Cause::MaxAge
            | Cause::ProxyTimeout
            | Cause::ServerClosed
            | Cause::ServerOverload => None,
        }
    }

    /// Returns the NAT that lost a mapping of a socket's path in a flush, and when.
    fn flush(&self, socket: &Socket) -> Option<(FaultPlace, Time)> {
        let network = socket.address.network;
        let mut inside = socket.port;
        (0..).zip(socket.path.as_ref()?).find_map(|(nat, outside)| {
            let mapping = self.mappings.get(&Key { network, nat, port: inside, server: socket.server })?;
            inside = *outside;
            let is_whole = mapping.exists && mapping.outside == *outside;
            let (_, at) = mapping.ended.filter(|(cause, _)| *cause == Cause::NatFlush && !is_whole)?;
            Some((FaultPlace::Nat { network, nat }, at))
        })
    }

    /// Takes the episode under way; its output is the last one if nobody noticed.
    fn close_episode(&mut self) -> Option<Episode> {
        let mut episode = self.episode.take()?;
        if episode.detection.is_none() {
            episode.suspected = self.output.suspects_since(episode.begin);
        }
        Some(episode)
    }

    /// Follows the detector's output; `usable` is what the session was until now.
    fn hear(&mut self, now: Time, change: Change, usable: bool, accuracy: &mut Accuracy) {
        let Change::Turn(turn) = change else { return };
        match turn {
            Turn::SessionBegins { .. } | Turn::Trusts => self.output.trust(now, accuracy),
            Turn::GivenUp(GiveUp::Done)
            | Turn::AttemptBegins { .. }
            | Turn::AttemptEnds { .. }
            | Turn::Attached { .. }
            | Turn::Detached { .. }
            | Turn::Killed
            | Turn::Started => {}
            Turn::Suspects | Turn::GivenUp(_) | Turn::Lost(_) => self.output.suspect(now, usable, accuracy),
        }
    }

    /// Returns whether something real keeps the device from an exchange. Without a session it is anything that might.
    fn is_broken(&self, state: State) -> bool {
        match state {
            State::Usable => false,
            State::Broken(_) => true,
            State::Absent => self.around.breaks_something(),
        }
    }

    /// Returns how the device's session is.
    fn state(&self) -> State {
        if self.around.is_killed() {
            return State::Broken(Cause::ProcessKilled);
        }
        let socket = self.socket.as_ref().filter(|socket| socket.connected);
        socket.map_or(State::Absent, |socket| self.state_of(socket))
    }

    /// Returns the state of a session that was usable until now: if the server has closed it for its device's next one, whose
    /// welcome is on its way, nothing is broken.
    fn handed_over(&self, state: State) -> State {
        let (State::Broken(Cause::ServerClosed | Cause::ServerDrain), Some(rival)) = (state, &self.rival) else {
            return state;
        };
        if rival.opened && self.state_of(rival) == State::Usable { State::Usable } else { state }
    }

    /// Returns whether an exchange over a socket could complete.
    fn state_of(&self, socket: &Socket) -> State {
        if let Some(cause) = self.around.breaks(socket.address, socket.server) {
            return State::Broken(cause);
        }
        self.state_of_path(socket)
    }

    /// Returns whether the session's path still leads from the device to a session that the server holds.
    fn state_of_path(&self, socket: &Socket) -> State {
        let Some(path) = &socket.path else { return State::Absent };
        let (mut ended_by, mut reset_by) = (None, None);
        let mut inside = socket.port;
        let network = socket.address.network;
        for ((nat, outside), class) in (0..).zip(path).zip(self.classes_on(network)) {
            let mapping = &self.mappings[&Key { network, nat, port: inside, server: socket.server }];
            // A mapping that was someone else's meanwhile has ended out of sight, but then one in front of it has not.
            ended_by = mapping.ended_by().or(ended_by);
            if mapping.outside != *outside || !(mapping.exists || mapping.returns) {
                return State::Broken(ended_by.expect("a mapping changes when it has ended"));
            }
            // A NAT that answers the server for a connection it has forgotten ends the server's session.
            if !mapping.exists && class.from_outside() == FromOutside::Reset {
                reset_by = reset_by.or_else(|| mapping.ended_by());
            }
            inside = *outside;
        }
        let parted = self.halves.get(&(socket.server, (network, inside))).and_then(|halves| halves.parted);
        let session = (socket.server, seen_behind(&self.halves, socket.server, (network, inside)));
        if parted.is_none() && self.held.contains(&session) {
            let is_half_dead = self.half_dead.contains(&session);
            return if is_half_dead { State::Broken(Cause::ServerHalfDead) } else { State::Usable };
        }
        let drains = Obstacle::Drain { server: socket.server };
        let closed_by = if let Some(cause) = parted.and_then(Parting::cause) {
            cause
        } else if self.too_old.contains(&session) {
            Cause::MaxAge
        } else if self.around.has(drains) {
            Cause::ServerDrain
        } else {
            Cause::ServerClosed
        };
        State::Broken(reset_by.unwrap_or(closed_by))
    }

    /// Returns what the NATs of a network do with what they have forgotten of the device.
    fn classes_on(&self, network: u32) -> impl Iterator<Item = NatClass> + use<'a> {
        let device = self.device as usize;
        self.classes[network as usize].iter().map(move |of_nat| *of_nat.get(device).unwrap_or(&of_nat[0]))
    }

    /// Notes the path of an attempt while every NAT has a mapping for it. A mapping can end before the connection is up, and
    /// the next SYN gets another port.
    fn find_path(&mut self) {
        let attempts = [&mut self.socket, &mut self.rival].into_iter().flatten();
        for socket in attempts.filter(|socket| !socket.opened) {
            let network = socket.address.network;
            let mut inside = socket.port;
            let step = |nat| {
                let key = Key { network, nat, port: inside, server: socket.server };
                let mapping = self.mappings.get(&key).filter(|mapping| mapping.exists)?;
                inside = mapping.outside;
                Some(inside)
            };
            let path: Option<Vec<u16>> = (0..self.classes[network as usize].len() as u32).map(step).collect();
            socket.path = path.or_else(|| socket.path.take());
        }
    }

    /// Applies a change; returns by which mechanism the device left its session, if it did.
    fn apply(&mut self, change: Change) -> Option<DetectedBy> {
        match change {
            Change::Turn(turn) => return self.apply_turn(turn),
            Change::Nat { mapping, happens } => self.apply_nat(mapping, happens),
            Change::SessionOpened { server, outside } => {
                self.held.insert((server, outside));
                self.too_old.remove(&(server, outside));
                for socket in [&mut self.socket, &mut self.rival].into_iter().flatten() {
                    socket.opened |= socket.at_server(&self.halves) == Some((server, outside));
                }
            }
            Change::SessionClosed { server, outside } => {
                self.held.remove(&(server, outside));
                self.half_dead.remove(&(server, outside));
            }
            Change::Proxy { server, client, event } => match event {
                ProxyEvent::Joined { upstream } => {
                    self.halves.insert((server, client), Halves { upstream, parted: None });
                }
                ProxyEvent::Parted { why } => {
                    if let Some(halves) = self.halves.get_mut(&(server, client)) {
                        halves.parted = Some(why);
                    }
                }
                ProxyEvent::BadGateway => {}
            },
            Change::SessionTooOld { server, outside } => {
                self.too_old.insert((server, outside));
            }
            Change::SessionHalfDead { server, outside, begins: true } => {
                self.half_dead.insert((server, outside));
            }
            Change::SessionHalfDead { server, outside, begins: false } => {
                self.half_dead.remove(&(server, outside));
            }
            Change::Obstacle { obstacle, begins } => self.around.turn(obstacle, begins),
        }
        None
    }

    fn apply_turn(&mut self, turn: Turn) -> Option<DetectedBy> {
        match turn {
            Turn::AttemptBegins { port, server, beside } => {
                self.has_begun = true;
                let socket = Some(Socket::new(port, self.around.address(), server));
                *(if beside { &mut self.rival } else { &mut self.socket }) = socket;
            }
            Turn::AttemptEnds { beside: true } => self.rival = None,
            Turn::SessionBegins { .. } => {
                // The rival is welcomed where the session has just been given up.
                let mut socket = self.socket.take().or_else(|| self.rival.take());
                socket.as_mut().expect("a device connects after it has attempted to").connected = true;
                self.socket = socket;
            }
            Turn::AttemptEnds { beside: false } | Turn::GivenUp(GiveUp::Done) => self.socket = None,
            Turn::GivenUp(reason) => {
                self.socket = None;
                return Some(DetectedBy::Heartbeat(reason));
            }
            Turn::Lost(reason) => {
                self.socket = None;
                return Some(DetectedBy::Transport(reason));
            }
            Turn::Attached { network, lease } => self.around.attach(Address { network, lease }),
            Turn::Detached { network, lease, cause } => self.around.detach(Address { network, lease }, cause),
            Turn::Killed => {
                self.socket = None;
                self.around.kill();
            }
            Turn::Started => self.around.start(),
            Turn::Suspects | Turn::Trusts => {}
        }
        None
    }

    fn apply_nat(&mut self, key: Key, happens: MappingEvent) {
        // A mapping that was made for another device may end, or find its port gone, before this one has come to it.
        match (happens, self.mappings.get_mut(&key)) {
            (MappingEvent::Made { outside }, Some(mapping)) => (mapping.outside, mapping.exists) = (outside, true),
            (MappingEvent::Made { outside }, None) => {
                self.mappings.insert(key, Mapping { outside, exists: true, returns: false, ended: None });
            }
            (MappingEvent::Ended(cause), Some(mapping)) => {
                (mapping.exists, mapping.returns, mapping.ended) = (false, false, Some((cause, self.now)));
            }
            (MappingEvent::Returns(returns), Some(mapping)) => mapping.returns = returns,
            (MappingEvent::Ended(_) | MappingEvent::Returns(_), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that has made tens of thousands of attempts comes back to a port whose mapping never closed.
    #[test]
    fn a_port_used_again_over_its_old_mapping_is_judged_like_any_other() {
        let (port, outside, server) = (40_000, 50_000, 0);
        let key = Key { network: 0, nat: 0, port, server };
        let attempt = Change::Turn(Turn::AttemptBegins { port, server, beside: false });
        let connected = Change::Turn(Turn::SessionBegins { port });
        let given_up = Turn::GivenUp(GiveUp::NoReply);
        let changes = [
            (10, attempt),
            (10, Change::Nat { mapping: key, happens: MappingEvent::Made { outside } }),
            (11, Change::SessionOpened { server, outside: (0, outside) }),
            (11, connected),
            (20, Change::Turn(given_up)),
            (21, Change::SessionClosed { server, outside: (0, outside) }),
            (30, attempt),
            (31, Change::SessionOpened { server, outside: (0, outside) }),
            (31, connected),
            (40, Change::Nat { mapping: key, happens: MappingEvent::Ended(Cause::NatExpiry) }),
        ];
        let changes = changes.map(|(secs, change)| (Time::from_secs(secs), change));
        let mut verdict = Verdict::default();
        Judge::new(0, 1, &vec![vec![vec![NatClass::DropSilent]]], Strikes::default()).judge(
            &changes,
            Time::from_secs(50),
            &mut verdict,
        );
        assert_eq!(verdict.usable_time, Duration::from_secs(9 + 9));
        assert_eq!(verdict.zombie_time, Duration::from_secs(1));
        assert_eq!(verdict.false_alarms.len(), 1);
        let [episode] = verdict.episodes[..] else { panic!("the expiry is an episode: {:?}", verdict.episodes) };
        assert_eq!((episode.cause, episode.begin), (Cause::NatExpiry, Time::from_secs(40)));
    }

    /// In a race the server closes the session for the next one before the device hears of it.
    #[test]
    fn a_session_that_is_handed_over_was_never_broken_and_one_that_was_closed_before_stays_so() {
        let (port, rival, server, secs) = (40_000, 40_001, 0, Time::from_secs);
        let made = |port, outside| {
            let mapping = Key { network: 0, nat: 0, port, server };
            Change::Nat { mapping, happens: MappingEvent::Made { outside } }
        };
        let opened = |outside| Change::SessionOpened { server, outside: (0, outside) };
        let closed = Change::SessionClosed { server, outside: (0, 50_000) };
        let turn = |turn| Change::Turn(turn);
        let given_up = turn(Turn::GivenUp(GiveUp::NoReply));
        let judge = |closed_at| {
            let mut changes = vec![
                (secs(10), turn(Turn::AttemptBegins { port, server, beside: false })),
                (secs(10), made(port, 50_000)),
                (secs(11), opened(50_000)),
                (secs(11), turn(Turn::SessionBegins { port })),
                (secs(closed_at), closed),
                (secs(20), turn(Turn::AttemptBegins { port: rival, server, beside: true })),
                (secs(20), made(rival, 50_001)),
                (secs(21), opened(50_001)),
                (secs(23), given_up),
                (secs(23), turn(Turn::SessionBegins { port: rival })),
            ];
            changes.sort_by_key(|(at, _)| *at);
            let mut verdict = Verdict::default();
            Judge::new(0, 1, &vec![vec![vec![NatClass::DropSilent]]], Strikes::default()).judge(
                &changes,
                secs(30),
                &mut verdict,
            );
            verdict
        };
        let handed_over = judge(21);
        assert_eq!((handed_over.episodes.len(), handed_over.false_alarms.len()), (0, 1));
        assert_eq!((handed_over.usable_time, handed_over.zombie_time), (Duration::from_secs(19), Duration::ZERO));
        let reaped = judge(15);
        assert_eq!((reaped.usable_time, reaped.false_alarms.len()), (Duration::from_secs(4 + 7), 0));
        let [episode] = reaped.episodes[..] else { panic!("the server closed it: {:?}", reaped.episodes) };
        assert_eq!((episode.cause, episode.begin, episode.end), (Cause::ServerClosed, secs(15), Some(secs(23))));
    }

    /// The mapping of the first SYN is gone before the connection is up, and another SYN gets another port: the session is
    /// on that one. Found by the oracle.
    #[test]
    fn a_session_is_on_the_port_that_its_server_saw() {
        let (port, server) = (40_000, 0);
        let mapping = Key { network: 0, nat: 0, port, server };
        let changes = [
            (10, Change::Turn(Turn::AttemptBegins { port, server, beside: false })),
            (10, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_000 } }),
            (12, Change::Nat { mapping, happens: MappingEvent::Ended(Cause::NatEvicted) }),
            (13, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_001 } }),
            (14, Change::SessionOpened { server, outside: (0, 50_001) }),
            (15, Change::Turn(Turn::SessionBegins { port })),
            (20, Change::Nat { mapping, happens: MappingEvent::Ended(Cause::NatEvicted) }),
            (25, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_001 } }),
            (30, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_002 } }),
        ];
        // Where `returns`, its NAT says at once that a forgotten connection would get its port back.
        let usable = |returns: bool| {
            let turn = |(secs, change): (u64, Change)| {
                let ends = matches!(change, Change::Nat { happens: MappingEvent::Ended(_), .. });
                let turn = Change::Nat { mapping, happens: MappingEvent::Returns(true) };
                [Some(change), (returns && ends).then_some(turn)].map(|it| Some((Time::from_secs(secs), it?)))
            };
            let changes: Vec<_> = changes.into_iter().flat_map(turn).flatten().collect();
            let mut verdict = Verdict::default();
            Judge::new(0, 1, &vec![vec![vec![NatClass::DropSilent]]], Strikes::default()).judge(
                &changes,
                Time::from_secs(50),
                &mut verdict,
            );
            (verdict.usable_time.as_secs(), verdict.zombie_time.as_secs())
        };
        // The session's port is its own once it is open. For a second it is held by the server alone: no zombie.
        assert_eq!(usable(false), (5 + 5, 0));
        assert_eq!(usable(true), (15, 0));
    }
}
