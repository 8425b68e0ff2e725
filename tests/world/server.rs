//! Servers at the boundary of the world: how long work waits, what connecting costs, and what clients see of a server that is
//! full, slow, pausing, draining or stormed.
//!
//! Times are worked out by hand on the path of `common`: 20 ms and 30 ms one way.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{
    AttemptFailure, HeartbeatSpec, LossReason, ReconnectSpec, Time,
    heartbeat::TcpKeepalive,
    reconnect::{ExponentialBackoff, FixedDelay, Jitter},
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        self, Arrivals, Cost, Distribution, FaultConfig, Login, Pauses, Periodic, ServerDrain, ServerFault,
        ServerLateReply, ServerOverload, TrafficConfig, Undelivered,
    },
    outcome::{Cause, EpisodeOutcome},
    packet::Packet,
    trace::{DeviceEvent, ServerEvent, What},
};
use kit::common::*;

fn received(outcome: &Outcome) -> impl Iterator<Item = (Time, &Packet)> {
    entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Received { packet, .. } if entry.node == SERVER => Some((entry.at, packet)),
        _ => None,
    })
}

fn sent(outcome: &Outcome) -> impl Iterator<Item = (Time, &Packet)> {
    entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, .. } if entry.node == SERVER => Some((entry.at, packet)),
        _ => None,
    })
}

fn times(outcome: &Outcome, wanted: fn(&DeviceEvent) -> bool) -> Vec<Time> {
    device_events(outcome).filter(|(.., event)| wanted(event)).map(|(at, ..)| at).collect()
}

fn attempts(outcome: &Outcome) -> Vec<Time> {
    times(outcome, |event| matches!(event, DeviceEvent::AttemptStarted { .. }))
}

fn sessions(outcome: &Outcome) -> Vec<Time> {
    times(outcome, |event| matches!(event, DeviceEvent::Connected { .. }))
}

/// Returns the mean time in seconds that messages wait for a core, one sample a seed: messages of many devices come as a
/// Poisson stream of 100 a second, and a message is answered when it has been worked on.
fn waiting(cores: u32, work: Distribution, mean_work: Duration) -> Estimate {
    let mut world = world(HeartbeatSpec::None);
    world.duration = secs(40);
    world.devices.count = 400;
    world.traffic.up = Some(Span::secs(4).into());
    world.server.cores = cores;
    world.server.message_cost = work.into();
    let (message, ack) = (usize::from(world.devices.frames.message), usize::from(world.devices.frames.ack));
    let samples: Vec<f64> = (0..24)
        .map(|seed| {
            let outcome = go_traced(&world, seed);
            let mut arrived: BTreeMap<u16, Vec<Time>> = BTreeMap::new();
            for (at, packet) in received(&outcome).filter(|(_, packet)| packet.payload.len() == message) {
                arrived.entry(packet.src.port()).or_default().push(at);
            }
            let mut spent = Vec::new();
            let mut answered: BTreeMap<u16, usize> = BTreeMap::new();
            for (at, packet) in sent(&outcome).filter(|(_, packet)| packet.payload.len() == ack) {
                let place = answered.entry(packet.dst.port()).or_default();
                let since = arrived[&packet.dst.port()][*place];
                *place += 1;
                // What had to wait for the sessions comes all at once.
                if since > Time::from_secs(5) {
                    spent.push(at.since(since).as_secs_f64());
                }
            }
            assert!(spent.len() > 3_000);
            spent.iter().sum::<f64>() / spent.len() as f64 - mean_work.as_secs_f64()
        })
        .collect();
    Estimate::of(&samples)
}

/// M/M/1: exponential work of mean 6 ms, 100 a second: W = rho / (mu - lambda).
#[test]
fn exponential_work_waits_as_m_m_1_says() {
    let work = Distribution::Exponential(config::Exponential { mean: Span::millis(6), min: None });
    waiting(1, work, millis(6)).expect("wait", 0.6 / (1.0 / 0.006 - 100.0), 0.05);
}

/// M/D/1 (Pollaczek-Khinchine): W = lambda E[S^2] / (2 (1 - rho)).
#[test]
fn constant_work_waits_as_m_d_1_says() {
    waiting(1, constant(millis(6)), millis(6)).expect("wait", 100.0 * 0.006 * 0.006 / (2.0 * 0.4), 0.05);
}

/// M/M/2 (Erlang C): two cores with work of mean 12 ms; an arrival waits with probability 0.45.
#[test]
fn two_cores_wait_as_m_m_2_says() {
    let work = Distribution::Exponential(config::Exponential { mean: Span::millis(12), min: None });
    waiting(2, work, millis(12)).expect("wait", 0.45 / (2.0 / 0.012 - 100.0), 0.05);
}

/// What a server cannot be is named by its key.
#[test]
fn impossible_servers_are_refused_with_the_key_to_blame() {
    let mut world = world(HeartbeatSpec::None);
    world.server.cores = 0;
    world.server.logins_per_s = Some(0);
    world.server.login = Some(Login { bytes_up: 3, bytes_down: 40_000, ..Login::default() });
    world.server.pauses = Some(Pauses { every: Span::millis(1), lasts: constant(secs(1)) });
    let (when, capacity) = (at(Time::from_secs(1)), Fraction::default());
    let (over, restart) = (Span::secs(50), Span::secs(10));
    world.faults = vec![
        FaultConfig::ServerPause(server_fault(Time::from_secs(1), None)),
        FaultConfig::ServerOverload(ServerOverload {
            devices: None,
            server: None,
            when: when.clone(),
            lasts: None,
            capacity,
            ramp: None,
        }),
        FaultConfig::ServerDrain(ServerDrain { devices: None, server: Some(1), when, over, restart }),
    ];
    let paths: Vec<String> = world.problems().into_iter().map(|problem| problem.path).collect();
    let expected = [
        "server.cores",
        "server.logins_per_s",
        "server.login.bytes_up",
        "server.login.bytes_down",
        "server.pauses.every",
        "faults[0].server-pause",
        "faults[1].server-overload.capacity",
        "faults[2].server-drain.server",
    ];
    assert_eq!(paths, expected);
}

/// Who finds the accept queue full is not told when there is room again: it gets in with its next SYN.
#[test]
fn a_client_at_a_full_accept_queue_gets_in_with_its_next_syn() {
    let mut world = world(HeartbeatSpec::None);
    world.devices.count = 5;
    world.devices.start_within = Delay::millis(4_000);
    world.duration = secs(20);
    world.server.backlog = 2;
    world.strategy.connect_timeout = Span::secs(60);
    let stall_ends = Time::from_secs(6);
    world.faults = vec![FaultConfig::ServerStall(server_fault(Time::ZERO, Some(age(stall_ends))))];
    // One after the other, so that no two handshakes overlap.
    let apart = |outcome: &Outcome| attempts(outcome).windows(2).all(|pair| pair[1].since(pair[0]) > 3 * RTT);
    let outcome = (0..1_000).map(|seed| go_traced(&world, seed)).find(apart).expect("some seed");
    let syns = [0, 1, 2, 3, 4, 5, 7, 11].map(secs);
    let in_time = |start: Time| {
        let syn = syns.iter().find(|syn| start + **syn + RTT / 2 >= stall_ends).expect("a later one");
        start + *syn + 2 * RTT
    };
    let starts = attempts(&outcome);
    let mut expected = [vec![stall_ends + RTT / 2; 3], vec![in_time(starts[3]), in_time(starts[4])]].concat();
    expected.sort_unstable();
    assert_eq!(sessions(&outcome), expected);
}

/// A login costs its round trips, its bytes each way and the server's time.
#[test]
fn a_login_costs_round_trips_bytes_and_work() {
    let mut world = world(HeartbeatSpec::None);
    let cpu = Cost::constant(millis(10));
    world.server.login = Some(Login { round_trips: 3, bytes_up: 601, bytes_down: 3_500, cpu });
    world.server.accept_cost = Cost::constant(millis(5));
    let outcome = go_traced(&world, 1);
    assert_eq!(sessions(&outcome), [CONNECTED + 3 * RTT + millis(15)]);
    assert_eq!(outcome.server_busy, millis(15));
    let frames = world.devices.frames;
    let up: usize = received(&outcome).map(|(_, packet)| packet.payload.len()).sum();
    let down: usize = sent(&outcome).map(|(_, packet)| packet.payload.len()).sum();
    assert_eq!((up, down), (601 + usize::from(frames.hello), 3_500 + usize::from(frames.welcome)));
}

/// A login limit lets clients in at its pace, in the order in which they came, and takes none of the server's time.
#[test]
fn a_login_limit_spaces_the_welcomes() {
    let mut world = world(HeartbeatSpec::None);
    world.devices.count = 5;
    world.server.logins_per_s = Some(10);
    let outcome = go_traced(&world, 1);
    assert_eq!(sessions(&outcome), [0, 1, 2, 3, 4].map(|place| CONNECTED + place * millis(100)));
    assert_eq!(outcome.server_busy, Duration::ZERO);
}

/// A tenth of the capacity: work takes ten times as long, before and after the time it always takes.
#[test]
fn an_overload_slows_replies_by_its_factor_and_breaks_nothing() {
    let mut world = world(fixed(secs(10), secs(5), 1));
    world.duration = secs(400);
    world.server.heartbeat_cost = Cost::constant(millis(10));
    let capacity = Fraction::new(0.1).expect("within 0 to 1");
    let (when, lasts) = (at(Time::from_secs(100)), Some(constant(secs(200))));
    world.faults = vec![FaultConfig::ServerOverload(ServerOverload {
        devices: None,
        server: None,
        when,
        lasts,
        capacity,
        ramp: None,
    })];
    let outcome = go_traced(&world, 1);
    let answered: Vec<(Time, Duration)> = device_events(&outcome)
        .filter_map(|(at, _, event)| match event {
            DeviceEvent::HeartbeatAnswered { rtt, .. } => Some((at, rtt)),
            _ => None,
        })
        .collect();
    assert_eq!(answered.len(), 39);
    for (at, rtt) in answered {
        let overloaded = Time::from_secs(100) < at && at < Time::from_secs(300);
        assert_eq!(rtt, RTT + if overloaded { millis(100) } else { millis(10) }, "{at}");
    }
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
    let began = server_events(&outcome)
        .any(|event| event == (Time::from_secs(100), ServerEvent::FaultBegan(Cause::ServerOverload)));
    assert!(began);
}

/// Replies of the fault are 15 s late, those to beats of before and after it are in time, and so is the message of 205 s.
#[test]
fn late_replies_are_late_and_nothing_else_is() {
    let late = |timeout| {
        let mut world = world(fixed(secs(30), timeout, 1));
        world.duration = secs(400);
        world.traffic.up = Some(Arrivals::Periodic(Periodic { every: Span::secs(205), jitter: Delay::ZERO }));
        world.faults = vec![FaultConfig::ServerLateReply(ServerLateReply {
            server: None,
            devices: None,
            when: at(Time::from_secs(100)),
            lasts: Some(constant(secs(120))),
            by: Span::secs(15),
        })];
        go_traced(&world, 1)
    };
    let patient = late(secs(20));
    let answered = device_events(&patient).filter_map(|(at, _, event)| match event {
        DeviceEvent::HeartbeatAnswered { rtt, .. } => Some((at - rtt, rtt)),
        _ => None,
    });
    for (sent, rtt) in answered {
        let is_late = Time::from_secs(100) < sent && sent < Time::from_secs(220);
        assert_eq!(rtt, RTT + if is_late { secs(15) } else { Duration::ZERO }, "{sent}");
    }
    assert_eq!((&patient.episodes[..], &patient.false_alarms[..]), (&[][..], &[][..]));
    assert_eq!(patient.requests.delays, [RTT]);
    // Who waits for 10 s leaves a session that is well, again and again while the fault lasts: at its beat of 120.2 s and after
    // each new session's first.
    let hasty = late(secs(10));
    assert_eq!(hasty.episodes, []);
    let alarms: Vec<Time> = hasty.false_alarms.iter().map(|alarm| alarm.at).collect();
    assert_eq!(alarms, [130_200, 170_400, 210_600].map(Time::from_millis));
}

/// A connection that is gone when its reply is due is sent nothing, and one that took its port's place neither.
#[test]
fn a_late_reply_ends_with_its_connection() {
    let mut world = world(fixed(secs(30), secs(20), 1));
    world.duration = secs(100);
    let (when, lasts, by) = (at(Time::from_secs(20)), Some(constant(secs(20))), Span::secs(15));
    world.faults = vec![
        FaultConfig::ServerLateReply(ServerLateReply { server: None, devices: None, when, lasts, by }),
        FaultConfig::ServerRestart(server_fault(Time::from_secs(40), Some(millis(100)))),
    ];
    let outcome = go_traced(&world, 1);
    let sent = device_events(&outcome).filter(|(.., event)| matches!(event, DeviceEvent::HeartbeatSent { .. })).count();
    let answered =
        device_events(&outcome).filter(|(.., event)| matches!(event, DeviceEvent::HeartbeatAnswered { .. })).count();
    assert_eq!((sent, answered, outcome.totals.sessions), (2, 1, 2), "the beat of 30.2 s is not answered");
}

/// A garbage collection of 5 s: what comes in it is answered at its end, the kernel answers at once.
#[test]
fn a_pause_delays_replies_while_keepalive_is_answered() {
    let (begin, lasts) = (Time::from_secs(100), secs(5));
    let pause = vec![FaultConfig::ServerPause(server_fault(begin, Some(lasts)))];
    let mut world = world(fixed(secs(10), secs(8), 1));
    world.duration = secs(200);
    world.faults = pause;
    let outcome = go_traced(&world, 1);
    let beat = Time::from_millis(100_200);
    let answered = device_events(&outcome).find_map(|(at, _, event)| match event {
        DeviceEvent::HeartbeatAnswered { rtt, .. } if at > beat => Some((at, rtt)),
        _ => None,
    });
    let told = begin + lasts + RTT / 2;
    assert_eq!(answered, Some((told, told.since(beat))));
    let [episode] = outcome.episodes[..] else { panic!("one pause: {:?}", outcome.episodes) };
    assert_eq!((episode.cause, episode.begin, episode.end), (Cause::ServerPause, begin, Some(begin + lasts)));

    let second = Span::secs(1);
    let keepalive = TcpKeepalive { idle: second, interval: second, count: 2, user_timeout: None };
    world.strategy.heartbeat = HeartbeatSpec::TcpKeepalive(keepalive);
    let outcome = go(&world, 1);
    assert_eq!(outcome.episodes[0].outcome(), EpisodeOutcome::RiddenOut, "its probes were answered");
    assert_eq!(outcome.totals.connect_attempts, 1);
}

/// A process that hangs is killed after a minute: its clients get the FIN that the deadlock never gave them, and are back
/// when the new process listens, 2 s later. A shorter pause is left alone.
#[test]
fn a_watchdog_restarts_a_process_that_hangs() {
    let (begin, patience) = (Time::from_secs(100), Span::secs(60));
    let mut world = world(HeartbeatSpec::None);
    world.duration = secs(600);
    world.server.watchdog = Some(patience);
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(1) });
    world.faults = vec![
        FaultConfig::ServerStall(server_fault(begin, None)),
        FaultConfig::ServerPause(server_fault(Time::from_secs(300), Some(secs(59)))),
    ];
    let outcome = go_traced(&world, 1);
    let killed = begin + patience.get();
    let lost = device_events(&outcome).find_map(|(at, _, event)| match event {
        DeviceEvent::Lost { reason, .. } => Some((at, reason)),
        _ => None,
    });
    assert_eq!(lost, Some((killed + RTT / 2, LossReason::Closed)));
    // Refused 1.05 s after the kill; the next attempt is another second and a round trip later.
    let back = killed + RTT / 2 + secs(1) + RTT + secs(1) + 2 * RTT;
    assert_eq!(sessions(&outcome), [CONNECTED, back]);
    let causes: Vec<_> = outcome.episodes.iter().map(|episode| (episode.cause, episode.begin, episode.end)).collect();
    let pause = Time::from_secs(300);
    let expected = [(Cause::ServerStall, begin, Some(back)), (Cause::ServerPause, pause, Some(pause + secs(59)))];
    assert_eq!(causes, expected);
}

/// Pauses of the server's own come as often as they say and last as long, whether or not the scenario has faults.
#[test]
fn a_server_pauses_by_itself() {
    let mut world = world(fixed(secs(30), secs(20), 1));
    world.duration = Duration::from_hours(100);
    world.server.pauses = Some(Pauses { every: Span::secs(600), lasts: constant(secs(5)) });
    let pauses = go(&world, 1).episodes;
    assert!(pauses.iter().all(|pause| pause.cause == Cause::ServerPause));
    assert!(pauses.iter().all(|pause| pause.end == Some(pause.begin + secs(5))));
    // 360,000 s in cycles of 605 s: 595 on average, with a standard deviation of about 24.
    assert!((480..710).contains(&pauses.len()), "{}", pauses.len());
}

/// A drain closes one session after the other, evenly over its time, and refuses who comes; then the process restarts.
#[test]
fn a_drain_spreads_its_closes_evenly_and_lets_nobody_in() {
    let mut world = world(fixed(secs(30), secs(10), 1));
    world.devices.count = 10;
    world.duration = secs(300);
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(1) });
    let begin = Time::from_secs(100);
    let (over, restart) = (Span::secs(50), Span::secs(10));
    world.faults =
        vec![FaultConfig::ServerDrain(ServerDrain { devices: None, server: None, when: at(begin), over, restart })];
    let outcome = go_traced(&world, 1);
    let closed: Vec<Time> = server_events(&outcome)
        .filter(|(_, event)| matches!(event, ServerEvent::SessionClosed { .. }))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(closed, (0..10).map(|place| begin + place * secs(5)).collect::<Vec<_>>());
    let back = begin + secs(60);
    let refused = AttemptFailure::Refused;
    for (at, _, event) in device_events(&outcome).filter(|(at, ..)| *at > begin) {
        match event {
            DeviceEvent::AttemptFailed(failure) => assert!(failure == refused && at < back + RTT / 2, "{at}"),
            DeviceEvent::Connected { .. } => assert!(at >= back, "{at}"),
            _ => {}
        }
    }
    assert_eq!(outcome.totals.sessions, 20);
    let mut begins: Vec<Time> = outcome.episodes.iter().map(|episode| episode.begin).collect();
    begins.sort_unstable();
    assert_eq!(begins, closed);
    assert!(outcome.episodes.iter().all(|episode| episode.cause == Cause::ServerDrain));
}

/// Pushes that a broken session did not deliver come with the next one, or never.
#[test]
fn undelivered_pushes_are_retried_or_lost_as_configured() {
    let mut world = world(fixed(secs(10), secs(5), 1));
    world.duration = secs(600);
    world.traffic = TrafficConfig { down: Some(Span::secs(5).into()), ..TrafficConfig::default() };
    let begin = Time::from_secs(100);
    world.faults = vec![cut(begin, Some(secs(60)))];
    let retried = go_traced(&world, 1);
    world.server.undelivered = Undelivered::Lost;
    let lost = go_traced(&world, 1);
    let opened = server_events(&lost)
        .filter(|(_, event)| matches!(event, ServerEvent::SessionOpened { .. }))
        .map(|(at, _)| at)
        .nth(1)
        .expect("a second session");
    let in_time = |created: &Time| *created + RTT / 2 <= begin || *created > opened;
    let all = created_pushes(&retried);
    let some: Vec<Time> = all.iter().copied().filter(in_time).filter(|created| *created > CONNECTED).collect();
    assert!(some.len() + 5 < all.len(), "the cut is long enough to lose some");
    assert_eq!(created_pushes(&lost), some);
    assert_eq!(lost.pushes.created, retried.pushes.created);
}

/// Returns a crash of a minute with 200 clients.
fn stormed(jitter: Jitter) -> Outcome {
    let mut world = world(HeartbeatSpec::None);
    world.duration = secs(300);
    world.devices.count = 200;
    world.devices.start_within = Delay::millis(30_000);
    world.strategy.reconnect =
        ReconnectSpec::Exponential(ExponentialBackoff { jitter, ..ExponentialBackoff::default() });
    world.faults = vec![FaultConfig::ServerCrash(server_fault(Time::from_secs(60), Some(secs(60))))];
    go_traced(&world, 1)
}

/// Returns the most attempts within a tenth of a second, after the crash.
fn peak(outcome: &Outcome) -> usize {
    let after: Vec<Time> = attempts(outcome).into_iter().filter(|at| *at > Time::from_secs(60)).collect();
    let within = |first: &Time| after.iter().filter(|at| **at >= *first && at.since(*first) < millis(100)).count();
    after.iter().map(within).max().expect("they come back")
}

/// Closed at the same moment, clients without jitter come back at the same moments, each by its schedule: waits of 1, 2,
/// 4, 8, 16 and 32 s, with a refusal of a round trip between them. Full jitter spreads them.
#[test]
fn without_jitter_a_storm_comes_back_as_one() {
    let (without, with) = (stormed(Jitter::None), stormed(Jitter::Full));
    let told = Time::from_secs(60) + RTT / 2;
    let schedule: Vec<Time> = [1, 3, 7, 15, 31, 63]
        .into_iter()
        .zip(0..)
        .map(|(waited, refused)| told + secs(waited) + RTT * refused)
        .collect();
    for device in 0..200 {
        let of_device: Vec<Time> = device_events(&without)
            .filter(|(at, of, event)| {
                *of == device && *at > told && matches!(event, DeviceEvent::AttemptStarted { .. })
            })
            .map(|(at, ..)| at)
            .collect();
        assert_eq!(of_device, schedule, "device {device}");
    }
    assert_eq!(peak(&without), 200);
    assert!(peak(&with) * 5 <= 200, "{}", peak(&with));
    assert_eq!((without.totals.sessions, with.totals.sessions), (400, 400), "both are back in the end");
}

/// Returns the share of the last ten minutes of an hour in which devices had usable sessions, after a restart that sent 200
/// clients away at once: to welcome them takes the server 40 s, and they wait 10 s each.
fn availability_after_a_storm(reconnect: ReconnectSpec, drop_dead_work: bool) -> f64 {
    let mut world = world(fixed(secs(30), secs(15), 1));
    world.devices.count = 200;
    world.devices.start_within = Delay::millis(120_000);
    world.server.accept_cost = Cost::constant(millis(200));
    world.server.drop_dead_work = drop_dead_work;
    world.strategy.reconnect = reconnect;
    let restart = server_fault(Time::from_secs(600), Some(secs(1)));
    world.faults = vec![FaultConfig::ServerRestart(ServerFault { server: Some(0), ..restart })];
    let usable = |duration| go(&WorldConfig { duration, ..world.clone() }, 1).usable_time;
    let last = usable(secs(3_600)).saturating_sub(usable(secs(3_000)));
    last.as_secs_f64() / (200.0 * 600.0)
}

/// Goodput collapse: clients that come back every second find the server at work for clients that have gone, for ever. It is
/// avoided by clients that come back ever more rarely, or by a server that looks before it works.
#[test]
fn goodput_collapses_under_a_bad_backoff_and_not_under_a_good_one() {
    let bad = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(1) });
    let good = ReconnectSpec::Exponential(ExponentialBackoff::default());
    let collapsed = availability_after_a_storm(bad.clone(), false);
    assert!(collapsed < 0.3, "{collapsed}");
    let recovered = availability_after_a_storm(good, false);
    assert!(recovered > 0.999, "{recovered}");
    let looked = availability_after_a_storm(bad, true);
    assert!(looked > 0.999, "{looked}");
}
