//! One mapping of a NAT: what it translates, and what can be known of the connection from the packets that pass.

use std::{net::Ipv4Addr, time::Duration};

use cardiogram_policies::Time;

use crate::{
    config::{NatConfig, NatRefresh},
    wire::packet::{Flags, Packet},
};

/// A connection as seen from the inside: the subscriber (for the first NAT a device), its port, the server.
pub(super) type Inside = (u32, u16, u32);

/// A connection as seen from the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outside {
    /// The number of the NAT's address.
    pub(super) address: u16,
    pub(super) port: u16,
    pub(super) server: u32,
}

pub(super) struct Mapping {
    pub(super) inside: Inside,
    /// The address that the subscriber uses: a device may get another one.
    pub(super) address: Ipv4Addr,
    /// The NAT's end.
    pub(super) outside: Outside,
    /// When it ends, whatever passes; `None`: nobody has said so since the connection began.
    pub(super) ends: Option<Time>,
    /// Whose connection it is, as the lab knows.
    pub(super) device: Option<u32>,
    phase: Phase,
    fin_inside: bool,
    fin_outside: bool,
    /// The latest acknowledgement number from the inside: what the inside expects next.
    ack_inside: Option<u32>,
    /// The latest acknowledgement number from the outside.
    ack_outside: Option<u32>,
    latest: Option<Segment>,
    /// How many times in a row the latest segment has come again.
    repeats: u8,
    from_inside: Way,
    from_outside: Way,
    /// What would acknowledge a SYN that passed without a trace.
    ignored: Option<u32>,
}

/// What has passed in one direction.
#[derive(Clone, Copy, Default)]
struct Way {
    /// The end of it in sequence numbers.
    end: Option<u32>,
    /// Some of it is not acknowledged (`IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED`).
    is_unanswered: bool,
}

/// Which of the timeouts counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No acknowledgement from the inside yet.
    Opening,
    Established,
    /// Both sides have closed, or someone has reset.
    Closing,
}

/// What makes a packet a repetition of another one, as in Linux (`nf_conntrack_proto_tcp.c`, `tcp_in_window`).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Segment {
    outbound: bool,
    seq: u32,
    ack: u32,
    len: u32,
    window: u16,
}

impl Mapping {
    pub(super) fn new(inside: Inside, address: Ipv4Addr, outside: Outside, phase: Phase) -> Self {
        Self {
            inside,
            address,
            outside,
            ends: None,
            device: None,
            phase,
            fin_inside: false,
            fin_outside: false,
            ack_inside: None,
            ack_outside: None,
            latest: None,
            repeats: 0,
            from_inside: Way::default(),
            from_outside: Way::default(),
            ignored: None,
        }
    }

    pub(super) fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Returns what the ends expect next, as far as they have said so, while the connection has not ended.
    pub(super) fn expected(&self) -> (Option<u32>, Option<u32>) {
        if self.phase == Phase::Closing { (None, None) } else { (self.ack_inside, self.ack_outside) }
    }

    /// Follows the connection's life.
    pub(super) fn follow(&mut self, packet: &Packet, outbound: bool) {
        if packet.flags.has(Flags::SYN) {
            // A connection that uses the ports again starts anew.
            if outbound && !packet.flags.has(Flags::ACK) && self.phase == Phase::Closing {
                *self = Self::new(self.inside, self.address, self.outside, Phase::Opening);
            }
            // The SYN was right: a connection has begun anew.
            if !outbound && self.ignored.take_if(|ack| *ack == packet.ack).is_some() {
                *self =
                    Self { device: self.device, ..Self::new(self.inside, self.address, self.outside, Phase::Opening) };
            }
            self.note_ack(packet, outbound);
            self.note_data(packet, outbound);
            return;
        }
        if packet.flags.has(Flags::FIN) {
            *(if outbound { &mut self.fin_inside } else { &mut self.fin_outside }) = true;
        }
        if packet.flags.has(Flags::RST) || (self.fin_inside && self.fin_outside) {
            self.phase = Phase::Closing;
        } else if outbound && self.phase == Phase::Opening && packet.flags.has(Flags::ACK) {
            self.phase = Phase::Established;
        }
        self.note_ack(packet, outbound);
        self.note_data(packet, outbound);
        self.count_repeats(packet, outbound);
    }

    /// Returns whether a packet passes without a trace: a SYN from the inside, where a connection stands (`sIG` in Linux's table
    /// of states). Its answer will tell which of the two is right.
    pub(super) fn ignores(&mut self, packet: &Packet, outbound: bool) -> bool {
        let ignores = outbound && packet.opens() && self.is_established();
        if ignores {
            self.ignored = Some(packet.seq.wrapping_add(packet.seq_len()));
        }
        ignores
    }

    /// Notes what is new of a packet, and what it acknowledges (`tcp_in_window`).
    fn note_data(&mut self, packet: &Packet, outbound: bool) {
        if packet.flags.has(Flags::RST) {
            return;
        }
        let (own, other) = if outbound {
            (&mut self.from_inside, &mut self.from_outside)
        } else {
            (&mut self.from_outside, &mut self.from_inside)
        };
        let end = packet.seq.wrapping_add(packet.seq_len());
        match own.end {
            None => own.end = Some(end),
            Some(known) if (end.wrapping_sub(known) as i32) > 0 => {
                *own = Way { end: Some(end), is_unanswered: true };
            }
            Some(_) => {}
        }
        if packet.flags.has(Flags::ACK) && other.end == Some(packet.ack) {
            other.is_unanswered = false;
        }
    }

    fn note_ack(&mut self, packet: &Packet, outbound: bool) {
        if packet.flags.has(Flags::ACK) && !packet.flags.has(Flags::RST) {
            let known = if outbound { &mut self.ack_inside } else { &mut self.ack_outside };
            if known.is_none_or(|known| (packet.ack.wrapping_sub(known) as i32) > 0) {
                *known = Some(packet.ack);
            }
        }
    }

    fn count_repeats(&mut self, packet: &Packet, outbound: bool) {
        if packet.flags.has(Flags::FIN) || packet.flags.has(Flags::RST) || !packet.flags.has(Flags::ACK) {
            return;
        }
        let Packet { seq, ack, window, .. } = *packet;
        let segment = Some(Segment { outbound, seq, ack, len: packet.seq_len(), window });
        self.repeats = if self.latest == segment { self.repeats.saturating_add(1) } else { 0 };
        self.latest = segment;
    }

    /// Returns the idle time that the latest packet allows; `established` is that of a connection in its prime.
    pub(super) fn timeout(&self, config: &NatConfig, established: Duration) -> Duration {
        /// Linux: `nf_conntrack_tcp_max_retrans`.
        const REPEATS: u8 = 3;
        let is_unanswered = config.conntrack && (self.from_inside.is_unanswered || self.from_outside.is_unanswered);
        match self.phase {
            Phase::Opening => config.transitory.get(),
            Phase::Established => match config.unacknowledged {
                Some(most) if self.repeats >= REPEATS || is_unanswered => established.min(most.get()),
                _ => established,
            },
            Phase::Closing => config.closing.unwrap_or(config.transitory).get(),
        }
    }
}

/// Returns whether a packet restarts the idle time.
pub(super) fn refreshes(refresh: NatRefresh, packet: &Packet, outbound: bool) -> bool {
    refresh.counts(outbound) && (!refresh.wants_data() || packet.seq_len() > 0 || packet.flags.has(Flags::RST))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use cardiogram_policies::unit::Span;

    use super::*;
    use crate::wire::packet::Options;

    fn packet(flags: Flags, seq: u32, ack: u32, len: usize) -> Packet {
        let end = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        let (options, payload) = (Options::default(), vec![0; len]);
        Packet { src: end, dst: end, seq, ack, flags, window: 100, options, payload, unreachable: None, device: None }
    }

    fn opening() -> Mapping {
        let outside = Outside { address: 0, port: 1, server: 0 };
        Mapping::new((0, 1, 0), Ipv4Addr::LOCALHOST, outside, Phase::Opening)
    }

    fn established() -> Mapping {
        let mut mapping = opening();
        mapping.follow(&packet(Flags::SYN, 10, 0, 0), true);
        mapping.follow(&packet(Flags::SYN | Flags::ACK, 20, 11, 0), false);
        mapping.follow(&packet(Flags::ACK, 11, 21, 0), true);
        mapping
    }

    const LONG: Duration = Duration::from_secs(1_000);

    fn config() -> NatConfig {
        NatConfig {
            transitory: Span::secs(100),
            closing: Some(Span::secs(50)),
            unacknowledged: Some(Span::secs(300)),
            ..NatConfig::default()
        }
    }

    #[test]
    fn each_phase_of_a_connection_has_its_timeout() {
        let secs = Duration::from_secs;
        assert_eq!(opening().timeout(&config(), LONG), secs(100));
        let mut mapping = established();
        assert_eq!(mapping.timeout(&config(), LONG), LONG);
        mapping.follow(&packet(Flags::FIN | Flags::ACK, 11, 21, 0), true);
        assert_eq!(mapping.timeout(&config(), LONG), LONG, "half closed");
        mapping.follow(&packet(Flags::FIN | Flags::ACK, 21, 12, 0), false);
        assert_eq!(mapping.timeout(&config(), LONG), secs(50));
        assert_eq!(mapping.timeout(&NatConfig { closing: None, ..config() }, LONG), secs(100));
    }

    #[test]
    fn a_connection_is_established_by_the_last_acknowledgement_of_its_handshake_alone() {
        let mut mapping = opening();
        for (flags, outbound) in [(Flags::SYN, true), (Flags::SYN | Flags::ACK, false), (Flags::ACK, false)] {
            mapping.follow(&packet(flags, 10, 11, 0), outbound);
            assert!(!mapping.is_established(), "{flags:?}");
        }
        mapping.follow(&packet(Flags::ACK, 11, 21, 0), true);
        assert!(mapping.is_established());
        // What has ended does not come back with a late acknowledgement.
        mapping.follow(&packet(Flags::RST, 21, 0, 0), false);
        mapping.follow(&packet(Flags::ACK, 11, 21, 0), true);
        assert!(!mapping.is_established());
    }

    #[test]
    fn a_syn_from_inside_opens_anew_what_has_ended_and_nothing_else() {
        let syn = packet(Flags::SYN, 90, 0, 0);
        let mut lives = established();
        lives.follow(&syn, true);
        assert!(lives.is_established());
        let ended = || {
            let mut mapping = established();
            mapping.follow(&packet(Flags::RST, 11, 0, 0), true);
            mapping
        };
        for (flags, outbound) in [(Flags::SYN, false), (Flags::SYN | Flags::ACK, true)] {
            let mut mapping = ended();
            mapping.follow(&packet(flags, 90, 0, 0), outbound);
            assert_eq!(mapping.timeout(&config(), LONG), Duration::from_secs(50), "{flags:?}");
        }
        let mut again = ended();
        again.follow(&syn, true);
        assert_eq!(again.timeout(&config(), LONG), Duration::from_secs(100));
    }

    #[test]
    fn three_repetitions_without_an_answer_shorten_the_timeout_until_something_else_passes() {
        let mut mapping = established();
        let data = packet(Flags::ACK, 11, 21, 5);
        for _ in 0..3 {
            mapping.follow(&data, true);
            assert_eq!(mapping.timeout(&config(), LONG), LONG);
        }
        mapping.follow(&data, true);
        assert_eq!(mapping.timeout(&config(), LONG), Duration::from_secs(300));
        assert_eq!(mapping.timeout(&config(), Duration::from_secs(200)), Duration::from_secs(200));
        assert_eq!(mapping.timeout(&NatConfig::default(), LONG), LONG, "not every NAT looks at it");
        // What opens or ends a connection, or acknowledges nothing, is no repetition, and ends none.
        for flags in [Flags::FIN | Flags::ACK, Flags::RST | Flags::ACK, Flags::PSH] {
            let mut ending = established();
            for _ in 0..4 {
                ending.follow(&data, true);
            }
            ending.follow(&packet(flags, 11, 21, 5), true);
            assert_eq!(ending.repeats, 3, "{flags:?}");
        }
        mapping.follow(&packet(Flags::ACK, 21, 16, 0), false);
        assert_eq!(mapping.timeout(&config(), LONG), LONG);
    }

    /// As measured of Linux 6.18: from the first byte that is not acknowledged, in either direction, until it is.
    #[test]
    fn conntrack_shortens_the_timeout_while_anything_is_unanswered() {
        let conntrack = NatConfig { conntrack: true, ..config() };
        let (short, secs) = (Duration::from_secs(300), Duration::from_secs);
        let mut mapping = established();
        assert_eq!(mapping.timeout(&conntrack, LONG), LONG);
        mapping.follow(&packet(Flags::ACK, 11, 21, 5), true);
        assert_eq!((mapping.timeout(&conntrack, LONG), mapping.timeout(&config(), LONG)), (short, LONG));
        assert_eq!(mapping.timeout(&conntrack, secs(200)), secs(200));
        // The answer has data of its own, and acknowledges all but a byte.
        mapping.follow(&packet(Flags::ACK, 21, 15, 3), false);
        assert_eq!(mapping.timeout(&conntrack, LONG), short);
        mapping.follow(&packet(Flags::ACK, 24, 16, 0), false);
        assert_eq!(mapping.timeout(&conntrack, LONG), short, "the answer is not acknowledged");
        mapping.follow(&packet(Flags::ACK, 16, 24, 0), true);
        assert_eq!(mapping.timeout(&conntrack, LONG), LONG);
        // A keepalive probe is nothing new.
        mapping.follow(&packet(Flags::ACK, 15, 24, 0), true);
        assert_eq!(mapping.timeout(&conntrack, LONG), LONG);
    }

    #[test]
    fn conntrack_ignores_a_syn_on_an_established_connection_until_its_answer() {
        let syn = packet(Flags::SYN, 90, 0, 0);
        let mut mapping = established();
        assert!(mapping.ignores(&syn, true) && !mapping.ignores(&syn, false));
        assert!(!mapping.ignores(&packet(Flags::ACK, 11, 21, 5), true));
        // A challenge leaves the connection as it is; the answer to the SYN begins one.
        mapping.follow(&packet(Flags::ACK, 21, 11, 0), false);
        assert!(mapping.is_established());
        mapping.follow(&packet(Flags::SYN | Flags::ACK, 70, 91, 0), false);
        assert!(!mapping.is_established());
        mapping.follow(&packet(Flags::ACK, 91, 71, 0), true);
        assert!(mapping.is_established());
        assert!(!opening().ignores(&syn, true));
    }

    #[test]
    fn what_the_ends_expect_is_their_latest_acknowledgement() {
        let mut mapping = established();
        assert_eq!(mapping.expected(), (Some(21), Some(11)));
        mapping.follow(&packet(Flags::ACK, 21, 16, 0), false);
        // An old one, come late.
        mapping.follow(&packet(Flags::ACK, 21, 12, 0), false);
        assert_eq!(mapping.expected(), (Some(21), Some(16)));
        mapping.follow(&packet(Flags::RST, 16, 0, 0), true);
        assert_eq!(mapping.expected(), (None, None));
    }

    #[test]
    fn refreshing_is_a_matter_of_direction_and_of_what_a_packet_carries() {
        let refreshed =
            |refresh, flags, len| [true, false].map(|outbound| refreshes(refresh, &packet(flags, 1, 1, len), outbound));
        for refresh in NatRefresh::ALL {
            let of_direction = match refresh {
                NatRefresh::Both | NatRefresh::DataOnly => [true, true],
                NatRefresh::Outbound | NatRefresh::OutboundData => [true, false],
                NatRefresh::Inbound | NatRefresh::InboundData => [false, true],
            };
            for (flags, len) in [(Flags::ACK, 1), (Flags::SYN, 0), (Flags::RST, 0), (Flags::FIN | Flags::ACK, 0)] {
                assert_eq!(refreshed(*refresh, flags, len), of_direction, "{refresh:?}, {flags:?}");
            }
            let bare = if refresh.wants_data() { [false, false] } else { of_direction };
            assert_eq!(refreshed(*refresh, Flags::ACK, 0), bare, "{refresh:?}: a mere acknowledgement");
        }
    }
}
