//! One device: its kernel's connections and its application. Sans-IO.

use std::collections::{BTreeSet, VecDeque};

use cardiogram_policies::{
    Action, AttemptFailure, Bounds, Event, GiveUp, Heartbeat, LossReason, Reconnect, ReconnectEvent, ServerChoice,
    StrategySpec, Time, Verdict, reconnect::Ended,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Context, Shared, tap::Tap};
use crate::{
    address,
    config::TrafficConfig,
    frame::Frame,
    outcome::PacketCounts,
    packet::Packet,
    random,
    tcp::{self, Connection, Failure, State},
    trace::DeviceEvent,
    traffic::{Message, Messages},
};

/// The range that Linux takes the ports of outgoing connections from.
const EPHEMERAL: std::ops::Range<u16> = 32_768..61_000;
/// Heartbeats whose replies are still waited for; more than any policy keeps in mind.
const OUTSTANDING_MAX: usize = 1_024;

pub(super) struct Device {
    index: u32,
    phase: Phase,
    server: u32,
    /// The connection of the attempt or session under way.
    socket: Option<Box<Socket>>,
    /// Connections the application has left and the kernel still works on.
    orphans: Vec<Socket>,
    next_port: u16,
    heartbeat: Box<dyn Heartbeat>,
    reconnect: Box<dyn Reconnect>,
    /// Heartbeats sent on this connection and not answered, with the time of sending.
    outstanding: VecDeque<(u32, Time)>,
    /// Boxed: most devices have nothing to say.
    messages: Option<Box<Messages>>,
    /// Messages that the server has not acknowledged.
    unacknowledged: VecDeque<Message>,
    /// The next message expected from the server.
    expects: u32,
    /// Messages after that one which a wake-up has brought.
    ahead: BTreeSet<u32>,
}

/// What the application is at.
#[derive(Clone, Copy)]
enum Phase {
    /// It has not started, or waits for its next attempt.
    Waiting { until: Time },
    /// An attempt is under way.
    Connecting { deadline: Time, introduced: bool },
    /// The server has welcomed it.
    Online,
    /// The reconnect policy has stopped.
    Stopped,
}

struct Socket {
    tcp: Connection,
    up: Tap,
    down: Tap,
    /// Bytes read that are not a whole frame yet.
    stream: Vec<u8>,
}

impl Device {
    pub(super) fn new(
        index: u32,
        start: Time,
        traffic: &TrafficConfig,
        strategy: &StrategySpec,
        bounds: &Bounds,
        shared: &Shared,
    ) -> Self {
        let seed = shared.seed;
        let number = u64::from(index);
        let first_port = xxh3_64_with_seed(&index.to_le_bytes(), seed) % u64::from(EPHEMERAL.end - EPHEMERAL.start);
        Self {
            index,
            phase: Phase::Waiting { until: start },
            server: index % shared.servers,
            socket: None,
            orphans: Vec::new(),
            next_port: EPHEMERAL.start + first_port as u16,
            heartbeat: strategy.heartbeat.build(bounds, Box::new(random::stream(seed, "policy/heartbeat", number))),
            reconnect: strategy.reconnect.build(Box::new(random::stream(seed, "policy/reconnect", number))),
            outstanding: VecDeque::new(),
            messages: traffic.up.map(|mean| Box::new(Messages::up(seed, index, start, mean.get()))),
            unacknowledged: VecDeque::new(),
            expects: 0,
            ahead: BTreeSet::new(),
        }
    }

    /// When anything of this device is due next.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let phase = match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Connecting { deadline, .. } => Some(deadline),
            Phase::Online => self.heartbeat.deadline(),
            Phase::Stopped => None,
        };
        let message = self.messages.as_ref().map(|messages| messages.peek().created);
        let socket = self.socket.as_ref().and_then(|socket| socket.tcp.next_timer());
        let orphans = self.orphans.iter().filter_map(|socket| socket.tcp.next_timer());
        orphans.chain(phase).chain(message).chain(socket).min()
    }

    pub(super) fn on_packet(&mut self, packet: &Packet, context: &mut Context) {
        if packet.src == address::PUSH_SERVICE {
            self.on_wakeup(packet, context);
        } else if let Some(socket) = self.socket.as_deref_mut().filter(|socket| socket.is_of(packet)) {
            socket.on_packet(self.index, packet, context);
            self.drive(context);
        } else if let Some(at) = self.orphans.iter().position(|socket| socket.is_of(packet)) {
            self.orphans[at].on_packet(self.index, packet, context);
            self.bury();
        } else if let Some(reset) = tcp::reset_for(packet) {
            context.send(self.index, &mut Tap::default(), reset);
        }
    }

    /// The push service wakes the device. One that waits, or has stopped, connects at once; one that believes itself online,
    /// or is on the way there, carries on.
    fn on_wakeup(&mut self, packet: &Packet, context: &mut Context) {
        context.counts.totals.wakeups += 1;
        context.io.device(self.index, DeviceEvent::Woken);
        if let Some(Frame::Message { id, created }) = Frame::take(&mut packet.payload.clone()) {
            self.deliver(id, created, false, context);
        }
        if matches!(self.phase, Phase::Waiting { .. } | Phase::Stopped) {
            self.attempt(context);
        }
    }

    /// Counts a packet that comes off the link, whether or not the radio lets it through at once.
    pub(super) fn count_arrival(&mut self, packet: &Packet, counts: &mut PacketCounts) {
        let of_packet = |socket: &&mut Socket| socket.is_of(packet);
        let orphans = self.orphans.iter_mut();
        match self.socket.as_deref_mut().into_iter().chain(orphans).find(of_packet) {
            Some(socket) => socket.down.count(packet, counts),
            None => Tap::default().count(packet, counts),
        }
    }

    pub(super) fn on_wake(&mut self, context: &mut Context) {
        for orphan in &mut self.orphans {
            orphan.run_timers(self.index, context);
        }
        self.bury();
        if let Some(socket) = &mut self.socket {
            socket.run_timers(self.index, context);
        }
        self.create_messages(context);
        match self.phase {
            Phase::Waiting { until } if until <= context.now => self.attempt(context),
            // What has arrived in time counts before the deadline does.
            Phase::Connecting { .. } => {
                self.drive(context);
                if let Phase::Connecting { deadline, .. } = self.phase
                    && deadline <= context.now
                {
                    self.attempt_failed(AttemptFailure::Timeout, context);
                }
            }
            _ => self.drive(context),
        }
    }

    /// Lets the application react to everything its socket and its policies have for it.
    fn drive(&mut self, context: &mut Context) {
        while let Some(frame) = self.next_frame(context) {
            self.on_frame(frame, context);
        }
        self.check_socket(context);
        while matches!(self.phase, Phase::Online)
            && let Some(action) = self.heartbeat.poll(context.now)
        {
            self.act(action, context);
        }
    }

    fn next_frame(&mut self, context: &mut Context) -> Option<Frame> {
        let index = self.index;
        let socket = self.socket.as_deref_mut()?;
        if socket.tcp.readable() > 0 {
            socket.with_tcp(index, context, |socket, now, out| socket.tcp.read(now, &mut socket.stream, out));
        }
        Frame::take(&mut socket.stream)
    }

    fn on_frame(&mut self, frame: Frame, context: &mut Context) {
        let now = context.now;
        match frame {
            Frame::Welcome { interval } => {
                self.connected(context);
                if let Some(interval) = interval {
                    self.heartbeat.on_event(now, &Event::DirectedInterval(interval));
                }
            }
            Frame::Reply { id } => {
                let answered = self.outstanding.iter().position(|(sent, _)| *sent as u16 == id);
                match answered.map(|at| self.outstanding.drain(..=at).next_back().expect("the one found")) {
                    Some((id, sent)) => {
                        let rtt = now.since(sent);
                        context.counts.totals.heartbeats_answered += 1;
                        context.io.device(self.index, DeviceEvent::HeartbeatAnswered { id, rtt });
                        self.heartbeat.on_event(now, &Event::HeartbeatReply { id, rtt });
                    }
                    None => self.heartbeat.on_event(now, &Event::BytesReceived),
                }
            }
            Frame::Message { id, created } => {
                self.heartbeat.on_event(now, &Event::BytesReceived);
                // A message that was delivered before is acknowledged again.
                self.deliver(id, created, true, context);
                self.write(Frame::Ack { id }, context);
            }
            Frame::Ack { id } => {
                self.heartbeat.on_event(now, &Event::BytesReceived);
                while self.unacknowledged.front().is_some_and(|message| message.id <= id) {
                    self.unacknowledged.pop_front();
                }
            }
            Frame::Challenge { step, answer, .. } => self.write(Frame::Response { step, size: answer }, context),
            Frame::Hello { .. } | Frame::Heartbeat { .. } | Frame::Response { .. } | Frame::Wakeup { .. } => {
                unreachable!("a server does not send {frame:?}")
            }
        }
    }

    /// Hands a message to the application, if it has not got it before by one way or the other. `in_order`: what comes
    /// before it has been delivered, or the server has forgotten it.
    fn deliver(&mut self, id: u32, created: Time, in_order: bool, context: &mut Context) {
        if id < self.expects || self.ahead.contains(&id) {
            context.counts.totals.duplicates += 1;
            return;
        }
        if in_order {
            self.expects = id + 1;
        } else {
            self.ahead.insert(id);
        }
        while self.ahead.remove(&self.expects) {
            self.expects += 1;
        }
        let delay = context.now.since(created);
        context.counts.push_delays.push(delay);
        context.io.device(self.index, DeviceEvent::MessageDelivered { id, delay });
    }

    /// Notices what became of the socket: established, failed, closed by the peer.
    fn check_socket(&mut self, context: &mut Context) {
        let Some(socket) = &self.socket else { return };
        let failure = socket.tcp.failure();
        let over = socket.tcp.peer_closed() || socket.tcp.state() == State::Closed;
        match self.phase {
            Phase::Connecting { deadline, introduced: false } if socket.tcp.state() == State::Established => {
                self.phase = Phase::Connecting { deadline, introduced: true };
                self.write(Frame::Hello { device: self.index, expects: self.expects }, context);
            }
            Phase::Connecting { .. } if over => {
                let failure = match failure {
                    Some(Failure::Refused) => AttemptFailure::Refused,
                    Some(Failure::ConnectTimeout | Failure::RetransmissionTimeout | Failure::UserTimeout) => {
                        AttemptFailure::Timeout
                    }
                    _ => AttemptFailure::Dropped,
                };
                self.attempt_failed(failure, context);
            }
            Phase::Online if over => {
                let reason = match failure {
                    None => LossReason::Closed,
                    Some(Failure::KeepaliveTimeout) => LossReason::KeepaliveTimeout,
                    Some(Failure::RetransmissionTimeout | Failure::ConnectTimeout) => LossReason::RetransmissionTimeout,
                    Some(Failure::UserTimeout) => LossReason::UserTimeout,
                    Some(Failure::Reset | Failure::Refused) => LossReason::Reset,
                };
                let port = self.leave(context);
                context.io.device(self.index, DeviceEvent::Lost { port, reason });
                self.heartbeat.on_event(context.now, &Event::Lost(reason));
                self.reconnect.on_event(context.now, &ReconnectEvent::Lost(Ended::Transport(reason)));
                self.plan(context);
            }
            _ => {}
        }
    }

    fn act(&mut self, action: Action, context: &mut Context) {
        let now = context.now;
        match action {
            Action::SendHeartbeat { id } => {
                if self.outstanding.len() == OUTSTANDING_MAX {
                    self.outstanding.pop_front();
                }
                self.outstanding.push_back((id, now));
                context.counts.totals.heartbeats_sent += 1;
                context.io.device(self.index, DeviceEvent::HeartbeatSent { id });
                self.write(Frame::Heartbeat { id: id as u16 }, context);
            }
            Action::SetKeepalive(keepalive) => {
                if let Some(socket) = &mut self.socket {
                    socket.tcp.set_keepalive(now, keepalive);
                }
            }
            Action::SetUserTimeout(timeout) => {
                if let Some(socket) = &mut self.socket {
                    socket.tcp.set_user_timeout(now, timeout);
                }
            }
            Action::Suspect => context.io.device(self.index, DeviceEvent::Suspect),
            Action::Trust => context.io.device(self.index, DeviceEvent::Trust),
            Action::GiveUp(reason) => self.give_up(reason, context),
            _ => unreachable!("an action this host does not know: {action:?}"),
        }
    }

    fn give_up(&mut self, reason: GiveUp, context: &mut Context) {
        let port = self.leave(context);
        context.io.device(self.index, DeviceEvent::GivenUp { port, reason });
        self.reconnect.on_event(context.now, &ReconnectEvent::Lost(Ended::GivenUp(reason)));
        self.plan(context);
    }

    fn attempt(&mut self, context: &mut Context) {
        let now = context.now;
        // Whatever the policy chose.
        if let Some(balancer) = &context.shared.balancer {
            self.server = balancer.server_for(self.index, now);
        }
        let server = self.server;
        let port = self.take_port();
        let deadline = now + context.shared.connect_timeout;
        context.counts.totals.connect_attempts += 1;
        context.counts.attempts.count(now);
        context.io.device(self.index, DeviceEvent::AttemptStarted { port, server });
        self.reconnect.on_event(now, &ReconnectEvent::AttemptStarted { server });
        self.phase = Phase::Connecting { deadline, introduced: false };
        let local = std::net::SocketAddrV4::new(address::device(self.index), port);
        let iss =
            xxh3_64_with_seed(&[self.index.to_le_bytes(), u32::from(port).to_le_bytes()].concat(), now.as_micros());
        let config = context.shared.tcp.clone();
        let tcp = Connection::connect(config, now, local, address::server(server), iss as u32, context.packets);
        let mut socket = Socket { tcp, up: Tap::default(), down: Tap::default(), stream: Vec::new() };
        socket.transmit(self.index, context);
        self.socket = Some(Box::new(socket));
    }

    fn attempt_failed(&mut self, failure: AttemptFailure, context: &mut Context) {
        self.leave(context);
        context.io.device(self.index, DeviceEvent::AttemptFailed(failure));
        self.reconnect.on_event(context.now, &ReconnectEvent::AttemptFailed(failure));
        self.plan(context);
    }

    fn connected(&mut self, context: &mut Context) {
        let (now, server) = (context.now, self.server);
        let port = self.socket.as_ref().map_or(0, |socket| socket.tcp.local().port());
        self.phase = Phase::Online;
        self.outstanding.clear();
        context.counts.totals.sessions += 1;
        context.io.device(self.index, DeviceEvent::Connected { port, server });
        self.reconnect.on_event(now, &ReconnectEvent::Connected);
        self.heartbeat.on_event(now, &Event::Connected { network: 0, server });
        for at in 0..self.unacknowledged.len() {
            self.send_message(self.unacknowledged[at], context);
        }
    }

    /// Asks the reconnect policy and does as it says.
    fn plan(&mut self, context: &mut Context) {
        match self.reconnect.next(context.now) {
            Verdict::TryAfter { wait, server } => {
                if server == ServerChoice::Next {
                    self.server = (self.server + 1) % context.shared.servers;
                }
                context.io.device(self.index, DeviceEvent::RetryAfter(wait));
                self.phase = Phase::Waiting { until: context.now + wait };
            }
            Verdict::Stop => {
                context.io.device(self.index, DeviceEvent::Stopped);
                self.phase = Phase::Stopped;
            }
        }
    }

    /// Closes the socket, as `close(2)` does, and leaves the rest to the kernel. Returns its port.
    fn leave(&mut self, context: &mut Context) -> u16 {
        let mut socket = self.socket.take().expect("only a device with a connection leaves one");
        socket.with_tcp(self.index, context, |socket, now, out| socket.tcp.close(now, out));
        let port = socket.tcp.local().port();
        if socket.tcp.state() != State::Closed {
            socket.stream = Vec::new();
            self.orphans.push(*socket);
        }
        port
    }

    fn bury(&mut self) {
        self.orphans.retain(|socket| socket.tcp.state() != State::Closed);
    }

    fn create_messages(&mut self, context: &mut Context) {
        while let Some(message) = self.messages.as_mut().and_then(|messages| messages.take(context.now)) {
            self.unacknowledged.push_back(message);
            if matches!(self.phase, Phase::Online) {
                self.send_message(message, context);
            }
        }
    }

    fn send_message(&mut self, message: Message, context: &mut Context) {
        context.io.device(self.index, DeviceEvent::MessageSent { id: message.id });
        self.write(Frame::Message { id: message.id, created: message.created }, context);
    }

    /// Writes a frame to the socket; the heartbeat policy is told once the session is established.
    fn write(&mut self, frame: Frame, context: &mut Context) {
        let Some(socket) = &mut self.socket else { return };
        let mut bytes = Vec::new();
        frame.encode(&context.shared.frames, &mut bytes);
        socket.with_tcp(self.index, context, |socket, now, out| {
            socket.tcp.write(now, &bytes, out);
        });
        if matches!(self.phase, Phase::Online) {
            self.heartbeat.on_event(context.now, &Event::BytesWritten);
        }
    }

    fn take_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = if port + 1 < EPHEMERAL.end { port + 1 } else { EPHEMERAL.start };
            if self.orphans.iter().all(|socket| socket.tcp.local().port() != port) {
                return port;
            }
        }
    }
}

impl Socket {
    /// Whether a packet that arrives is of this connection.
    fn is_of(&self, packet: &Packet) -> bool {
        self.tcp.local() == packet.dst && self.tcp.remote() == packet.src
    }

    fn on_packet(&mut self, device: u32, packet: &Packet, context: &mut Context) {
        self.with_tcp(device, context, |socket, now, out| socket.tcp.on_packet(now, packet, out));
    }

    fn run_timers(&mut self, device: u32, context: &mut Context) {
        if self.tcp.next_timer().is_some_and(|due| due <= context.now) {
            self.with_tcp(device, context, |socket, now, out| socket.tcp.on_timer(now, out));
        }
    }

    /// Lets TCP do something and puts what it wants to send on the link.
    fn with_tcp(&mut self, device: u32, context: &mut Context, work: impl FnOnce(&mut Self, Time, &mut Vec<Packet>)) {
        work(self, context.now, context.packets);
        self.transmit(device, context);
    }

    fn transmit(&mut self, device: u32, context: &mut Context) {
        let mut packets = std::mem::take(context.packets);
        for packet in packets.drain(..) {
            context.send(device, &mut self.up, packet);
        }
        // Empty again, but with the room it has.
        *context.packets = packets;
    }
}
