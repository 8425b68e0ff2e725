//! Policies that do what they promise, each with a switch for one well-known mistake: for the tests of the checks.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{
    Action, AttemptFailure, AttemptLimit, Bounds, CloseReason, Custom, CustomHeartbeat, CustomReconnect, CustomServer,
    Event, GiveUp, Heartbeat, HeartbeatSpec, PolicyRng, Promises, Reconnect, ReconnectAction, ReconnectEvent,
    ReconnectSpec, Registry, ServerAction, ServerChoice, ServerPolicy, ServerSpec, SessionEvent, SessionId,
    StrategySpec, Time, preset, random,
};
use cardiogram_scenarios::load;
use serde::{Deserialize, Serialize};

/// Returns what finds the policies of this file in strategy files.
pub fn registry() -> Registry {
    Registry::new().heartbeat::<Beating>("beating").reconnect::<Waiting>("waiting").server::<Reaping>("reaping")
}

/// Returns a strategy of the three, with their mistakes.
pub fn strategy(beat: BeatBug, wait: WaitBug, reap: ReapBug) -> StrategySpec {
    let mut spec = preset::find("none").unwrap().spec();
    spec.name = "faulty".into();
    spec.heartbeat = HeartbeatSpec::Custom(Custom::<dyn CustomHeartbeat>::new("beating", Beating { bug: beat }));
    spec.reconnect = ReconnectSpec::Custom(Custom::<dyn CustomReconnect>::new("waiting", Waiting { bug: wait }));
    let reaping = Custom::<dyn CustomServer>::new("reaping", Reaping { bug: reap });
    spec.server = ServerSpec { custom: Some(reaping), ..ServerSpec::default() };
    spec
}

/// One that keeps everything.
pub fn correct() -> StrategySpec {
    strategy(BeatBug::None, WaitBug::None, ReapBug::None)
}

/// One with a mistake in its heartbeat.
pub fn beats(bug: BeatBug) -> StrategySpec {
    strategy(bug, WaitBug::None, ReapBug::None)
}

/// One with a mistake in its waits.
pub fn waits(bug: WaitBug) -> StrategySpec {
    strategy(BeatBug::None, bug, ReapBug::None)
}

/// One with a mistake in its server.
pub fn reaps(bug: ReapBug) -> StrategySpec {
    strategy(BeatBug::None, WaitBug::None, bug)
}

/// Returns a strategy from its text.
pub fn from_text(text: &str) -> StrategySpec {
    load::parse_strategy("test", text, &registry()).unwrap_or_else(|invalid| panic!("{}", invalid.render(false)))
}

/// A mistake of a heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BeatBug {
    /// None.
    #[default]
    None,
    /// It takes one more unanswered beat than it should.
    MissesOffByOne,
    /// The time for a reply begins with the last thing that was received, not with the beat.
    TimeoutFromReceive,
    /// Beats stray to one side: up to half an interval late.
    BiasedPhase,
    /// The first beat of a connection comes after twice the interval.
    FirstBeatLate,
    /// What arrives puts the next beat off.
    RefreshOnInboundOnly,
    /// A reply is followed by another beat after half the interval.
    TwiceAsOften,
}

/// A beat every 30 s, dead after one that got no reply within 10 s.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Beating {
    bug: BeatBug,
}

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
const MISSES: u32 = 1;

impl CustomHeartbeat for Beating {
    fn build(&self, rng: PolicyRng) -> Box<dyn Heartbeat> {
        Box::new(Beat { bug: self.bug, rng, connection: None })
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        Promises::default()
            .with_detects_within(bounds.steady_host.then_some(MISSES * INTERVAL + TIMEOUT))
            .with_heartbeats_per_hour(121)
            .with_no_false_alarm(bounds.loss_free && bounds.rtt_max <= TIMEOUT)
    }

    fn longest_gap(&self) -> Option<Duration> {
        Some(INTERVAL)
    }

    fn describe(&self) -> String {
        format!("Beats every 30 s; {:?}.", self.bug)
    }
}

struct Beat {
    bug: BeatBug,
    rng: PolicyRng,
    connection: Option<Connection>,
}

struct Connection {
    next_beat: Time,
    next_id: u32,
    received: Time,
    /// The beat that waits for its reply, and until when.
    awaited: Option<(u32, Time)>,
    missed: u32,
}

impl Connection {
    fn due(&self, bug: BeatBug) -> Option<Time> {
        let (_, due) = self.awaited?;
        Some(if bug == BeatBug::TimeoutFromReceive { self.received + TIMEOUT } else { due })
    }
}

impl Heartbeat for Beat {
    fn on_event(&mut self, now: Time, event: &Event) {
        if let Event::Connected { .. } = event {
            let first = if self.bug == BeatBug::FirstBeatLate { 2 * INTERVAL } else { INTERVAL };
            let next_beat = now + first;
            self.connection = Some(Connection { next_beat, next_id: 0, received: now, awaited: None, missed: 0 });
        }
        let Some(connection) = &mut self.connection else { return };
        if event.is_reception() {
            connection.received = now;
            if self.bug == BeatBug::RefreshOnInboundOnly {
                connection.next_beat = now + INTERVAL;
            }
        }
        match event {
            Event::Lost(_) => self.connection = None,
            Event::HeartbeatReply { id, .. } => {
                connection.awaited.take_if(|(awaited, _)| awaited == id);
                connection.missed = 0;
                if self.bug == BeatBug::TwiceAsOften {
                    connection.next_beat = now + INTERVAL / 2;
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        let (bug, rng) = (self.bug, &mut self.rng);
        let connection = self.connection.as_mut()?;
        if connection.due(bug).is_some_and(|due| due <= now) {
            (connection.awaited, connection.missed) = (None, connection.missed + 1);
            if connection.missed >= MISSES + u32::from(bug == BeatBug::MissesOffByOne) {
                self.connection = None;
                return Some(Action::GiveUp(GiveUp::NoReply));
            }
        }
        if connection.next_beat <= now {
            let id = connection.next_id;
            let stray = if bug == BeatBug::BiasedPhase {
                random::between(&mut **rng, Duration::ZERO, INTERVAL / 2)
            } else {
                Duration::ZERO
            };
            (connection.next_id, connection.next_beat) = (id + 1, now + INTERVAL + stray);
            connection.awaited = Some((id, now + TIMEOUT));
            return Some(Action::SendHeartbeat { id });
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        let connection = self.connection.as_ref()?;
        Some(connection.due(self.bug).map_or(connection.next_beat, |due| due.min(connection.next_beat)))
    }
}

/// A mistake of a reconnect policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitBug {
    /// None.
    #[default]
    None,
    /// Every welcome begins the waits anew, however soon the session ends.
    ResetAtOnce,
    /// Waits are the same for all.
    NoJitter,
    /// The longest waits are the same for all.
    NoJitterAtCap,
    /// It does not come back after a loss.
    NeverAgain,
    /// A tenth of a second, for ever.
    Hammers,
}

/// Waits of 32 s, 64 s and 128 s, each shortened by up to a half; a session of 10 s begins them anew.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Waiting {
    bug: WaitBug,
}

const BASE: Duration = Duration::from_secs(32);
const CAP: Duration = Duration::from_secs(128);
const HEALTHY: Duration = Duration::from_secs(10);

impl CustomReconnect for Waiting {
    fn build(&self, rng: PolicyRng) -> Box<dyn Reconnect> {
        Box::new(Wait { bug: self.bug, rng, nominal: BASE, connected: None, failed: false, lost: false, due: None })
    }

    fn promises(&self, bounds: &Bounds, connect_timeout: Duration) -> Promises {
        let certain = bounds.loss_free && bounds.steady_host && bounds.handshake_max <= connect_timeout;
        Promises::default()
            .with_attempts(bounds.steady_host.then_some(AttemptLimit { count: 1, window: BASE / 2 }))
            .with_reconnects_within(certain.then(|| (connect_timeout + CAP) * bounds.servers + bounds.handshake_max))
    }

    fn describe(&self) -> String {
        format!("Waits 32 s to 128 s; {:?}.", self.bug)
    }
}

struct Wait {
    bug: WaitBug,
    rng: PolicyRng,
    nominal: Duration,
    connected: Option<Time>,
    failed: bool,
    lost: bool,
    due: Option<Time>,
}

impl Reconnect for Wait {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => (self.failed, self.due) = (false, None),
            ReconnectEvent::Connected => {
                self.connected = Some(now);
                if self.bug == WaitBug::ResetAtOnce {
                    self.nominal = BASE / 32;
                }
            }
            ReconnectEvent::AttemptFailed(AttemptFailure::NoNetwork) => {}
            ReconnectEvent::AttemptFailed(_) => self.failed = true,
            ReconnectEvent::Lost(_) => {
                self.lost = true;
                if self.connected.is_some_and(|connected| now.since(connected) >= HEALTHY) {
                    self.nominal = BASE;
                }
            }
            _ => {}
        }
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        if self.bug == WaitBug::NeverAgain && self.lost {
            return ReconnectAction::Stop;
        }
        let due = *self.due.get_or_insert_with(|| {
            let nominal = self.nominal;
            self.nominal = (2 * nominal).min(CAP);
            let is_bare = self.bug == WaitBug::NoJitter || (self.bug == WaitBug::NoJitterAtCap && nominal == CAP);
            now + match self.bug {
                WaitBug::Hammers => Duration::from_millis(100),
                _ if is_bare => nominal,
                _ => random::between(&mut *self.rng, nominal / 2, nominal),
            }
        });
        let server = if self.failed { ServerChoice::Next } else { ServerChoice::Same };
        ReconnectAction::TryAfter { wait: due.since(now), server, timeout: None }
    }
}

/// A mistake of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReapBug {
    /// None.
    #[default]
    None,
    /// It looks at no session.
    Forgets,
    /// It counts from a session's begin, whatever it hears.
    CountsFromBegin,
}

/// Closes a session of which nothing was heard for 90 s.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reaping {
    bug: ReapBug,
}

const IDLE: Duration = Duration::from_secs(90);

impl CustomServer for Reaping {
    fn build(&self) -> Box<dyn ServerPolicy> {
        Box::new(Reap { bug: self.bug, heard: BTreeMap::new() })
    }

    fn reaps_within(&self, bounds: &Bounds) -> Option<Duration> {
        Some(IDLE + bounds.rtt_max)
    }

    fn describe(&self) -> String {
        format!("Closes who is silent for 90 s; {:?}.", self.bug)
    }
}

struct Reap {
    bug: ReapBug,
    heard: BTreeMap<SessionId, Time>,
}

impl ServerPolicy for Reap {
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent) {
        match event {
            SessionEvent::Closed => _ = self.heard.remove(&session),
            SessionEvent::DataSent | SessionEvent::FrameSent | SessionEvent::Directed { .. } => {}
            _ if self.bug == ReapBug::Forgets => {}
            _ if self.bug == ReapBug::CountsFromBegin => _ = self.heard.entry(session).or_insert(now),
            _ => _ = self.heard.insert(session, now),
        }
    }

    fn poll(&mut self, now: Time) -> Option<ServerAction> {
        let session = *self.heard.iter().find(|(_, heard)| **heard + IDLE <= now)?.0;
        self.heard.remove(&session);
        Some(ServerAction::Close { session, reason: CloseReason::Silence })
    }

    fn deadline(&self) -> Option<Time> {
        self.heard.values().min().map(|heard| *heard + IDLE)
    }
}
