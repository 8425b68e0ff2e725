//! Tries to break what reconnect policies promise, whatever waits and rules they are made of: a host whose servers refuse,
//! time out, drop and send away as they like, whose network comes and goes, and whose application turns.

use std::time::Duration;

use cardiogram_policies::{
    AppState, AttemptFailure, Bounds, GiveUp, HeartbeatSpec, LossReason, Network, PolicyRng, Reconnect,
    ReconnectAction, ReconnectEvent, ReconnectRules, ReconnectSpec, ServerChoice, StrategySpec, Time,
    reconnect::{
        ActioncablePoll, AttemptTimeout, CapAt, CircuitBreaker, CourierRetry, DelayFrom, Denied, Ended,
        ExponentialBackoff, FixedDelay, FullPass, GiveUpAfter, Jitter, LimitBy, Linear, MarsLonglinkMonitor,
        NetworkChange, NetworkCheck, PollBackoff, ProcessScale, Reset, RetryBudget, RetryLimit, RetryQuota,
        RetryThrottle, Rotation, ServerBan, Steps, Then, Trip, WhenHidden, WindowTrip,
    },
    unit::{Delay, Fraction, Span},
};
use proptest::{option, prelude::*};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn rng(seed: u64) -> PolicyRng {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

fn bounds(servers: u32) -> Bounds {
    let spec = strategy(ReconnectSpec::Immediate, ReconnectRules::default());
    assert_eq!(spec.connect_timeout.get(), CONNECT_TIMEOUT);
    Bounds::healthy(Duration::from_millis(100)).with_handshake_max(Duration::from_secs(1)).with_servers(servers)
}

fn strategy(reconnect: ReconnectSpec, reconnect_rules: ReconnectRules) -> StrategySpec {
    StrategySpec::new("random", HeartbeatSpec::None).with_reconnect(reconnect).with_reconnect_rules(reconnect_rules)
}

fn fraction() -> impl Strategy<Value = Fraction> + Clone {
    (0.0..=1.0).prop_map(|share| Fraction::new(share).expect("a share"))
}

fn span(ms: std::ops::Range<u64>) -> impl Strategy<Value = Span> + Clone {
    ms.prop_map(Span::millis)
}

fn delay(ms: std::ops::Range<u64>) -> impl Strategy<Value = Delay> + Clone {
    ms.prop_map(Delay::millis)
}

fn any_jitter() -> impl Strategy<Value = Jitter> + Clone {
    prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        fraction().prop_map(Jitter::Proportional),
        fraction().prop_map(Jitter::Below),
        fraction().prop_map(Jitter::Backo2),
        delay(0..10_000).prop_map(Jitter::Added),
        delay(0..10_000).prop_map(Jitter::Above),
    ]
}

fn any_scale() -> impl Strategy<Value = Option<ProcessScale>> + Clone {
    let scale = (1_u32..20, 0_u32..20, any::<bool>()).prop_map(|(least, more, whole)| ProcessScale {
        least: least.into(),
        most: (least + more).into(),
        whole,
    });
    option::weighted(0.3, scale)
}

fn any_delay_from() -> impl Strategy<Value = DelayFrom> + Clone {
    prop_oneof![Just(DelayFrom::Failure), Just(DelayFrom::AttemptStart)]
}

fn any_attempt_timeout() -> impl Strategy<Value = AttemptTimeout> + Clone {
    prop_oneof![
        6 => Just(AttemptTimeout::Same),
        1 => Just(AttemptTimeout::AsWait),
        2 => prop::collection::vec(span(500..30_000), 1..4).prop_map(AttemptTimeout::Steps),
    ]
}

fn any_reset() -> impl Strategy<Value = Reset> + Clone {
    prop_oneof![Just(Reset::Established), Just(Reset::Connected), span(1_000..60_000).prop_map(Reset::Uptime)]
}

fn any_exponential() -> impl Strategy<Value = ExponentialBackoff> {
    let jitter = prop_oneof![6 => any_jitter(), 1 => Just(Jitter::Decorrelated)];
    let cap_at = prop_oneof![Just(CapAt::BeforeJitter), Just(CapAt::AfterJitter), Just(CapAt::Both)];
    let shape = (1_u64..10_000, 1_u64..100, 1.0..=10.0, cap_at, jitter, any::<bool>());
    let rest = (any_scale(), any_delay_from(), any_reset(), delay(0..5_000), any_attempt_timeout());
    let extra =
        (1_u32..5, any::<bool>(), delay(0..2_000), delay(0..5_000), any::<bool>(), option::weighted(0.2, 1_u32..9));
    (shape, rest, extra).prop_map(
        |(
            (base_ms, times, factor, cap_at, jitter, first_exact),
            (scale, delay_from, reset, after_loss, attempt_timeout),
            (flat_for, compounds, minimum, first_added, first_at_once, starts_over_after),
        )| {
            let scaled = base_ms * scale.map_or(1, |scale: ProcessScale| scale.most as u64);
            let (base, cap) = (Span::millis(base_ms), Span::millis(scaled * times));
            let compounds = compounds && !matches!(jitter, Jitter::None | Jitter::Decorrelated);
            ExponentialBackoff {
                base,
                factor,
                cap,
                cap_at,
                jitter,
                first_exact,
                flat_for,
                compounds,
                minimum,
                starts_over_after,
                scale,
                delay_from,
                reset,
                after_loss,
                first_added,
                first_at_once,
                attempt_timeout,
            }
        },
    )
}

/// `after_loss` and `first_added`.
fn any_starts() -> impl Strategy<Value = (Delay, Delay)> + Clone {
    (delay(0..5_000), delay(0..5_000))
}

fn any_steps() -> impl Strategy<Value = Steps> {
    let waits = (prop::collection::vec(delay(0..60_000), 0..8), delay(1..60_000));
    let then = prop_oneof![4 => Just(Then::RepeatLast), 1 => Just(Then::GiveUp)];
    let rest = (any_starts(), any_attempt_timeout());
    (waits, then, any_jitter(), any_scale(), any_delay_from(), any_reset(), rest).prop_map(
        |((mut waits, last), then, jitter, scale, delay_from, reset, ((after_loss, first_added), attempt_timeout))| {
            waits.push(last);
            Steps { waits, then, jitter, scale, delay_from, reset, after_loss, first_added, attempt_timeout }
        },
    )
}

fn any_waits() -> impl Strategy<Value = ReconnectSpec> {
    let linear = (1_u64..10_000, 1_u64..100, any_jitter(), any_delay_from(), any_reset(), any_starts()).prop_map(
        |(base_ms, times, jitter, delay_from, reset, (after_loss, first_added))| {
            let (base, cap) = (Span::millis(base_ms), Span::millis(base_ms * times));
            ReconnectSpec::Linear(Linear { base, cap, jitter, delay_from, reset, after_loss, first_added })
        },
    );
    let courier = (span(1..10_000), 1_u64..20, 0_u32..12, 1_u64..20, any_reset()).prop_map(
        |(fixed, random, threshold, times, reset)| {
            let cap = Span::new(fixed.get() * times as u32).expect("a span");
            let random = Span::secs(random);
            ReconnectSpec::CourierRetry(CourierRetry { fixed, random, threshold, cap, reset })
        },
    );
    let backoff = option::of(Just(PollBackoff::default()));
    let ends = (delay(0..2_000), any::<bool>());
    let poll = (span(100..5_000), 1_u64..10, span(100..20_000), delay(0..5_000), ends, backoff).prop_map(
        |(least, times, stale, last_ping, (reopen, cuts), backoff)| {
            let most = Span::new(least.get() * times as u32).expect("a span");
            ReconnectSpec::ActioncablePoll(ActioncablePoll { least, most, stale, last_ping, reopen, cuts, backoff })
        },
    );
    let mars = span(1_000..1_000_000)
        .prop_map(|inactive_after| ReconnectSpec::MarsLonglinkMonitor(MarsLonglinkMonitor { inactive_after }));
    prop_oneof![
        1 => Just(ReconnectSpec::Immediate),
        1 => span(1..60_000).prop_map(|delay| ReconnectSpec::FixedDelay(FixedDelay { delay })),
        2 => linear,
        5 => any_exponential().prop_map(ReconnectSpec::Exponential),
        4 => any_steps().prop_map(ReconnectSpec::Steps),
        1 => any_exponential().prop_map(ReconnectSpec::OnCall),
        1 => courier,
        1 => poll,
        2 => mars,
    ]
}

fn any_limit() -> impl Strategy<Value = RetryLimit> {
    let budget = (span(1_000..60_000), 0.0..3.0, fraction())
        .prop_map(|(ttl, reserve_per_s, ratio)| LimitBy::Budget(RetryBudget { ttl, reserve_per_s, ratio }));
    let quota = (1_u32..200, 0_u32..10)
        .prop_map(|(more, cost)| LimitBy::Quota(RetryQuota { capacity: 10 + more, cost, timeout_cost: 10 }));
    let throttle = (1_u32..20, 0.01..1.0)
        .prop_map(|(max_tokens, token_ratio)| LimitBy::Throttle(RetryThrottle { max_tokens, token_ratio }));
    let denied = prop_oneof![Just(Denied::Stop), span(1..120_000).prop_map(Denied::FreshAfter)];
    (prop_oneof![budget, quota, throttle], denied).prop_map(|(by, denied)| RetryLimit { by, denied })
}

fn any_breaker() -> impl Strategy<Value = CircuitBreaker> {
    let window = (1_u32..20, 0.0..=1.0, 0.05..=1.0).prop_map(|(attempts, part, share)| {
        let at_least = ((f64::from(attempts) * part) as u32).max(1);
        Trip::Window(WindowTrip { attempts, at_least, failures: Fraction::new(share).expect("a share") })
    });
    let trip = prop_oneof![(1_u32..10).prop_map(Trip::Consecutive), window];
    (trip, span(1_000..120_000), 1_u32..10).prop_map(|(trip, open, trials)| CircuitBreaker { trip, open, trials })
}

fn any_rules() -> impl Strategy<Value = ReconnectRules> {
    let network_change = prop_oneof![
        3 => Just(NetworkChange::KeepPlan),
        1 => Just(NetworkChange::AtOnce),
        1 => Just(NetworkChange::Canary),
    ];
    let rotation = prop_oneof![
        4 => Just(Rotation::Next),
        1 => Just(Rotation::Stay),
        1 => Just(Rotation::FromFirst),
        2 => delay(0..3_000).prop_map(|between| Rotation::FullPass(FullPass { between })),
    ];
    let give_up = (1_u32..30, option::of(1_u32..10), option::of(span(1_000..600_000))).prop_map(
        |(attempts, attempts_per_server, time)| GiveUpAfter { attempts: Some(attempts), attempts_per_server, time },
    );
    let when_hidden = prop_oneof![6 => Just(WhenHidden::KeepTrying), 1 => Just(WhenHidden::Pause)];
    let ban = (1_u32..8, span(1_000..600_000), 1_u32..6).prop_map(|(failures, ban, times)| ServerBan {
        failures,
        ban,
        longest: Span::new(ban.get() * times).expect("a span"),
    });
    let check = (delay(0..5_000), span(100..20_000), 1_u32..4).prop_map(|(first, every, successes)| NetworkCheck {
        first,
        every,
        successes,
    });
    let rare = 0.15;
    (
        network_change,
        rotation,
        option::weighted(rare, give_up),
        when_hidden,
        option::weighted(0.3, any_limit()),
        option::weighted(0.3, any_breaker()),
        option::weighted(rare, ban),
        option::weighted(rare, check),
    )
        .prop_map(
            |(
                network_change,
                rotation,
                give_up,
                when_hidden,
                retry_limit,
                circuit_breaker,
                server_ban,
                network_check,
            )| {
                ReconnectRules {
                    network_change,
                    rotation,
                    give_up,
                    when_hidden,
                    retry_limit,
                    circuit_breaker,
                    server_ban,
                    network_check,
                }
            },
        )
}

fn any_policy() -> impl Strategy<Value = StrategySpec> {
    let rules = prop_oneof![1 => Just(ReconnectRules::default()), 3 => any_rules()];
    (any_waits(), rules).prop_map(|(waits, rules)| strategy(waits, rules))
}

/// A host, and what it does to its policy.
struct Host {
    policy: Box<dyn Reconnect>,
    chance: ChaCha8Rng,
    now: Time,
    server: u32,
    servers: u32,
    /// Told by a server: no attempt before.
    not_before: Time,
    /// Until then anything happens.
    usable: Time,
    longest_wait: Duration,
    /// How long an attempt may take that begins now, and the longest that one may have taken.
    timeout: Duration,
    longest_timeout: Duration,
}

/// What comes of asking the policy.
enum Next {
    Attempt,
    /// It has stopped, and nothing will bring it back.
    Stopped,
}

impl Host {
    fn new(spec: &StrategySpec, servers: u32, usable: Time, seed: u64) -> Self {
        Self {
            policy: spec.build_reconnect(servers, rng(seed), rng(seed ^ 1)),
            chance: ChaCha8Rng::seed_from_u64(seed ^ 2),
            now: Time::ZERO,
            server: 0,
            servers,
            not_before: Time::ZERO,
            usable,
            longest_wait: Duration::ZERO,
            timeout: CONNECT_TIMEOUT,
            longest_timeout: CONNECT_TIMEOUT,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.chance.next_u64() % end
    }

    fn tell(&mut self, event: ReconnectEvent) {
        self.policy.on_event(self.now, &event);
    }

    /// An attempt that does not end in a session.
    fn fail(&mut self) {
        let spoken = self.below(8);
        // Nothing but silence once there is nothing left to hope for: what costs most time.
        if self.now >= self.usable || spoken < 4 {
            self.now += self.timeout;
            self.tell(ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
            return;
        }
        self.now += Duration::from_millis(50);
        if spoken == 4 {
            self.tell(ReconnectEvent::AttemptFailed(AttemptFailure::Refused));
            return;
        }
        self.tell(ReconnectEvent::Established);
        if spoken == 5 {
            self.send_away();
            self.tell(ReconnectEvent::AttemptFailed(AttemptFailure::Dropped));
            return;
        }
        self.tell(ReconnectEvent::Connected);
        self.not_before = Time::ZERO;
        let uptime = Duration::from_millis(self.below(20_000));
        self.now += uptime.min(self.usable.since(self.now));
        let end = match self.below(4) {
            0 => Ended::GivenUp(GiveUp::ServiceDead),
            1 => Ended::GivenUp(GiveUp::NoReply),
            2 => {
                self.send_away();
                Ended::Transport(LossReason::Closed)
            }
            _ => Ended::Transport(LossReason::Reset),
        };
        self.tell(ReconnectEvent::Lost(end));
    }

    /// A server that sends clients away is not usable before the time it names.
    fn send_away(&mut self) {
        let wait = Duration::from_millis(self.below(60_000)).min(self.usable.since(self.now));
        self.not_before = self.now + wait;
        self.tell(ReconnectEvent::RetryAfter(wait));
    }

    /// Asks the policy and waits as it says, while things happen on the way.
    fn wait(&mut self) -> Next {
        for _ in 0..10_000 {
            let (wait, is_check) = match self.policy.next(self.now) {
                ReconnectAction::TryAfter { wait, server, timeout } => {
                    self.longest_wait = self.longest_wait.max(wait);
                    assert!(self.now + wait >= self.not_before, "a server's word is a lower bound");
                    let again = self.policy.next(self.now);
                    assert_eq!(
                        again,
                        ReconnectAction::TryAfter { wait, server, timeout },
                        "asked again, it keeps to its plan"
                    );
                    if !self.interrupt(wait) {
                        self.now += wait;
                        self.server = match server {
                            ServerChoice::Same => self.server,
                            ServerChoice::Next => (self.server + 1) % self.servers,
                            ServerChoice::Number(server) => server,
                        };
                        assert!(self.server < self.servers);
                        self.timeout = timeout.unwrap_or(CONNECT_TIMEOUT);
                        self.longest_timeout = self.longest_timeout.max(self.timeout);
                        return Next::Attempt;
                    }
                    continue;
                }
                ReconnectAction::CheckAfter { wait } => (wait, true),
                ReconnectAction::Stop => (Duration::from_secs(1), false),
            };
            if self.interrupt(wait) {
                continue;
            }
            if !is_check {
                return Next::Stopped;
            }
            self.now += wait;
            let is_usable = self.now >= self.usable || self.below(2) == 0;
            self.tell(ReconnectEvent::NetworkChecked(is_usable));
        }
        panic!("no end of waiting")
    }

    /// Something happens before this wait is over. The network stands still once it is usable.
    fn interrupt(&mut self, wait: Duration) -> bool {
        let what = self.below(12);
        if what > 2 || (what > 0 && self.now + wait >= self.usable) {
            return false;
        }
        let passed = Duration::from_micros(self.below(wait.as_micros() as u64 + 1));
        self.now += passed;
        let event = match what {
            0 => {
                let states = [AppState::Foreground, AppState::Background, AppState::Doze];
                ReconnectEvent::AppState(states[self.below(3) as usize])
            }
            1 => ReconnectEvent::NetworkChanged(Some(Network::wifi(self.below(6) as u32))),
            _ => ReconnectEvent::NetworkChanged(None),
        };
        self.tell(event);
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Servers refuse, time out, send away, or accept and drop, as they like, until `usable`; from then on one of them is
    /// good. Invariants 17, 21 and 25 too.
    #[test]
    fn attempts_keep_their_distance_and_end_in_a_session(
        spec in any_policy(),
        servers in 1_u32..5,
        good in 0_u32..5,
        usable_s in 0_u64..600,
        seed: u64,
    ) {
        prop_assert_eq!(spec.problems(), Vec::new());
        let bounds = bounds(servers);
        let promises = spec.reconnect_promises(&bounds);
        let (usable, good) = (Time::from_secs(usable_s), good % servers);
        let mut host = Host::new(&spec, servers, usable, seed);
        let mut last_attempt = None::<Time>;
        for _ in 0..10_000 {
            if let (Some(last), Some(limit)) = (last_attempt, promises.attempts) {
                prop_assert_eq!(limit.count, 1);
                prop_assert!(host.now >= last + limit.window, "attempts at {last} and {}", host.now);
            }
            last_attempt = Some(host.now);
            host.tell(ReconnectEvent::AttemptStarted { server: host.server });
            if host.server == good && host.now >= usable {
                host.now += bounds.handshake_max;
                break;
            }
            host.fail();
            if matches!(host.wait(), Next::Stopped) {
                prop_assert_eq!(promises.reconnects_within, None, "it has stopped at {}", host.now);
                return Ok(());
            }
        }
        if let Some(within) = promises.reconnects_within {
            prop_assert!(host.now <= usable + within, "usable at {usable}, connected at {}", host.now);
            // The longest wait that went into the promise is the longest there is, a server's word of up to 60 s apart.
            let directed = Duration::from_mins(1);
            let promised = (host.longest_timeout + host.longest_wait) * servers + bounds.handshake_max;
            prop_assert!(promised <= within + directed * servers, "{:?} {within:?}", host.longest_wait);
        }
    }

    /// Invariant 22. Attempts that fail at once, and a network that flaps: no more attempts without a wait than changes.
    #[test]
    fn a_network_change_hastens_one_attempt(
        waits in any_exponential(),
        rule in prop_oneof![Just(NetworkChange::AtOnce), Just(NetworkChange::Canary), Just(NetworkChange::KeepPlan)],
        happenings in prop::collection::vec((any::<bool>(), 0_u64..10_000), 1..100),
        seed: u64,
    ) {
        let waits = ExponentialBackoff { jitter: Jitter::None, delay_from: DelayFrom::Failure, ..waits };
        let rules = ReconnectRules { network_change: rule, ..ReconnectRules::default() };
        let mut policy = strategy(ReconnectSpec::Exponential(waits), rules).build_reconnect(1, rng(seed), rng(seed));
        let (mut now, mut changes, mut hastened, mut planned) = (Time::ZERO, 0, 0, None::<Time>);
        for (number, (is_change, pause_ms)) in (0..).zip(happenings) {
            now += Duration::from_millis(pause_ms);
            if is_change {
                changes += 1;
                policy.on_event(now, &ReconnectEvent::NetworkChanged(Some(Network::wifi(number))));
            }
            let ReconnectAction::TryAfter { wait, .. } = policy.next(now) else { panic!("it does not stop") };
            // Whatever was planned is due, or this is an attempt before its time.
            let is_due = planned.is_none_or(|planned| planned <= now);
            if wait.is_zero() {
                hastened += u32::from(!is_due);
                policy.on_event(now, &ReconnectEvent::AttemptStarted { server: 0 });
                policy.on_event(now, &ReconnectEvent::AttemptFailed(AttemptFailure::Refused));
                let ReconnectAction::TryAfter { wait, .. } = policy.next(now) else { panic!("it does not stop") };
                prop_assert!(!wait.is_zero() || rule == NetworkChange::Canary, "the change is used up");
                planned = Some(now + wait);
            }
        }
        let most = if rule == NetworkChange::KeepPlan { 0 } else { changes };
        prop_assert!(hastened <= most, "{hastened} attempts before their time, {changes} changes");
    }

    /// Invariants 19 and 20. Without jitter waits never shrink before a reset, and a server that accepts and closes at once
    /// is no reset where uptime is what proves a connection.
    #[test]
    fn nominal_waits_do_not_shrink_until_a_connection_has_proven_itself(
        waits in any_exponential(),
        outcomes in prop::collection::vec(any::<bool>(), 1..60),
        seed: u64,
    ) {
        let reset = Reset::Uptime(Span::secs(10));
        let (jitter, delay_from, none) = (Jitter::None, DelayFrom::Failure, Delay::ZERO);
        let waits = ExponentialBackoff {
            jitter, delay_from, reset, compounds: false, after_loss: none, first_added: none, first_at_once: false,
            // What begins anew after so many waits is exempt, as is what grows from what was drawn.
            starts_over_after: None, ..waits
        };
        let spec = strategy(ReconnectSpec::Exponential(waits), ReconnectRules::default());
        let mut policy = spec.build_reconnect(1, rng(seed), rng(seed));
        let (mut now, mut previous, mut first) = (Time::ZERO, Duration::ZERO, None);
        for is_accepted in outcomes {
            policy.on_event(now, &ReconnectEvent::AttemptStarted { server: 0 });
            if is_accepted {
                policy.on_event(now, &ReconnectEvent::Established);
                policy.on_event(now, &ReconnectEvent::Connected);
                policy.on_event(now, &ReconnectEvent::Lost(Ended::Transport(LossReason::Closed)));
            } else {
                policy.on_event(now, &ReconnectEvent::AttemptFailed(AttemptFailure::Refused));
            }
            let ReconnectAction::TryAfter { wait, .. } = policy.next(now) else { panic!("it does not stop") };
            prop_assert!(wait >= previous);
            first.get_or_insert(wait);
            previous = wait;
            now += wait;
        }
        policy.on_event(now, &ReconnectEvent::AttemptStarted { server: 0 });
        policy.on_event(now, &ReconnectEvent::Connected);
        now += Duration::from_secs(10);
        policy.on_event(now, &ReconnectEvent::Lost(Ended::Transport(LossReason::Closed)));
        let ReconnectAction::TryAfter { wait, .. } = policy.next(now) else { panic!("it does not stop") };
        prop_assert_eq!(Some(wait), first);
    }
}
