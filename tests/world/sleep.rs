//! What an application in the background and a sleeping device do, at the boundary of the world: when timers fire that the
//! system puts off, what becomes of a connection meanwhile, when the kernel's clock stands still, what wakes it.
//!
//! Every path here has 20 ms from the device to the NAT and 30 ms from there to the server; the session is up at 0.2 s.

use std::time::Duration;

use cardiogram_policies::{
    AppState::{self, Background, Doze, Foreground},
    GiveUp, HeartbeatSpec, LossReason, Time,
    heartbeat::TcpKeepalive,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{DozeConfig, FaultConfig, IdleAlarms, LifeConfig, NatClass, NetworkSwitch, OldSockets, Periods, When},
    outcome::{Cause, DetectedBy, Detection},
    packet::Packet,
    trace::{DeviceEvent, NatEvent, What},
};
use kit::common::*;

const NO_REPLY: DetectedBy = DetectedBy::Heartbeat(GiveUp::NoReply);

fn lives(heartbeat: HeartbeatSpec, life: LifeConfig) -> WorldConfig {
    WorldConfig { life, duration: Duration::from_hours(2), ..world(heartbeat) }
}

/// Returns a device that nobody touches: it dozes from 600 s on, and its first maintenance window begins at 4200 s.
fn dozing(heartbeat: HeartbeatSpec, alarms: IdleAlarms, suspends: bool) -> WorldConfig {
    let doze = Some(DozeConfig { after: Span::secs(600), alarms, suspends, ..DozeConfig::default() });
    lives(heartbeat, LifeConfig { doze, ..LifeConfig::default() })
}

const DOZE: Time = Time::from_secs(600);
const WINDOW: Time = Time::from_secs(4_200);

fn periods(at: &[u64], lasts: u64) -> Periods {
    let at = at.iter().map(|at| Delay::millis(at * 1_000)).collect();
    Periods { when: When::At(at), lasts: constant(secs(lasts)) }
}

/// Returns a beat every 270 s, as `[yuan]` has it, given up after 10 s.
fn wechat() -> HeartbeatSpec {
    fixed(secs(270), secs(10), 1)
}

fn beats(outcome: &Outcome) -> Vec<Time> {
    let beats = device_events(outcome).filter(|(.., event)| matches!(event, DeviceEvent::HeartbeatSent { .. }));
    beats.map(|(at, ..)| at).collect()
}

fn app_states(outcome: &Outcome) -> Vec<(Time, AppState)> {
    let states = device_events(outcome).filter_map(|(at, _, event)| match event {
        DeviceEvent::AppState(state) => Some((at, state)),
        _ => None,
    });
    states.collect()
}

/// Returns the packets that the device put on its link.
fn sent(outcome: &Outcome) -> Vec<(Time, &Packet)> {
    let packets = entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, .. } if entry.node == DEVICES => Some((entry.at, packet)),
        _ => None,
    });
    packets.collect()
}

fn millis_of<const N: usize>(times: [u64; N]) -> [Time; N] {
    times.map(Time::from_millis)
}

#[test]
fn the_application_is_told_when_it_is_on_the_screen_and_when_the_device_dozes() {
    let doze = Some(DozeConfig { after: Span::secs(1_000), ..DozeConfig::default() });
    let foreground = Some(periods(&[100, 300], 50));
    // Another application at 320 s and at 500 s: the one that is looked at is in the background.
    let screen = Some(periods(&[320, 500], 100));
    let outcome = go_traced(&lives(wechat(), LifeConfig { foreground, screen, doze, ..LifeConfig::default() }), 1);
    let expected =
        [(0, Background), (100, Foreground), (150, Background), (300, Foreground), (350, Background), (1_600, Doze)];
    assert_eq!(app_states(&outcome), expected.map(|(at, state)| (Time::from_secs(at), state)));
}

#[test]
fn a_device_whose_use_is_not_described_is_told_no_state() {
    let outcome = go_traced(&lives(wechat(), LifeConfig::default()), 1);
    assert_eq!(app_states(&outcome), []);
}

/// MIUI aligns timers to 5 min (`[wechat]`): the beats of 270 s come every 300 s, and a NAT of 300 s, which they
/// were chosen for, forgets.
#[test]
fn aligned_timers_fire_on_the_grid_while_the_screen_is_off() {
    let alarm_grid = Some(Span::secs(300));
    let foreground = Some(periods(&[1_250], 400));
    let world = lives(wechat(), LifeConfig { alarm_grid, foreground, ..LifeConfig::default() });
    let outcome = go_traced(&WorldConfig { duration: secs(2_500), ..world.clone() }, 1);
    // On the screen they are exact, and still 0.2 s off the grid, as the policy counts from its session's begin.
    let expected = millis_of([300_000, 600_000, 900_000, 1_200_000, 1_350_200, 1_620_200, 2_100_000, 2_400_000]);
    assert_eq!(beats(&outcome), expected);
    assert_eq!(outcome.episodes, []);

    let mut forgetful = WorldConfig { duration: secs(320), ..world };
    forgetful.life.foreground = None;
    forgetful.nat[0].established = Span::secs(299).into();
    let outcome = go_traced(&forgetful, 1);
    assert_eq!(outcome.episodes.len(), 1, "{:?}", outcome.episodes);
    assert_eq!((outcome.episodes[0].cause, outcome.episodes[0].begin), (Cause::NatExpiry, Time::from_millis(299_220)));
    assert_eq!(outcome.episodes[0].detection, None, "the reply's time is over at the next grid point");
}

/// The end of the wait for a reply is a timer like any other.
#[test]
fn a_detection_waits_for_the_grid_too_and_the_attempt_after_it_for_nothing() {
    let alarm_grid = Some(Span::secs(300));
    let mut world = lives(wechat(), LifeConfig { alarm_grid, ..LifeConfig::default() });
    // The beat of 600 s is lost, and the kernel repeats it, which is nothing to the application.
    world.faults = vec![cut(Time::from_secs(500), Some(secs(300)))];
    let outcome = go(&world, 1);
    let told = Time::from_secs(900);
    let [episode] = outcome.episodes[..] else { panic!("one episode: {:?}", outcome.episodes) };
    // A reply that comes before the timer does is in time.
    assert_eq!(
        (episode.begin, episode.end, episode.detection),
        (Time::from_secs(500), Some(Time::from_secs(800)), None)
    );

    world.faults = vec![cut(Time::from_secs(500), Some(secs(450)))];
    let outcome = go(&world, 1);
    let [episode] = outcome.episodes[..] else { panic!("one episode: {:?}", outcome.episodes) };
    assert_eq!(episode.detection, Some(Detection { at: told, by: NO_REPLY }));
    // Attempts of 900 s to 949.9 s at once one after the other: their timeouts are not put off.
    assert!(episode.end.is_some_and(|end| end < Time::from_secs(961)), "{episode:?}");
}

/// An RST wakes the application; that it then tries at once is no timer that the system could put off.
#[test]
fn an_attempt_at_once_is_not_put_off() {
    let alarm_grid = Some(Span::secs(300));
    let on_the_grid = lives(HeartbeatSpec::None, LifeConfig { alarm_grid, ..LifeConfig::default() });
    for world in [on_the_grid, dozing(HeartbeatSpec::None, IdleAlarms::default(), true)] {
        // A restart sends FIN.
        let begin = Time::from_secs(1_000);
        let mut world = world;
        world.faults = vec![FaultConfig::ServerRestart(server_fault(begin, Some(millis(1))))];
        let outcome = go_traced(&world, 1);
        let told = begin + RTT / 2;
        let [episode] = outcome.episodes[..] else { panic!("one episode: {:?}", outcome.episodes) };
        assert_eq!(episode.detection, Some(Detection { at: told, by: DetectedBy::Transport(LossReason::Closed) }));
        assert_eq!(episode.end, Some(told + 2 * RTT));
    }
}

/// A timer that is overdue fires when the screen goes on.
#[test]
fn the_screen_lets_overdue_timers_fire() {
    let life =
        LifeConfig { alarm_grid: Some(Span::secs(600)), screen: Some(periods(&[400], 10)), ..LifeConfig::default() };
    let outcome = go_traced(&WorldConfig { duration: secs(601), ..lives(wechat(), life) }, 1);
    assert_eq!(beats(&outcome), millis_of([400_000, 600_000]));
}

/// Android lets an idle application wake it every 9 min: the beat of 270 s, right for a NAT of 300 s, comes too late, and
/// that it has no reply is known with the next alarm.
#[test]
fn in_a_doze_alarms_come_every_9_min_and_a_nat_of_300_s_forgets() {
    let mut world = dozing(wechat(), IdleAlarms::default(), true);
    world.nat[0].established = Span::secs(300).into();
    world.duration = secs(2_000);
    let outcome = go_traced(&world, 1);
    assert_eq!(app_states(&outcome), [(Time::ZERO, Background), (DOZE, Doze)]);
    assert_eq!(beats(&outcome), millis_of([270_200, 540_200, 810_200, 1_350_200]));
    let [episode] = outcome.episodes[..] else { panic!("one episode: {:?}", outcome.episodes) };
    let expired = Time::from_millis(810_300) + ACCESS + secs(300);
    let [(forgotten, _)] =
        nat_events(&outcome).filter(|(_, event)| *event == NatEvent::Expired).collect::<Vec<_>>()[..]
    else {
        panic!("one mapping expires")
    };
    assert!(forgotten >= expired && forgotten < expired + secs(1), "{forgotten}: an ack later than {expired}");
    let next_alarm = Time::from_millis(1_350_200) + secs(540);
    assert_eq!((episode.cause, episode.begin), (Cause::NatExpiry, forgotten));
    assert_eq!(episode.detection, Some(Detection { at: next_alarm, by: NO_REPLY }));
    assert_eq!(episode.end, Some(next_alarm + 2 * RTT), "the alarm is used for the attempt too");
}

/// A message is no alarm: the beat comes 9 min after the one before it, not after the message.
#[test]
fn a_message_in_a_doze_is_sent_when_it_is_created_and_puts_no_alarm_off() {
    let mut world = dozing(wechat(), IdleAlarms::default(), true);
    world.traffic.up = Some(Span::secs(400).into());
    world.duration = secs(1_400);
    let (alarm, next) = (Time::from_millis(810_200), Time::from_millis(1_350_200));
    let outcome = (0..200)
        .map(|seed| go_traced(&world, seed))
        .find(|outcome| {
            let messages = sent_messages(outcome);
            let between = |begin, end| messages.iter().filter(|at| **at > begin && **at < end).count();
            let due = Time::from_millis(1_080_200);
            between(alarm, due) > 0 && between(due, next) == 0 && between(DOZE, alarm) == 0
        })
        .expect("some seed");
    assert_eq!(beats(&outcome)[2..], [alarm, next]);
}

#[test]
fn without_alarms_timers_wait_for_the_windows() {
    let world = WorldConfig { duration: secs(12_000), ..dozing(wechat(), IdleAlarms::Never, true) };
    // The windows are 300 s long; the second one comes 2 h after the first.
    let expected = millis_of([270_200, 540_200, 4_200_000, 4_320_200, 11_700_000, 11_880_200]);
    assert_eq!(beats(&go_traced(&world, 1)), expected);
}

/// The processor sleeps, and with it the clock that the kernel probes by.
#[test]
fn keepalive_probes_do_not_go_out_while_the_processor_sleeps() {
    let keepalive = TcpKeepalive { idle: Span::secs(100), interval: Span::secs(10), ..TcpKeepalive::default() };
    let world = dozing(HeartbeatSpec::TcpKeepalive(keepalive), IdleAlarms::default(), true);
    let outcome = go_traced(&world, 1);
    let asleep = |at: Time| at > DOZE + secs(2) && at < WINDOW;
    let packets = sent(&outcome);
    assert!(packets.iter().filter(|(at, _)| *at > Time::from_secs(1) && *at < DOZE).count() >= 5, "it has probed");
    assert!(!packets.iter().any(|(at, _)| asleep(*at)));
    assert!(packets.iter().any(|(at, _)| *at >= WINDOW && *at < WINDOW + secs(300)), "awake in the window, it probes");

    let awake = dozing(world.strategy.heartbeat, IdleAlarms::default(), false);
    let outcome = go_traced(&awake, 1);
    assert!(sent(&outcome).iter().filter(|(at, _)| asleep(*at)).count() >= 35, "one in 100.1 s");
}

#[test]
fn a_packet_wakes_a_dozing_device_and_is_acknowledged() {
    let mut world = dozing(HeartbeatSpec::None, IdleAlarms::default(), true);
    world.traffic.down = Some(Span::secs(900).into());
    world.duration = secs(4_000);
    let outcome = go_traced(&world, 1);
    let pushes: Vec<Time> = created_pushes(&outcome).into_iter().filter(|push| *push > DOZE).collect();
    assert!(pushes.len() > 1, "enough to tell");
    assert_eq!(outcome.pushes.delays, vec![RTT / 2; outcome.pushes.delays.len()]);
    // The application's ack goes out at once, and the server does not send twice.
    for push in pushes {
        let acks =
            sent(&outcome).iter().filter(|(at, packet)| *at == push + RTT / 2 && !packet.payload.is_empty()).count();
        assert_eq!(acks, 1);
    }
    assert_eq!(outcome.totals.down.tcp.retransmission, 0);
}

/// A retransmission that would come in the processor's sleep is sent when something wakes it.
#[test]
fn retransmissions_stand_still_with_the_processor() {
    let mut world = dozing(wechat(), IdleAlarms::default(), true);
    world.duration = secs(1_400);
    world.faults = vec![cut(Time::from_secs(800), None)];
    let outcome = go_traced(&world, 1);
    let beat = Time::from_millis(810_200);
    // Awake for 2 s, asleep until the next alarm, 9 min after the beat; that alarm gives the connection up.
    let tries = sent(&outcome).iter().filter(|(at, _)| *at >= beat && *at < beat + secs(2)).count();
    assert!(tries >= 3, "the beat and what the kernel repeats in 2 s: {tries}");
    assert!(!sent(&outcome).iter().any(|(at, _)| *at >= beat + secs(2) && *at < beat + secs(540)));
    assert_eq!(outcome.episodes[0].detection, Some(Detection { at: beat + secs(540), by: NO_REPLY }));

    world.life = dozing(wechat(), IdleAlarms::default(), false).life;
    let outcome = go_traced(&world, 1);
    assert!(sent(&outcome).iter().any(|(at, _)| *at >= beat + secs(2) && *at < beat + secs(540)));
}

/// The connection is aborted while the device dozes: what its system tells it wakes the application.
#[test]
fn a_network_that_comes_wakes_a_dozing_device() {
    let mut world = dozing(wechat(), IdleAlarms::Never, true);
    let begin = Time::from_secs(1_000);
    let (to, lasts) = (Some("none".into()), Some(constant(secs(60))));
    let old_sockets = OldSockets::Abort;
    world.faults = vec![FaultConfig::NetworkSwitch(NetworkSwitch {
        devices: None,
        when: at(begin),
        to,
        lasts,
        gap: None,
        old_sockets,
    })];
    let outcome = go(&world, 1);
    let [episode] = outcome.episodes[..] else { panic!("one episode: {:?}", outcome.episodes) };
    assert_eq!((episode.cause, episode.begin), (Cause::NoNetwork, begin));
    assert_eq!(episode.end, Some(begin + secs(60) + 2 * RTT));
}

/// A NAT that answers: the reset is one of the packets that wake the device.
#[test]
fn a_reset_wakes_a_dozing_device() {
    let mut world = dozing(HeartbeatSpec::None, IdleAlarms::Never, true);
    world.nat[0].established = Span::secs(1_000).into();
    world.nat[0].after_expiry = NatClass::RstBothOnExpiry.into();
    world.duration = secs(1_500);
    let outcome = go(&world, 1);
    let [episode] = outcome.episodes[..] else { panic!("one episode: {:?}", outcome.episodes) };
    let expired = Time::from_millis(220) + secs(1_000);
    assert_eq!((episode.cause, episode.begin), (Cause::NatExpiry, expired));
    assert_eq!(episode.end, Some(expired + ACCESS + 2 * RTT));
}

#[test]
fn where_timers_are_late_only_the_promise_of_no_false_alarm_stands() {
    let grid = LifeConfig { alarm_grid: Some(Span::secs(300)), ..LifeConfig::default() };
    let shown = LifeConfig { foreground: Some(periods(&[100], 10)), ..LifeConfig::default() };
    let healthy = world(wechat()).promises();
    assert!(healthy.no_false_alarm && healthy.detects_within.is_some());
    let exact = lives(wechat(), shown);
    assert_eq!(exact.promises(), healthy);
    for late in [lives(wechat(), grid), dozing(wechat(), IdleAlarms::default(), true)] {
        let promises = late.promises();
        assert!(promises.no_false_alarm);
        assert_eq!((promises.detects_within, promises.reconnects_within), (None, None));
        assert_eq!((promises.heartbeats_per_hour, promises.attempts), (None, None));
    }
}
