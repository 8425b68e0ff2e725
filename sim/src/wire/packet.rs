//! IPv4/TCP packets as values that encode to and decode from exact bytes, so that every packet counted can be opened in
//! a packet analyser, and the ICMP errors about them. Not a network stack: fragments, IP options, unknown TCP options and
//! other ICMP messages do not exist here.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddrV4},
    ops::BitOr,
};

use serde::Serialize;

use super::address;
use crate::config::Answer;

/// A TCP segment in an IPv4 packet; or, with [`unreachable`](Self::unreachable), an ICMP error about one.
///
/// An error has the ends of the segment that it is about turned round, and what else the segment had: it goes where an answer of
/// the peer's would go, and every node finds by it the connection that it is about. On the wire it comes from a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source address and port.
    pub src: SocketAddrV4,
    /// Destination address and port.
    pub dst: SocketAddrV4,
    /// Sequence number of the first payload byte.
    pub seq: u32,
    /// Acknowledgement number; 0 without [`Flags::ACK`].
    pub ack: u32,
    /// The control bits of the TCP header.
    pub flags: Flags,
    /// Receive window as on the wire (unscaled).
    pub window: u16,
    /// Options; the encoding pads them as Linux does.
    pub options: Options,
    /// The data behind the headers; of an error, what it quotes of them.
    pub payload: Vec<u8>,
    /// It is an ICMP error, which says that the segment could not be delivered, and why.
    pub unreachable: Option<Unreachable>,
    /// The device whose packet it is, in either direction, as the lab knows and nobody in the world: no part of the bytes.
    pub device: Option<u32>,
}

/// TCP's control bits, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// The receiver is to hand the data on at once.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);

    /// Returns whether every bit of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    /// Writes the flags in tcpdump's letters: `S.`, `P.`, `.`, `F.`, `R`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in [(Self::SYN, "S"), (Self::FIN, "F"), (Self::RST, "R"), (Self::PSH, "P"), (Self::ACK, ".")]
        {
            if self.has(bit) {
                f.write_str(letter)?;
            }
        }
        if self.0 == 0 { f.write_str("none") } else { Ok(()) }
    }
}

/// TCP options that count on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size; on SYN.
    pub mss: Option<u16>,
    /// Window scale shift; on SYN.
    pub window_scale: Option<u8>,
    /// SACK permitted; on SYN. (No SACK blocks are ever sent.)
    pub sack_permitted: bool,
    /// Timestamps: value and echo reply.
    pub timestamps: Option<(u32, u32)>,
}

impl Options {
    /// Length on the wire, padding included: 20 on Linux's SYN, 12 with timestamps alone, 0 without any.
    pub const fn len(&self) -> usize {
        let mut len: usize = 0;
        if self.mss.is_some() {
            len += 4;
        }
        if self.sack_permitted {
            len += 2;
        }
        if self.timestamps.is_some() {
            len += 10;
        }
        if self.window_scale.is_some() {
            len += 3;
        }
        len.div_ceil(4) * 4
    }

    /// Returns whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What an IPv4 packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// TCP (RFC 9293).
    Tcp,
    /// ICMP (RFC 792).
    Icmp,
}

impl Protocol {
    /// Returns its number in the IPv4 header.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Icmp => 1,
        }
    }
}

/// What an ICMP message of the type "destination unreachable" (RFC 792, RFC 1812) says beside the segment that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Why.
    pub why: Obstacle,
    /// How long the packet was that could not be delivered, its IPv4 header included.
    pub length: u16,
}

/// Why a packet cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// No route leads to the network: code 0.
    NetUnreachable,
    /// The host does not answer on its own network: code 1.
    HostUnreachable,
    /// An administrator does not want it: code 13.
    Prohibited,
}

impl Obstacle {
    /// Returns what a router's answer at a cut says; `None`: there is none.
    pub(crate) const fn of(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Nothing => None,
            Answer::NetUnreachable => Some(Self::NetUnreachable),
            Answer::HostUnreachable => Some(Self::HostUnreachable),
            Answer::Prohibited => Some(Self::Prohibited),
        }
    }

    /// Returns the code of the ICMP message.
    pub const fn code(self) -> u8 {
        match self {
            Self::NetUnreachable => 0,
            Self::HostUnreachable => 1,
            Self::Prohibited => 13,
        }
    }

    /// Returns it in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NetUnreachable => "net unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::Prohibited => "prohibited",
        }
    }

    fn of_code(code: u8) -> Option<Self> {
        [Self::NetUnreachable, Self::HostUnreachable, Self::Prohibited].into_iter().find(|why| why.code() == code)
    }
}

/// Bytes of the IPv4 header.
pub const IP_HEADER: usize = 20;
/// Bytes of the TCP header without options.
pub const TCP_HEADER: usize = 20;
/// Bytes of the header of an ICMP error.
pub const ICMP_HEADER: usize = 8;
/// The most that Linux quotes in an ICMP error: a packet of 576 bytes holds it (`icmp_send`; RFC 1812, 4.3.2.3).
pub const QUOTE_MAX: usize = 576 - IP_HEADER - ICMP_HEADER;
/// ICMP's "destination unreachable".
const DESTINATION_UNREACHABLE: u8 = 3;

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the headers or the IP length say.
    #[error("the packet is cut short")]
    Truncated,
    /// Not IPv4 without options, or a fragment, or neither TCP nor ICMP.
    #[error("not a plain IPv4 packet with TCP or an ICMP error inside")]
    NotTcp,
    /// A header length or an option that contradicts itself, or an option or an ICMP message that does not exist here.
    #[error("malformed header or options")]
    Malformed,
    /// A checksum is wrong.
    #[error("wrong checksum")]
    Checksum,
}

impl Packet {
    /// Returns what it carries.
    pub const fn protocol(&self) -> Protocol {
        if self.unreachable.is_some() { Protocol::Icmp } else { Protocol::Tcp }
    }

    /// Length on the wire: IPv4 header and everything behind it.
    pub fn wire_len(&self) -> usize {
        let segment = IP_HEADER + TCP_HEADER + self.options.len() + self.payload.len();
        if self.unreachable.is_some() { IP_HEADER + ICMP_HEADER + segment } else { segment }
    }

    /// Returns the ICMP error about this packet; none is sent about another error (RFC 1122, 3.2.2).
    pub fn undelivered(&self, why: Obstacle) -> Option<Self> {
        if self.unreachable.is_some() {
            return None;
        }
        let length = self.wire_len() as u16;
        let room = QUOTE_MAX - IP_HEADER - TCP_HEADER - self.options.len();
        let payload = self.payload[..self.payload.len().min(room)].to_vec();
        let unreachable = Some(Unreachable { why, length });
        Some(Self { src: self.dst, dst: self.src, payload, unreachable, ..*self })
    }

    /// Returns whether it is a SYN of someone who opens a connection.
    pub fn opens(&self) -> bool {
        self.flags.has(Flags::SYN) && !self.flags.has(Flags::ACK) && self.unreachable.is_none()
    }

    /// Returns whether it may complete a connection that is half open: it neither ends it nor is it an error about it.
    pub(crate) fn may_complete(&self) -> bool {
        !self.flags.has(Flags::RST) && self.unreachable.is_none()
    }

    /// Returns whether TCP sends it again until it is acknowledged.
    pub(crate) fn is_sent_again(&self) -> bool {
        self.seq_len() > 0 && !self.flags.has(Flags::RST)
    }

    /// Sequence space it takes: data, and one each for SYN and FIN.
    pub fn seq_len(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN))
    }

    /// Appends the exact bytes, checksums included.
    ///
    /// Of a segment that an error quotes in part the checksum is that of the part: nobody could check the other one.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Some(unreachable) = self.unreachable else {
            self.encode_segment(self.wire_len(), out);
            return;
        };
        // Type of service "internetwork control", and fragments are allowed: what Linux sends.
        self.encode_ip([0xc0, 0], (*address::ROUTER.ip(), *self.dst.ip()), self.wire_len(), out);
        let icmp = out.len();
        out.extend([DESTINATION_UNREACHABLE, unreachable.why.code(), 0, 0, 0, 0, 0, 0]);
        let quoted = Self { src: self.dst, dst: self.src, unreachable: None, payload: self.payload.clone(), ..*self };
        quoted.encode_segment(usize::from(unreachable.length), out);
        let sum = checksum(0, &out[icmp..]);
        out[icmp + 2..icmp + 4].copy_from_slice(&sum.to_be_bytes());
    }

    /// Writes an IPv4 header: type of service and flags, the ends, and how long the packet is.
    fn encode_ip(&self, [tos, flags]: [u8; 2], (src, dst): (Ipv4Addr, Ipv4Addr), total: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let len = u16::try_from(total).unwrap_or_else(|_| panic!("a packet of {total} bytes does not fit IPv4"));
        out.extend([0x45, tos]);
        out.extend(len.to_be_bytes());
        // Identification 0, TTL 64, checksum to come.
        out.extend([0, 0, flags, 0, 64, self.protocol().number(), 0, 0]);
        out.extend(src.octets());
        out.extend(dst.octets());
        let ip_sum = checksum(0, &out[start..]);
        out[start + 10..start + 12].copy_from_slice(&ip_sum.to_be_bytes());
    }

    /// Writes the IPv4 packet of a segment, which was `total` bytes long.
    fn encode_segment(&self, total: usize, out: &mut Vec<u8>) {
        const DONT_FRAGMENT: u8 = 0x40;
        self.encode_ip([0, DONT_FRAGMENT], (*self.src.ip(), *self.dst.ip()), total, out);
        let tcp = out.len();
        out.extend(self.src.port().to_be_bytes());
        out.extend(self.dst.port().to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
        out.push(((TCP_HEADER + self.options.len()) as u8 / 4) << 4);
        out.push(self.flags.0);
        out.extend(self.window.to_be_bytes());
        out.extend([0, 0, 0, 0]);
        self.encode_options(out);
        out.extend(&self.payload);
        let tcp_sum = checksum(self.pseudo_header(total - IP_HEADER), &out[tcp..]);
        out[tcp + 16..tcp + 18].copy_from_slice(&tcp_sum.to_be_bytes());
    }

    /// Writes the options in Linux's order, padded where Linux pads (`tcp_options_write`), so that the timestamps are
    /// aligned.
    fn encode_options(&self, out: &mut Vec<u8>) {
        const NOP: u8 = 1;
        if let Some(mss) = self.options.mss {
            out.extend([2, 4]);
            out.extend(mss.to_be_bytes());
        }
        let sack = self.options.sack_permitted;
        if sack != self.options.timestamps.is_some() {
            out.extend([NOP, NOP]);
        }
        if sack {
            out.extend([4, 2]);
        }
        if let Some((value, echo)) = self.options.timestamps {
            out.extend([8, 10]);
            out.extend(value.to_be_bytes());
            out.extend(echo.to_be_bytes());
        }
        if let Some(shift) = self.options.window_scale {
            out.extend([NOP, 3, 3, shift]);
        }
    }

    /// Reads a packet back from its exact bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.get(9) != Some(&Protocol::Icmp.number()) {
            return Self::decode_segment(bytes, bytes.len());
        }
        let inside = bytes.get(IP_HEADER + ICMP_HEADER..).ok_or(DecodeError::Truncated)?;
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        if bytes[0] != 0x45 || u16_at(6) & 0x3fff != 0 {
            return Err(DecodeError::NotTcp);
        }
        if usize::from(u16_at(2)) != bytes.len() || inside.len() < IP_HEADER + TCP_HEADER {
            return Err(DecodeError::Truncated);
        }
        if checksum(0, &bytes[..IP_HEADER]) != 0 || checksum(0, &bytes[IP_HEADER..]) != 0 {
            return Err(DecodeError::Checksum);
        }
        let why = Obstacle::of_code(bytes[IP_HEADER + 1]).filter(|_| bytes[IP_HEADER] == DESTINATION_UNREACHABLE);
        let why = why.ok_or(DecodeError::Malformed)?;
        let length = u16::from_be_bytes([inside[2], inside[3]]);
        let quoted = Self::decode_segment(inside, usize::from(length))?;
        let unreachable = Some(Unreachable { why, length });
        Ok(Self { src: quoted.dst, dst: quoted.src, unreachable, ..quoted })
    }

    /// Reads the IPv4 packet of a segment that was `total` bytes long, of which there may be fewer.
    fn decode_segment(bytes: &[u8], total: usize) -> Result<Self, DecodeError> {
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes.len() < IP_HEADER + TCP_HEADER {
            return Err(DecodeError::Truncated);
        }
        if bytes[0] != 0x45 || u16_at(6) & 0x3fff != 0 || bytes[9] != Protocol::Tcp.number() {
            return Err(DecodeError::NotTcp);
        }
        if usize::from(u16_at(2)) != total || total < bytes.len() {
            return Err(DecodeError::Truncated);
        }
        let header = usize::from(bytes[32] >> 4) * 4;
        if header < TCP_HEADER || bytes[32] & 0x0f != 0 {
            return Err(DecodeError::Malformed);
        }
        let data = IP_HEADER + header;
        if data > bytes.len() {
            return Err(DecodeError::Truncated);
        }
        let packet = Self {
            src: SocketAddrV4::new(Ipv4Addr::from(u32_at(12)), u16_at(20)),
            dst: SocketAddrV4::new(Ipv4Addr::from(u32_at(16)), u16_at(22)),
            seq: u32_at(24),
            ack: u32_at(28),
            flags: Flags(bytes[33]),
            window: u16_at(34),
            options: decode_options(&bytes[IP_HEADER + TCP_HEADER..data])?,
            payload: bytes[data..].to_vec(),
            unreachable: None,
            device: None,
        };
        let tcp = packet.pseudo_header(total - IP_HEADER);
        if checksum(0, &bytes[..IP_HEADER]) != 0 || checksum(tcp, &bytes[IP_HEADER..]) != 0 {
            return Err(DecodeError::Checksum);
        }
        Ok(packet)
    }

    fn pseudo_header(&self, tcp_len: usize) -> u32 {
        let sum = |ip: &Ipv4Addr| {
            let [a, b, c, d] = ip.octets();
            u32::from(u16::from_be_bytes([a, b])) + u32::from(u16::from_be_bytes([c, d]))
        };
        sum(self.src.ip()) + sum(self.dst.ip()) + u32::from(Protocol::Tcp.number()) + tcp_len as u32
    }
}

fn decode_options(mut bytes: &[u8]) -> Result<Options, DecodeError> {
    let mut options = Options::default();
    while let [kind, rest @ ..] = bytes {
        bytes = match (kind, rest) {
            (0, _) => break,
            (1, rest) => rest,
            (2, [4, a, b, rest @ ..]) => {
                options.mss = Some(u16::from_be_bytes([*a, *b]));
                rest
            }
            (3, [3, shift, rest @ ..]) => {
                options.window_scale = Some(*shift);
                rest
            }
            (4, [2, rest @ ..]) => {
                options.sack_permitted = true;
                rest
            }
            (8, [10, body @ ..]) if body.len() >= 8 => {
                let (numbers, rest) = body.split_at(8);
                let u32_at =
                    |at: usize| u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
                options.timestamps = Some((u32_at(0), u32_at(4)));
                rest
            }
            _ => return Err(DecodeError::Malformed),
        };
    }
    Ok(options)
}

/// Returns the Internet checksum (RFC 1071) of `bytes`, begun with `sum`.
fn checksum(mut sum: u32, bytes: &[u8]) -> u16 {
    let mut words = bytes.chunks_exact(2);
    for word in &mut words {
        sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
    }
    if let [last] = words.remainder() {
        sum += u32::from(*last) << 8;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_where_linux_puts_them() {
        let timestamps = Some((0x0102_0304, 0));
        let syn = Options { mss: Some(1_460), window_scale: Some(7), sack_permitted: true, timestamps };
        let data = Options { timestamps, ..Options::default() };
        let old = Options { mss: Some(1_460), sack_permitted: true, ..Options::default() };
        let stamp = [8, 10, 1, 2, 3, 4, 0, 0, 0, 0];
        let expected: [(Options, &[&[u8]]); 3] = [
            (syn, &[&[2, 4, 5, 180], &[4, 2], &stamp, &[1, 3, 3, 7]]),
            (data, &[&[1, 1], &stamp]),
            (old, &[&[2, 4, 5, 180], &[1, 1, 4, 2]]),
        ];
        for (options, bytes) in expected {
            let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
            let packet = Packet {
                src: address,
                dst: address,
                seq: 0,
                ack: 0,
                flags: Flags::SYN,
                window: 0,
                options,
                payload: Vec::new(),
                unreachable: None,
                device: None,
            };
            let mut wire = Vec::new();
            packet.encode(&mut wire);
            assert_eq!(wire[IP_HEADER + TCP_HEADER..], bytes.concat());
        }
    }

    /// A server whose accept queue is full drops what would complete a connection, and nothing else.
    #[test]
    fn neither_a_reset_nor_an_error_completes_a_connection() {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        let of = |flags| Packet {
            src: address,
            dst: address,
            seq: 0,
            ack: 0,
            flags,
            window: 0,
            options: Options::default(),
            payload: Vec::new(),
            unreachable: None,
            device: None,
        };
        let answer = of(Flags::SYN | Flags::ACK);
        assert!(of(Flags::ACK).may_complete());
        assert!(!of(Flags::RST).may_complete());
        assert!(!answer.undelivered(Obstacle::HostUnreachable).expect("a segment").may_complete());
    }
}
