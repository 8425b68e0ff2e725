//! NATs at the boundary of the world: what each kind of box does when it has forgotten, who learns of it, when, and by
//! which packet; what keeps a mapping alive; what a full table, a used-up port range and a second box change.
//!
//! Every path here has 20 ms from the device to the first NAT and 30 ms from the last one to the server. The four classes
//! of the first version are held to the reference measurements in `environment.rs`; `validation.rs` lists those of all parts.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use cardiogram_policies::{
    AttemptFailure, GiveUp, HeartbeatSpec, LossReason, ReconnectSpec, Time,
    heartbeat::TcpKeepalive,
    reconnect::FixedDelay,
    server::{IdleReaper, PingAfter, Pings},
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Engine, Outcome, RunOptions, WorldConfig,
    config::{
        AfterExpiry, Background, ClassShare, Direction, Distribution, FaultConfig, LinkName, NatClass, NatConfig,
        NatFlush, NatRefresh, NatTimeout, Part, Standstill, TrafficConfig, Uniform,
    },
    outcome::{Cause, DetectedBy, Detection},
    packet::{Flags, Packet},
    run,
    trace::{DeviceEvent, DropReason, Fact, NatEvent, NodeId, What},
};
use kit::common::*;

/// Returns a session whose mapping is gone when the first beat comes, at 100.2 s; its last packet passed the NAT at 0.22 s.
fn forgotten(class: NatClass) -> WorldConfig {
    let mut world = one_session(fixed(secs(100), secs(10), 1));
    world.nat[0] = nat(60, class);
    world
}

fn nat(established: u64, class: NatClass) -> NatConfig {
    NatConfig { established: Span::secs(established).into(), after_expiry: class.into(), ..NatConfig::default() }
}

/// The last packet of the handshake passes the first NAT, 20 ms after it was sent.
const LAST: Time = Time::from_millis(220);
const EXPIRED: Time = Time::from_millis(60_220);
const BEAT: Time = Time::from_millis(100_200);

fn with(flag: Flags, packets: &[(Time, &Packet)]) -> Vec<Time> {
    packets.iter().filter(|(_, packet)| packet.flags.has(flag)).map(|(at, _)| *at).collect()
}

/// Returns what happened at the NATs behind the first one.
fn outer_events(outcome: &Outcome) -> Vec<(Time, u32, NatEvent)> {
    let events = entries(outcome).iter().filter_map(|entry| match entry.what {
        What::Fact(Fact::OuterNat { nat, event, .. }) => Some((entry.at, nat, event)),
        _ => None,
    });
    events.collect()
}

/// Returns when mappings ended that were not closed, and why.
fn ends(outcome: &Outcome) -> Vec<(Time, NatEvent)> {
    nat_events(outcome).filter(|(_, event)| !matches!(event, NatEvent::Created { .. })).collect()
}

fn closed(at: Time) -> Detection {
    Detection { at, by: DetectedBy::Transport(LossReason::Closed) }
}

fn no_reply(at: Time) -> Detection {
    Detection { at, by: DetectedBy::Heartbeat(GiveUp::NoReply) }
}

/// Returns a seed of a world with pushes whose first push is created at a moment that `fits`, and the moment. A patient NAT
/// tells.
fn first_push(world: &WorldConfig, fits: impl Fn(Time) -> bool) -> (u64, Time) {
    let patient = WorldConfig { nat: vec![NatConfig::default()], ..world.clone() };
    let push = |seed| created_pushes(&go_traced(&patient, seed)).first().copied().map(|push| (seed, push));
    (0..1_000).filter_map(push).find(|(_, push)| fits(*push)).expect("some seed pushes then")
}

/// It is sent again, and all that follows waits for it.
#[test]
fn what_a_server_sends_into_a_forgotten_mapping_is_a_loss_where_nothing_breaks() {
    let pings = Pings {
        interval: Span::secs(70),
        after: PingAfter::Received,
        timeout: None,
        misses: 1,
        answered: true,
        doubles_first: false,
        first: None,
        close_timeout: None,
    };
    let is_loss_free = |class, pings| {
        let mut world = forgotten(class);
        world.strategy.server.pings = pings;
        world.bounds().loss_free
    };
    assert!(is_loss_free(NatClass::RemapSamePort, None));
    assert!(!is_loss_free(NatClass::RemapSamePort, Some(pings.clone())));
    assert!(is_loss_free(NatClass::DropSilent, Some(pings)), "that is a break");
}

/// A carrier that resets (255 s in one of 73, Wang et al.) or Azure with TCP reset: both ends know at the expiry, each after
/// its own way.
#[test]
fn rst_both_tells_both_ends_at_the_expiry() {
    let outcome = go_traced(&forgotten(NatClass::RstBothOnExpiry), 1);
    assert_eq!(only_episode(&outcome), (EXPIRED, Cause::NatExpiry, Some(reset(EXPIRED + ACCESS))));
    assert_eq!(with(Flags::RST, &sent(&outcome, NAT)), [EXPIRED, EXPIRED]);
    assert_eq!(with(Flags::RST, &received(&outcome, SERVER)), [EXPIRED + CORE]);
    assert_eq!(sessions_closed(&outcome), [EXPIRED + CORE]);
    assert_eq!(outcome.zombie_time + ACCESS, CORE);
}

/// A lost table has nobody to tell: RST at expiry is for what expires.
#[test]
fn rst_both_is_silent_about_a_flush() {
    let mut world = forgotten(NatClass::RstBothOnExpiry);
    let begin = Time::from_secs(50);
    world.faults = vec![flush(begin)];
    let outcome = go_traced(&world, 1);
    assert_eq!(only_episode(&outcome), (begin, Cause::NatFlush, Some(no_reply(BEAT + secs(10)))));
    assert_eq!(with(Flags::RST, &sent(&outcome, NAT)), []);
}

/// AWS network load balancer: RST to the client when it sends late; the server keeps a stale session.
#[test]
fn rst_either_tells_the_client_that_sends() {
    let outcome = go_traced(&forgotten(NatClass::RstEitherOnSend), 1);
    let told = BEAT + 2 * ACCESS;
    assert_eq!(only_episode(&outcome), (EXPIRED, Cause::NatExpiry, Some(reset(told))));
    assert_eq!(sessions_closed(&outcome), []);
}

/// The same box: RST to the server when it is the one who sends late, and the client knows nothing until it sends.
#[test]
fn rst_either_tells_the_server_that_sends() {
    let mut world = forgotten(NatClass::RstEitherOnSend);
    world.traffic.down = Some(Span::secs(150).into());
    let (seed, push) = first_push(&world, |push| push > EXPIRED && push < BEAT - secs(1));
    let outcome = go_traced(&world, seed);
    assert_eq!(sessions_closed(&outcome), [push + 2 * CORE]);
    let told = BEAT + 2 * ACCESS;
    assert_eq!(only_episode(&outcome), (EXPIRED, Cause::NatExpiry, Some(reset(told))));
}

/// A Linux router that answers for itself (measured, variant C): the server's push is answered with RST at once, and the
/// client knows one round trip after its next packet, which comes to the server from the same port.
#[test]
fn a_router_that_answers_resets_the_server_at_its_push_and_the_client_after_its_next_beat() {
    let mut world = forgotten(NatClass::RemapSamePortRstOutside);
    world.traffic.down = Some(Span::secs(150).into());
    let (seed, push) = first_push(&world, |push| push > EXPIRED && push < BEAT - secs(1));
    let outcome = go_traced(&world, seed);
    let server_told = push + 2 * CORE;
    assert_eq!(sessions_closed(&outcome), [server_told]);
    // Until then the client's next packet would have mended it.
    assert_eq!(only_episode(&outcome), (server_told, Cause::NatExpiry, Some(reset(BEAT + RTT))));
    assert_eq!(with(Flags::RST, &sent(&outcome, NAT))[0], push + CORE);
    assert_eq!(with(Flags::RST, &sent(&outcome, SERVER)), [BEAT + RTT / 2]);
}

/// The same router, and the client sends first: it survives as in the silent variant (measured, variant A).
#[test]
fn a_router_that_answers_lets_the_client_come_back() {
    let mut world = forgotten(NatClass::RemapSamePortRstOutside);
    world.duration = secs(150);
    let outcome = go_traced(&world, 1);
    assert_eq!((&outcome.episodes[..], outcome.totals.heartbeats_answered), (&[][..], 1));
    assert_eq!(ends(&outcome), [(EXPIRED, NatEvent::Expired)]);
}

/// AWS NAT instance: FIN to the inside at the expiry; the client closes in good faith, and nobody tells the server.
#[test]
fn fin_inside_tells_the_client_at_the_expiry_and_the_server_never() {
    let outcome = go_traced(&forgotten(NatClass::FinInside), 1);
    assert_eq!(only_episode(&outcome), (EXPIRED, Cause::NatExpiry, Some(closed(EXPIRED + ACCESS))));
    assert_eq!(with(Flags::FIN, &sent(&outcome, NAT)), [EXPIRED]);
    assert_eq!(sessions_closed(&outcome), []);
    // The client's own FIN finds no mapping, whenever it comes.
    assert!(dropped(&outcome, NAT).iter().all(|(_, reason)| *reason == DropReason::NoMapping));
    assert_eq!(dropped(&outcome, NAT)[0].0, EXPIRED + 2 * ACCESS);
}

/// What refreshes: with `both` and `outbound` a keepalive probe does, with `data-only` it does not.
#[test]
fn data_only_does_not_count_keepalive_probes() {
    let probes = HeartbeatSpec::TcpKeepalive(TcpKeepalive {
        idle: Span::secs(20),
        interval: Span::secs(20),
        count: 3,
        user_timeout: None,
    });
    for (refresh, begin) in [
        (NatRefresh::Both, None),
        (NatRefresh::Outbound, None),
        // The hello passed the NAT at 0.12 s, the welcome at 0.18 s; the acknowledgement of 0.22 s does not count.
        (NatRefresh::DataOnly, Some(Time::from_millis(60_180))),
    ] {
        let mut world = one_session(probes.clone());
        world.nat[0] = NatConfig { refresh, ..nat(60, NatClass::DropSilent) };
        let outcome = go(&world, 1);
        assert_eq!(outcome.episodes.first().map(|episode| episode.begin), begin, "{refresh:?}");
    }
}

/// By direction: the same probes pass the NAT at 20.22 s after anything was heard, every 20 s, and their answers 60 ms later. A
/// heartbeat's reply is data from outside, its last acknowledgement is bare.
#[test]
fn what_refreshes_is_a_matter_of_direction_and_payload() {
    let probes = HeartbeatSpec::TcpKeepalive(TcpKeepalive {
        idle: Span::secs(20),
        interval: Span::secs(20),
        count: 3,
        user_timeout: None,
    });
    let begins = |heartbeat: HeartbeatSpec, refresh| {
        let mut world = one_session(heartbeat);
        world.nat[0] = NatConfig { refresh, ..nat(60, NatClass::DropSilent) };
        go(&world, 1).episodes.first().map(|episode| episode.begin)
    };
    let beats = || fixed(secs(50), secs(10), 1);
    for refresh in NatRefresh::ALL {
        assert_eq!(begins(beats(), *refresh), None, "{refresh:?}: beats are data, and so are their replies");
        let of_probes = match refresh {
            NatRefresh::Both | NatRefresh::Outbound | NatRefresh::Inbound => None,
            // The hello passes at 0.12 s, the welcome at 0.18 s.
            NatRefresh::OutboundData => Some(Time::from_millis(60_120)),
            NatRefresh::DataOnly | NatRefresh::InboundData => Some(Time::from_millis(60_180)),
        };
        assert_eq!(begins(probes.clone(), *refresh), of_probes, "{refresh:?}");
    }
}

/// A server that pings and wants no answer, on a box that counts what the inside has to say: nobody notices the end.
#[test]
fn pings_without_answers_refresh_one_direction_alone() {
    let pings = Pings {
        interval: Span::secs(20),
        after: PingAfter::Grid,
        timeout: None,
        misses: 1,
        answered: false,
        doubles_first: false,
        first: None,
        close_timeout: None,
    };
    let begins = |refresh| {
        let mut world = one_session(HeartbeatSpec::None);
        world.strategy.server.pings = Some(pings.clone());
        world.nat[0] = NatConfig { refresh, ..nat(60, NatClass::DropSilent) };
        go(&world, 1).episodes.first().map(|episode| episode.begin)
    };
    // The client's kernel acknowledges each ping, with nothing in it.
    let bare = [NatRefresh::Both, NatRefresh::Outbound, NatRefresh::Inbound];
    assert_eq!(bare.map(begins), [None; 3]);
    assert_eq!([NatRefresh::DataOnly, NatRefresh::InboundData].map(begins), [None; 2]);
    assert_eq!(begins(NatRefresh::OutboundData), Some(Time::from_millis(60_120)));
}

/// Strict Linux with an open outer side: the client beats into the void, the server is reset by its first push.
#[test]
fn a_box_that_is_silent_inside_resets_outside() {
    // Who speaks first after the end: the client, whose beat nobody answers.
    let outcome = go_traced(&forgotten(NatClass::RstOutsideOnSend), 1);
    assert_eq!(only_episode(&outcome), (EXPIRED, Cause::NatExpiry, Some(no_reply(BEAT + secs(10)))));
    assert_eq!(with(Flags::RST, &received(&outcome, DEVICES)), []);
    assert_eq!(dropped(&outcome, NAT)[0], (BEAT + ACCESS, DropReason::NoMapping));
    // The server, whose ping draws a RST within a trip to the box and back; the client hears nothing of it.
    let mut world = one_session(HeartbeatSpec::None);
    world.nat[0] = nat(60, NatClass::RstOutsideOnSend);
    world.strategy.server.pings = Some(Pings {
        interval: Span::secs(100),
        after: PingAfter::Grid,
        timeout: None,
        misses: 1,
        answered: true,
        doubles_first: false,
        first: None,
        close_timeout: None,
    });
    let outcome = go_traced(&world, 1);
    let pinged = Time::from_millis(100_150);
    assert_eq!(with(Flags::RST, &received(&outcome, SERVER)), [pinged + 2 * CORE]);
    assert_eq!(sessions_closed(&outcome), [pinged + 2 * CORE]);
    assert_eq!(only_episode(&outcome), (EXPIRED, Cause::NatExpiry, None));
}

/// With `data-only` a heartbeat of the application counts: 50 s between beats keeps a mapping of 60 s.
#[test]
fn data_only_counts_heartbeats_of_the_application() {
    let mut world = one_session(fixed(secs(50), secs(10), 1));
    world.nat[0] = NatConfig { refresh: NatRefresh::DataOnly, ..nat(60, NatClass::DropSilent) };
    let outcome = go(&world, 1);
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
}

/// Linux cuts the timeout to 300 s after three unanswered repetitions: in an outage with data outstanding the mapping does
/// not outlive the outage, however long its timeout. Here 40 s, on a cut behind the NAT.
#[test]
fn unanswered_repetitions_shorten_the_timeout() {
    let message_seen = |unacknowledged| {
        let mut world = one_session(HeartbeatSpec::None);
        world.nat[0] = NatConfig { unacknowledged, ..nat(7_200, NatClass::DropSilent) };
        world.traffic = TrafficConfig { up: Some(Span::secs(2_000).into()), down: None, ..TrafficConfig::default() };
        let message = sent_messages(&go_traced(&world, 3))[0];
        let lasts = Some(secs(3_000));
        world.faults = vec![cut_of(LinkName::Core, Direction::Both, message, lasts)];
        let outcome = go_traced(&world, 3);
        let seen: Vec<Time> =
            received(&outcome, NAT).into_iter().filter(|(at, _)| *at > message).map(|(at, _)| at).collect();
        (ends(&outcome), seen)
    };
    let (expired, seen) = message_seen(Some(Span::secs(40)));
    // Repetitions come at twice the distance each time: the first that is more than 40 s away comes too late.
    let gap = seen.windows(2).find(|pair| pair[1].since(pair[0]) > secs(40)).expect("repetitions grow apart");
    assert_eq!(expired, [(gap[0] + secs(40), NatEvent::Expired)]);
    assert_eq!(message_seen(None).0, [], "without that timer it lives on");
}

/// A closed connection has a timeout of its own.
#[test]
fn a_closed_connection_is_forgotten_after_the_closing_timeout() {
    for (closing, timeout) in [(Some(Span::secs(30)), 30), (None, 240)] {
        let mut world = one_session(HeartbeatSpec::None);
        world.strategy.server = IdleReaper::new(Span::secs(60), Delay::millis(10_000)).into();
        world.nat[0].closing = closing;
        let outcome = go_traced(&world, 1);
        let last = received(&outcome, NAT).last().expect("packets passed").0;
        assert_eq!(ends(&outcome), [(last + secs(timeout), NatEvent::Expired)]);
    }
}

/// 64 entries at 2 new connections a second: whoever is silent for 32 s is pushed out, however long the timeout.
#[test]
fn a_crowded_table_forgets_after_entries_over_rate() {
    let crowded = NatConfig {
        table: Some(64),
        background: Some(Background { flows_per_s: 2.0 }),
        ..nat(7_200, NatClass::DropSilent)
    };
    let mut world = one_session(fixed(secs(31), secs(10), 1));
    world.nat[0] = crowded.clone();
    let outcome = go_traced(&world, 1);
    assert_eq!((outcome.episodes.len(), outcome.false_alarms.len(), ends(&outcome).len()), (0, 0, 0));

    world.strategy.heartbeat = fixed(secs(33), secs(10), 1);
    let outcome = go_traced(&world, 1);
    // Others begin at 0.5 s, 1 s, ...: the 64th after 0.22 s at 32 s.
    let begin = Time::from_secs(32);
    assert_eq!(ends(&outcome)[0], (begin, NatEvent::Evicted));
    let beat = CONNECTED + secs(33);
    assert_eq!(only_episode(&outcome), (begin, Cause::NatEvicted, Some(no_reply(beat + secs(10)))));
    assert_eq!(world.bounds().nat_timeout, Some(millis(31_500)), "one place is the device's own");
}

/// The figure of docs/model/nat.md: 8192 entries at 20 new connections a second live for 410 s.
#[test]
fn eight_thousand_entries_at_twenty_a_second_live_for_410_s() {
    let mut world = one_session(HeartbeatSpec::None);
    world.nat[0] = NatConfig {
        table: Some(8_192),
        background: Some(Background { flows_per_s: 20.0 }),
        ..nat(7_200, NatClass::DropSilent)
    };
    let (begin, cause, _) = only_episode(&go(&world, 1));
    assert_eq!(cause, Cause::NatEvicted);
    assert!(begin.since(LAST).abs_diff(millis(409_600)) <= millis(50), "{begin:?}");
}

/// Without anyone else, devices push each other out when there are more of them than places.
#[test]
fn a_table_smaller_than_its_devices_keeps_the_latest() {
    let mut world = one_session(HeartbeatSpec::None);
    world.devices.count = 5;
    world.devices.start_within = Delay::millis(60_000);
    world.nat[0] = NatConfig { table: Some(3), ..nat(7_200, NatClass::DropSilent) };
    world.duration = Duration::from_hours(1);
    let outcome = go_traced(&world, 1);
    let causes: Vec<Cause> = outcome.episodes.iter().map(|episode| episode.cause).collect();
    assert_eq!(causes, [Cause::NatEvicted; 2]);
    let mut starts: Vec<(Time, u32)> = device_events(&outcome)
        .filter(|(.., event)| matches!(event, DeviceEvent::AttemptStarted { .. }))
        .map(|(at, device, _)| (at, device))
        .collect();
    starts.sort_unstable();
    let mut first_two: Vec<u32> = starts[..2].iter().map(|(_, device)| *device).collect();
    first_two.sort_unstable();
    assert_eq!(outcome.episodes.iter().map(|episode| episode.device).collect::<Vec<_>>(), first_two);
}

/// A device that tries again and again at a dead server uses up its ports; then its SYNs are dropped in silence, and a held
/// port comes back when its time is over.
#[test]
fn a_subscriber_without_a_free_port_is_not_let_through() {
    let mut world = world(HeartbeatSpec::None);
    world.duration = secs(600);
    world.strategy.connect_timeout = Span::millis(500);
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::millis(500) });
    world.faults = vec![FaultConfig::ServerCrash(server_fault(Time::ZERO, None))];
    world.nat[0] = NatConfig {
        ports: Some(4),
        hold_down: Some(Span::secs(120)),
        transitory: Span::secs(60),
        ..nat(7_200, NatClass::DropSilent)
    };
    let outcome = go_traced(&world, 1);
    let created: Vec<Time> =
        nat_events(&outcome).filter(|(_, event)| matches!(event, NatEvent::Created { .. })).map(|(at, _)| at).collect();
    let reasons: Vec<DropReason> = dropped(&outcome, NAT).into_iter().map(|(_, reason)| reason).collect();
    assert!(reasons.len() > 100 && reasons.iter().all(|reason| *reason == DropReason::NoPort));
    // Each attempt is refused, its mapping closing for 60 s and its port held for 120 s.
    for pair in created.windows(5) {
        assert!(pair[4].since(pair[0]) >= secs(180), "four ports, each used once in 180 s: {pair:?}");
    }
    assert!(created.len() >= 12, "and then used again: {}", created.len());
    let (refused, timed_out) = device_events(&outcome).fold((0, 0), |(refused, timed_out), (.., event)| match event {
        DeviceEvent::AttemptFailed(AttemptFailure::Refused) => (refused + 1, timed_out),
        DeviceEvent::AttemptFailed(AttemptFailure::Timeout) => (refused, timed_out + 1),
        _ => (refused, timed_out),
    });
    assert_eq!(refused, created.len());
    assert!(reasons.len() - timed_out <= 1, "but for one that the end of the run interrupts");
}

/// Home router, carrier, load balancer: the shortest timeout decides, wherever its box stands, and its way of forgetting
/// with it.
#[test]
fn of_several_boxes_the_shortest_timeout_wins() {
    let patient = || nat(7_200, NatClass::DropSilent);
    let hop = millis(1);
    for place in 0..3 {
        let mut world = forgotten(NatClass::DropSilent);
        world.nat = vec![patient(), patient(), patient()];
        world.nat[place] = nat(60, NatClass::RstInsideOnSend);
        let outcome = go_traced(&world, 1);
        let way = ACCESS + hop * place as u32;
        // Two milliseconds more each way: connected 8 ms later.
        let connected = CONNECTED + 2 * (2 * 2 * hop);
        let (begin, beat) = (connected + way + secs(60), connected + secs(100));
        assert_eq!(only_episode(&outcome), (begin, Cause::NatExpiry, Some(reset(beat + 2 * way))), "box {place}");
        assert_eq!(world.bounds().nat_timeout, Some(secs(60)));
        assert_eq!(outcome.trace.as_ref().expect("kept").nodes, ["devices", "nat-0", "nat-1", "nat-2", "server-0"]);
    }
}

/// Every box translates: the server sees the last one's address, and the record says whose mapping is whose.
#[test]
fn each_box_has_its_own_address_and_mapping() {
    let mut world = forgotten(NatClass::DropSilent);
    world.nat = vec![nat(7_200, NatClass::RemapNewPort), nat(7_200, NatClass::RemapNewPort)];
    world.duration = secs(50);
    let outcome = go_traced(&world, 1);
    let (second, server) = (NodeId(2), NodeId(3));
    let seen = |by| received(&outcome, by)[0].1.src;
    assert_eq!((seen(NAT).ip().octets(), seen(second).ip().octets()), ([10, 0, 0, 1], [198, 51, 100, 1]));
    assert_eq!(seen(server).ip().octets(), [198, 51, 100, 2]);
    let [(.., NatEvent::Created { outside: first })] = nat_events(&outcome).collect::<Vec<_>>()[..] else {
        panic!("one mapping at the first")
    };
    let [(.., 1, NatEvent::Created { outside: then })] = outer_events(&outcome)[..] else {
        panic!("one mapping at the second")
    };
    assert_eq!((seen(second).port(), seen(server).port()), (first, then));
    assert_eq!(outcome.episodes, []);
}

/// A carrier behind a home router that gives a new port: the server does not know it and resets, as with one box.
#[test]
fn a_new_port_at_the_second_box_breaks_the_session() {
    let mut world = forgotten(NatClass::DropSilent);
    world.nat = vec![nat(7_200, NatClass::RemapSamePort), nat(60, NatClass::RemapNewPort)];
    let outcome = go_traced(&world, 1);
    let hop = millis(1);
    let connected = CONNECTED + 4 * hop;
    let told = connected + secs(100) + RTT + 2 * hop;
    assert_eq!(only_episode(&outcome), (connected + ACCESS + hop + secs(60), Cause::NatExpiry, Some(reset(told))));
}

/// The same with boxes that keep the port: nothing is broken, whichever forgets.
#[test]
fn boxes_that_keep_the_port_survive_in_a_row() {
    let mut world = forgotten(NatClass::DropSilent);
    world.nat = vec![nat(60, NatClass::RemapSamePort), nat(50, NatClass::RemapSamePortRstOutside)];
    world.duration = secs(300);
    let outcome = go_traced(&world, 1);
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
    assert_eq!(outcome.totals.heartbeats_answered, 2);
}

/// A flush hits the box it names; without a name, all of them.
#[test]
fn a_flush_can_be_that_of_one_box() {
    let flushed = |nat| {
        let mut world = forgotten(NatClass::DropSilent);
        world.nat = vec![NatConfig::default(), NatConfig::default()];
        world.faults = vec![FaultConfig::NatFlush(NatFlush { network: None, nat, when: at(Time::from_secs(50)) })];
        let outcome = go_traced(&world, 1);
        let first = ends(&outcome).contains(&(Time::from_secs(50), NatEvent::Flushed));
        let second = outer_events(&outcome).contains(&(Time::from_secs(50), 1, NatEvent::Flushed));
        assert_eq!(only_episode(&outcome).1, Cause::NatFlush);
        (first, second)
    };
    assert_eq!([Some(0), Some(1), None].map(flushed), [(true, false), (false, true), (true, true)]);
}

/// The timeout shrinks while the device has settled: the timer of a mapping is set at its last packet, so the first beat
/// after the change is the last one that passes.
#[test]
fn a_timeout_that_shrinks_counts_from_the_next_packet_on() {
    let mut world = one_session(fixed(secs(100), secs(10), 1));
    world.nat[0] = nat(300, NatClass::DropSilent);
    let (begin, end) = (Time::from_secs(450), Time::from_secs(600));
    let shift = |established, lasts| {
        FaultConfig::NatTimeout(NatTimeout {
            network: None,
            nat: None,
            when: at(begin),
            lasts,
            established: Span::secs(established),
        })
    };
    world.faults = vec![shift(60, Some(constant(end.since(begin))))];
    let outcome = go_traced(&world, 1);
    // Beats at 100.2 s, 200.2 s, ...; that of 500.2 s is answered, and the answer acknowledged at 500.3 s.
    let last = Time::from_millis(500_300) + ACCESS;
    assert_eq!(only_episode(&outcome), (last + secs(60), Cause::NatExpiry, Some(no_reply(Time::from_millis(610_200)))));
    assert_eq!(world.bounds().nat_timeout, Some(secs(60)));

    // Over before a beat passes: nothing has changed.
    world.faults = vec![shift(60, Some(constant(secs(40))))];
    assert_eq!(go(&world, 1).episodes, []);
    // Longer than the interval: neither.
    world.faults = vec![shift(101, None)];
    assert_eq!(go(&world, 1).episodes, []);
}

/// Where timeouts are drawn, each device has its own, the same in every run of a seed and for every strategy.
#[test]
fn each_device_has_its_own_timeout_and_class() {
    let mut world = one_session(HeartbeatSpec::None);
    world.devices.count = 400;
    let uniform = Distribution::Uniform(Uniform { min: Span::secs(60), max: Span::secs(120) });
    let part = |weight, of| Part { weight, of };
    let share = |weight, class| ClassShare { weight, class };
    world.nat[0] = NatConfig {
        established: Distribution::Mixture(vec![part(3.0, uniform), part(1.0, Span::secs(600).into())]),
        after_expiry: AfterExpiry::Mix {
            mix: vec![share(0.5, NatClass::RstBothOnExpiry), share(0.5, NatClass::DropSilent)],
        },
        ..NatConfig::default()
    };
    let outcome = go(&world, 1);
    let lived = |device: u32| {
        let episode = outcome.episodes.iter().find(|episode| episode.device == device).expect("each expires");
        episode.begin.since(LAST)
    };
    let lives: Vec<Duration> = (0..400).map(lived).collect();
    let long = lives.iter().filter(|life| **life == secs(600)).count();
    assert!(lives.iter().all(|life| (secs(60)..=secs(120)).contains(life) || *life == secs(600)));
    // A quarter of 400, four standard errors.
    assert!(long.abs_diff(100) < 35, "{long}");
    let told = outcome.episodes.iter().filter(|episode| episode.detection.is_some()).count();
    assert!(told.abs_diff(200) < 40, "{told}");
    let told_and_long =
        outcome.episodes.iter().filter(|e| e.detection.is_some() && e.begin.since(LAST) == secs(600)).count();
    assert!(told_and_long.abs_diff(50) < 25, "timeout and class are drawn apart: {told_and_long}");

    world.strategy = strategy("another", fixed(secs(3_000), secs(10), 1));
    let again = go(&world, 1);
    let first_of = |outcome: &Outcome, device| outcome.episodes.iter().find(|e| e.device == device).map(|e| e.begin);
    assert!((0..400).all(|device| first_of(&outcome, device) == first_of(&again, device)));
}

/// Returns the address that a server sees of each device that it hears of, by the device.
fn seen_at(outcome: &Outcome, by: NodeId) -> BTreeMap<u32, Ipv4Addr> {
    received(outcome, by).iter().filter_map(|(_, packet)| Some((packet.device?, *packet.src.ip()))).collect()
}

/// RFC 4787 REQ-2: pooling is paired. The address stays with the device over reconnects.
#[test]
fn devices_share_outside_addresses_in_blocks_and_keep_theirs() {
    let mut world = world(fixed(secs(100), secs(10), 1));
    world.devices.count = 5;
    world.server.count = 2;
    world.nat[0] = NatConfig { outside_addresses: 2, ..nat(60, NatClass::RstInsideOnSend) };
    let outcome = go_traced(&world, 1);
    let of_block = |device| if device < 3 { Ipv4Addr::new(198, 51, 100, 1) } else { Ipv4Addr::new(198, 18, 0, 1) };
    for server in [SERVER, NodeId(3)] {
        let seen = seen_at(&outcome, server);
        assert!(!seen.is_empty() && seen.iter().all(|(device, address)| *address == of_block(*device)), "{seen:?}");
    }
    assert!(outcome.episodes.len() > 100, "they reconnect: {}", outcome.episodes.len());
    assert!(outcome.episodes.iter().all(|episode| episode.cause == Cause::NatExpiry));
}

/// What is counted for each subscriber of a box is counted for each address of the box in front of it.
#[test]
fn the_subscribers_of_a_further_box_are_the_addresses_of_the_box_in_front() {
    let sessions = |outside_addresses| {
        let mut world = one_session(HeartbeatSpec::None);
        world.devices.count = 4;
        world.duration = secs(100);
        let front = NatConfig { outside_addresses, ..NatConfig::default() };
        world.nat = vec![front, NatConfig { ports: Some(2), ..NatConfig::default() }];
        let outcome = go_traced(&world, 1);
        let seen: Vec<u8> = seen_at(&outcome, NodeId(2)).values().map(|address| address.octets()[3]).collect();
        (outcome.peaks.sessions, seen)
    };
    assert_eq!(sessions(1), (2, vec![1; 4]));
    assert_eq!(sessions(2), (4, vec![1, 1, 1, 1]));
    assert_eq!(sessions(4), (4, vec![1, 1, 2, 3]));
}

/// Both engines on boxes in a row with everything a box can have.
#[test]
fn engines_agree_on_boxes_in_a_row() {
    let mut world = world(fixed(secs(45), secs(10), 1));
    world.devices.count = 5;
    world.traffic = TrafficConfig {
        up: Some(Span::secs(100).into()),
        down: Some(Span::secs(100).into()),
        ..TrafficConfig::default()
    };
    world.nat = vec![
        nat(50, NatClass::RemapSamePortRstOutside),
        NatConfig {
            table: Some(5),
            background: Some(Background { flows_per_s: 0.1 }),
            ..nat(90, NatClass::RemapNewPort)
        },
        NatConfig { hold_down: Some(Span::secs(120)), ..nat(70, NatClass::RstBothOnExpiry) },
    ];
    for seed in 0..5 {
        let of = |engine| run(&world, seed, &RunOptions::new(engine)).expect("both finish");
        let (event, turmoil) = (of(Engine::Event), of(Engine::Turmoil));
        assert_eq!((event.trace_hash, event.episodes), (turmoil.trace_hash, turmoil.episodes));
    }
}

/// The beat passes the NAT at 100.22 s and nothing answers it; the device sleeps before it could be sent again. From that byte on
/// the mapping of a Linux router has 300 s.
#[test]
fn conntrack_forgets_a_connection_sooner_while_a_byte_is_unanswered() {
    let forgotten_at = |conntrack| {
        let mut world = one_session(fixed(secs(100), secs(90), 1));
        world.duration = secs(1_500);
        let unacknowledged = Some(Span::secs(300));
        world.nat[0] = NatConfig { conntrack, unacknowledged, ..nat(1_000, NatClass::DropSilent) };
        let sleeps = Standstill { devices: None, when: at(BEAT + millis(50)), lasts: None };
        let behind = cut_of(LinkName::Core, Direction::Both, BEAT - millis(100), None);
        world.faults = vec![behind, FaultConfig::DeviceFreeze(sleeps)];
        ends(&go_traced(&world, 1))
    };
    assert_eq!(forgotten_at(true), [(Time::from_millis(400_220), NatEvent::Expired)]);
    assert_eq!(forgotten_at(false), [(Time::from_millis(1_100_220), NatEvent::Expired)]);
}

#[test]
fn a_conntrack_that_not_every_packet_refreshes_is_none() {
    let mut world = one_session(HeartbeatSpec::None);
    world.nat[0] = NatConfig { conntrack: true, refresh: NatRefresh::Outbound, ..NatConfig::default() };
    let problems: Vec<_> = world.problems().into_iter().map(|problem| (problem.path, problem.message)).collect();
    let of = |path: &str, message: &str| (path.to_owned(), message.to_owned());
    assert_eq!(problems, [of("nat.conntrack", "Linux's conntrack is refreshed by any packet")]);
}
