//! Laws between runs: what must follow for one world from what another did. No formula has to be known for them, so they
//! hold the whole machine to account, policies, TCP, truth and all.
//!
//! | law | test |
//! |---|---|
//! | all times longer by a factor: every moment is, every count stays | [`all_times_scale_together`] |
//! | everything later: everything is | [`the_epoch_does_not_matter`] |
//! | more loss: no beat is answered that was not before | [`more_loss_never_answers_a_beat_more`] |
//! | more beats: no later detection | [`a_superset_of_beats_detects_no_later`] |
//! | no loss: no false alarm | `policies_that_promise_no_false_alarm_raise_none` in `invariants.rs` |
//! | the same strategy: the same run | `a_strategy_compared_with_itself_differs_by_nothing` in `paired.rs` |
//! | another strategy: the same world | `faults_strike_at_the_same_moments_whatever_the_strategy` and more in `paired.rs` |

use std::{collections::BTreeSet, time::Duration};

use cardiogram_policies::{
    HeartbeatSpec, LossReason, ReconnectSpec, Time,
    heartbeat::{Anchor, Idle},
    reconnect::FixedDelay,
    server::IdleReaper,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Cost, FaultConfig, LinkName, LossBurst, NatClass, ServerDrain},
    outcome::{Accuracy, DetectedBy, Detection, Episode, FalseAlarm, Mistake},
    trace::DeviceEvent,
};
use kit::common::*;
use proptest::prelude::*;

/// A world in which every time is a number of milliseconds, and the kernel's own timers, which do not scale, decide
/// nothing: no packet that matters is ever lost, for while a server stalls its kernel acknowledges.
#[derive(Clone, Debug)]
struct Recipe {
    interval: u64,
    /// As a share of the interval.
    timeout_percent: u64,
    misses: u32,
    idle: bool,
    retry: u64,
    connect_timeout: u64,
    heartbeat_cost: u64,
    reaper: Option<u64>,
    after_expiry: NatClass,
    /// Which kind, when, how long.
    faults: Vec<(u8, u64, u64)>,
}

const HOUR_MS: u64 = 3_600_000;

fn recipe() -> impl Strategy<Value = Recipe> {
    let heartbeat = (5_000_u64..120_000, 1_u64..100, 1_u32..4, any::<bool>());
    let class = prop::sample::select(NatClass::ALL);
    let faults = prop::collection::vec((0_u8..5, 1_000..HOUR_MS, 1_u64..300_000), 1..6);
    let server = (0_u64..200, prop::option::of(10_000_u64..400_000));
    (heartbeat, 0_u64..60_000, 1_000_u64..30_000, server, class, faults).prop_map(
        |((interval, timeout_percent, misses, idle), retry, connect_timeout, server, after_expiry, faults)| {
            let (heartbeat_cost, reaper) = server;
            Recipe {
                interval,
                timeout_percent,
                misses,
                idle,
                retry,
                connect_timeout,
                heartbeat_cost,
                reaper,
                after_expiry,
                faults,
            }
        },
    )
}

impl Recipe {
    /// Returns the world with all times `scale` times as long.
    fn world(&self, scale: u64) -> WorldConfig {
        let ms = |time: u64| millis(time * scale);
        let (interval, timeout) = (ms(self.interval), ms(self.interval * self.timeout_percent / 100));
        let heartbeat = if self.idle {
            HeartbeatSpec::Idle(Idle {
                threshold: span(interval),
                anchor: Anchor::Rx,
                timeout: Some(span(timeout)),
                misses: self.misses,
            })
        } else {
            fixed(interval, timeout, self.misses)
        };
        let mut world = world(heartbeat);
        world.duration = ms(HOUR_MS);
        (world.access, world.core) = (link(ACCESS * scale as u32), link(CORE * scale as u32));
        world.nat[0].established = constant(ms(10 * HOUR_MS));
        world.nat[0].after_expiry = self.after_expiry.into();
        world.server.heartbeat_cost = Cost::constant(ms(self.heartbeat_cost));
        world.strategy.connect_timeout = span(ms(self.connect_timeout));
        if self.retry > 0 {
            world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: span(ms(self.retry)) });
        }
        if let Some(idle) = self.reaper {
            world.strategy.server =
                IdleReaper::new(span(ms(idle)), Delay::new(ms(1_000)).expect("a second or two")).into();
        }
        let fault = |&(kind, begin, lasts): &(u8, u64, u64)| {
            let begin = Time::from_millis(begin * scale);
            let server = || server_fault(begin, Some(ms(lasts)));
            match kind {
                0 => FaultConfig::ServerStall(server()),
                1 => FaultConfig::ServerPause(server()),
                2 => FaultConfig::ServerCrash(server()),
                3 => flush(begin),
                _ => {
                    let (over, restart) = (span(ms(lasts)), span(ms(2_000)));
                    FaultConfig::ServerDrain(ServerDrain {
                        devices: None,
                        server: None,
                        when: at(begin),
                        over,
                        restart,
                    })
                }
            }
        };
        world.faults = self.faults.iter().map(fault).collect();
        world
    }
}

/// What a run comes to, without what the kernels' own timers have a part in: acknowledgements, repetitions, and how long a server
/// keeps a session that nobody uses, which they may end.
#[derive(Debug, PartialEq)]
struct Summary {
    episodes: Vec<Episode>,
    false_alarms: Vec<FalseAlarm>,
    accuracy: Accuracy,
    spans: [Duration; 2],
    counts: [u64; 4],
}

impl Summary {
    fn of(outcome: Outcome) -> Self {
        let totals = outcome.totals;
        Self {
            spans: [outcome.usable_time, outcome.server_busy],
            counts: [totals.heartbeats_sent, totals.heartbeats_answered, totals.connect_attempts, totals.sessions],
            episodes: outcome.episodes,
            false_alarms: outcome.false_alarms,
            accuracy: outcome.accuracy,
        }
    }

    /// The same with every moment moved and every span stretched.
    fn with_times(self, moment: impl Fn(Time) -> Time, stretch: impl Fn(Duration) -> Duration) -> Self {
        let episode = |it: Episode| Episode {
            begin: moment(it.begin),
            end: it.end.map(&moment),
            detection: it.detection.map(|Detection { at, by }| Detection { at: moment(at), by }),
            suspected: it.suspected.map(&moment),
            ..it
        };
        let alarm = |it: FalseAlarm| FalseAlarm { at: moment(it.at), end: it.end.map(&moment), ..it };
        let mistake = |it: Mistake| Mistake { begin: moment(it.begin), end: moment(it.end), ..it };
        Self {
            episodes: self.episodes.into_iter().map(episode).collect(),
            false_alarms: self.false_alarms.into_iter().map(alarm).collect(),
            accuracy: Accuracy {
                observed: stretch(self.accuracy.observed),
                trusted: stretch(self.accuracy.trusted),
                mistakes: self.accuracy.mistakes.into_iter().map(mistake).collect(),
                ..self.accuracy
            },
            spans: self.spans.map(stretch),
            counts: self.counts,
        }
    }
}

proptest! {
    // Some worlds are left out, of however many there are.
    #![proptest_config(ProptestConfig { cases: 128, max_global_rejects: u32::MAX, ..ProptestConfig::default() })]

    #[test]
    fn all_times_scale_together(recipe in recipe(), scale in 2_u64..4) {
        let (once, longer) = (go(&recipe.world(1), 1), go(&recipe.world(scale), 1));
        // A flush within a handshake or an exchange leaves it to a kernel's timer, which does not scale; and a very patient
        // policy leaves it to the kernel's own patience.
        let answers = recipe.after_expiry != NatClass::DropSilent;
        let gives_up = |it: &Episode| {
            let by = it.detection.map(|detection| detection.by);
            by == Some(DetectedBy::Transport(LossReason::RetransmissionTimeout))
        };
        let waits = |Outcome { totals, episodes, .. }: &Outcome| {
            totals.up.tcp.syn > totals.connect_attempts
                || totals.down.tcp.retransmission > 0
                || answers && totals.up.tcp.retransmission > 0
                || episodes.iter().any(gives_up)
        };
        // So does a FIN that finds the mapping forgotten, where it comes back on the same port: the server's kernel repeats it.
        let has = |kinds: &[u8]| recipe.faults.iter().any(|(kind, ..)| kinds.contains(kind));
        prop_assume!(recipe.after_expiry != NatClass::RemapSamePort || !has(&[3]) || !has(&[2, 4]));
        prop_assume!(!waits(&once) && !waits(&longer));
        let (once, longer) = (Summary::of(once), Summary::of(longer));
        let moment = |at: Time| Time::ZERO + age(at) * scale as u32;
        prop_assert_eq!(longer, once.with_times(moment, |span| span * scale as u32));
    }
}

/// A device that starts later, in a world where everything goes wrong as much later, lives the same life.
#[test]
fn the_epoch_does_not_matter() {
    /// Returns when the device of this world starts, before anything has gone wrong.
    fn start(world: &WorldConfig, seed: u64) -> Duration {
        let outcome = go_traced(&WorldConfig { faults: Vec::new(), duration: secs(60), ..world.clone() }, seed);
        age(device_events(&outcome).next().expect("it starts").0)
    }
    let life = |seed: u64| {
        let mut world = world(fixed(secs(30), secs(10), 2));
        world.devices.start_within = Delay::millis(30_000);
        world.nat[0].established = Span::secs(45).into();
        world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(5) });
        let start = start(&world, seed);
        let since_start = |after: u64| Time::ZERO + start + secs(after);
        world.duration = start + secs(3_000);
        world.faults = vec![
            cut(since_start(100), Some(secs(20))),
            cut(since_start(500), Some(secs(130))),
            FaultConfig::ServerStall(server_fault(since_start(1_000), Some(secs(90)))),
            flush(since_start(1_500)),
            FaultConfig::ServerVanish(server_fault(since_start(2_000), Some(secs(40))).into()),
        ];
        (start, Summary::of(go(&world, seed)))
    };
    let (first_start, first) = life(1);
    assert_eq!(first.episodes.len(), 5, "{:?}", first.episodes);
    let since = |start: Duration, it: Summary| it.with_times(|at| at - start, |span| span);
    let first = since(first_start, first);
    for seed in 2..12 {
        let (start, other) = life(seed);
        assert_ne!(start, first_start);
        assert_eq!(since(start, other), first, "a start {start:?} into the run");
    }
}

/// A packet's coin does not depend on the probability it is held against. So the beats that get no timely answer with
/// little loss get none with more; nothing gives up here, and every beat stays on its grid.
#[test]
fn more_loss_never_answers_a_beat_more() {
    // Too short for a retransmission to help, and long enough for what comes through at once.
    let timeout = millis(150);
    let missed = |seed: u64, loss: f64| -> BTreeSet<u32> {
        let mut world = world(fixed(secs(60), timeout, 1_000));
        world.duration = Duration::from_hours(12);
        world.faults = vec![FaultConfig::LossBurst(LossBurst {
            devices: None,
            link: LinkName::Access,
            direction: cardiogram_sim::config::Direction::Both,
            when: at(Time::from_secs(1)),
            lasts: None,
            loss: Fraction::new(loss).expect("a probability"),
        })];
        let outcome = go_traced(&world, seed);
        assert_eq!(outcome.totals.sessions, 1, "nobody gives up");
        let timely = device_events(&outcome).filter_map(|(.., event)| match event {
            DeviceEvent::HeartbeatAnswered { id, rtt } if rtt <= timeout => Some(id),
            _ => None,
        });
        let timely: BTreeSet<u32> = timely.collect();
        (0..outcome.totals.heartbeats_sent as u32).filter(|id| !timely.contains(id)).collect()
    };
    for seed in 0..4 {
        let by_loss = [0.0, 0.01, 0.03, 0.1].map(|loss| missed(seed, loss));
        assert!(by_loss[0].is_empty() && by_loss[3].len() > 80, "{by_loss:?}");
        for pair in by_loss.windows(2) {
            assert!(pair[0].is_subset(&pair[1]) && pair[0].len() < pair[1].len(), "{pair:?}");
        }
    }
}

/// Where one miss is enough and nothing is lost by chance, who beats at all the moments of another and at more does not
/// notice a break later.
#[test]
fn a_superset_of_beats_detects_no_later() {
    let breaks: [fn(Time) -> FaultConfig; 5] = [
        |at| cut(at, None),
        |at| FaultConfig::ServerStall(server_fault(at, None)),
        |at| FaultConfig::ServerVanish(server_fault(at, None).into()),
        |at| FaultConfig::ServerCrash(server_fault(at, None)),
        flush,
    ];
    let (mut sooner, mut count) = (0, 0);
    for (number, broken) in (0_u32..).zip(breaks) {
        for step in 0..30 {
            // Beats of every 120 s; 7.3 s is no part of it.
            let begin = CONNECTED + secs(200) + millis(7_300) * step + millis(100) * number;
            let latency = |interval: u64| {
                let mut world = world(fixed(secs(interval), secs(4), 1));
                (world.duration, world.faults) = (secs(800), vec![broken(begin)]);
                let outcome = go(&world, 1);
                assert_eq!(outcome.false_alarms, []);
                let first = outcome.episodes.first().expect("a break");
                assert_eq!(first.begin, begin);
                first.detection.expect("everything is noticed").at.since(begin)
            };
            let latencies = [120, 60, 20, 4].map(latency);
            assert!(latencies.is_sorted_by(|few, many| few >= many), "{begin}: {latencies:?}");
            sooner += usize::from(latencies[3] < latencies[0]);
            count += 1;
        }
    }
    // A crash tells at once, whoever asks; the others are found sooner in all but the last 4 s of an interval.
    assert!(sooner > count / 2, "{sooner} of {count}");
}
