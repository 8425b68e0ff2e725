//! What holds in every world, however hostile: the books balance, nothing is delivered twice or out of order, and the
//! policies keep their promises.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cardiogram_policies::{HeartbeatSpec, ServerSpec, Time, unit::Fraction};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Carries, Distribution, FaultConfig, LifeConfig, LinkConfig, ServerConfig, Undelivered},
    frozen,
    outcome::{Episode, PacketCounts, TcpCounts},
    trace::{DeviceEvent, DropReason, What},
};
use kit::{common::*, worlds};
use proptest::{prelude::*, sample::Index};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        // Not every policy promises everything: one world of forty has what a test wants, of a hundred thousand if need be.
        max_global_rejects: 1 << 22,
        ..ProptestConfig::default()
    })]

    /// Every moment of a device is spent in one way: it has not had a usable session yet, has one, is in an episode, or
    /// between a false alarm and its next usable session.
    #[test]
    fn every_moment_of_a_device_is_accounted_for_once(world in worlds::world(), seed: u64) {
        // Who leaves on purpose spends time without a session that is none of these.
        prop_assume!(!matches!(world.strategy.heartbeat, HeartbeatSpec::LeaveWhenQuiet(_)));
        let outcome = go_traced(&world, seed);
        prop_assert_eq!(outcome.away_time, Duration::ZERO);
        let end = Time::ZERO + world.duration;
        let mut spans: BTreeMap<u32, Vec<(Time, Time)>> = BTreeMap::new();
        for Episode { device, begin, end: over, detection, .. } in &outcome.episodes {
            let over = over.unwrap_or(end);
            prop_assert!(detection.is_none_or(|detection| *begin <= detection.at && detection.at <= over));
            spans.entry(*device).or_default().push((*begin, over));
        }
        for alarm in &outcome.false_alarms {
            spans.entry(alarm.device).or_default().push((alarm.at, alarm.end.unwrap_or(end)));
        }
        let mut without = Duration::ZERO;
        for spans in spans.values_mut() {
            spans.sort_unstable();
            prop_assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?} overlap");
            without += spans.iter().map(|(begin, over)| over.since(*begin)).sum::<Duration>();
        }
        // What is left is the time before the first usable session.
        prop_assert!(outcome.usable_time + without <= outcome.device_time);
        let never_usable = outcome.device_time.saturating_sub(outcome.usable_time + without);
        let connecting: Duration = (0..world.devices.count).map(|device| first_connection(&outcome, device, end)).sum();
        prop_assert!(never_usable >= connecting, "{never_usable:?} without a session, {connecting:?} connecting");
    }

    /// A run is judged while it goes on, so that memory does not grow with its length. What is forgotten on the way is not missed.
    #[test]
    fn the_truth_is_the_same_whenever_it_is_judged(world in worlds::world(), seed: u64, facts in 1..40_usize) {
        let at_the_end = frozen::judged_in_portions(&world, seed, usize::MAX);
        prop_assert_eq!(frozen::judged_in_portions(&world, seed, facts), at_the_end);
    }

    /// The application gets each message once, in order, whatever server it comes from; none is left out, unless what was
    /// not delivered is lost.
    #[test]
    fn pushes_arrive_once_and_in_order(world in worlds::world(), seed: u64) {
        let outcome = go_traced(&world, seed);
        // Two ways to a device do not keep an order between them.
        let two_ways = world.wakeup.as_ref().is_some_and(|wakeup| wakeup.carries == Carries::Message);
        let mut expected: BTreeMap<u32, u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut delivered = 0;
        for (_, device, event) in device_events(&outcome) {
            if let DeviceEvent::MessageDelivered { id, .. } = event {
                let next = expected.entry(device).or_default();
                prop_assert!(id == *next || two_ways || id > *next && world.server.undelivered == Undelivered::Lost);
                prop_assert!(seen.insert((device, id)));
                *next = id + 1;
                delivered += 1;
            }
        }
        prop_assert_eq!(delivered, outcome.pushes.delays.len());
        prop_assert!(outcome.pushes.delays.len() as u64 <= outcome.pushes.created);
    }

    /// The counters say what the record says.
    #[test]
    fn packets_are_counted_once_each(world in worlds::world(), seed: u64) {
        let outcome = go_traced(&world, seed);
        let (mut up, mut down, mut up_bytes, mut down_bytes) = (0, 0, 0, 0);
        // Errors of routers are no packets of TCP; a device sends none.
        let mut errors = 0;
        for entry in entries(&outcome).iter().filter(|entry| entry.node == DEVICES) {
            match &entry.what {
                What::Sent { packet, .. } => (up, up_bytes) = (up + 1, up_bytes + packet.wire_len() as u64),
                What::Received { packet, .. } => {
                    (down, down_bytes) = (down + 1, down_bytes + packet.wire_len() as u64);
                    errors += u64::from(packet.unreachable.is_some());
                }
                // What arrives for an address that the device no longer has, or while it is frozen, does not reach it.
                What::Dropped { packet, reason: DropReason::NoRoute | DropReason::HostDown }
                    if packet.dst.ip().octets()[0] == 10 => {
                    (down, down_bytes) = (down - 1, down_bytes - packet.wire_len() as u64);
                    errors -= u64::from(packet.unreachable.is_some());
                }
                _ => {}
            }
        }
        let totals = outcome.totals;
        prop_assert_eq!((totals.up.packets, totals.up.bytes), (up, up_bytes));
        prop_assert_eq!((totals.down.packets, totals.down.bytes), (down, down_bytes));
        for (PacketCounts { packets, tcp, .. }, others) in [(totals.up, 0), (totals.down, errors)] {
            let TcpCounts { rst, syn, fin, probe, retransmission, data, pure_ack } = tcp;
            prop_assert_eq!(packets - others, rst + syn + fin + probe + retransmission + data + pure_ack);
        }
        prop_assert!(totals.heartbeats_answered <= totals.heartbeats_sent);
        prop_assert!(totals.sessions <= totals.connect_attempts);
    }

    /// Promise: a connection on a healthy path is never given up.
    #[test]
    fn policies_that_promise_no_false_alarm_raise_none(world in worlds::world(), seed: u64) {
        let world = calm(WorldConfig { faults: Vec::new(), ..world });
        prop_assume!(world.promises().no_false_alarm);
        kept::raises_no_alarm(&go(&world, seed)).map_err(TestCaseError::fail)?;
    }

    /// Promise: a permanent break is noticed within a time.
    #[test]
    fn policies_notice_permanent_breaks_as_soon_as_they_promise(
        world in worlds::world(),
        seed: u64,
        kind: Index,
        at in 60_000_000_u64..600_000_000,
    ) {
        let begin = Time::from_micros(at);
        let breaks = [
            cut(begin, None),
            FaultConfig::ServerStall(server_fault(begin, None)),
            FaultConfig::ServerVanish(server_fault(begin, None).into()),
            FaultConfig::ServerCrash(server_fault(begin, None)),
            flush(begin),
        ];
        let mut world = calm(WorldConfig { faults: vec![kind.get(&breaks).clone()], ..world });
        world.duration = Duration::from_hours(4);
        let promised = world.promises().detects_within;
        prop_assume!(promised.is_some());
        kept::notices(&go(&world, seed), begin, promised.expect("assumed")).map_err(TestCaseError::fail)?;
    }

    /// Promise: so many heartbeats an hour, so many connection attempts in a window.
    #[test]
    fn policies_spend_no_more_than_they_promise(world in worlds::world(), seed: u64) {
        // A wake-up begins attempts that the policy did not ask for.
        let world = WorldConfig { duration: Duration::from_hours(2), wakeup: None, ..world };
        let outcome = go_traced(&world, seed);
        let promises = world.promises();
        kept::spends_no_more(&outcome, world.devices.count, &promises).map_err(TestCaseError::fail)?;
    }

    /// Promise: once everything is well for good, there is a session within a time.
    #[test]
    fn policies_are_back_as_soon_as_they_promise(world in worlds::world(), seed: u64) {
        let healed = Time::from_secs(1_000);
        let mut world = calm(world);
        // Every fault strikes at once, and all are over by then: what one puts off comes later than its own end, and has to be
        // there by then, too.
        let begin = Time::from_secs(700);
        for fault in &mut world.faults {
            let struck = |lasts| fault.clone().struck(at(begin), Some(span(lasts)));
            let over = struck(secs(100)).periods().expect("at a given time")[0].1.expect("it ends");
            let aftermath = over.since(begin).saturating_sub(secs(100));
            *fault = struck(secs(300).saturating_sub(2 * aftermath).max(secs(100)));
        }
        world.duration = Duration::from_hours(6);
        world.life = LifeConfig::default();
        // A NAT that forgets nothing and a server that reaps nobody: nothing breaks afterwards.
        for nat in &mut world.nat {
            nat.established = Distribution::Constant(span(world.duration));
            (nat.table, nat.background, nat.ports) = (None, None, None);
        }
        world.strategy.server = ServerSpec::default();
        let promises = world.promises();
        prop_assume!(promises.no_false_alarm && promises.reconnects_within.is_some());
        let within = promises.reconnects_within.expect("assumed");
        kept::is_back(&go(&world, seed), healed, within).map_err(TestCaseError::fail)?;
    }
}

/// Returns the same world without chance losses and with one device, whose server works at no cost and whose application leaves no
/// session itself: what promises are made for.
fn calm(world: WorldConfig) -> WorldConfig {
    let lossless = |link: LinkConfig| LinkConfig { burst_loss: None, packet_loss: Fraction::default(), ..link };
    let mut world = WorldConfig { access: lossless(world.access), core: lossless(world.core), ..world };
    for network in world.networks.values_mut() {
        network.access = lossless(network.access.clone());
    }
    world.devices.count = 1;
    world.server = ServerConfig { count: world.server.count, tcp: world.server.tcp, ..ServerConfig::default() };
    world.traffic.deadline = None;
    world
}

/// From a device's first attempt to its first session, or to the end of the run.
fn first_connection(outcome: &Outcome, device: u32, end: Time) -> Duration {
    let mut events = device_events(outcome).filter(|(_, of, _)| *of == device);
    let attempt = events.find(|(.., event)| matches!(event, DeviceEvent::AttemptStarted { .. }));
    let Some((start, ..)) = attempt else { return Duration::ZERO };
    let connected = events.find(|(.., event)| matches!(event, DeviceEvent::Connected { .. }));
    connected.map_or(end, |(at, ..)| at).since(start)
}

/// An exchange over a radio that falls asleep takes seconds; a kernel that repeats data once gives up before the answer is there.
#[test]
fn nobody_promises_no_false_alarm_where_kernels_give_up_before_an_answer_is_certain() {
    let mut world = world(HeartbeatSpec::None);
    assert!(world.promises().no_false_alarm);
    world.devices.tcp.retries2 = Some(1);
    assert!(world.promises().no_false_alarm, "600 ms for a round trip of 100 ms");
    world.access = link(millis(400));
    assert!(!world.promises().no_false_alarm, "a round trip of 860 ms");
    world.devices.tcp.retries2 = None;
    world.server.tcp.retries2 = Some(1);
    assert!(!world.promises().no_false_alarm, "the server's kernel gives up as well");
}
