//! Radios at the boundary: which packet leaves or arrives when, and what a day of heartbeats costs. The device has its
//! usual path: 20 ms to the NAT, 30 ms on to the server.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, Time,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{RadioConfig, TailStage, TrafficConfig},
    packet::{Flags, Packet},
    trace::{DeviceEvent, What},
};
use kit::common::*;

const PROMOTION: Duration = Duration::from_millis(260);
const TAIL: Duration = Duration::from_millis(11_576);
const PAGING_CYCLE: Duration = Duration::from_millis(1_280);

/// LTE as in Huang et al. 2012, without the power of sleeping, which no policy can change.
fn lte() -> RadioConfig {
    RadioConfig {
        promotion: Delay::new(PROMOTION).expect("a delay"),
        promotion_mw: 1_211,
        paging_cycle: Delay::new(PAGING_CYCLE).expect("a delay"),
        active_mw: 1_288,
        up_mw_per_mbps: 438,
        down_mw_per_mbps: 52,
        up_kbps: 5_000,
        down_kbps: 10_000,
        tail: vec![TailStage { lasts: span(TAIL), mw: 1_060, carries_below: 0 }],
        idle_mw: 0,
    }
}

fn with_radio(heartbeat: HeartbeatSpec, radio: RadioConfig) -> WorldConfig {
    WorldConfig { radio: Some(radio), ..world(heartbeat) }
}

/// Returns what the device puts on its link.
fn sent(outcome: &Outcome) -> Vec<(Time, &Packet)> {
    let sent = entries(outcome).iter().filter(|entry| entry.node == DEVICES).filter_map(|entry| match &entry.what {
        What::Sent { packet, .. } => Some((entry.at, packet)),
        _ => None,
    });
    sent.collect()
}

fn heartbeats(outcome: &Outcome) -> Vec<Time> {
    let beats = device_events(outcome).filter(|(.., event)| matches!(event, DeviceEvent::HeartbeatSent { .. }));
    beats.map(|(at, ..)| at).collect()
}

#[test]
fn a_promotion_delays_the_first_packet_and_no_other() {
    let outcome = go_traced(&with_radio(fixed(secs(60), secs(10), 1), lte()), 1);
    // The SYN waits; the rest of the handshake takes its two round trips.
    let connected = CONNECTED + PROMOTION;
    let sent = sent(&outcome);
    let times: Vec<Time> = sent.iter().map(|(at, _)| *at).take(3).collect();
    let syn = Time::ZERO + PROMOTION;
    assert_eq!(times, [syn, syn + RTT, syn + RTT], "SYN, then ACK and hello when the SYN-ACK is there");
    // A beat that finds the radio asleep waits, its reply and the acknowledgement of that do not.
    let beat = connected + secs(60);
    assert_eq!(heartbeats(&outcome)[0], beat);
    let of_beat: Vec<Time> = sent.iter().map(|(at, _)| *at).filter(|at| (beat..beat + secs(30)).contains(at)).collect();
    assert_eq!(of_beat.len(), 2, "the beat and an acknowledgement");
    assert_eq!(of_beat[0], beat + PROMOTION);
    let answered = device_events(&outcome).find_map(|(at, _, event)| match event {
        DeviceEvent::HeartbeatAnswered { rtt, .. } => Some((at, rtt)),
        _ => None,
    });
    assert_eq!(answered, Some((beat + PROMOTION + RTT, PROMOTION + RTT)));
    let risen: Vec<Time> = device_events(&outcome)
        .filter(|(.., event)| *event == DeviceEvent::RadioUp { waited: PROMOTION })
        .map(|(at, ..)| at)
        .collect();
    assert_eq!(risen[..2], [syn, beat + PROMOTION]);
}

#[test]
fn packets_wait_for_the_radio_in_order() {
    // TCP sends its SYN again after 1 s, and does not know that the first has not left.
    let radio = RadioConfig { promotion: Delay::millis(1_500), ..lte() };
    let outcome = go_traced(&with_radio(HeartbeatSpec::None, radio), 1);
    let syns: Vec<Time> =
        sent(&outcome).iter().filter(|(_, packet)| packet.flags == Flags::SYN).map(|it| it.0).collect();
    assert_eq!(syns, [Time::from_millis(1_500); 2]);
    assert_eq!(outcome.totals.sessions, 1);
}

#[test]
fn a_push_to_a_sleeping_radio_waits_for_its_page_and_the_promotion() {
    let mut world = with_radio(HeartbeatSpec::None, lte());
    world.traffic = TrafficConfig { up: None, down: Some(Span::secs(60).into()), ..TrafficConfig::default() };
    let outcome = go_traced(&world, 1);
    let mut waits = Vec::new();
    let mut awake = 0;
    let events: Vec<_> = device_events(&outcome).skip_while(|(at, ..)| *at <= CONNECTED + PROMOTION).collect();
    for (at, _, event) in &events {
        let DeviceEvent::MessageDelivered { delay, .. } = event else { continue };
        let page = events.iter().find_map(|(up, _, event)| match event {
            DeviceEvent::RadioUp { waited } if up == at => Some(*waited),
            _ => None,
        });
        match page {
            // The first that woke it; one that follows while the radio rises has waited less.
            Some(waited) if *delay == RTT / 2 + waited => waits.push(waited),
            Some(waited) => assert!(*delay < RTT / 2 + waited),
            None => {
                assert_eq!(*delay, RTT / 2);
                awake += 1;
            }
        }
    }
    assert!(waits.len() > 20 && awake > 3, "{} woke the radio, {awake} found it up", waits.len());
    let (least, most) = (PROMOTION, PROMOTION + PAGING_CYCLE);
    assert!(waits.iter().all(|wait| (least..most).contains(wait)), "{waits:?}");
    // Uniform over the cycle: mean 640 ms, and 370 ms / sqrt(n) of error.
    let mean = waits.iter().sum::<Duration>() / waits.len() as u32;
    assert!((PROMOTION + millis(400)..PROMOTION + millis(880)).contains(&mean), "{mean:?}");
    // The columns of push delay are made of the same.
    assert_eq!(outcome.pushes.delays.last().copied(), waits.iter().max().map(|wait| RTT / 2 + *wait));
}

/// Returns the energy of a run in nJ, worked out anew from the packets of its record: every packet takes 1 ms here, and between
/// two of them there is tail until it is over.
fn energy_of_record(outcome: &Outcome, end: Time) -> (u128, u64) {
    let (mut energy, mut wakeups) = (0, 0);
    let mut free: Option<Time> = None;
    let span_until = |free: Time, at: Time| at.since(free).min(TAIL).as_micros();
    for entry in entries(outcome).iter().filter(|entry| entry.node == DEVICES) {
        let (packet, per_bit) = match &entry.what {
            What::Sent { packet, .. } => (packet, 438),
            What::Received { packet, .. } => (packet, 52),
            _ => continue,
        };
        assert!(packet.wire_len() < 600, "longer packets take more than 1 ms");
        match free {
            Some(free) if entry.at < free => {}
            Some(free) if entry.at.since(free) <= TAIL => energy += 1_060 * span_until(free, entry.at),
            _ => {
                energy += free.map_or(0, |_| 1_060 * TAIL.as_micros()) + 1_211 * PROMOTION.as_micros();
                wakeups += 1;
            }
        }
        energy += 1_288 * 1_000 + per_bit * 8 * packet.wire_len() as u128;
        free = Some(free.map_or(entry.at, |free| free.max(entry.at)) + millis(1));
    }
    (energy + free.map_or(0, |free| 1_060 * span_until(free, end)), wakeups)
}

const DAY: Duration = Duration::from_hours(24);

/// One device, for a day.
fn day(interval: Duration) -> Outcome {
    let world = WorldConfig { duration: DAY, ..with_radio(fixed(interval, secs(5), 1), lte()) };
    let outcome = go_traced(&world, 1);
    assert_eq!((outcome.episodes.len(), outcome.false_alarms.len()), (0, 0));
    let radio = outcome.radio.expect("the world has radios");
    assert_eq!((radio.energy_nj, radio.wakeups), energy_of_record(&outcome, Time::ZERO + DAY));
    outcome
}

/// 4.06 kJ (docs/model/radio.md). The connection is the first of the 320 tails.
#[test]
fn lte_heartbeats_every_270_s_cost_320_tails_a_day() {
    let radio = day(secs(270)).radio.expect("checked");
    assert_eq!(radio.wakeups, 320);
    // 320 isolated heartbeats of 12.66 J each, and the delayed acknowledgement, which prolongs each tail by 40 ms or so.
    let kilojoules = radio.energy_nj as f64 / 1e12;
    assert!((kilojoules / 4.06 - 1.0).abs() < 0.01, "{kilojoules} kJ");
    let per_tail = radio.on / 320;
    assert!((PROMOTION + TAIL..PROMOTION + TAIL + millis(200)).contains(&per_tail), "{per_tail:?}");
}

/// 1.06 W, 91.6 kJ (docs/model/radio.md).
#[test]
fn lte_heartbeats_every_10_s_never_let_the_radio_sleep() {
    let radio = day(secs(10)).radio.expect("checked");
    assert_eq!((radio.wakeups, radio.on), (1, DAY));
    let kilojoules = radio.energy_nj as f64 / 1e12;
    assert!((kilojoules / 91.6 - 1.0).abs() < 0.001, "{kilojoules} kJ");
}

#[test]
fn a_sleeping_radio_costs_its_idle_power_and_devices_are_summed() {
    let mut world = with_radio(HeartbeatSpec::None, lte());
    let alone = go(&world, 1).radio.expect("the world has radios");
    world.radio = Some(RadioConfig { idle_mw: 20, ..lte() });
    let idle = go(&world, 1).radio.expect("the world has radios");
    let asleep_us = world.duration.as_micros() - alone.on.as_micros();
    assert_eq!(idle.energy_nj - alone.energy_nj, 20 * asleep_us);
    world.devices.count = 3;
    let three = go(&world, 1).radio.expect("the world has radios");
    assert_eq!((three.energy_nj, three.wakeups, three.on), (3 * idle.energy_nj, 3, 3 * idle.on));
}

#[test]
fn a_world_without_radios_says_nothing_of_them() {
    assert_eq!(go(&world(HeartbeatSpec::None), 1).radio, None);
}
