//! The judge of one device: what became of its sessions, from the changes that concern it, in the order of time.
//!
//! It is told of them piece by piece, and keeps what the rest of the run may ask for: the state of now, and nothing of what is
//! past and gone.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use cardiogram_policies::{GiveUp, Time};

use super::{
    Classes, Verdict,
    change::{Change, Obstacle, Outside},
    surroundings::Surroundings,
};
use crate::{
    config::{Cause, FromOutside, NatClass},
    fate::{life::Address, nat},
    record::{
        faults::FaultPlace,
        trace::{Parting, ProxyEvent, Turn},
    },
    verdict::{
        accuracy::Output,
        downtime::Blame,
        outcome::{Accuracy, DetectedBy, Detection, Episode, FalseAlarm},
        path::{Key, MappingEvent},
    },
};

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
pub(super) struct Judge {
    device: u32,
    classes: Rc<Classes>,
    /// The last moment at which something changed.
    now: Time,
    /// Whether its session is usable since then.
    usable: bool,
    /// Whether nobody could have a new one.
    kept_out: bool,
    /// What is wrong around the device.
    around: Surroundings,
    /// It has made its first attempt.
    has_begun: bool,
    /// It left its last session on purpose, and nothing waits for it before this moment.
    away_until: Time,
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

/// The number of the strike of a cause at a place, the last up to a moment: see [`strikes`](crate::verdict::strikes).
pub(super) type Number<'a> = &'a dyn Fn(Cause, FaultPlace, Time) -> Option<u32>;

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
        Some((self.server, seen_behind(halves, self.server, self.client()?)))
    }

    /// Returns the connection as it is seen behind the last NAT, as far as there is a path to there.
    fn client(&self) -> Option<Outside> {
        Some((self.address.network, *self.path.as_ref()?.last()?))
    }

    /// Returns the mappings on its path.
    fn path_keys(&self) -> impl Iterator<Item = Key> {
        let (network, server) = (self.address.network, self.server);
        let outsides = self.path.iter().flatten().copied();
        let insides = std::iter::once(self.port).chain(outsides.clone());
        (0..).zip(insides.zip(outsides)).map(move |(nat, (port, _))| Key { network, nat, port, server })
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

impl Judge {
    pub(super) fn new(device: u32, servers: u32, classes: Rc<Classes>) -> Self {
        Self {
            device,
            classes,
            now: Time::ZERO,
            usable: false,
            kept_out: false,
            around: Surroundings::new(servers),
            has_begun: false,
            away_until: Time::ZERO,
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

    /// Goes on by these changes, which come after all that it has been told of.
    pub(super) fn judge(&mut self, changes: &[(Time, Change)], number: Number<'_>, verdict: &mut Verdict) {
        for moment in changes.chunk_by(|a, b| a.0 == b.0) {
            self.judge_moment(moment, number, verdict);
        }
        self.forget();
    }

    fn judge_moment(&mut self, moment: &[(Time, Change)], number: Number<'_>, verdict: &mut Verdict) {
        let (now, usable) = (moment[0].0, self.usable);
        self.pass(now, verdict);
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
            self.episode = Some(self.broken(cause, number));
            self.output.end_stretch(now, &mut verdict.accuracy);
        }
        if self.kept_out != self.around.keep_newcomers_out() {
            self.kept_out = !self.kept_out;
            verdict.kept_out.push((self.device, now, self.kept_out));
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
                self.episode = Some(self.broken(cause, number));
            }
            _ => {}
        }
        if usable != (state == State::Usable) {
            self.usable = !usable;
            verdict.turns.push((self.device, now, self.usable));
        }
        if self.usable {
            verdict.episodes.extend(self.close_episode().map(|episode| Episode { end: Some(now), ..episode }));
            verdict.false_alarms.extend(self.false_alarm.take().map(|alarm| FalseAlarm { end: Some(now), ..alarm }));
        }
    }

    /// The run ends.
    pub(super) fn end(mut self, end: Time, verdict: &mut Verdict) {
        self.pass(end, verdict);
        self.output.end_stretch(end, &mut verdict.accuracy);
        verdict.episodes.extend(self.close_episode());
        verdict.false_alarms.extend(self.false_alarm);
    }

    /// Forgets mappings, halves and ages that no socket of the device has to do with any more: they matter only again when they
    /// are made anew, which is told. What a server holds is kept: a NAT may give a socket the port back that leads there.
    fn forget(&mut self) {
        let sockets = || [&self.socket, &self.rival].into_iter().flatten();
        let on_paths: Vec<Key> = sockets().flat_map(Socket::path_keys).collect();
        self.mappings.retain(|key, mapping| mapping.exists || on_paths.contains(key));
        let clients: Vec<_> = sockets().filter_map(|socket| Some((socket.server, socket.client()?))).collect();
        let own: Vec<_> = sockets().filter_map(|socket| socket.at_server(&self.halves)).collect();
        let is_held = |server, halves: &Halves| self.held.contains(&(server, (0, halves.upstream)));
        self.halves.retain(|client, halves| clients.contains(client) || is_held(client.0, halves));
        self.too_old.retain(|session| own.contains(session) || self.held.contains(session));
    }

    /// Lets time pass in the present state, up to a moment.
    fn pass(&mut self, until: Time, verdict: &mut Verdict) {
        let from = std::mem::replace(&mut self.now, until);
        let span = until.since(from);
        if self.usable {
            verdict.usable_time += span;
        } else if self.has_begun {
            let missed_from = self.away_until.clamp(from, until);
            verdict.away_time += missed_from.since(from);
            verdict.downtime.add(self.blame(), until.since(missed_from));
        }
        self.output.pass(span, self.usable, &mut verdict.accuracy);
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
    fn broken(&self, cause: Cause, number: Number<'_>) -> Episode {
        let fault = self.struck(cause).and_then(|(place, at)| number(cause, place, at));
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
            | Cause::ServerOverload
            | Cause::ServerLateReply => None,
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
    fn classes_on(&self, network: u32) -> impl Iterator<Item = NatClass> {
        let of_network = &self.classes[network as usize];
        let subscribers = nat::subscribers_for(self.device, of_network.iter().map(|of_nat| of_nat.len() as u32));
        of_network.iter().zip(subscribers).map(|(of_nat, subscriber)| of_nat[subscriber as usize])
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
            Change::Away { until } => self.away_until = until,
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
                self.away_until = Time::ZERO;
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
