//! The rules of thumb of the policy catalogue that nothing smaller than a whole world can show: each tried on both sides of
//! its boundary. `docs/catalogue-invariants.md` says which test holds which of the 31; that it does is tested here.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, ReconnectSpec, Registry, ServerSpec, Time,
    heartbeat::{Anchor, FirstBeat, Fixed, Idle, LateReply, LeaveWhenQuiet},
    preset,
    reconnect::{ExponentialBackoff, FixedDelay, ProcessScale},
    server::{IdleReaper, PingAfter, Pings, RefreshedBy, Strikes},
    unit::{Delay, Span},
};
use cardiogram_scenarios::load;
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{FaultConfig, LifeConfig, NatClass, NatConfig, RadioConfig, TailStage, TrafficConfig},
    outcome::{Cause, DetectedBy, EpisodeOutcome},
    trace::{DeviceEvent, ServerEvent},
};
use kit::common::*;
use proptest::prelude::*;

/// Returns a composition as in a strategy's file, below `[heartbeat.composed]`.
fn composed(text: &str) -> HeartbeatSpec {
    let text = format!("name = \"composed\"\n[heartbeat.composed]\n{text}");
    load::parse_strategy("composed", &text, &Registry::new()).unwrap_or_else(|error| panic!("{error}")).heartbeat
}

/// Returns how long a beat of this interval waits for its reply.
fn patience(interval: Duration) -> Duration {
    interval.min(secs(15))
}

fn grid(interval: Duration, first_beat: FirstBeat) -> HeartbeatSpec {
    let (interval, timeout) = (span(interval), span(patience(interval)));
    HeartbeatSpec::Fixed(Fixed { interval, timeout, misses: 1, first_beat, late_reply: LateReply::Ignored })
}

fn idle(threshold: Duration, anchor: Anchor) -> HeartbeatSpec {
    HeartbeatSpec::Idle(Idle { threshold: span(threshold), anchor, timeout: None, misses: 1 })
}

fn behind_nat(timeout: Duration, heartbeat: HeartbeatSpec) -> WorldConfig {
    let nat = NatConfig { established: constant(timeout), ..NatConfig::default() };
    WorldConfig { nat: vec![nat], ..world(heartbeat) }
}

/// Returns a server that tells its clients that it lives, and wants no answer.
fn notices(interval: Duration) -> Pings {
    Pings {
        interval: span(interval),
        after: PingAfter::Grid,
        timeout: None,
        misses: 1,
        answered: false,
        doubles_first: false,
        first: None,
        close_timeout: None,
    }
}

fn beats(outcome: &Outcome) -> Vec<(u32, Time)> {
    device_events(outcome)
        .filter(|(.., event)| matches!(event, DeviceEvent::HeartbeatSent { .. }))
        .map(|(at, device, _)| (device, at))
        .collect()
}

fn lost_to(outcome: &Outcome, cause: Cause) -> usize {
    outcome.episodes.iter().filter(|episode| episode.cause == cause).count()
}

const ANCHORS: [Anchor; 3] = [Anchor::Tx, Anchor::Rx, Anchor::Either];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// 2: a limit on silence has to be longer than what feeds it takes: the client's own interval and a round trip.
    #[test]
    fn a_silence_limit_below_the_interval_and_a_round_trip_kills_healthy_connections(
        interval in 1_u64..300, difference in prop_oneof![Just(0_u64), 0_u64..2_000], longer: bool,
    ) {
        let fed_after = secs(interval) + RTT;
        let limit = if longer { fed_after + millis(1 + difference) } else { fed_after.saturating_sub(millis(1 + difference)) };
        prop_assume!(!limit.is_zero());
        let text = format!("schedule.grid.interval = \"{interval}s\"\njudge.silence.limit = \"{}ms\"", limit.as_millis());
        let mut world = world(composed(&text));
        world.duration = 6 * (fed_after + limit);
        let outcome = go(&world, 1);
        if longer {
            prop_assert_eq!(&outcome.false_alarms[..], &[]);
        } else {
            prop_assert!(outcome.false_alarms.len() >= 5, "{:?}", outcome.false_alarms);
        }
    }

    /// 15: the same where the peer's interval feeds it: below it, connections are given up for ever, one after the other.
    #[test]
    fn a_silence_limit_below_the_peers_interval_reconnects_for_ever(
        interval in 1_u64..300, difference in prop_oneof![Just(0_u64), 0_u64..2_000], longer: bool,
    ) {
        let interval = secs(interval);
        let limit = if longer { interval + millis(1 + difference) } else { interval.saturating_sub(millis(1 + difference)) };
        prop_assume!(!limit.is_zero());
        let text = format!("schedule = \"peer-sends\"\njudge.silence.limit = \"{}ms\"", limit.as_millis());
        let mut world = world(composed(&text));
        world.strategy.server = ServerSpec { pings: Some(notices(interval)), ..ServerSpec::default() };
        world.duration = 6 * (interval + limit);
        let alarms = go(&world, 1).false_alarms.len();
        if longer { prop_assert_eq!(alarms, 0) } else { prop_assert!(alarms >= 5, "{} alarms", alarms) }
    }

    /// 3: with no loss and a silent application a mapping lives for ever, as long as every gap ends before the timeout does;
    /// the longest gap is the first, which has no reply in it.
    #[test]
    fn a_nat_is_survived_if_and_only_if_the_gap_is_shorter_than_its_timeout(
        interval in 10_u64..400, timeout in 10_u64..400, at_the_boundary in prop::option::of(0_u64..3),
    ) {
        let interval = secs(interval);
        let boundary = |us| interval.saturating_sub(Duration::from_micros(1)) + Duration::from_micros(us);
        let timeout = at_the_boundary.map_or_else(|| secs(timeout), boundary);
        let mut world = behind_nat(timeout, grid(interval, FirstBeat::Interval));
        world.duration = 10 * (interval + secs(15));
        let outcome = go(&world, 1);
        if interval < timeout {
            prop_assert_eq!((&outcome.episodes[..], outcome.totals.sessions), (&[][..], 1));
        } else {
            // No session lives to see a second beat.
            prop_assert!(lost_to(&outcome, Cause::NatExpiry) >= 9, "{:?}", outcome.episodes);
            prop_assert_eq!(outcome.totals.heartbeats_answered, 0);
        }
    }

    /// 30: timers that are aligned are late; an interval that was chosen for exact ones survives while it has room for the
    /// alignment (and for its patience, since a late beat leaves out the points of its grid at which it still waits), and
    /// does not where its first beat comes too late.
    #[test]
    fn alignment_breaks_what_exact_timers_keep(
        interval in 10_u64..400, room in 1_u64..400, grid_s in 1_u64..400,
    ) {
        let (interval, align) = (secs(interval), secs(grid_s));
        let timeout = interval + secs(room);
        let mut world = behind_nat(timeout, grid(interval, FirstBeat::Interval));
        world.duration = 6 * (interval + align + secs(15));
        prop_assert_eq!(&go(&world, 1).episodes[..], &[]);

        world.life = LifeConfig { alarm_grid: Some(span(align)), ..LifeConfig::default() };
        let outcome = go(&world, 1);
        let due = (CONNECTED + interval).as_micros();
        let first = Time::from_micros(due.next_multiple_of(align.as_micros() as u64)).since(CONNECTED);
        if interval + patience(interval) + align < timeout {
            prop_assert_eq!(&outcome.episodes[..], &[]);
        } else if first >= timeout {
            prop_assert!(lost_to(&outcome, Cause::NatExpiry) >= 1, "{:?}", outcome.episodes);
        }
    }

    /// 9: for the same traffic, beats that wait for idleness are never more than beats on a grid.
    #[test]
    fn idle_beats_are_at_most_those_of_a_grid(
        threshold in 5_u64..300, up in prop::option::of(5_u64..600), down in prop::option::of(5_u64..600), seed: u64,
    ) {
        let threshold = secs(threshold);
        let traffic = TrafficConfig { up: up.map(|gap| Span::secs(gap).into()), down: down.map(|gap| Span::secs(gap).into()), ..TrafficConfig::default() };
        let count = |heartbeat| {
            let mut world = WorldConfig { traffic: traffic.clone(), ..world(heartbeat) };
            world.devices.count = 3;
            world.duration = 40 * threshold + secs(1);
            let outcome = go(&world, seed);
            assert_eq!(outcome.totals.sessions, 3, "the same connections");
            outcome.totals.heartbeats_sent
        };
        let of_grid = count(grid(threshold, FirstBeat::Interval));
        prop_assert_eq!(of_grid, 3 * 40);
        for anchor in ANCHORS {
            let of_idle = count(idle(threshold, anchor));
            prop_assert!(of_idle <= of_grid, "{:?}: {} > {}", anchor, of_idle, of_grid);
            let is_silent = up.is_none() && down.is_none();
            if is_silent && anchor == Anchor::Tx {
                prop_assert_eq!(of_idle, of_grid);
            } else if is_silent {
                // The reply is the last that was heard.
                let period = (threshold + RTT).as_micros();
                prop_assert_eq!(u128::from(of_idle), 3 * ((40 * threshold + millis(800)).as_micros() / period));
            }
        }
    }

    /// 10: a server that only talks. Beats anchored to what is sent keep any reaper away that is more patient than they are;
    /// those anchored to what is received, or to either, are put off for ever, and the server never hears of its client.
    #[test]
    fn one_way_traffic_starves_every_anchor_but_tx(
        threshold in 10_u64..200, slack in 1_u64..100, share in 5_u64..95,
    ) {
        let threshold = secs(threshold);
        let (limit, pings) = (threshold + secs(slack), threshold * share as u32 / 100);
        let reaper = IdleReaper { refreshed_by: RefreshedBy::Received, ..IdleReaper::new(span(limit), Delay::ZERO) };
        for anchor in ANCHORS {
            let mut world = one_session(idle(threshold, anchor));
            world.strategy.server = ServerSpec { pings: Some(notices(pings)), ..ServerSpec::from(reaper.clone()) };
            world.duration = 10 * limit;
            let outcome = go_traced(&world, 1);
            if anchor == Anchor::Tx {
                prop_assert_eq!(&outcome.episodes[..], &[]);
            } else {
                prop_assert_eq!(beats(&outcome), []);
                // The hello is the last it heard.
                prop_assert_eq!(sessions_closed(&outcome), [Time::from_millis(150) + limit]);
                prop_assert_eq!(lost_to(&outcome, Cause::ServerClosed), 1);
            }
        }
    }

    /// 16: whoever closes first is the one who knows. A client that leaves a little before its server would close it alarms
    /// nobody; one that is a little more patient is told.
    #[test]
    fn of_two_closers_the_client_should_be_the_first(limit in 10_u64..1_000, apart in 1_u64..9, client_first: bool) {
        let (server, apart) = (secs(limit), secs(apart));
        let client = if client_first { server.saturating_sub(apart) } else { server + apart };
        let mut world = one_session(HeartbeatSpec::LeaveWhenQuiet(LeaveWhenQuiet { after: span(client) }));
        world.strategy.server = IdleReaper::new(span(server), Delay::ZERO).into();
        let outcome = go_traced(&world, 1);
        let reaped = server_events(&outcome).filter(|(_, event)| matches!(event, ServerEvent::Reaped { .. })).count();
        let expected = usize::from(!client_first);
        prop_assert_eq!((outcome.episodes.len(), reaped), (expected, expected));
        prop_assert_eq!(&outcome.false_alarms[..], &[]);
    }

    /// 13: a client that doubles its interval whenever it is sent away for pinging too often is sent away a few times only.
    #[test]
    fn a_client_that_doubles_its_interval_is_struck_out_a_few_times_only(interval in 10_u64..1_000, least in 10_u64..4_000) {
        let text = format!("schedule.grid.interval = \"{interval}s\"\njudge.reply.timeout = \"10s\"\npace.doubles = true");
        let mut world = world(composed(&text));
        let strikes = Strikes { with_data: Span::secs(300), without_data: Span::secs(least), allowed: 2 };
        world.strategy.server = ServerSpec { strikes: Some(strikes), ..ServerSpec::default() };
        world.duration = Duration::from_hours(48);
        let outcome = go_traced(&world, 1);
        let expelled = server_events(&outcome).filter(|(_, event)| matches!(event, ServerEvent::Expelled { .. })).count();
        let doublings = least.div_ceil(interval).next_power_of_two().ilog2() as usize;
        prop_assert_eq!(expelled, doublings);
    }

    /// 12: the kernel of a server whose application hangs goes on to answer probes; whoever asks the application notices.
    #[test]
    fn a_stalled_application_is_green_to_keepalive_and_red_to_a_heartbeat(
        idle in 5_u64..60, interval in 10_u64..120, phase in 0.0..1.0_f64,
    ) {
        let keepalive = format!("keepalive = {{ idle = \"{idle}s\", interval = \"5s\", count = 3 }}");
        let begin = Time::from_secs(300) + secs(interval).mul_f64(phase);
        let stalled = |parts: &str| {
            let mut world = one_session(composed(&format!("{parts}\n{keepalive}")));
            world.faults = vec![FaultConfig::ServerStall(server_fault(begin, None))];
            go(&world, 1)
        };
        let by_kernel = stalled("schedule = \"peer-sends\"");
        prop_assert_eq!(by_kernel.episodes[0].outcome(), EpisodeOutcome::Undetected);
        prop_assert!(by_kernel.totals.up.tcp.probe > 7_200 / 70, "it asks, and is answered: {:?}", by_kernel.totals.up);

        let by_both = stalled(&format!("schedule.grid.interval = \"{interval}s\"\njudge.reply.timeout = \"10s\""));
        let detection = by_both.episodes[0].detection.expect("noticed");
        prop_assert_eq!(detection.by, DetectedBy::Heartbeat(GiveUp::NoReply));
        prop_assert!(detection.at.since(begin) <= secs(interval + 10));
    }

    /// 31: what a client draws (its start, the phase of its first beat, the number it draws once per process, its jitter) is
    /// its own: the same however many others there are and whatever they do, another for every client and every seed.
    #[test]
    fn what_a_client_draws_depends_on_the_seed_and_on_itself_alone(seed in 0_u64..1_000_000) {
        let drawn = |devices: u32, seed: u64| -> Vec<Vec<String>> {
            let mut world = world(grid(secs(60), FirstBeat::RandomPhase));
            world.devices.count = devices;
            world.devices.start_within = Delay::millis(60_000);
            world.duration = Duration::from_mins(20);
            let scale = ProcessScale { least: 2.0, most: 14.0, whole: false };
            world.strategy.reconnect =
                ReconnectSpec::Exponential(ExponentialBackoff { scale: Some(scale), cap: Span::secs(600), ..ExponentialBackoff::default() });
            world.faults = vec![cut(Time::from_secs(200), Some(secs(300)))];
            let outcome = go_traced(&world, seed);
            let of_device = |wanted: u32| {
                let events = device_events(&outcome).filter(|(_, device, _)| *device == wanted);
                // Ports are given out to all in turn.
                let events = events.filter(|(.., event)| !matches!(event, DeviceEvent::Connected { .. }));
                events.map(|(at, _, event)| match event {
                    DeviceEvent::AttemptStarted { .. } => format!("{at} attempt"),
                    DeviceEvent::GivenUp { .. } => format!("{at} given up"),
                    event => format!("{at} {event:?}"),
                }).collect()
            };
            (0..devices).map(of_device).collect()
        };
        let (few, many) = (drawn(2, seed), drawn(5, seed));
        prop_assert_eq!(&few[..], &many[..2]);
        prop_assert_eq!(many.iter().collect::<BTreeSet<_>>().len(), 5, "each its own");
        prop_assert!(drawn(2, seed + 1)[0] != few[0], "another seed, another draw");
    }
}

/// 6: a candidate whose probe connection keeps dying under it is tried three times; Courier's trace behind a NAT of 5.5
/// minutes that resets what it forgets: 1, 3, 5 live; 7 and 6 die.
#[test]
fn a_candidate_is_tried_on_three_probe_connections_at_most() {
    let courier = composed(
        "schedule.idle = { threshold = \"1m\", anchor = \"tx\" }\njudge.reply.timeout = \"10s\"\n\
         search = { rule = \"halving\", min = \"1m\", max = \"9m\", step = \"2m\", on = \"probe\", adopt = \"when-found\" }",
    );
    let mut world = behind_nat(secs(330), courier);
    world.nat[0].after_expiry = NatClass::RstBothOnExpiry.into();
    world.duration = Duration::from_hours(3);
    let outcome = go_traced(&world, 1);
    let opened =
        device_events(&outcome).filter(|(.., event)| matches!(event, DeviceEvent::ProbeStarted { .. })).count();
    assert_eq!(opened, 2 * 3, "the first of 7 min has carried 1, 3 and 5 min");
    assert_eq!(outcome.learning[0].interval, Some(secs(300)));
    assert_eq!(outcome.totals.sessions, 1);
}

/// 8: a cut at any phase is noticed between the catalogue's bounds, give or take a round trip that was under way.
#[test]
fn cuts_are_noticed_within_the_bounds_of_the_catalogue() {
    let bounds = [
        ("netease-30-15", 15, 45),
        ("phoenix-30", 30, 60),
        ("engineio-v4", 20, 45),
        ("signalr-15-30", 15, 30),
        ("nats-ping", 240, 360),
        ("ssh-server-alive", 45, 60),
        ("rabbitmq-java", 105, 135),
        ("pika", 40, 130),
        // From the last answer: 2 h, and nine probes 75 s apart.
        ("linux-keepalive", 7_875 - 7_200, 7_875),
    ];
    for (name, soonest, latest) in bounds {
        let mut world = world_of(preset::find(name).expect("a preset"));
        let begin = Time::from_secs(3 * latest);
        world.devices.count = 20;
        world.devices.start_within = Delay::millis(2_000 * latest);
        world.nat[0].established = constant(Duration::from_hours(24));
        world.duration = secs(5 * latest);
        world.faults = vec![cut(begin, None)];
        let outcome = go(&world, 1);
        let after: Vec<Duration> =
            outcome.episodes.iter().filter_map(|it| Some(it.detection?.at.since(it.begin))).collect();
        assert_eq!(after.len(), 20, "{name}: {:?}", outcome.episodes);
        let is_within = after.iter().all(|after| *after + RTT >= secs(soonest) && *after <= secs(latest) + RTT);
        assert!(is_within, "{name}, {soonest} s to {latest} s: {after:?}");
    }
}

/// 11: beats that nobody answers (NAT-T, `SignalR`) keep the mapping and notice nothing; the same beats, answered and
/// waited for, do both.
#[test]
fn beats_that_nobody_answers_keep_the_path_and_notice_nothing() {
    let silent = HeartbeatSpec::None;
    let unanswered = composed("schedule.grid.interval = \"30s\"\nanswered = false");
    let answered = composed("schedule.grid.interval = \"30s\"\njudge.reply.timeout = \"10s\"");
    let begin = Time::from_secs(300);
    let noticed = |heartbeat: &HeartbeatSpec| {
        let mut world = one_session(heartbeat.clone());
        world.nat[0].established = constant(secs(60));
        world.faults = vec![FaultConfig::ServerStall(server_fault(begin, None))];
        let outcome = go(&world, 1);
        let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
        (episode.cause, episode.detection.map(|detection| detection.at.since(begin)))
    };
    assert_eq!(noticed(&silent), (Cause::NatExpiry, None));
    assert_eq!(noticed(&unanswered), (Cause::ServerStall, None));
    let (cause, after) = noticed(&answered);
    assert!(cause == Cause::ServerStall && after.is_some_and(|after| after <= secs(40)), "{cause:?} {after:?}");
}

/// 14: clients that come back together beat together ever after, unless the first beat has a phase of its own.
#[test]
fn after_a_mass_reconnect_beats_stay_together_unless_the_first_one_is_spread() {
    let peak = |first_beat| {
        let mut world = world(grid(secs(60), first_beat));
        world.devices.count = 60;
        world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(5) });
        world.devices.start_within = Delay::millis(60_000);
        world.faults = vec![FaultConfig::ServerCrash(server_fault(Time::from_secs(600), Some(secs(1))))];
        let mut in_second = vec![0; 3_600];
        for (_, at) in beats(&go_traced(&world, 1)) {
            in_second[age(at).as_secs() as usize] += 1;
        }
        // The most in one second, before the crash and long after it.
        let most = |range: std::ops::Range<usize>| in_second[range].iter().copied().max().unwrap_or(0);
        (most(120..600), most(3_000..3_600))
    };
    let (before, after) = peak(FirstBeat::Interval);
    assert!(before <= 6, "they start apart: {before}");
    assert_eq!(after, 60, "all in the same second, for ever");
    let (before, after) = peak(FirstBeat::RandomPhase);
    assert!(before <= 6 && after <= 6, "{before}, {after}");
}

/// 28: 86,400 over the interval a day, 5 bytes each way; on the wire 52 bytes of headers more for each packet (IPv4, TCP and
/// its timestamps), and an acknowledgement of the reply.
#[test]
fn a_day_of_beats_costs_what_arithmetic_says() {
    for interval in [30, 60, 270] {
        let day = |heartbeat| {
            let world = WorldConfig { duration: Duration::from_hours(24), ..world(heartbeat) };
            go(&world, 1).totals
        };
        let (with, without) = (day(grid(secs(interval), FirstBeat::Interval)), day(HeartbeatSpec::None));
        // The day begins with the connection, so that its last beat would come just after it.
        let beats = 86_400 / interval - 1;
        assert_eq!((with.heartbeats_sent, with.heartbeats_answered), (beats, beats));
        assert_eq!(with.up.tcp.data - without.up.tcp.data, beats);
        assert_eq!(
            with.up.bytes - without.up.bytes,
            beats * ((52 + 5) + 52),
            "a beat, and the acknowledgement of its reply"
        );
        assert_eq!(with.down.bytes - without.down.bytes, beats * (52 + 5), "a reply, which acknowledges the beat");
    }
    // `[netease]`: every 30 s, 30 days, both ways.
    assert_eq!(86_400 / 30 * 30 * (5 + 5), 864_000);
}

/// 29: a beat pays a promotion and a tail; one that falls into the tail of something else is nearly free.
#[test]
fn a_beat_in_the_tail_of_another_transfer_is_nearly_free() {
    // LTE as in Huang et al. 2012.
    let radio = RadioConfig {
        promotion: Delay::millis(260),
        promotion_mw: 1_211,
        paging_cycle: Delay::millis(1_280),
        active_mw: 1_288,
        up_mw_per_mbps: 438,
        down_mw_per_mbps: 52,
        up_kbps: 5_000,
        down_kbps: 10_000,
        tail: vec![TailStage { lasts: Span::millis(11_576), mw: 1_060, carries_below: 0 }],
        idle_mw: 0,
    };
    let energy = |heartbeat, pings: Option<Pings>| {
        let mut world =
            WorldConfig { radio: Some(radio.clone()), duration: Duration::from_hours(24), ..world(heartbeat) };
        world.strategy.server = ServerSpec { pings, ..ServerSpec::default() };
        let outcome = go(&world, 1);
        (outcome.radio.expect("a world with radios").energy_nj as f64, outcome.totals.heartbeats_sent as f64)
    };
    let of_a_beat = |pings: Option<Pings>| {
        let (with, beats) = energy(grid(secs(60), FirstBeat::Interval), pings.clone());
        (with - energy(HeartbeatSpec::None, pings).0) / beats
    };
    // The server's notices come every minute, too, and wake the radio anyway.
    let (alone, in_a_tail) = (of_a_beat(None), of_a_beat(Some(notices(secs(60)))));
    assert!((12e9..13.5e9).contains(&alone), "{alone} nJ: a promotion and a tail");
    assert!(in_a_tail.abs() < alone / 10.0, "{in_a_tail} nJ of {alone} nJ");
}

/// Every invariant has a row, every row names tests, and every test is there.
#[test]
fn every_invariant_is_held_by_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/catalogue-invariants.md")).expect("the table is committed");
    let mut numbers = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, tests] = cells[..] else { panic!("three cells: {row}") };
        numbers.push(number.parse::<u32>().unwrap_or_else(|_| panic!("a number: {row}")));
        // `path`: `test`, `test`; `path`: `test`
        for of_file in tests.split(';') {
            let mut names = of_file.split('`').skip(1).step_by(2);
            let file = names.next().unwrap_or_else(|| panic!("a file: {row}"));
            let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let mut named = 0;
            for test in names {
                assert!(text.contains(&format!("fn {test}(")), "{file} has no test {test}");
                named += 1;
            }
            assert!(named > 0, "{file} is named without a test: {row}");
        }
    }
    assert_eq!(numbers, (1..=31).collect::<Vec<_>>());
}
