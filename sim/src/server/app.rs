//! The server's process: it accepts, welcomes, answers and pushes, one piece of work after the other, each at its cost.
//! While it is stalled, work piles up in front of it; the kernel does not mind.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use cardiogram_policies::{ServerAction, ServerPolicy, ServerSpec, SessionEvent, SessionId, Time};

use super::{Clients, kernel::Kernel};
use crate::{
    config::ServerConfig,
    frame::Frame,
    node::Io,
    tcp::State,
    timers::Timers,
    trace::ServerEvent,
    traffic::{self, Message, Messages},
};

pub(super) struct App {
    server: u32,
    config: ServerConfig,
    spec: ServerSpec,
    clients: Clients,
    seed: u64,
    policy: Box<dyn ServerPolicy>,
    stalled: bool,
    /// What waits for the process, in order of arrival.
    queue: VecDeque<Work>,
    /// Whether accepting waits in the queue already.
    accept_queued: bool,
    job: Option<Job>,
    /// Accepted connections, by the kernel's slot.
    connections: BTreeMap<u32, Accepted>,
    /// Slots by session.
    sessions: BTreeMap<SessionId, u32>,
    /// Slots of the devices that have a session.
    online: BTreeMap<u32, u32>,
    next_session: u32,
    /// Time spent on work, the one under way included.
    busy: Duration,
    /// Messages for devices that have had a session here.
    pushes: BTreeMap<u32, Pushes>,
    /// When the next message for a device with a session is created.
    push_timers: Timers,
}

enum Work {
    Accept,
    Read(u32),
}

/// A frame being worked on.
struct Job {
    slot: u32,
    frame: Frame,
    /// When it is done; while the process is stalled, as if the stall had begun just now.
    done: Time,
    /// What is left, while the process is stalled.
    left: Option<Duration>,
}

/// An accepted connection.
#[derive(Default)]
struct Accepted {
    stream: Vec<u8>,
    /// Whether it waits in the queue already.
    queued: bool,
    session: Option<Session>,
}

#[derive(Clone, Copy)]
struct Session {
    id: SessionId,
    device: u32,
    outside: u16,
}

/// Messages for one device.
struct Pushes {
    messages: Messages,
    /// Created and not acknowledged.
    waiting: VecDeque<Message>,
    /// The first message not sent on the session that is up.
    next: u32,
}

impl App {
    pub(super) fn new(server: u32, config: ServerConfig, spec: ServerSpec, clients: Clients, seed: u64) -> Self {
        let policy = spec.build();
        Self {
            server,
            config,
            spec,
            clients,
            seed,
            policy,
            stalled: false,
            queue: VecDeque::new(),
            accept_queued: false,
            job: None,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            online: BTreeMap::new(),
            next_session: 0,
            busy: Duration::ZERO,
            pushes: BTreeMap::new(),
            push_timers: Timers::default(),
        }
    }

    /// A fresh process.
    pub(super) fn start(&mut self) {
        self.policy = self.spec.build();
    }

    /// The process is gone; its sessions with it.
    pub(super) fn die(&mut self, io: &mut Io) {
        for accepted in std::mem::take(&mut self.connections).into_values() {
            if let Some(Session { device, outside, .. }) = accepted.session {
                self.push_timers.set(device, None);
                io.server(self.server, ServerEvent::SessionClosed { device, outside });
            }
        }
        self.queue.clear();
        self.accept_queued = false;
        self.job = None;
        self.sessions.clear();
        self.online.clear();
    }

    /// Stops the process where it stands, or lets it go on.
    pub(super) fn set_stalled(&mut self, stalled: bool, now: Time, kernel: &mut Kernel, io: &mut Io) {
        if self.stalled == stalled {
            return;
        }
        self.stalled = stalled;
        if let Some(job) = &mut self.job {
            match job.left.take() {
                Some(left) if !stalled => job.done = now + left,
                _ => job.left = Some(job.done.since(now)),
            }
        }
        if !stalled {
            let devices: Vec<u32> = self.online.keys().copied().collect();
            for device in devices {
                self.push(device, now, kernel, io);
            }
        }
    }

    /// Takes note of what the kernel has for the process.
    pub(super) fn on_kernel(&mut self, now: Time, kernel: &mut Kernel, io: &mut Io) {
        while let Some(slot) = kernel.pop_event() {
            if !self.connections.contains_key(&slot) {
                continue;
            }
            if kernel.tcp(slot).state() == State::Closed {
                self.forget(slot, now, io);
                kernel.remove(slot);
            } else {
                self.enqueue(slot);
            }
        }
        if kernel.can_accept() && !self.accept_queued {
            self.accept_queued = true;
            self.queue.push_back(Work::Accept);
        }
    }

    /// Works as far as it can at this moment.
    pub(super) fn run(&mut self, now: Time, kernel: &mut Kernel, io: &mut Io) {
        if self.stalled {
            return;
        }
        if let Some(job) = self.job.take_if(|job| job.done <= now) {
            self.finish(&job, now, kernel, io);
        }
        while self.job.is_none()
            && let Some(work) = self.queue.pop_front()
        {
            match work {
                Work::Accept => self.accept(kernel),
                Work::Read(slot) => self.read(slot, now, kernel, io),
            }
            self.on_kernel(now, kernel, io);
        }
        while let Some(action) = self.policy.poll(now) {
            self.act(action, now, kernel, io);
        }
        while let Some(device) = self.push_timers.pop_due(now) {
            self.push(device, now, kernel, io);
        }
    }

    /// Time spent on work, the one under way included.
    pub(super) const fn busy(&self) -> Duration {
        self.busy
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        if self.stalled {
            return None;
        }
        let job = self.job.as_ref().map(|job| job.done);
        [job, self.policy.deadline(), self.push_timers.next()].into_iter().flatten().min()
    }

    fn accept(&mut self, kernel: &mut Kernel) {
        self.accept_queued = false;
        while let Some(slot) = kernel.accept() {
            self.connections.insert(slot, Accepted::default());
            let tcp = kernel.tcp(slot);
            if tcp.readable() > 0 || tcp.peer_closed() {
                self.enqueue(slot);
            }
        }
    }

    fn enqueue(&mut self, slot: u32) {
        let accepted = self.connections.get_mut(&slot).expect("an accepted connection");
        if !accepted.queued {
            accepted.queued = true;
            self.queue.push_back(Work::Read(slot));
        }
    }

    /// Takes one frame off a connection and works on it.
    fn read(&mut self, slot: u32, now: Time, kernel: &mut Kernel, io: &mut Io) {
        let Some(accepted) = self.connections.get_mut(&slot) else { return };
        accepted.queued = false;
        if kernel.tcp(slot).readable() > 0 {
            kernel.read(slot, now, &mut accepted.stream, io);
        }
        let Some(frame) = Frame::take(&mut accepted.stream) else {
            if kernel.tcp(slot).peer_closed() {
                self.forget(slot, now, io);
                kernel.close(slot, now, io);
            }
            return;
        };
        let cost = match frame {
            Frame::Hello { .. } => self.config.accept_cost,
            Frame::Heartbeat { .. } => self.config.heartbeat_cost,
            _ => self.config.message_cost,
        };
        self.busy += cost.get();
        let job = Job { slot, frame, done: now + cost.get(), left: None };
        if job.done <= now {
            self.finish(&job, now, kernel, io);
        } else {
            self.job = Some(job);
        }
    }

    fn finish(&mut self, job: &Job, now: Time, kernel: &mut Kernel, io: &mut Io) {
        // The client may be gone by now: the work was in vain.
        let Some(accepted) = self.connections.get(&job.slot) else { return };
        let session = accepted.session;
        match (job.frame, session) {
            (Frame::Hello { device, expects }, None) => self.welcome(job.slot, device, expects, now, kernel, io),
            (Frame::Heartbeat { id }, Some(session)) => {
                self.policy.on_event(now, session.id, &SessionEvent::HeartbeatReceived);
                self.write(job.slot, Frame::Reply { id }, now, kernel, io);
            }
            (Frame::Message { id, .. }, Some(session)) => {
                self.policy.on_event(now, session.id, &SessionEvent::FrameReceived);
                self.write(job.slot, Frame::Ack { id }, now, kernel, io);
            }
            (Frame::Ack { id }, Some(session)) => {
                self.policy.on_event(now, session.id, &SessionEvent::FrameReceived);
                if let Some(pushes) = self.pushes.get_mut(&session.device) {
                    while pushes.waiting.front().is_some_and(|message| message.id <= id) {
                        pushes.waiting.pop_front();
                    }
                }
            }
            (frame, None) => unreachable!("a client does not send {frame:?} before its session"),
            (frame, Some(_)) => unreachable!("a client does not send {frame:?} in a session"),
        }
        let left_over = self.connections.get(&job.slot).is_some_and(|accepted| !accepted.stream.is_empty());
        if left_over || kernel.tcp(job.slot).readable() > 0 || kernel.tcp(job.slot).peer_closed() {
            self.enqueue(job.slot);
        }
    }

    fn welcome(&mut self, slot: u32, device: u32, expects: u32, now: Time, kernel: &mut Kernel, io: &mut Io) {
        // A device has one session: an older one is a zombie, and goes.
        if let Some(older) = self.online.get(&device).copied() {
            self.forget(older, now, io);
            kernel.close(older, now, io);
        }
        let outside = kernel.tcp(slot).remote().port();
        let session = Session { id: SessionId(self.next_session), device, outside };
        self.next_session += 1;
        self.connections.get_mut(&slot).expect("the one being welcomed").session = Some(session);
        self.sessions.insert(session.id, slot);
        self.online.insert(device, slot);
        io.server(self.server, ServerEvent::SessionOpened { device, outside });
        self.policy.on_event(now, session.id, &SessionEvent::Opened);
        self.write(slot, Frame::Welcome { interval: None }, now, kernel, io);
        if let Some(mean) = self.clients.traffic.down {
            let (seed, within) = (self.seed, self.clients.start_within);
            let pushes = self.pushes.entry(device).or_insert_with(|| {
                let start = traffic::start(seed, device, within);
                Pushes { messages: Messages::down(seed, device, start, mean.get()), waiting: VecDeque::new(), next: 0 }
            });
            pushes.next = expects;
            self.push(device, now, kernel, io);
        }
    }

    /// Sends a device what has been created for it and was not sent on this session.
    fn push(&mut self, device: u32, now: Time, kernel: &mut Kernel, io: &mut Io) {
        let (Some(slot), Some(pushes)) = (self.online.get(&device).copied(), self.pushes.get_mut(&device)) else {
            return;
        };
        while let Some(message) = pushes.messages.take(now) {
            pushes.waiting.push_back(message);
        }
        self.push_timers.set(device, Some(pushes.messages.peek().created));
        let from = std::mem::replace(&mut pushes.next, pushes.messages.peek().id);
        let unsent: Vec<Message> = pushes.waiting.iter().filter(|message| message.id >= from).copied().collect();
        for message in unsent {
            self.write(slot, Frame::Message { id: message.id, created: message.created }, now, kernel, io);
        }
    }

    fn write(&mut self, slot: u32, frame: Frame, now: Time, kernel: &mut Kernel, io: &mut Io) {
        let mut bytes = Vec::new();
        frame.encode(&self.clients.frames, &mut bytes);
        kernel.write(slot, now, &bytes, io);
        if let Some(session) = self.connections.get(&slot).and_then(|accepted| accepted.session) {
            self.policy.on_event(now, session.id, &SessionEvent::FrameSent);
        }
    }

    fn act(&mut self, action: ServerAction, now: Time, kernel: &mut Kernel, io: &mut Io) {
        match action {
            ServerAction::Close { session } => {
                let Some(slot) = self.sessions.get(&session).copied() else { return };
                if let Some(Session { device, outside, .. }) = self.connections[&slot].session {
                    io.server(self.server, ServerEvent::Reaped { device, outside });
                }
                self.forget(slot, now, io);
                kernel.close(slot, now, io);
            }
            _ => unreachable!("an action this host does not know: {action:?}"),
        }
    }

    /// Forgets a connection, and its session if it has one.
    fn forget(&mut self, slot: u32, now: Time, io: &mut Io) {
        let Some(accepted) = self.connections.remove(&slot) else { return };
        if let Some(Session { id, device, outside }) = accepted.session {
            self.sessions.remove(&id);
            if self.online.get(&device) == Some(&slot) {
                self.online.remove(&device);
                self.push_timers.set(device, None);
            }
            self.policy.on_event(now, id, &SessionEvent::Closed);
            io.server(self.server, ServerEvent::SessionClosed { device, outside });
        }
    }
}
