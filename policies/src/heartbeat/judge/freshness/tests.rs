//! The judge around the detectors: numbers, suspicions, pauses; and what holds for every detector.

use proptest::prelude::*;

use super::*;
use crate::{
    Action, Bounds, Heartbeat, HeartbeatSpec,
    heartbeat::{Anchor, Composed, FirstBeat, Grid, Judges, Occasion, Pace, ScheduleSpec, Threshold, WhenDead},
    testing::{CONNECTED, beat, bounds, drain, play, rng},
};

const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);

fn chen() -> Freshness {
    let detector = DetectorSpec::Chen(Chen { margin: Delay::millis(2_000), window: 2 });
    Freshness { detector, fed_by: Stream::Replies, give_up_after: Delay::ZERO, local_pause: None }
}

/// Returns a beat every 10 s.
fn composed(judge: Freshness) -> Composed {
    let grid = Grid { interval: Span::secs(10), shortest: None, first_beat: FirstBeat::Interval, unless_sent: false };
    Composed {
        judge: Judges { freshness: Some(judge), ..Judges::default() },
        ..Composed::new(ScheduleSpec::Grid(grid))
    }
}

fn policy(composed: Composed) -> Box<dyn Heartbeat> {
    let spec = HeartbeatSpec::Composed(Box::new(composed));
    assert_eq!(spec.problems(), Vec::new());
    spec.build(rng(0))
}

/// Returns the reply to beat `id`, after `millis`.
fn reply(id: u32, millis: u64) -> Event {
    Event::HeartbeatReply { id, rtt: Duration::from_millis(millis) }
}

#[test]
fn a_freshness_point_without_an_arrival_is_the_end() {
    play(
        &mut *policy(composed(chen())),
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, None, &[beat(0)]),
            (11_000, Some(reply(0, 1_000)), &[]),
            (20_000, None, &[beat(1)]),
            // Offsets 0 and 1: 20.5 + 2.
            (22_500, None, &[Action::Suspect, NO_REPLY]),
            // A fresh connection: 112, and not 22 of the old one.
            (100_000, Some(CONNECTED), &[]),
            (110_000, None, &[beat(0)]),
            (112_000, None, &[Action::Suspect, NO_REPLY]),
        ],
    );
}

#[test]
fn a_reply_at_the_freshness_point_is_in_time() {
    let mut policy = policy(composed(chen()));
    play(&mut *policy, &[(0, Some(CONNECTED), &[]), (10_000, None, &[beat(0)]), (12_000, Some(reply(0, 2_000)), &[])]);
}

#[test]
fn a_suspicion_ends_with_something_fresh_and_only_then() {
    play(
        &mut *policy(composed(Freshness { give_up_after: Delay::millis(60_000), ..chen() })),
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, None, &[beat(0)]),
            (12_000, None, &[Action::Suspect]),
            (20_000, None, &[beat(1)]),
            (30_000, None, &[beat(2)]),
            // Offsets 0 and 21: the next was expected at 30.5, and is fresh until 32.5.
            (31_000, Some(reply(0, 21_000)), &[Action::Trust]),
            (32_500, None, &[Action::Suspect]),
            (40_000, None, &[beat(3)]),
            // Offsets 21 and 20.5: 50.75 + 2 is fresh again.
            (40_500, Some(reply(1, 20_500)), &[Action::Trust]),
            (50_000, None, &[beat(4)]),
            (52_750, None, &[Action::Suspect]),
            (60_000, None, &[beat(5)]),
            (70_000, None, &[beat(6)]),
            // Beat 1 again proves nothing.
            (71_000, Some(reply(1, 51_000)), &[]),
            (80_000, None, &[beat(7)]),
            // Beat 2 comes 50.5 late: offsets 20.5 and 50.5, so that the next was fresh until 40 + 35.5 + 2 = 77.5.
            (80_500, Some(reply(2, 50_500)), &[]),
        ],
    );
}

#[test]
fn what_it_counts_from_is_when_a_suspicion_began() {
    play(
        &mut *policy(composed(Freshness { give_up_after: Delay::millis(5_000), ..chen() })),
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, None, &[beat(0)]),
            (12_000, None, &[Action::Suspect]),
            (17_000, None, &[NO_REPLY]),
        ],
    );
}

#[test]
fn replies_are_numbered_by_the_grid_even_where_a_host_overslept() {
    let mut policy = policy(composed(Freshness { give_up_after: Delay::millis(600_000), ..chen() }));
    policy.on_event(Time::ZERO, &CONNECTED);
    // Beats 1 to 3 of the grid are slept through.
    assert_eq!(drain(&mut *policy, Time::from_secs(41)), [Action::Suspect, beat(0)]);
    policy.on_event(Time::from_secs(42), &reply(0, 1_000));
    assert_eq!(drain(&mut *policy, Time::from_secs(42)), [Action::Trust]);
    // Offsets 0 and 2 of point 4: 50 + 1 + 2.
    assert_eq!(drain(&mut *policy, Time::from_secs(50)), [beat(1)]);
    assert_eq!(policy.deadline(), Some(Time::from_secs(53)));
}

#[test]
fn a_host_that_was_not_run_itself_waits_as_long_again() {
    let mut policy = policy(composed(Freshness { local_pause: Some(Span::secs(5)), ..chen() }));
    policy.on_event(Time::ZERO, &CONNECTED);
    // The freshness point was 12.
    assert_eq!(drain(&mut *policy, Time::from_millis(17_001)), [beat(0)]);
    assert_eq!(policy.deadline(), Some(Time::from_secs(20)));
    assert_eq!(drain(&mut *policy, Time::from_secs(20)), [beat(1)]);
    assert_eq!(drain(&mut *policy, Time::from_millis(22_001)), [Action::Suspect, NO_REPLY]);
}

#[test]
fn a_host_that_was_a_little_late_does_not_wait() {
    let mut policy = policy(composed(Freshness { local_pause: Some(Span::secs(5)), ..chen() }));
    policy.on_event(Time::ZERO, &CONNECTED);
    assert_eq!(drain(&mut *policy, Time::from_secs(17)), [Action::Suspect, NO_REPLY]);
}

#[test]
fn a_race_ends_after_one_more_patience() {
    play(
        &mut *policy(Composed { when_dead: WhenDead::Race, ..composed(chen()) }),
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, None, &[beat(0)]),
            // 12 s after the last arrival.
            (12_000, None, &[Action::Suspect, Action::Race]),
            (20_000, None, &[beat(1)]),
            (24_000, None, &[NO_REPLY]),
        ],
    );
}

#[test]
fn the_peers_pings_are_numbered_as_they_come() {
    let judge = Freshness { fed_by: Stream::Pings(Span::secs(25)), ..chen() };
    let composed = Composed {
        judge: Judges { freshness: Some(judge), ..Judges::default() },
        ..Composed::new(ScheduleSpec::PeerSends)
    };
    play(
        &mut *policy(composed),
        &[
            (0, Some(CONNECTED), &[]),
            (26_000, Some(Event::PeerPing), &[]),
            // Offsets 1 and 0.5: 75.75 + 2. Data and replies are no pings.
            (50_500, Some(Event::PeerPing), &[]),
            (70_000, Some(Event::BytesReceived), &[]),
            (77_750, None, &[Action::Suspect, Action::GiveUp(GiveUp::Silence)]),
        ],
    );
}

#[test]
fn only_a_margin_that_covers_the_round_trip_promises_that_nobody_is_alarmed() {
    let promises = |bounds: &Bounds, detector| composed(Freshness { detector, ..chen() }).promises(bounds);
    let chen = |millis| DetectorSpec::Chen(Chen { margin: Delay::millis(millis), window: 32 });
    assert!(promises(&bounds(), chen(1_000)).no_false_alarm);
    assert!(!promises(&bounds(), chen(999)).no_false_alarm);
    assert!(!promises(&Bounds { loss_free: false, ..bounds() }, chen(1_000)).no_false_alarm);
    assert!(!promises(&Bounds { steady_host: false, ..bounds() }, chen(1_000)).no_false_alarm);
    assert!(!promises(&bounds(), DetectorSpec::Phi(Phi::default())).no_false_alarm);
    assert_eq!(promises(&bounds(), chen(1_000)).detects_within, None);
}

fn problems(composed: Composed) -> Vec<String> {
    HeartbeatSpec::Composed(Box::new(composed)).problems().into_iter().map(|problem| problem.path).collect()
}

#[test]
fn numbers_out_of_range_are_named() {
    let of = |detector| problems(composed(Freshness { detector, ..chen() }));
    let path = |key: &str| vec![format!("heartbeat.composed.judge.freshness.detector.{key}")];
    assert_eq!(of(DetectorSpec::Chen(Chen { margin: Delay::ZERO, window: 0 })), path("chen.window"));
    assert_eq!(of(DetectorSpec::Phi(Phi { threshold: f64::NAN, ..Phi::default() })), path("phi.threshold"));
    assert_eq!(of(DetectorSpec::Phi(Phi { window: 10_001, ..Phi::default() })), path("phi.window"));
    assert_eq!(of(DetectorSpec::Bertier(Bertier { phi: 0.0, ..Bertier::default() })), path("bertier.phi"));
    assert_eq!(of(DetectorSpec::Weibull(Weibull { shape: 0.0, ..Weibull::default() })), path("weibull.shape"));
    let cassandra = Cassandra { threshold: 0.5, ..Cassandra::default() };
    assert_eq!(of(DetectorSpec::Cassandra(cassandra)), path("cassandra.threshold"));
    let two = TwoWindow { margin: Delay::ZERO, short: 32, long: 32 };
    assert_eq!(of(DetectorSpec::TwoWindow(two)), path("two-window.short"));
}

#[test]
fn beats_that_have_no_constant_interval_are_rejected_by_the_key_that_makes_them_so() {
    let path = |key: &str| vec![format!("heartbeat.composed.{key}")];
    let grid = |shortest, first_beat| {
        ScheduleSpec::Grid(Grid { interval: Span::secs(10), shortest, first_beat, unless_sent: false })
    };
    let of = |change: &dyn Fn(&mut Composed)| {
        let mut spec = composed(chen());
        change(&mut spec);
        problems(spec)
    };
    let idle = Threshold { threshold: Span::secs(10), anchor: Anchor::Reply };
    assert_eq!(of(&|spec| spec.schedule = ScheduleSpec::Idle(idle.clone())), path("schedule.idle"));
    let shortest = Some(Span::secs(5));
    assert_eq!(of(&|spec| spec.schedule = grid(shortest, FirstBeat::Interval)), path("schedule.grid.shortest"));
    assert_eq!(of(&|spec| spec.schedule = grid(None, FirstBeat::RandomPhase)), path("schedule.grid.first_beat"));
    assert_eq!(of(&|spec| spec.pace.background = Some(Span::secs(60))), path("pace"));
    assert_eq!(of(&|spec| spec.beat_on.push(Occasion::Foreground)), path("beat_on"));
    assert_eq!(of(&|spec| spec.most_without_data = Some(2)), path("most_without_data"));
    assert_eq!(of(&|spec| spec.schedule = ScheduleSpec::PeerSends), path("judge.freshness"));
    assert_eq!(of(&|spec| spec.answered = false), path("judge.freshness"));
    // The peer's pings are the peer's business.
    let by_pings = Freshness { fed_by: Stream::Pings(Span::secs(25)), ..chen() };
    let pace = Pace { background: Some(Span::secs(60)), ..Pace::default() };
    assert_eq!(problems(Composed { pace, ..composed(by_pings) }), Vec::<String>::new());
}

fn any_detector() -> impl Strategy<Value = DetectorSpec> {
    let margin = Delay::millis(2_000);
    prop_oneof![
        (1_u32..40).prop_map(move |window| DetectorSpec::Chen(Chen { margin, window })),
        (1_u32..5, 5_u32..40).prop_map(move |(short, long)| DetectorSpec::TwoWindow(TwoWindow { margin, short, long })),
        any_accrual(),
    ]
}

/// Those that judge by gaps.
fn any_accrual() -> impl Strategy<Value = DetectorSpec> {
    let tail = prop_oneof![Just(Tail::Normal), Just(Tail::Logistic)];
    prop_oneof![
        (1.0..100.0, 1_u32..40, 0_u64..1_000, 0_u64..3_000, tail, any::<bool>()).prop_map(
            |(threshold, window, deviation, pause, tail, learns_mistakes)| DetectorSpec::Phi(Phi {
                threshold,
                window,
                min_deviation: Delay::millis(deviation),
                pause: Delay::millis(pause),
                tail,
                learns_mistakes
            })
        ),
        (1.0..100.0, 1_u32..40)
            .prop_map(|(threshold, window)| DetectorSpec::Cassandra(Cassandra { threshold, window })),
        (1.0..100.0, 0.1..20.0, 1_u32..40).prop_map(|(threshold, shape, window)| DetectorSpec::Weibull(Weibull {
            threshold,
            shape,
            window
        })),
    ]
}

const INTERVAL: Duration = Duration::from_secs(10);

proptest! {
    /// However late it is.
    #[test]
    fn by_gaps_whatever_arrives_is_trusted(
        detector in any_accrual(), gaps in prop::collection::vec(0_u64..100_000_000, 1..60),
    ) {
        let mut detector = detector.build(INTERVAL);
        let mut now = Time::from_secs(3);
        detector.reset(now);
        prop_assert!(detector.freshness() > now);
        for (seq, gap) in (1..).zip(gaps) {
            now += Duration::from_micros(gap);
            detector.heard(now, seq);
            prop_assert!(detector.freshness() > now);
        }
    }

    /// A delay that the margin covers; a later arrival may be older than the next freshness point, and then is worth
    /// nothing.
    #[test]
    fn what_arrives_in_time_is_trusted(
        detector in any_detector(), delays in prop::collection::vec(0_u64..=2_000_000, 1..60),
    ) {
        let mut detector = detector.build(INTERVAL);
        detector.reset(Time::ZERO);
        for (seq, delay) in (1_u32..).zip(delays) {
            let now = Time::ZERO + INTERVAL * seq + Duration::from_micros(delay);
            detector.heard(now, seq.into());
            prop_assert!(detector.freshness() > now);
        }
    }

    #[test]
    fn chen_never_suspects_a_delay_within_its_margin(delays in prop::collection::vec(0_u64..=2_000, 1..60)) {
        let mut policy = policy(composed(chen()));
        policy.on_event(Time::ZERO, &CONNECTED);
        for (id, delay) in (0..).zip(delays) {
            let sent = Time::from_secs(10 * (u64::from(id) + 1));
            prop_assert_eq!(drain(&mut *policy, sent), [beat(id)]);
            let arrival = sent + Duration::from_millis(delay);
            prop_assert!(policy.deadline() >= Some(arrival));
            policy.on_event(arrival, &reply(id, delay));
            prop_assert_eq!(drain(&mut *policy, arrival), []);
        }
    }
}
