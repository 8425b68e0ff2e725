//! The truth: when a device really had a usable session, computed after the run from the facts that the nodes recorded
//! and from the fault schedule. No policy sees any of it.
//!
//! A session is usable at t when an exchange begun at t could complete: the path is up both ways, the NAT's mapping is
//! the one the server knows (or comes back on the same port), the server's process is up and not stalled, and both ends
//! hold the connection. Chance losses are not breaks.
//!
//! An episode begins when a usable session stops being usable, and ends when the device has a usable session again. A
//! usable session that the device leaves is a false alarm.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cardiogram_policies::Time;

use crate::{
    accuracy::Output,
    config::{NatClass, WorldConfig},
    link_faults::Cuts,
    outcome::{Accuracy, Cause, DetectedBy, Detection, Episode, FalseAlarm},
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
    schedule: &Schedule,
    facts: impl Iterator<Item = &'a [(Time, Fact)]>,
) -> Verdict {
    let mut of_device: Vec<Vec<(Time, Change)>> = vec![Vec::new(); config.devices.count as usize];
    for (at, fact) in facts.flatten() {
        if let Some((device, change)) = Change::of(*fact) {
            of_device[device as usize].push((*at, change));
        }
    }
    let common = common_changes(schedule);
    let mut verdict = Verdict::default();
    for (device, mut changes) in of_device.into_iter().enumerate() {
        changes.extend(&common);
        changes.extend(cut_changes(&schedule.access[device]));
        // Stable: facts of one moment stay in the order of their nodes.
        changes.sort_by_key(|(at, _)| *at);
        let same_port = config.nat.after_expiry == NatClass::RemapSamePort;
        Judge::new(device as u32, same_port).judge(&changes, Time::ZERO + config.duration, &mut verdict);
    }
    verdict
}

/// A change of anything that decides whether a device's session is usable.
#[derive(Clone, Copy)]
enum Change {
    Device(DeviceEvent),
    Nat { port: u16, event: NatEvent },
    SessionOpened { server: u32, outside: u16 },
    SessionClosed { server: u32, outside: u16 },
    Fault { server: u32, cause: Cause, begins: bool },
    Drain { server: u32, begins: bool },
    Cut { up: bool, begins: bool },
}

impl Change {
    /// The change in a fact, and whose it is; faults come from the schedule.
    fn of(fact: Fact) -> Option<(u32, Self)> {
        match fact {
            Fact::Device { device, event } => Some((device, Self::Device(event))),
            Fact::Nat { device, port, event } => Some((device, Self::Nat { port, event })),
            Fact::Server { server, event } => match event {
                ServerEvent::SessionOpened { device, outside } => {
                    Some((device, Self::SessionOpened { server, outside }))
                }
                ServerEvent::SessionClosed { device, outside } => {
                    Some((device, Self::SessionClosed { server, outside }))
                }
                ServerEvent::Reaped { .. } | ServerEvent::FaultBegan(_) | ServerEvent::FaultEnded(_) => None,
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
    same_port: bool,
    cuts_up: u32,
    cuts_down: u32,
    /// Faults under way, by (server, cause), with their number.
    faults: BTreeMap<(u32, Cause), u32>,
    /// Drains under way, by server, with their number: sessions live on until their turn has come.
    drains: BTreeMap<u32, u32>,
    /// The socket of the attempt or session under way.
    socket: Option<Socket>,
    /// Mappings by the device's port.
    mappings: BTreeMap<u16, Mapping>,
    /// Sessions the servers hold for the device, by server and the port they see.
    held: BTreeSet<(u32, u16)>,
    episode: Option<Episode>,
    false_alarm: Option<FalseAlarm>,
    /// What the device's detector says.
    output: Output,
}

#[derive(Clone, Copy)]
struct Socket {
    port: u16,
    server: u32,
    connected: bool,
}

struct Mapping {
    /// The outside port that the server got to know.
    first: u16,
    /// The outside port now, or what ended the mapping.
    now: Result<u16, Cause>,
    /// What ended it last.
    ended_by: Cause,
}

impl Judge {
    fn new(device: u32, same_port: bool) -> Self {
        Self {
            device,
            same_port,
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
        let own = self.socket.and_then(|socket| Some((socket.server, self.mappings.get(&socket.port)?.first)));
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
        let socket = self.socket.filter(|socket| socket.connected).ok_or(None)?;
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
        let mapping = self.mappings.get(&socket.port).expect("a connection goes through the NAT");
        match mapping.now {
            Ok(outside) if outside != mapping.first => return Err(Some(mapping.ended_by)),
            Err(cause) if !self.same_port => return Err(Some(cause)),
            _ => {}
        }
        let drains = self.drains.get(&socket.server).is_some_and(|count| *count > 0);
        match self.held.contains(&(socket.server, mapping.first)) {
            true => Ok(()),
            false if drains => Err(Some(Cause::ServerDrain)),
            false => Err(Some(Cause::ServerClosed)),
        }
    }

    /// Applies a change; returns by which mechanism the device left its session, if it did.
    fn apply(&mut self, change: Change) -> Option<DetectedBy> {
        match change {
            Change::Device(event) => return self.apply_device(event),
            Change::Nat { port, event } => self.apply_nat(port, event),
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
                // A port that is used again may find its old mapping alive, which then is the one that the server sees.
                match self.mappings.get_mut(&port) {
                    Some(Mapping { first, now: Ok(outside), .. }) => *first = *outside,
                    _ => drop(self.mappings.remove(&port)),
                }
                self.socket = Some(Socket { port, server, connected: false });
            }
            DeviceEvent::Connected { .. } => {
                self.socket.as_mut().expect("a device connects after it has attempted to").connected = true;
            }
            DeviceEvent::AttemptFailed(_) => self.socket = None,
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

    fn apply_nat(&mut self, port: u16, event: NatEvent) {
        let ended = |cause| move |mapping: &mut Mapping| (mapping.now, mapping.ended_by) = (Err(cause), cause);
        match event {
            NatEvent::Created { outside } => {
                let fresh = Mapping { first: outside, now: Ok(outside), ended_by: Cause::NatExpiry };
                self.mappings.entry(port).and_modify(|mapping| mapping.now = Ok(outside)).or_insert(fresh);
            }
            NatEvent::Expired => {
                self.mappings.entry(port).and_modify(ended(Cause::NatExpiry));
            }
            NatEvent::Flushed => {
                self.mappings.entry(port).and_modify(ended(Cause::NatFlush));
            }
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
        let given_up = DeviceEvent::GivenUp { port, reason: cardiogram_policies::GiveUp::NoReply };
        let changes = [
            (10, attempt),
            (10, Change::Nat { port, event: NatEvent::Created { outside } }),
            (11, Change::SessionOpened { server, outside }),
            (11, connected),
            (20, Change::Device(given_up)),
            (21, Change::SessionClosed { server, outside }),
            (30, attempt),
            (31, Change::SessionOpened { server, outside }),
            (31, connected),
            (40, Change::Nat { port, event: NatEvent::Expired }),
        ];
        let changes = changes.map(|(secs, change)| (Time::from_secs(secs), change));
        let mut verdict = Verdict::default();
        Judge::new(0, false).judge(&changes, Time::from_secs(50), &mut verdict);
        assert_eq!(verdict.usable_time, Duration::from_secs(9 + 9));
        assert_eq!(verdict.zombie_time, Duration::from_secs(1));
        assert_eq!(verdict.false_alarms.len(), 1);
        let [episode] = verdict.episodes[..] else { panic!("the expiry is an episode: {:?}", verdict.episodes) };
        assert_eq!((episode.cause, episode.begin), (Cause::NatExpiry, Time::from_secs(40)));
    }
}
