//! The truth: when a device really had a usable session, computed after the run from the facts that the nodes recorded
//! and from the fault schedule. No policy sees any of it.
//!
//! A session is usable at t when an exchange begun at t could complete: the path is up both ways, the mapping of every
//! NAT is the one the server knows (or comes back on the same port), the server's process is up and not stalled, and both ends
//! hold the connection. Chance losses are not breaks.
//!
//! An episode begins when a usable session stops being usable, and ends when the device has a usable session again. A
//! usable session that the device leaves is a false alarm. A session that it leaves on purpose, since there is nothing more
//! to do, is neither: the time after it is just time without a session, and if something was broken, nobody has noticed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cardiogram_policies::{GiveUp, Time};

use crate::{
    accuracy::Output,
    config::{NatClass, WorldConfig},
    link_faults::Cuts,
    nat,
    outcome::{Accuracy, Cause, DetectedBy, Detection, Episode, FalseAlarm},
    path::{self, Key},
    schedule::Interval,
    trace::{DeviceEvent, Fact, NatEvent, ServerEvent},
    world::Schedule,
};

/// What the truth has to say about a run.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) episodes: Vec<Episode>,
    pub(crate) false_alarms: Vec<FalseAlarm>,
    pub(crate) accuracy: Accuracy,
    pub(crate) usable_time: Duration,
    pub(crate) zombie_time: Duration,
}

/// Judges a run by the facts of its nodes, in the order of the nodes.
pub(crate) fn judge<'a>(
    config: &WorldConfig,
    seed: u64,
    schedule: &Schedule,
    facts: impl Iterator<Item = &'a [(Time, Fact)]>,
) -> Verdict {
    let mut of_device: Vec<Vec<(Time, Change)>> = vec![Vec::new(); config.devices.count as usize];
    let mut of_nats = Vec::new();
    for (at, fact) in facts.flatten() {
        if let Some((device, change)) = Change::of(*fact) {
            of_device[device as usize].push((*at, change));
        } else if matches!(fact, Fact::Nat { .. } | Fact::OuterNat { .. }) {
            of_nats.push((*at, *fact));
        }
    }
    for path::Step { device, at, mapping, event } in path::steps(of_nats) {
        of_device[device as usize].push((at, Change::Nat { mapping, event }));
    }
    let classes = classes(config, seed);
    let common = common_changes(schedule);
    let mut verdict = Verdict::default();
    for (device, mut changes) in of_device.into_iter().enumerate() {
        changes.extend(&common);
        changes.extend(cut_changes(&schedule.access[device]));
        // Stable: facts of one kind and moment stay in their order.
        changes.sort_by_key(|(at, _)| *at);
        let classes = classes.iter().map(|of_nat| *of_nat.get(device).unwrap_or(&of_nat[0])).collect();
        Judge::new(device as u32, classes).judge(&changes, Time::ZERO + config.duration, &mut verdict);
    }
    verdict
}

/// How each NAT, by its place, treats what it has forgotten, by its subscribers: the devices, or a single one.
fn classes(config: &WorldConfig, seed: u64) -> Vec<Vec<NatClass>> {
    let of_nat = |(index, config_of_nat)| {
        let subscribers = if index == 0 { config.devices.count } else { 1 };
        let treatments = nat::treatments(config_of_nat, index, subscribers, seed);
        treatments.into_iter().map(|treatment| treatment.class).collect()
    };
    (0..).zip(&config.nat).map(of_nat).collect()
}

/// A change of anything that decides whether a device's session is usable.
#[derive(Clone, Copy)]
enum Change {
    Device(DeviceEvent),
    Nat { mapping: Key, event: NatEvent },
    SessionOpened { server: u32, outside: u16 },
    SessionClosed { server: u32, outside: u16 },
    Fault { server: u32, cause: Cause, begins: bool },
    Drain { server: u32, begins: bool },
    Cut { up: bool, begins: bool },
}

impl Change {
    /// The change in a fact, and whose it is; faults come from the schedule, and what NATs do is found by [`path`].
    fn of(fact: Fact) -> Option<(u32, Self)> {
        match fact {
            Fact::Device { device, event } => Some((device, Self::Device(event))),
            Fact::Nat { .. } | Fact::OuterNat { .. } => None,
            Fact::Server { server, event } => match event {
                ServerEvent::SessionOpened { device, outside } => {
                    Some((device, Self::SessionOpened { server, outside }))
                }
                ServerEvent::SessionClosed { device, outside } => {
                    Some((device, Self::SessionClosed { server, outside }))
                }
                ServerEvent::Reaped { .. }
                | ServerEvent::FaultBegan(_)
                | ServerEvent::FaultEnded(_)
                | ServerEvent::TurnedUnhealthy
                | ServerEvent::TurnedHealthy
                | ServerEvent::WakeupSent { .. } => None,
            },
        }
    }
}

fn common_changes(schedule: &Schedule) -> Vec<(Time, Change)> {
    let mut changes: Vec<(Time, Change)> = cut_changes(&schedule.core).collect();
    for (server, faults) in schedule.servers.iter().enumerate() {
        for fault in faults {
            let (server, cause) = (server as u32, fault.cause);
            changes.extend(edges(&fault.unusable(), move |begins| Change::Fault { server, cause, begins }));
            changes.extend(edges(&fault.draining(), move |begins| Change::Drain { server, begins }));
        }
    }
    changes
}

fn cut_changes(cuts: &Cuts) -> impl Iterator<Item = (Time, Change)> + '_ {
    let up = edges(&cuts.up, |begins| Change::Cut { up: true, begins });
    up.chain(edges(&cuts.down, |begins| Change::Cut { up: false, begins }))
}

fn edges<'a>(
    intervals: &'a [Interval],
    change: impl Fn(bool) -> Change + 'a,
) -> impl Iterator<Item = (Time, Change)> + 'a {
    intervals.iter().flat_map(move |interval| [(interval.begin, change(true)), (interval.end, change(false))])
}

/// The state of everything that matters to one device.
struct Judge {
    device: u32,
    /// What each NAT does with what it has forgotten.
    classes: Vec<NatClass>,
    cuts_up: u32,
    cuts_down: u32,
    /// Faults under way, by (server, cause), with their number.
    faults: BTreeMap<(u32, Cause), u32>,
    /// Drains under way, by server, with their number: sessions live on until their turn has come.
    drains: BTreeMap<u32, u32>,
    /// The socket of the attempt or session under way.
    socket: Option<Socket>,
    /// Mappings of the device's connections.
    mappings: BTreeMap<Key, Mapping>,
    /// Sessions the servers hold for the device, by server and the port they see.
    held: BTreeSet<(u32, u16)>,
    episode: Option<Episode>,
    false_alarm: Option<FalseAlarm>,
    /// What the device's detector says.
    output: Output,
}

struct Socket {
    port: u16,
    server: u32,
    connected: bool,
    /// The outside port that each NAT first had for it, when all had one; the last is the one that the server knows.
    path: Option<Vec<u16>>,
}

struct Mapping {
    /// The outside port it has, or had.
    outside: u16,
    /// It exists.
    exists: bool,
    /// What ended it last, if anything has.
    ended_by: Option<Cause>,
}

impl Judge {
    fn new(device: u32, classes: Vec<NatClass>) -> Self {
        Self {
            device,
            classes,
            cuts_up: 0,
            cuts_down: 0,
            faults: BTreeMap::new(),
            drains: BTreeMap::new(),
            socket: None,
            mappings: BTreeMap::new(),
            held: BTreeSet::new(),
            episode: None,
            false_alarm: None,
            output: Output::new(device),
        }
    }

    fn judge(mut self, changes: &[(Time, Change)], end: Time, verdict: &mut Verdict) {
        let mut then = Time::ZERO;
        let mut usable = false;
        for moment in changes.chunk_by(|a, b| a.0 == b.0) {
            let now = moment[0].0;
            if now >= end {
                break;
            }
            self.pass(now.since(then), usable, verdict);
            then = now;

            let mut left_by = None;
            for (_, change) in moment {
                left_by = self.apply(*change).or(left_by);
                self.hear(now, *change, usable, &mut verdict.accuracy);
            }
            self.find_path();
            let state = self.state();
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
                (None, None) if usable && let Err(Some(cause)) = state => {
                    let device = self.device;
                    self.episode =
                        Some(Episode { device, cause, begin: now, end: None, detection: None, suspected: None });
                }
                _ => {}
            }
            usable = state.is_ok();
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
        }
        self.output.pass(span, usable, &mut verdict.accuracy);
        let own = self.socket.as_ref().and_then(|socket| Some((socket.server, *socket.path.as_ref()?.last()?)));
        let zombies = self.held.iter().filter(|session| Some(**session) != own).count();
        verdict.zombie_time += span * zombies as u32;
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
        let Change::Device(event) = change else { return };
        match event {
            DeviceEvent::Connected { .. } | DeviceEvent::Trust => self.output.trust(now, accuracy),
            DeviceEvent::GivenUp { reason: GiveUp::Done, .. } => {}
            DeviceEvent::Suspect | DeviceEvent::GivenUp { .. } | DeviceEvent::Lost { .. } => {
                self.output.suspect(now, usable, accuracy);
            }
            _ => {}
        }
    }

    /// Whether something real keeps the device from an exchange. Without a session it is anything that might.
    fn is_broken(&self, state: Result<(), Option<Cause>>) -> bool {
        match state {
            Ok(()) => false,
            Err(Some(_)) => true,
            Err(None) => self.cuts_up + self.cuts_down > 0 || self.faults.values().any(|count| *count > 0),
        }
    }

    /// Whether the device has a usable session; if it has one that is not, why.
    fn state(&self) -> Result<(), Option<Cause>> {
        let socket = self.socket.as_ref().filter(|socket| socket.connected).ok_or(None)?;
        let fault = self.faults.iter().find(|((server, _), count)| *server == socket.server && **count > 0);
        if let Some(((_, cause), _)) = fault {
            return Err(Some(*cause));
        }
        match (self.cuts_up > 0, self.cuts_down > 0) {
            (true, true) => return Err(Some(Cause::Cut)),
            (true, false) => return Err(Some(Cause::CutUp)),
            (false, true) => return Err(Some(Cause::CutDown)),
            (false, false) => {}
        }
        self.state_of_path(socket)
    }

    /// Whether the session's path still leads from the device to a session that the server holds.
    fn state_of_path(&self, socket: &Socket) -> Result<(), Option<Cause>> {
        let path = socket.path.as_ref().ok_or(None)?;
        let (mut ended_by, mut reset_by) = (None, None);
        let mut inside = socket.port;
        for ((nat, outside), class) in (0..).zip(path).zip(&self.classes) {
            let mapping = &self.mappings[&(nat, inside, socket.server)];
            // A mapping that was someone else's meanwhile has ended out of sight, but then one in front of it has not.
            ended_by = mapping.ended_by.or(ended_by);
            if mapping.outside != *outside || !(mapping.exists || class.is_same_port()) {
                return Err(Some(ended_by.expect("a mapping changes when it has ended")));
            }
            // A NAT that answers the server for a connection it has forgotten ends the server's session.
            if !mapping.exists && class.resets_outside() {
                reset_by = reset_by.or(mapping.ended_by);
            }
            inside = *outside;
        }
        if self.held.contains(&(socket.server, inside)) {
            return Ok(());
        }
        let drains = self.drains.get(&socket.server).is_some_and(|count| *count > 0);
        let closed_by = if drains { Cause::ServerDrain } else { Cause::ServerClosed };
        Err(Some(reset_by.unwrap_or(closed_by)))
    }

    /// Notes the path of an attempt once every NAT has a mapping for it.
    fn find_path(&mut self) {
        if let Some(socket) = self.socket.as_mut().filter(|socket| socket.path.is_none()) {
            let mut inside = socket.port;
            let step = |nat| {
                let mapping = self.mappings.get(&(nat, inside, socket.server)).filter(|mapping| mapping.exists)?;
                inside = mapping.outside;
                Some(inside)
            };
            socket.path = (0..self.classes.len() as u32).map(step).collect();
        }
    }

    /// Applies a change; returns by which mechanism the device left its session, if it did.
    fn apply(&mut self, change: Change) -> Option<DetectedBy> {
        match change {
            Change::Device(event) => return self.apply_device(event),
            Change::Nat { mapping, event } => self.apply_nat(mapping, event),
            Change::SessionOpened { server, outside } => {
                self.held.insert((server, outside));
            }
            Change::SessionClosed { server, outside } => {
                self.held.remove(&(server, outside));
            }
            Change::Fault { server, cause, begins } => {
                let count = self.faults.entry((server, cause)).or_default();
                *count = if begins { *count + 1 } else { *count - 1 };
            }
            Change::Drain { server, begins } => {
                let count = self.drains.entry(server).or_default();
                *count = if begins { *count + 1 } else { *count - 1 };
            }
            Change::Cut { up, begins } => {
                let count = if up { &mut self.cuts_up } else { &mut self.cuts_down };
                *count = if begins { *count + 1 } else { *count - 1 };
            }
        }
        None
    }

    fn apply_device(&mut self, event: DeviceEvent) -> Option<DetectedBy> {
        match event {
            DeviceEvent::AttemptStarted { port, server } => {
                self.socket = Some(Socket { port, server, connected: false, path: None });
            }
            DeviceEvent::Connected { .. } => {
                self.socket.as_mut().expect("a device connects after it has attempted to").connected = true;
            }
            DeviceEvent::AttemptFailed(_) | DeviceEvent::GivenUp { reason: GiveUp::Done, .. } => self.socket = None,
            DeviceEvent::GivenUp { reason, .. } => {
                self.socket = None;
                return Some(DetectedBy::Heartbeat(reason));
            }
            DeviceEvent::Lost { reason, .. } => {
                self.socket = None;
                return Some(DetectedBy::Transport(reason));
            }
            _ => {}
        }
        None
    }

    fn apply_nat(&mut self, key: Key, event: NatEvent) {
        let ended_by = match event {
            NatEvent::Created { outside } => {
                let mapping = self.mappings.entry(key).or_insert(Mapping { outside, exists: true, ended_by: None });
                (mapping.outside, mapping.exists) = (outside, true);
                return;
            }
            NatEvent::Expired => Cause::NatExpiry,
            NatEvent::Flushed => Cause::NatFlush,
            NatEvent::Evicted => Cause::NatEvicted,
        };
        if let Some(mapping) = self.mappings.get_mut(&key) {
            (mapping.exists, mapping.ended_by) = (false, Some(ended_by));
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
        let attempt = Change::Device(DeviceEvent::AttemptStarted { port, server });
        let connected = Change::Device(DeviceEvent::Connected { port, server });
        let given_up = DeviceEvent::GivenUp { port, reason: GiveUp::NoReply };
        let changes = [
            (10, attempt),
            (10, Change::Nat { mapping: (0, port, server), event: NatEvent::Created { outside } }),
            (11, Change::SessionOpened { server, outside }),
            (11, connected),
            (20, Change::Device(given_up)),
            (21, Change::SessionClosed { server, outside }),
            (30, attempt),
            (31, Change::SessionOpened { server, outside }),
            (31, connected),
            (40, Change::Nat { mapping: (0, port, server), event: NatEvent::Expired }),
        ];
        let changes = changes.map(|(secs, change)| (Time::from_secs(secs), change));
        let mut verdict = Verdict::default();
        Judge::new(0, vec![NatClass::DropSilent]).judge(&changes, Time::from_secs(50), &mut verdict);
        assert_eq!(verdict.usable_time, Duration::from_secs(9 + 9));
        assert_eq!(verdict.zombie_time, Duration::from_secs(1));
        assert_eq!(verdict.false_alarms.len(), 1);
        let [episode] = verdict.episodes[..] else { panic!("the expiry is an episode: {:?}", verdict.episodes) };
        assert_eq!((episode.cause, episode.begin), (Cause::NatExpiry, Time::from_secs(40)));
    }
}
