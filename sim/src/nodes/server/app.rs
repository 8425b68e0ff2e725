//! The server's process: it accepts, logs in, welcomes, answers and pushes, each piece of work at its cost. While it is
//! stalled, work piles up in front of it; the kernel does not mind.

mod act;
mod admit;
mod ages;
mod half_dead;
mod late_replies;
mod push;
mod some;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use cardiogram_policies::{ServerPolicy, ServerSpec, SessionEvent, SessionId, Time};

use self::{ages::Ages, half_dead::HalfDeaths, late_replies::LateReplies, push::Pushes};
use super::{
    Clients, Context,
    login_limit::LoginLimit,
    wakeups::Wakeups,
    work::{Ticket, Work, Workers},
};
use crate::{
    config::{Cost, Login, OnWaking, SecondSession, ServerConfig},
    fate::{
        random::{Coins, DrawPurpose},
        server_faults::{Capacity, Lateness, ServerFaults},
        struck::Struck,
    },
    nodes::timers::Timers,
    record::trace::ServerEvent,
    wire::{
        address,
        frame::{Frame, GoodbyeReason},
    },
};

pub(super) struct App {
    config: ServerConfig,
    spec: ServerSpec,
    clients: Clients,
    seed: u64,
    policy: Box<dyn ServerPolicy>,
    stalled: bool,
    /// Those for whom it does nothing, once for each fault that has it so.
    away_for: Vec<Struck>,
    /// Those for whom it answers heartbeats and nothing else.
    half_dead: HalfDeaths,
    capacity: Capacity,
    late_replies: LateReplies,
    workers: Workers,
    /// Whether accepting waits in the queue already.
    accept_queued: bool,
    /// The clients that wait for their login; `None` where logins are not limited.
    login_limit: Option<LoginLimit>,
    /// Accepted connections, by the kernel's slot.
    connections: BTreeMap<u32, Accepted>,
    /// How many have been accepted.
    accepted: u32,
    /// Slots by session.
    sessions: BTreeMap<SessionId, u32>,
    /// Slots of the devices that have a session.
    online: BTreeMap<u32, u32>,
    /// Slots of the devices that have a probe connection.
    probes: BTreeMap<u32, u32>,
    next_session: u32,
    /// How many were let in and are not welcomed yet, where some may be turned away.
    waiting: u32,
    /// Slots of connections that said something and have no session, in the order in which they spoke: of a server that turns
    /// clients away.
    newcomers: VecDeque<u32>,
    /// When the last session of a device ended, where a device may go on with it.
    ended: BTreeMap<u32, Time>,
    /// Sessions that a drain will close, and when, the next one first.
    leaving: VecDeque<(Time, SessionId)>,
    /// When sessions are too old, where that is limited.
    ages: Option<Ages>,
    /// Time spent on work, the one under way included, at whole capacity.
    busy: Duration,
    /// Messages for devices that have had a session here.
    pushes: BTreeMap<u32, Pushes>,
    /// When the next message is created for a device with a session, or for any that can be woken.
    push_timers: Timers,
    /// Calls to those whose session is believed dead, where there is a channel for it.
    wakeups: Option<Wakeups>,
}

/// An accepted connection.
struct Accepted {
    number: u32,
    stream: Vec<u8>,
    /// Whether it waits in the queue already.
    queued: bool,
    /// Whether it is one of those that [`App::waiting`] counts.
    waits: bool,
    /// What the client said at first, until it is welcomed.
    hello: Option<Hello>,
    /// Whether it goes on with its last session.
    resumes: bool,
    session: Option<Session>,
    /// The device whose probe connection it is; `None` for all others. It is no session, and of no interest to the policy.
    probe_of: Option<u32>,
}

#[derive(Clone, Copy)]
struct Hello {
    device: u32,
    expects: u32,
    announces: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Session {
    id: SessionId,
    device: u32,
    network: u32,
    outside: u16,
}

/// Returns what the server sends in a round trip of the login, and asks for.
fn challenge(login: &Login, step: u8) -> Frame {
    Frame::Challenge { step, size: login.share(login.bytes_down, step), answer: login.share(login.bytes_up, step) }
}

impl App {
    pub(super) fn new(
        config: ServerConfig,
        spec: ServerSpec,
        clients: Clients,
        faults: &[ServerFaults],
        seed: u64,
    ) -> Self {
        let policy = spec.build();
        Self {
            capacity: Capacity::new(faults),
            late_replies: LateReplies::new(Lateness::new(faults)),
            workers: Workers::new(config.cores),
            login_limit: config.logins_per_s.map(LoginLimit::new),
            ages: config.max_age.clone().map(Ages::new),
            config,
            spec,
            wakeups: clients.wakeup.clone().map(|wakeup| Wakeups::new(wakeup, clients.frames)),
            clients,
            seed,
            policy,
            stalled: false,
            away_for: Vec::new(),
            half_dead: HalfDeaths::default(),
            accept_queued: false,
            connections: BTreeMap::new(),
            accepted: 0,
            sessions: BTreeMap::new(),
            online: BTreeMap::new(),
            probes: BTreeMap::new(),
            next_session: 0,
            waiting: 0,
            newcomers: VecDeque::new(),
            ended: BTreeMap::new(),
            leaving: VecDeque::new(),
            busy: Duration::ZERO,
            pushes: BTreeMap::new(),
            push_timers: Timers::default(),
        }
    }

    /// A fresh process. What it has for whom it reads from a store that outlives it.
    pub(super) fn start(&mut self, now: Time) {
        self.policy = self.spec.build();
        if self.wakeups.is_some() {
            for device in self.pushes.keys() {
                self.push_timers.set(*device, Some(now));
            }
        }
    }

    /// The process is gone; its sessions with it.
    pub(super) fn die(&mut self, context: &mut Context) {
        for accepted in std::mem::take(&mut self.connections).into_values() {
            if let Some(Session { device, network, outside, .. }) = accepted.session {
                self.push_timers.set(device, None);
                context.note(ServerEvent::SessionClosed { device, network, outside });
            }
        }
        self.workers.clear();
        self.late_replies.clear();
        self.login_limit.iter_mut().for_each(LoginLimit::clear);
        self.leaving.clear();
        self.ages.iter_mut().for_each(Ages::clear);
        self.accept_queued = false;
        self.sessions.clear();
        self.online.clear();
        self.probes.clear();
        self.ended.clear();
        self.waiting = 0;
        self.newcomers.clear();
    }

    /// Stops the process where it stands, or lets it go on.
    pub(super) fn set_stalled(&mut self, stalled: bool, context: &mut Context) {
        if self.stalled == stalled {
            return;
        }
        self.stalled = stalled;
        self.workers.set_stalled(stalled, context.now);
        if !stalled && self.config.on_waking == OnWaking::TimersFirst {
            self.obey(context);
        }
        if !stalled {
            let devices: Vec<u32> = self.online.keys().copied().collect();
            for device in devices {
                self.push(device, context);
            }
        }
    }

    /// Takes note of what the kernel has for the process.
    pub(super) fn on_kernel(&mut self, context: &mut Context) {
        while let Some(slot) = context.kernel.pop_event() {
            if !self.connections.contains_key(&slot) {
                continue;
            }
            if context.kernel.end(slot).is_closed() {
                self.forget(slot, context);
                context.kernel.remove(slot);
            } else {
                self.enqueue(slot);
            }
        }
        if context.kernel.can_accept() && !self.accept_queued {
            self.accept_queued = true;
            self.workers.enqueue(Work::Accept);
        }
    }

    /// Returns when the policy wants to be asked next.
    pub(super) fn policy_deadline(&self) -> Option<Time> {
        self.policy.deadline()
    }

    /// Carries out what follows from a packet. The policy's deadline was `due` before the packet came: where that is this
    /// very moment, and still is, more may arrive at this moment, and counts before it. Its own wake-up follows.
    pub(super) fn hear(&mut self, due: Option<Time>, context: &mut Context) {
        if self.stalled {
            return;
        }
        self.work(context);
        if due != Some(context.now) || self.policy.deadline() != due {
            self.obey(context);
        }
    }

    /// Carries out everything that is due at this moment.
    pub(super) fn run(&mut self, context: &mut Context) {
        if self.stalled {
            return;
        }
        self.work(context);
        while self.leaving.front().is_some_and(|(at, _)| *at <= context.now)
            && let Some((_, session)) = self.leaving.pop_front()
        {
            if let Some(slot) = self.sessions.get(&session).copied() {
                self.forget(slot, context);
                context.close(slot);
            }
        }
        self.send_late_replies(context);
        self.end_the_old(context);
        self.obey(context);
        while let Some(device) = self.push_timers.pop_due(context.now) {
            self.push(device, context);
        }
        while let Some(device) = self.wakeups.as_mut().and_then(|wakeups| wakeups.pop_due(context.now)) {
            if !self.is_away_from(Some(device)) && !self.is_half_dead_for(device) {
                self.wake(device, context);
            }
        }
    }

    /// Works as far as it can at this moment.
    fn work(&mut self, context: &mut Context) {
        while let Some(job) = self.workers.pop_done(context.now) {
            self.finish(job.client, job.frame, context);
        }
        self.admit(context);
        while let Some(work) = self.next_work(context) {
            match work {
                Work::Accept => self.accept(context),
                Work::Read(slot) => self.read(slot, context),
            }
            self.on_kernel(context);
            self.admit(context);
        }
        while let Some(client) = self.next_login(context) {
            self.welcome(client, context);
        }
    }

    /// Takes the next work that can be begun now, and is not for one for whom nothing is done.
    fn next_work(&mut self, context: &Context) -> Option<Work> {
        let away_for = &self.away_for;
        self.workers.next_work(|slot| {
            let device = context.kernel.device(slot);
            !device.is_some_and(|device| away_for.iter().any(|struck| struck.has(device)))
        })
    }

    /// Carries out what the policy says.
    fn obey(&mut self, context: &mut Context) {
        while let Some(action) = self.policy.poll(context.now) {
            self.act(action, context);
        }
    }

    /// Closes the sessions there are over a span that begins now, evenly, the oldest first.
    pub(super) fn drain(&mut self, now: Time, over: Duration) {
        let count = self.sessions.len() as u32;
        let close = |(place, session): (u32, &SessionId)| (now + over * place / count, *session);
        self.leaving = (0..).zip(self.sessions.keys()).map(close).collect();
    }

    /// No session is closed, nobody is pinged or turned away, and nothing pushed, of its own accord any more.
    pub(super) fn freeze(&mut self) {
        self.spec = ServerSpec::default();
        self.policy = self.spec.build();
        self.leaving.clear();
        self.ages = None;
        self.push_timers = Timers::default();
        self.wakeups = None;
        self.half_dead.freeze();
        self.config.second_session = SecondSession::Replaces;
    }

    /// Returns time spent on work, the one under way included, at whole capacity.
    pub(super) const fn busy(&self) -> Duration {
        self.busy
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        if self.stalled {
            return None;
        }
        let login = self.login_limit.as_ref().and_then(LoginLimit::next);
        let leaves = self.leaving.front().map(|(at, _)| *at);
        let call = self.wakeups.as_ref().and_then(Wakeups::next);
        let old = self.ages.as_ref().and_then(Ages::next);
        let late = self.next_late_reply();
        let own =
            [self.workers.next_done(), login, leaves, old, self.policy.deadline(), self.push_timers.next(), call, late];
        own.into_iter().flatten().min()
    }

    fn accept(&mut self, context: &mut Context) {
        self.accept_queued = false;
        while let Some(slot) = context.kernel.accept() {
            let number = self.accepted;
            self.accepted += 1;
            let fresh = Accepted {
                number,
                stream: Vec::new(),
                queued: false,
                waits: false,
                hello: None,
                resumes: false,
                session: None,
                probe_of: None,
            };
            self.connections.insert(slot, fresh);
            let end = context.kernel.end(slot);
            if end.readable() > 0 || end.peer_closed() {
                self.enqueue(slot);
            }
        }
    }

    fn enqueue(&mut self, slot: u32) {
        let accepted = self.connections.get_mut(&slot).expect("an accepted connection");
        if self.spec.busy.is_some() && accepted.session.is_none() {
            self.newcomers.push_back(slot);
        }
        if !accepted.queued {
            accepted.queued = true;
            self.workers.enqueue(Work::Read(slot));
        }
    }

    /// Takes one frame off a connection and works on it.
    fn read(&mut self, slot: u32, context: &mut Context) {
        let Some(accepted) = self.connections.get_mut(&slot) else { return };
        accepted.queued = false;
        if context.kernel.end(slot).readable() > 0 {
            context.read(slot, &mut accepted.stream);
        }
        let client_is_gone = context.kernel.end(slot).peer_closed();
        let frame = if client_is_gone && self.config.drop_dead_work { None } else { Frame::take(&mut accepted.stream) };
        let Some(frame) = frame else {
            if client_is_gone {
                self.forget(slot, context);
                context.close(slot);
            }
            return;
        };
        let client = Ticket { slot, number: accepted.number };
        if let Frame::Hello { device, resumes: true, .. } = frame {
            let resumes = self.can_resume(device, context.now);
            self.connections.get_mut(&slot).expect("the one that is read").resumes = resumes;
        }
        let work = self.cost(slot, frame).at(self.coins(slot, context).unit(DrawPurpose::Work, context.now));
        self.busy += work;
        let done = context.now + self.capacity.time_for(work, context.kernel.device(slot), context.now);
        if done <= context.now {
            self.finish(client, frame, context);
        } else {
            self.workers.begin(client, frame, done);
        }
    }

    fn cost(&self, slot: u32, frame: Frame) -> &Cost {
        let resumes = self.connections[&slot].resumes;
        match (frame, &self.config.login) {
            (Frame::Hello { .. }, Some(login)) if !resumes => &login.cpu,
            // A probe connection is not logged in.
            (Frame::Hello { .. } | Frame::ProbeHello { .. }, _) => &self.config.accept_cost,
            (Frame::Response { step, .. }, Some(login)) if step + 1 == login.round_trips => &self.config.accept_cost,
            (Frame::Response { .. }, _) => &Cost::ZERO,
            (Frame::Heartbeat { .. } | Frame::Notice | Frame::Pong, _) => &self.config.heartbeat_cost,
            _ => &self.config.message_cost,
        }
    }

    /// Returns what decides the cost of a client's work: a number for each moment at which work for it begins.
    fn coins(&self, slot: u32, context: &Context) -> Coins {
        let remote = context.kernel.end(slot).remote();
        let client = u64::from(remote.ip().to_bits()) << 16 | u64::from(remote.port());
        Coins::new(self.seed, "server/work", u64::from(context.server) << 48 | client)
    }

    fn finish(&mut self, client: Ticket, frame: Frame, context: &mut Context) {
        // The client may be gone by now: the work was in vain.
        let slot = client.slot;
        let Some(accepted) = self.connections.get_mut(&slot).filter(|it| it.number == client.number) else { return };
        let session = accepted.session;
        match (frame, session) {
            (Frame::Hello { device, expects, announces, .. }, None) => {
                accepted.hello = Some(Hello { device, expects, announces });
                if accepted.resumes {
                    context.note(ServerEvent::Resumed { device });
                    self.welcome(client, context);
                } else {
                    self.log_in(client, 0, context);
                }
            }
            (Frame::Response { step, .. }, None) => self.log_in(client, step + 1, context),
            (Frame::Heartbeat { id }, Some(session)) => {
                self.policy.on_event(context.now, session.id, &SessionEvent::HeartbeatReceived);
                if self.half_dead.answers_heartbeats(session.device, session.id) {
                    self.reply(client, id, context);
                }
            }
            (Frame::Notice, Some(session)) => {
                self.policy.on_event(context.now, session.id, &SessionEvent::HeartbeatReceived);
            }
            (Frame::ProbeHello { device }, None) => self.welcome_probe(slot, device, context),
            (Frame::Heartbeat { id }, None) if accepted.probe_of.is_some() => self.reply(client, id, context),
            (Frame::Message { id, .. }, Some(session)) => {
                self.policy.on_event(context.now, session.id, &SessionEvent::FrameReceived);
                if !self.half_dead.has(session.device, Some(session.id)) {
                    self.write(slot, Frame::Ack { id }, context);
                }
            }
            (Frame::Ack { id }, Some(session)) => {
                self.policy.on_event(context.now, session.id, &SessionEvent::FrameReceived);
                self.acknowledge(session.device, id, context.now);
            }
            (Frame::Pong, Some(session)) => {
                context.note(ServerEvent::PongReceived { device: session.device });
                self.policy.on_event(context.now, session.id, &SessionEvent::PongReceived);
            }
            (Frame::Malformed, Some(session)) => {
                context.note(ServerEvent::MalformedReceived { device: session.device });
                self.policy.on_event(context.now, session.id, &SessionEvent::MalformedReceived);
            }
            (frame, None) => unreachable!("a client does not send {frame:?} before its session"),
            (frame, Some(_)) => unreachable!("a client does not send {frame:?} in a session"),
        }
        // Whoever was refused is gone by now.
        let Some(accepted) = self.connections.get(&slot) else { return };
        if !accepted.stream.is_empty()
            || context.kernel.end(slot).readable() > 0
            || context.kernel.end(slot).peer_closed()
        {
            self.enqueue(slot);
        }
    }

    /// Goes on with a client's login after `step` round trips of it.
    fn log_in(&mut self, client: Ticket, step: u8, context: &mut Context) {
        match (&self.config.login, &mut self.login_limit) {
            (Some(login), _) if step < login.round_trips => {
                let challenge = challenge(login, step);
                self.write(client.slot, challenge, context);
            }
            (_, Some(login_limit)) => login_limit.enter(client),
            (_, None) => self.welcome(client, context),
        }
    }

    /// Returns the next client whose login passes the limit now.
    fn next_login(&mut self, context: &Context) -> Option<Ticket> {
        let (connections, drops) = (&self.connections, self.config.drop_dead_work);
        self.login_limit.as_mut()?.pass(context.now, |client| {
            let is_gone = connections.get(&client.slot).is_none_or(|it| it.number != client.number);
            drops && (is_gone || context.kernel.end(client.slot).peer_closed())
        })
    }

    fn welcome(&mut self, client: Ticket, context: &mut Context) {
        let slot = client.slot;
        let Some(accepted) = self.connections.get_mut(&slot).filter(|it| it.number == client.number) else { return };
        let Hello { device, expects, announces } = accepted.hello.take().expect("a client begins with its hello");
        let resumes = accepted.resumes;
        self.waiting -= u32::from(std::mem::take(&mut accepted.waits));
        if !self.half_dead.welcomes(device) {
            return;
        }
        if self.config.second_session == SecondSession::Refused && !resumes && self.online.contains_key(&device) {
            context.note(ServerEvent::Refused { device });
            self.say_goodbye(slot, GoodbyeReason::InUse, None, context);
            return;
        }
        // A device has one session: an older one is a zombie, and goes.
        if let Some(older) = self.online.get(&device).copied() {
            self.forget(older, context);
            context.close(older);
        }
        let remote = context.kernel.end(slot).remote();
        let (network, outside) = (address::network_of_client(*remote.ip()), remote.port());
        let session = Session { id: SessionId(self.next_session), device, network, outside };
        self.next_session += 1;
        self.connections.get_mut(&slot).expect("the one being welcomed").session = Some(session);
        self.sessions.insert(session.id, slot);
        self.online.insert(device, slot);
        let coins = self.coins(slot, context);
        if let Some(ages) = &mut self.ages {
            ages.begin(session.id, coins, context.now);
        }
        context.note(ServerEvent::SessionOpened { device, network, outside });
        self.policy.on_event(context.now, session.id, &SessionEvent::Opened { interval: announces });
        let interval = self.spec.welcome_interval();
        self.write(slot, Frame::Welcome { interval }, context);
        if let Some(interval) = interval {
            self.policy.on_event(context.now, session.id, &SessionEvent::Directed { interval });
        }
        self.catch_up(device, expects, resumes, context);
    }

    /// Welcomes a probe connection. Like sessions, a device has one: nobody closes an older one that has lost its client.
    fn welcome_probe(&mut self, slot: u32, device: u32, context: &mut Context) {
        if let Some(older) = self.probes.get(&device).copied() {
            self.forget(older, context);
            context.close(older);
        }
        self.probes.insert(device, slot);
        self.connections.get_mut(&slot).expect("the one being welcomed").probe_of = Some(device);
        self.write(slot, Frame::Welcome { interval: None }, context);
    }

    fn write(&mut self, slot: u32, frame: Frame, context: &mut Context) {
        self.write_sized(slot, frame, 0, context);
    }

    /// The same of a message with so many bytes; 0: as usual.
    fn write_sized(&mut self, slot: u32, frame: Frame, message: u16, context: &mut Context) {
        let mut bytes = Vec::new();
        frame.encode(&self.clients.frames.with_message(message), &mut bytes);
        context.write(slot, &bytes);
        if let Some(session) = self.connections.get(&slot).and_then(|accepted| accepted.session) {
            let is_data = matches!(frame, Frame::Message { .. } | Frame::Ack { .. });
            let sent = if is_data { SessionEvent::DataSent } else { SessionEvent::FrameSent };
            self.policy.on_event(context.now, session.id, &sent);
        }
    }

    /// Forgets a connection, and its session if it has one.
    fn forget(&mut self, slot: u32, context: &mut Context) {
        let Some(accepted) = self.connections.remove(&slot) else { return };
        if let Some(device) = accepted.probe_of {
            self.probes.remove(&device);
        }
        self.waiting -= u32::from(accepted.waits);
        if let Some(Session { id, device, network, outside }) = accepted.session {
            self.sessions.remove(&id);
            if self.spec.resume.is_some() {
                self.ended.insert(device, context.now);
            }
            if self.online.get(&device) == Some(&slot) {
                self.online.remove(&device);
                if self.wakeups.is_none() {
                    self.push_timers.set(device, None);
                }
                self.plan_wakeup(device);
            }
            self.policy.on_event(context.now, id, &SessionEvent::Closed);
            context.note(ServerEvent::SessionClosed { device, network, outside });
        }
    }
}
