//! Mars step by step, and its life behind NATs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    AppState, GiveUp,
    testing::{CONNECTED, LOST, beat, bounds, drain, live_behind_nat, live_on, play, reply},
};

const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
const REMEMBER: Action = Action::Remember;
const DAY: Duration = Duration::from_secs(86_400);

fn mars() -> Mars {
    Mars::new(MarsSmartHeartbeat::default())
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns the record of network `id`: interval in seconds, stable, failures.
fn record(policy: &Mars, id: u32) -> (u64, bool, u32) {
    let record = policy.state.notes.records[&id];
    (record.interval().as_secs(), record.stable, record.failures)
}

/// Returns a policy that knows network 0 with this interval.
fn knowing(interval: &str, stable: bool) -> Mars {
    let mut policy = mars();
    policy.recall(&format!(
        r#"{{"policy":"mars-smart-heartbeat","networks":{{"0":{{"interval":"{interval}","stable":{stable},"modified":0}}}}}}"#
    ));
    policy
}

/// Intervals in seconds, each with how often it occurred in a row.
fn intervals(beats: &[crate::testing::Beat]) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for interval in beats.iter().filter_map(|beat| beat.interval) {
        match runs.last_mut() {
            Some((value, count)) if *value == interval.as_secs() => *count += 1,
            _ => runs.push((interval.as_secs(), 1)),
        }
    }
    runs
}

#[test]
fn the_ladder_has_five_counted_successes_on_each_rung() {
    let mut policy = mars();
    let report = live_behind_nat(&mut policy, Duration::MAX, DAY);
    assert!(report.losses.is_empty());
    let runs = intervals(&report.beats);
    // The first three beats on 210 s and the first gap of each rung but the lowest, fetched before the step, do not count.
    let (rungs, last) = runs.split_at(runs.len() - 1);
    assert_eq!(rungs, [(210, 8), (270, 6), (330, 6), (390, 6), (450, 6), (510, 6), (570, 6)]);
    assert_eq!(last[0].0, 580);
    assert_eq!(record(&policy, 0), (580, true, 0));
}

#[test]
fn behind_a_nat_of_300_s_330_fails_twice_and_250_stays() {
    let mut policy = mars();
    let report = live_behind_nat(&mut policy, secs(300), DAY);
    assert_eq!(report.losses.len(), 2);
    assert_eq!(report.last_interval(), Some(secs(250)));
    assert_eq!(record(&policy, 0), (250, true, 0));
    let failed: Vec<_> = report.beats.iter().filter(|beat| !beat.answered).map(|beat| beat.interval).collect();
    assert_eq!(failed, [Some(secs(330)); 2]);
}

#[test]
fn the_first_beat_comes_at_once_and_every_write_sets_the_timer_anew_while_reads_do_not() {
    play(
        &mut mars(),
        &[
            (0, Some(CONNECTED), &[REMEMBER, beat(0)]),
            (0, Some(Event::BytesWritten), &[]),
            (100, Some(reply(0)), &[]),
            (100_000, Some(Event::BytesReceived), &[]),
            (200_000, Some(Event::BytesWritten), &[]),
            (410_000, None, &[beat(1)]),
        ],
    );
}

#[test]
fn messages_written_on_connecting_do_not_postpone_the_first_beat() {
    let mut policy = mars();
    policy.on_event(Time::ZERO, &CONNECTED);
    policy.on_event(Time::ZERO, &Event::BytesWritten);
    assert_eq!(drain(&mut policy, Time::ZERO), [REMEMBER, beat(0)]);
}

#[test]
fn a_silent_peer_is_given_up_eight_seconds_after_the_beat() {
    play(
        &mut mars(),
        &[
            (0, Some(CONNECTED), &[REMEMBER, beat(0)]),
            (8_000, Some(reply(0)), &[]),
            (210_000, None, &[beat(1)]),
            (217_999, Some(Event::BytesReceived), &[]),
            (218_000, None, &[Action::Suspect, NO_REPLY]),
            (219_000, Some(CONNECTED), &[beat(0)]),
        ],
    );
}

#[test]
fn a_beat_whose_timer_ran_for_a_quarter_of_an_hour_gets_five_seconds() {
    let mut policy = mars();
    play(&mut policy, &[(0, Some(CONNECTED), &[REMEMBER, beat(0)]), (100, Some(reply(0)), &[])]);
    let awake = Time::from_secs(900);
    assert_eq!(drain(&mut policy, awake), [beat(1)]);
    assert_eq!(policy.deadline(), Some(awake + secs(5)));
}

#[test]
fn with_the_defect_only_the_transport_notices_a_silent_peer() {
    let spec = MarsSmartHeartbeat { alarm_never_fires: true, ..MarsSmartHeartbeat::default() };
    play(
        &mut Mars::new(spec.clone()),
        &[
            (0, Some(CONNECTED), &[REMEMBER, beat(0)]),
            (210_000, None, &[beat(1)]),
            (420_000, None, &[beat(2)]),
            (500_000, Some(LOST), &[]),
            (600_000, Some(CONNECTED), &[beat(0)]),
        ],
    );
    assert_eq!(spec.promises(&bounds()).detects_within, None);
    // What it learns is the same, only later: the transport needs a quarter of an hour each time.
    let mut policy = Mars::new(spec);
    let report = live_behind_nat(&mut policy, secs(300), DAY);
    assert_eq!((report.losses.len(), record(&policy, 0)), (2, (250, true, 0)));
}

#[test]
fn in_use_and_for_ten_minutes_after_beats_are_short_and_teach_nothing() {
    let mut policy = knowing("330s", false);
    let state = |state| Some(Event::AppState(state));
    play(
        &mut policy,
        &[
            (0, state(AppState::Foreground), &[]),
            (0, Some(CONNECTED), &[beat(0)]),
            (1_000, Some(reply(0)), &[]),
            (210_000, None, &[beat(1)]),
            (211_000, Some(reply(1)), &[]),
            (420_000, None, &[beat(2)]),
            (421_000, Some(reply(2)), &[]),
            (600_000, state(AppState::Background), &[]),
            (630_000, None, &[beat(3)]),
            (631_000, Some(reply(3)), &[]),
            (840_000, None, &[beat(4)]),
            (841_000, Some(reply(4)), &[]),
            // A deeper sleep does not begin the ten minutes anew.
            (900_000, state(AppState::Doze), &[]),
            (1_050_000, None, &[beat(5)]),
            (1_051_000, Some(reply(5)), &[]),
            (1_260_000, None, &[beat(6)]),
            (1_261_000, Some(reply(6)), &[REMEMBER]),
            (1_590_000, None, &[beat(7)]),
            (1_598_000, None, &[REMEMBER, Action::Suspect, NO_REPLY]),
        ],
    );
    // The one beat that ended a gap of 330 s has counted, and no other.
    assert_eq!(record(&policy, 0), (330, false, 1));
}

#[test]
fn a_failure_right_after_a_step_is_charged_to_the_new_rung() {
    let mut policy = mars();
    // Eight answers make the first step; the ninth beat follows a gap of 210 s and is lost.
    let report = live_on(&mut policy, Network::cellular(0), Duration::MAX, Time::ZERO, secs(8 * 210));
    assert_eq!((report.beats.len(), record(&policy, 0)), (8, (270, false, 0)));
    let mut policy = mars();
    for n in 0..9 {
        let now = Time::from_secs(n * 210);
        if n == 0 {
            policy.on_event(now, &CONNECTED);
        }
        drain(&mut policy, now);
        if n < 8 {
            policy.on_event(now, &reply(n as u32));
            drain(&mut policy, now);
        }
    }
    drain(&mut policy, Time::from_secs(8 * 210 + 8));
    assert_eq!(record(&policy, 0), (270, false, 1));
}

#[test]
fn a_week_after_it_was_found_a_slightly_longer_interval_is_tried() {
    let mut policy = mars();
    live_behind_nat(&mut policy, secs(300), 7 * DAY);
    assert_eq!(record(&policy, 0), (250, true, 0));
    let begin = Time::ZERO + 7 * DAY;
    let week = live_on(&mut policy, Network::cellular(0), secs(300), begin, DAY / 2);
    // 270 s holds, 330 s fails twice: 250 s again.
    assert_eq!((week.losses.len(), record(&policy, 0)), (2, (250, true, 0)));
    assert!(intervals(&week.beats).contains(&(270, 6)), "{:?}", intervals(&week.beats));
}

#[test]
fn the_weekly_probe_may_climb_past_the_ceiling_until_it_is_clamped() {
    let mut policy = knowing("570s", true);
    let report = live_on(&mut policy, Network::cellular(0), Duration::MAX, Time::ZERO + 8 * DAY, DAY);
    let longest = report.beats.iter().filter_map(|beat| beat.interval).max();
    assert_eq!((longest, record(&policy, 0)), (Some(secs(590)), (580, true, 0)));
}

#[test]
fn a_stable_interval_that_fails_twice_starts_from_the_bottom() {
    let mut policy = knowing("490s", true);
    live_behind_nat(&mut policy, secs(300), Duration::from_secs(2 * 1_200));
    assert_eq!(record(&policy, 0), (210, false, 0));
    live_on(&mut policy, Network::cellular(0), secs(300), Time::from_secs(2_400), DAY);
    assert_eq!(record(&policy, 0), (250, true, 0));
}

#[test]
fn what_was_found_survives_a_restart() {
    let mut policy = mars();
    live_behind_nat(&mut policy, secs(300), DAY);
    let memory = policy.memory().unwrap();
    let mut again = mars();
    again.recall(&memory);
    let report = live_on(&mut again, Network::cellular(0), secs(300), Time::ZERO + DAY, DAY);
    assert_eq!((report.losses.len(), report.remembered), (0, 0));
    assert_eq!(intervals(&report.beats)[1].0, 250);
    assert_eq!(again.memory().unwrap(), memory);
}

#[test]
fn each_network_has_its_own_record() {
    let mut policy = mars();
    live_on(&mut policy, Network::cellular(0), secs(300), Time::ZERO, DAY);
    live_on(&mut policy, Network::wifi(1), Duration::MAX, Time::ZERO + DAY, DAY);
    assert_eq!((record(&policy, 0).0, record(&policy, 1).0), (250, 580));
    let back = live_on(&mut policy, Network::cellular(0), secs(300), Time::ZERO + 2 * DAY, DAY);
    assert_eq!((back.losses.len(), back.last_interval()), (0, Some(secs(250))));
}

#[test]
fn twenty_networks_are_remembered_and_the_oldest_is_forgotten() {
    let mut policy = mars();
    for id in 0..25 {
        live_on(&mut policy, Network::wifi(id), Duration::MAX, Time::from_secs(u64::from(id) * 100), secs(50));
    }
    assert_eq!(policy.state.notes.records.keys().copied().collect::<Vec<_>>(), (5..25).collect::<Vec<_>>());
}

#[test]
fn records_from_the_future_or_without_a_time_are_forgotten_first() {
    let mut records = BTreeMap::new();
    for (id, modified) in [(0, Some(50)), (1, None), (2, Some(900)), (3, Some(40)), (4, Some(60))] {
        let modified = modified.map(Time::from_secs);
        let mut record = Record::new(secs(210), Time::ZERO);
        record.modified = modified;
        records.insert(id, record);
    }
    record::make_room(&mut records, 6, Time::from_secs(100));
    assert_eq!(records.len(), 5);
    record::make_room(&mut records, 5, Time::from_secs(100));
    assert_eq!(records.keys().copied().collect::<Vec<_>>(), [0, 4]);
}

#[test]
fn a_record_out_of_reach_is_brought_back() {
    for (stored, used) in [("10s", 210), ("1h", 580), ("9m55s", 595)] {
        let mut policy = knowing(stored, true);
        policy.on_event(Time::ZERO, &CONNECTED);
        assert_eq!(policy.record.interval(), secs(used), "{stored}");
    }
}

/// Runs beats of a system that polls only every `alignment`, as some do in the background, and answers each at once.
fn live_aligned(policy: &mut Mars, alignment: u64, end: u64) {
    policy.on_event(Time::ZERO, &CONNECTED);
    for now in (0..end).step_by(alignment as usize).map(Time::from_secs) {
        for action in drain(policy, now) {
            if let Action::SendHeartbeat { id } = action {
                policy.on_event(now, &reply(id));
            }
        }
        drain(policy, now);
    }
}

#[test]
fn where_timers_are_aligned_the_search_jumps_to_the_ceiling() {
    // 210 s becomes 300 s: off by more than 20 s from the first gap on.
    let mut policy = mars();
    live_aligned(&mut policy, 300, 300 * 9);
    assert!(policy.doze.is_doze());
    assert_eq!(record(&policy, 0).0, 580);
    live_aligned(&mut policy, 300, 300 * 40);
    assert_eq!((record(&policy, 0), policy.record.found_in_doze), ((580, true, 0), true));
}

#[test]
fn timers_that_are_off_by_little_are_no_doze() {
    let mut policy = mars();
    live_aligned(&mut policy, 15, 210 * 9);
    assert!(!policy.doze.is_doze());
    assert_eq!(record(&policy, 0).0, 270);
}

#[test]
fn doze_is_looked_for_on_mobile_data_and_out_of_use_only() {
    let wifi = Event::Connected { network: Network::wifi(0), server: 0 };
    for (connected, state) in [(wifi, AppState::Background), (CONNECTED, AppState::Foreground)] {
        let mut policy = mars();
        policy.on_event(Time::ZERO, &Event::AppState(state));
        policy.on_event(Time::ZERO, &connected);
        for beat in 0..10 {
            drain(&mut policy, Time::from_secs(beat * 300));
            policy.on_event(Time::from_secs(beat * 300), &reply(beat as u32));
        }
        assert!(!policy.doze.is_doze());
    }
}

#[test]
fn a_fixed_interval_switches_the_search_off() {
    let spec = MarsSmartHeartbeat { fixed: Some(Span::secs(100)), ..MarsSmartHeartbeat::default() };
    let mut policy = Mars::new(spec);
    let report = live_behind_nat(&mut policy, Duration::MAX, DAY);
    assert_eq!(intervals(&report.beats), [(100, 863)]);
    assert_eq!(record(&policy, 0), (210, false, 0));
}

#[test]
fn promises_hold_where_the_application_is_silent() {
    let promises = MarsSmartHeartbeat::default().promises(&bounds());
    assert_eq!(promises.detects_within, Some(secs(608)));
    assert_eq!(promises.heartbeats_per_hour, Some(18));
    assert!(promises.no_false_alarm);
    let slow = Bounds { rtt_max: secs(6), steady_host: false, ..bounds() };
    assert!(!MarsSmartHeartbeat::default().promises(&slow).no_false_alarm);
}

#[test]
fn contradictions_name_the_nearest_valid_value() {
    let spec = MarsSmartHeartbeat {
        max: Span::secs(220),
        timeout: Span::secs(300),
        base_successes: 0,
        short_beats: 2_000,
        ..MarsSmartHeartbeat::default()
    };
    let problems: Vec<_> = spec.problems().into_iter().map(|problem| (problem.path, problem.help)).collect();
    let expected = [
        ("max", "use at least \"3m50s\""),
        ("timeout", "use at most \"3m30s\""),
        ("base_successes", "use 1"),
        ("short_beats", "use 1000"),
    ];
    let expected = expected.map(|(key, help)| (format!("heartbeat.mars-smart-heartbeat.{key}"), help.to_owned()));
    assert_eq!(problems, expected);
}

proptest! {
    /// Invariant 5.
    #[test]
    fn behind_any_nat_the_search_ends_after_two_failures_below_its_timeout(tau_s in 120_u64..3_600) {
        let mut policy = mars();
        let report = live_behind_nat(&mut policy, secs(tau_s), 4 * DAY);
        let rungs = [210, 270, 330, 390, 450, 510, 570, 580];
        match rungs.into_iter().find(|rung| *rung > tau_s) {
            Some(210) => {
                // No setting survives: every connection dies after one gap, and nothing is learnt from it.
                prop_assert!(report.beats.iter().all(|beat| beat.answered == beat.interval.is_none()));
                prop_assert_eq!(record(&policy, 0), (210, false, 0));
            }
            Some(failed) => {
                let found = (failed - 80).max(210);
                prop_assert_eq!(record(&policy, 0), (found, true, 0));
                prop_assert!(found <= tau_s);
                prop_assert_eq!(report.losses.len(), 2);
                prop_assert_eq!(report.last_interval(), Some(secs(found)));
                prop_assert!(report.converged_at().is_some_and(|at| at < Time::ZERO + DAY));
            }
            None => {
                prop_assert_eq!(record(&policy, 0), (580, true, 0));
                prop_assert_eq!(report.losses.len(), 0);
            }
        }
    }

    /// Invariants 3 and 4, over lives in several parts: other networks, NATs that change their mind.
    #[test]
    fn intervals_stay_within_their_limits_and_below_what_was_proven(
        lives in prop::collection::vec((0_u32..3, 100_u64..1_000, 1_u64..200_000), 1..12),
    ) {
        let mut policy = mars();
        let mut now = Time::ZERO;
        for (network, tau_s, life_s) in lives {
            let before = policy.state.notes.records.get(&network).map_or((210, false, 0), |_| record(&policy, network));
            let report = live_on(&mut policy, Network::wifi(network), secs(tau_s), now, secs(life_s));
            now += secs(life_s);
            for interval in report.beats.iter().filter_map(|beat| beat.interval) {
                prop_assert!((secs(210)..secs(600)).contains(&interval), "{:?}", interval);
            }
            let after = record(&policy, network);
            // Three short answers are needed before the record can change at all.
            if report.beats.iter().filter(|beat| beat.answered).count() <= 3 {
                prop_assert_eq!(after, before);
            }
            // A value newly settled for lies a margin below a gap that was answered, but for the lowest.
            if after.1 && !before.1 && after.0 > 210 {
                let proven = report.beats.iter().filter(|beat| beat.answered).filter_map(|beat| beat.interval).max();
                let at_ceiling = after.0 == 580 && proven == Some(secs(580));
                prop_assert!(at_ceiling || before.0 > 210 || proven >= Some(secs(after.0 + 20)), "{proven:?} {after:?}");
            }
        }
    }

    #[test]
    fn beats_in_use_never_change_a_record_above_the_lowest_rung(tau_s in 100_u64..1_000, stable: bool) {
        let mut policy = knowing("390s", stable);
        policy.on_event(Time::ZERO, &Event::AppState(AppState::Foreground));
        live_behind_nat(&mut policy, secs(tau_s), 9 * DAY);
        prop_assert_eq!(record(&policy, 0), (390, stable, 0));
    }
}
