//! Packets and captures as bytes, judged by independent crates: etherparse reads packets, pcap-file reads captures.

use std::net::{Ipv4Addr, SocketAddrV4};

use cardiogram_policies::{GiveUp, Time};
use cardiogram_sim::{
    config::Direction,
    faults::{FaultPlace, FaultSpan},
    packet::{Flags, Obstacle, Options, Packet},
    pcap,
    trace::{DeviceEvent, DropReason, Entry, Fact, Fate, NatEvent, NodeId, Trace, What},
};
use etherparse::{NetHeaders, PacketHeaders, PayloadSlice, TcpOptionElement, TransportHeader};
use pcap_file::pcapng::{
    Block, PcapNgReader,
    blocks::{
        enhanced_packet::EnhancedPacketOption, interface_description::InterfaceDescriptionOption,
        section_header::SectionHeaderOption,
    },
};
use proptest::prelude::*;

fn address() -> impl Strategy<Value = SocketAddrV4> {
    (any::<u32>(), any::<u16>()).prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port))
}

fn options() -> impl Strategy<Value = Options> {
    (any::<Option<u16>>(), prop::option::of(0_u8..15), any::<bool>(), any::<Option<(u32, u32)>>()).prop_map(
        |(mss, window_scale, sack_permitted, timestamps)| Options { mss, window_scale, sack_permitted, timestamps },
    )
}

fn packet() -> impl Strategy<Value = Packet> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u8>(), any::<u16>());
    (address(), address(), numbers, options(), prop::collection::vec(any::<u8>(), 0..1_500)).prop_map(
        |(src, dst, (seq, ack, flags, window), options, payload)| Packet {
            src,
            dst,
            seq,
            ack,
            flags: Flags(flags),
            window,
            options,
            payload,
            unreachable: None,
            device: None,
        },
    )
}

/// Segments, and errors about them.
fn message() -> impl Strategy<Value = Packet> {
    let why = [Obstacle::NetUnreachable, Obstacle::HostUnreachable, Obstacle::Prohibited];
    (packet(), prop::option::of(prop::sample::select(why.to_vec()))).prop_map(|(packet, why)| match why {
        Some(why) => packet.undelivered(why).expect("it is a segment"),
        None => packet,
    })
}

fn encoded(packet: &Packet) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    bytes
}

/// Another reader finds a router, the code, and behind it the packet that it is about; a long one only in part.
#[test]
fn etherparse_reads_an_error_and_what_it_quotes() {
    let end = |host| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 1_000 + u16::from(host));
    for (payload, quoted) in [(5, 45), (1_400, 548)] {
        let segment = Packet {
            src: end(1),
            dst: end(2),
            seq: 7,
            ack: 8,
            flags: Flags::ACK,
            window: 9,
            options: Options::default(),
            payload: vec![0x55; payload],
            unreachable: None,
            device: None,
        };
        let error = segment.undelivered(Obstacle::HostUnreachable).expect("a segment");
        let bytes = encoded(&error);
        assert!(bytes.len() <= 576);
        let read = PacketHeaders::from_ip_slice(&bytes).expect("a packet");
        let Some(NetHeaders::Ipv4(ip, _)) = read.net else { panic!("no IPv4") };
        assert_eq!((ip.source, ip.destination), ([192, 0, 2, 129], [10, 0, 0, 1]));
        let Some(TransportHeader::Icmpv4(icmp)) = read.transport else { panic!("no ICMP") };
        let PayloadSlice::Icmpv4(inside) = read.payload else { panic!("nothing quoted") };
        let host = etherparse::icmpv4::DestUnreachableHeader::Host;
        assert_eq!(icmp.icmp_type, etherparse::Icmpv4Type::DestinationUnreachable(host));
        assert_eq!(icmp.checksum, icmp.icmp_type.calc_checksum(inside));
        // The checksum of a part is that of the part.
        let sent = encoded(&segment);
        assert_eq!((&inside[..36], &inside[38..]), (&sent[..36], &sent[38..quoted]));
    }
}

proptest! {
    #[test]
    fn a_packet_decodes_to_the_value_it_came_from(packet in message()) {
        let bytes = encoded(&packet);
        prop_assert_eq!(bytes.len(), packet.wire_len());
        prop_assert_eq!(Packet::decode(&bytes), Ok(packet));
    }

    #[test]
    fn encoding_appends(packet in message(), before in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = before.clone();
        packet.encode(&mut bytes);
        prop_assert_eq!(&bytes[..before.len()], &before[..]);
        prop_assert_eq!(Packet::decode(&bytes[before.len()..]), Ok(packet));
    }

    #[test]
    fn a_changed_byte_is_an_error(packet in message(), at in any::<prop::sample::Index>(), change in 1_u8..) {
        let mut bytes = encoded(&packet);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(Packet::decode(&bytes).is_err(), "byte {} changed by {:#x}", at, change);
    }

    #[test]
    fn a_packet_cut_short_is_an_error(packet in packet(), len in any::<prop::sample::Index>()) {
        let bytes = encoded(&packet);
        prop_assert!(Packet::decode(&bytes[..len.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        looks_right in any::<bool>(),
    ) {
        if looks_right && bytes.len() >= 40 {
            let len = bytes.len() as u8;
            bytes[..12].copy_from_slice(&[0x45, 0, 0, len, 0, 0, 0x40, 0, 64, 6, 0, 0]);
        }
        if let Ok(packet) = Packet::decode(&bytes) {
            prop_assert_eq!(Packet::decode(&encoded(&packet)), Ok(packet));
        }
    }

    #[test]
    fn etherparse_reads_the_same_packet_with_correct_checksums(packet in packet()) {
        let bytes = encoded(&packet);
        let headers = PacketHeaders::from_ip_slice(&bytes).expect("etherparse reads it");
        let Some(NetHeaders::Ipv4(ip, _)) = headers.net else { panic!("no IPv4 header") };
        let Some(TransportHeader::Tcp(tcp)) = headers.transport else { panic!("no TCP header") };
        let PayloadSlice::Tcp(payload) = headers.payload else { panic!("no TCP payload") };
        prop_assert_eq!(ip.header_checksum, ip.calc_header_checksum());
        prop_assert_eq!(Ok(tcp.checksum), tcp.calc_checksum_ipv4(&ip, payload));
        prop_assert_eq!((ip.source, tcp.source_port), (packet.src.ip().octets(), packet.src.port()));
        prop_assert_eq!((ip.destination, tcp.destination_port), (packet.dst.ip().octets(), packet.dst.port()));
        prop_assert_eq!((tcp.sequence_number, tcp.acknowledgment_number), (packet.seq, packet.ack));
        prop_assert_eq!((tcp.window_size, payload), (packet.window, &packet.payload[..]));
        let flags = [(tcp.fin, Flags::FIN), (tcp.syn, Flags::SYN), (tcp.rst, Flags::RST), (tcp.psh, Flags::PSH)];
        for (set, flag) in flags.into_iter().chain([(tcp.ack, Flags::ACK)]) {
            prop_assert_eq!(set, packet.flags.has(flag));
        }
        let mut options = Options::default();
        for element in tcp.options_iterator() {
            match element.expect("etherparse reads the options") {
                TcpOptionElement::Noop => {}
                TcpOptionElement::MaximumSegmentSize(mss) => options.mss = Some(mss),
                TcpOptionElement::WindowScale(shift) => options.window_scale = Some(shift),
                TcpOptionElement::SelectiveAcknowledgementPermitted => options.sack_permitted = true,
                TcpOptionElement::Timestamp(value, echo) => options.timestamps = Some((value, echo)),
                TcpOptionElement::SelectiveAcknowledgement(..) => panic!("no SACK blocks exist here"),
            }
        }
        prop_assert_eq!(options, packet.options);
    }

    #[test]
    fn a_capture_holds_the_packets_of_the_trace_with_their_times_places_and_directions(
        entries in prop::collection::vec((0_u64..u64::MAX / 2_000_000, 0_u32..3, any::<bool>(), packet()), 0..20)
    ) {
        let entry = |(micros, node, sent, packet): &(u64, u32, bool, Packet)| {
            let (at, packet) = (Time::from_micros(*micros), packet.clone());
            let what = if *sent {
                What::Sent { packet, to: NodeId(1), fate: Fate::Lost }
            } else {
                What::Received { packet, from: NodeId(1) }
            };
            Entry { at, node: NodeId(*node), what }
        };
        let nodes = vec!["devices".to_owned(), "nat".to_owned(), "server-0".to_owned()];
        let entries_of_trace = entries.iter().map(entry).collect();
        let trace = Trace { nodes: nodes.clone(), entries: entries_of_trace, ..Trace::default() };

        let file = pcap::write(&trace, "about");
        let mut reader = PcapNgReader::new(&file[..]).expect("a section header");
        let mut expected = entries.iter();
        while let Some(block) = reader.next_block() {
            let Block::EnhancedPacket(block) = block.expect("a block") else { continue };
            let (micros, node, sent, packet) = expected.next().expect("no more packets than in the trace");
            prop_assert_eq!(Packet::decode(&block.data), Ok(packet.clone()));
            // The crate takes the number for nanoseconds; the file's unit is the default, microseconds.
            prop_assert_eq!(block.timestamp.as_nanos(), u128::from(*micros));
            prop_assert_eq!(block.interface_id, *node);
            let direction = if *sent { 2 } else { 1 };
            let mut options = vec![EnhancedPacketOption::Flags(direction)];
            if *sent {
                options.push(EnhancedPacketOption::Comment("lost by chance".into()));
            }
            prop_assert_eq!(block.options, options);
        }
        prop_assert!(expected.next().is_none(), "a packet is missing");
        let names: Vec<Vec<InterfaceDescriptionOption<'_>>> =
            reader.interfaces().iter().map(|interface| interface.options.clone()).collect();
        let expected = |name: &String| vec![InterfaceDescriptionOption::IfName(name.clone().into())];
        prop_assert_eq!(names, nodes.iter().map(expected).collect::<Vec<_>>());
        let about = SectionHeaderOption::Comment("about".into());
        prop_assert!(reader.section().options.contains(&about));
    }
}

/// An event has no place of its own in a capture: it stands at the next packet that has to do with it.
#[test]
fn a_capture_tells_an_event_at_the_next_packet_of_its_node_and_device() {
    let packet = |device: u8, seq| Packet {
        src: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1 + device), 39_120),
        dst: SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 443),
        seq,
        ack: 1,
        flags: Flags::ACK,
        window: 1,
        options: Options::default(),
        payload: vec![0; 3],
        unreachable: None,
        device: None,
    };
    let secs = Time::from_secs;
    let sent = |at, device, seq| Entry {
        at: secs(at),
        node: NodeId(0),
        what: What::Sent { packet: packet(device, seq), to: NodeId(1), fate: Fate::Arrives(secs(at + 1)) },
    };
    let at_nat = |at, what| Entry { at: secs(at), node: NodeId(1), what };
    let given_up = DeviceEvent::GivenUp { port: 39_120, reason: GiveUp::NoReply };
    let entries = vec![
        sent(1, 0, 10),
        at_nat(2, What::Received { packet: packet(0, 10), from: NodeId(0) }),
        at_nat(2, What::Fact(Fact::Nat { network: 0, device: 0, port: 39_120, server: 0, event: NatEvent::Expired })),
        at_nat(2, What::Dropped { packet: packet(0, 10), reason: DropReason::NoMapping }),
        Entry { at: secs(3), node: NodeId(0), what: What::Fact(Fact::Device { device: 0, event: given_up }) },
        sent(4, 1, 20),
        sent(5, 0, 30),
    ];
    let fault = |begin, end| FaultSpan {
        kind: "cut",
        place: FaultPlace::AccessLink { network: 0 },
        node: NodeId(0),
        device: Some(0),
        direction: Direction::Both,
        timeout: None,
        begin: secs(begin),
        end: Some(secs(end)),
        breaks: true,
    };
    let trace = Trace {
        nodes: ["devices", "nat", "server-0"].map(str::to_owned).to_vec(),
        networks: vec!["main".to_owned()],
        entries,
        faults: vec![fault(0, 9)],
        ..Trace::default()
    };

    let file = pcap::write(&trace, "");
    let mut reader = PcapNgReader::new(&file[..]).expect("a section header");
    let mut comments = Vec::new();
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(block) = block.expect("a block") else { continue };
        let of_packet = block.options.iter().filter_map(|option| match option {
            EnhancedPacketOption::Comment(text) => Some(text.to_string()),
            _ => None,
        });
        comments.push(of_packet.collect::<Vec<_>>());
    }
    let expected: [&[&str]; 4] = [
        &["0.000000 fault begins: cut of the access link, device 0"],
        // The mapping's end has no later packet at its node.
        &["2.000000 mapping of device 0 port 39120 expires", "dropped: no mapping"],
        &[],
        &[
            "3.000000 device 0 gives up the connection of port 39120 (no reply)",
            "9.000000 fault ends: cut of the access link, device 0",
        ],
    ];
    assert_eq!(comments, expected);
}
