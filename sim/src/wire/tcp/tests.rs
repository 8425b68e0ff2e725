//! What a connection does and when, seen from outside: two ends on a wire of constant delay that can be cut, in virtual
//! time. Numbers are those of Linux on ideal timers; `captures` compares with a real kernel's captures.

mod acknowledgement;
mod error;
mod keepalive;
mod lifecycle;
mod retransmission;
mod systems;
mod window;

use std::{collections::VecDeque, net::SocketAddrV4, sync::Arc, time::Duration};

use cardiogram_policies::Time;

use super::{Connection, State, TcpConfig, reset_for};
use crate::{
    config::TcpStack,
    wire::packet::{Flags, Packet},
};

const CLIENT: usize = 0;
const SERVER: usize = 1;
/// Slack for a comparison with round numbers of milliseconds: a few round trips of [`NEAR`], doubled a few times.
const SLACK: f64 = 0.015;
/// One way between two hosts side by side.
const NEAR: Duration = Duration::from_micros(5);

/// A packet that was put on the wire.
struct Sent {
    at: Time,
    from: usize,
    packet: Packet,
}

/// Two hosts and a wire.
struct Lab {
    now: Time,
    configs: [Arc<TcpConfig>; 2],
    delay: Duration,
    /// Whether a packet put on the wire at this time by this end is lost.
    cut: Box<dyn Fn(Time, usize) -> bool>,
    ends: [Option<Connection>; 2],
    wire: VecDeque<(Time, usize, Packet)>,
    sent: Vec<Sent>,
}

impl Lab {
    fn new(delay: Duration) -> Self {
        let config = Arc::new(TcpConfig::preset(TcpStack::LinuxNew));
        Self {
            now: Time::from_millis(1_000),
            configs: [config.clone(), config],
            delay,
            cut: Box::new(|_, _| false),
            ends: [None, None],
            wire: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    /// Two hosts with a connection at rest: established, nothing exchanged yet. The record is empty.
    fn established(delay: Duration) -> Self {
        let mut lab = Self::new(delay);
        lab.connect(0xffff_fff0);
        lab.run_for(1.0);
        assert_eq!([lab.end(CLIENT).state(), lab.end(SERVER).state()], [State::Established; 2]);
        lab.sent.clear();
        lab
    }

    fn address(end: usize) -> SocketAddrV4 {
        let port = [40_000, 7_000][end];
        SocketAddrV4::new([10, 0, 0, end as u8 + 1].into(), port)
    }

    /// The client connects; the server's own sequence numbers begin at `0x7fff_fffa`, so that both wrap around early.
    fn connect(&mut self, iss: u32) {
        let mut out = Vec::new();
        let config = self.configs[CLIENT].clone();
        let client = Connection::connect(config, self.now, Self::address(CLIENT), Self::address(SERVER), iss, &mut out);
        self.ends[CLIENT] = Some(client);
        self.transmit(CLIENT, out);
    }

    fn end(&self, end: usize) -> &Connection {
        self.ends[end].as_ref().expect("a connection")
    }

    /// Lets an end do something now.
    fn act<T>(&mut self, end: usize, work: impl FnOnce(&mut Connection, Time, &mut Vec<Packet>) -> T) -> T {
        let mut out = Vec::new();
        let result = work(self.ends[end].as_mut().expect("a connection"), self.now, &mut out);
        self.transmit(end, out);
        result
    }

    fn write(&mut self, end: usize, data: &[u8]) {
        let taken = self.act(end, |tcp, now, out| tcp.write(now, data, out));
        assert_eq!(taken, data.len());
    }

    fn read(&mut self, end: usize) -> Vec<u8> {
        let mut into = Vec::new();
        self.act(end, |tcp, now, out| tcp.read(now, &mut into, out));
        into
    }

    fn transmit(&mut self, from: usize, packets: Vec<Packet>) {
        for packet in packets {
            if !(self.cut)(self.now, from) {
                self.wire.push_back((self.now + self.delay, 1 - from, packet.clone()));
            }
            self.sent.push(Sent { at: self.now, from, packet });
        }
    }

    /// Hands a packet to an end, as if it came off the wire now.
    fn inject(&mut self, to: usize, packet: &Packet) {
        let mut out = Vec::new();
        match &mut self.ends[to] {
            Some(tcp) => tcp.on_packet(self.now, packet, &mut out),
            None if packet.flags.has(Flags::SYN) => {
                let config = self.configs[to].clone();
                let tcp = Connection::accept(config, self.now, packet.dst, packet.src, 0x7fff_fffa, packet, &mut out);
                self.ends[to] = Some(tcp);
            }
            None => out.extend(reset_for(packet)),
        }
        self.transmit(to, out);
    }

    fn next_event(&self) -> Option<Time> {
        let arrival = self.wire.front().map(|(arrival, ..)| *arrival);
        self.ends.iter().flatten().filter_map(Connection::next_timer).chain(arrival).min()
    }

    /// Runs until `seconds` from now. Packets come before timers.
    fn run_for(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while let Some(due) = self.next_event().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            while self.wire.front().is_some_and(|(arrival, ..)| *arrival <= self.now) {
                let (_, to, packet) = self.wire.pop_front().expect("looked");
                self.inject(to, &packet);
            }
            for end in [CLIENT, SERVER] {
                if self.ends[end].as_ref().and_then(Connection::next_timer).is_some_and(|due| due <= self.now) {
                    self.act(end, Connection::on_timer);
                }
            }
        }
        self.now = end;
    }

    /// From now on everything is lost.
    fn cut_both(&mut self) {
        self.cut = Box::new(|_, _| true);
    }

    fn heal(&mut self) {
        self.cut = Box::new(|_, _| false);
    }

    /// Returns when an end sent a packet, in seconds since `start`.
    fn times(&self, from: usize, start: Time) -> Vec<f64> {
        self.sent.iter().filter(|sent| sent.from == from).map(|sent| sent.at.since(start).as_secs_f64()).collect()
    }

    /// Returns what was sent since the record was cleared, as `c P. 5` (end, flags, length).
    fn summary(&self) -> Vec<String> {
        let line = |sent: &Sent| {
            let end = ["c", "s"][sent.from];
            format!("{end} {:?} {}", sent.packet.flags, sent.packet.payload.len())
        };
        self.sent.iter().map(line).collect()
    }
}

/// Runs until an end fails, and says after how many seconds from `start`.
fn fails_after(lab: &mut Lab, end: usize, start: Time) -> f64 {
    while lab.end(end).failure().is_none() {
        let due = lab.next_event().expect("a connection that will fail has something to do");
        lab.run_for(due.since(lab.now).as_secs_f64());
    }
    lab.now.since(start).as_secs_f64()
}

fn assert_times(actual: &[f64], expected: &[f64]) {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < SLACK;
    assert!(actual.len() == expected.len() && actual.iter().zip(expected).all(near), "{actual:?}\n{expected:?}");
}
