//! What a device does when its policies say so, at the boundary of the world: notices, probe connections, races, checks of
//! the network, the transport's word, memory, kinds of networks. The policies here follow scripts, and write down what they
//! are told.
//!
//! Times are worked out by hand on the path of `common`: 20 ms and 30 ms one way, so that a round trip takes 100 ms, and a
//! connection, welcome included, 200 ms. Every script is played on both engines.

use std::time::Duration;

use cardiogram_policies::{
    Action, AttemptFailure, Event, GiveUp, HeartbeatSpec, LossReason, Network, NetworkKind, ReconnectAction,
    ReconnectEvent, ServerChoice, ServerSpec, Time, reconnect::Ended, server::IdleReaper, unit::Delay,
};
use cardiogram_sim::{
    Engine, Outcome, RunOptions, WorldConfig,
    config::{
        AfterExpiry, Attach, Cost, FaultConfig, NatClass, NatConfig, NetworkConfig, OldSockets, ProcessKilled,
        TrafficConfig,
    },
    outcome::{Cause, DetectedBy, Detection},
    run,
    trace::DeviceEvent,
};
use kit::{
    common::*,
    script::{self, Script, Told},
    worlds,
};
use proptest::prelude::*;

/// A script as it was played.
struct Played {
    told: Told,
    outcome: Outcome,
}

/// Plays a script in a world on both engines, which agree.
#[track_caller]
fn play(world: &WorldConfig, steps: &[(u64, Action)], verdicts: &[ReconnectAction]) -> Played {
    let on = |engine| {
        let script = Script { steps: steps.to_vec(), verdicts: verdicts.to_vec(), ..Script::default() };
        let told = script.told.clone();
        let mut world = world.clone();
        script.direct(&mut world.strategy);
        let options = RunOptions { keep_trace: true, ..RunOptions::new(engine) };
        let outcome = run(&world, 1, &options).expect("both engines finish");
        let told = told.lock().expect("the run is over").clone();
        Played { told, outcome }
    };
    let (event, turmoil) = (on(Engine::Event), on(Engine::Turmoil));
    assert_eq!(event.outcome.trace_hash, turmoil.outcome.trace_hash);
    assert_eq!(event.told, turmoil.told);
    event
}

impl Played {
    /// Returns what the heartbeat policy was told, in milliseconds, bytes that were written apart.
    fn heard(&self) -> Vec<(u64, Event)> {
        let heard = self.told.heartbeat.iter().filter(|(_, event)| *event != Event::BytesWritten);
        heard.map(|(at, event)| (ms(*at), *event)).collect()
    }

    /// Returns what the reconnect policy was told, in milliseconds, handshakes apart.
    fn asked(&self) -> Vec<(u64, ReconnectEvent)> {
        let asked = self.told.reconnect.iter().filter(|(_, event)| *event != ReconnectEvent::Established);
        asked.map(|(at, event)| (ms(*at), *event)).collect()
    }

    /// Returns when something happened to the device, in milliseconds.
    fn times(&self, of: impl Fn(&DeviceEvent) -> bool) -> Vec<u64> {
        device_events(&self.outcome).filter(|(.., event)| of(event)).map(|(at, ..)| ms(at)).collect()
    }

    /// Nothing was wrong with the only session, which the device has had from its start to the end of the run.
    #[track_caller]
    fn expect_one_good_session(&self) {
        let Outcome { episodes, false_alarms, usable_time, zombie_time, .. } = &self.outcome;
        assert_eq!((&episodes[..], &false_alarms[..]), (&[][..], &[][..]));
        assert_eq!((*usable_time, *zombie_time), (SESSION, Duration::ZERO));
        assert_eq!(self.outcome.totals.sessions, 1);
    }
}

fn ms(at: Time) -> u64 {
    assert_eq!(at.as_micros() % 1_000, 0, "{at}");
    at.as_micros() / 1_000
}

/// From the first welcome to the end of the run.
const SESSION: Duration = Duration::from_millis(3_600_000 - 200);
const MAIN: Network = Network::cellular(0);
const FIRST: (u64, Event) = (200, Event::Connected { network: MAIN, server: 0 });

fn usual() -> WorldConfig {
    world(HeartbeatSpec::None)
}

/// Returns a NAT that forgets after 100 s.
fn forgetful(class: NatClass) -> WorldConfig {
    let nat = NatConfig {
        established: constant(secs(100)),
        after_expiry: AfterExpiry::Always(class),
        ..NatConfig::default()
    };
    WorldConfig { nat: vec![nat], ..usual() }
}

fn beat(id: u32) -> Action {
    Action::SendHeartbeat { id }
}

fn reply(id: u32) -> Event {
    Event::HeartbeatReply { id, rtt: RTT }
}

fn answered(id: u32) -> Event {
    Event::ProbeReply { id, rtt: RTT }
}

#[test]
fn a_notice_holds_off_the_reaper_costs_the_server_a_heartbeat_and_is_not_answered() {
    let mut world = usual();
    let reaper = IdleReaper::new(span(secs(60)), Delay::millis(5_000));
    world.strategy.server = ServerSpec { idle_reaper: Some(reaper), ..ServerSpec::default() };
    world.server.heartbeat_cost = Cost::constant(millis(1));
    world.duration = secs(300);
    let busy = |played: &Played| played.outcome.server_busy;
    let silent = play(&world, &[], &[ReconnectAction::Stop]);
    let closed = |played: &Played| sessions_closed(&played.outcome).into_iter().map(age).collect::<Vec<_>>();
    let [reaped] = closed(&silent)[..] else { panic!("{:?}", closed(&silent)) };
    assert!(reaped > secs(60) && reaped < secs(66), "{reaped:?}");

    let steps = [50_000, 100_000, 150_000].map(|at| (at, Action::SendNotice));
    let noticed = play(&world, &steps, &[ReconnectAction::Stop]);
    let [reaped] = closed(&noticed)[..] else { panic!("{:?}", closed(&noticed)) };
    assert!(reaped > secs(210) && reaped < secs(216), "{reaped:?}");
    assert_eq!(noticed.times(|event| *event == DeviceEvent::NoticeSent), [50_000, 100_000, 150_000]);
    assert_eq!((noticed.outcome.totals.heartbeats_sent, noticed.outcome.totals.heartbeats_answered), (3, 0));
    assert_eq!(busy(&noticed), busy(&silent) + millis(3));
    assert_eq!(noticed.outcome.learning[0].interval, Some(secs(50)));
    assert_eq!(noticed.heard().len(), 2, "connected and lost: {:?}", noticed.heard());
    // As long as a heartbeat.
    let data = sent(&noticed.outcome, DEVICES).into_iter().filter(|(at, _)| *at == Time::from_secs(50));
    assert_eq!(data.map(|(_, packet)| packet.payload.len()).collect::<Vec<_>>(), [5]);
}

#[test]
fn all_that_arrives_at_the_moment_of_a_deadline_counts_before_it() {
    let give_up = Action::GiveUp(GiveUp::NoReply);
    let played = play(&usual(), &[(1_000, beat(0)), (1_000, beat(1)), (1_100, give_up)], &[ReconnectAction::Stop]);
    assert_eq!(played.heard(), [FIRST, (1_100, reply(0)), (1_100, reply(1))]);
    assert_eq!(played.times(|event| matches!(event, DeviceEvent::GivenUp { .. })), [1_100]);
}

/// A session that lives is left at 10 s, for a minute; what really breaks meanwhile ends the mistake, uncorrected.
#[test]
fn a_mistake_lasts_until_something_real_breaks() {
    let give_up = (10_000, Action::GiveUp(GiveUp::NoReply));
    let later = ReconnectAction::TryAfter { wait: Duration::from_secs(60), server: ServerChoice::Same, timeout: None };
    let mistake_of = |faults: Vec<FaultConfig>| {
        let played = play(&WorldConfig { faults, ..usual() }, &[give_up], &[later]);
        let [mistake] = played.outcome.accuracy.mistakes[..] else { panic!("{:?}", played.outcome.accuracy) };
        (ms(mistake.begin), ms(mistake.end), mistake.corrected)
    };
    assert_eq!(mistake_of(Vec::new()), (10_000, 70_200, true));
    let at = |seconds| Time::from_secs(seconds);
    assert_eq!(mistake_of(vec![cut(at(30), Some(secs(20)))]), (10_000, 30_000, false));
    let stalls = FaultConfig::ServerStall(server_fault(at(40), Some(secs(5))));
    assert_eq!(mistake_of(vec![stalls]), (10_000, 40_000, false));
    // What broke and healed before it has nothing to do with it.
    assert_eq!(mistake_of(vec![cut(at(5), Some(secs(1)))]), (10_000, 70_200, true));
}

#[test]
fn a_server_hears_what_arrives_at_the_moment_of_its_deadline_before_it_closes() {
    let mut world = usual();
    let reaper = IdleReaper::new(span(secs(10)), Delay::millis(0));
    world.strategy.server = ServerSpec { idle_reaper: Some(reaper), ..ServerSpec::default() };
    world.duration = secs(25);
    // Its last frame is its welcome, at 150 ms; the beat comes 10 s later to the microsecond, or one too late.
    let spared = play(&world, &[(10_100, beat(0))], &[ReconnectAction::Stop]);
    assert_eq!(sessions_closed(&spared.outcome), [Time::from_millis(20_150)]);
    let late = play(&world, &[(10_101, beat(0))], &[ReconnectAction::Stop]);
    assert_eq!(sessions_closed(&late.outcome), [Time::from_millis(10_150)]);
}

#[test]
fn what_the_server_acknowledges_is_told_as_such() {
    let world = WorldConfig {
        traffic: TrafficConfig { up: Some(span(secs(60)).into()), down: None, ..TrafficConfig::default() },
        ..usual()
    };
    let played = play(&world, &[], &[]);
    let sent = sent_messages(&played.outcome);
    assert!(sent.len() > 30, "{}", sent.len());
    let heard = played.told.heartbeat.iter().filter(|(_, event)| *event == Event::Acknowledged);
    assert_eq!(heard.map(|(at, _)| *at - RTT).collect::<Vec<_>>(), sent);
    assert!(!played.told.heartbeat.iter().any(|(_, event)| *event == Event::BytesReceived));
}

/// Returns the session beats once a minute; the probe connection is quiet for two and a half.
fn beside_a_session(last: &[(u64, Action)]) -> Vec<(u64, Action)> {
    let mut steps: Vec<_> = (1..60).map(|minute| (minute * 60_000, beat(minute as u32 - 1))).collect();
    steps.extend([
        (1_000, Action::OpenProbe),
        (2_000, Action::SendProbe { id: 0 }),
        (150_000, Action::SendProbe { id: 1 }),
    ]);
    steps.extend(last);
    steps.sort_by_key(|(at, _)| *at);
    steps
}

/// Returns what is heard of the probe connection.
fn of_probe(played: &Played) -> Vec<(u64, Event)> {
    let is_of_probe =
        |event: &Event| matches!(event, Event::ProbeConnected | Event::ProbeReply { .. } | Event::ProbeLost);
    played.heard().into_iter().filter(|(_, event)| is_of_probe(event)).collect()
}

#[test]
fn a_probe_connection_dies_alone_and_the_session_does_not_notice() {
    let steps = beside_a_session(&[
        (170_000, Action::CloseProbe),
        (180_000, Action::OpenProbe),
        (181_000, Action::SendProbe { id: 0 }),
    ]);
    let played = play(&forgetful(NatClass::DropSilent), &steps, &[]);
    let expected = [
        (1_200, Event::ProbeConnected),
        (2_100, answered(0)),
        // The mapping is forgotten before the next one is sent.
        (180_200, Event::ProbeConnected),
        (181_100, answered(0)),
    ];
    assert_eq!(of_probe(&played), expected);
    played.expect_one_good_session();
    let totals = played.outcome.totals;
    assert_eq!((totals.connect_attempts, totals.heartbeats_sent, totals.heartbeats_answered), (3, 59 + 3, 59 + 2));
    assert_eq!(played.outcome.peaks.sessions, 1);
    // What is learnt is about the session's beats.
    assert_eq!(played.outcome.learning[0].interval, Some(secs(60)));
    // The reconnect policy has nothing to do with it.
    assert_eq!(played.asked().len(), 2, "{:?}", played.asked());
}

#[test]
fn a_reset_probe_connection_is_lost_and_the_session_stays() {
    let played = play(&forgetful(NatClass::RstInsideOnSend), &beside_a_session(&[]), &[]);
    let expected = [(1_200, Event::ProbeConnected), (2_100, answered(0)), (150_040, Event::ProbeLost)];
    assert_eq!(of_probe(&played), expected);
    played.expect_one_good_session();
}

#[test]
fn a_probe_connection_that_does_not_come_up_is_lost_at_the_connect_timeout() {
    let world = WorldConfig { faults: vec![cut(Time::from_secs(1), Some(secs(60)))], ..usual() };
    let steps = [(2_000, Action::OpenProbe), (3_000, Action::SendProbe { id: 0 })];
    let played = play(&world, &steps, &[]);
    assert_eq!(played.heard(), [FIRST, (12_000, Event::ProbeLost)]);
    // Nothing is sent on what is not up.
    assert_eq!(played.outcome.totals.heartbeats_sent, 0);
}

#[test]
fn a_probe_connection_ends_with_the_session_with_the_process_and_with_the_address() {
    let closed = |played: &Played| played.times(|event| *event == DeviceEvent::ProbeClosed);
    let open = (1_000, Action::OpenProbe);
    let given_up = play(&usual(), &[open, (5_000, Action::GiveUp(GiveUp::NoReply))], &[]);
    assert_eq!(closed(&given_up), [5_000]);
    assert_eq!(given_up.heard().len(), 3, "two sessions and a probe connection: {:?}", given_up.heard());

    let kill = FaultConfig::ProcessKilled(ProcessKilled { devices: None, when: at(Time::from_secs(5)), lasts: None });
    let killed = play(&WorldConfig { faults: vec![kill], ..usual() }, &[open], &[]);
    assert_eq!(closed(&killed), [5_000]);

    let mut world = usual();
    world.life.attach = vec![attach(5_000, "none", OldSockets::Abort)];
    let detached = play(&world, &[open], &[]);
    assert_eq!(closed(&detached), [0_u64; 0]);
    // Without a word of its own.
    let expected = [FIRST, (1_200, Event::ProbeConnected), (5_000, Event::Lost(LossReason::Aborted))];
    assert_eq!(detached.heard(), expected);
}

/// The session stays behind on an address that is no longer there; the probe connection is on the next one.
#[test]
fn a_probe_connection_over_another_network_than_the_sessions_is_lost_alone() {
    let mut world = usual();
    let wifi =
        NetworkConfig { kind: NetworkKind::Wifi, access: link(ACCESS), radio: None, nat: vec![NatConfig::default()] };
    world.networks.insert("wifi".into(), wifi);
    world.life.attach = vec![attach(10_000, "wifi", OldSockets::Rot), attach(20_000, "main", OldSockets::Abort)];
    let played = play(&world, &[(11_000, Action::OpenProbe), (21_000, Action::OpenProbe)], &[]);
    let expected = [(11_200, Event::ProbeConnected), (20_000, Event::ProbeLost), (21_200, Event::ProbeConnected)];
    assert_eq!(of_probe(&played), expected);
    assert_eq!(played.outcome.totals.sessions, 1);
}

fn attach(ms: u64, to: &str, old_sockets: OldSockets) -> Attach {
    let at = Delay::millis(ms);
    Attach { at, to: to.into(), gap: None, old_sockets }
}

#[test]
fn a_race_is_won_by_the_old_connection_with_any_frame() {
    let played = play(&usual(), &[(100_000, beat(0)), (100_000, Action::Race)], &[]);
    assert_eq!(played.heard(), [FIRST, (100_100, reply(0))]);
    let lost = |event: &DeviceEvent| matches!(event, DeviceEvent::RaceLost { .. });
    assert_eq!(played.times(lost), [100_100]);
    assert_eq!(played.outcome.totals.connect_attempts, 2);
    played.expect_one_good_session();
    // Of the second attempt it hears nothing.
    assert_eq!(played.asked().len(), 2, "{:?}", played.asked());
}

#[test]
fn a_race_is_won_by_the_new_connection_with_its_welcome() {
    let world = WorldConfig { faults: vec![flush(Time::from_secs(50))], ..usual() };
    let played = play(&world, &[(100_000, beat(0)), (100_000, Action::Race)], &[]);
    let again = Event::Connected { network: MAIN, server: 0 };
    assert_eq!(played.heard(), [FIRST, (100_200, again)]);
    let [begin, end] = [50_000, 100_200].map(Time::from_millis);
    let detection = Detection { at: end, by: DetectedBy::Heartbeat(GiveUp::NoReply) };
    assert_eq!(only_episode(&played.outcome), (begin, Cause::NatFlush, Some(detection)));
    assert_eq!((played.outcome.episodes[0].end, played.outcome.totals.sessions), (Some(end), 2));
    let expected = [
        (100_200, ReconnectEvent::Lost(Ended::GivenUp(GiveUp::NoReply))),
        (100_200, ReconnectEvent::AttemptStarted { server: 0 }),
        (100_200, ReconnectEvent::Connected),
    ];
    assert_eq!(&played.asked()[2..], expected);
}

/// The server closes the session when it welcomes its device again, and that FIN comes before the welcome.
#[test]
fn a_usable_session_that_loses_a_race_is_a_false_alarm_of_no_length() {
    let played = play(&usual(), &[(100_000, Action::Race)], &[]);
    let again = Event::Connected { network: MAIN, server: 0 };
    assert_eq!(played.heard(), [FIRST, (100_200, again)]);
    assert_eq!(played.outcome.episodes, []);
    let [alarm] = played.outcome.false_alarms[..] else { panic!("{:?}", played.outcome.false_alarms) };
    let at = Time::from_millis(100_200);
    assert_eq!((alarm.at, alarm.by, alarm.end), (at, DetectedBy::Heartbeat(GiveUp::NoReply), Some(at)));
    assert_eq!(played.outcome.usable_time, SESSION);
    assert_eq!(played.outcome.zombie_time, Duration::ZERO);
    assert_eq!(sessions_closed(&played.outcome), [Time::from_millis(100_150)]);
}

#[test]
fn a_race_that_nobody_wins_leaves_the_session_as_it_is() {
    let world = WorldConfig { faults: vec![cut(Time::from_secs(90), Some(secs(60)))], ..usual() };
    let played = play(&world, &[(100_000, Action::Race), (101_000, Action::Race), (160_000, beat(0))], &[]);
    assert_eq!(played.heard(), [FIRST, (160_100, reply(0))]);
    let lost = |event: &DeviceEvent| matches!(event, DeviceEvent::RaceLost { .. });
    assert_eq!(played.times(lost), [110_000]);
    assert_eq!(played.outcome.totals.connect_attempts, 2);
    assert_eq!(only_episode(&played.outcome), (Time::from_secs(90), Cause::Cut, None));
}

/// The session's reply comes when the new one's hello is on its way: the server has welcomed the new one and closed the
/// session before it learns who has won.
#[test]
fn a_server_that_has_chosen_the_new_connection_ends_the_old_one_that_won() {
    let played = play(&usual(), &[(100_000, Action::Race), (100_030, beat(0))], &[]);
    let heard = played.heard();
    assert_eq!(heard[..3], [FIRST, (100_130, reply(0)), (100_200, Event::Lost(LossReason::Closed))]);
    let detection = Detection { at: Time::from_millis(100_200), by: DetectedBy::Transport(LossReason::Closed) };
    assert_eq!(only_episode(&played.outcome), (Time::from_millis(100_150), Cause::ServerClosed, Some(detection)));
}

const CHECK: ReconnectAction = ReconnectAction::CheckAfter { wait: Duration::from_secs(5) };
const AT_ONCE: ReconnectAction =
    ReconnectAction::TryAfter { wait: Duration::ZERO, server: ServerChoice::Same, timeout: None };
const NEVER_AGAIN: (u64, Action) = (20_000, Action::GiveUp(GiveUp::NetworkDead));

/// Returns what the reconnect policy is told after the session was given up at 20 s.
fn after_the_end(played: &Played) -> Vec<(u64, ReconnectEvent)> {
    let asked = played.asked().into_iter();
    asked.skip_while(|(at, _)| *at < 20_000).skip(1).collect()
}

#[test]
fn an_attempt_takes_as_long_as_its_policy_says_and_else_the_connect_timeout() {
    let fault = cut(Time::from_secs(15), None);
    let world = WorldConfig { faults: vec![fault], duration: secs(60), ..usual() };
    let of = |timeout| ReconnectAction::TryAfter { wait: secs(1), server: ServerChoice::Same, timeout };
    let played = play(&world, &[NEVER_AGAIN], &[of(Some(secs(4))), of(None), ReconnectAction::Stop]);
    let failed = ReconnectEvent::AttemptFailed(AttemptFailure::Timeout);
    let attempt = ReconnectEvent::AttemptStarted { server: 0 };
    let expected = [(21_000, attempt), (25_000, failed), (26_000, attempt), (36_000, failed)];
    assert_eq!(after_the_end(&played), expected);
}

#[test]
fn a_check_on_a_healthy_network_takes_a_round_trip_and_is_no_attempt() {
    let mut world = usual();
    world.duration = secs(60);
    let played = play(&world, &[NEVER_AGAIN], &[CHECK, ReconnectAction::Stop]);
    assert_eq!(after_the_end(&played), [(25_100, ReconnectEvent::NetworkChecked(true))]);
    assert_eq!(played.outcome.totals.connect_attempts, 1);
    assert_eq!(played.times(|event| *event == DeviceEvent::CheckAfter(secs(5))), [20_000]);
    let checks = sent(&played.outcome, DEVICES).into_iter().filter(|(_, packet)| packet.dst.port() == 9);
    assert_eq!(checks.map(|(at, _)| ms(at)).collect::<Vec<_>>(), [25_000]);
    // It takes no part in the session's server's work: nobody is logged in.
    assert_eq!(played.outcome.totals.sessions, 1);
}

#[test]
fn a_check_on_a_cut_network_waits_three_seconds_in_vain() {
    let fault = cut(Time::from_secs(15), Some(secs(30)));
    let world = WorldConfig { faults: vec![fault], duration: secs(60), ..usual() };
    let again = ReconnectAction::CheckAfter { wait: secs(20) };
    let played = play(&world, &[NEVER_AGAIN], &[CHECK, again, AT_ONCE]);
    let expected = [
        (28_000, ReconnectEvent::NetworkChecked(false)),
        (48_100, ReconnectEvent::NetworkChecked(true)),
        (48_100, ReconnectEvent::AttemptStarted { server: 0 }),
        (48_300, ReconnectEvent::Connected),
    ];
    assert_eq!(after_the_end(&played), expected);
    assert_eq!(played.outcome.totals.connect_attempts, 2);
}

#[test]
fn a_server_whose_process_is_stalled_or_gone_has_a_network_that_carries() {
    for fault in [FaultConfig::ServerStall, FaultConfig::ServerCrash] {
        let fault = fault(server_fault(Time::from_secs(10), None));
        let world = WorldConfig { faults: vec![fault], duration: secs(60), ..usual() };
        let played = play(&world, &[NEVER_AGAIN], &[CHECK, CHECK]);
        assert!(played.asked().iter().any(|(_, event)| *event == ReconnectEvent::NetworkChecked(true)));
        assert!(!played.asked().iter().any(|(_, event)| *event == ReconnectEvent::NetworkChecked(false)));
    }
}

#[test]
fn a_check_is_over_when_its_network_is_lost_and_planned_anew_on_the_next() {
    let mut world = usual();
    world.duration = secs(60);
    world.life.attach = vec![attach(25_050, "none", OldSockets::Abort), attach(40_000, "main", OldSockets::Abort)];
    let played = play(&world, &[NEVER_AGAIN], &[CHECK, CHECK, ReconnectAction::Stop]);
    let expected = [
        (25_050, ReconnectEvent::NetworkChanged(None)),
        (40_000, ReconnectEvent::NetworkChanged(Some(MAIN))),
        (45_100, ReconnectEvent::NetworkChecked(true)),
    ];
    assert_eq!(after_the_end(&played), expected);
}

#[test]
fn the_transport_has_heard_of_a_stalled_server_and_not_of_a_cut_path() {
    let steps = [(50_000, beat(0)), (100_000, beat(1)), (110_000, Action::AskTransport)];
    let heard = |fault| {
        let played = play(&WorldConfig { faults: vec![fault], ..usual() }, &steps, &[ReconnectAction::Stop]);
        let heard = played.heard().into_iter().find(|(at, _)| *at == 110_000);
        let Some((_, Event::TransportHeard { ago })) = heard else { panic!("{:?}", played.heard()) };
        ago
    };
    let stall = FaultConfig::ServerStall(server_fault(Time::from_secs(90), None));
    // The kernel acknowledged the beat, sooner or later within its delay of 40 ms.
    let ago = heard(stall);
    assert!(ago + RTT <= secs(10) && ago + RTT + millis(40) >= secs(10), "{ago:?}");
    // The reply to the beat before, and the beat of its own that acknowledged it.
    assert_eq!(heard(cut(Time::from_secs(90), None)) + RTT, secs(60));
}

#[test]
fn what_a_policy_remembers_outlives_its_process() {
    let kill = |secs| {
        FaultConfig::ProcessKilled(ProcessKilled {
            devices: None,
            when: at(Time::from_secs(secs)),
            lasts: Some(constant(millis(500))),
        })
    };
    let steps = [(10_000, Action::Remember), (20_000, beat(0)), (40_000, Action::Remember)];
    let world = WorldConfig { faults: vec![kill(5), kill(25), kill(30), kill(45)], ..usual() };
    let played = play(&world, &steps, &[]);
    // Not before anything was remembered; what was not remembered is forgotten.
    assert_eq!(played.told.recalled, ["after step 1", "after step 1", "after step 3"]);
}

#[test]
fn policies_are_told_which_network_it_is_and_of_what_kind() {
    let mut world = WorldConfig { network_kind: NetworkKind::Wired, duration: secs(60), ..usual() };
    let of_kind = |kind| NetworkConfig { kind, access: link(ACCESS), radio: None, nat: vec![NatConfig::default()] };
    world.networks.insert("home".into(), of_kind(NetworkKind::Wifi));
    world.networks.insert("train".into(), of_kind(NetworkKind::Cellular));
    world.life.attach = vec![
        attach(10_000, "home", OldSockets::Linger),
        attach(20_000, "train", OldSockets::Abort),
        attach(30_000, "none", OldSockets::Rot),
    ];
    let played = play(&world, &[], &[]);
    let [main, home, train] = [(0, NetworkKind::Wired), (1, NetworkKind::Wifi), (2, NetworkKind::Cellular)]
        .map(|(id, kind)| Network { id, kind });
    let changed = |network| Event::NetworkChanged(network);
    let heard = played.heard();
    let connected = |network| Event::Connected { network, server: 0 };
    let expected = [
        (200, connected(main)),
        (10_000, changed(Some(home))),
        (20_000, Event::Lost(LossReason::Aborted)),
        (20_200, connected(train)),
        (30_000, changed(None)),
    ];
    assert_eq!(heard, expected);
    let asked = played.asked().into_iter().filter_map(|(at, event)| match event {
        ReconnectEvent::NetworkChanged(network) => Some((at, network)),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), [(10_000, Some(home)), (20_000, Some(train)), (30_000, None)]);
    assert!(!played.asked().iter().any(|(_, event)| *event == ReconnectEvent::AttemptFailed(AttemptFailure::Dropped)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_policies_do_both_engines_agree(world in worlds::world(), script in script::script(1_800)) {
        play(&world, &script.steps, &script.verdicts);
    }
}
