//! The simulator against the exact formulas of failure-detector theory: detection time, false alarms, NAT eviction and
//! the bound that no policy can beat, each formula stated and derived where it is used.
//!
//! The names F1 to F7 are those of the theory this project is held to. Statistical tests have fixed seeds and allow 4.5
//! standard errors; each also demands an error small enough to notice a formula that is a few per cent off.

use std::time::Duration;

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, ReconnectSpec, Time,
    heartbeat::{Anchor, FirstBeat, Fixed, Idle, KnownNatTimeout, LateReply},
    reconnect::FixedDelay,
    unit::{Delay, Fraction},
};
use cardiogram_sim::{
    WorldConfig,
    config::{Answer, Carrier, Cut, Direction, FaultConfig, LinkName, NatConfig, NatRefresh, TrafficConfig, When},
    outcome::{Cause, DetectedBy, Episode},
    trace::{DeviceEvent, NatEvent, What},
};
use kit::common::*;

/// A permanent break that nothing announces, and how old a beat must be at the break to be answered all the same.
///
/// That age is the lag `a` of the formulas: the part of the round trip during which the break still kills a beat or its
/// reply. On this path a beat sent at s is at the NAT at s + 20 ms, at the server at s + 50 ms, its reply at the NAT at
/// s + 80 ms and at the device at s + 100 ms. A link that is cut loses what is on it, the packet that arrives at that very
/// moment included; a packet on another link travels on. Hence:
///
/// - access link, both ways or down: the reply has to be home, the whole round trip; this is also so for a beat that is
///   on the core link at the break, since its reply comes back over the access link;
/// - access link, up: the beat has to be off it, 20 ms;
/// - core link: up 50 ms; down, or both ways, the reply has to be off it, 80 ms;
/// - the server's process or host: the beat has to be there, 50 ms; the reply is on its way and arrives;
/// - the NAT's table: the reply has to be through, 80 ms.
struct Break {
    name: &'static str,
    cause: Cause,
    fault: fn(Time) -> FaultConfig,
    lag: Duration,
}

const BREAKS: [Break; 9] = [
    Break { name: "cut of access", cause: Cause::Cut, fault: |at| cut(at, None), lag: RTT },
    Break {
        name: "cut of access, up",
        cause: Cause::CutUp,
        fault: |at| cut_of(LinkName::Access, Direction::Up, at, None),
        lag: ACCESS,
    },
    Break {
        name: "cut of access, down",
        cause: Cause::CutDown,
        fault: |at| cut_of(LinkName::Access, Direction::Down, at, None),
        lag: RTT,
    },
    Break {
        name: "cut of core",
        cause: Cause::Cut,
        fault: |at| cut_of(LinkName::Core, Direction::Both, at, None),
        lag: Duration::from_millis(80),
    },
    Break {
        name: "cut of core, up",
        cause: Cause::CutUp,
        fault: |at| cut_of(LinkName::Core, Direction::Up, at, None),
        lag: Duration::from_millis(50),
    },
    Break {
        name: "cut of core, down",
        cause: Cause::CutDown,
        fault: |at| cut_of(LinkName::Core, Direction::Down, at, None),
        lag: Duration::from_millis(80),
    },
    Break {
        name: "stall",
        cause: Cause::ServerStall,
        fault: |at| FaultConfig::ServerStall(server_fault(at, None)),
        lag: Duration::from_millis(50),
    },
    Break {
        name: "vanish",
        cause: Cause::ServerVanish,
        fault: |at| FaultConfig::ServerVanish(server_fault(at, None).into()),
        lag: Duration::from_millis(50),
    },
    Break { name: "NAT flush", cause: Cause::NatFlush, fault: flush, lag: Duration::from_millis(80) },
];

/// Returns the detection time of a break at `begin` in a world that ends long after it: must be an episode of the right cause,
/// detected by the heartbeat.
#[track_caller]
fn detection_time(world: &WorldConfig, broken: &Break, begin: Time) -> Duration {
    let world = WorldConfig { faults: vec![(broken.fault)(begin)], ..world.clone() };
    let outcome = go(&world, 1);
    let [episode] = outcome.episodes[..] else {
        panic!("{} at {begin}: one break, {} episodes", broken.name, outcome.episodes.len())
    };
    assert_eq!((episode.begin, episode.cause), (begin, broken.cause), "{}", broken.name);
    let detection = episode.detection.unwrap_or_else(|| panic!("{} at {begin} goes undetected", broken.name));
    let by_policy = [GiveUp::NoReply, GiveUp::Silence].map(DetectedBy::Heartbeat);
    assert!(by_policy.contains(&detection.by), "{} at {begin}: {:?}", broken.name, detection.by);
    assert_eq!(outcome.false_alarms, [], "{} at {begin}", broken.name);
    detection.at.since(begin)
}

/// F1: without loss, the mean detection time of a fixed heartbeat is T/2 + (n-1)T + tau - a, and each single one is the
/// time from the break to the deadline of the n-th beat that the break kills.
///
/// The breaks are at the middles of K equal parts of one period. The period is laid so that it begins where a beat is
/// just safe; the detection time is then linear over it, and the mean over the middles is the formula's to the
/// microsecond.
#[test]
fn f1_detection_of_a_fixed_heartbeat_is_exact() {
    const STRATA: u32 = 16;
    let policies = [
        (secs(30), secs(10), 1, FirstBeat::Interval),
        (secs(30), secs(15), 2, FirstBeat::Interval),
        (secs(10), secs(10), 3, FirstBeat::Now),
        (secs(45), millis(150), 1, FirstBeat::Now),
        (secs(270), secs(15), 2, FirstBeat::Interval),
        (millis(1_600), RTT, 4, FirstBeat::Interval),
    ];
    for (interval, timeout, misses, first_beat) in policies {
        let spec = Fixed {
            interval: span(interval),
            timeout: span(timeout),
            misses,
            first_beat,
            late_reply: LateReply::Ignored,
        };
        let first = CONNECTED + if first_beat == FirstBeat::Now { Duration::ZERO } else { interval };
        let patience = interval * (misses - 1) + timeout;
        for broken in &BREAKS {
            let safe = first + 5 * interval;
            let mut sum = Duration::ZERO;
            for stratum in 0..STRATA {
                let begin = safe + broken.lag + interval * (2 * stratum + 1) / (2 * STRATA);
                let doomed = safe + interval;
                let duration = age(doomed) + patience + secs(1);
                let world = WorldConfig { duration, ..world(HeartbeatSpec::Fixed(spec.clone())) };
                let detected = detection_time(&world, broken, begin);
                assert_eq!(detected, (doomed + patience).since(begin), "{}, {spec:?}, {begin}", broken.name);
                sum += detected;
            }
            let formula = interval / 2 + patience;
            assert_eq!(sum + STRATA * broken.lag, STRATA * formula, "{}, {spec:?}", broken.name);
        }
    }
}

/// The lags above are exact: a beat sent the lag before the break is dead, one sent a microsecond earlier is answered.
#[test]
fn a_beat_is_saved_by_one_microsecond() {
    let (interval, timeout) = (secs(30), secs(10));
    let world = WorldConfig { duration: secs(300), ..world(fixed(interval, timeout, 1)) };
    let beat = CONNECTED + 3 * interval;
    for broken in &BREAKS {
        let tie = beat + broken.lag;
        assert_eq!(detection_time(&world, broken, tie), (beat + timeout).since(tie), "{}", broken.name);
        let later = tie + Duration::from_micros(1);
        let next = beat + interval;
        assert_eq!(detection_time(&world, broken, later), (next + timeout).since(later), "{}", broken.name);
    }
}

/// How the formulas with loss see a policy: seconds, and the chance `q` that a beat goes unanswered.
#[derive(Clone, Copy)]
struct Lossy {
    interval_s: f64,
    timeout_s: f64,
    misses: u32,
    q: f64,
    lag_s: f64,
}

impl Lossy {
    /// F3: beats from a fresh connection to its false alarm, the last one included: the sum of q^-i for i = 1..n.
    fn beats_per_alarm(self) -> f64 {
        (1..=self.misses).map(|i| 1.0 / power(self.q, i)).sum()
    }

    /// F2, as it stands in the literature: pings keep their phase over a false alarm, and the new connection is there at
    /// once.
    fn detection_in_phase(self) -> f64 {
        let Self { interval_s: t, timeout_s: tau, misses, q, lag_s: a } = self;
        let (n, all) = (f64::from(misses), power(q, misses));
        let run_before = q / (1.0 - q) - n * all / (1.0 - all);
        let last = power(q, misses - 1) * (1.0 - q) / (1.0 - all);
        n * t + tau - t / 2.0 - t * (1.0 + run_before) * (q + (1.0 - q) * a / t) + n * q * last * (t - tau)
    }

    /// F2 for a policy that connects anew after a false alarm and begins its grid there: the mean over a break that
    /// strikes at a uniformly random moment of a session.
    ///
    /// A session begins at C, beats at C + T, C + 2T, ..., and ends at the n-th miss's deadline (it is usable until then:
    /// a break that strikes just before is detected by the alarm that was coming anyway). Of a session's beats,
    /// q^-(n-m) are sent, on average, after m misses in a row. Integrate the detection time over V, the time from the beat
    /// to the break: a beat younger than the lag becomes one more miss, whatever its luck was; an older one was answered
    /// (1-q) or missed (q); before the first beat there are no misses. Divide by the mean length of a session,
    /// T N + tau with N beats to an alarm (F3).
    fn detection_over_sessions(self) -> f64 {
        let Self { interval_s: t, timeout_s: tau, misses: n, q, lag_s: a } = self;
        // Still `left` misses to go, the next of them by the next beat; V from `from` to T.
        let until_next = |left: u32, from: f64| (t - from) * (f64::from(left) * t + tau) - (t * t - from * from) / 2.0;
        let mut sum = until_next(n, 0.0);
        for m in 0..n {
            let beats = 1.0 / power(q, n - m);
            let killed = a * (f64::from(n - m - 1) * t + tau) - a * a / 2.0;
            let answered = until_next(n, a);
            let missed = if m + 1 < n { until_next(n - m - 1, a) } else { (tau - a) * (tau - a) / 2.0 };
            sum += beats * (killed + (1.0 - q) * answered + q * missed);
        }
        sum / self.session_s()
    }

    /// F3: the mean length of a session until its false alarm; the first beat is an interval after its begin.
    fn session_s(self) -> f64 {
        self.beats_per_alarm() * self.interval_s + self.timeout_s
    }
}

fn power(base: f64, exponent: u32) -> f64 {
    (0..exponent).map(|_| base).product()
}

/// Returns a world in which single packets are lost on the access link, each way, with probability `loss`, and in which TCP's
/// repairs come too late to matter.
///
/// A lost beat or reply is sent again by TCP, at the earliest after RTT + 200 ms = 300 ms (the tail-loss probe, and no
/// round trip is measured shorter than RTT); its reply is then at least 400 ms old. The timeout of 250 ms lies between
/// the round trip and that, and late replies are ignored: so a beat is answered in time exactly if both coins fall well,
/// q = 1 - (1-p)^2. The stream is whole again long before the next beat: eight repairs fit into 30 s, and all of them
/// fail once in 1/p^8 beats. Lost pure acknowledgements cause repairs, not misses. Packets of the handshake are lost and
/// repaired too, which moves the first beat; the formulas count from the session's begin and do not care.
fn lossy_world(misses: u32, loss: f64) -> (WorldConfig, Lossy) {
    let (interval, timeout) = (secs(30), millis(250));
    let mut world = world(fixed(interval, timeout, misses));
    world.access.packet_loss = Fraction::new(loss).expect("a probability");
    let lossy = Lossy {
        interval_s: interval.as_secs_f64(),
        timeout_s: timeout.as_secs_f64(),
        misses,
        q: 1.0 - (1.0 - loss) * (1.0 - loss),
        lag_s: RTT.as_secs_f64(),
    };
    (world, lossy)
}

/// The formulas themselves, against the numbers published for them.
#[test]
fn the_formulas_give_the_published_numbers() {
    let lossy = |misses, q| Lossy { interval_s: 30.0, timeout_s: 10.0, misses, q, lag_s: 0.2 };
    for (n, q, beats) in [(1, 0.0199, 50.2513), (2, 0.0975, 115.450), (3, 0.0975, 1194.36), (4, 0.36, 91.4647)] {
        assert!((lossy(n, q).beats_per_alarm() / beats - 1.0).abs() < 1e-5, "{n} {q}");
    }
    for (n, p, expected) in [(1, 0.05, 23.8445), (2, 0.05, 51.9651), (3, 0.05, 81.6179), (3, 0.2, 71.4087)] {
        // Round trips are exponential there: no reply is later than 10 s, and their mean of 0.2 s is the lag.
        let q = 1.0 - (1.0 - p) * (1.0 - p);
        assert!((lossy(n, q).detection_in_phase() - expected).abs() < 1e-4, "{n} {p}");
    }
    // The two ways to go on after a false alarm agree where false alarms are rare.
    let rare = lossy(3, 0.01);
    assert!((rare.detection_over_sessions() - rare.detection_in_phase()).abs() < 1e-3);
}

/// F2: detection of a permanent cut that strikes each device at its own random moment, under loss.
#[test]
fn f2_misses_before_a_cut_speed_up_its_detection() {
    // The window is ten intervals long, so that the phase of the beats is uniform in it; it begins when runs of misses
    // have long forgotten the session's begin (they do so by a factor q, at most 0.19, with each beat).
    let (from, to) = (secs(150), secs(450));
    for (misses, loss, devices) in
        [(1, 0.05, 3_000), (1, 0.1, 3_000), (2, 0.05, 1_500), (2, 0.1, 1_500), (3, 0.05, 750)]
    {
        let (mut world, lossy) = lossy_world(misses, loss);
        world.devices.count = devices;
        world.duration = to + secs(30) * misses + secs(1);
        let when = When::Within { from: Delay::new(from).expect("a delay"), to: span(to) };
        world.faults = vec![FaultConfig::Cut(Cut {
            devices: None,
            link: LinkName::Access,
            direction: Direction::Both,
            when,
            lasts: None,
            answers: Answer::Nothing,
            carrier: Carrier::Kept,
        })];
        let outcome = go(&world, 2);
        let detected = |episode: &Episode| {
            let detection = episode.detection.expect("the run is longer than any detection takes");
            assert_eq!(detection.by, DetectedBy::Heartbeat(GiveUp::NoReply));
            detection.at.since(episode.begin).as_secs_f64()
        };
        // Once in thousands, the introduction of an attempt that the device has abandoned is sent again and overtakes its
        // successor's: the server then closes the newer session. That is a break too, but not this one.
        let cuts = outcome.episodes.iter().filter(|episode| episode.cause == Cause::Cut);
        let times: Vec<f64> = cuts.map(detected).collect();
        // The others were between two sessions when it struck.
        assert!(times.len() as f64 > 0.98 * f64::from(devices), "{} of {devices}", times.len());
        let what = format!("F2, n {misses}, p {loss}");
        Estimate::of(&times).expect(&what, lossy.detection_over_sessions(), 0.011);
        // The textbook's reconnect, at once and in phase, makes no difference that these samples could show.
        Estimate::of(&times).expect(&what, lossy.detection_in_phase(), 0.011);
    }
}

/// F3: false alarms of a policy that goes back at once, in beats and in time.
#[test]
fn f3_false_alarms_come_as_often_as_runs_of_lost_beats() {
    for (misses, loss, devices, hours) in
        [(1, 0.05, 50, 8), (1, 0.1, 50, 8), (2, 0.1, 50, 24), (2, 0.05, 100, 24), (3, 0.1, 100, 24)]
    {
        let (mut world, lossy) = lossy_world(misses, loss);
        world.devices.count = devices;
        world.duration = Duration::from_hours(hours);
        let outcome = go(&world, 3);
        assert_eq!(outcome.episodes, [], "nothing breaks: all there is are false alarms");
        let what = format!("F3, n {misses}, p {loss}");

        // Time with a session, and alarms, by device. The session that is cut short by the end counts with its time: the
        // ratio of the sums has no bias worth naming, the mean of complete sessions would.
        let mut usable = vec![(world.duration.saturating_sub(age(CONNECTED)).as_secs_f64(), 0.0); devices as usize];
        for alarm in &outcome.false_alarms {
            assert_eq!(alarm.by, DetectedBy::Heartbeat(GiveUp::NoReply));
            let (time, alarms) = &mut usable[alarm.device as usize];
            *time -= alarm.end.unwrap_or(Time::ZERO + world.duration).since(alarm.at).as_secs_f64();
            *alarms += 1.0;
        }
        Estimate::ratio(&usable).expect(&what, lossy.session_s(), 0.03);

        // The same in beats, which are counted over all devices: alarms are nearly a Poisson process.
        let alarms = outcome.false_alarms.len() as f64;
        let beats = outcome.totals.heartbeats_sent as f64 / alarms;
        Estimate { mean: beats, error: beats / alarms.sqrt() }.expect(&what, lossy.beats_per_alarm(), 0.03);
    }
}

/// Returns a world whose devices speak now and then, behind a NAT that forgets after `timeout`, on a path so short that an
/// exchange is over at once: a message passes the NAT at x, and the last packet of its exchange within [`EXCHANGE`].
fn talking_world(heartbeat: HeartbeatSpec, timeout: Duration, mean: Duration, devices: u32) -> WorldConfig {
    let mut world = world(heartbeat);
    world.devices.count = devices;
    world.access = link(Duration::from_micros(500));
    world.core = link(Duration::from_micros(500));
    world.nat = vec![NatConfig { established: span(timeout).into(), ..NatConfig::default() }];
    world.traffic = TrafficConfig { up: Some(span(mean).into()), down: None, ..TrafficConfig::default() };
    world
}

/// A round trip to the server and back to the NAT, and the longest that a kernel delays an acknowledgement (200 ms).
const EXCHANGE: Duration = Duration::from_millis(203);

/// F5: without a heartbeat, and with messages at rate lambda, a mapping that dies N after its last packet lives for
/// (e^(lambda N) - 1) / lambda on average.
///
/// The formula takes a message for an instant; in the world the acknowledgements follow within [`EXCHANGE`], and it is
/// the last of them that N counts from. So the truth lies between the formula with N and the formula with N + EXCHANGE,
/// plus an EXCHANGE for the handshake, which the first packet stands for here.
#[test]
fn f5_a_mapping_lives_until_the_first_long_silence() {
    for (mean, timeout, devices) in
        [(secs(60), secs(60), 3_000), (secs(120), secs(30), 3_000), (secs(60), secs(120), 3_000)]
    {
        let lambda = 1.0 / mean.as_secs_f64();
        let formula = |timeout: Duration| libm::expm1(lambda * timeout.as_secs_f64()) / lambda;
        let mut world = talking_world(HeartbeatSpec::None, timeout, mean, devices);
        // The chance to outlive sixteen means is 1e-7.
        world.duration = Duration::from_secs_f64((16.0 * formula(timeout)).ceil());
        // One attempt is enough: only the first mapping counts.
        world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: span(Duration::from_hours(24)) });
        let outcome = go(&world, 4);
        let lives: Vec<f64> = outcome.episodes.iter().map(|episode| episode.begin.as_secs_f64()).collect();
        assert!(outcome.episodes.iter().all(|episode| episode.cause == Cause::NatExpiry));
        assert_eq!(lives.len(), devices as usize, "every mapping dies once");
        let life = Estimate::of(&lives);
        let (least, most) = (formula(timeout), formula(timeout + EXCHANGE) + EXCHANGE.as_secs_f64());
        let slack = 4.5 * life.error;
        let what = format!("F5, a message every {mean:?}, timeout {timeout:?}: {life:?} outside {least} to {most}");
        assert!(life.error < 0.02 * least && most < 1.02 * least, "{what}");
        assert!((least - slack..=most + slack).contains(&life.mean), "{what}");
    }
}

/// The rule under F5, on single traces: a mapping is gone exactly the timeout after the last packet that refreshes it,
/// and every gap before was shorter.
#[test]
fn a_mapping_expires_exactly_its_timeout_after_the_last_refreshing_packet() {
    let timeout = secs(60);
    for (seed, refresh) in (0..20).flat_map(|seed| [(seed, NatRefresh::Both), (seed, NatRefresh::Outbound)]) {
        let mut world = talking_world(HeartbeatSpec::None, timeout, secs(40), 1);
        // What comes from outside now and then without being asked for: pushes.
        world.traffic.down = Some(span(secs(80)).into());
        world.nat[0].refresh = refresh;
        world.duration = Duration::from_hours(24);
        let outcome = go_traced(&world, seed);
        let (expired, _) =
            nat_events(&outcome).find(|(_, event)| *event == NatEvent::Expired).expect("in a day it expires");
        let refreshes: Vec<Time> = entries(&outcome)
            .iter()
            .take_while(|entry| entry.at < expired)
            .filter_map(|entry| match &entry.what {
                What::Received { from, .. } if entry.node == NAT => {
                    (*from == DEVICES || refresh == NatRefresh::Both).then_some(entry.at)
                }
                _ => None,
            })
            .collect();
        assert_eq!(refreshes.last().map(|last| *last + timeout), Some(expired), "{refresh:?}, seed {seed}");
        assert!(refreshes.windows(2).all(|pair| pair[1].since(pair[0]) < timeout), "{refresh:?}, seed {seed}");
        let episode = outcome.episodes.first().expect("an expiry is a break");
        assert_eq!((episode.begin, episode.cause), (expired, Cause::NatExpiry));
    }
}

/// F7: an idle heartbeat at a threshold H just below the NAT's timeout keeps the mapping for the least number of beats,
/// lambda / (e^(lambda H) - 1) per unit of time; and on every single trace the number is ceil(gap / H) - 1 for each gap
/// between messages.
#[test]
fn f7_an_idle_heartbeat_keeps_the_mapping_with_the_fewest_packets() {
    let (timeout, threshold) = (secs(60), millis(59_999));
    for (mean, devices) in [(secs(60), 60), (secs(150), 30), (secs(15), 60)] {
        let spec = Idle { threshold: span(threshold), anchor: Anchor::Tx, timeout: None, misses: 1 };
        let mut world = talking_world(HeartbeatSpec::Idle(spec), timeout, mean, devices);
        // The strictest NAT: only what the device sends counts.
        world.nat[0].refresh = NatRefresh::Outbound;
        world.duration = Duration::from_hours(12);
        let outcome = go_traced(&world, 5);
        assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]), "the mapping is kept");

        // By device: when it sent a message or had its session, and the beats.
        let mut sent = vec![Vec::new(); devices as usize];
        let mut beats = vec![0_u64; devices as usize];
        for (at, device, event) in device_events(&outcome) {
            match event {
                DeviceEvent::Connected { .. } | DeviceEvent::MessageSent { .. } => sent[device as usize].push(at),
                DeviceEvent::HeartbeatSent { .. } => beats[device as usize] += 1,
                _ => {}
            }
        }
        let in_gap = |gap: Duration| gap.as_micros().div_ceil(threshold.as_micros()).saturating_sub(1) as u64;
        for (sent, beats) in sent.iter_mut().zip(&beats) {
            sent.push(Time::ZERO + world.duration);
            let fewest: u64 = sent.windows(2).map(|pair| in_gap(pair[1].since(pair[0]))).sum();
            assert_eq!(*beats, fewest, "a message every {mean:?}");
        }

        let lambda = 1.0 / mean.as_secs_f64();
        let rate = lambda / libm::expm1(lambda * threshold.as_secs_f64());
        let time = world.duration.as_secs_f64();
        let rates: Vec<f64> = beats.iter().map(|beats| *beats as f64 / time).collect();
        Estimate::of(&rates).expect(&format!("F7, a message every {mean:?}"), rate, 0.03);
    }
}

/// F6: no policy detects, on average, sooner than 1/(2 rho) + r - a after a break, where rho is the rate of its probes, r
/// the round trip and a the lag; evenly spaced probes that wait for exactly one round trip reach it.
#[test]
fn f6_no_policy_crosses_the_bound() {
    const STRATA: u32 = 10;
    let mut policies: Vec<(String, HeartbeatSpec)> =
        vec![("known-nat-timeout".into(), HeartbeatSpec::KnownNatTimeout(KnownNatTimeout::default()))];
    for (interval, timeout) in [(secs(10), RTT), (secs(30), secs(15)), (secs(45), secs(1)), (secs(120), secs(15))] {
        let (interval, timeout) = (span(interval), span(timeout));
        for misses in [1, 2] {
            for first_beat in [FirstBeat::Now, FirstBeat::Interval, FirstBeat::RandomPhase] {
                for late_reply in [LateReply::Counts, LateReply::Ignored] {
                    let spec = Fixed { interval, timeout, misses, first_beat, late_reply };
                    policies.push((format!("{spec:?}"), HeartbeatSpec::Fixed(spec)));
                }
            }
            for anchor in [Anchor::Tx, Anchor::Rx, Anchor::Either] {
                let spec = Idle { threshold: interval, anchor, timeout: Some(timeout), misses };
                policies.push((format!("{spec:?}"), HeartbeatSpec::Idle(spec)));
            }
        }
    }
    let mut reached = 0;
    for (name, policy) in policies {
        let mut world = world(policy);
        world.duration = Duration::from_hours(4);
        let beats: Vec<Time> = device_events(&go_traced(&world, 1))
            .filter_map(|(at, _, event)| matches!(event, DeviceEvent::HeartbeatSent { .. }).then_some(at))
            .collect();
        let spacing = beats[4].since(beats[3]);
        assert!(beats.windows(2).all(|pair| pair[1].since(pair[0]) == spacing), "{name} beats evenly");
        for broken in &BREAKS {
            let mut sum = Duration::ZERO;
            for stratum in 0..STRATA {
                let begin = beats[3] + broken.lag + spacing * (2 * stratum + 1) / (2 * STRATA);
                world.duration = age(begin) + 4 * spacing;
                sum += detection_time(&world, broken, begin);
            }
            let after_the_lag = sum + STRATA * broken.lag;
            let bound = STRATA * (spacing / 2 + RTT);
            assert!(
                after_the_lag >= bound,
                "{name}, {}: {after_the_lag:?} in sum, lags added; the bound is {bound:?}",
                broken.name
            );
            reached += u32::from(after_the_lag == bound);
        }
    }
    // The one with a known NAT timeout, and the fixed heartbeats (one miss) that wait for just the round trip, for every break.
    assert!(reached >= 7 * BREAKS.len() as u32, "the bound is tight, but only {reached} reach it");
}
