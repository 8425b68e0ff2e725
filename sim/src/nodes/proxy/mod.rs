//! A layer-7 proxy in front of the servers: it ends the clients' TCP at the servers' addresses, and has a connection of its own
//! to the server for each of them. What goes wrong with one half the other half's kernel never learns, until the proxy ends
//! it. Sans-IO; what becomes of one connection is in `pair`.

mod pair;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddrV4,
    sync::Arc,
};

use cardiogram_policies::{Time, unit::Span};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::pair::{Pair, Stage, Step};
use crate::{
    config::{EndsWith, FrameSizes, ProxyConfig},
    fate::{
        proxy::ProxyFaults,
        random::{Coins, DrawPurpose},
        schedule::Interval,
    },
    nodes::{
        node::{Io, Node},
        timers::Timers,
    },
    record::trace::{Fact, Parting, ProxyEvent},
    wire::{
        address,
        frame::{Frame, GoodbyeReason},
        packet::Packet,
        tcp::{self, TcpConfig},
        transport::Transport,
    },
};

/// The only lane of each of its links.
const LANE: u32 = 0;
/// The first port of its connections to servers.
const FIRST_PORT: u16 = 1_024;

pub(crate) struct Proxy {
    config: ProxyConfig,
    tcp: Arc<TcpConfig>,
    frames: Option<FrameSizes>,
    seed: u64,
    networks: u32,
    servers: u32,
    /// Connections by slot; slots are used again.
    pairs: Vec<Option<Pair>>,
    free: Vec<u32>,
    /// The slots of both halves, by their addresses: this end's and the other's.
    by_end: BTreeMap<(SocketAddrV4, SocketAddrV4), u32>,
    timers: Timers,
    accepted: u64,
    next_port: u16,
    /// Restarts and drains to come, the next one last.
    restarts: Vec<Interval>,
    drains: Vec<Interval>,
    /// Until when there is no process; `None`, or a time that is past: there is one.
    down: Option<Time>,
    /// Connections that a drain will end, and when, by number, the next one first.
    leaving: VecDeque<(Time, u32, u64)>,
    /// Reused from event to event.
    packets: Vec<Packet>,
}

/// Where the proxy stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) networks: u32,
    pub(crate) servers: u32,
    /// What the lab's own devices and servers speak; `None`: others talk here, of whose protocol the proxy knows nothing.
    pub(crate) frames: Option<FrameSizes>,
}

impl Proxy {
    /// A proxy without connections. Its links are those to each network's last NAT, for one server after the other, and then
    /// those to the servers.
    pub(crate) fn new(config: ProxyConfig, place: Place, faults: &ProxyFaults, seed: u64) -> Self {
        let Place { networks, servers, frames } = place;
        Self {
            tcp: Arc::new(TcpConfig::of(&config.tcp)),
            config,
            frames,
            seed,
            networks,
            servers,
            pairs: Vec::new(),
            free: Vec::new(),
            by_end: BTreeMap::new(),
            timers: Timers::default(),
            accepted: 0,
            next_port: FIRST_PORT,
            restarts: faults.restarts.iter().rev().copied().collect(),
            drains: faults.drains.iter().rev().copied().collect(),
            down: None,
            leaving: VecDeque::new(),
            packets: Vec::new(),
        }
    }

    fn send(&self, packet: Packet, io: &mut Io) {
        let to_server = address::server_at(*packet.dst.ip()).filter(|server| *server < self.servers);
        let link = if let Some(server) = to_server {
            self.networks * self.servers + server
        } else {
            let server = address::server_at(*packet.src.ip()).expect("it answers clients in the name of servers");
            address::network_of_client(*packet.dst.ip()) * self.servers + server
        };
        io.send(link as usize, LANE, packet);
    }

    fn transmit(&mut self, io: &mut Io) {
        let mut packets = std::mem::take(&mut self.packets);
        for mut packet in packets.drain(..) {
            let slot = self.by_end.get(&(packet.src, packet.dst));
            packet.device = slot.and_then(|slot| self.pairs[*slot as usize].as_ref()?.owner);
            self.send(packet, io);
        }
        self.packets = packets;
    }

    fn pair(&mut self, slot: u32) -> &mut Pair {
        self.pairs[slot as usize].as_mut().expect("an occupied slot")
    }

    /// Takes a SYN of a client.
    fn accept(&mut self, now: Time, packet: &Packet, io: &mut Io) {
        let server = address::server_at(*packet.dst.ip()).expect("clients go to servers");
        let iss = xxh3_64_with_seed(&now.as_micros().to_le_bytes(), self.seed ^ u64::from(packet.src.port())) as u32;
        let client = Transport::accept(self.tcp.clone(), now, packet.dst, iss, packet, &mut self.packets);
        let mut pair = Pair::new(self.accepted, server, client, now);
        pair.owner = packet.device;
        self.accepted += 1;
        if let Some(age) = &self.config.max_age {
            let client = u64::from(packet.src.ip().to_bits()) << 16 | u64::from(packet.src.port());
            let coins = Coins::new(self.seed, "proxy/age", u64::from(server) << 48 | client);
            pair.ends = Some(now + age.at(coins.unit(DrawPurpose::Age, now)));
        }
        let slot = if let Some(slot) = self.free.pop() {
            self.pairs[slot as usize] = Some(pair);
            slot
        } else {
            self.pairs.push(Some(pair));
            self.pairs.len() as u32 - 1
        };
        self.by_end.insert((packet.dst, packet.src), slot);
        self.transmit(io);
        self.settle(slot);
    }

    /// Connects to the server for a client that has introduced itself.
    fn connect(&mut self, slot: u32, device: u32, now: Time, io: &mut Io) {
        let remote = address::server(self.pair(slot).server);
        self.pair(slot).device = Some(device);
        let Some(port) = self.take_port(remote) else {
            self.take(slot, Step::Refuse, now, io);
            return;
        };
        let local = SocketAddrV4::new(*address::PROXY.ip(), port);
        let iss = xxh3_64_with_seed(&now.as_micros().to_le_bytes(), self.seed ^ u64::from(local.port()) << 16) as u32;
        let upstream = Transport::connect(self.tcp.clone(), now, local, remote, iss, &mut self.packets);
        let until = now + self.config.connect_timeout.get();
        let pair = self.pair(slot);
        (pair.upstream, pair.stage) = (Some(upstream), Stage::Connecting(until));
        self.by_end.insert((local, remote), slot);
        self.transmit(io);
    }

    /// Returns a port that no other connection to the server has; `None`: all are taken.
    fn take_port(&mut self, remote: SocketAddrV4) -> Option<u16> {
        (FIRST_PORT..=u16::MAX).find_map(|_| {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            let is_taken = self.by_end.contains_key(&(SocketAddrV4::new(*address::PROXY.ip(), port), remote));
            (!is_taken).then_some(port)
        })
    }

    /// Carries out whatever follows from what has happened to a connection.
    fn follow(&mut self, slot: u32, now: Time, io: &mut Io) {
        loop {
            let mut packets = std::mem::take(&mut self.packets);
            let reads_frames = self.frames.is_some();
            let step = self.pair(slot).advance(now, reads_frames, &mut packets);
            self.packets = packets;
            self.transmit(io);
            let Some(step) = step else { break };
            self.take(slot, step, now, io);
        }
        self.settle(slot);
    }

    fn take(&mut self, slot: u32, step: Step, now: Time, io: &mut Io) {
        match step {
            Step::Connect(device) => self.connect(slot, device, now, io),
            Step::Join => {
                let upstream = self.pair(slot).upstream.as_ref().map(|upstream| upstream.local().port());
                self.pair(slot).stage = Stage::Joined;
                self.note(slot, ProxyEvent::Joined { upstream: upstream.expect("it is up") }, io);
            }
            Step::Refuse => {
                self.note(slot, ProxyEvent::BadGateway, io);
                if let Some(frames) = &self.frames {
                    let mut bytes = Vec::new();
                    Frame::Goodbye { reason: GoodbyeReason::BadGateway, retry_after: None }.encode(frames, &mut bytes);
                    let mut packets = std::mem::take(&mut self.packets);
                    self.pair(slot).client.write(now, &bytes, &mut packets);
                    self.packets = packets;
                }
                self.end(slot, EndsWith::Fin, now, io);
            }
            Step::Part(why) => self.part(slot, why, self.config.ends_with, now, io),
        }
    }

    /// Ends both halves.
    fn part(&mut self, slot: u32, why: Parting, how: EndsWith, now: Time, io: &mut Io) {
        if self.pair(slot).stage == Stage::Joined {
            self.note(slot, ProxyEvent::Parted { why }, io);
        }
        self.end(slot, how, now, io);
    }

    fn end(&mut self, slot: u32, how: EndsWith, now: Time, io: &mut Io) {
        let mut packets = std::mem::take(&mut self.packets);
        let pair = self.pair(slot);
        pair.stage = Stage::Parted;
        for half in pair.halves() {
            match how {
                EndsWith::Fin => half.close(now, &mut packets),
                EndsWith::Rst => half.abort(now, &mut packets),
            }
        }
        self.packets = packets;
        self.transmit(io);
    }

    fn note(&self, slot: u32, event: ProxyEvent, io: &mut Io) {
        let pair = self.pairs[slot as usize].as_ref().expect("an occupied slot");
        let client = pair.client.remote();
        io.note(Fact::Proxy {
            device: pair.device.expect("the client has introduced itself"),
            network: address::network_of_client(*client.ip()),
            outside: client.port(),
            server: pair.server,
            event,
        });
    }

    /// After a change: sets the timer, or forgets a connection of which nothing is left.
    fn settle(&mut self, slot: u32) {
        let pair = self.pairs[slot as usize].as_mut().expect("an occupied slot");
        let is_over = pair.stage == Stage::Parted && pair.halves().all(|half| half.is_closed());
        if is_over {
            let ends: Vec<_> = pair.halves().map(|half| (half.local(), half.remote())).collect();
            for end in ends {
                self.by_end.remove(&end);
            }
            self.pairs[slot as usize] = None;
            self.timers.set(slot, None);
            self.free.push(slot);
            return;
        }
        let own = pair.deadline(&self.config).map(|(due, _)| due);
        let kernel = pair.halves().filter_map(|half| half.next_timer()).min();
        self.timers.set(slot, own.into_iter().chain(kernel).min());
    }

    /// Lets a connection's kernel and the proxy do what is due for it.
    fn run_timers(&mut self, slot: u32, now: Time, io: &mut Io) {
        let mut packets = std::mem::take(&mut self.packets);
        for half in self.pair(slot).halves() {
            if half.next_timer().is_some_and(|due| due <= now) {
                half.on_timer(now, &mut packets);
            }
        }
        self.packets = packets;
        self.transmit(io);
        self.follow(slot, now, io);
        if let Some(pair) = &self.pairs[slot as usize]
            && let Some(step) = pair.on_time(&self.config, now)
        {
            self.take(slot, step, now, io);
            self.settle(slot);
        }
    }

    /// Returns the connections that are not ended yet, the oldest first.
    fn alive(&self) -> Vec<(u64, u32)> {
        let slots = (0..).zip(&self.pairs).filter_map(|(slot, pair)| Some((slot, pair.as_ref()?)));
        let alive = slots.filter(|(_, pair)| pair.stage != Stage::Parted);
        let mut alive: Vec<(u64, u32)> = alive.map(|(slot, pair)| (pair.number, slot)).collect();
        alive.sort_unstable();
        alive
    }

    /// The process is gone: its kernel closes every connection, and resets those that nobody had accepted.
    fn die(&mut self, now: Time, io: &mut Io) {
        self.leaving.clear();
        for (_, slot) in self.alive() {
            let how = if self.pair(slot).client.is_half_open() { EndsWith::Rst } else { EndsWith::Fin };
            self.part(slot, Parting::Restarted, how, now, io);
            self.settle(slot);
        }
    }

    /// Plans the ends of the connections there are, over a time that begins now.
    fn drain(&mut self, drain: Interval) {
        let alive = self.alive();
        let count = alive.len() as u32;
        let over = drain.end.since(drain.begin);
        let ends = (0..).zip(alive).map(|(place, (number, slot))| (drain.begin + over * place / count, slot, number));
        self.leaving.extend(ends);
        self.leaving.make_contiguous().sort_unstable_by_key(|(at, _, number)| (*at, *number));
    }

    /// Applies what is on the schedule up to this moment.
    fn keep_to_schedule(&mut self, now: Time, io: &mut Io) {
        self.down.take_if(|until| *until <= now);
        while let Some(restart) = self.restarts.pop_if(|restart| restart.begin <= now) {
            self.die(now, io);
            self.down = Some(restart.end);
        }
        while let Some(drain) = self.drains.pop_if(|drain| drain.begin <= now) {
            self.drain(drain);
        }
        while self.leaving.front().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, slot, number)) = self.leaving.pop_front()
        {
            let is_there = self.pairs[slot as usize].as_ref();
            if is_there.is_some_and(|pair| pair.number == number && pair.stage != Stage::Parted) {
                self.part(slot, Parting::Drained, self.config.ends_with, now, io);
                self.settle(slot);
            }
        }
    }
}

impl Node for Proxy {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        // A fault that begins at this very moment comes first.
        self.keep_to_schedule(now, io);
        let Some(slot) = self.by_end.get(&(packet.dst, packet.src)).copied() else {
            let opens = packet.opens();
            let listens = self.down.is_none() && packet.dst.port() == address::SERVER_PORT;
            if opens && listens && packet.dst.ip() != address::PROXY.ip() {
                self.accept(now, &packet, io);
            } else if let Some(reset) = tcp::reset_for(&packet) {
                self.send(reset, io);
            }
            return;
        };
        let mut packets = std::mem::take(&mut self.packets);
        let half = self.pair(slot).halves().find(|half| half.local() == packet.dst && half.remote() == packet.src);
        half.expect("found by its addresses").on_packet(now, &packet, &mut packets);
        self.packets = packets;
        self.transmit(io);
        self.follow(slot, now, io);
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        self.keep_to_schedule(now, io);
        while let Some(slot) = self.timers.pop_due(now) {
            self.run_timers(slot, now, io);
        }
    }

    fn freeze(&mut self, now: Time) {
        (self.config.client_idle, self.config.server_idle, self.config.idle) = (None, None, None);
        self.config.connect_timeout = Span::secs(1_000_000);
        self.config.max_age = None;
        (self.restarts, self.drains, self.leaving) = (Vec::new(), Vec::new(), VecDeque::new());
        self.down = self.down.filter(|until| *until > now).map(|_| Time::MAX);
        for slot in 0..self.pairs.len() as u32 {
            let Some(pair) = &mut self.pairs[slot as usize] else { continue };
            pair.ends = None;
            if let Stage::Connecting(until) = &mut pair.stage {
                *until = Time::MAX;
            }
            if pair.stage != Stage::Parted {
                pair.halves().for_each(|half| half.endure(now));
            }
            self.settle(slot);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        let faults = [self.restarts.last(), self.drains.last()].into_iter().flatten().map(|fault| fault.begin);
        let leaves = self.leaving.front().map(|(at, ..)| *at);
        faults.chain(leaves).chain(self.timers.next()).min()
    }
}
