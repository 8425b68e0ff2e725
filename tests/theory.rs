//! The simulator against the exact formulas of failure-detector theory: detection time, false alarms, NAT eviction and
//! the bound that no policy can beat, each formula stated and derived where it is used.
//!
//! The names F1 to F7 are those of the theory this project is held to. Statistical tests have fixed seeds and allow 4.5
//! standard errors; each also demands an error small enough to notice a formula that is a few per cent off.

mod common;

use std::time::Duration;

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, Time,
    heartbeat::{Anchor, FirstBeat, Fixed, Idle, LateReply},
    unit::{Delay, Fraction},
};
use cardiogram_sim::{
    WorldConfig,
    config::{Cut, Direction, FaultConfig, LinkName, NatClass, NatConfig, NatRefresh, TrafficConfig, When},
    outcome::{Cause, DetectedBy, EpisodeOutcome},
    trace::{DeviceEvent, NatEvent, NodeId, What},
};
use common::*;

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
        fault: |at| FaultConfig::Stall(server_fault(at, None)),
        lag: Duration::from_millis(50),
    },
    Break {
        name: "vanish",
        cause: Cause::ServerVanish,
        fault: |at| FaultConfig::Vanish(server_fault(at, None)),
        lag: Duration::from_millis(50),
    },
    Break { name: "NAT flush", cause: Cause::NatFlush, fault: flush, lag: Duration::from_millis(80) },
];

/// The detection time of a break at `begin` in a world that ends long after it: must be an episode of the right cause,
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
            assert_eq!(sum, STRATA * (interval / 2 + patience) - STRATA * broken.lag, "{}, {spec:?}", broken.name);
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
    /// T N_n + tau.
    fn detection_over_sessions(self) -> f64 {
        let Self { interval_s: t, timeout_s: tau, misses: n, q, lag_s: a } = self;
        // Still `left` misses to go, the next of them by the next beat; V from `from` to T.
        let until_next = |left: u32, from: f64| {
            (t - from) * (f64::from(left) * t + tau) - (t * t - from * from) / 2.0
        };
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

/// A world in which single packets are lost on the access link, each way, with probability `loss`, and in which TCP's
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
