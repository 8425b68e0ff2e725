//! The server host's end of every connection: a listener with its accept queue, and a connection for every client. It
//! acknowledges whether or not the process is well.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddrV4,
    sync::Arc,
};

use cardiogram_policies::{Time, heartbeat::TcpKeepalive, unit::Span};

use crate::{
    config::ServerConfig,
    fate::struck::Struck,
    nodes::{node::Io, numbers, timers::Timers},
    record::trace::DropReason,
    wire::{
        address,
        packet::Packet,
        tcp::{self, TcpConfig},
        transport::Transport,
    },
};

/// The only lane of each of the server's links, which lead to the last NAT of every network, by its number.
const LANE: u32 = 0;

/// Sends a packet of a server to the network that it belongs to.
pub(crate) fn send(packet: Packet, io: &mut Io) {
    io.send(address::network_of_client(*packet.dst.ip()) as usize, LANE, packet);
}

pub(super) struct Kernel {
    local: SocketAddrV4,
    tcp: Arc<TcpConfig>,
    /// The kernel of handshakes that nobody remembers: their SYN-ACK is sent once.
    cookies: Option<Arc<TcpConfig>>,
    keepalive: Option<TcpKeepalive>,
    backlog: usize,
    abort_on_overflow: bool,
    syn_backlog: usize,
    /// Handshakes that are open, and remembered.
    half_open: usize,
    seed: u64,
    listening: bool,
    /// Connections by slot; slots are used again. Boxed, so that room to grow is room for places only.
    connections: Vec<Option<Box<Entry>>>,
    free: Vec<u32>,
    /// The connection of each remote end, as one number, which a map compares at once.
    by_remote: BTreeMap<u64, u32>,
    accept_queue: VecDeque<u32>,
    timers: Timers,
    /// Slots that the process should look at: readable, closed or failed.
    events: Vec<u32>,
    /// Reused from event to event.
    packets: Vec<Packet>,
}

struct Entry {
    end: Transport,
    owner: Owner,
    /// It counts among the handshakes that are open.
    half_open: bool,
    /// Whose connection it is, as the lab knows.
    device: Option<u32>,
}

/// The owner of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The listener: not established yet, or not accepted.
    Listener,
    /// The process: it has accepted the connection.
    Process,
    /// Nobody: the kernel finishes it alone.
    Nobody,
}

impl Kernel {
    pub(super) fn new(server: u32, config: &ServerConfig, seed: u64) -> Self {
        let tcp = Arc::new(TcpConfig::of(&config.tcp));
        let cookies = || Arc::new((*tcp).clone().with_cookies());
        Self {
            local: address::server(server),
            cookies: config.syncookies.then(cookies),
            tcp,
            keepalive: config.keepalive.clone(),
            backlog: config.backlog as usize,
            abort_on_overflow: config.abort_on_overflow,
            syn_backlog: config.syn_backlog as usize,
            half_open: 0,
            seed,
            listening: true,
            connections: Vec::new(),
            free: Vec::new(),
            by_remote: BTreeMap::new(),
            accept_queue: VecDeque::new(),
            timers: Timers::default(),
            events: Vec::new(),
            packets: Vec::new(),
        }
    }

    /// A packet arrives. `takes_newcomers`: its sender is not one of those for whom nobody listens.
    pub(super) fn on_packet(&mut self, now: Time, packet: &Packet, takes_newcomers: bool, io: &mut Io) {
        if packet.dst != self.local {
            // Another port of the host, where nobody listens.
            Self::refuse(packet, io);
            return;
        }
        let opens = packet.opens();
        match self.by_remote.get(&key(packet.src)).copied() {
            Some(slot) => {
                // Linux keeps a connection that finds the accept queue full half-open, and drops the packet.
                let completes = self.end(slot).is_half_open() && packet.may_complete();
                if completes && self.accept_queue_is_full() {
                    io.dropped(packet, DropReason::Backlog);
                    if self.abort_on_overflow && !opens {
                        self.reset(slot, now, io);
                    }
                    return;
                }
                self.with(slot, now, io, |end, out| end.on_packet(now, packet, out));
                if completes && self.end(slot).is_established() {
                    self.accept_queue.push_back(slot);
                }
                self.settle(slot);
            }
            None if opens && self.listening && takes_newcomers => self.on_syn(now, packet, io),
            None => Self::refuse(packet, io),
        }
    }

    /// Answers a packet of a connection that nobody knows.
    pub(super) fn refuse(packet: &Packet, io: &mut Io) {
        Self::send_resets(tcp::reset_for(packet).into_iter(), io);
    }

    /// Sends RSTs that were made before.
    pub(super) fn send_resets(resets: impl Iterator<Item = Packet>, io: &mut Io) {
        for reset in resets {
            send(reset, io);
        }
    }

    fn on_syn(&mut self, now: Time, packet: &Packet, io: &mut Io) {
        if self.accept_queue_is_full() {
            io.dropped(packet, DropReason::Backlog);
            return;
        }
        let remembered = self.half_open < self.syn_backlog;
        let tcp = if remembered { Some(&self.tcp) } else { self.cookies.as_ref() };
        let Some(tcp) = tcp.cloned() else {
            io.dropped(packet, DropReason::Backlog);
            return;
        };
        let iss = numbers::server_iss(packet.src.port(), now, self.seed);
        let mut end = Transport::accept(tcp, now, self.local, iss, packet, &mut self.packets);
        if let Some(keepalive) = &self.keepalive {
            end.set_keepalive(now, Some(keepalive.numbers()));
            end.set_user_timeout(keepalive.user_timeout.map(Span::get));
        }
        self.half_open += usize::from(remembered);
        let entry = Entry { end, owner: Owner::Listener, half_open: remembered, device: packet.device };
        let entry = Some(Box::new(entry));
        let slot = if let Some(slot) = self.free.pop() {
            self.connections[slot as usize] = entry;
            slot
        } else {
            self.connections.push(entry);
            self.connections.len() as u32 - 1
        };
        self.by_remote.insert(key(packet.src), slot);
        self.transmit(packet.device, io);
        self.settle(slot);
    }

    /// As Linux counts it: one more connection than the backlog may wait.
    fn accept_queue_is_full(&self) -> bool {
        self.accept_queue.len() > self.backlog
    }

    pub(super) fn run_timers(&mut self, now: Time, io: &mut Io) {
        while let Some(slot) = self.timers.pop_due(now) {
            self.with(slot, now, io, |end, out| end.on_timer(now, out));
            self.settle(slot);
        }
    }

    pub(super) fn next_timer(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Takes a slot with something new for the process.
    pub(super) fn pop_event(&mut self) -> Option<u32> {
        self.events.pop()
    }

    /// Returns whether a connection waits to be accepted.
    pub(super) fn can_accept(&self) -> bool {
        !self.accept_queue.is_empty()
    }

    /// Returns the process accepts the oldest connection that waits.
    pub(super) fn accept(&mut self) -> Option<u32> {
        let slot = self.accept_queue.pop_front()?;
        self.entry(slot).owner = Owner::Process;
        Some(slot)
    }

    /// Returns the connection of an occupied slot, as the process sees it.
    pub(super) fn end(&self, slot: u32) -> &Transport {
        &self.connections[slot as usize].as_ref().expect("an occupied slot").end
    }

    pub(super) fn read(&mut self, slot: u32, now: Time, into: &mut Vec<u8>, io: &mut Io) {
        self.with(slot, now, io, |end, out| end.read(now, into, out));
        self.settle(slot);
    }

    pub(super) fn write(&mut self, slot: u32, now: Time, bytes: &[u8], io: &mut Io) {
        self.with(slot, now, io, |end, out| _ = end.write(now, bytes, out));
        self.settle(slot);
    }

    /// The process closes a connection; the kernel finishes it.
    pub(super) fn close(&mut self, slot: u32, now: Time, io: &mut Io) {
        self.entry(slot).owner = Owner::Nobody;
        self.with(slot, now, io, |end, out| end.close(now, out));
        self.settle(slot);
    }

    /// Returns the device whose connection is in a slot.
    pub(super) fn device(&self, slot: u32) -> Option<u32> {
        self.connections[slot as usize].as_ref().and_then(|entry| entry.device)
    }

    /// Nobody listens any more for those who are struck: their new connections are refused, and those not accepted yet are
    /// reset.
    pub(super) fn stop_listening(&mut self, struck: &Struck, now: Time, io: &mut Io) {
        self.listening &= !struck.is_all();
        for slot in self.slots_of(struck) {
            if self.owner(slot) == Some(Owner::Listener) {
                self.reset(slot, now, io);
            }
        }
    }

    /// The process of those who are struck is gone: its connections are closed (RST where it had unread data), those it had
    /// not accepted are reset, and nobody listens.
    pub(super) fn process_died(&mut self, struck: &Struck, now: Time, io: &mut Io) {
        self.listening &= !struck.is_all();
        for slot in self.slots_of(struck) {
            match self.owner(slot) {
                Some(Owner::Process) => self.close(slot, now, io),
                Some(Owner::Listener) => self.reset(slot, now, io),
                Some(Owner::Nobody) | None => {}
            }
        }
        self.events.retain(|slot| !struck.is_all() && self.connections[*slot as usize].is_some());
    }

    /// The host loses every connection of those who are struck, without a word.
    pub(super) fn lose(&mut self, struck: &Struck) {
        for slot in self.slots_of(struck) {
            self.remove(slot);
        }
        self.events.retain(|slot| self.connections[*slot as usize].is_some());
    }

    /// Returns the slots of the connections of those who are struck; none of them waits to be accepted any more.
    fn slots_of(&mut self, struck: &Struck) -> Vec<u32> {
        let is_struck = |slot: &u32| {
            let entry = self.connections[*slot as usize].as_ref();
            entry.is_some_and(|entry| struck.has_whoever(entry.device))
        };
        let slots: Vec<u32> = (0..self.connections.len() as u32).filter(is_struck).collect();
        if struck.is_all() {
            self.accept_queue.clear();
        } else {
            self.accept_queue.retain(|waiting| slots.binary_search(waiting).is_err());
        }
        slots
    }

    /// Every connection is reset at both ends.
    pub(super) fn reset_all(&mut self, now: Time, io: &mut Io) {
        for slot in 0..self.connections.len() as u32 {
            if self.connections[slot as usize].is_some() {
                self.with(slot, now, io, |end, out| end.abort(now, out));
                self.settle(slot);
            }
        }
    }

    /// Returns the host loses its power, and with it every connection, without a word. Returns the RSTs with which someone else
    /// who knows the connections could end them.
    pub(super) fn power_off(&mut self, now: Time) -> Vec<Packet> {
        let mut resets = Vec::new();
        for slot in 0..self.connections.len() as u32 {
            if let Some(entry) = &mut self.connections[slot as usize] {
                let first = resets.len();
                entry.end.abort(now, &mut resets);
                resets[first..].iter_mut().for_each(|reset: &mut Packet| reset.device = entry.device);
            }
            self.remove(slot);
        }
        self.listening = false;
        self.accept_queue.clear();
        self.events.clear();
        resets
    }

    /// A new process listens.
    pub(super) fn listen(&mut self) {
        self.listening = true;
    }

    /// The connections of the process are never given up any more.
    pub(super) fn freeze(&mut self, now: Time) {
        for entry in self.connections.iter_mut().flatten().filter(|entry| entry.owner == Owner::Process) {
            entry.end.endure(now);
        }
    }

    fn owner(&self, slot: u32) -> Option<Owner> {
        self.connections[slot as usize].as_ref().map(|entry| entry.owner)
    }

    fn reset(&mut self, slot: u32, now: Time, io: &mut Io) {
        self.entry(slot).owner = Owner::Nobody;
        self.with(slot, now, io, |end, out| end.abort(now, out));
        self.settle(slot);
    }

    fn entry(&mut self, slot: u32) -> &mut Entry {
        self.connections[slot as usize].as_mut().expect("an occupied slot")
    }

    fn with(&mut self, slot: u32, now: Time, io: &mut Io, work: impl FnOnce(&mut Transport, &mut Vec<Packet>)) {
        debug_assert!(self.packets.is_empty(), "packets of another moment than {now}");
        let entry = self.connections[slot as usize].as_mut().expect("an occupied slot");
        work(&mut entry.end, &mut self.packets);
        let device = entry.device;
        self.transmit(device, io);
    }

    fn transmit(&mut self, device: Option<u32>, io: &mut Io) {
        for packet in self.packets.drain(..) {
            send(Packet { device, ..packet }, io);
        }
    }

    /// After a change: sets the timer, tells the process, and removes what is over and belongs to nobody.
    fn settle(&mut self, slot: u32) {
        let Some(entry) = &mut self.connections[slot as usize] else { return };
        let closed = entry.end.is_closed();
        if entry.half_open && !entry.end.is_half_open() {
            entry.half_open = false;
            self.half_open -= 1;
        }
        match entry.owner {
            Owner::Process if closed || entry.end.readable() > 0 || entry.end.peer_closed() => self.events.push(slot),
            Owner::Nobody if closed => return self.remove(slot),
            Owner::Listener if closed => {
                self.accept_queue.retain(|waiting| *waiting != slot);
                return self.remove(slot);
            }
            _ => {}
        }
        let due = self.connections[slot as usize].as_ref().and_then(|entry| entry.end.next_timer());
        self.timers.set(slot, due);
    }

    /// Removes a connection that is over.
    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(entry) = self.connections[slot as usize].take() {
            self.half_open -= usize::from(entry.half_open);
            self.by_remote.remove(&key(entry.end.remote()));
            self.timers.set(slot, None);
            self.free.push(slot);
        }
    }
}

fn key(remote: SocketAddrV4) -> u64 {
    u64::from(remote.ip().to_bits()) << 16 | u64::from(remote.port())
}
