//! The quality of the detectors' output, and the servers' worst moments, on whole runs: mistakes against the exact
//! formulas, and timelines small enough to know beforehand.

use cardiogram_policies::{HeartbeatSpec, Time, unit::Fraction};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::FaultConfig,
    outcome::{Mistake, Peaks},
    trace::DeviceEvent,
};
use kit::common::*;

const BEGIN: Time = Time::from_secs(100);

/// Of a sum of seconds by a number, which is nearly one of a Poisson process.
fn by_number(seconds: f64, number: usize) -> Estimate {
    let mean = seconds / number as f64;
    Estimate { mean, error: mean / (number as f64).sqrt() }
}

/// Returns the lossy world of the theory tests: a beat every 30 s is answered within 250 ms or, by TCP's repairs, too late; it
/// is missed with probability q = 1 - (1-p)^2, p = 0.1.
fn lossy(misses: u32) -> (Outcome, f64) {
    let mut world = world(fixed(secs(30), millis(250), misses));
    world.access.packet_loss = Fraction::new(0.1).expect("a probability");
    world.devices.count = 50;
    world.duration = secs(8 * 3_600);
    let outcome = go(&world, 3);
    assert_eq!(outcome.episodes, [], "nothing breaks");
    (outcome, 1.0 - 0.9 * 0.9)
}

/// Seconds from a false alarm to the next session, on average: R below.
fn outage_s(outcome: &Outcome) -> f64 {
    let outages = outcome.false_alarms.iter().filter_map(|alarm| Some(alarm.end?.since(alarm.at).as_secs_f64()));
    let outages: Vec<f64> = outages.collect();
    outages.iter().sum::<f64>() / outages.len() as f64
}

/// F3 with n = 1: every miss is a mistake and the end of its session, so one comes every T/q + tau + R and lasts R.
#[test]
fn mistakes_of_an_impatient_detector_come_as_f3_says() {
    let (outcome, q) = lossy(1);
    let accuracy = &outcome.accuracy;
    assert_eq!(accuracy.mistakes.len(), outcome.false_alarms.len());
    assert_eq!(accuracy.suspicions, accuracy.mistakes.len() as u64);
    let recurrence = by_number(accuracy.observed.as_secs_f64(), accuracy.mistakes.len());
    recurrence.expect("T_MR, n 1", 30.0 / q + 0.25 + outage_s(&outcome), 0.025);
    assert_eq!(accuracy.trusted, outcome.usable_time);
}

/// With n = 2 the first of two misses is the turn to suspect. After it the next beat is answered, with 1 - q, and the
/// mistake lasted T - tau + RTT; or it is missed too, the session is given up at its deadline, and the mistake lasts
/// T + R. A turn comes with every 1/q-th beat of those that find trust:
/// `E[T_MR] = T/q + T + q (tau + R)`, `E[T_M] = (1-q)(T - tau + RTT) + q (T + R)`, `P_A = 1 - E[T_M] / E[T_MR]`.
#[test]
fn mistakes_of_a_patient_detector_are_mostly_corrected() {
    let (outcome, q) = lossy(2);
    let accuracy = &outcome.accuracy;
    let outage = outage_s(&outcome);
    let recurrence_s = 30.0 / q + 30.0 + q * (0.25 + outage);
    let duration_s = (1.0 - q) * (30.0 - 0.25 + 0.1) + q * (30.0 + outage);

    let mistakes = accuracy.mistakes.len();
    by_number(accuracy.observed.as_secs_f64(), mistakes).expect("T_MR, n 2", recurrence_s, 0.025);
    let durations: Vec<f64> = accuracy
        .mistakes
        .iter()
        .filter(|mistake| mistake.corrected)
        .map(|mistake| mistake.end.since(mistake.begin).as_secs_f64())
        .collect();
    // The run's end cuts one for each device that has one under way.
    assert!(mistakes - durations.len() <= 50);
    Estimate::of(&durations).expect("T_M, n 2", duration_s, 0.025);
    let wrong = accuracy.observed.checked_sub(accuracy.trusted).expect("a part of it").as_secs_f64();
    by_number(wrong / accuracy.observed.as_secs_f64() * mistakes as f64, mistakes).expect(
        "1 - P_A, n 2",
        duration_s / recurrence_s,
        0.025,
    );
}

/// Returns a device that beats every 30 s from 30.2 s on, suspects after 10 s and gives up after the second miss, through one
/// fault.
fn patient(fault: FaultConfig) -> Outcome {
    let world = world(fixed(secs(30), secs(10), 2));
    go_traced(&WorldConfig { duration: secs(600), faults: vec![fault], ..world }, 1)
}

#[test]
fn the_detection_time_runs_to_the_last_turn_to_suspect() {
    let outcome = patient(cut(BEGIN, Some(secs(100))));
    let [episode] = outcome.episodes[..] else { panic!("one break: {:?}", outcome.episodes) };
    // The beats of 120.2 s and 150.2 s are lost.
    assert_eq!(episode.suspected, Some(Time::from_millis(130_200)));
    assert_eq!(episode.detection.map(|detection| detection.at), Some(Time::from_millis(160_200)));
    assert_eq!((outcome.accuracy.suspicions, outcome.accuracy.mistakes.len()), (1, 0));
    // Observed is what is neither the episode nor the first connecting.
    assert_eq!(outcome.accuracy.observed, outcome.usable_time);
    assert_eq!(outcome.accuracy.trusted, outcome.usable_time);
}

#[test]
fn a_suspicion_that_outlives_its_break_is_neither_a_mistake_nor_observed() {
    // The beat of 120.2 s is lost; the next one waits behind it for TCP's retransmission, long after the cut.
    let outcome = patient(cut(BEGIN, Some(secs(40))));
    let [episode] = outcome.episodes[..] else { panic!("one break: {:?}", outcome.episodes) };
    assert_eq!((episode.suspected, episode.detection), (Some(Time::from_millis(130_200)), None));
    assert_eq!((outcome.accuracy.suspicions, outcome.accuracy.mistakes.len()), (1, 0));
    let trust =
        device_events(&outcome).find(|(.., event)| *event == DeviceEvent::Trust).expect("a corrected suspicion");
    let unobserved = trust.0.since(BEGIN + secs(40));
    assert!(secs(10) < unobserved && unobserved < secs(20), "{unobserved:?}");
    assert_eq!(outcome.accuracy.observed, outcome.usable_time.checked_sub(unobserved).expect("shorter"));
}

#[test]
fn a_suspicion_without_a_break_is_a_mistake_until_trust_is_back() {
    // The link is well again long before the beat's deadline, but TCP's repairs come later than that.
    let mut world = world(fixed(secs(30), millis(250), 2));
    let beat = CONNECTED + secs(30);
    (world.duration, world.faults) = (secs(600), vec![cut(beat - millis(1), Some(millis(5)))]);
    let outcome = go(&world, 1);
    let mistake = Mistake { device: 0, begin: beat + millis(250), end: beat + secs(30) + RTT, corrected: true };
    assert_eq!(outcome.accuracy.mistakes, [mistake]);
    let wrong = outcome.accuracy.observed.checked_sub(outcome.accuracy.trusted);
    assert_eq!(wrong, Some(mistake.end.since(mistake.begin)));
}

#[test]
fn the_peaks_of_a_restart_are_its_devices() {
    let mut world = world(HeartbeatSpec::None);
    world.devices.count = 40;
    world.faults = vec![FaultConfig::ServerRestart(server_fault(BEGIN, Some(millis(1))))];
    let outcome = go(&world, 1);
    // All start at once, and all lose their sessions at once and come back at once.
    assert_eq!(outcome.peaks, Peaks { attempts_per_s: 40, sessions: 40 });
    assert_eq!(outcome.totals.connect_attempts, 80);
    world.devices.count = 1;
    assert_eq!(go(&world, 1).peaks, Peaks { attempts_per_s: 1, sessions: 1 });
}
