//! The last router before a server's host, where it is one that asks for the host's hardware: a node around the host's. While the
//! host is there, everything passes. Once it is gone, what is sent to it is lost, until the router has asked in vain: from
//! then on it tells the sender of each packet that the host is unreachable.
//!
//! The states are those of Linux (`net/core/neighbour.c`, RFC 4861, 7.3.2), and so are the numbers. A router hears nothing of
//! TCP's progress, so that only an answer to a question tells it that the host is there.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use cardiogram_policies::Time;

use super::{
    icmp_limit::{self, IcmpLimit},
    neighbour::{Neighbour, Question},
    node::{Io, Node},
    server,
};
use crate::{
    fate::schedule::Interval,
    record::{counts::Counts, trace::DropReason},
    wire::{
        address,
        packet::{Obstacle, Packet},
        tcp::TcpConfig,
    },
};

/// For how long an answer holds: Linux draws 15 s to 45 s around this (`base_reachable_time_ms`). A constant here (A).
const REACHABLE: Duration = Duration::from_secs(30);
/// How long the router waits for a sign of life before it asks for itself (`delay_first_probe_time`).
const DELAY: Duration = Duration::from_secs(5);
/// How many packets may wait for an answer; the oldest makes room. Small ones, of which 768 bytes each count (A), of 212,992
/// (`unres_qlen_bytes`).
const QUEUE_MAX: usize = 277;

pub(crate) struct LastRouter {
    host: Box<dyn Node>,
    /// The host's address, which stands for the router's where timers have slots.
    address: Ipv4Addr,
    tcp: Arc<TcpConfig>,
    /// When the host is not there; sorted, without overlaps.
    gone: Vec<Interval>,
    entry: Entry,
    /// When it last sent something on to the host.
    used: Time,
    /// By the address that is told.
    limits: BTreeMap<Ipv4Addr, IcmpLimit>,
}

/// What it knows of the host.
enum Entry {
    /// Nothing: it asks as soon as something is to be sent.
    Unknown,
    /// It has answered.
    Reachable { until: Time },
    /// It has not been asked for a while.
    Stale,
    /// Something was sent to it, and nothing says that it is there.
    Delay { until: Time },
    /// It is asked, and what is to be sent goes to where it was.
    Probe(Neighbour<Packet>),
    /// It is asked, and what is to be sent waits.
    Incomplete(Neighbour<Packet>),
}

impl LastRouter {
    /// Puts the router before the `host` of a server that is `gone` at these times.
    pub(crate) fn before(host: Box<dyn Node>, server: u32, tcp: Arc<TcpConfig>, gone: Vec<Interval>) -> Self {
        let address = *address::server(server).ip();
        Self { host, address, tcp, gone, entry: Entry::Unknown, used: Time::ZERO, limits: BTreeMap::new() }
    }

    fn is_gone(&self, at: Time) -> bool {
        Interval::any_contains(&self.gone, at)
    }

    fn ask(&self, now: Time) -> Neighbour<Packet> {
        Neighbour::ask(now, self.address, &self.tcp)
    }

    /// The host answers: it is there.
    fn hear(&self, now: Time) -> Entry {
        Entry::Reachable { until: self.tcp.timer(now, self.address, REACHABLE) }
    }

    /// Lets happen what was due up to `now` while nothing waits: nobody sees it until something is to be sent.
    fn catch_up(&mut self, now: Time) {
        loop {
            self.entry = match &mut self.entry {
                Entry::Reachable { until } if *until <= now => {
                    let until = *until;
                    if self.used + DELAY > until {
                        Entry::Delay { until: self.tcp.timer(until, self.address, DELAY) }
                    } else {
                        Entry::Stale
                    }
                }
                Entry::Delay { until } if *until <= now => {
                    let until = *until;
                    if self.is_gone(until) { Entry::Probe(self.ask(until)) } else { self.hear(until) }
                }
                Entry::Probe(neighbour) if neighbour.due() <= now => {
                    let due = neighbour.due();
                    let answers = !Interval::any_contains(&self.gone, due);
                    match neighbour.ask_again(due, answers, &self.tcp) {
                        Question::Answered => self.hear(due),
                        Question::Again => continue,
                        Question::InVain => Entry::Unknown,
                    }
                }
                _ => return,
            }
        }
    }

    /// Keeps a packet until the host has answered.
    fn wait(&mut self, packet: Packet, io: &mut Io) {
        let Entry::Incomplete(neighbour) = &mut self.entry else { unreachable!("it asks") };
        if neighbour.waiting().len() == QUEUE_MAX {
            io.dropped(&neighbour.give_up_oldest(), DropReason::NoNeighbour);
        }
        neighbour.wait(packet);
    }

    /// A question counts as unanswered, and others wait for what comes of it.
    fn run_question(&mut self, now: Time, io: &mut Io) {
        let answers = !self.is_gone(now);
        let Entry::Incomplete(neighbour) = &mut self.entry else { unreachable!("it asks") };
        let (in_vain, next) = match neighbour.ask_again(now, answers, &self.tcp) {
            Question::Again => return,
            Question::Answered => (false, self.hear(now)),
            Question::InVain => (true, Entry::Unknown),
        };
        let Entry::Incomplete(neighbour) = std::mem::replace(&mut self.entry, next) else { unreachable!("it asks") };
        for packet in neighbour.into_waiting() {
            if in_vain {
                self.give_up(&packet, now, io);
            } else {
                self.pass(packet, now, io);
            }
        }
    }

    /// Tells the sender of a packet that the host is unreachable, if it may.
    fn give_up(&mut self, packet: &Packet, now: Time, io: &mut Io) {
        io.dropped(packet, DropReason::NoNeighbour);
        let Some(error) = packet.undelivered(Obstacle::HostUnreachable) else { return };
        let limit = self.limits.entry(*packet.src.ip()).or_insert_with(IcmpLimit::full);
        if limit.allows(now, icmp_limit::BURST) {
            server::send(error, io);
        }
    }

    fn pass(&mut self, packet: Packet, now: Time, io: &mut Io) {
        self.used = now;
        self.host.on_packet(now, packet, io);
    }

    /// Returns when something may become of the packets that wait.
    fn due(&self) -> Option<Time> {
        let Entry::Incomplete(neighbour) = &self.entry else { return None };
        Some(neighbour.due())
    }
}

impl Node for LastRouter {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        self.catch_up(now);
        match self.entry {
            Entry::Unknown if self.is_gone(now) => self.entry = Entry::Incomplete(self.ask(now)),
            // It asks, and is answered at once.
            Entry::Unknown => self.entry = self.hear(now),
            Entry::Stale => self.entry = Entry::Delay { until: self.tcp.timer(now, self.address, DELAY) },
            Entry::Reachable { .. } | Entry::Delay { .. } | Entry::Probe(_) | Entry::Incomplete(_) => {}
        }
        if matches!(self.entry, Entry::Incomplete(_)) {
            self.wait(packet, io);
        } else {
            self.pass(packet, now, io);
        }
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        if self.due().is_some_and(|due| due <= now) {
            self.run_question(now, io);
        } else {
            self.host.on_wake(now, io);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        self.due().into_iter().chain(self.host.next_wake()).min()
    }

    fn freeze(&mut self, now: Time) {
        self.gone = Interval::frozen(&self.gone, now);
        self.host.freeze(now);
    }

    fn into_counts(self: Box<Self>) -> Counts {
        self.host.into_counts()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use cardiogram_policies::unit::Span;

    use super::*;
    use crate::{
        config::{Distribution, LinkConfig, TcpSettings},
        nodes::{
            inbox::Flight,
            link::{LaneConfig, Link},
            node::Host,
        },
        record::recorder::Uses,
        wire::{
            layout::NodeId,
            packet::{Flags, Options},
        },
    };

    const NAT: NodeId = NodeId(1);
    const SERVER: NodeId = NodeId(2);

    /// A host that answers each packet, so that one can see what comes to it.
    struct Mirror;

    impl Node for Mirror {
        fn on_packet(&mut self, _: Time, packet: Packet, io: &mut Io) {
            server::send(Packet { src: packet.dst, dst: packet.src, ..packet }, io);
        }

        fn on_wake(&mut self, _: Time, _: &mut Io) {}

        fn next_wake(&self) -> Option<Time> {
            None
        }
    }

    /// Returns when what is sent to a host that is gone from one second to another came to where it was or is, and when its sender
    /// was told that it is unreachable, all in milliseconds.
    fn fates(sent_ms: &[u64], gone_s: (u64, u64)) -> (Vec<u64>, Vec<u64>) {
        let gone = vec![Interval { begin: Time::from_secs(gone_s.0), end: Time::from_secs(gone_s.1) }];
        let tcp = Arc::new(TcpConfig::of(&TcpSettings::default()));
        let router = LastRouter::before(Box::new(Mirror), 0, tcp, gone);
        let delay = LinkConfig::of_delay(Distribution::Constant(Span::millis(1)));
        let (cuts, answers, effects) = ([].into(), Vec::new(), Vec::new());
        let lane = LaneConfig { component: "wire", direction: "down", index: 0, cuts, answers, effects };
        let links = vec![(NAT, Link::new(&delay, 1, std::iter::once(lane)))];
        let mut host = Host::new(SERVER, Box::new(router), links, &Uses::default());
        for (number, at) in (0..).zip(sent_ms) {
            let packet = Packet {
                src: SocketAddrV4::new(address::nat(0, 0, 0), 40_000),
                dst: address::server(0),
                seq: 0,
                ack: 0,
                flags: Flags::ACK,
                window: 0,
                options: Options::default(),
                payload: Vec::new(),
                unreachable: None,
                device: Some(0),
            };
            host.deliver(Flight { arrival: Time::from_millis(*at), from: NAT, number, to: SERVER, packet });
        }
        let mut sent = Vec::new();
        host.run_before(Time::from_secs(3_600), &mut sent);
        let told = |flight: &&Flight| flight.packet.unreachable.is_some();
        let (told, passed): (Vec<_>, Vec<_>) = sent.iter().partition(told);
        let times = |flights: Vec<&Flight>| {
            flights.into_iter().map(|flight| flight.arrival.as_micros() / 1_000 - 1).collect::<Vec<u64>>()
        };
        (times(passed), times(told))
    }

    /// Returns the times at which several were told at once, and how many.
    fn batches(told: &[u64]) -> Vec<(u64, usize)> {
        told.chunk_by(|one, other| one == other).map(|batch| (batch[0], batch.len())).collect()
    }

    /// What Linux 6.18 did (`K18_error_vanished_unknown`): five errors, four, and then as many as its purse holds, each 75 ms
    /// later than here, as its timer wheel has it.
    #[test]
    fn a_router_that_knows_nothing_tells_those_who_wait_after_three_seconds() {
        let sent = [
            0, 206, 414, 830, 1_662, 3_075, 3_282, 3_710, 4_542, 6_147, 6_354, 6_782, 7_614, 9_215, 9_634, 10_462,
            12_126, 12_534, 13_378, 15_038, 15_615, 16_446, 18_114,
        ];
        let (passed, told) = fates(&sent, (0, 3_600));
        assert!(passed.is_empty());
        assert_eq!(batches(&told), [(3_000, 5), (6_075, 4), (9_147, 3), (12_215, 3), (15_534, 3), (18_615, 3)]);
    }

    /// What Linux 6.18 did (`K19_error_vanished_stale`), an exchange and 40 s before it included: for 8 s packets go to where the
    /// host was.
    #[test]
    fn a_router_that_has_known_the_host_doubts_and_asks_before_it_says_so() {
        let sent = [1_000, 40_000, 40_206, 40_414, 40_854, 41_686, 43_350, 46_870, 53_526, 60_186];
        let (passed, told) = fates(&sent, (40, 3_600));
        assert_eq!((&passed[..], &told[..]), (&sent[..8], &[56_526, 63_186][..]));
    }

    /// The answer of the first packet's question holds until 30 s; since something was sent at 28 s, the router asks at 35 s, 36 s
    /// and 37 s, and gives up at 38 s.
    #[test]
    fn a_router_in_use_asks_of_its_own_accord() {
        let sent = [0, 28_000, 37_999, 38_000];
        assert_eq!(fates(&sent, (29, 3_600)), (vec![0, 28_000, 37_999], vec![41_000]));
        // The host is back when the third question is asked.
        assert_eq!(fates(&sent, (29, 37)), (sent.to_vec(), vec![]));
    }

    /// Questions at 11 s, 12 s and 13 s.
    #[test]
    fn what_waits_is_passed_on_when_a_question_is_answered_and_a_host_may_come_back_too_late() {
        assert_eq!(fates(&[11_000, 12_500], (0, 12)), (vec![12_000, 12_500], vec![]));
        assert_eq!(fates(&[11_000, 12_200], (0, 13)), (vec![13_000, 13_000], vec![]));
        assert_eq!(fates(&[11_000, 13_800, 14_001], (0, 14)), (vec![14_001], vec![14_000, 14_000]));
    }

    #[test]
    fn the_oldest_of_too_many_makes_room() {
        let many = QUEUE_MAX as u64 + 3;
        let sent: Vec<u64> = (0..many).collect();
        assert_eq!(fates(&sent, (0, 2)).0, vec![2_000; QUEUE_MAX]);
    }
}
