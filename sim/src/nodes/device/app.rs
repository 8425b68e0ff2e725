//! One device: its kernel's connections and its application. Sans-IO.

mod act;
mod life;
mod messages;
mod network_check;
mod outstanding;
mod probe;
mod probing;
mod race;
mod server_frames;
mod side;
mod socket;
mod standstill;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use cardiogram_policies::{
    AppState, AttemptFailure, Event, Heartbeat, LossReason, Reconnect, ReconnectAction, ReconnectEvent, ServerChoice,
    Time, reconnect::Ended,
};

use self::{
    messages::{Asked, Outbox},
    outstanding::Outstanding,
    side::Side,
    socket::Socket,
};
use super::{
    Context, Shared,
    life_progress::{Addresses, LifeProgress},
    next_hops::{NextHops, Waited},
};
use crate::{
    config::TrafficConfig,
    fate::life::Life,
    nodes::numbers,
    record::trace::{DeviceEvent, DropReason},
    wire::{
        address,
        frame::Frame,
        packet::{Obstacle, Packet},
        tap::{PacketCounts, Tap},
        tcp::{self, Failure},
    },
};

pub(super) struct Device {
    index: u32,
    /// The next hops that its kernel asks for.
    pub(super) next_hops: NextHops,
    phase: Phase,
    /// The one of the last attempt, or of the first one to come.
    server: u32,
    /// The connection of the attempt or session under way.
    socket: Option<Box<Socket>>,
    /// Second connections: for probes, races and network checks.
    sides: Vec<Side>,
    /// Connections the application has left and the kernel still works on.
    orphans: Vec<Socket>,
    next_port: u16,
    heartbeat: Box<dyn Heartbeat>,
    reconnect: Box<dyn Reconnect>,
    /// What the heartbeat policy wants to know again when its process has been killed and started.
    memory: Option<Box<str>>,
    /// Heartbeats sent on this connection and not answered.
    outstanding: Outstanding,
    /// When the last heartbeat of this connection was sent, and how long after the one before the last one ever was.
    last_beat: Option<Time>,
    last_interval: Option<Duration>,
    /// Its heartbeat policy has something to do once all packets of this moment are in.
    looks_again: bool,
    /// Boxed: most devices have nothing to say.
    outbox: Option<Box<Outbox>>,
    /// Messages that the server has not acknowledged.
    unacknowledged: VecDeque<Asked>,
    /// The next message expected from the server.
    expects: u32,
    /// It left its last session on purpose, and has had none since.
    is_away: bool,
    addresses: Addresses,
    /// `None`: nothing ever happens to it.
    progress: Option<Box<LifeProgress>>,
    /// How many times its process has been started.
    starts: u64,
    /// What the application knows of its being on the screen.
    app_state: Option<AppState>,
    /// Messages after that one which a wake-up has brought.
    ahead: BTreeSet<u32>,
    /// The server of its process's last session.
    last_session: Option<u32>,
    /// It renews a session that the server will close. (A frozen one does not.)
    renews: bool,
}

/// What the application is at.
#[derive(Clone, Copy)]
enum Phase {
    /// It has not made its first attempt, which it makes from then on, when there is a network.
    Starting { at: Time },
    /// It waits for its next attempt, which will be at this server. The policy wants it at `due`, the timer for it fires at
    /// `until`, and the attempt may take as long as `timeout` says, or the strategy's connect timeout.
    Waiting { due: Time, until: Time, server: u32, timeout: Option<Duration> },
    /// It waits to find out whether the network carries anything, from `due` and `until` as above.
    Pausing { due: Time, until: Time },
    /// It is finding out.
    Checking,
    /// An attempt is under way.
    Connecting { deadline: Time, introduced: bool },
    /// The server has welcomed it.
    Online,
    /// The reconnect policy has stopped.
    Stopped,
    /// There is no process.
    Dead,
}

impl Device {
    pub(super) fn new(index: u32, start: Time, traffic: &TrafficConfig, life: Option<Life>, shared: &Shared) -> Self {
        let seed = shared.seed;
        let (heartbeat, reconnect) = shared.policies(index, 0);
        Self {
            index,
            next_hops: NextHops::default(),
            phase: Phase::Starting { at: start },
            server: index % shared.servers,
            socket: None,
            sides: Vec::new(),
            orphans: Vec::new(),
            next_port: numbers::first_port(index, seed),
            heartbeat,
            reconnect,
            memory: None,
            outstanding: Outstanding::default(),
            last_beat: None,
            last_interval: None,
            looks_again: false,
            outbox: Outbox::new(seed, index, start, traffic).map(Box::new),
            unacknowledged: VecDeque::new(),
            expects: 0,
            is_away: false,
            addresses: Addresses::FIRST,
            progress: life.map(|life| Box::new(LifeProgress::new(life))),
            starts: 0,
            app_state: None,
            ahead: BTreeSet::new(),
            last_session: None,
            renews: true,
        }
    }

    /// Returns when anything of this device is due next.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let kernel = |socket: &Socket| socket.transport.next_timer().map(|due| self.when(due));
        let socket = self.socket.as_deref().and_then(kernel);
        let next_hops = self.next_hops.due().map(|due| self.when(due));
        let others = self.orphans.iter().chain(self.sides.iter().map(|side| &side.socket)).filter_map(kernel);
        let app = self.next_timer().into_iter().chain(self.next_message()).chain(self.next_deadline());
        let at_once = self.looks_again.then_some(Time::ZERO);
        let app = app.chain(at_once).filter(|_| !self.is_still());
        others.chain(socket).chain(next_hops).chain(app).chain(self.next_of_life()).min()
    }

    /// Returns when a timer of the application fires next.
    fn next_timer(&self) -> Option<Time> {
        match self.phase {
            Phase::Starting { at: due } | Phase::Waiting { until: due, .. } | Phase::Pausing { until: due, .. } => {
                self.is_attached().then_some(due)
            }
            Phase::Connecting { deadline, .. } => Some(deadline),
            Phase::Online => {
                let beat = self.heartbeat.deadline().map(|due| self.fires(due));
                beat.into_iter().chain(self.next_side_deadline()).min()
            }
            Phase::Checking => self.next_side_deadline(),
            Phase::Stopped | Phase::Dead => None,
        }
    }

    /// Returns when something happens to the device.
    fn next_of_life(&self) -> Option<Time> {
        let linger = self.addresses.lingering.map(|(_, until)| until).filter(|_| !self.is_still());
        let happens = self.progress.as_ref().and_then(|progress| progress.next());
        linger.into_iter().chain(happens).min()
    }

    /// Returns the time between its last two heartbeats on one connection.
    pub(super) const fn last_interval(&self) -> Option<Duration> {
        self.last_interval
    }

    pub(super) const fn index(&self) -> u32 {
        self.index
    }

    pub(super) const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Returns what the kernel's clock shows.
    pub(super) fn kernel(&self, now: Time) -> Time {
        self.progress.as_ref().map_or(now, |progress| progress.kernel(now))
    }

    /// Returns when the kernel's clock will show a time.
    fn when(&self, kernel: Time) -> Time {
        self.progress.as_ref().map_or(kernel, |progress| progress.when(kernel))
    }

    /// Returns when a timer of the application fires that is due at `due`.
    fn fires(&self, due: Time) -> Time {
        self.progress.as_ref().map_or(due, |progress| progress.fires(due))
    }

    /// Something other than the kernel's timers keeps the processor awake for a while.
    pub(super) fn wake(&mut self, now: Time) {
        if let Some(progress) = &mut self.progress {
            progress.wake(now);
        }
    }

    const fn is_attached(&self) -> bool {
        self.addresses.current.is_some()
    }

    pub(super) fn on_packet(&mut self, packet: &Packet, context: &mut Context) {
        if self.is_still() {
            self.kernel_takes(packet, context);
            return;
        }
        let due = self.heartbeat.deadline();
        self.wake(context.now);
        context.kernel = self.kernel(context.now);
        if packet.src == address::PUSH_SERVICE {
            self.on_wakeup(packet, context);
        } else if let Some(socket) = self.socket.as_deref_mut().filter(|socket| socket.is_of(packet)) {
            socket.on_packet(self.index, packet, context);
            // Of an acknowledgement the application learns nothing.
            if self.notice(context) {
                self.beat_unless_due(due, context);
            }
        } else if let Some(side) = self.sides.iter_mut().find(|side| side.socket.is_of(packet)) {
            side.socket.on_packet(self.index, packet, context);
            if self.notice(context) {
                self.beat_unless_due(due, context);
            }
        } else if let Some(at) = self.orphans.iter().position(|socket| socket.is_of(packet)) {
            self.orphans[at].on_packet(self.index, packet, context);
            self.forget_closed_orphans();
        } else if let Some(reset) = tcp::reset_for(packet) {
            context.send(self.index, &mut Tap::default(), reset);
        }
    }

    /// The push service wakes the device. One that waits, or has stopped, connects at once, and one without a process is
    /// started; one that believes itself online, or is on the way there, carries on.
    fn on_wakeup(&mut self, packet: &Packet, context: &mut Context) {
        context.counts.totals.wakeups += 1;
        context.note(self.index, DeviceEvent::Woken);
        if let Some(Frame::Message { id, created }) = Frame::take(&mut packet.payload.clone()) {
            self.deliver(id, created, false, context);
        }
        match self.phase {
            Phase::Waiting { .. } | Phase::Pausing { .. } | Phase::Checking | Phase::Stopped => self.attempt(context),
            // The system starts the application for it.
            Phase::Dead => self.start(context),
            Phase::Starting { .. } | Phase::Connecting { .. } | Phase::Online => {}
        }
    }

    /// Counts a packet that comes off the link, whether or not the radio lets it through at once.
    pub(super) fn count_arrival(&mut self, packet: &Packet, counts: &mut PacketCounts) {
        let of_packet = |socket: &&mut Socket| socket.is_of(packet);
        let others = self.orphans.iter_mut().chain(self.sides.iter_mut().map(|side| &mut side.socket));
        match self.socket.as_deref_mut().into_iter().chain(others).find(of_packet) {
            Some(socket) => socket.down.count(packet, counts),
            None => Tap::default().count(packet, counts),
        }
    }

    pub(super) fn on_wake(&mut self, context: &mut Context) {
        let goes_on = self.live(context);
        if self.is_still() {
            self.run_kernel(context);
            return;
        }
        if goes_on {
            self.catch_up(context);
        }
        let is_due = |due: Option<Time>| due.is_some_and(|due| due <= context.now);
        let (timer_fires, writes, is_late) =
            (is_due(self.next_timer()), is_due(self.next_message()), is_due(self.next_deadline()));
        let app_is_due = std::mem::take(&mut self.looks_again) || timer_fires || writes || is_late;
        if let Some(progress) = self.progress.as_mut().filter(|_| app_is_due) {
            if timer_fires || is_late {
                progress.fired(context.now);
            }
            progress.wake(context.now);
            context.kernel = progress.kernel(context.now);
        }
        self.run_kernel(context);
        self.create_messages(context);
        match self.phase {
            Phase::Starting { .. } | Phase::Waiting { .. } if timer_fires => self.attempt(context),
            Phase::Pausing { .. } if timer_fires => self.check_network(context),
            // What has arrived in time counts before the deadline does.
            Phase::Connecting { .. } => {
                self.drive(context);
                if let Phase::Connecting { deadline, .. } = self.phase
                    && deadline <= context.now
                {
                    self.attempt_failed(AttemptFailure::Timeout, context);
                }
            }
            _ if app_is_due => self.drive(context),
            // A timer of the kernel runs nothing of the application, whose own may be put off, unless it has news for it.
            _ => {
                if self.notice(context) {
                    self.beat(context);
                }
            }
        }
        // An answer that has arrived by now is in time.
        if app_is_due {
            self.heed_deadlines(context);
        }
    }

    /// Lets the kernel's timers fire that are due.
    fn run_kernel(&mut self, context: &mut Context) {
        for orphan in &mut self.orphans {
            orphan.run_timers(self.index, context);
        }
        self.forget_closed_orphans();
        for side in &mut self.sides {
            side.socket.run_timers(self.index, context);
        }
        if let Some(socket) = &mut self.socket {
            socket.run_timers(self.index, context);
        }
        // After those of TCP, which set theirs later: a kernel's wheel runs the later one of a moment first. So what waits until now is not
        // sent twice.
        self.run_next_hops(context);
    }

    /// Sends what has waited for a next hop that answers now; tells TCP of what has waited in vain.
    fn run_next_hops(&mut self, context: &mut Context) {
        let (index, now) = (self.index, context.now);
        let has_carrier = |network| context.shared.carriers.has(index, network, now);
        while let Some(waited) = context.next_hops.run(context.kernel, has_carrier, &context.shared.tcp) {
            match waited {
                Waited::Leave(waiting) => {
                    for (packet, counts) in waiting {
                        if context.has_address(index, *packet.src.ip(), &packet, DropReason::NetworkLeft) {
                            context.put_on_link(index, packet, &counts);
                        }
                    }
                }
                Waited::GivenUp(waiting) => {
                    for (packet, _) in waiting {
                        context.io.dropped(&packet, DropReason::NoNeighbour);
                        if let Some(error) = packet.undelivered(Obstacle::HostUnreachable) {
                            self.kernel_takes(&error, context);
                        }
                    }
                }
            }
        }
    }

    /// Lets the application react to everything its socket and its policies have for it.
    fn drive(&mut self, context: &mut Context) {
        self.notice(context);
        self.beat(context);
    }

    /// Lets it react to what its socket has for it; returns whether the heartbeat policy may have learnt anything.
    fn notice(&mut self, context: &mut Context) -> bool {
        let mut any = false;
        loop {
            while let Some(frame) = self.next_frame(context) {
                self.session_wins(context);
                self.on_frame(frame, context);
                any = true;
            }
            // One of them may have become the session, with more to read.
            if !self.notice_sides(context) {
                break;
            }
            any = true;
        }
        self.check_socket(context);
        any
    }

    /// Carries out what the heartbeat policy says.
    fn beat(&mut self, context: &mut Context) {
        while matches!(self.phase, Phase::Online)
            && let Some(action) = self.heartbeat.poll(context.now)
        {
            self.act(action, context);
        }
    }

    /// Carries out what the heartbeat policy says, unless its deadline was `due` before a packet came, and still is: more
    /// may arrive at this moment, and counts before it.
    fn beat_unless_due(&mut self, due: Option<Time>, context: &mut Context) {
        if due.is_some_and(|due| due <= context.now) && self.heartbeat.deadline() == due {
            self.looks_again = true;
        } else {
            self.beat(context);
        }
    }

    fn next_frame(&mut self, context: &mut Context) -> Option<Frame> {
        self.socket.as_deref_mut()?.next_frame(self.index, context)
    }

    fn on_frame(&mut self, frame: Frame, context: &mut Context) {
        let now = context.now;
        match frame {
            Frame::Welcome { interval } => {
                self.connected(context);
                if let Some(interval) = interval {
                    self.on_server_frame(Frame::Direct { interval }, context);
                }
            }
            Frame::Reply { id } => match self.outstanding.answered(id) {
                Some((id, sent)) => {
                    let rtt = now.since(sent);
                    context.counts.totals.heartbeats_answered += 1;
                    context.note(self.index, DeviceEvent::HeartbeatAnswered { id, rtt });
                    self.heartbeat.on_event(now, &Event::HeartbeatReply { id, rtt });
                }
                None => self.heartbeat.on_event(now, &Event::BytesReceived),
            },
            Frame::Message { id, created } => {
                self.heartbeat.on_event(now, &Event::BytesReceived);
                // A message that was delivered before is acknowledged again.
                self.deliver(id, created, true, context);
                self.write(Frame::Ack { id }, context);
            }
            Frame::Ack { id } => {
                self.heartbeat.on_event(now, &Event::Acknowledged);
                self.answered(id, context);
            }
            Frame::Challenge { step, answer, .. } => self.write(Frame::Response { step, size: answer }, context),
            Frame::Ping | Frame::Alive | Frame::Direct { .. } | Frame::Goodbye { .. } => {
                self.on_server_frame(frame, context);
            }
            Frame::Hello { .. }
            | Frame::Heartbeat { .. }
            | Frame::Response { .. }
            | Frame::Wakeup { .. }
            | Frame::Pong
            | Frame::Malformed
            | Frame::Notice
            | Frame::ProbeHello { .. } => unreachable!("a server does not send {frame:?}"),
        }
    }

    /// Notices what became of the socket: established, failed, closed by the peer.
    fn check_socket(&mut self, context: &mut Context) {
        let Some(socket) = &self.socket else { return };
        let failure = socket.transport.failure();
        let over = socket.is_over();
        match self.phase {
            Phase::Connecting { deadline, introduced: false } if socket.transport.is_established() => {
                self.phase = Phase::Connecting { deadline, introduced: true };
                self.reconnect.on_event(context.now, &ReconnectEvent::Established);
                self.write(self.hello(context), context);
            }
            Phase::Connecting { .. } if over => {
                let failure = match failure {
                    Some(Failure::Refused) => AttemptFailure::Refused,
                    Some(Failure::ConnectTimeout | Failure::RetransmissionTimeout | Failure::UserTimeout) => {
                        AttemptFailure::Timeout
                    }
                    Some(Failure::HostUnreachable | Failure::NetworkUnreachable) => AttemptFailure::Unreachable,
                    _ => AttemptFailure::Dropped,
                };
                self.attempt_failed(failure, context);
            }
            Phase::Online if over && !self.is_racing() => {
                let reason = match failure {
                    None | Some(Failure::Reset) if socket.is_blamed => LossReason::TooManyPings,
                    None => LossReason::Closed,
                    Some(Failure::KeepaliveTimeout) => LossReason::KeepaliveTimeout,
                    Some(Failure::RetransmissionTimeout | Failure::ConnectTimeout) => LossReason::RetransmissionTimeout,
                    Some(Failure::UserTimeout) => LossReason::UserTimeout,
                    Some(Failure::Reset | Failure::Refused) => LossReason::Reset,
                    Some(Failure::HostUnreachable | Failure::NetworkUnreachable) => LossReason::Unreachable,
                };
                let port = self.leave(context);
                self.lost(port, reason, context);
            }
            _ => {}
        }
    }

    /// The transport has ended the session.
    fn lost(&mut self, port: u16, reason: LossReason, context: &mut Context) {
        context.note(self.index, DeviceEvent::Lost { port, reason });
        self.heartbeat.on_event(context.now, &Event::Lost(reason));
        self.reconnect.on_event(context.now, &ReconnectEvent::Lost(Ended::Transport(reason)));
        self.plan(context);
    }

    fn attempt(&mut self, context: &mut Context) {
        // Without a network nobody tries: a network's coming is what is waited for.
        let Some(address) = self.addresses.current else { return };
        self.close_sides(context);
        let mut timeout = context.shared.connect_timeout;
        if let Phase::Waiting { server, timeout: own, .. } = self.phase {
            self.server = server;
            timeout = own.unwrap_or(timeout);
        }
        let now = context.now;
        let server = context.shared.server_for(self.index, self.server, now);
        self.server = server;
        let port = self.take_port();
        let deadline = now + timeout;
        context.counts.totals.connect_attempts += 1;
        if self.starts == 0 && matches!(self.phase, Phase::Starting { .. }) {
            context.counts.series.first_attempt(now);
        } else {
            context.counts.series.attempt(now);
        }
        context.note(self.index, DeviceEvent::AttemptStarted { port, server });
        self.reconnect.on_event(now, &ReconnectEvent::AttemptStarted { server });
        self.phase = Phase::Connecting { deadline, introduced: false };
        let local = std::net::SocketAddrV4::new(address.of(self.index), port);
        let socket = Socket::connect(self.index, local, address::server(server), context);
        self.socket = Some(Box::new(socket));
    }

    fn attempt_failed(&mut self, failure: AttemptFailure, context: &mut Context) {
        self.leave(context);
        self.failed(failure, context);
    }

    fn failed(&mut self, failure: AttemptFailure, context: &mut Context) {
        context.note(self.index, DeviceEvent::AttemptFailed(failure));
        self.reconnect.on_event(context.now, &ReconnectEvent::AttemptFailed(failure));
        self.plan(context);
    }

    fn connected(&mut self, context: &mut Context) {
        let (now, server) = (context.now, self.server);
        let local = self.socket.as_ref().expect("a device is welcomed over its socket").transport.local();
        let (port, network) = (local.port(), address::network_of_device(*local.ip()));
        self.phase = Phase::Online;
        self.outstanding.clear();
        self.last_beat = None;
        self.last_session = Some(server);
        context.counts.totals.sessions += 1;
        self.is_away = false;
        context.note(self.index, DeviceEvent::Connected { port, server });
        self.reconnect.on_event(now, &ReconnectEvent::Connected);
        let network = context.shared.network(network);
        self.heartbeat.on_event(now, &Event::Connected { network, server });
        self.send_all(context);
    }

    /// Asks the reconnect policy and does as it says.
    fn plan(&mut self, context: &mut Context) {
        self.close_sides(context);
        let verdict = self.reconnect.next(context.now);
        self.follow(verdict, context);
        // What was left with a session that is done is something to send, too.
        if verdict == ReconnectAction::Stop && !self.unacknowledged.is_empty() {
            self.call_for_session(context);
        }
    }

    /// Asks it again, since something has happened that may matter to it; where it keeps to its plan nothing happens.
    fn plan_again(&mut self, context: &mut Context) {
        let verdict = self.reconnect.next(context.now);
        let is_kept = match (verdict, self.phase) {
            (
                ReconnectAction::TryAfter { wait, server, timeout },
                Phase::Waiting { due, server: planned, timeout: own, .. },
            ) => {
                context.now + wait == due.max(context.now) && self.number(server, context) == planned && timeout == own
            }
            (ReconnectAction::CheckAfter { wait }, Phase::Pausing { due, .. }) => {
                context.now + wait == due.max(context.now)
            }
            (ReconnectAction::Stop, Phase::Stopped) => true,
            _ => false,
        };
        if !is_kept {
            self.follow(verdict, context);
        }
    }

    fn number(&self, server: ServerChoice, context: &Context) -> u32 {
        match server {
            ServerChoice::Same => self.server,
            ServerChoice::Next => (self.server + 1) % context.shared.servers,
            ServerChoice::Number(server) => server % context.shared.servers,
        }
    }

    fn follow(&mut self, verdict: ReconnectAction, context: &mut Context) {
        match verdict {
            ReconnectAction::TryAfter { wait, server, timeout } => {
                let server = self.number(server, context);
                context.note(self.index, DeviceEvent::RetryAfter(wait));
                let (due, until) = (context.now + wait, self.due_after(wait, context));
                self.phase = Phase::Waiting { due, until, server, timeout };
            }
            ReconnectAction::CheckAfter { wait } => {
                context.note(self.index, DeviceEvent::CheckAfter(wait));
                let (due, until) = (context.now + wait, self.due_after(wait, context));
                self.phase = Phase::Pausing { due, until };
            }
            ReconnectAction::Stop => {
                context.note(self.index, DeviceEvent::Stopped);
                self.phase = Phase::Stopped;
            }
        }
    }

    /// Returns when something happens that the application wants to do after a wait.
    fn due_after(&self, wait: Duration, context: &Context) -> Time {
        // What is to be done at once needs no timer.
        if wait.is_zero() { context.now } else { self.fires(context.now + wait) }
    }

    /// Leaves the connection of the attempt or session. Returns its port.
    fn leave(&mut self, context: &mut Context) -> u16 {
        let socket = self.socket.take().expect("only a device with a connection leaves one");
        let port = socket.port();
        self.abandon(*socket, context);
        port
    }

    /// Closes a connection, as `close(2)` does, and leaves the rest to the kernel.
    fn abandon(&mut self, mut socket: Socket, context: &mut Context) {
        socket.with_transport(self.index, context, |socket, now, out| socket.transport.close(now, out));
        if !socket.transport.is_closed() {
            socket.stream = Vec::new();
            self.orphans.push(socket);
        }
    }

    /// Drops the sockets that nothing more is to come of.
    fn forget_closed_orphans(&mut self) {
        self.orphans.retain(|socket| !socket.transport.is_closed());
    }

    /// Writes a frame to the socket; the heartbeat policy is told once the session is established.
    fn write(&mut self, frame: Frame, context: &mut Context) {
        self.write_sized(frame, 0, context);
    }

    /// The same of a message with so many bytes; 0: as usual.
    fn write_sized(&mut self, frame: Frame, bytes: u16, context: &mut Context) {
        let Some(socket) = &mut self.socket else { return };
        socket.write(self.index, frame, bytes, context);
        if matches!(self.phase, Phase::Online) {
            self.heartbeat.on_event(context.now, &Event::BytesWritten);
        }
    }

    fn take_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = numbers::port_after(port);
            let others = self.orphans.iter().chain(self.sides.iter().map(|side| &side.socket));
            if self.socket.as_deref().into_iter().chain(others).all(|socket| socket.port() != port) {
                return port;
            }
        }
    }
}
