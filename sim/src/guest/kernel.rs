//! The kernel of a guest's host: its sockets, over the lab's TCP, and who waits for them. Sans-IO: the guests act on it through
//! `net`, the world through `node`, and what it has to send and to tell waits here until its node takes it.
//!
//! It has no idea of runtimes and clocks: whoever acts says what the time is.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex},
    task::Waker,
};

use cardiogram_policies::{AppState, Network, NetworkKind, Time};
use tokio::sync::watch;

use super::{
    owner::Owner,
    runtime::{Gate, lock},
    sessions::{End, Sessions},
    socket::{Cut, Holder, Session, Socket, attempt_failure, loss},
    waits::Waits,
};
use crate::{
    fate::balancer::Balancer,
    nodes::{
        device::{
            life_progress::{Addresses, LifeProgress},
            next_hops::NextHops,
        },
        numbers,
        timers::Timers,
    },
    record::trace::{DeviceEvent, DropReason, Fact, ServerEvent},
    wire::{
        address,
        packet::Packet,
        tap::{PacketCounts, Tap},
        tcp::{self, Connection, State, TcpConfig},
    },
};

/// What waits for a node to take it.
pub(super) enum Out {
    Packet(Packet, PacketCounts),
    Dropped(Packet, DropReason),
    Fact(Fact),
}

/// What the kernels of one node share: which of them have something for the node, and when whose timers are due.
#[derive(Default)]
pub(super) struct Board {
    pub(super) dirty: Vec<u32>,
    /// Since when the first of them has.
    pub(super) since: Time,
    pub(super) timers: Timers,
}

/// The kernel of one host.
pub(super) struct Kernel {
    pub(super) owner: Owner,
    /// Its place in its node.
    place: u32,
    board: Arc<Mutex<Board>>,
    pub(super) gate: Arc<Gate>,
    pub(super) tcp: Arc<TcpConfig>,
    seed: u64,
    /// What a device has on the networks of the world.
    pub(super) addresses: Addresses,
    /// Where a device is in its life; `None`: nothing ever happens to it.
    pub(super) life: Option<LifeProgress>,
    /// What the networks of the world are, by number.
    kinds: Arc<[NetworkKind]>,
    /// Tells the program of a device which network it is on.
    networks: watch::Sender<Option<Network>>,
    /// Tells it whether it is on the screen, in a world that says.
    pub(super) states: Option<watch::Sender<AppState>>,
    /// How many servers the world has.
    servers: u32,
    /// Decides which of them a connection of a device reaches.
    balancer: Option<Arc<Balancer>>,
    /// One more connection than this waits to be accepted.
    backlog: usize,
    pub(super) sockets: Vec<Option<Socket>>,
    free: Vec<u32>,
    /// How many there have been.
    opened: u64,
    by_pair: BTreeMap<(u16, SocketAddrV4), u32>,
    pub(super) listeners: BTreeMap<u16, Listener>,
    pub(super) sessions: Sessions,
    timers: Timers,
    next_port: u16,
    out: Vec<Out>,
    /// The next hops that a device's kernel asks for.
    pub(super) next_hops: NextHops,
    /// Which process the host runs: each has a number of its own.
    pub(super) process: u32,
    /// What its program waits for.
    pub(super) waits: Waits,
    /// The host has no power.
    pub(super) is_down: bool,
    /// The balancer answers for it.
    pub(super) is_cut_off: bool,
    /// Reused from act to act.
    packets: Vec<Packet>,
}

#[derive(Default)]
pub(super) struct Listener {
    queue: VecDeque<u32>,
    wakers: Vec<Waker>,
}

/// What a host is given when it is made.
pub(super) struct Make {
    pub(super) owner: Owner,
    pub(super) place: u32,
    pub(super) board: Arc<Mutex<Board>>,
    pub(super) gate: Arc<Gate>,
    pub(super) tcp: Arc<TcpConfig>,
    pub(super) seed: u64,
    pub(super) servers: u32,
    pub(super) backlog: usize,
    pub(super) balancer: Option<Arc<Balancer>>,
    pub(super) life: Option<LifeProgress>,
    pub(super) kinds: Arc<[NetworkKind]>,
    /// The world says when the application is on the screen.
    pub(super) has_states: bool,
}

impl Kernel {
    pub(super) fn new(make: Make) -> Self {
        let Make { owner, place, board, gate, tcp, seed, servers, backlog, balancer, life, kinds, has_states } = make;
        let next_port = match owner {
            Owner::Device(index) => numbers::first_port(index, seed),
            Owner::Server(_) => numbers::first_port(0, seed),
        };
        let first = kinds.first().map(|kind| Network { id: 0, kind: *kind });
        Self {
            owner,
            place,
            board,
            gate,
            tcp,
            seed,
            addresses: Addresses::FIRST,
            life,
            kinds,
            networks: watch::Sender::new(first),
            states: has_states.then(|| watch::Sender::new(AppState::Background)),
            servers,
            balancer,
            backlog,
            sockets: Vec::new(),
            free: Vec::new(),
            opened: 0,
            by_pair: BTreeMap::new(),
            listeners: BTreeMap::new(),
            sessions: Sessions::default(),
            timers: Timers::default(),
            next_port,
            out: Vec::new(),
            next_hops: NextHops::default(),
            process: 0,
            waits: Waits::default(),
            is_down: false,
            is_cut_off: false,
            packets: Vec::new(),
        }
    }

    pub(super) const fn owner(&self) -> Owner {
        self.owner
    }

    pub(super) const fn servers(&self) -> u32 {
        self.servers
    }

    /// Returns the seed of the run.
    pub(super) const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the number of the process that runs.
    pub(super) const fn process(&self) -> u32 {
        self.process
    }

    /// Returns what the kernel's clock shows.
    pub(super) fn shows(&self, now: Time) -> Time {
        self.life.as_ref().map_or(now, |life| life.kernel(now))
    }

    /// Returns when it will show a time.
    pub(super) fn when(&self, kernel: Time) -> Time {
        self.life.as_ref().map_or(kernel, |life| life.when(kernel))
    }

    /// Returns what tells the program which network the device is on.
    pub(super) fn networks(&self) -> watch::Receiver<Option<Network>> {
        self.networks.subscribe()
    }

    /// Tells the program which network the device is on.
    pub(super) fn tell_of_network(&mut self, now: Time) {
        let network = |number: u32| Network { id: number, kind: self.kinds[number as usize] };
        self.networks.send_replace(self.addresses.current.map(|address| network(address.network)));
        self.gate.has_work();
        self.rouse(now);
    }

    /// Tells it whether it is on the screen.
    pub(super) fn tell_of_state(&mut self, state: AppState, now: Time) {
        if let Some(states) = &self.states {
            states.send_replace(state);
            self.gate.has_work();
            self.rouse(now);
        }
    }

    /// Opens a connection.
    pub(super) fn connect(&mut self, to: SocketAddrV4, now: Time) -> io::Result<u32> {
        let Owner::Device(device) = self.owner else {
            let message = "a server of the lab is called and calls nobody: only devices open connections";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        };
        let server = address::server_at(*to.ip()).filter(|server| *server < self.servers).ok_or_else(|| {
            let message = format!("{to} is no address of this world's {} servers", self.servers);
            io::Error::new(io::ErrorKind::NetworkUnreachable, message)
        })?;
        let address = self
            .addresses
            .current
            .ok_or_else(|| io::Error::new(io::ErrorKind::NetworkUnreachable, "the device is on no network"))?;
        // It stands at the port of the servers.
        let server = match &self.balancer {
            Some(balancer) if to.port() == address::SERVER_PORT => balancer.server_for(device, now),
            _ => server,
        };
        let to = SocketAddrV4::new(*address::server(server).ip(), to.port());
        let port = self.take_port()?;
        self.gate.touch();
        self.session(now, |sessions, note| sessions.open(port, server, note));
        let iss = numbers::client_iss(device, port, now);
        let local = SocketAddrV4::new(address.of(device), port);
        let tcp = Connection::connect(self.tcp.clone(), self.shows(now), local, to, iss, &mut self.packets);
        let slot = self.add(tcp, Some(device), Holder::Program);
        self.settle(slot, now);
        Ok(slot)
    }

    fn take_port(&mut self) -> io::Result<u16> {
        let first = self.next_port;
        loop {
            let port = self.next_port;
            self.next_port = numbers::port_after(port);
            let (low, high) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
            let pairs = (port, SocketAddrV4::new(low, 0))..=(port, SocketAddrV4::new(high, u16::MAX));
            if self.by_pair.range(pairs).next().is_none() {
                return Ok(port);
            }
            if self.next_port == first {
                return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "every port of the device is in use"));
            }
        }
    }

    /// Listens at a port.
    pub(super) fn listen(&mut self, port: u16) -> io::Result<()> {
        if self.listeners.contains_key(&port) {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("somebody listens at port {port} already")));
        }
        self.listeners.insert(port, Listener::default());
        Ok(())
    }

    /// Nobody listens at a port any more; whoever waits to be accepted is reset.
    pub(super) fn stop_listening(&mut self, port: u16, now: Time) {
        let Some(listener) = self.listeners.remove(&port) else { return };
        listener.wakers.into_iter().for_each(|waker| self.gate.wake(waker));
        for slot in listener.queue {
            self.gate.touch();
            self.socket(slot).holder = Holder::Nobody;
            self.with(slot, now, Connection::abort);
        }
    }

    /// Takes the oldest connection that waits to be accepted at a port; if none does, `waker` is woken when one will.
    pub(super) fn accept(&mut self, port: u16, waker: &Waker, now: Time) -> Option<u32> {
        let listener = self.listeners.get_mut(&port).expect("whoever accepts listens");
        let Some(slot) = listener.queue.pop_front() else {
            listener.wakers.push(waker.clone());
            return None;
        };
        let socket = self.socket(slot);
        socket.holder = Holder::Program;
        let remote = socket.tcp.remote();
        if let Some(device) = socket.device {
            let session = Session { device, network: address::network_of_client(*remote.ip()), outside: remote.port() };
            socket.session = Some(session);
            let Session { device, network, outside } = session;
            self.tell_server(ServerEvent::SessionOpened { device, network, outside }, now);
        }
        Some(slot)
    }

    /// Returns a socket that a program holds.
    pub(super) fn socket(&mut self, slot: u32) -> &mut Socket {
        self.sockets[slot as usize].as_mut().expect("a socket that somebody holds")
    }

    /// A program acts on a connection, by the kernel's clock.
    pub(super) fn act<T>(
        &mut self,
        slot: u32,
        now: Time,
        act: impl FnOnce(&mut Connection, Time, &mut Vec<Packet>) -> T,
    ) -> T {
        self.gate.touch();
        self.with(slot, now, act)
    }

    /// A program closes its direction of a connection. For a device that is leaving it.
    pub(super) fn shutdown(&mut self, slot: u32, now: Time) {
        self.leave(slot, now);
        self.act(slot, now, Connection::shutdown);
    }

    /// A connection is the program's no more; the kernel finishes it.
    pub(super) fn close(&mut self, slot: u32, now: Time) {
        self.leave(slot, now);
        let socket = self.socket(slot);
        // What becomes of it rouses nobody.
        (socket.holder, socket.reader, socket.writer) = (Holder::Nobody, None, None);
        self.act(slot, now, Connection::close);
    }

    /// Tells that a program has left a connection.
    fn leave(&mut self, slot: u32, now: Time) {
        let port = self.socket(slot).tcp.local().port();
        self.session(now, |sessions, note| sessions.end(port, End::Left, note));
        self.end_session(slot, now);
    }

    /// A packet arrives.
    pub(super) fn on_packet(&mut self, packet: &Packet, now: Time) {
        if self.is_down && self.is_cut_off && !packet.opens() {
            self.send_resets(Vec::from_iter(tcp::reset_for(packet)), now);
            return;
        }
        if self.is_down {
            self.push(Out::Dropped(packet.clone(), DropReason::HostDown), now);
            return;
        }
        self.wake_processor(now);
        let pair = (packet.dst.port(), packet.src);
        let opens = packet.opens();
        if let Some(slot) = self.by_pair.get(&pair).copied() {
            // Linux keeps a connection that finds the accept queue full half-open, and drops the packet.
            let is_half_open = self.socket(slot).tcp.state() == State::SynReceived;
            if is_half_open && packet.may_complete() && self.is_full(packet.dst.port()) {
                self.drop_packet(packet, now);
                return;
            }
            self.with(slot, now, |tcp, now, out| tcp.on_packet(now, packet, out));
        } else if opens && self.listeners.contains_key(&packet.dst.port()) {
            if self.is_full(packet.dst.port()) {
                self.drop_packet(packet, now);
                return;
            }
            let iss = numbers::server_iss(packet.src.port(), now, self.seed);
            let now_shown = self.shows(now);
            let tcp =
                Connection::accept(self.tcp.clone(), now_shown, packet.dst, packet.src, iss, packet, &mut self.packets);
            let slot = self.add(tcp, packet.device, Holder::Listener);
            self.settle(slot, now);
        } else if let Some(reset) = tcp::reset_for(packet) {
            self.push(Tap::default().counted(reset), now);
        }
        self.go_on_if_roused(now);
    }

    /// Counts a packet that comes off the device's link.
    pub(super) fn count_arrival(&mut self, packet: &Packet, counts: &mut PacketCounts) {
        let slot = self.by_pair.get(&(packet.dst.port(), packet.src));
        match slot.and_then(|slot| self.sockets[*slot as usize].as_mut()) {
            Some(socket) => socket.down.count(packet, counts),
            None => Tap::default().count(packet, counts),
        }
    }

    fn is_full(&self, port: u16) -> bool {
        self.listeners.get(&port).is_some_and(|listener| listener.queue.len() > self.backlog)
    }

    fn drop_packet(&mut self, packet: &Packet, now: Time) {
        self.push(Out::Dropped(packet.clone(), DropReason::Backlog), now);
    }

    /// Runs the timers that are due.
    pub(super) fn run_timers(&mut self, now: Time) {
        if self.next_alarm().is_some_and(|alarm| alarm <= now) {
            self.ring(now);
        }
        while let Some(slot) = self.timers.pop_due(now) {
            self.with(slot, now, Connection::on_timer);
        }
        self.go_on_if_roused(now);
        self.post();
    }

    /// Takes what waits for the node.
    pub(super) fn take(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    fn add(&mut self, tcp: Connection, device: Option<u32>, holder: Holder) -> u32 {
        let pair = (tcp.local().port(), tcp.remote());
        let number = self.opened;
        self.opened += 1;
        let socket = Some(Socket {
            tcp,
            number,
            device,
            up: Tap::default(),
            down: Tap::default(),
            holder,
            cut: None,
            is_established: false,
            is_over: false,
            session: None,
            reader: None,
            writer: None,
        });
        let slot = if let Some(slot) = self.free.pop() {
            self.sockets[slot as usize] = socket;
            slot
        } else {
            self.sockets.push(socket);
            self.sockets.len() as u32 - 1
        };
        self.by_pair.insert(pair, slot);
        slot
    }

    pub(super) fn with<T>(
        &mut self,
        slot: u32,
        now: Time,
        act: impl FnOnce(&mut Connection, Time, &mut Vec<Packet>) -> T,
    ) -> T {
        let mut packets = std::mem::take(&mut self.packets);
        let shown = self.shows(now);
        let tcp = &mut self.sockets[slot as usize].as_mut().expect("an occupied slot").tcp;
        tcp.set_held(self.next_hops.holds(tcp.local(), tcp.remote()));
        let result = act(tcp, shown, &mut packets);
        self.packets = packets;
        self.settle(slot, now);
        result
    }

    /// After a change: sends, tells the record and whoever waits, sets the timer, and removes what is over and nobody's.
    pub(super) fn settle(&mut self, slot: u32, now: Time) {
        let mut packets = std::mem::take(&mut self.packets);
        for packet in packets.drain(..) {
            let has_address = self.has_address(*packet.src.ip());
            let socket = self.socket(slot);
            let packet = Packet { device: socket.device, ..packet };
            if socket.cut == Some(Cut::Aborted) {
                continue;
            }
            let out = if has_address { socket.up.counted(packet) } else { Out::Dropped(packet, DropReason::NoRoute) };
            self.push(out, now);
        }
        self.packets = packets;
        let socket = self.socket(slot);
        if socket.cut == Some(Cut::Aborted) {
            let (port, holder) = (socket.tcp.local().port(), socket.holder);
            let waiting = socket.reader.take().into_iter().chain(socket.writer.take());
            waiting.for_each(|waker| self.gate.wake(waker));
            self.rouse(now);
            if holder != Holder::Program {
                self.remove(slot, port);
            }
            self.timers.set(slot, None);
            self.post();
            return;
        }

        let room = self.tcp.send_buffer;
        let socket = self.socket(slot);
        let (state, port) = (socket.tcp.state(), socket.tcp.local().port());
        let is_over = socket.tcp.peer_closed() || state == State::Closed;
        let is_new = !socket.is_established && !matches!(state, State::SynSent | State::SynReceived | State::Closed);
        socket.is_established |= is_new;
        let ends = is_over && !socket.is_over;
        socket.is_over = is_over;
        let reader = if is_over || socket.tcp.readable() > 0 { socket.reader.take() } else { None };
        // Linux has a writer wait until a third of the buffer is free.
        let has_room = socket.is_established && socket.tcp.unacknowledged() <= room / 3 * 2;
        let is_writable = is_new || is_over || has_room;
        let writer = if is_writable { socket.writer.take() } else { None };
        let (holder, failure) = (socket.holder, socket.tcp.failure());
        for waker in reader.into_iter().chain(writer) {
            self.gate.wake(waker);
            self.rouse(now);
        }

        if is_new {
            self.session(now, |sessions, note| sessions.established(port, note));
            if let (Holder::Listener, Some(listener)) = (holder, self.listeners.get_mut(&port)) {
                listener.queue.push_back(slot);
                listener.wakers.drain(..).for_each(|waker| self.gate.wake(waker));
            }
        }
        if ends {
            let end = End::Failed(loss(failure), attempt_failure(failure));
            self.session(now, |sessions, note| sessions.end(port, end, note));
        }
        if state == State::Closed {
            self.end_session(slot, now);
            if holder != Holder::Program {
                self.remove(slot, port);
                self.post();
                return;
            }
        }
        self.set_timer(slot);
        self.post();
    }

    /// Sets when the timer of a connection is due, by the kernel's clock as it goes now.
    pub(super) fn set_timer(&mut self, slot: u32) {
        let socket = self.sockets[slot as usize].as_ref();
        let due = socket.filter(|socket| socket.cut != Some(Cut::Aborted)).and_then(|socket| socket.tcp.next_timer());
        self.timers.set(slot, due.map(|due| self.when(due)));
    }

    /// Returns whether an address is one of the host's.
    pub(super) fn has_address(&self, ip: Ipv4Addr) -> bool {
        match self.owner {
            Owner::Device(device) => self.addresses.hold(device, ip),
            Owner::Server(_) => true,
        }
    }

    pub(super) fn remove(&mut self, slot: u32, port: u16) {
        let socket = self.sockets[slot as usize].take().expect("a socket");
        if let Some(listener) = self.listeners.get_mut(&port) {
            listener.queue.retain(|waiting| *waiting != slot);
        }
        self.by_pair.remove(&(port, socket.tcp.remote()));
        self.timers.set(slot, None);
        self.free.push(slot);
    }

    /// Tells that a server's session has ended.
    pub(super) fn end_session(&mut self, slot: u32, now: Time) {
        if let Some(Session { device, network, outside }) = self.socket(slot).session.take() {
            self.tell_server(ServerEvent::SessionClosed { device, network, outside }, now);
        }
    }

    /// Tells what happens to a server.
    pub(super) fn tell_server(&mut self, event: ServerEvent, now: Time) {
        if let Owner::Server(server) = self.owner {
            self.push(Out::Fact(Fact::Server { server, event }), now);
        }
    }

    /// Lets something happen to the connections of a device, and tells it.
    pub(super) fn session(&mut self, now: Time, happens: impl FnOnce(&mut Sessions, &mut dyn FnMut(DeviceEvent))) {
        let Owner::Device(device) = self.owner else { return };
        let mut sessions = std::mem::take(&mut self.sessions);
        happens(&mut sessions, &mut |event| self.push(Out::Fact(Fact::Device { device, event }), now));
        self.sessions = sessions;
    }

    pub(super) fn push(&mut self, out: Out, now: Time) {
        if self.out.is_empty() {
            let mut board = lock(&self.board);
            if board.dirty.is_empty() {
                board.since = now;
            }
            board.dirty.push(self.place);
        }
        self.out.push(out);
    }

    /// Tells the node when it wants to be woken.
    pub(super) fn post(&self) {
        let next_hops = self.next_hops.due().map(|due| self.when(due));
        let next = self.timers.next().into_iter().chain(self.next_alarm()).chain(next_hops).min();
        lock(&self.board).timers.set(self.place, next);
    }
}

impl Tap {
    /// Counts the next packet, for the node to send.
    pub(super) fn counted(&mut self, packet: Packet) -> Out {
        let mut counts = PacketCounts::default();
        self.count(&packet, &mut counts);
        Out::Packet(packet, counts)
    }
}
