//! Who notices what: a server that is deaf but whose kernel is well, a path on which nothing is wrong, and a cut that is
//! over before anyone needed to know.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, Time,
    heartbeat::{TcpKeepalive, WhenDead},
    preset,
    unit::Span,
};
use cardiogram_scenarios::load;
use cardiogram_sim::{
    config::{Arrivals, FaultConfig, TrafficConfig},
    known_nat,
    outcome::{Cause, EpisodeOutcome},
    trace::What,
};
use kit::common::*;

/// The kernel of a hung server goes on to answer keepalive probes, for ever.
#[test]
fn tcp_keepalive_never_notices_a_deaf_server() {
    let eager = |user_timeout| {
        HeartbeatSpec::TcpKeepalive(TcpKeepalive {
            idle: Span::secs(10),
            interval: Span::secs(5),
            count: 3,
            user_timeout,
        })
    };
    let of_preset = |name| preset::find(name).expect("a preset").spec().heartbeat;
    let keepalives =
        [of_preset("linux-keepalive"), of_preset("whatsapp-tcp-10s"), eager(None), eager(Some(Span::secs(30)))];
    let stall = Time::from_secs(1_000);
    for keepalive in keepalives {
        let mut world = world(keepalive.clone());
        world.duration = Duration::from_hours(24);
        world.faults = vec![FaultConfig::ServerStall(server_fault(stall, None))];
        let outcome = go(&world, 1);
        let [episode] = outcome.episodes[..] else { panic!("one break: {:?}", outcome.episodes) };
        assert_eq!((episode.begin, episode.cause), (stall, Cause::ServerStall));
        assert_eq!(episode.outcome(), EpisodeOutcome::Undetected, "{keepalive:?}");
        assert_eq!(outcome.usable_time, stall.since(CONNECTED));
        // It did probe, and was answered each time: the kernel sets its timer to the interval after a probe, and to the
        // idle time after the answer if that is later.
        let HeartbeatSpec::TcpKeepalive(TcpKeepalive { idle, interval, .. }) = keepalive else {
            unreachable!("only keepalives are tested here")
        };
        let period = interval.get().max(idle.get() + RTT);
        let probes = (world.duration.as_micros() / period.as_micros()) as u64;
        assert!((probes - 1..=probes).contains(&outcome.totals.up.tcp.probe), "{keepalive:?}: {:?}", outcome.totals.up);
        assert_eq!(outcome.totals.connect_attempts, 1);
    }
}

/// Every application heartbeat that waits for an answer notices within its interval and its timeout, whatever the moment
/// of the deadlock; the client of `[zhang]`, which waits for none, never does.
#[test]
fn an_app_heartbeat_notices_a_deaf_server_within_interval_and_timeout() {
    let with_timeout = [
        ("netease-30-15", 30, 15),
        ("qq-fixed-45", 45, 15),
        ("weibo-120", 120, 15),
        ("wechat-270", 270, 15),
        ("idle-45-tx", 45, 15),
        ("idle-45-rx", 45, 15),
        ("idle-45-either", 45, 15),
    ];
    for (name, interval, timeout) in with_timeout {
        for stratum in 0..20 {
            let stall = Time::from_secs(2_000) + secs(interval) * (2 * stratum + 1) / 40;
            let mut world = world_of(preset::find(name).expect("a preset"));
            world.faults = vec![FaultConfig::ServerStall(server_fault(stall, None))];
            let outcome = go(&world, 1);
            let detection = outcome.episodes[0].detection.unwrap_or_else(|| panic!("{name} does not notice"));
            // Where silence counts from what was received last, that may be a reply that was under way at the deadlock.
            let within = secs(interval + timeout) + RTT / 2;
            assert!(detection.at.since(stall) <= within, "{name}: {:?}", detection.at.since(stall));
            assert_eq!(outcome.false_alarms, [], "{name}");
        }
    }
    let mut world = world_of(preset::find("idle-45-004").expect("a preset"));
    world.duration = Duration::from_hours(24);
    world.faults = vec![FaultConfig::ServerStall(server_fault(Time::from_secs(2_000), None))];
    assert_eq!(go(&world, 1).episodes[0].outcome(), EpisodeOutcome::Undetected);
}

/// The same in the library's own scenario, on a phone's link with its losses: whoever relies on the kernel never notices the
/// deadlock; whoever asks the application does, within interval and timeout (and what TCP needs to repair a lost packet).
#[test]
fn in_deaf_server_only_the_application_is_noticed_to_be_deaf() {
    let scenario = load::scenario("deaf-server").expect("built in").value;
    for name in &scenario.strategies {
        let strategy = preset::find(name).expect("a preset").spec();
        let world = scenario.world(&strategy);
        let patience = match &strategy.heartbeat {
            HeartbeatSpec::Fixed(spec) => Some(spec.interval.get() + spec.timeout.get()),
            HeartbeatSpec::Idle(spec) => spec.timeout.map(|timeout| spec.threshold.get() + timeout.get()),
            HeartbeatSpec::KnownNatTimeout(spec) => {
                let fixed = known_nat::fixed(spec, &world.bounds());
                Some(fixed.interval.get() + fixed.timeout.get())
            }
            HeartbeatSpec::Composed(spec) => {
                // A race gives the old connection as long again.
                let tries = if spec.when_dead == WhenDead::Race { 2 } else { 1 };
                let timeout = spec.judge.reply.as_ref().map(|reply| reply.timeout.longest().get() * tries);
                strategy.heartbeat.announced_interval().zip(timeout).map(|(interval, timeout)| interval + timeout)
            }
            _ => None,
        };
        for seed in 0..4 {
            let outcome = go(&world, seed);
            assert_eq!(outcome.episodes.len(), world.devices.count as usize, "{name}: one stall, noticed once at most");
            for episode in &outcome.episodes {
                assert_eq!(episode.cause, Cause::ServerStall);
                match (patience, episode.detection) {
                    (Some(patience), Some(detection)) => {
                        let latency = detection.at.since(episode.begin);
                        assert!(latency <= patience + secs(2), "{name}: {latency:?} after the deadlock");
                    }
                    (None, None) => assert_eq!(episode.outcome(), EpisodeOutcome::RiddenOut, "{name}"),
                    (Some(_), None) => panic!("{name} does not notice"),
                    (None, Some(_)) => panic!("{name} notices what it cannot know"),
                }
            }
        }
    }
}

/// In the library's scenario where nothing goes wrong, no preset gives a session up, nor does its server, but for those that
/// are about that: 250 device-days in all, the same for every preset, on a phone's link with its losses.
#[test]
fn healthy_gives_no_false_alarm_in_hundreds_of_device_days() {
    const DEVICE_HOURS: u64 = 250 * 24;
    let scenario = load::scenario("healthy").expect("built in").value;
    let devices = u64::from(scenario.devices.count);
    let hours = DEVICE_HOURS.div_ceil(sound_presets().count() as u64 * devices);
    let mut device_hours = 0;
    for preset in sound_presets() {
        let mut world = scenario.world(&preset.spec());
        world.duration = Duration::from_hours(hours);
        let outcome = go(&world, 6);
        assert_eq!((&outcome.false_alarms[..], &outcome.episodes[..]), (&[][..], &[][..]), "{}", preset.name);
        assert_eq!(outcome.totals.sessions, devices, "{}: no session is ever replaced", preset.name);
        device_hours += devices * hours;
    }
    assert!(device_hours >= DEVICE_HOURS);
}

/// Those presets do what they are there to show, and nobody else would have noticed anything.
#[test]
fn a_pitfall_ends_connections_of_which_nothing_is_wrong() {
    let scenario = load::scenario("healthy").expect("built in").value;
    for name in PITFALLS {
        let mut world = scenario.world(&preset::find(name).expect("a preset").spec());
        world.duration = Duration::from_hours(12);
        let outcome = go(&world, 6);
        let closed = outcome.episodes.iter().filter(|episode| episode.cause == Cause::ServerClosed).count();
        assert_eq!(closed, outcome.episodes.len(), "{name}: nothing else breaks");
        assert!(closed + outcome.false_alarms.len() > 5, "{name}: {closed} closed, {:?}", outcome.false_alarms);
    }
}

/// A connection survives a cut that is shorter than TCP's patience: what was sent into it arrives at the first
/// retransmission after its end, to the microsecond, and nobody was alarmed. A message to the device and one from it.
///
/// What is lost at its first sending is sent again after RTT + 200 ms = 300 ms (the tail-loss probe), again 300 ms after
/// that (the timeout), and then after gaps that double up to 120 s: at 0.3, 0.6, 1.2, ..., 153.6, 273.6, 393.6 s.
#[test]
fn data_sent_into_a_short_cut_arrives_at_the_next_retransmission() {
    for (lasts, sent_again_after) in [
        (millis(200), millis(300)),
        (secs(1), millis(1_200)),
        (secs(3), millis(4_800)),
        (secs(60), millis(76_800)),
        (secs(300), millis(393_600)),
    ] {
        for down in [true, false] {
            let mut world = world(HeartbeatSpec::None);
            let mean = Some(Arrivals::from(Span::secs(3_000)));
            world.traffic = if down {
                TrafficConfig { up: None, down: mean, ..TrafficConfig::default() }
            } else {
                TrafficConfig { up: mean, down: None, ..TrafficConfig::default() }
            };
            world.duration = Duration::from_hours(24);
            world.nat[0].established = span(world.duration).into();
            // The message's time is the world's: it is the same with and without the cut. The one chosen has the line for
            // itself: no other message near it.
            let healthy = go_traced(&world, 7);
            let messages = if down { created_pushes(&healthy) } else { sent_messages(&healthy) };
            let alone =
                |around: &&[Time]| around[1].since(around[0]) > secs(900) && around[2].since(around[1]) > secs(900);
            let message = messages.windows(3).find(alone).expect("a quiet stretch in a day")[1];

            let begin = message - millis(1);
            world.faults = vec![cut(begin, Some(lasts))];
            let outcome = go_traced(&world, 7);
            let end = begin + lasts;
            let arrival = message + sent_again_after + RTT / 2;
            if down {
                let delay = *outcome.pushes.delays.last().expect("pushes arrive");
                assert_eq!(delay, arrival.since(message), "a push after {lasts:?}");
            } else {
                let received = entries(&outcome).iter().find(|entry| {
                    let data = matches!(&entry.what, What::Received { packet, .. } if !packet.payload.is_empty());
                    entry.node == SERVER && data && entry.at > begin
                });
                assert_eq!(received.map(|entry| entry.at), Some(arrival), "a message after {lasts:?}");
            }
            let [episode] = outcome.episodes[..] else { panic!("one cut: {:?}", outcome.episodes) };
            assert_eq!((episode.begin, episode.end), (begin, Some(end)));
            assert_eq!(episode.outcome(), EpisodeOutcome::RiddenOut);
            assert_eq!((outcome.totals.sessions, &outcome.false_alarms[..]), (1, &[][..]));
        }
    }
}
