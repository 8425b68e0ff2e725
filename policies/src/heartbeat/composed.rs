//! A heartbeat put together from parts: a schedule, its judges, and what modifies them. Most real products are one of these
//! compositions; a policy that is a machine of its own has a file of its own.

mod describe;
mod problems;
mod promises;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Action, AppState, Event, GiveUp, Heartbeat, Judges, Leave, LossReason, Pace, ScheduleSpec, TcpKeepalive,
    judge::{Judge, Opinion},
    leave::Leaver,
    pace::Pacer,
    schedule::Schedule,
    search::{Prober, Search, Searcher, TestOn},
};
use crate::{Mechanism, Need, PolicyRng, Time, unit::Span};

/// A schedule and its judges, modified. Only the schedule has to be named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Composed {
    /// Says when beats are due.
    pub schedule: ScheduleSpec,
    /// When the connection is dead. Default: never by this policy's word.
    #[serde(default)]
    pub judge: Judges,
    /// Other intervals for some situations. Default: none.
    #[serde(default)]
    pub pace: Pace,
    /// Finds the interval by itself. Default: the schedule's own is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Whether a beat is answered. One that is not refreshes the path and shows the peer that this side lives, and proves
    /// nothing (`SignalR`, AMQP, NAT-T). Default true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub answered: bool,
    /// What makes a beat due at once, besides the schedule. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beat_on: Vec<Occasion>,
    /// At most this many beats until data was sent (gRPC: 2). Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_without_data: Option<u32>,
    /// After those there is still a beat each so long (gRPC's core since 1.6x: one a minute). Default: none until data was
    /// sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_without_data: Option<Span>,
    /// `TCP_USER_TIMEOUT`: the kernel ends the connection once what was written, a beat included, has been unacknowledged
    /// for so long. A path that is dead is told from a peer that hangs, whose kernel still acknowledges (gRPC's core).
    /// Default: not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_timeout: Option<Span>,
    /// The kernel's keepalive beside the application's beats. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<TcpKeepalive>,
    /// What is done with a connection found dead. Default `give-up`.
    #[serde(default, skip_serializing_if = "is_give_up")]
    pub when_dead: WhenDead,
    /// A connection found dead is closed by a handshake, and given up when the peer answers that or so long has passed
    /// (websockets for Python: 10 s). Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_timeout: Option<Span>,
    /// When the connection is left on purpose. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
}

/// What makes a beat due at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// The connection is established (`SignalR`: a ping right after the handshake).
    Connected,
    /// The peer's ping asks for one (Discord's heartbeat request).
    Request,
    /// The application comes to the screen (`WeChat`).
    Foreground,
    /// The device moves to another network and the connection stays.
    NetworkChange,
}

/// What is done with a connection that a judge has found dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WhenDead {
    /// The connection is given up.
    #[default]
    GiveUp,
    /// The transport is asked first whether it has heard anything since the unanswered beat was sent. If so the service is
    /// dead and another server the better choice; if not, it is the network (`[yuan]` and its comments).
    Diagnose,
    /// Another connection is opened beside it, and whichever answers first is kept (gRPC's proposal A8). If none does within
    /// one more patience, it is given up.
    Race,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it by reference")]
fn is_true(answered: &bool) -> bool {
    *answered
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it by reference")]
fn is_give_up(when_dead: &WhenDead) -> bool {
    *when_dead == WhenDead::GiveUp
}

impl Composed {
    /// Returns the schedule alone, without judges and modifiers.
    pub fn new(schedule: ScheduleSpec) -> Self {
        Self {
            schedule,
            judge: Judges::default(),
            pace: Pace::default(),
            search: None,
            answered: true,
            beat_on: Vec::new(),
            most_without_data: None,
            throttled_without_data: None,
            user_timeout: None,
            keepalive: None,
            when_dead: WhenDead::GiveUp,
            close_timeout: None,
            leave: None,
        }
    }

    /// Returns what it asks of its host beyond reading, writing and a timer; `path` makes a key's path.
    pub(super) fn needs(&self, path: impl Fn(&str) -> String) -> Vec<Need> {
        let own_timeout = self.keepalive.as_ref().is_some_and(|keepalive| keepalive.user_timeout.is_some());
        let timeout_key = if self.user_timeout.is_some() { "user_timeout" } else { "keepalive.user_timeout" };
        let probes = self.search.as_ref().is_some_and(|search| search.on == TestOn::Probe);
        let uses = [
            (self.keepalive.is_some(), Mechanism::Keepalive, "keepalive"),
            (self.user_timeout.is_some() || own_timeout, Mechanism::UserTimeout, timeout_key),
            (self.when_dead == WhenDead::Diagnose, Mechanism::LastHeard, "when_dead"),
            (self.when_dead == WhenDead::Race, Mechanism::Race, "when_dead"),
            (probes, Mechanism::Probe, "search.on"),
        ];
        uses.into_iter()
            .filter(|(is_used, ..)| *is_used)
            .map(|(_, mechanism, key)| Need::new(mechanism, path(key)))
            .collect()
    }
}

/// [`Composed`] at work.
pub(super) struct ComposedHeartbeat {
    schedule: Box<dyn Schedule>,
    judges: Vec<Box<dyn Judge>>,
    // What few have stands elsewhere: a host may have many connections.
    pacer: Option<Box<Pacer>>,
    leaver: Option<Box<Leaver>>,
    searcher: Option<Box<Searcher>>,
    prober: Option<Box<Prober>>,
    /// The schedule's own interval.
    interval: Option<Duration>,
    answered: bool,
    beat_on: Vec<Occasion>,
    most_without_data: Option<u32>,
    throttled_without_data: Option<Duration>,
    user_timeout: Option<Duration>,
    keepalive: Option<Box<TcpKeepalive>>,
    when_dead: WhenDead,
    close_timeout: Option<Duration>,
    connection: Option<Connection>,
}

/// What is known of the present connection; gone once it is lost or given up.
struct Connection {
    next_id: u32,
    /// When the last beat that wants an answer was sent.
    last_beat: Time,
    /// When the last beat of any kind was sent.
    last_sent: Time,
    /// What the host was told last.
    suspected: bool,
    /// Options of the socket that the host has yet to be told.
    options: Options,
    /// A beat is due whatever the schedule says.
    asked: bool,
    /// Beats since data was last sent.
    without_data: u32,
    /// The last bytes written are a beat's own.
    own_bytes: bool,
    /// When anything was last sent or received.
    last_traffic: Time,
    /// The beat that tests an interval, with the idle time before it.
    test: Option<(u32, Duration)>,
    stage: Stage,
}

/// What the kernel has yet to be told of a connection.
struct Options {
    keepalive: bool,
    user_timeout: bool,
}

/// How far the end of a connection has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Alive,
    /// Found dead, for this reason; the transport has been asked.
    Asked,
    /// The transport has answered.
    Diagnosed(GiveUp),
    /// Another connection is being opened.
    Racing,
    /// Found dead, for this reason; the closing handshake is over at this time at the latest.
    Closing(GiveUp, Time),
}

impl ComposedHeartbeat {
    pub(super) fn new(spec: Composed, mut rng: PolicyRng) -> Self {
        let seed = if spec.judge.draws() { rng.next_u64() } else { 0 };
        let leave_seed = if spec.leave.as_ref().is_some_and(Leave::draws) { rng.next_u64() } else { 0 };
        let own_timeout = spec.keepalive.as_ref().and_then(|keepalive| keepalive.user_timeout);
        Self {
            schedule: spec.schedule.build(rng),
            judges: spec.judge.build(spec.schedule.interval(), seed),
            pacer: (spec.pace != Pace::default()).then(|| Box::new(Pacer::new(&spec.pace))),
            leaver: spec.leave.as_ref().map(|leave| Box::new(Leaver::new(leave, leave_seed))),
            searcher: spec.search.as_ref().map(|search| Box::new(Searcher::new(search))),
            prober: spec.search.as_ref().filter(|search| search.on == TestOn::Probe).map(|search| {
                let reply = spec.judge.reply.as_ref().expect("checked: probes are judged by their replies");
                Box::new(Prober::new(reply.timeout.longest().get(), search.confirm))
            }),
            interval: spec.schedule.interval(),
            answered: spec.answered,
            beat_on: spec.beat_on,
            most_without_data: spec.most_without_data,
            throttled_without_data: spec.throttled_without_data.map(Span::get),
            user_timeout: spec.user_timeout.or(own_timeout).map(Span::get),
            keepalive: spec.keepalive.map(Box::new),
            when_dead: spec.when_dead,
            close_timeout: spec.close_timeout.map(Span::get),
            connection: None,
        }
    }

    fn connected(&mut self, now: Time) {
        self.connection = Some(Connection {
            next_id: 0,
            last_beat: now,
            last_sent: now,
            suspected: false,
            options: Options { keepalive: self.keepalive.is_some(), user_timeout: self.user_timeout.is_some() },
            asked: self.beat_on.contains(&Occasion::Connected),
            without_data: 0,
            own_bytes: false,
            last_traffic: now,
            test: None,
            stage: Stage::Alive,
        });
        self.schedule.connected(now);
        self.judges.iter_mut().for_each(|judge| judge.connected(now));
        if let Some(leaver) = &mut self.leaver {
            leaver.connected(now);
        }
    }

    /// Hands the schedule the interval that is in force.
    fn set_interval(&mut self) {
        if let Some(own) = self.interval {
            let found = self.searcher.as_ref().and_then(|searcher| searcher.interval());
            let own = found.unwrap_or(own);
            self.schedule.set_interval(self.pacer.as_ref().map_or(own, |pacer| pacer.interval(own)));
        }
    }

    /// Lets the search learn from what happened.
    fn learn(&mut self, now: Time, event: &Event) {
        let Some(searcher) = &mut self.searcher else { return };
        match *event {
            Event::HeartbeatReply { id, .. } => {
                let test = self.connection.as_mut().and_then(|it| it.test.take_if(|(tested, _)| *tested == id));
                if let Some((_, gap)) = test {
                    searcher.beat_answered(now, gap);
                }
            }
            // The network is gone, which says nothing of its timeouts.
            Event::Lost(LossReason::Aborted) => {}
            Event::Lost(_) => {
                if let Some(connection) = &mut self.connection {
                    let gap = connection.test.take().map(|(_, gap)| gap);
                    searcher.session_lost(now, gap);
                }
            }
            _ => {}
        }
        searcher.on_event(now, event);
        if let Some(prober) = &mut self.prober {
            prober.on_event(now, event, searcher);
        }
    }

    /// A judge has condemned the connection: the beat that waits has failed.
    fn test_failed(&mut self, now: Time) {
        let Some(connection) = &mut self.connection else { return };
        if let (Some((_, gap)), Some(searcher)) = (connection.test.take(), &mut self.searcher) {
            searcher.session_lost(now, Some(gap));
        }
    }

    /// Returns when the next beat is due.
    fn next_beat(&self, connection: &Connection) -> Option<Time> {
        let is_held_back = self.most_without_data.is_some_and(|most| connection.without_data >= most);
        // One beat is out at a time: a beat that was sent before its time may still wait when the next one is due.
        let free = self.judges.iter().filter_map(|judge| judge.settles()).max().unwrap_or(Time::ZERO);
        let next = self.schedule.next_beat(free)?;
        match self.throttled_without_data {
            _ if !is_held_back => Some(next),
            None => None,
            Some(apart) => Some(next.max(connection.last_sent + apart)),
        }
    }

    /// Returns the host carries out what it is told of a connection found dead.
    fn end(&mut self, now: Time, reason: GiveUp) -> Option<Action> {
        let connection = self.connection.as_mut().expect("only a connection is found dead");
        match (self.when_dead, connection.stage) {
            (WhenDead::Diagnose, Stage::Alive) => {
                connection.stage = Stage::Asked;
                Some(Action::AskTransport)
            }
            (WhenDead::Race, Stage::Alive) => {
                connection.stage = Stage::Racing;
                self.judges.iter_mut().for_each(|judge| judge.pardon(now));
                Some(Action::Race)
            }
            (WhenDead::GiveUp, Stage::Alive) if let Some(timeout) = self.close_timeout => {
                connection.stage = Stage::Closing(reason, now + timeout);
                None
            }
            // The answer comes before anything else does.
            (WhenDead::Diagnose, Stage::Asked) => None,
            (_, stage) => {
                self.connection = None;
                if let (Some(prober), Some(searcher)) = (&mut self.prober, &mut self.searcher) {
                    prober.session_ended(now, searcher);
                }
                Some(Action::GiveUp(if let Stage::Diagnosed(reason) = stage { reason } else { reason }))
            }
        }
    }

    fn beat(&mut self, now: Time) -> Action {
        let connection = self.connection.as_mut().expect("only a connection is kept alive");
        (connection.asked, connection.own_bytes) = (false, true);
        connection.without_data += 1;
        connection.last_sent = now;
        if let Some(leaver) = &mut self.leaver {
            leaver.sent();
        }
        if !self.answered {
            self.schedule.sent(now, now);
            return Action::SendNotice;
        }
        let id = connection.next_id;
        connection.next_id = id.wrapping_add(1);
        connection.last_beat = now;
        connection.test = Some((id, now.since(connection.last_traffic)));
        self.judges.iter_mut().for_each(|judge| judge.sent(now, id));
        let settled = self.judges.iter().filter_map(|judge| judge.settles()).max();
        self.schedule.sent(now, settled.unwrap_or(now));
        Action::SendHeartbeat { id }
    }
}

impl Heartbeat for ComposedHeartbeat {
    fn on_event(&mut self, now: Time, event: &Event) {
        if let Some(pacer) = &mut self.pacer {
            pacer.on_event(event);
        }
        self.learn(now, event);
        match event {
            Event::Connected { .. } => self.connected(now),
            Event::Lost(_) => self.connection = None,
            _ => {}
        }
        self.set_interval();
        let Some(connection) = &mut self.connection else { return };
        if *event == Event::BytesWritten || event.is_reception() {
            connection.last_traffic = now;
        }
        match *event {
            Event::BytesWritten if !std::mem::take(&mut connection.own_bytes) => connection.without_data = 0,
            Event::TransportHeard { ago } if connection.stage == Stage::Asked => {
                let alive = ago <= now.since(connection.last_beat);
                connection.stage = Stage::Diagnosed(if alive { GiveUp::ServiceDead } else { GiveUp::NetworkDead });
            }
            ref event if event.is_reception() => match connection.stage {
                Stage::Racing => connection.stage = Stage::Alive,
                // What comes stands for the peer's answer to the close.
                Stage::Closing(reason, _) => connection.stage = Stage::Closing(reason, now),
                _ => {}
            },
            _ => {}
        }
        let occasion = match event {
            Event::PeerPing => Some(Occasion::Request),
            Event::AppState(AppState::Foreground) => Some(Occasion::Foreground),
            Event::NetworkChanged(Some(_)) => Some(Occasion::NetworkChange),
            _ => None,
        };
        // A beat that waits for its answer is as good as another.
        let is_out = self.judges.iter().any(|judge| judge.settles().is_some());
        connection.asked |= !is_out && occasion.is_some_and(|occasion| self.beat_on.contains(&occasion));
        self.schedule.on_event(now, event);
        self.judges.iter_mut().for_each(|judge| judge.on_event(now, event));
        if let Some(leaver) = &mut self.leaver {
            leaver.on_event(now, event);
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        if self.searcher.as_mut().is_some_and(|searcher| searcher.take_changed()) {
            self.set_interval();
            return Some(Action::Remember);
        }
        let connection = self.connection.as_mut()?;
        if let Some(keepalive) = &self.keepalive
            && std::mem::take(&mut connection.options.keepalive)
        {
            return Some(Action::SetKeepalive(Some(keepalive.numbers())));
        }
        if std::mem::take(&mut connection.options.user_timeout) {
            return Some(Action::SetUserTimeout(self.user_timeout));
        }
        if let Stage::Closing(reason, until) = connection.stage {
            return if until <= now { self.end(now, reason) } else { None };
        }
        let opinion = self.judges.iter_mut().map(|judge| judge.opinion(now)).max().unwrap_or(Opinion::Alive);
        if connection.suspected != (opinion > Opinion::Alive || connection.stage == Stage::Racing) {
            connection.suspected = !connection.suspected;
            return Some(if connection.suspected { Action::Suspect } else { Action::Trust });
        }
        if let Opinion::Dead(reason) = opinion {
            self.test_failed(now);
            // What was learnt has to be stored before the end.
            return if self.searcher.as_ref().is_some_and(|searcher| searcher.has_changed()) {
                self.poll(now)
            } else {
                self.end(now, reason)
            };
        }
        if let (Some(prober), Some(searcher)) = (&mut self.prober, &mut self.searcher)
            && let Some(action) = prober.poll(now, searcher)
        {
            return Some(action);
        }
        let connection = self.connection.as_ref()?;
        let (asked, next_beat) = (connection.asked, self.next_beat(connection));
        if self.leaver.as_ref().is_some_and(|leaver| leaver.due(next_beat).is_some_and(|due| due <= now)) {
            self.connection = None;
            return Some(Action::GiveUp(GiveUp::Done));
        }
        (asked || next_beat.is_some_and(|due| due <= now)).then(|| self.beat(now))
    }

    fn memory(&self) -> Option<String> {
        self.searcher.as_ref().map(|searcher| searcher.memory())
    }

    fn recall(&mut self, memory: &str) {
        if let Some(searcher) = &mut self.searcher {
            searcher.recall(memory);
        }
    }

    fn deadline(&self) -> Option<Time> {
        let connection = self.connection.as_ref()?;
        if let Stage::Closing(_, until) = connection.stage {
            return Some(until);
        }
        let beat = self.next_beat(connection);
        let leave = self.leaver.as_ref().and_then(|leaver| leaver.due(beat));
        let probe = self.prober.as_ref().and_then(|prober| prober.deadline());
        self.judges.iter().filter_map(|judge| judge.deadline()).chain(beat).chain(leave).chain(probe).min()
    }
}

#[cfg(test)]
mod tests;
