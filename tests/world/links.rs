//! Faults of links at the boundary of the world: who learns what, when, and by which packet. What a link does to a single
//! packet is tested beside it.
//!
//! The usual device beats every 30 s from 30.2 s on, over a path of 20 ms and 30 ms, and gives up after 10 s without a reply.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, Time,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        Answer, Carrier, DelayDrift, DelaySpike, Direction, Distribution, Duplication, Exponential, FaultConfig,
        Flapping, Handover, HandoverMode, LinkName, LossBurst, Rate, RateLimit, Reordering, TrafficConfig,
    },
    outcome::{Cause, DetectedBy, Episode, EpisodeOutcome, FalseAlarm},
    packet::{Flags, Packet},
    trace::{DeviceEvent, Fate, NodeId, What},
};
use kit::common::*;

/// When the first beat is sent.
const BEAT: Time = Time::from_millis(30_200);

/// Returns the usual device for a minute, the first beat under the fault.
fn first_beat_under(fault: FaultConfig) -> Outcome {
    let world = world(fixed(secs(30), secs(10), 1));
    go_traced(&WorldConfig { duration: secs(60), faults: vec![fault], ..world }, 1)
}

fn fates(outcome: &Outcome) -> impl Iterator<Item = (Time, NodeId, &Packet, Fate)> + '_ {
    entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, fate, .. } => Some((entry.at, entry.node, packet, *fate)),
        _ => None,
    })
}

/// Returns the packets that a node took off its links.
fn received(outcome: &Outcome, by: NodeId) -> impl Iterator<Item = (Time, &Packet)> + '_ {
    entries(outcome).iter().filter_map(move |entry| match &entry.what {
        What::Received { packet, .. } if entry.node == by => Some((entry.at, packet)),
        _ => None,
    })
}

/// Returns when replies to beats arrived, and how long they took.
fn replies(outcome: &Outcome) -> Vec<(Time, Duration)> {
    device_events(outcome)
        .filter_map(|(at, _, event)| match event {
            DeviceEvent::HeartbeatAnswered { rtt, .. } => Some((at, rtt)),
            _ => None,
        })
        .collect()
}

fn nothing_broke(outcome: &Outcome) {
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
    assert!(fates(outcome).all(|(.., fate)| matches!(fate, Fate::Arrives(_) | Fate::ArrivesTwice { .. })));
}

fn half() -> Fraction {
    Fraction::new(0.5).expect("a probability")
}

/// TCP delivers the reply once; its copy is known already, and draws an acknowledgement at once.
#[test]
fn a_duplicated_reply_is_delivered_once_and_acknowledged_twice() {
    let outcome = first_beat_under(FaultConfig::Duplication(Duplication {
        devices: None,
        link: LinkName::Access,
        direction: Direction::Down,
        when: at(BEAT),
        lasts: Some(constant(secs(1))),
        probability: Fraction::ONE,
        delay: constant(millis(500)),
    }));
    nothing_broke(&outcome);
    let reply = BEAT + RTT;
    let copies: Vec<Time> = received(&outcome, DEVICES)
        .filter(|(at, packet)| *at > BEAT && !packet.payload.is_empty())
        .map(|(at, _)| at)
        .collect();
    assert_eq!(copies, [reply, reply + millis(500)]);
    assert_eq!(replies(&outcome), [(reply, RTT)]);
    let of_device = fates(&outcome).filter(|(at, node, ..)| *node == DEVICES && *at > BEAT);
    let sent: Vec<(Time, bool)> = of_device.map(|(at, _, packet, _)| (at, packet.payload.is_empty())).collect();
    assert_eq!(sent, [(reply, true), (reply + millis(500), true)]);
}

/// Segments overtake each other, TCP puts them in order, and everything is delivered once; a segment that comes too early
/// is answered at once with what is still missing.
#[test]
fn overtaking_segments_are_put_in_order() {
    let mut world = world(HeartbeatSpec::None);
    world.duration = secs(120);
    world.traffic = TrafficConfig { up: None, down: Some(Span::millis(200).into()), ..TrafficConfig::default() };
    world.faults = vec![FaultConfig::Reordering(Reordering {
        devices: None,
        link: LinkName::Access,
        direction: Direction::Down,
        when: at(Time::from_secs(1)),
        lasts: Some(constant(secs(100))),
        probability: half(),
        delay: constant(millis(150)),
    })];
    let outcome = go_traced(&world, 1);
    nothing_broke(&outcome);
    let mut next = None;
    let mut early = Vec::new();
    for (at, packet) in received(&outcome, DEVICES).filter(|(_, packet)| !packet.payload.is_empty()) {
        let end = packet.seq.wrapping_add(packet.payload.len() as u32);
        let expected = *next.get_or_insert(packet.seq);
        if packet.seq > expected {
            early.push(at);
        } else {
            next = Some(expected.max(end));
        }
    }
    assert!(early.len() > 50, "{} came too early", early.len());
    for at in early {
        assert!(
            fates(&outcome)
                .any(|(sent, node, packet, _)| { (sent, node) == (at, DEVICES) && packet.flags.has(Flags::ACK) })
        );
    }
    let ids: Vec<u32> = device_events(&outcome)
        .filter_map(|(.., event)| match event {
            DeviceEvent::MessageDelivered { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    assert_eq!(ids, (0..ids.len() as u32).collect::<Vec<u32>>());
    assert!(outcome.pushes.undelivered() < 5, "the last ones are under way");
}

/// The beat is 15 s late, and everything behind it keeps its order: the device gives up a connection that works, and its next
/// handshake waits behind the beat.
#[test]
fn a_spike_longer_than_the_timeout_is_a_false_alarm_with_a_late_reply() {
    let outcome = first_beat_under(FaultConfig::DelaySpike(DelaySpike {
        devices: None,
        link: LinkName::Access,
        direction: Direction::Up,
        when: at(BEAT),
        lasts: Some(constant(millis(1))),
        delay: constant(secs(15)),
    }));
    let late = BEAT + secs(15) + RTT;
    assert_eq!(outcome.episodes, []);
    let by = DetectedBy::Heartbeat(GiveUp::NoReply);
    // SYN and SYN-ACK come with the late reply; hello and welcome take another round trip.
    assert_eq!(outcome.false_alarms, [FalseAlarm { device: 0, at: BEAT + secs(10), by, end: Some(late + RTT) }]);
    let reply = received(&outcome, DEVICES).find(|(at, packet)| *at > BEAT && packet.payload.len() == 5);
    assert_eq!(reply.map(|(at, _)| at), Some(late), "the reply comes after all");
    assert_eq!(replies(&outcome), [], "to nobody");
}

/// A beat has 57 bytes on the wire, and so has its reply: 57 ms each at 8 kbit/s.
#[test]
fn a_rate_limit_adds_the_time_of_the_bits() {
    let (bits_per_second, queue) = (8_000, Delay::millis(1_000));
    let limit = |direction| {
        FaultConfig::RateLimit(RateLimit {
            devices: None,
            link: LinkName::Access,
            direction,
            when: at(BEAT),
            lasts: Some(constant(secs(1))),
            bits_per_second,
            queue,
        })
    };
    for (direction, longer) in [(Direction::Up, 57), (Direction::Down, 57), (Direction::Both, 114)] {
        let outcome = first_beat_under(limit(direction));
        nothing_broke(&outcome);
        assert_eq!(replies(&outcome), [(BEAT + RTT + millis(longer), RTT + millis(longer))], "{direction:?}");
    }
    // The same as a property of the core link.
    let mut slow = WorldConfig { duration: secs(60), ..world(fixed(secs(30), secs(10), 1)) };
    slow.core.rate = Some(Rate { bits_per_second, queue });
    assert_eq!(replies(&go_traced(&slow, 1))[0].1, RTT + millis(114));
}

/// What does not fit the queue is lost, and TCP repairs it: nothing is broken.
#[test]
fn a_full_queue_loses_packets_and_no_messages() {
    let mut world = world(HeartbeatSpec::None);
    world.duration = secs(600);
    world.traffic = TrafficConfig { up: None, down: Some(Span::millis(300).into()), ..TrafficConfig::default() };
    world.faults = vec![FaultConfig::RateLimit(RateLimit {
        devices: None,
        link: LinkName::Core,
        direction: Direction::Down,
        when: at(Time::from_secs(1)),
        lasts: Some(constant(secs(300))),
        bits_per_second: 20_000,
        queue: Delay::millis(20),
    })];
    let outcome = go_traced(&world, 1);
    assert!(fates(&outcome).filter(|(.., fate)| *fate == Fate::QueueFull).count() > 10);
    assert!(outcome.pushes.undelivered() < 5, "the last ones are under way");
    assert_eq!(outcome.episodes, []);
}

/// Nothing is lost: the beat and TCP's repetitions of it leave when the gap is over, and the reply is late by that.
#[test]
fn a_buffered_handover_delivers_at_its_end() {
    let gap_end = BEAT + millis(900);
    let outcome = first_beat_under(handover(HandoverMode::Buffered));
    nothing_broke(&outcome);
    let beats: Vec<Time> = received(&outcome, SERVER)
        .filter(|(at, packet)| *at > BEAT && !packet.payload.is_empty())
        .map(|(at, _)| at)
        .collect();
    // The tail-loss probe after 0.4 s, the timeout after 0.7 s.
    assert_eq!(beats, [gap_end + RTT / 2; 3]);
    assert_eq!(replies(&outcome), [(gap_end + RTT, millis(1_000))]);
}

/// The same gap loses the beat: a cut of that length, which TCP repairs.
#[test]
fn a_lossy_handover_is_a_short_cut() {
    let outcome = first_beat_under(handover(HandoverMode::Lossy));
    let [Episode { cause, begin, end, detection, .. }] = outcome.episodes[..] else { panic!("one") };
    assert_eq!((cause, begin, end, detection), (Cause::Cut, BEAT - millis(100), Some(BEAT + millis(900)), None));
    let lost = fates(&outcome).filter(|(.., fate)| *fate == Fate::Cut);
    assert_eq!(lost.map(|(at, ..)| at).next(), Some(BEAT));
    assert_eq!(outcome.totals.heartbeats_answered, 1);
}

fn handover(mode: HandoverMode) -> FaultConfig {
    let (begin, lasts) = (BEAT - millis(100), constant(secs(1)));
    FaultConfig::Handover(Handover { devices: None, link: LinkName::Access, when: at(begin), lasts, mode })
}

/// Chance is no break, however unkind: whoever gives up in it raises a false alarm.
#[test]
fn a_loss_burst_is_no_break() {
    let mut world = world(fixed(secs(5), secs(2), 1));
    let (begin, end) = (Time::from_secs(1_000), Time::from_secs(2_000));
    world.faults = vec![FaultConfig::LossBurst(LossBurst {
        devices: None,
        link: LinkName::Access,
        direction: Direction::Both,
        when: at(begin),
        lasts: Some(constant(end.since(begin))),
        loss: half(),
    })];
    let outcome = go_traced(&world, 1);
    // The hello of an attempt that was given up can come after the next one's: then the server closes the wrong session.
    assert!(outcome.episodes.iter().all(|episode| episode.cause == Cause::ServerClosed));
    assert!(outcome.false_alarms.len() > 10);
    assert!(outcome.false_alarms.iter().all(|alarm| alarm.at > begin && alarm.at < end + secs(10)));
    let on_access = |node: NodeId, packet: &Packet| node == DEVICES || (node == NAT && packet.src.port() == 443);
    let (mut lost, mut sent) = (0, 0);
    for (at, _, _, fate) in fates(&outcome).filter(|(_, node, packet, _)| on_access(*node, packet)) {
        let meanwhile = begin <= at && at < end;
        sent += u32::from(meanwhile);
        lost += u32::from(fate == Fate::Lost);
        assert!(meanwhile || fate != Fate::Lost, "lost at {at}");
    }
    // About 2,000 packets: a standard error of 0.011.
    assert!(sent > 1_000 && (f64::from(lost) / f64::from(sent) - 0.5).abs() < 0.05, "{lost} of {sent}");
}

/// Each time down is a cut of its own: for the truth, and for what is sent.
#[test]
fn flapping_is_a_series_of_cuts() {
    let mut world = world(fixed(secs(1), millis(900), 1_000));
    let begin = Time::from_secs(100);
    world.faults = vec![FaultConfig::Flapping(Flapping {
        devices: None,
        link: LinkName::Access,
        direction: Direction::Both,
        when: at(begin),
        lasts: Some(constant(secs(300))),
        cycles: None,
        down: Span::secs(8),
        up: Span::secs(20),
        answers: Answer::Nothing,
        carrier: Carrier::Kept,
    })];
    let outcome = go_traced(&world, 1);
    assert!(outcome.episodes.len() > 5, "about eleven: {}", outcome.episodes.len());
    assert_eq!(outcome.episodes[0].begin, begin);
    let down: Vec<(Time, Time)> =
        outcome.episodes.iter().map(|episode| (episode.begin, episode.end.expect("it is over"))).collect();
    assert!(outcome.episodes.iter().all(|episode| episode.cause == Cause::Cut));
    assert!(outcome.episodes.iter().all(|episode| episode.outcome() == EpisodeOutcome::RiddenOut));
    assert!(down.iter().all(|(_, up)| *up <= begin + secs(300)));
    for (at, node, _, fate) in fates(&outcome).filter(|(_, node, ..)| *node == DEVICES) {
        let is_cut = down.iter().any(|(begin, end)| *begin <= at + ACCESS && at < *end);
        assert_eq!(fate == Fate::Cut, is_cut, "{node:?} sends at {at}");
    }
}

/// A device's distance does not change from packet to packet, and differs from that of others.
#[test]
fn every_device_has_a_base_delay_of_its_own() {
    let mut world = world(fixed(secs(30), secs(10), 1));
    world.duration = secs(600);
    world.devices.count = 20;
    world.access.base_delay =
        Some(Distribution::Exponential(Exponential { mean: Span::millis(100), min: Some(Span::millis(1)) }));
    let outcome = go_traced(&world, 1);
    let mut trips: BTreeMap<u32, Vec<Duration>> = BTreeMap::new();
    for (_, device, event) in device_events(&outcome) {
        if let DeviceEvent::HeartbeatAnswered { rtt, .. } = event {
            trips.entry(device).or_default().push(rtt);
        }
    }
    assert_eq!(trips.len(), 20);
    for (device, trips) in &trips {
        assert!(trips.iter().all(|rtt| *rtt == trips[0] && *rtt > RTT), "{device}: {trips:?}");
    }
    let mut distinct: Vec<Duration> = trips.values().map(|trips| trips[0]).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 20);
}

/// A delay that drifts is a state of the link: whoever sends at a moment meets it, both ways, however often they have sent
/// before; and it stays for seconds.
#[test]
fn a_drift_is_the_same_for_everyone_and_both_ways() {
    let trips = |interval: Duration| -> BTreeMap<Time, Duration> {
        let mut world = world(fixed(interval, interval, 1));
        world.duration = secs(3_600);
        let delay = Distribution::Exponential(Exponential { mean: Span::millis(50), min: None });
        world.access.drift = Some(DelayDrift { delay, tau: Span::secs(40) });
        let outcome = go_traced(&world, 1);
        nothing_broke(&outcome);
        replies(&outcome).into_iter().map(|(at, rtt)| (at - rtt, rtt)).collect()
    };
    let (often, rarely) = (trips(secs(1)), trips(secs(60)));
    assert!(rarely.len() > 55 && rarely.iter().all(|(at, rtt)| often[at] == *rtt), "{rarely:?}");
    let slow: Vec<Duration> = often.values().map(|rtt| rtt.saturating_sub(RTT)).collect();
    // The state holds for 10 s, and both ways add it: most beats fall into one state there and back.
    let even = slow.iter().filter(|slow| slow.as_micros() % 2 == 0).count();
    assert!(even * 100 > slow.len() * 97, "{even} of {}", slow.len());
    let as_before = slow.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(as_before * 10 > slow.len() * 8, "{as_before} of {}", slow.len());
    let mean = slow.iter().sum::<Duration>() / slow.len() as u32;
    assert!((millis(60)..millis(140)).contains(&mean), "{mean:?}");
}
