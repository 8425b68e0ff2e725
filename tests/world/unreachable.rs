//! Cuts and vanished hosts that say so: what a router answers, who hears it, and what it changes. How often a router answers is
//! tested beside it, and what a kernel makes of an error, beside TCP.
//!
//! The usual device beats every 30 s from 30.2 s on, over a path of 20 ms and 30 ms; its round trip of 100 ms makes a
//! retransmission timeout of 300 ms.

use cardiogram_policies::{AttemptFailure, HeartbeatSpec, LossReason, Time};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Answer, Carrier, Cut, Direction, FaultConfig, LinkName, ServerVanish, Whom},
    outcome::{Cause, DetectedBy},
    packet::{Obstacle, Packet, Protocol},
    trace::{DeviceEvent, DropReason, NodeId},
};
use kit::common::*;

/// When the first beat is sent.
const BEAT: Time = Time::from_millis(30_200);
/// Just before it.
const CUT: Time = Time::from_millis(30_100);

fn answering(link: LinkName, begin: Time, lasts: Option<u64>, answers: Answer) -> FaultConfig {
    let lasts = lasts.map(|lasts| constant(millis(lasts)));
    let direction = Direction::Both;
    FaultConfig::Cut(Cut { devices: None, link, direction, when: at(begin), lasts, answers, carrier: Carrier::Kept })
}

fn under(fault: FaultConfig, heartbeat: HeartbeatSpec, retries2: Option<u32>) -> Outcome {
    let mut world = one_session(heartbeat);
    world.devices.tcp.retries2 = retries2;
    go_traced(&WorldConfig { duration: secs(100), faults: vec![fault], ..world }, 1)
}

/// Returns when a node received errors, and what they said.
fn errors(outcome: &Outcome, by: NodeId) -> Vec<(u64, Obstacle)> {
    let errors = received(outcome, by).into_iter();
    errors.filter_map(|(at, packet)| Some((at.as_micros() / 1_000, packet.unreachable?.why))).collect()
}

fn first_failure(outcome: &Outcome) -> Option<(Time, AttemptFailure)> {
    device_events(outcome).find_map(|(at, _, event)| match event {
        DeviceEvent::AttemptFailed(failure) => Some((at, failure)),
        _ => None,
    })
}

/// The router stands in the middle of the link: on the access link the answer is back after its 20 ms; on the core link, after
/// 20 ms to the NAT, 30 ms there and back, and 20 ms to the device.
#[test]
fn an_attempt_fails_as_soon_as_a_router_has_said_that_it_cannot_succeed() {
    let failed =
        |link, answers| first_failure(&under(answering(link, Time::ZERO, None, answers), HeartbeatSpec::None, None));
    for answers in &Answer::ALL[1..] {
        let unreachable = |ms| Some((Time::from_millis(ms), AttemptFailure::Unreachable));
        assert_eq!(failed(LinkName::Access, *answers), unreachable(20), "{answers:?}");
        assert_eq!(failed(LinkName::Core, *answers), unreachable(70), "{answers:?}");
    }
    let silent = failed(LinkName::Access, Answer::Nothing).map(|(_, failure)| failure);
    assert_eq!(silent, Some(AttemptFailure::Timeout));
}

/// Beat, tail-loss probe and timeouts at 30.2, 30.5, 30.8, 31.4, 32.6, 35.0 s; the router answers the first two, before any
/// doubling, then has spent its purse until 35.0 s. From there each doubling is undone: 37.4, 39.8, 42.2 s in place of 39.8,
/// 49.4 s.
#[test]
fn a_session_notices_a_healed_path_sooner_where_routers_have_spoken() {
    let beat = fixed(secs(30), secs(90), 1);
    let answered = |answers| {
        let outcome = under(answering(LinkName::Access, CUT, Some(10_000), answers), beat.clone(), None);
        assert_eq!(outcome.episodes.len(), 1, "{answers:?}");
        let at = device_events(&outcome).find_map(|(at, _, event)| match event {
            DeviceEvent::HeartbeatAnswered { .. } => Some(at.as_micros() / 1_000),
            _ => None,
        });
        (at, errors(&outcome, DEVICES))
    };
    let told = |times: &[u64], why| times.iter().map(|at| (*at, why)).collect::<Vec<_>>();
    let times = [30_220, 30_520, 35_020, 37_420, 39_820];
    assert_eq!(answered(Answer::HostUnreachable), (Some(42_300), told(&times, Obstacle::HostUnreachable)));
    assert_eq!(answered(Answer::NetUnreachable), (Some(42_300), told(&times, Obstacle::NetUnreachable)));
    let prohibited = told(&[30_220, 30_520, 35_020, 39_820], Obstacle::Prohibited);
    assert_eq!(answered(Answer::Prohibited), (Some(49_500), prohibited));
    assert_eq!(answered(Answer::Nothing), (Some(49_500), vec![]));
}

/// `tcp_retries2` 5 gives up at the first timeout at least 12.6 s after the beat.
#[test]
fn what_tcp_says_of_its_end_is_what_routers_have_said() {
    let beat = fixed(secs(30), secs(90), 1);
    let lost = |answers| {
        let outcome = under(answering(LinkName::Access, CUT, None, answers), beat.clone(), Some(5));
        let (begin, cause, detection) = only_episode(&outcome);
        assert_eq!((begin, cause), (CUT, Cause::Cut));
        detection.map(|detection| (detection.at.as_micros() / 1_000, detection.by))
    };
    let by = |at, reason| Some((at, DetectedBy::Transport(reason)));
    assert_eq!(lost(Answer::HostUnreachable), by(44_600, LossReason::Unreachable));
    assert_eq!(lost(Answer::Prohibited), by(49_400, LossReason::Unreachable));
    assert_eq!(lost(Answer::Nothing), by(49_400, LossReason::RetransmissionTimeout));
}

/// On the core link the NAT sends the beat, and so hears of it first; it puts the device's address in.
#[test]
fn a_nat_hands_an_error_to_whose_packet_it_is_about() {
    let beat = fixed(secs(30), secs(90), 1);
    let outcome = under(answering(LinkName::Core, CUT, None, Answer::Prohibited), beat, None);
    let find = |by| {
        let mut packets = received(&outcome, by).into_iter();
        packets.find(|(_, packet)| packet.unreachable.is_some()).expect("an error")
    };
    let (at_nat, at_device) = (find(NodeId(1)), find(DEVICES));
    assert_eq!((at_nat.0, at_device.0), (BEAT + millis(20 + 30), BEAT + millis(20 + 30 + 20)));
    let beat = received(&outcome, NodeId(1)).into_iter().find(|(at, _)| *at == BEAT + millis(20)).expect("the beat").1;
    let error = at_device.1;
    let quoted = Packet { src: error.dst, dst: error.src, unreachable: None, ..error.clone() };
    assert_eq!(quoted, *beat, "what was translated is translated back");
    assert_eq!(at_nat.1.dst.ip().to_string(), "198.51.100.1");

    // To the byte: from a router, type 3, code 13, and behind it all of the beat.
    let mut bytes = Vec::new();
    error.encode(&mut bytes);
    assert_eq!((error.protocol(), bytes.len(), bytes[9]), (Protocol::Icmp, 20 + 8 + 57, 1));
    assert_eq!((&bytes[12..16], &bytes[16..20]), (&[192, 0, 2, 129][..], &[10, 0, 0, 1][..]));
    assert_eq!(bytes[20..22], [3, 13]);
    let mut inside = Vec::new();
    beat.encode(&mut inside);
    assert_eq!(bytes[28..], inside);
}

/// What the server sends into a cut of the core link comes back to it, and to no one else.
#[test]
fn a_server_hears_of_what_it_sends_in_vain() {
    let mut world = one_session(HeartbeatSpec::None);
    world.duration = secs(100);
    let cut = Cut {
        devices: None,
        link: LinkName::Core,
        direction: Direction::Down,
        when: at(Time::from_millis(30)),
        lasts: None,
        answers: Answer::NetUnreachable,
        carrier: Carrier::Kept,
    };
    world.faults = vec![FaultConfig::Cut(cut)];
    let outcome = go_traced(&world, 1);
    let server = NodeId(2);
    // The SYN arrives at 50 ms; the answer to it is under way for 30 ms.
    assert_eq!(errors(&outcome, server).first(), Some(&(80, Obstacle::NetUnreachable)));
    assert_eq!(errors(&outcome, DEVICES), []);
}

/// A cut that the device's kernel sees.
fn unplugged(begin: Time, lasts: Option<u64>) -> FaultConfig {
    let FaultConfig::Cut(cut) = answering(LinkName::Access, begin, lasts, Answer::Nothing) else {
        unreachable!("a cut")
    };
    FaultConfig::Cut(Cut { carrier: Carrier::Lost, ..cut })
}

/// The beat of 30.2 s waits for an answer to a question that is asked every second, from then on: the first after 40.1 s is that of
/// 40.2 s. What TCP would send again meanwhile is the segment that waits, so that one leaves.
#[test]
fn what_a_device_without_a_carrier_has_to_send_leaves_within_a_second_after_it_is_back() {
    let outcome = under(unplugged(CUT, Some(10_000)), fixed(secs(30), secs(90), 1), None);
    let back = Time::from_millis(40_200);
    let answered = device_events(&outcome).find_map(|(at, _, event)| match event {
        DeviceEvent::HeartbeatAnswered { .. } => Some(at),
        _ => None,
    });
    assert_eq!(answered, Some(back + RTT));
    let left = sent(&outcome, DEVICES).into_iter().filter(|(at, packet)| *at > CUT && !packet.payload.is_empty());
    assert_eq!(left.map(|(at, _)| at).take_while(|at| *at < back + secs(5)).collect::<Vec<_>>(), [back]);
    // Three questions at a time, and then it is told and tries again at once.
    let lost: Vec<_> = [33_200, 36_200, 39_200].map(|at| (Time::from_millis(at), DropReason::NoNeighbour)).into();
    assert_eq!(dropped(&outcome, DEVICES), lost);
}

#[test]
fn without_a_carrier_an_attempt_fails_after_three_seconds() {
    let outcome = under(unplugged(Time::ZERO, None), HeartbeatSpec::None, None);
    assert_eq!(first_failure(&outcome), Some((Time::from_secs(3), AttemptFailure::Unreachable)));
}

/// TCP looks at its bound of 12.6 s whenever it is told: 15 s after the beat.
#[test]
fn without_a_carrier_tcp_gives_up_with_what_its_own_host_has_said() {
    let outcome = under(unplugged(CUT, None), fixed(secs(30), secs(90), 1), Some(5));
    let (begin, cause, detection) = only_episode(&outcome);
    assert_eq!((begin, cause), (CUT, Cause::Cut));
    let by = DetectedBy::Transport(LossReason::Unreachable);
    assert_eq!(detection.map(|it| (it.at, it.by)), Some((Time::from_millis(45_200), by)));
}

#[test]
fn a_device_sees_the_whole_of_its_own_link_and_nothing_behind_it() {
    let FaultConfig::Cut(cut) = unplugged(CUT, None) else { unreachable!("a cut") };
    let problems = |cut: Cut| {
        let world = WorldConfig { faults: vec![FaultConfig::Cut(cut)], ..one_session(HeartbeatSpec::None) };
        world.problems().into_iter().map(|problem| (problem.path, problem.message)).collect::<Vec<_>>()
    };
    let at = |message: &str| vec![("faults[0].cut.carrier".to_owned(), message.to_owned())];
    assert_eq!(problems(cut.clone()), []);
    assert_eq!(problems(Cut { link: LinkName::Core, ..cut.clone() }), at("a device sees its own link alone"));
    assert_eq!(
        problems(Cut { direction: Direction::Up, ..cut.clone() }),
        at("a link without a carrier carries nothing either way")
    );
    assert_eq!(
        problems(Cut { answers: Answer::Prohibited, ..cut }),
        at("what has not left the device meets no router")
    );
}

/// A server whose host is gone for good, of which the last router tells.
fn vanished(begin: Time, answers: Answer) -> FaultConfig {
    FaultConfig::ServerVanish(ServerVanish { answers, ..server_fault(begin, None).into() })
}

/// The SYN comes to the router at 50 ms, which asks until 3.05 s; what it says is under way for 50 ms. So are the SYNs that have
/// waited meanwhile, which nobody asked for.
#[test]
fn an_attempt_fails_when_the_last_router_has_asked_for_a_vanished_host_in_vain() {
    let outcome = under(vanished(Time::ZERO, Answer::HostUnreachable), HeartbeatSpec::None, None);
    assert_eq!(first_failure(&outcome), Some((Time::from_millis(3_100), AttemptFailure::Unreachable)));
    let lost: Vec<_> = dropped(&outcome, NodeId(2)).into_iter().take(3).collect();
    assert_eq!(lost, [(Time::from_millis(3_050), DropReason::NoNeighbour); 3]);
    let silent = under(vanished(Time::ZERO, Answer::Nothing), HeartbeatSpec::None, None);
    assert_eq!(first_failure(&silent).map(|(_, failure)| failure), Some(AttemptFailure::Timeout));
}

/// The answer of 0.05 s holds until 30.05 s, and nothing is sent then. So the beat of 30.2 s lets the router doubt until 35.25 s,
/// and ask until 38.25 s: what comes before is lost. The transmission of 39.8 s waits until 42.85 s; its sender is told at 42.9 s,
/// undoes a doubling, and gives up at 44.6 s in place of 49.4 s.
#[test]
fn a_session_hears_of_a_vanished_host_once_the_last_router_knows() {
    let beat = fixed(secs(30), secs(90), 1);
    let lost = |answers| {
        let outcome = under(vanished(CUT, answers), beat.clone(), Some(5));
        let (begin, cause, detection) = only_episode(&outcome);
        assert_eq!((begin, cause), (CUT, Cause::ServerVanish));
        (detection.map(|detection| (detection.at.as_micros() / 1_000, detection.by)), errors(&outcome, DEVICES))
    };
    let by = |at, reason| Some((at, DetectedBy::Transport(reason)));
    let told = vec![(42_900, Obstacle::HostUnreachable)];
    assert_eq!(lost(Answer::HostUnreachable), (by(44_600, LossReason::Unreachable), told));
    assert_eq!(lost(Answer::Nothing), (by(49_400, LossReason::RetransmissionTimeout), vec![]));
}

#[test]
fn a_last_router_tells_of_the_host_alone_and_only_where_it_is_gone_for_all() {
    let problems = |devices, answers| {
        let vanish = ServerVanish { devices, answers, ..server_fault(CUT, None).into() };
        let world = WorldConfig { faults: vec![FaultConfig::ServerVanish(vanish)], ..one_session(HeartbeatSpec::None) };
        world.problems().into_iter().map(|problem| (problem.path, problem.message)).collect::<Vec<_>>()
    };
    let at = |message: &str| vec![("faults[0].server-vanish.answers".to_owned(), message.to_owned())];
    let one = || Some(Whom::Only(vec![0]));
    assert_eq!((problems(None, Answer::HostUnreachable), problems(one(), Answer::Nothing)), (vec![], vec![]));
    assert_eq!(problems(one(), Answer::HostUnreachable), at("a host that is there for some answers its router"));
    for answers in [Answer::NetUnreachable, Answer::Prohibited] {
        assert_eq!(problems(None, answers), at("the last router has a route: what it misses is the host"));
    }
}
