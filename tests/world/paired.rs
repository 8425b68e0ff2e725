//! Paired worlds: every strategy meets the same faults, the same traffic and the same luck, so that the difference between
//! two of them is theirs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cardiogram_policies::{
    HeartbeatSpec, StrategySpec, Time, preset,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        Answer, BurstLoss, Carrier, Cut, Direction, Distribution, FaultConfig, LinkName, LogNormal, NatFlush,
        ServerFault, TrafficConfig, When,
    },
    outcome::Cause,
    packet::Packet,
    trace::{DeviceEvent, Fact, Fate, NodeId, ServerEvent, What},
};
use kit::common::*;

/// Four devices and two servers for three hours, in which everything that chance decides has its say.
fn random_world(strategy: StrategySpec) -> WorldConfig {
    let every = |mean| When::Every(Span::secs(mean));
    let lasts = |mean| Some(Distribution::Exponential(exponential(mean)));
    let fault = |mean, length| ServerFault { devices: None, server: None, when: every(mean), lasts: lasts(length) };
    let mut world = world(HeartbeatSpec::None);
    world.duration = Duration::from_hours(3);
    world.devices.count = 4;
    world.devices.start_within = Delay::millis(60_000);
    world.server.count = 2;
    world.nat[0].established = Span::secs(300).into();
    world.access.delay =
        Distribution::LogNormal(LogNormal { median: Span::millis(35), sigma: 0.4, min: Span::millis(15), max: None });
    world.access.burst_loss = Some(BurstLoss {
        good: Span::secs(120),
        bad: Span::secs(5),
        loss_good: Fraction::new(0.001).expect("a probability"),
        loss_bad: Fraction::new(0.5).expect("a probability"),
    });
    world.traffic = TrafficConfig {
        up: Some(Span::secs(300).into()),
        down: Some(Span::secs(300).into()),
        ..TrafficConfig::default()
    };
    world.faults = vec![
        FaultConfig::Cut(Cut {
            devices: None,
            link: LinkName::Access,
            direction: Direction::Both,
            when: every(3_600),
            lasts: lasts(60),
            answers: Answer::Nothing,
            carrier: Carrier::Kept,
        }),
        FaultConfig::Cut(Cut {
            devices: None,
            link: LinkName::Core,
            direction: Direction::Up,
            when: every(7_200),
            lasts: lasts(60),
            answers: Answer::Nothing,
            carrier: Carrier::Kept,
        }),
        FaultConfig::NatFlush(NatFlush { network: None, nat: None, when: every(7_200) }),
        FaultConfig::ServerStall(fault(7_200, 60)),
        FaultConfig::ServerCrash(fault(7_200, 20)),
        FaultConfig::ServerVanish(fault(7_200, 60).into()),
    ];
    world.strategy = strategy;
    world
}

fn exponential(mean: u64) -> cardiogram_sim::config::Exponential {
    cardiogram_sim::config::Exponential { mean: Span::secs(mean), min: None }
}

/// Everything that a run gives; for the record stands its hash.
fn everything(outcome: &Outcome) -> String {
    format!("{outcome:?}")
}

/// A strategy is its parameters: its name, its texts, and what was run before it change nothing at all.
#[test]
fn a_strategy_compared_with_itself_differs_by_nothing() {
    // What some presets differ in comes seldom.
    let long_world = |strategy| WorldConfig { duration: Duration::from_hours(6), ..random_world(strategy) };
    let alone: Vec<String> =
        preset::all().iter().map(|preset| everything(&go(&long_world(preset.spec()), 1))).collect();
    for (preset, alone) in preset::all().iter().zip(&alone).rev() {
        let mut renamed = preset.spec();
        renamed.name = format!("not-{}", preset.name);
        renamed.about = "The same under another name.".into();
        renamed.source = String::new();
        renamed.assumptions = Vec::new();
        let again = everything(&go(&long_world(renamed), 1));
        assert!(again == *alone, "{} is not itself", preset.name);
    }
    // And the comparison can tell: presets differ. These do not, in a world whose devices have no states, whose messages
    // keep Linux's keepalive of two hours as quiet as none, and in which no attempt takes long.
    let mut alike: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
    // Those that compare reconnect policies differ only where their rules matter, which is not in every world.
    let is_about_heartbeats = |preset: &preset::Preset| !preset.name.starts_with("reconnect-");
    for (preset, alone) in preset::all().iter().zip(&alone).filter(|(preset, _)| is_about_heartbeats(preset)) {
        alike.entry(alone).or_default().push(preset.name);
    }
    let twins: BTreeSet<Vec<&str>> = alike.into_values().filter(|names| names.len() > 1).collect();
    let expected = [
        vec!["netease-30-15", "whatsapp-app-30", "fg-bg-split-5m", "fg-bg-split-10m"],
        vec!["none", "tcp-retransmit-only", "linux-keepalive"],
    ];
    assert_eq!(twins, BTreeSet::from(expected));
}

#[test]
fn another_seed_is_another_world() {
    let world = random_world(preset::all()[0].spec());
    assert_ne!(go(&world, 1).trace_hash, go(&world, 2).trace_hash);
}

/// What happens to the world, and when.
#[derive(Debug, PartialEq)]
struct World {
    server_faults: Vec<(Time, NodeId, ServerEvent)>,
    starts: BTreeMap<u32, Time>,
}

impl World {
    fn of(outcome: &Outcome) -> Self {
        let server_faults = entries(outcome).iter().filter_map(|entry| match entry.what {
            What::Fact(Fact::Server {
                event: event @ (ServerEvent::FaultBegan(_) | ServerEvent::FaultEnded(_)),
                ..
            }) => Some((entry.at, entry.node, event)),
            _ => None,
        });
        let mut starts = BTreeMap::new();
        for (at, device, _) in device_events(outcome) {
            starts.entry(device).or_insert(at);
        }
        Self { server_faults: server_faults.collect(), starts }
    }
}

#[test]
fn faults_strike_at_the_same_moments_whatever_the_strategy() {
    for seed in 0..2 {
        let outcomes: Vec<Outcome> =
            lasting_presets().map(|preset| go_traced(&random_world(preset.spec()), seed)).collect();
        let first = World::of(&outcomes[0]);
        assert!(!first.server_faults.is_empty());
        for outcome in &outcomes {
            assert_eq!(World::of(outcome), first);
        }
        // Whoever has a usable session when a link is cut, the NAT is flushed or a server fails, is struck then and there.
        // A server's fault strikes whom it serves; which server that is, is the strategy's doing.
        let mut shared = 0;
        for outcome in &outcomes {
            let scheduled = [Cause::Cut, Cause::CutUp, Cause::NatFlush];
            for episode in outcome.episodes.iter().filter(|episode| scheduled.contains(&episode.cause)) {
                for other in &outcomes {
                    let struck = other.episodes.iter().any(|o| (o.device, o.begin) == (episode.device, episode.begin));
                    assert!(struck || is_down(other, episode.device, episode.begin), "{episode:?}");
                    shared += u32::from(struck);
                }
            }
        }
        assert!(shared > 100, "the strategies have breaks in common: {shared}");
    }
}

/// A strike has one number for every strategy, by which breaks can be paired.
#[test]
fn the_strike_that_began_a_break_is_the_same_whatever_the_strategy() {
    let mut breaks: BTreeMap<(u32, u32), Vec<(Time, Cause)>> = BTreeMap::new();
    for preset in lasting_presets() {
        for episode in go(&random_world(preset.spec()), 0).episodes {
            let by_itself = matches!(episode.cause, Cause::NatExpiry | Cause::ServerClosed);
            assert_eq!(episode.fault.is_none(), by_itself, "{episode:?}");
            if let Some(fault) = episode.fault {
                breaks.entry((episode.device, fault)).or_default().push((episode.begin, episode.cause));
            }
        }
    }
    for (strike, of_strategies) in &breaks {
        // In this world every strike breaks at once what it breaks.
        assert!(of_strategies.iter().all(|it| *it == of_strategies[0]), "{strike:?}: {of_strategies:?}");
    }
    let causes: BTreeSet<Cause> = breaks.values().map(|of_strategies| of_strategies[0].1).collect();
    assert_eq!(causes.len(), 6, "every fault of the world has broken something: {causes:?}");
    assert!(breaks.values().filter(|of_strategies| of_strategies.len() > 10).count() > 20);
}

/// Returns whether a device is without a usable session just before `at`.
fn is_down(outcome: &Outcome, device: u32, at: Time) -> bool {
    let around = |begin: Time, end: Option<Time>| begin < at && end.is_none_or(|end| end >= at);
    outcome.episodes.iter().any(|e| e.device == device && around(e.begin, e.end))
        || outcome.false_alarms.iter().any(|a| a.device == device && around(a.at, a.end))
}

#[test]
fn messages_are_created_at_the_same_moments_whatever_the_strategy() {
    // Created for the device, by its number; and by the device, sent when created or once there is a session.
    let pushes = |outcome: &Outcome| -> BTreeMap<(u32, u32), Time> {
        device_events(outcome)
            .filter_map(|(at, device, event)| match event {
                DeviceEvent::MessageDelivered { id, delay } => Some(((device, id), at - delay)),
                _ => None,
            })
            .collect()
    };
    let outcomes: Vec<Outcome> = lasting_presets().map(|preset| go_traced(&random_world(preset.spec()), 5)).collect();
    let first = pushes(&outcomes[0]);
    for (preset, outcome) in lasting_presets().zip(&outcomes) {
        assert_eq!(outcome.pushes.created, outcomes[0].pushes.created);
        let common: Vec<_> = pushes(outcome).into_iter().filter(|(key, _)| first.contains_key(key)).collect();
        // A client that gives up for good gets fewer than the others.
        assert!(common.len() > 30, "{}: {}", preset.name, common.len());
        assert!(common.iter().all(|(key, created)| first[key] == *created));
        assert!(outcome.pushes.delays.len() as u64 + outcome.pushes.undelivered() == outcome.pushes.created);
    }

    // On a path where nothing happens, every strategy sends every message at the moment of its creation.
    let sent = |preset: &preset::Preset| -> Vec<(Time, u32, DeviceEvent)> {
        let mut world = random_world(preset.spec());
        world.faults = Vec::new();
        world.access.burst_loss = None;
        world.nat[0].established = Span::secs(86_400).into();
        let events = go_traced(&world, 5);
        device_events(&events).filter(|(.., event)| matches!(event, DeviceEvent::MessageSent { .. })).collect()
    };
    let first = sent(&preset::all()[0]);
    assert!(first.len() > 100);
    for preset in sound_presets() {
        assert_eq!(sent(preset), first, "{}", preset.name);
    }
}

/// A packet's luck belongs to the lane, the direction and the moment of its sending: two strategies that send something at
/// the same moment, whatever it is, lose both or none.
#[test]
fn a_packets_coin_depends_on_when_it_is_sent_and_on_nothing_else() {
    let fates = |strategy: HeartbeatSpec| -> BTreeMap<(NodeId, NodeId, String, Time), Fate> {
        let mut world = world(strategy);
        world.duration = Duration::from_hours(24);
        world.devices.count = 3;
        world.access.packet_loss = Fraction::new(0.2).expect("a probability");
        world.core.packet_loss = Fraction::new(0.05).expect("a probability");
        world.traffic = TrafficConfig {
            up: Some(Span::secs(60).into()),
            down: Some(Span::secs(60).into()),
            ..TrafficConfig::default()
        };
        let outcome = go_traced(&world, 6);
        let mut fates = BTreeMap::new();
        for entry in entries(&outcome) {
            if let What::Sent { packet, to, fate } = &entry.what {
                let known = fates.insert((entry.node, *to, lane(entry.node, *to, packet), entry.at), *fate);
                assert!(known.is_none_or(|known| known == *fate), "one moment, one fate");
            }
        }
        fates
    };
    let one = fates(fixed(secs(30), secs(10), 2));
    let other = fates(fixed(secs(45), secs(15), 3));
    let common: Vec<(Fate, Fate)> =
        one.iter().filter_map(|(key, fate)| other.get(key).map(|other| (*fate, *other))).collect();
    let lost = common.iter().filter(|(fate, _)| *fate == Fate::Lost).count();
    assert!(common.len() > 1_000 && lost > 100, "{} packets in common, {lost} lost", common.len());
    assert!(common.iter().all(|(one, other)| one == other));
}

/// Returns the lane that a packet takes: that of its device on the access link, the only one on the core link.
fn lane(from: NodeId, to: NodeId, packet: &Packet) -> String {
    match (from, to) {
        (DEVICES, _) => packet.src.ip().to_string(),
        (_, DEVICES) => packet.dst.ip().to_string(),
        _ => String::new(),
    }
}
