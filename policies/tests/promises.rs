//! Tries to break the policies' promises and their side of the host's contract, with a host that knows no packets: a
//! path is a function from the time a heartbeat is sent to the time its reply arrives. The simulator puts the same
//! promises to a harder test.

use std::{collections::VecDeque, time::Duration};

use cardiogram_policies::{
    Action, AttemptFailure, Bounds, Event, Heartbeat, HeartbeatSpec, LossReason, Network, PolicyRng, ReconnectEvent,
    ReconnectSpec, ServerChoice, Time, Verdict,
    heartbeat::{Anchor, FirstBeat, Fixed, Idle, LateReply, Oracle, TcpKeepalive},
    reconnect::{DelayFrom, Ended, Exponential, FixedDelay, Jitter, Reset},
    unit::{Fraction, Span},
};
use proptest::prelude::*;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

const CONNECTED: Event = Event::Connected { network: Network::cellular(0), server: 0 };

fn rng(seed: u64) -> PolicyRng {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

fn bounds(rtt_max: Duration) -> Bounds {
    Bounds {
        rtt_max,
        loss_free: true,
        nat_timeout: None,
        handshake_max: Duration::from_secs(1),
        servers: 1,
        silent_app: true,
        steady_host: true,
    }
}

fn any_fixed() -> impl Strategy<Value = HeartbeatSpec> {
    let first_beat = prop_oneof![Just(FirstBeat::Now), Just(FirstBeat::Interval), Just(FirstBeat::RandomPhase)];
    let late_reply = prop_oneof![Just(LateReply::Counts), Just(LateReply::Ignored)];
    (1_u64..600_000, 0.0..=1.0, 1_u32..5, first_beat, late_reply).prop_map(
        |(interval_ms, share, misses, first_beat, late_reply)| {
            let timeout = Span::millis(((interval_ms as f64 * share) as u64).max(1));
            HeartbeatSpec::Fixed(Fixed { interval: Span::millis(interval_ms), timeout, misses, first_beat, late_reply })
        },
    )
}

fn any_idle() -> impl Strategy<Value = HeartbeatSpec> {
    let anchor = prop_oneof![Just(Anchor::Tx), Just(Anchor::Rx), Just(Anchor::Either)];
    (1_u64..600_000, prop::option::weighted(0.9, 0.0..=1.0), 1_u32..5, anchor).prop_map(
        |(threshold_ms, share, misses, anchor)| {
            let timeout = share.map(|share: f64| Span::millis(((threshold_ms as f64 * share) as u64).max(1)));
            HeartbeatSpec::Idle(Idle { threshold: Span::millis(threshold_ms), anchor, timeout, misses })
        },
    )
}

fn any_heartbeat() -> impl Strategy<Value = HeartbeatSpec> {
    prop_oneof![
        1 => Just(HeartbeatSpec::None),
        1 => Just(HeartbeatSpec::TcpKeepalive(TcpKeepalive::default())),
        1 => Just(HeartbeatSpec::Oracle(Oracle::default())),
        4 => any_fixed(),
        4 => any_idle(),
    ]
}

/// What became of a connection.
struct Life {
    beats: Vec<Time>,
    given_up: Option<Time>,
}

/// One connection from time zero to `end`. Replies take up to `rtt_max` and keep their order; a heartbeat sent at or
/// after `cut` gets none.
fn live(policy: &mut dyn Heartbeat, rtt_max: Duration, cut: Option<Time>, end: Time, seed: u64) -> Life {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut replies: VecDeque<(Time, u32, Duration)> = VecDeque::new();
    let mut life = Life { beats: Vec::new(), given_up: None };
    let mut now = Time::ZERO;
    policy.on_event(now, &CONNECTED);
    loop {
        while let Some(action) = policy.poll(now) {
            match action {
                Action::SendHeartbeat { id } => {
                    assert_eq!(id as usize, life.beats.len(), "ids rise by one");
                    life.beats.push(now);
                    policy.on_event(now, &Event::BytesWritten);
                    if cut.is_none_or(|cut| now < cut) {
                        // Extremes are what breaks bounds: every other reply takes as long as it may.
                        let draw = chance.next_u64();
                        let range = rtt_max.as_micros() as u64 + 1;
                        let rtt = if draw % 2 == 0 { rtt_max } else { Duration::from_micros((draw >> 1) % range) };
                        let arrival = replies.back().map_or(now + rtt, |&(last, ..)| last.max(now + rtt));
                        replies.push_back((arrival, id, arrival.since(now)));
                    }
                }
                Action::GiveUp(_) => {
                    life.given_up = Some(now);
                    assert_eq!(policy.deadline(), None, "a connection that was given up needs no timer");
                    return life;
                }
                _ => {}
            }
        }
        let arrival = replies.front().map(|&(arrival, ..)| arrival);
        let Some(next) = arrival.into_iter().chain(policy.deadline()).min().filter(|next| *next <= end) else {
            return life;
        };
        assert!(next > now || arrival == Some(next), "a polled deadline is gone or in the future");
        now = next;
        // Packets come before timers.
        if arrival == Some(now) {
            let (_, id, rtt) = replies.pop_front().expect("there is a first reply");
            policy.on_event(now, &Event::HeartbeatReply { id, rtt });
        }
    }
}

proptest! {
    #[test]
    fn a_permanent_break_is_detected_within_the_promised_time(
        spec in prop_oneof![any_fixed(), any_idle()],
        rtt_ms in prop_oneof![0_u64..500, 0_u64..600_000],
        cut_at in 0.0..20.0,
        seed: u64,
    ) {
        prop_assert_eq!(spec.problems(), Vec::new());
        let bounds = bounds(Duration::from_millis(rtt_ms));
        let promises = spec.promises(&bounds);
        let Some(detects_within) = promises.detects_within else { return Ok(()) };
        // At any phase of the first twenty or so beats.
        let cut = Time::ZERO + Duration::from_micros((detects_within.as_micros() as f64 * cut_at) as u64);
        let mut policy = spec.build(&bounds, rng(seed));
        let end = cut + detects_within + Duration::from_secs(1);
        let life = live(&mut *policy, bounds.rtt_max, Some(cut), end, seed);
        let given_up = life.given_up;
        prop_assert!(given_up.is_some_and(|at| at <= cut + detects_within), "cut at {cut}, given up at {given_up:?}");
        prop_assert!(!promises.no_false_alarm || given_up >= Some(cut));
    }

    #[test]
    fn a_healthy_path_raises_no_alarm_and_costs_no_more_beats_than_promised(
        spec in any_heartbeat(),
        rtt_ms in prop_oneof![0_u64..500, 0_u64..600_000],
        beats in 1_u32..200,
        seed: u64,
    ) {
        let bounds = bounds(Duration::from_millis(rtt_ms));
        let promises = spec.promises(&bounds);
        let per_hour = promises.heartbeats_per_hour.expect("every built-in heartbeat limits its beats");
        let end = Time::ZERO + Duration::from_hours(1) / per_hour.max(1) * beats;
        let life = live(&mut *spec.build(&bounds, rng(seed)), bounds.rtt_max, None, end, seed);
        prop_assert!(!promises.no_false_alarm || life.given_up.is_none());
        // From each beat on: a window that holds the most begins with one.
        for (first, begin) in life.beats.iter().enumerate() {
            let within = life.beats.partition_point(|at| *at <= *begin + Duration::from_hours(1)) - first;
            prop_assert!(within <= per_hour as usize, "{within} heartbeats in the hour from {begin}");
        }
    }

    #[test]
    fn a_policy_that_gave_up_is_silent_until_the_next_connection(
        spec in any_heartbeat(),
        happenings in prop::collection::vec((0_u64..100_000, 0_u8..9), 1..200),
        seed: u64,
    ) {
        let mut policy = spec.build(&bounds(Duration::from_secs(1)), rng(seed));
        let (mut now, mut connected, mut next_id, mut suspected) = (Time::ZERO, false, 0, false);
        for (gap_ms, what) in happenings {
            let happens = now + Duration::from_millis(gap_ms);
            // The timers on the way, then the event itself; at equal times the event comes first.
            while let Some(due) = policy.deadline().filter(|due| *due < happens) {
                prop_assert!(due >= now && connected);
                now = due;
                perform(&mut *policy, now, &mut connected, &mut next_id, &mut suspected)?;
                prop_assert!(policy.deadline().is_none_or(|due| due > now));
            }
            now = happens;
            let event = match what {
                0 => CONNECTED,
                1 => Event::Lost(LossReason::Closed),
                2 => Event::BytesWritten,
                3 => Event::BytesReceived,
                4 => Event::PeerPing,
                5 => Event::NetworkChanged(None),
                back => Event::HeartbeatReply { id: u32::wrapping_sub(next_id, u32::from(back) - 5), rtt: Duration::ZERO },
            };
            match event {
                Event::Connected { .. } => (connected, next_id, suspected) = (true, 0, false),
                Event::Lost(_) => connected = false,
                _ => {}
            }
            policy.on_event(now, &event);
            perform(&mut *policy, now, &mut connected, &mut next_id, &mut suspected)?;
            prop_assert!(policy.deadline().is_none_or(|due| due > now && connected));
        }
    }
}

/// Carries out what the policy wants now and checks that it may want it.
fn perform(
    policy: &mut dyn Heartbeat,
    now: Time,
    connected: &mut bool,
    next_id: &mut u32,
    suspected: &mut bool,
) -> Result<(), TestCaseError> {
    while let Some(action) = policy.poll(now) {
        prop_assert!(*connected, "{action:?} without a connection");
        match action {
            Action::SendHeartbeat { id } => {
                prop_assert_eq!(id, *next_id);
                *next_id += 1;
                policy.on_event(now, &Event::BytesWritten);
            }
            Action::Suspect => prop_assert!(!std::mem::replace(suspected, true)),
            Action::Trust => prop_assert!(std::mem::replace(suspected, false)),
            Action::GiveUp(_) => {
                prop_assert!(*suspected, "what is given up was suspected");
                *connected = false;
            }
            _ => {}
        }
    }
    Ok(())
}

fn any_reconnect() -> impl Strategy<Value = ReconnectSpec> {
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
        (0.0..=1.0).prop_map(|share| Jitter::Proportional(Fraction::new(share).expect("a share"))),
    ];
    let delay_from = prop_oneof![Just(DelayFrom::Failure), Just(DelayFrom::AttemptStart)];
    let reset = prop_oneof![Just(Reset::Connected), (1_u64..60).prop_map(|secs| Reset::Uptime(Span::secs(secs)))];
    let exponential = (1_u64..10_000, 1_u64..100, 1.0..=10.0, jitter, delay_from, reset).prop_map(
        |(base_ms, times, factor, jitter, delay_from, reset)| {
            let (base, cap) = (Span::millis(base_ms), Span::millis(base_ms * times));
            ReconnectSpec::Exponential(Exponential {
                base,
                factor,
                cap,
                jitter,
                delay_from,
                reset,
                ..Exponential::default()
            })
        },
    );
    let fixed = (1_u64..60_000).prop_map(|ms| ReconnectSpec::FixedDelay(FixedDelay { delay: Span::millis(ms) }));
    prop_oneof![1 => Just(ReconnectSpec::Immediate), 2 => fixed, 6 => exponential]
}

proptest! {
    /// Servers refuse, time out, or accept and drop, as they like, until `usable`; from then on one of them is good.
    #[test]
    fn attempts_keep_their_distance_and_end_in_a_session(
        spec in any_reconnect(),
        servers in 1_u32..5,
        good in 0_u32..5,
        usable_s in 0_u64..600,
        seed: u64,
    ) {
        prop_assert_eq!(spec.problems(), Vec::new());
        let connect_timeout = Duration::from_secs(10);
        let bounds = Bounds { servers, ..bounds(Duration::from_millis(100)) };
        let promises = spec.promises(&bounds, connect_timeout);
        let reconnects_within = promises.reconnects_within.expect("promised where nothing is lost");
        let usable = Time::from_secs(usable_s);
        let good = good % servers;
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut policy = spec.build(rng(seed));
        let (mut now, mut server, mut last_attempt) = (Time::ZERO, 0, None::<Time>);
        loop {
            if let (Some(last), Some(limit)) = (last_attempt, promises.attempts) {
                prop_assert_eq!(limit.count, 1);
                prop_assert!(now >= last + limit.window, "attempts at {last} and {now}");
            }
            last_attempt = Some(now);
            policy.on_event(now, &ReconnectEvent::AttemptStarted { server });
            if server == good && now >= usable {
                now += bounds.handshake_max;
                break;
            }
            match chance.next_u64() % 4 {
                // Nothing but silence once there is nothing left to hope for: what costs most time.
                kind if now >= usable || kind < 2 => {
                    now += connect_timeout;
                    policy.on_event(now, &ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
                }
                2 => {
                    now += Duration::from_millis(50);
                    policy.on_event(now, &ReconnectEvent::AttemptFailed(AttemptFailure::Refused));
                }
                _ => {
                    now += Duration::from_millis(50);
                    policy.on_event(now, &ReconnectEvent::Connected);
                    now += Duration::from_millis(chance.next_u64() % 20_000).min(usable.since(now));
                    policy.on_event(now, &ReconnectEvent::Lost(Ended::Transport(LossReason::Reset)));
                }
            }
            let Verdict::TryAfter { wait, server: choice } = policy.next(now) else { panic!("no built-in policy stops") };
            now += wait;
            if choice == ServerChoice::Next {
                server = (server + 1) % servers;
            }
        }
        prop_assert!(now <= usable + reconnects_within, "usable at {usable}, connected at {now}");
    }
}
