//! A heartbeat on a real machine: timers fire a little late, each time, and what a policy does must not hang on that. The
//! simulator's timers are exact, and would not show it.

use std::{collections::VecDeque, time::Duration};

use cardiogram_policies::{Action, Event, Network, PolicyRng, StrategySpec, Time, preset};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const ROUND_TRIP: Duration = Duration::from_millis(50);
const DAY: Duration = Duration::from_secs(86_400);

/// Lets a connection live for a day on which every beat is answered; returns how many there were, and how often it was
/// given up. Timers fire `late`.
fn a_day(spec: &StrategySpec, late: Duration) -> (u32, u32) {
    let rng: PolicyRng = Box::new(ChaCha8Rng::seed_from_u64(1));
    let mut policy = spec.heartbeat.build(rng);
    let connected = Event::Connected { network: Network::cellular(0), server: 0 };
    let (mut now, mut replies) = (Time::ZERO, VecDeque::new());
    let (mut beats, mut given_up) = (0, 0);
    policy.on_event(now, &connected);
    loop {
        while let Some(action) = policy.poll(now) {
            match action {
                Action::SendHeartbeat { id } => {
                    beats += 1;
                    policy.on_event(now, &Event::BytesWritten);
                    replies.push_back((now + ROUND_TRIP, id));
                }
                Action::SendNotice => {
                    beats += 1;
                    policy.on_event(now, &Event::BytesWritten);
                }
                Action::GiveUp(_) => {
                    given_up += 1;
                    replies.clear();
                    policy.on_event(now, &connected);
                }
                Action::AskTransport => policy.on_event(now, &Event::TransportHeard { ago: ROUND_TRIP }),
                _ => {}
            }
        }
        let reply = replies.front().map(|(at, _)| *at);
        let timer = policy.deadline().map(|due| due.max(now) + late);
        let Some(next) = reply.into_iter().chain(timer).min().filter(|next| *next < Time::ZERO + DAY) else {
            return (beats, given_up);
        };
        now = next;
        if reply == Some(now) {
            let (_, id) = replies.pop_front().expect("looked");
            policy.on_event(now, &Event::HeartbeatReply { id, rtt: ROUND_TRIP });
        }
    }
}

#[test]
fn no_preset_beats_more_or_less_often_where_timers_are_a_little_late() {
    let mut compared = 0;
    for preset in preset::all() {
        let spec = preset.spec();
        // One that knows its NATs cannot be built outside of a laboratory.
        if preset.name == "known-nat-timeout" {
            continue;
        }
        let (beats, given_up) = a_day(&spec, Duration::ZERO);
        // Without the server's pings, or with nothing to do, some do not stay, and when they leave may be a matter of a moment.
        if beats == 0 || given_up > 0 {
            continue;
        }
        compared += 1;
        for late in [Duration::from_micros(1), Duration::from_millis(1), Duration::from_millis(5)] {
            let (late_beats, late_given_up) = a_day(&spec, late);
            assert!(
                beats.abs_diff(late_beats) <= 1 + beats / 50 && late_given_up == 0,
                "{}, {late:?} late: {late_beats} beats in place of {beats}, given up {late_given_up} times",
                preset.name
            );
        }
    }
    assert!(compared > 60, "{compared} presets stay on such a connection");
}
