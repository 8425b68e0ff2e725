//! Small random worlds: topology, links, NAT, traffic, faults, strategies. Short enough that a case costs milliseconds,
//! hostile enough that most of them lose connections in several ways.

mod life;

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{
    HeartbeatSpec, ReconnectSpec, ServerSpec, StrategySpec,
    heartbeat::{Anchor, FirstBeat, Fixed, Idle, LateReply, LeaveWhenQuiet, TcpKeepalive},
    reconnect::{AttemptTimeout, DelayFrom, ExponentialBackoff, FixedDelay, Jitter, Reset},
    server::{Busy, Directed, IdleReaper, OnMalformed, PingAfter, Pings, Redirected, RefreshedBy, Resume, Strikes},
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::config::{
    AfterExpiry, Answer, Arrivals, Background, BalancerConfig, BurstLoss, Bursts, Carrier, Carries, ClassShare, Cost,
    Daily, Deadline, DelayDrift, DevicesConfig, Distribution, EndsWith, Exponential, FaultConfig, FaultDraws,
    FaultKind, FrameSizes, HealthCheck, LifeConfig, LinkConfig, LinkName, Login, MaxAge, NatClass, NatConfig,
    NatRefresh, OnDeadline, OnUnhealthy, OnWaking, Part, Pauses, Periodic, ProxyConfig, RadioConfig, Rate,
    SecondSession, ServerConfig, TailStage, TcpSettings, TcpStack, TcpTimers, TrafficConfig, TrafficTrace, Undelivered,
    Uniform, WakeupConfig, When, Whom, WorldConfig,
};
use proptest::{prelude::*, strategy::Union};

/// The length of every world.
const DURATION: u64 = 1_800;

/// Returns a random world. It never has problems.
pub fn world() -> impl Strategy<Value = WorldConfig> {
    let access = (link(), prop::option::of(radio()), prop::collection::vec(nat(), 1..4));
    let life = prop_oneof![Just(LifeConfig::default()), life::life()];
    let what_happens = (life, prop::collection::vec(fault(), 0..4), traffic(), prop::option::weighted(0.3, wakeup()));
    let servers = (server(), prop::option::weighted(0.4, proxy()));
    (devices(), access, life::network(), link(), servers, what_happens, strategy()).prop_map(
        |(devices, (access, radio, nat), network, core, (server, proxy), what_happens, strategy)| {
            let (life, mut faults, traffic, wakeup) = what_happens;
            faults.retain(|fault| proxy.is_some() || !fault.kind().is_of_proxy());
            let mut world = WorldConfig {
                devices,
                radio,
                nat,
                networks: BTreeMap::from([("wifi".into(), network)]),
                proxy,
                server,
                life,
                traffic,
                wakeup,
                faults,
                ..WorldConfig::new(Duration::from_secs(DURATION), access, core, strategy)
            };
            if world.wakeup.is_some() {
                if !world.traffic.has_down() {
                    (world.traffic.trace, world.traffic.down) = (None, Some(Span::secs(60).into()));
                    world.traffic.deadline = world.traffic.deadline.filter(|_| world.traffic.up.is_some());
                }
                (world.server.count, world.server.undelivered) = (1, Undelivered::Retry);
            }
            world
        },
    )
}

fn wakeup() -> impl Strategy<Value = WakeupConfig> {
    let delay = (millis(1..500), millis(1..20_000)).prop_map(|(min, mean)| {
        Distribution::Exponential(Exponential { mean: Span::at_least(min.get() + mean.get()), min: Some(min) })
    });
    let carries = prop_oneof![Just(Carries::Signal), Just(Carries::Message)];
    (delay, fraction(0.3), delay_or_none(), span(1..100), carries, 4_u16..1_000).prop_map(
        |(delay, loss, every, after, carries, bytes)| WakeupConfig { delay, loss, every, after, carries, bytes },
    )
}

fn delay_or_none() -> impl Strategy<Value = Delay> {
    prop_oneof![Just(Delay::ZERO), delay(1..300_000)]
}

fn span(secs: std::ops::Range<u64>) -> impl Strategy<Value = Span> + Clone {
    secs.prop_map(Span::secs)
}

fn millis(ms: std::ops::Range<u64>) -> impl Strategy<Value = Span> + Clone {
    ms.prop_map(Span::millis)
}

fn delay(ms: std::ops::Range<u64>) -> impl Strategy<Value = Delay> {
    ms.prop_map(Delay::millis)
}

fn fraction(most: f64) -> impl Strategy<Value = Fraction> {
    (0.0..most).prop_map(|value| Fraction::new(value).expect("within 0 to 1"))
}

fn devices() -> impl Strategy<Value = DevicesConfig> {
    (1_u32..5, delay(0..120_000), tcp(), on_waking()).prop_map(|(count, start_within, tcp, on_waking)| DevicesConfig {
        count,
        start_within,
        tcp,
        on_waking,
        frames: FrameSizes::default(),
    })
}

fn on_waking() -> impl Strategy<Value = OnWaking> {
    prop_oneof![Just(OnWaking::InputFirst), Just(OnWaking::TimersFirst)]
}

fn tcp() -> impl Strategy<Value = TcpSettings> {
    let stack = prop::sample::select(vec![TcpStack::LinuxNew, TcpStack::LinuxOld, TcpStack::Darwin, TcpStack::Windows]);
    let retries = (retries(1), retries(1), retries(0));
    let wheel = prop::option::weighted(0.3, prop::sample::select(vec![250, 300, 1_000]));
    (stack, retries, wheel, prop::bool::weighted(0.8)).prop_map(|(stack, retries, hz, nodelay)| {
        let (retries2, syn_retries, syn_linear_timeouts) = if stack.is_linux() { retries } else { (None, None, None) };
        let hz = hz.filter(|_| stack.is_linux());
        let timers = hz.map_or(TcpTimers::Ideal, |_| TcpTimers::LinuxWheel);
        TcpSettings { stack, retries2, syn_retries, syn_linear_timeouts, timers, hz, nodelay }
    })
}

fn retries(least: u32) -> impl Strategy<Value = Option<u32>> {
    prop::option::weighted(0.3, least..10)
}

fn keepalive() -> impl Strategy<Value = TcpKeepalive> {
    (span(5..300), span(5..60), 2_u32..6, prop::option::weighted(0.3, span(20..120)))
        .prop_map(|(idle, interval, count, user_timeout)| TcpKeepalive { idle, interval, count, user_timeout })
}

fn link() -> impl Strategy<Value = LinkConfig> {
    let uniform = (millis(1..40), millis(1..200)).prop_map(|(min, width)| {
        let max = Span::new(min.get() + width.get()).expect("longer than zero");
        Distribution::Uniform(Uniform { min, max })
    });
    let log_normal = (millis(20..80), millis(1..20), 0.1..1.2).prop_map(|(median, min, sigma)| {
        Distribution::LogNormal(cardiogram_sim::config::LogNormal { median, sigma, min, max: None })
    });
    let delay = prop_oneof![millis(1..100).prop_map(Distribution::Constant), uniform, log_normal];
    let burst = (span(5..300), millis(100..20_000), fraction(0.05), fraction(1.0))
        .prop_map(|(good, bad, loss_good, loss_bad)| BurstLoss { good, bad, loss_good, loss_bad });
    let base_delay =
        millis(1..200).prop_map(|mean| Distribution::Exponential(Exponential { mean, min: Some(Span::millis(1)) }));
    let base_delay = prop::option::weighted(0.3, base_delay);
    let packet_loss = prop_oneof![Just(Fraction::default()), fraction(0.1)];
    let drift = (millis(1..200), span(1..20))
        .prop_map(|(mean, tau)| DelayDrift { delay: Distribution::Exponential(Exponential { mean, min: None }), tau });
    let delay = (base_delay, delay, prop::option::weighted(0.2, drift));
    (delay, prop::option::weighted(0.2, rate()), prop::option::of(burst), packet_loss).prop_map(
        |((base_delay, delay, drift), rate, burst_loss, packet_loss)| LinkConfig {
            base_delay,
            delay,
            drift,
            rate,
            burst_loss,
            packet_loss,
        },
    )
}

fn rate() -> impl Strategy<Value = Rate> {
    (5_000_u64..1_000_000, delay(0..3_000)).prop_map(|(bits_per_second, queue)| Rate { bits_per_second, queue })
}

/// Radios whose tails are sometimes shorter than a round trip, and whose promotions are sometimes longer than TCP's first
/// retransmission timeout.
fn radio() -> impl Strategy<Value = RadioConfig> {
    let stage = |carries_below| {
        (millis(20..20_000), 20_u32..2_000).prop_map(move |(lasts, mw)| TailStage { lasts, mw, carries_below })
    };
    let tail = (stage(0), prop::option::of((0_u16..200).prop_flat_map(stage)))
        .prop_map(|(first, second)| [first].into_iter().chain(second).collect());
    (delay(0..2_500), delay(0..2_560), 1_u32..10_000, tail).prop_map(|(promotion, paging_cycle, kbps, tail)| {
        RadioConfig {
            promotion,
            promotion_mw: 1_000,
            paging_cycle,
            active_mw: 1_300,
            up_mw_per_mbps: 400,
            down_mw_per_mbps: 50,
            up_kbps: kbps,
            down_kbps: 2 * kbps,
            tail,
            idle_mw: 20,
        }
    })
}

fn nat() -> impl Strategy<Value = NatConfig> {
    let refresh = prop::sample::select(NatRefresh::ALL);
    let established = prop_oneof![
        3 => span(10..400).prop_map(Distribution::Constant),
        1 => (span(10..60), span(60..400)).prop_map(|(short, long)| {
            let part = |of| Part { weight: 1.0, of: Distribution::Constant(of) };
            Distribution::Mixture(vec![part(short), part(long)])
        }),
    ];
    let timers = (established, span(5..240), prop::option::of(span(5..240)), prop::option::of(span(5..100)));
    // Few enough places and ports to run out of them.
    let background = prop::option::of((0.01..2.0).prop_map(|flows_per_s| Background { flows_per_s }));
    let table = prop::option::of((1_u32..200, background));
    let ports = (prop::option::of(span(1..120)), prop_oneof![2 => Just(1), 1 => 2_u32..5], prop::option::of(1_u32..20));
    let max_age = prop::option::weighted(0.2, span(20..600));
    (timers, refresh, after_expiry(), table, ports, max_age).prop_map(
        |(timers, refresh, after_expiry, table, (hold_down, outside_addresses, ports), max_age)| {
            let (established, transitory, closing, unacknowledged) = timers;
            let (table, background) = table.unzip();
            let background = background.flatten();
            NatConfig {
                established,
                transitory,
                closing,
                unacknowledged,
                conntrack: refresh == NatRefresh::Both && unacknowledged.is_some(),
                max_age,
                refresh,
                after_expiry,
                table,
                background,
                hold_down,
                outside_addresses,
                ports,
            }
        },
    )
}

fn after_expiry() -> impl Strategy<Value = AfterExpiry> {
    let class = prop::sample::select(NatClass::ALL);
    let share = (0.1..1.0, class.clone()).prop_map(|(weight, class)| ClassShare { weight, class });
    let mix = prop::collection::vec(share, 1..4).prop_map(|mix| AfterExpiry::Mix { mix });
    prop_oneof![3 => class.prop_map(AfterExpiry::Always), 1 => mix]
}

fn server() -> impl Strategy<Value = ServerConfig> {
    let work = (cost(50), cost(20), cost(20), prop::option::weighted(0.3, login()));
    let limits = (1_u32..4, prop::option::weighted(0.3, 1_u32..50), any::<bool>(), prop::bool::weighted(0.2));
    let undelivered = prop_oneof![Just(Undelivered::Retry), Just(Undelivered::Lost)];
    let pauses = (span(60..600), millis(1..10_000))
        .prop_map(|(every, lasts)| Pauses { every, lasts: Distribution::Constant(lasts) });
    let max_age = (span(20..300), span(1..300), delay(0..30_000)).prop_map(|(min, width, grace)| {
        let max = Span::at_least(min.get() + width.get());
        MaxAge { age: Distribution::Uniform(Uniform { min, max }), grace }
    });
    let care = (
        prop::option::weighted(0.3, span(5..120)),
        prop::option::weighted(0.2, max_age),
        prop::option::weighted(0.4, balancer()),
    );
    let kernel = (
        tcp(),
        prop::option::weighted(0.3, keepalive()),
        1_u32..5,
        any::<bool>(),
        1_u32..5,
        any::<bool>(),
        on_waking(),
    );
    (1_u32..4, kernel, work, limits, undelivered, prop::option::weighted(0.2, pauses), care).prop_map(
        |(count, kernel, work, limits, undelivered, pauses, (watchdog, max_age, balancer))| {
            let (tcp, keepalive, backlog, abort_on_overflow, syn_backlog, syncookies, on_waking) = kernel;
            let (accept_cost, heartbeat_cost, message_cost, login) = work;
            let (cores, logins_per_s, drop_dead_work, refuses) = limits;
            let second_session = if refuses { SecondSession::Refused } else { SecondSession::Replaces };
            ServerConfig {
                count,
                cores,
                tcp,
                keepalive,
                backlog,
                abort_on_overflow,
                syn_backlog,
                syncookies,
                login,
                logins_per_s,
                accept_cost,
                heartbeat_cost,
                message_cost,
                drop_dead_work,
                second_session,
                undelivered,
                on_waking,
                pauses,
                watchdog,
                max_age,
                balancer,
            }
        },
    )
}

fn proxy() -> impl Strategy<Value = ProxyConfig> {
    let max_age = (span(20..300), span(1..300)).prop_map(|(min, width)| {
        let max = Span::at_least(min.get() + width.get());
        Distribution::Uniform(Uniform { min, max })
    });
    let idles = (span(60..400), span(60..400), span(5..60)).prop_map(|(client, server, both)| [client, server, both]);
    let ends_with = prop_oneof![Just(EndsWith::Fin), Just(EndsWith::Rst)];
    (idles, any::<[bool; 3]>(), prop::option::weighted(0.2, max_age), span(1..60), ends_with, tcp()).prop_map(
        |([client, server, both], [of_client, of_server, of_both], max_age, connect_timeout, ends_with, tcp)| {
            ProxyConfig {
                client_idle: of_client.then_some(client),
                server_idle: of_server.then_some(server),
                idle: of_both.then_some(both),
                max_age,
                connect_timeout,
                ends_with,
                tcp,
            }
        },
    )
}

fn balancer() -> impl Strategy<Value = BalancerConfig> {
    let check = prop_oneof![Just(HealthCheck::Tcp), Just(HealthCheck::Application)];
    let on_unhealthy = prop_oneof![Just(OnUnhealthy::Leave), Just(OnUnhealthy::Reset)];
    (span(1..30), check, 1_u32..5, 1_u32..5, on_unhealthy).prop_map(
        |(check_every, check, unhealthy_after, healthy_after, on_unhealthy)| BalancerConfig {
            check_every,
            check,
            unhealthy_after,
            healthy_after,
            on_unhealthy,
        },
    )
}

fn cost(most_ms: u64) -> impl Strategy<Value = Cost> {
    let exponential =
        millis(1..most_ms).prop_map(|mean| Distribution::Exponential(Exponential { mean, min: None }).into());
    prop_oneof![delay(0..most_ms).prop_map(Cost::from), exponential]
}

fn login() -> impl Strategy<Value = Login> {
    (1_u8..4, 12_u32..2_000, 18_u32..8_000, cost(50)).prop_map(|(round_trips, bytes_up, bytes_down, cpu)| Login {
        round_trips,
        bytes_up,
        bytes_down,
        cpu,
    })
}

fn traffic() -> impl Strategy<Value = TrafficConfig> {
    let then = prop_oneof![Just(OnDeadline::Fail), Just(OnDeadline::Retry)];
    let deadline = (millis(100..60_000), then).prop_map(|(after, then)| Deadline { after, then });
    let drawn = (prop::option::of(arrivals()), prop::option::of(arrivals())).prop_map(|(up, down)| TrafficConfig {
        up,
        down,
        ..TrafficConfig::default()
    });
    let traced = trace().prop_map(|trace| TrafficConfig { trace: Some(trace), ..TrafficConfig::default() });
    (prop_oneof![5 => drawn, 1 => traced], prop::option::weighted(0.4, deadline))
        .prop_map(|(traffic, deadline)| TrafficConfig { deadline: deadline.filter(|_| traffic.has_up()), ..traffic })
}

fn trace() -> impl Strategy<Value = TrafficTrace> {
    let row = (0_u64..60_000, any::<bool>(), 15_u16..4_000);
    prop::collection::vec(row, 1..60).prop_map(|rows| {
        let mut at = 0;
        let line = |(gap, up, bytes): (u64, bool, u16)| {
            at += gap;
            format!("{}.{:03},{},{bytes}\n", at / 1_000, at % 1_000, if up { "up" } else { "down" })
        };
        let rows: String = rows.into_iter().map(line).collect();
        TrafficTrace::parse(&format!("time_s,direction,bytes\n{rows}")).expect("rows in order")
    })
}

fn arrivals() -> impl Strategy<Value = Arrivals> {
    let periodic = (span(5..300), 0_u64..5_000)
        .prop_map(|(every, jitter)| Arrivals::Periodic(Periodic { every, jitter: Delay::millis(jitter) }));
    let bursts = (span(30..600), 2_u32..20, millis(100..3_000))
        .prop_map(|(every, count, gap)| Arrivals::Bursts(Bursts { every, count, gap }));
    // A day that begins and ends within the run.
    let daily = (span(5..100), prop::option::of(span(30..300)), 0_u64..900, 901_u64..DURATION).prop_map(
        |(day, night, from, to)| {
            let (from, to) = (Delay::millis(1_000 * from), Delay::millis(1_000 * to));
            Arrivals::Daily(Daily { day, night, from, to })
        },
    );
    prop_oneof![4 => span(5..300).prop_map(Arrivals::Poisson), 1 => periodic, 1 => bursts, 1 => daily]
}

fn fault() -> impl Strategy<Value = FaultConfig> {
    let when = prop_oneof![
        prop::collection::vec(delay(0..DURATION * 1_000), 1..4).prop_map(When::At),
        (delay(0..600_000), span(601..DURATION)).prop_map(|(from, to)| When::Within { from, to }),
        span(100..1_000).prop_map(When::Every),
    ];
    let link = prop_oneof![
        3 => Just(LinkName::Access),
        3 => Just(LinkName::Core),
        1 => Just(LinkName::Network("wifi".into())),
    ];
    let delay = prop_oneof![
        millis(1..20_000).prop_map(Distribution::Constant),
        millis(1..2_000).prop_map(|mean| Distribution::Exponential(Exponential { mean, min: None })),
    ];
    let draws = FaultDraws {
        when: when.boxed(),
        lasts: prop::option::weighted(0.9, millis(1..300_000).prop_map(Distribution::Constant)).boxed(),
        link: link.boxed(),
        delay: delay.boxed(),
        probability: fraction(0.9).boxed(),
        rate: rate().boxed(),
        span: span(5..200).boxed(),
        network: life::place().boxed(),
        answers: prop_oneof![3 => Just(Answer::Nothing), 3 => prop::sample::select(&Answer::ALL[1..])].boxed(),
        carrier: prop_oneof![Just(Carrier::Kept), Just(Carrier::Lost)].boxed(),
        devices: prop::option::weighted(0.3, whom()).boxed(),
    };
    Union::new(FaultKind::ALL.iter().map(|kind| kind.any(&draws)))
}

/// At least half of the smallest share is a device wherever there are any; device 0 is always there.
fn whom() -> impl Strategy<Value = Whom> {
    let share = (0.5..1.0).prop_map(|share| Whom::Share(Fraction::new(share).expect("within 0 to 1")));
    prop_oneof![share, Just(Whom::Only(vec![0]))]
}

fn strategy() -> impl Strategy<Value = StrategySpec> {
    let first_beat = prop_oneof![Just(FirstBeat::Now), Just(FirstBeat::Interval), Just(FirstBeat::RandomPhase)];
    let late_reply = prop_oneof![Just(LateReply::Counts), Just(LateReply::Ignored)];
    let fixed = (span(5..300), 1_u64..100, 1_u32..4, first_beat, late_reply).prop_map(
        |(interval, percent, misses, first_beat, late_reply)| {
            let timeout = Span::millis((interval.get().as_millis() as u64 * percent / 100).max(1));
            HeartbeatSpec::Fixed(Fixed { interval, timeout, misses, first_beat, late_reply })
        },
    );
    let anchor = prop_oneof![Just(Anchor::Tx), Just(Anchor::Rx), Just(Anchor::Either)];
    let idle = (span(5..300), prop::option::of(1_u64..100), 1_u32..4, anchor).prop_map(
        |(threshold, percent, misses, anchor)| {
            let of_threshold = |percent: u64| Span::millis((threshold.get().as_millis() as u64 * percent / 100).max(1));
            HeartbeatSpec::Idle(Idle { threshold, anchor, timeout: percent.map(of_threshold), misses })
        },
    );
    let keepalive = (span(5..300), span(1..75), 1_u32..9, prop::option::of(span(1..300))).prop_map(
        |(idle, interval, count, user_timeout)| {
            HeartbeatSpec::TcpKeepalive(TcpKeepalive { idle, interval, count, user_timeout })
        },
    );
    let leave = millis(100..100_000).prop_map(|after| HeartbeatSpec::LeaveWhenQuiet(LeaveWhenQuiet { after }));
    let heartbeat = prop_oneof![Just(HeartbeatSpec::None), fixed, idle, keepalive, leave];

    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
        fraction(1.0).prop_map(Jitter::Proportional),
    ];
    let delay_from = prop_oneof![Just(DelayFrom::Failure), Just(DelayFrom::AttemptStart)];
    let reset = prop_oneof![Just(Reset::Connected), span(1..60).prop_map(Reset::Uptime)];
    let attempt_timeout = prop_oneof![
        6 => Just(AttemptTimeout::Same),
        1 => Just(AttemptTimeout::AsWait),
        1 => prop::collection::vec(span(1..30), 1..4).prop_map(AttemptTimeout::Steps),
    ];
    let exponential = (millis(100..3_000), 1.0..4.0, span(4..200), jitter, delay_from, reset, attempt_timeout)
        .prop_map(|(base, factor, cap, jitter, delay_from, reset, attempt_timeout)| ExponentialBackoff {
            base,
            factor,
            cap,
            jitter,
            delay_from,
            reset,
            attempt_timeout,
            ..ExponentialBackoff::default()
        });
    let reconnect = prop_oneof![
        Just(ReconnectSpec::Immediate),
        millis(100..60_000).prop_map(|delay| ReconnectSpec::FixedDelay(FixedDelay { delay })),
        exponential.clone().prop_map(ReconnectSpec::Exponential),
        exponential.prop_map(ReconnectSpec::OnCall),
    ];
    (heartbeat, reconnect, server_policy(), span(1..30)).prop_map(|(heartbeat, reconnect, server, connect_timeout)| {
        StrategySpec::new("random", heartbeat)
            .with_connect_timeout(connect_timeout)
            .with_reconnect(reconnect)
            .with_server(server)
    })
}

/// Server policies: mostly none or a reaper alone, sometimes any parts together.
fn server_policy() -> impl Strategy<Value = ServerSpec> {
    let scan = prop_oneof![4 => delay(1_000..60_000), 1 => Just(Delay::ZERO)];
    let reaper = (span(10..400), scan.clone()).prop_map(|(idle, scan)| IdleReaper::new(idle, scan));
    let refreshed_by = prop_oneof![Just(RefreshedBy::Any), Just(RefreshedBy::Received), Just(RefreshedBy::Heartbeats)];
    let any_reaper = (reaper.clone(), prop::option::of(1.1..4.0), refreshed_by, any::<bool>(), any::<bool>()).prop_map(
        |(reaper, times_announced, refreshed_by, doubles_first, bucketed)| {
            let bucketed = bucketed && reaper.scan != Delay::ZERO;
            IdleReaper { times_announced, refreshed_by, doubles_first, bucketed, ..reaper }
        },
    );
    let busy = (0_u32..3, span(1..60)).prop_map(|(waiting, retry_after)| Busy { waiting, retry_after });
    let parts = (
        prop::option::of(any_reaper),
        prop::option::of(pings()),
        prop::option::weighted(0.3, directed()),
        prop::option::weighted(0.3, strikes()),
        prop_oneof![Just(OnMalformed::Ignore), Just(OnMalformed::Close)],
        prop::option::weighted(0.2, busy),
        prop::option::weighted(0.3, span(1..600).prop_map(|window| Resume { window })),
    );
    let composed = parts.prop_map(|(idle_reaper, pings, directed, strikes, malformed, busy, resume)| ServerSpec {
        idle_reaper,
        pings,
        directed,
        strikes,
        malformed,
        busy,
        resume,
        custom: None,
    });
    prop_oneof![2 => Just(ServerSpec::default()), 2 => reaper.prop_map(ServerSpec::from), 3 => composed]
}

fn pings() -> impl Strategy<Value = Pings> {
    let after =
        prop_oneof![Just(PingAfter::Grid), Just(PingAfter::Pong), Just(PingAfter::Received), Just(PingAfter::Sent)];
    let closing = prop::option::weighted(0.2, span(1..30));
    (span(3..300), after, prop::option::of(1_u64..100), 1_u32..4, any::<bool>(), any::<bool>(), closing).prop_map(
        |(interval, after, percent, misses, answered, doubles_first, closing)| {
            let answered = answered || after == PingAfter::Pong;
            let of_interval = |percent: u64| Span::millis(interval.get().as_millis() as u64 * percent / 100);
            let timeout = percent.filter(|_| answered).map(of_interval);
            let misses = if timeout.is_some() { misses } else { 1 };
            Pings {
                interval,
                after,
                timeout,
                misses,
                answered,
                doubles_first,
                first: None,
                close_timeout: timeout.and(closing),
            }
        },
    )
}

fn directed() -> impl Strategy<Value = Directed> {
    let changes = prop::collection::btree_map(1_u64..DURATION, span(5..300), 0..3);
    (span(5..300), changes).prop_map(|(interval, changes)| {
        let change = |(after, interval)| Redirected { after: Span::secs(after), interval };
        Directed { interval, changes: changes.into_iter().map(change).collect() }
    })
}

fn strikes() -> impl Strategy<Value = Strikes> {
    (span(1..300), span(1..600), 0_u32..4).prop_map(|(with_data, without_data, allowed)| Strikes {
        with_data,
        without_data,
        allowed,
    })
}
