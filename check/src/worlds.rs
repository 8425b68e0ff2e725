//! Random worlds, as strategies of proptest: drawn to break a promise, not to be typical.
//!
//! In the manner of swarm testing (Groce and others, "Swarm testing", ISSTA 2012), it is drawn first which kinds of faults
//! exist in a world, then how often they strike: where everything happens, most combinations never do. Times lie just below,
//! at and just above what the strategy waits for ([`Corners`]), and at offsets from the moments at which it beats. Worlds
//! are small, so that one costs about a millisecond.

use std::time::Duration;

use cardiogram_policies::{
    Time,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::config::{
    Answer, Carrier, Cut, Direction, Distribution, FaultConfig, FaultDraws, FaultKind, FromInside, LinkName,
    NO_NETWORK, NatClass, NatRefresh, Rate, When,
};
use proptest::{prelude::*, sample::select, strategy::Union};

use super::{
    corners::Corners,
    draft::{Draft, Strike},
};

/// What a world is drawn for. A promise is only tested by worlds in which what it is about comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aim {
    /// Nothing is ever wrong.
    Healthy,
    /// After a quiet time something breaks, and stays broken.
    BreaksForGood,
    /// After a quiet time something breaks, with enough time left to see who does not notice it.
    BreaksFor {
        /// How long.
        lasts: Duration,
    },
    /// Things go wrong and come right again, followed by a quiet time.
    Heals,
    /// Things go wrong and come right again, followed by a quiet time that is long enough to see who does not come back.
    HealsFor {
        /// How long the quiet time is.
        quiet: Duration,
    },
    /// Anything, at any time.
    Hostile,
    /// Everybody is disconnected at once, for a while.
    MassDisconnect,
    /// A server that accepts and closes, again and again.
    ShortSessions,
    /// Nothing is wrong, for as long as it takes to learn the NAT's timeout.
    Learning {
        /// How long.
        lasts: Duration,
    },
    /// From a moment on, nothing that the devices send arrives.
    Silence,
}

/// The most messages of a run, about, each way.
const MESSAGES_MAX: u32 = 200;
/// The most beats of a run, about.
const BEATS_MAX: u32 = 400;

/// Worlds for a strategy that stumbles at `corners`.
pub(crate) fn worlds(corners: &Corners, aim: Aim) -> BoxedStrategy<Draft> {
    match aim {
        Aim::Healthy => healthy(corners.clone()),
        Aim::BreaksForGood => breaks_for_good(corners, corners.patience),
        Aim::BreaksFor { lasts } => breaks_for_good(corners, lasts),
        Aim::Heals => heals(corners, corners.recovery),
        Aim::HealsFor { quiet } => heals(corners, quiet),
        Aim::Hostile => hostile(corners.clone()),
        Aim::MassDisconnect => mass_disconnect(corners),
        Aim::ShortSessions => short_sessions(corners),
        Aim::Learning { lasts } => learning(lasts),
        Aim::Silence => silence(corners),
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> + Clone {
    range.prop_map(Duration::from_millis)
}

/// Returns a length of time near one that matters: often exactly that, or a millisecond beside it.
fn near(corners: &Corners) -> impl Strategy<Value = Duration> + use<> {
    let beside = prop_oneof![
        3 => Just(0_i64),
        2 => prop_oneof![Just(-1), Just(1)],
        2 => -100_i64..100,
        2 => -2_000_i64..2_000,
    ];
    let percent = prop_oneof![4 => Just(100_u32), 1 => 20_u32..300];
    (select(corners.marks.clone()), percent, beside).prop_map(|(mark, percent, beside)| {
        let ms = (mark * percent / 100).as_millis() as i64 + beside;
        Duration::from_millis(ms.max(1).cast_unsigned())
    })
}

/// Returns a moment at which something happens to the strategy, or beside it: a number of beats after the connection, and an
/// offset of which the shortest lie between a beat and its reply.
fn moment(corners: &Corners, beats: std::ops::Range<u32>) -> impl Strategy<Value = Duration> + use<> {
    let interval = corners.interval;
    let offset = prop_oneof![
        2 => Just(Duration::ZERO),
        3 => millis(0..400),
        2 => near(corners),
        3 => (0_u32..1_000).prop_map(move |share| interval * share / 1_000),
    ];
    (beats, offset).prop_map(move |(beats, offset)| interval * beats + offset)
}

/// Returns the parts of a world that every aim draws alike; faults and length come later.
fn place(corners: &Corners) -> impl Strategy<Value = Draft> + use<> {
    let traffic = {
        let interval = corners.interval;
        // Some of it keeps beats away for good, some hardly ever.
        let mean = (1_u32..40).prop_map(move |tenths| (interval * tenths / 10).max(secs(2)));
        prop_oneof![
            4 => Just((None, None)),
            1 => mean.clone().prop_map(|up| (Some(up), None)),
            2 => mean.clone().prop_map(|down| (None, Some(down))),
            1 => (mean.clone(), mean).prop_map(|(up, down)| (Some(up), Some(down))),
        ]
    };
    let nat_timeout = prop_oneof![2 => Just(None), 1 => near(corners).prop_map(|timeout| Some(timeout.max(secs(5))))];
    let refresh = prop_oneof![3 => Just(NatRefresh::Both), 2 => Just(NatRefresh::Outbound)];
    let class = prop_oneof![3 => Just(NatClass::DropSilent), 8 => select(NatClass::ALL)];
    let group = prop_oneof![4 => Just((1_u32, Duration::ZERO)), 1 => (2_u32..4, millis(0..20_000))];
    let servers = prop_oneof![3 => Just(1_u32), 1 => 2_u32..4];
    (group, delays(), (nat_timeout, refresh, class), servers, traffic).prop_map(
        |(
            (devices, start_within),
            (access, jitter, core),
            (nat_timeout, nat_refresh, nat_class),
            servers,
            (up, down),
        )| {
            Draft {
                duration: Duration::ZERO,
                devices,
                start_within,
                access,
                jitter,
                core,
                nat_timeout,
                nat_refresh,
                nat_class,
                servers,
                up,
                down,
                alarm_grid: None,
                doze_after: None,
                strikes: Vec::new(),
            }
        },
    )
}

/// Returns the one-way delays of a path: of the access link, what it may add to a packet, of the core link.
fn delays() -> impl Strategy<Value = (Duration, Option<Duration>, Duration)> {
    let jitter = prop_oneof![4 => Just(None), 1 => millis(1..100).prop_map(Some)];
    (millis(1..150), jitter, millis(1..60))
}

/// Timers that are put off, seldom. Only where nobody waits for anything: whoever sleeps notices nothing, and is not back
/// before it wakes, however good its policy.
fn with_late_timers(draft: Draft, corners: &Corners) -> BoxedStrategy<Draft> {
    let grid = (near(corners), Just(draft.clone()))
        .prop_map(|(grid, draft)| Draft { alarm_grid: Some(grid.max(secs(1))), ..draft });
    let doze = (near(corners), Just(draft.clone()))
        .prop_map(|(after, draft)| Draft { doze_after: Some(after.max(secs(1))), ..draft });
    prop_oneof![8 => Just(draft), 1 => grid, 1 => doze].boxed()
}

/// Returns when the devices of a draft have their sessions, or would have them: the first moment worth a fault.
fn connected(draft: &Draft) -> Duration {
    draft.start_within + 4 * (draft.access + draft.jitter.unwrap_or_default() + draft.core)
}

/// Returns a run of this length, and no more messages than it takes.
fn of_length(mut draft: Draft, duration: Duration) -> Draft {
    draft.duration = duration.max(draft.start_within + secs(1));
    let sparse = |mean: Option<Duration>| mean.map(|mean| mean.max(draft.duration / MESSAGES_MAX));
    (draft.up, draft.down) = (sparse(draft.up), sparse(draft.down));
    draft
}

fn healthy(corners: Corners) -> BoxedStrategy<Draft> {
    let beats_most = corners.interval * BEATS_MAX;
    let lengths = prop_oneof![3 => Just(secs(600)), 1 => Just(secs(3_900))];
    (place(&corners), lengths)
        .prop_flat_map(move |(draft, length)| {
            let nat = draft.nat_timeout.map_or(Duration::ZERO, |timeout| 3 * timeout);
            let length = length.max(8 * corners.interval).max(nat).min(beats_most.max(secs(120)));
            with_late_timers(of_length(draft, length), &corners)
        })
        .boxed()
}

fn learning(lasts: Duration) -> BoxedStrategy<Draft> {
    let timeout = prop_oneof![(60_u64..4_000).prop_map(secs), (1_u64..66).prop_map(|minutes| secs(60 * minutes))];
    // Behind a NAT that maps again on the same port every interval lives: there is no timeout to find.
    let has_timeout = |class: &&NatClass| class.from_inside() != FromInside::SamePort;
    let class = select(NatClass::ALL.iter().filter(has_timeout).copied().collect::<Vec<_>>());
    (timeout, class, delays())
        .prop_map(move |(nat_timeout, nat_class, (access, jitter, core))| Draft {
            duration: lasts,
            devices: 1,
            start_within: Duration::ZERO,
            access,
            jitter,
            core,
            nat_timeout: Some(nat_timeout),
            nat_refresh: NatRefresh::Both,
            nat_class,
            servers: 1,
            up: None,
            down: None,
            alarm_grid: None,
            doze_after: None,
            strikes: Vec::new(),
        })
        .boxed()
}

/// Returns what the keys of faults are drawn from: small numbers that a person would write.
fn draws(corners: &Corners) -> FaultDraws {
    let percent = (5_u32..100).prop_map(|percent| Fraction::new(f64::from(percent) / 100.0).expect("below 1"));
    let delay = (50_u64..20_000).prop_map(|delay| Distribution::Constant(Span::millis(delay)));
    let rate = (8_u64..256).prop_map(|kbits| Rate { bits_per_second: 1_000 * kbits, queue: Delay::millis(1_000) });
    FaultDraws {
        // When and how long is said by a strike.
        when: Just(When::At(Vec::new())).boxed(),
        lasts: Just(None).boxed(),
        link: prop_oneof![3 => Just(LinkName::Access), 1 => Just(LinkName::Core)].boxed(),
        delay: delay.boxed(),
        probability: percent.boxed(),
        rate: rate.boxed(),
        span: near(corners).prop_map(|span| Span::at_least(span.max(secs(1)))).boxed(),
        network: Just(NO_NETWORK.to_owned()).boxed(),
        // Promises are about breaks that nobody tells of.
        answers: Just(Answer::Nothing).boxed(),
        carrier: Just(Carrier::Kept).boxed(),
        // What strikes some alone is to them what it is to all, and promises are about each for himself.
        devices: Just(None).boxed(),
    }
}

/// Faults around a process that runs that strike within `beats` beats, of the few kinds that exist in this world.
fn strikes(corners: &Corners, beats: u32) -> BoxedStrategy<Vec<Strike>> {
    strikes_of(kinds().filter(|kind| !kind.stops_devices()).collect(), corners, beats)
}

/// Returns the kinds of faults that these worlds know: there is no proxy in them, which promises nothing a client could, and no
/// server that answers heartbeats and nothing else, which no heartbeat promises to notice.
fn kinds() -> impl Iterator<Item = FaultKind> {
    FaultKind::ALL.iter().copied().filter(|kind| !kind.is_of_proxy() && !kind.answers_heartbeats())
}

/// Faults of these kinds that strike within `beats` beats.
fn strikes_of(kinds: Vec<FaultKind>, corners: &Corners, beats: u32) -> BoxedStrategy<Vec<Strike>> {
    let corners = corners.clone();
    let draws = draws(&corners);
    prop::sample::subsequence(kinds, 1..=4)
        .prop_flat_map(move |kinds| {
            let faults = Union::new(kinds.into_iter().map(|kind| kind.any(&draws)));
            let one = (faults, moment(&corners, 0..beats), near(&corners));
            prop::collection::vec(one.prop_map(|(what, at, lasts)| strike(what, at, lasts)), 1..=5)
        })
        .boxed()
}

/// Returns a fault that ends.
fn strike(what: FaultConfig, at: Duration, lasts: Duration) -> Strike {
    let lasts = what.kind().longest().map_or(lasts, |longest| lasts.min(longest));
    Strike { what, at: vec![at], lasts: Some(lasts) }
}

/// Returns a fault that does not end, if its kind can last to the end of the run.
fn for_good(what: FaultConfig, at: Duration) -> Strike {
    Strike { what, at: vec![at], lasts: None }
}

/// Faults of a kind, or of one of several.
fn any_of<const N: usize>(kinds: [FaultKind; N], corners: &Corners) -> Union<BoxedStrategy<FaultConfig>> {
    let draws = draws(corners);
    Union::new(kinds.map(|kind| kind.any(&draws)))
}

/// Sorted by time and moved to after the connection; faults of one kind that would begin within their own last one are
/// left out, as nothing can break that is broken.
fn from_connection(draft: &Draft, mut strikes: Vec<Strike>) -> Vec<Strike> {
    let from = connected(draft);
    strikes.sort_by_key(|strike| (strike.at[0], strike.what.kind()));
    let mut kept: Vec<Strike> = Vec::new();
    for mut strike in strikes {
        strike.at[0] += from;
        let same_kind = kept.iter().filter(|other| other.what.kind() == strike.what.kind());
        if same_kind.map(end).all(|end| end < strike.at[0]) {
            kept.push(strike);
        }
    }
    kept
}

/// Returns when the effect of a fault is over, with what it takes a process to come back, or a packet to arrive; its begin, if
/// it never is.
fn end(strike: &Strike) -> Duration {
    let last = strike.fault().periods().and_then(|periods| periods.last().copied());
    let (begin, end) = last.expect("strikes have times");
    end.unwrap_or(begin).since(Time::ZERO)
}

fn last_end(draft: &Draft, strikes: &[Strike]) -> Duration {
    strikes.iter().map(end).max().unwrap_or_else(|| connected(draft))
}

fn heals(corners: &Corners, quiet: Duration) -> BoxedStrategy<Draft> {
    (place(corners), strikes(corners, 4), 1_u64..30)
        .prop_map(move |(mut draft, strikes, more)| {
            draft.strikes = from_connection(&draft, strikes);
            let healed = last_end(&draft, &draft.strikes);
            of_length(draft, healed + quiet + secs(more))
        })
        .boxed()
}

fn hostile(corners: Corners) -> BoxedStrategy<Draft> {
    // A process that is killed notices nothing and forgets what it did: where anything is counted, none is.
    (place(&corners), strikes_of(kinds().collect(), &corners, 8), any::<bool>())
        .prop_flat_map(move |(mut draft, strikes, endless)| {
            draft.strikes = from_connection(&draft, strikes);
            if let (true, Some(last)) = (endless, draft.strikes.last_mut()) {
                *last = for_good(last.fault(), last.at[0]);
            }
            let length = (last_end(&draft, &draft.strikes) + secs(60)).max(4 * corners.interval);
            with_late_timers(of_length(draft, length), &corners)
        })
        .boxed()
}

fn breaks_for_good(corners: &Corners, lasts: Duration) -> BoxedStrategy<Draft> {
    let before = prop_oneof![2 => Just(Vec::new()), 1 => strikes(corners, 2)];
    // Half of them are cuts, since these differ most among themselves.
    let others = [FaultKind::NatFlush, FaultKind::ServerStall, FaultKind::ServerCrash, FaultKind::ServerVanish];
    let what = prop_oneof![any_of([FaultKind::Cut], corners), any_of(others, corners)];
    let recovery = corners.recovery.min(secs(600));
    (place(corners), before, what, moment(corners, 0..4))
        .prop_map(move |(mut draft, before, what, moment)| {
            draft.strikes = from_connection(&draft, before);
            // Whoever lost a session before has another one by then.
            let quiet = if draft.strikes.is_empty() { Duration::ZERO } else { recovery };
            let begin = last_end(&draft, &draft.strikes) + quiet + moment;
            draft.strikes.push(for_good(what, begin));
            of_length(draft, begin + lasts + secs(10))
        })
        .boxed()
}

fn silence(corners: &Corners) -> BoxedStrategy<Draft> {
    let ways =
        [(LinkName::Access, Direction::Both), (LinkName::Access, Direction::Up), (LinkName::Core, Direction::Up)];
    let what = select(ways.to_vec()).prop_map(|(link, direction)| {
        let (devices, when, answers) = (None, When::At(Vec::new()), Answer::Nothing);
        FaultConfig::Cut(Cut { devices, link, direction, when, lasts: None, answers, carrier: Carrier::Kept })
    });
    // Whoever does not notice has its server's kernel give up after a quarter of an hour, or two.
    let lasts = corners.reaped.max(corners.patience).max(secs(2_400));
    (place(corners), what, moment(corners, 0..4))
        .prop_map(move |(mut draft, what, moment)| {
            let begin = connected(&draft) + moment;
            draft.strikes = vec![for_good(what, begin)];
            of_length(draft, begin + lasts + secs(10))
        })
        .boxed()
}

fn mass_disconnect(corners: &Corners) -> BoxedStrategy<Draft> {
    let is_hasty = corners.is_hasty;
    let what = any_of([FaultKind::ServerCrash, FaultKind::ServerRestart], corners);
    let lasts = prop_oneof![(90_u64..600).prop_map(secs), near(corners).prop_map(|lasts| lasts.min(secs(900)))];
    (place(corners), what, lasts, 20_u32..30, moment(corners, 0..2))
        .prop_map(move |(mut draft, what, mut lasts, devices, moment)| {
            if is_hasty {
                // Some ten attempts a second of each, for as long as it takes to see them together.
                draft.access = draft.access.max(Duration::from_millis(50));
                lasts = lasts.min(secs(70));
            }
            draft.devices = devices;
            (draft.nat_timeout, draft.servers) = (None, 1);
            (draft.up, draft.down) = (None, None);
            let begin = connected(&draft) + secs(30) + moment;
            draft.strikes = vec![Strike { what, at: vec![begin], lasts: Some(lasts) }];
            of_length(draft, begin + lasts + secs(60))
        })
        .boxed()
}

fn short_sessions(corners: &Corners) -> BoxedStrategy<Draft> {
    // Shorter than a handshake, so that a session comes about between two crashes.
    (place(corners), any_of([FaultKind::ServerCrash], corners), millis(1_500..4_800), 12_u32..40)
        .prop_map(|(mut draft, what, gap, times)| {
            (draft.nat_timeout, draft.servers, draft.devices) = (None, 1, 1);
            (draft.up, draft.down) = (None, None);
            let from = connected(&draft) + secs(30);
            let at: Vec<Duration> = (0..times).map(|time| from + gap * time).collect();
            let end = *at.last().expect("there are twelve at least");
            draft.strikes = vec![Strike { what, at, lasts: Some(Duration::from_millis(100)) }];
            of_length(draft, end + secs(60))
        })
        .boxed()
}

#[cfg(test)]
pub(crate) mod tests {
    use cardiogram_policies::{StrategySpec, preset};
    use cardiogram_scenarios::load;
    use proptest::{
        strategy::ValueTree as _,
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };

    use super::*;
    use crate::counterexample::plain_heading;

    const AIMS: [Aim; 10] = [
        Aim::Healthy,
        Aim::BreaksForGood,
        Aim::BreaksFor { lasts: secs(1_200) },
        Aim::Heals,
        Aim::HealsFor { quiet: secs(3_600) },
        Aim::Hostile,
        Aim::MassDisconnect,
        Aim::ShortSessions,
        Aim::Learning { lasts: secs(2 * 86_400) },
        Aim::Silence,
    ];

    fn strategy(name: &str) -> StrategySpec {
        preset::find(name).expect("a preset").spec()
    }

    /// Equal values in each run of the test.
    fn drawn<T: std::fmt::Debug>(generator: &BoxedStrategy<T>, count: usize) -> Vec<T> {
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
        (0..count).map(|_| generator.new_tree(&mut runner).expect("nothing is rejected").current()).collect()
    }

    fn draws(strategy: &StrategySpec, aim: Aim, count: usize) -> Vec<Draft> {
        drawn(&worlds(&Corners::of(strategy), aim), count)
    }

    /// Returns a fault of every kind.
    pub(crate) fn one_of_each_kind() -> Vec<FaultConfig> {
        let draws = super::draws(&Corners::of(&strategy("none")));
        kinds().flat_map(|kind| drawn(&kind.any(&draws), 1)).collect()
    }

    #[test]
    fn every_world_that_is_drawn_can_run() {
        for name in ["none", "netease-30-15", "linux-keepalive", "mars-smart-heartbeat", "polling-90s", "sip-outbound"]
        {
            let strategy = strategy(name);
            for aim in AIMS {
                for draft in draws(&strategy, aim, 80) {
                    let text = draft.to_toml(&plain_heading(), None);
                    let scenario =
                        load::parse_scenario("drawn", &text).unwrap_or_else(|it| panic!("{}", it.render(false)));
                    let problems = scenario.world(&strategy).problems();
                    assert!(problems.is_empty(), "{name}, {aim:?}: {problems:?}\n{text}");
                }
            }
        }
    }

    /// Returns whether some of the worlds have the corner, which is how a person would say it of one.
    #[track_caller]
    fn are_drawn(worlds: &[Draft], corner: impl Fn(&Draft) -> bool) {
        let count = worlds.iter().filter(|draft| corner(draft)).count();
        assert!(count >= 3, "{count} of {} worlds have this corner", worlds.len());
    }

    fn any_strike(draft: &Draft, is: impl Fn(&Strike) -> bool) -> bool {
        draft.strikes.iter().any(is)
    }

    #[test]
    fn nat_timeouts_just_above_and_just_below_the_interval_are_drawn() {
        let worlds = draws(&strategy("netease-30-15"), Aim::Healthy, 2_000);
        let beside = |ms: std::ops::RangeInclusive<i128>| {
            move |draft: &Draft| draft.nat_timeout.is_some_and(|it| ms.contains(&(it.as_millis() as i128 - 30_000)))
        };
        are_drawn(&worlds, beside(-100..=-1));
        are_drawn(&worlds, beside(0..=0));
        are_drawn(&worlds, beside(1..=100));
    }

    #[test]
    fn cuts_that_end_just_before_detection_are_drawn() {
        let worlds = draws(&strategy("netease-30-15"), Aim::Heals, 3_000);
        let just_before = |lasts: Duration| lasts < secs(45) && lasts + secs(2) > secs(45);
        are_drawn(&worlds, |draft| {
            any_strike(draft, |it| it.what.kind() == FaultKind::Cut && it.lasts.is_some_and(just_before))
        });
    }

    #[test]
    fn loss_and_traffic_in_one_direction_alone_are_drawn() {
        for aim in [Aim::Heals, Aim::Hostile, Aim::BreaksForGood] {
            let worlds = draws(&strategy("netease-30-15"), aim, 1_000);
            for way in [Direction::Up, Direction::Down] {
                let is_one_way = |it: &Strike| matches!(&it.what, FaultConfig::Cut(cut) if cut.direction == way);
                are_drawn(&worlds, |draft| any_strike(draft, is_one_way));
            }
            are_drawn(&worlds, |draft| draft.up.is_some() && draft.down.is_none());
            are_drawn(&worlds, |draft| draft.up.is_none() && draft.down.is_some());
        }
    }

    #[test]
    fn evictions_between_a_beat_and_its_reply_are_drawn() {
        let worlds = draws(&strategy("netease-30-15"), Aim::BreaksForGood, 3_000);
        are_drawn(&worlds, |draft| {
            let round_trip = 2 * (draft.access + draft.core);
            any_strike(draft, |it| {
                let since = it.at[0].saturating_sub(connected(draft)).as_micros();
                let since_beat = since % secs(30).as_micros();
                it.what.kind() == FaultKind::NatFlush
                    && since >= 30_000_000
                    && (1..round_trip.as_micros()).contains(&since_beat)
            })
        });
    }

    #[test]
    fn server_restarts_while_devices_wait_to_come_back_are_drawn() {
        let worlds = draws(&strategy("netease-30-15"), Aim::Heals, 3_000);
        are_drawn(&worlds, |draft| {
            let ends: Vec<Duration> =
                draft.strikes.iter().filter(|it| it.what.kind() != FaultKind::ServerRestart).map(end).collect();
            any_strike(draft, |it| {
                it.what.kind() == FaultKind::ServerRestart
                    && ends.iter().any(|end| *end < it.at[0] && it.at[0] < *end + secs(10))
            })
        });
    }

    #[test]
    fn a_doze_across_the_timeout_of_a_nat_is_drawn() {
        let worlds = draws(&strategy("netease-30-15"), Aim::Healthy, 2_000);
        are_drawn(&worlds, |draft| {
            let (Some(doze), Some(timeout)) = (draft.doze_after, draft.nat_timeout) else { return false };
            doze + timeout < draft.duration
        });
    }
}
