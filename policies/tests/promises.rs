//! Tries to break the policies' promises and their side of the host's contract, with a host that knows no packets: a path
//! is a function from the time a heartbeat is sent to the time its reply arrives. The simulator puts the same promises to
//! a harder test.

use std::{collections::VecDeque, time::Duration};

use cardiogram_policies::{
    Action, AppState, Bounds, Event, GiveUp, Heartbeat, HeartbeatSpec, LossReason, Network, PolicyRng, ServerPings,
    Time,
    heartbeat::{
        Adopt, Anchor, Androidpn, AnsweredBy, Bertier, CarsonAdaptive5, Cassandra, Checks, Chen, ChromiumGcm, Composed,
        DetectorSpec, Feed, FirstBeat, Fixed, Freshness, Grid, HalfrostSearch, Idle, Judges, LateReply, Leave, Look,
        Looks, MarsSmartHeartbeat, MicrogMcsAimd, Patience, Phi, Reply, Rto, ScheduleSpec, Search, SearchRule,
        SearchWhen, Silence, Stream, TcpKeepalive, TestOn, Threshold, TwoWindow, Unanswered, WechatSmart2013, Weibull,
        WhenDead,
    },
    unit::{Delay, Span},
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

/// Returns a path without losses, to a server that pings every `pings_s` seconds, if at all.
fn bounds(rtt_max: Duration, pings_s: Option<u64>) -> Bounds {
    let pings = pings_s.map(|secs| {
        let interval = Duration::from_secs(secs);
        ServerPings { interval, timeout: Some(interval) }
    });
    Bounds::healthy(rtt_max).with_server_pings(pings)
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

/// Returns the adaptive state machines with their sources' numbers, and with the variants that their sources leave open.
fn any_adaptive() -> impl Strategy<Value = HeartbeatSpec> {
    let mars = any::<bool>().prop_map(|alarm_never_fires| {
        HeartbeatSpec::MarsSmartHeartbeat(MarsSmartHeartbeat { alarm_never_fires, ..MarsSmartHeartbeat::default() })
    });
    let androidpn = prop::option::of(1_u64..600).prop_map(|background| {
        HeartbeatSpec::Androidpn(Androidpn { background: background.map(Span::secs), ..Androidpn::default() })
    });
    let microg = prop::option::of(90_u64..3_600).prop_map(|fixed| {
        HeartbeatSpec::MicrogMcsAimd(MicrogMcsAimd { fixed: fixed.map(Span::secs), ..MicrogMcsAimd::default() })
    });
    let carson = any::<bool>().prop_map(|reconnect_each_failure| {
        HeartbeatSpec::CarsonAdaptive5(CarsonAdaptive5 { reconnect_each_failure, ..CarsonAdaptive5::default() })
    });
    let thread783 = any::<bool>().prop_map(|grow_after_drop| {
        HeartbeatSpec::HalfrostSearch(HalfrostSearch { grow_after_drop, ..HalfrostSearch::default() })
    });
    prop_oneof![
        mars,
        Just(HeartbeatSpec::WechatSmart2013(WechatSmart2013::default())),
        androidpn,
        Just(HeartbeatSpec::ChromiumGcm(ChromiumGcm::default())),
        microg,
        carson,
        thread783,
    ]
}

/// Returns a judge of each kind or none, over a schedule of any kind: most of what can be composed.
fn any_composed() -> impl Strategy<Value = HeartbeatSpec> {
    let anchor = prop::sample::select(vec![
        Anchor::Tx,
        Anchor::Rx,
        Anchor::Either,
        Anchor::Each,
        Anchor::Reply,
        Anchor::Acknowledged,
        Anchor::TxOnceHeard,
    ]);
    let evidence = prop::sample::select(vec![AnsweredBy::Reply, AnsweredBy::Acknowledged, AnsweredBy::Any]);
    let feed = prop::sample::select(vec![Feed::Any, Feed::Pings, Feed::Replies]);
    let schedule = (1_000_u64..600_000, 0.1..1.0, 0_u8..7, anchor).prop_map(|(ms, share, kind, anchor)| {
        let (interval, shortest) = (Span::millis(ms), Span::millis((ms as f64 * share) as u64));
        match kind {
            0 => ScheduleSpec::PeerSends,
            1 => {
                let (shortest, first_beat) = (Some(shortest), FirstBeat::Interval);
                ScheduleSpec::Grid(Grid { interval, shortest, first_beat, unless_sent: false })
            }
            2 | 3 => {
                let (shortest, first_beat) = (None, FirstBeat::RandomPhase);
                ScheduleSpec::Grid(Grid { interval, shortest, first_beat, unless_sent: kind == 3 })
            }
            4 => ScheduleSpec::Checks(Checks { every: interval }),
            _ => ScheduleSpec::Idle(Threshold { threshold: interval, anchor }),
        }
    });
    let reply = (1_u64..100_000, 1_u32..4, evidence).prop_map(|(ms, misses, evidence)| Reply {
        timeout: Span::millis(ms).into(),
        misses,
        evidence,
        late_reply: LateReply::Counts,
    });
    let look =
        prop::option::of((100_u64..100_000, prop::option::of(0_u64..100_000)).prop_map(|(ms, more)| Look {
            every: Span::millis(ms),
            longest: more.map(|more| Span::millis(ms + more)),
        }));
    let silence = (1_u64..1_000_000, feed, any::<bool>(), look).prop_map(|(ms, fed_by, while_awaiting, look)| {
        Silence { limit: Span::millis(ms), fed_by, while_awaiting, look }
    });
    let looks = (100_u64..500_000, 1_u32..4).prop_map(|(ms, silent)| Looks { every: Span::millis(ms), silent });
    let unanswered = (1_u64..100_000).prop_map(|ms| Unanswered { limit: Span::millis(ms) });
    let judges = (prop::option::of(reply), prop::option::of(silence), prop::option::of(unanswered));
    let judges = (judges, prop::option::weighted(0.3, looks), prop::option::weighted(0.2, 1_u64..20_000));
    let rule = prop::sample::select(vec![
        SearchRule::Linear,
        SearchRule::Halving,
        SearchRule::Binary,
        SearchRule::Exponential,
        SearchRule::Composite,
    ]);
    let search = (1_u64..10, 0_u64..20, rule, any::<bool>()).prop_map(|(min, range, rule, probes)| Search {
        rule,
        min: Span::secs(60 * min),
        max: Span::secs(60 * (min + range)),
        step: None,
        granularity: None,
        failures: 1,
        margin: Delay::ZERO,
        on: if probes { TestOn::Probe } else { TestOn::Session },
        adopt: Adopt::AtOnce,
        confirm: false,
        when: SearchWhen::Always,
        short_beats: 0,
        relearn_after: Some(2),
        failures_add_up: false,
        relearn_every: None,
    });
    let ends = prop::sample::select(vec![WhenDead::GiveUp, WhenDead::GiveUp, WhenDead::Diagnose, WhenDead::Race]);
    (schedule, judges, prop::option::weighted(0.2, search), ends, 0_u8..8)
        .prop_map(|(schedule, ((reply, silence, unanswered), looks, close_ms), search, when_dead, leaves)| {
            let leave = (leaves == 0).then(|| Leave { age: Some(Span::secs(500)), ..Leave::default() });
            HeartbeatSpec::Composed(Box::new(Composed {
                judge: Judges { reply, silence, looks, unanswered, freshness: None },
                search,
                close_timeout: close_ms.map(Span::millis).filter(|_| when_dead == WhenDead::GiveUp),
                when_dead,
                leave,
                ..Composed::new(schedule)
            }))
        })
        .prop_filter("parts that contradict each other", |spec| spec.problems().is_empty())
}

fn any_detector() -> impl Strategy<Value = DetectorSpec> {
    let margin = (0_u64..2_000).prop_map(Delay::millis);
    prop_oneof![
        (margin.clone(), 1_u32..50).prop_map(|(margin, window)| DetectorSpec::Chen(Chen { margin, window })),
        (margin, 1_u32..5, 5_u32..50).prop_map(|(margin, short, long)| DetectorSpec::TwoWindow(TwoWindow {
            margin,
            short,
            long
        })),
        Just(DetectorSpec::Bertier(Bertier::default())),
        Just(DetectorSpec::Phi(Phi::default())),
        Just(DetectorSpec::Cassandra(Cassandra::default())),
        Just(DetectorSpec::Weibull(Weibull::default())),
    ]
}

/// Returns a beat on a grid, judged by what the connection has shown so far.
fn on_grid(interval_ms: u64, judge: Judges) -> HeartbeatSpec {
    let grid = Grid {
        interval: Span::millis(interval_ms),
        shortest: None,
        first_beat: FirstBeat::Interval,
        unless_sent: false,
    };
    HeartbeatSpec::Composed(Box::new(Composed { judge, ..Composed::new(ScheduleSpec::Grid(grid)) }))
}

fn any_freshness() -> impl Strategy<Value = HeartbeatSpec> {
    let pause = prop::option::of((1_u64..10_000).prop_map(Span::millis));
    (1_u64..600_000, any_detector(), 0_u64..60_000, pause).prop_map(|(interval_ms, detector, patience, local_pause)| {
        let give_up_after = Delay::millis(patience);
        let freshness = Freshness { detector, fed_by: Stream::Replies, give_up_after, local_pause };
        on_grid(interval_ms, Judges { freshness: Some(freshness), ..Judges::default() })
    })
}

fn any_estimated() -> impl Strategy<Value = HeartbeatSpec> {
    let late_reply = prop_oneof![Just(LateReply::Counts), Just(LateReply::Ignored)];
    (1_u64..600_000, 0.0..=1.0, 0.0..=1.0, 1_u32..5, late_reply).prop_map(
        |(interval_ms, cap, floor, misses, late_reply)| {
            let cap_ms = ((interval_ms as f64 * cap) as u64).max(1);
            let cap = Span::millis(cap_ms);
            let floor = Span::millis(((cap_ms as f64 * floor) as u64).max(1));
            let timeout = Patience::Estimated(Rto { first: floor, floor, cap, granularity: Delay::ZERO });
            let reply = Reply { timeout, misses, evidence: AnsweredBy::Reply, late_reply };
            on_grid(interval_ms, Judges { reply: Some(reply), ..Judges::default() })
        },
    )
}

fn any_heartbeat() -> impl Strategy<Value = HeartbeatSpec> {
    prop_oneof![
        1 => Just(HeartbeatSpec::None),
        1 => Just(HeartbeatSpec::TcpKeepalive(TcpKeepalive::default())),
        4 => any_fixed(),
        4 => any_idle(),
        8 => any_adaptive(),
        8 => any_composed(),
        4 => any_freshness(),
        2 => any_estimated(),
    ]
}

/// What became of a connection.
struct Life {
    beats: Vec<Time>,
    given_up: Option<Time>,
}

/// One connection from time zero to `end`. Replies take up to `rtt_max` and keep their order; a heartbeat sent at or after
/// `cut` gets none.
fn live(policy: &mut dyn Heartbeat, bounds: &Bounds, cut: Option<Time>, end: Time, seed: u64) -> Life {
    let rtt_max = bounds.rtt_max;
    let mut ping = bounds.server_pings.map(|pings| Time::ZERO + pings.interval);
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
                Action::AskTransport => policy.on_event(now, &Event::TransportHeard { ago: Duration::ZERO }),
                Action::OpenProbe => policy.on_event(now, &Event::ProbeConnected),
                // The probe's path is as good as the session's.
                Action::SendProbe { id } if cut.is_none_or(|cut| now < cut) => {
                    policy.on_event(now, &Event::ProbeReply { id, rtt: Duration::ZERO });
                }
                Action::GiveUp(GiveUp::Done) => return life,
                Action::GiveUp(_) => {
                    life.given_up = Some(now);
                    assert_eq!(policy.deadline(), None, "a connection that was given up needs no timer");
                    return life;
                }
                _ => {}
            }
        }
        let arrival = replies.front().map(|&(arrival, ..)| arrival);
        // A ping that was sent before the cut.
        ping = ping.filter(|ping| cut.is_none_or(|cut| *ping < cut));
        let next = arrival.into_iter().chain(policy.deadline()).chain(ping).min();
        let Some(next) = next.filter(|next| *next <= end) else { return life };
        assert!(next > now || arrival == Some(next), "a polled deadline is gone or in the future");
        now = next;
        if ping == Some(now) {
            policy.on_event(now, &Event::PeerPing);
            policy.on_event(now, &Event::BytesWritten);
            ping = bounds.server_pings.map(|pings| now + pings.interval);
        }
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
        spec in prop_oneof![
            any_fixed(),
            any_idle(),
            any_adaptive(),
            any_freshness(),
            any_estimated(),
            any_composed(),
            any_composed(),
        ],
        pings_s in prop::option::of(1_u64..300),
        rtt_ms in prop_oneof![0_u64..500, 0_u64..600_000],
        cut_at in 0.0..20.0,
        seed: u64,
    ) {
        prop_assert_eq!(spec.problems(), Vec::new());
        let bounds = bounds(Duration::from_millis(rtt_ms), pings_s);
        let promises = spec.promises(&bounds);
        let Some(detects_within) = promises.detects_within else { return Ok(()) };
        // At any phase of the first twenty or so beats.
        let cut = Time::ZERO + Duration::from_micros((detects_within.as_micros() as f64 * cut_at) as u64);
        let mut policy = spec.build(rng(seed));
        let end = cut + detects_within + Duration::from_secs(1);
        let life = live(&mut *policy, &bounds, Some(cut), end, seed);
        let given_up = life.given_up;
        prop_assert!(given_up.is_some_and(|at| at <= cut + detects_within), "cut at {cut}, given up at {given_up:?}");
        prop_assert!(!promises.no_false_alarm || given_up >= Some(cut));
    }

    #[test]
    fn a_healthy_path_raises_no_alarm_and_costs_no_more_beats_than_promised(
        spec in any_heartbeat(),
        rtt_ms in prop_oneof![0_u64..500, 0_u64..600_000],
        pings_s in prop::option::of(1_u64..300),
        beats in 1_u32..200,
        seed: u64,
    ) {
        let bounds = bounds(Duration::from_millis(rtt_ms), pings_s);
        let promises = spec.promises(&bounds);
        let per_hour = promises.heartbeats_per_hour;
        let end = Time::ZERO + Duration::from_hours(1) / per_hour.unwrap_or(10).max(1) * beats;
        let life = live(&mut *spec.build(rng(seed)), &bounds, None, end, seed);
        prop_assert!(!promises.no_false_alarm || life.given_up.is_none());
        let Some(per_hour) = per_hour else { return Ok(()) };
        // From each beat on: a window that holds the most begins with one.
        for (first, begin) in life.beats.iter().enumerate() {
            let within = life.beats.partition_point(|at| *at <= *begin + Duration::from_hours(1)) - first;
            prop_assert!(within <= per_hour as usize, "{within} heartbeats in the hour from {begin}");
        }
    }

    #[test]
    fn a_policy_that_gave_up_is_silent_until_the_next_connection(
        spec in any_heartbeat(),
        happenings in prop::collection::vec((0_u64..100_000, 0_u8..13), 1..200),
        seed: u64,
    ) {
        let mut policy = spec.build(rng(seed));
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
                6 => Event::AppState(AppState::Foreground),
                7 => Event::AppState(AppState::Background),
                8 => Event::AppState(AppState::Doze),
                9 => Event::DirectedInterval(Duration::from_secs(gap_ms / 100)),
                back => Event::HeartbeatReply { id: u32::wrapping_sub(next_id, u32::from(back) - 9), rtt: Duration::ZERO },
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

proptest! {
    #[test]
    fn what_a_policy_remembers_it_knows_after_a_restart_and_other_texts_count_as_none(
        spec in any_adaptive(),
        hours in 1_u64..200,
        text in ".{0,40}",
        seed: u64,
    ) {
        let bounds = bounds(Duration::from_secs(1), None);
        let build = || spec.build(rng(seed));
        let mut policy = build();
        live(&mut *policy, &bounds, None, Time::ZERO + Duration::from_hours(hours), seed);
        let memory = policy.memory();

        let mut again = build();
        if let Some(memory) = &memory {
            again.recall(memory);
        }
        prop_assert_eq!(&again.memory(), &memory);

        for text in [text.as_str(), r#"{"policy":"?","networks":{"0":{"interval":"1s"}}}"#, "{}", "[]", "null"] {
            let mut fresh = build();
            fresh.recall(text);
            prop_assert_eq!(fresh.memory(), build().memory());
        }
    }

    /// The numbers of a record may be anything, and a policy of today lives with them.
    #[test]
    fn a_strange_record_breaks_no_contract(
        spec in any_adaptive(),
        interval in prop_oneof![Just("1us".to_owned()), Just("3650d".to_owned()), (1_u64..100_000).prop_map(|s| format!("{s}s"))],
        count in prop_oneof![Just(u32::MAX), 0_u32..10],
        flag: bool,
        seed: u64,
    ) {
        let record = format!(
            r#"{{"interval":"{interval}","interval_ms":{count},"best":"{interval}","stable":{flag},"done":{flag},"dropped":{flag},
            "failed":{flag},"failures":{count},"successes":{count},"deaths":{count},"searched_on":{count},"modified":{count}}}"#
        );
        let bounds = bounds(Duration::from_secs(1), None);
        let end = Time::ZERO + Duration::from_hours(24 * 30);
        for policy_name in ["mars-smart-heartbeat", "wechat-smart-2013", "androidpn", "microg-mcs-aimd", "carson-adaptive-5", "thread783"] {
            let mut policy = spec.build(rng(seed));
            policy.recall(&format!(
                r#"{{"policy":"{policy_name}","networks":{{"{}":{record}}}}}"#,
                if policy_name == "microg-mcs-aimd" { "cellular" } else { "0" },
            ));
            let promises = spec.promises(&bounds);
            let healthy = live(&mut *policy, &bounds, None, end, seed);
            prop_assert!(!promises.no_false_alarm || healthy.given_up.is_none());
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
        prop_assert!(*connected || action == Action::Remember, "{action:?} without a connection");
        match action {
            Action::SendHeartbeat { id } => {
                prop_assert_eq!(id, *next_id);
                *next_id += 1;
                policy.on_event(now, &Event::BytesWritten);
            }
            Action::AskTransport => policy.on_event(now, &Event::TransportHeard { ago: Duration::ZERO }),
            Action::Suspect => prop_assert!(!std::mem::replace(suspected, true)),
            Action::Trust => prop_assert!(std::mem::replace(suspected, false)),
            Action::GiveUp(GiveUp::Done) => *connected = false,
            Action::GiveUp(_) => {
                prop_assert!(*suspected, "what is given up was suspected");
                *connected = false;
            }
            _ => {}
        }
    }
    Ok(())
}
