//! No policy allocates while it runs: what it needs it takes when it is built, and when it meets a network or a session for
//! the first time. A product can run one on a thread that must not wait for an allocator.

use std::time::Duration;

use cardiogram_policies::{
    Action, AppState, AttemptFailure, Event, Heartbeat, LossReason, Network, PolicyRng, Reconnect, ReconnectAction,
    ReconnectEvent, ServerPolicy, SessionEvent, SessionId, StrategySpec, Time,
    preset::{self, Preset},
    reconnect::Ended,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const NETWORK: Network = Network::cellular(1);

fn rng() -> PolicyRng {
    Box::new(ChaCha8Rng::seed_from_u64(1))
}

/// Does what the policy says, but for storing its memory: a host does that when it likes.
fn drain(policy: &mut dyn Heartbeat, now: Time, answered: bool) -> bool {
    let mut connected = true;
    for _ in 0..20 {
        let Some(action) = policy.poll(now) else { break };
        match action {
            Action::SendHeartbeat { id } => {
                policy.on_event(now, &Event::BytesWritten);
                if answered {
                    policy.on_event(now, &Event::HeartbeatReply { id, rtt: Duration::from_millis(80) });
                }
            }
            Action::SendNotice => policy.on_event(now, &Event::BytesWritten),
            Action::AskTransport => policy.on_event(now, &Event::TransportHeard { ago: Duration::ZERO }),
            Action::OpenProbe => policy.on_event(now, &Event::ProbeConnected),
            Action::SendProbe { id } => {
                policy.on_event(now, &Event::ProbeReply { id, rtt: Duration::from_millis(80) });
            }
            Action::GiveUp(_) => connected = false,
            _ => {}
        }
    }
    connected
}

/// A connection that lives for a hundred timers or events, and ends in this way or the other.
fn live(policy: &mut dyn Heartbeat, now: &mut Time, round: u32) {
    policy.on_event(*now, &Event::Connected { network: NETWORK, server: 0 });
    for step in 0..100_u32 {
        let due = policy.deadline().unwrap_or(Time::MAX).min(*now + Duration::from_secs(40));
        *now = due.max(*now + Duration::from_micros(1));
        let event = match (step + round) % 9 {
            0 => Some(Event::BytesWritten),
            1 => Some(Event::BytesReceived),
            2 => Some(Event::Acknowledged),
            3 => Some(Event::PeerPing),
            4 => Some(Event::AppState(if step % 2 == 0 { AppState::Foreground } else { AppState::Background })),
            _ => None,
        };
        if let Some(event) = event {
            policy.on_event(*now, &event);
        }
        if !drain(policy, *now, step < 80 || round.is_multiple_of(2)) {
            return;
        }
    }
    policy.on_event(*now, &Event::Lost(LossReason::Reset));
    drain(policy, *now, true);
}

fn retry(policy: &mut dyn Reconnect, now: &mut Time) {
    for round in 0..50_u32 {
        policy.on_event(*now, &ReconnectEvent::AttemptStarted { server: round % 2 });
        if round % 5 == 4 {
            policy.on_event(*now, &ReconnectEvent::Established);
            policy.on_event(*now, &ReconnectEvent::Connected);
            *now += Duration::from_secs(20);
            policy.on_event(*now, &ReconnectEvent::Lost(Ended::Transport(LossReason::Closed)));
        } else {
            policy.on_event(*now, &ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
        }
        match policy.next(*now) {
            ReconnectAction::TryAfter { wait, .. } => *now += wait,
            ReconnectAction::CheckAfter { wait } => {
                *now += wait;
                policy.on_event(*now, &ReconnectEvent::NetworkChecked(true));
            }
            ReconnectAction::Stop => policy.on_event(*now, &ReconnectEvent::NetworkChanged(Some(NETWORK))),
        }
    }
}

fn serve(policy: &mut dyn ServerPolicy, now: &mut Time) {
    for step in 0..500_u32 {
        *now += Duration::from_millis(700);
        let session = SessionId(step % 50);
        let event = match step % 4 {
            0 => SessionEvent::HeartbeatReceived,
            1 => SessionEvent::FrameReceived,
            2 => SessionEvent::PongReceived,
            _ => SessionEvent::FrameSent,
        };
        policy.on_event(*now, session, &event);
        while policy.poll(*now).is_some() {}
    }
}

fn allocations(strategy: &StrategySpec, part: &str, run: impl FnOnce()) {
    let counted = allocation_counter::measure(run);
    assert_eq!(counted.count_total, 0, "{}'s {part} allocates {} bytes", strategy.name, counted.bytes_total);
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8]))).count_total, 1);
}

#[test]
fn no_heartbeat_allocates_once_it_has_met_its_network() {
    // A NAT's timeout is known only in a laboratory.
    for strategy in preset::all().iter().map(Preset::spec).filter(|spec| spec.name != "known-nat-timeout") {
        let mut policy = strategy.heartbeat.build(rng());
        let mut now = Time::ZERO;
        for round in 0..4 {
            live(&mut *policy, &mut now, round);
        }
        allocations(&strategy, "heartbeat", || {
            for round in 4..24 {
                live(&mut *policy, &mut now, round);
            }
        });
    }
}

#[test]
fn no_reconnect_policy_allocates_once_it_has_met_its_servers() {
    for strategy in preset::all().iter().map(Preset::spec) {
        let mut policy = strategy.build_reconnect(2, rng(), rng());
        let mut now = Time::ZERO;
        retry(&mut *policy, &mut now);
        allocations(&strategy, "reconnect policy", || retry(&mut *policy, &mut now));
    }
}

#[test]
fn no_server_policy_allocates_for_a_frame_once_it_knows_the_sessions() {
    for strategy in preset::all().iter().map(Preset::spec) {
        let mut policy = strategy.server.build();
        let mut now = Time::ZERO;
        for session in 0..50 {
            policy.on_event(now, SessionId(session), &SessionEvent::Opened { interval: Some(Duration::from_secs(60)) });
        }
        serve(&mut *policy, &mut now);
        allocations(&strategy, "server policy", || serve(&mut *policy, &mut now));
    }
}
