//! Small random worlds: topology, links, NAT, traffic, faults, strategies. Short enough that a case costs milliseconds,
//! hostile enough that most of them lose connections in several ways.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, ReconnectSpec, ServerSpec, StrategySpec,
    heartbeat::{Anchor, FirstBeat, Fixed, Idle, LateReply, TcpKeepalive},
    reconnect::{DelayFrom, Exponential, FixedDelay, Jitter, Reset},
    server::IdleReaper,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::config::{
    AfterExpiry, Background, BurstLoss, ClassShare, Cut, DevicesConfig, Direction, Distribution, FaultConfig,
    FrameSizes, LinkConfig, LinkName, NatClass, NatConfig, NatFlush, NatRefresh, NatTimeout, Part, ServerConfig,
    ServerFault, TcpPreset, TrafficConfig, When, WorldConfig,
};
use proptest::prelude::*;

/// The length of every world.
const DURATION: u64 = 1_800;

/// A random world. It never has problems.
pub fn world() -> impl Strategy<Value = WorldConfig> {
    (
        devices(),
        link(),
        prop::collection::vec(nat(), 1..4),
        link(),
        server(),
        traffic(),
        prop::collection::vec(fault(), 0..4),
        strategy(),
    )
        .prop_map(|(devices, access, nat, core, server, traffic, faults, strategy)| WorldConfig {
            duration: Duration::from_secs(DURATION),
            devices,
            access,
            nat,
            core,
            server,
            traffic,
            faults,
            strategy,
        })
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
    (1_u32..5, delay(0..120_000), tcp()).prop_map(|(count, start_within, tcp)| DevicesConfig {
        count,
        start_within,
        tcp,
        frames: FrameSizes::default(),
    })
}

fn tcp() -> impl Strategy<Value = TcpPreset> {
    prop_oneof![Just(TcpPreset::LinuxNew), Just(TcpPreset::LinuxOld)]
}

fn link() -> impl Strategy<Value = LinkConfig> {
    let uniform = (millis(1..40), millis(1..200)).prop_map(|(min, width)| {
        let max = Span::new(min.get() + width.get()).expect("longer than zero");
        Distribution::Uniform(cardiogram_sim::config::Uniform { min, max })
    });
    let log_normal = (millis(20..80), millis(1..20), 0.1..1.2).prop_map(|(median, min, sigma)| {
        Distribution::LogNormal(cardiogram_sim::config::LogNormal { median, sigma, min, max: None })
    });
    let delay = prop_oneof![millis(1..100).prop_map(Distribution::Constant), uniform, log_normal];
    let burst = (span(5..300), millis(100..20_000), fraction(0.05), fraction(1.0))
        .prop_map(|(good, bad, loss_good, loss_bad)| BurstLoss { good, bad, loss_good, loss_bad });
    (delay, prop::option::of(burst), prop_oneof![Just(Fraction::default()), fraction(0.1)])
        .prop_map(|(delay, burst_loss, packet_loss)| LinkConfig { delay, burst_loss, packet_loss })
}

fn nat() -> impl Strategy<Value = NatConfig> {
    let refresh = prop_oneof![Just(NatRefresh::Both), Just(NatRefresh::Outbound), Just(NatRefresh::DataOnly)];
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
    let ports = (prop::option::of(span(1..120)), prop::option::of(1_u32..20));
    (timers, refresh, after_expiry(), table, ports).prop_map(
        |((established, transitory, closing, unacknowledged), refresh, after_expiry, table, (hold_down, ports))| {
            let (table, background) = table.unzip();
            let background = background.flatten();
            NatConfig {
                established,
                transitory,
                closing,
                unacknowledged,
                refresh,
                after_expiry,
                table,
                background,
                hold_down,
                ports,
            }
        },
    )
}

fn after_expiry() -> impl Strategy<Value = AfterExpiry> {
    let class = prop_oneof![
        Just(NatClass::DropSilent),
        Just(NatClass::RstInsideOnSend),
        Just(NatClass::RstBothOnExpiry),
        Just(NatClass::RstEitherOnSend),
        Just(NatClass::RemapSamePort),
        Just(NatClass::RemapSamePortRstOutside),
        Just(NatClass::RemapNewPort),
        Just(NatClass::FinInside),
    ];
    let share = (0.1..1.0, class.clone()).prop_map(|(weight, class)| ClassShare { weight, class });
    let mix = prop::collection::vec(share, 1..4).prop_map(|mix| AfterExpiry::Mix { mix });
    prop_oneof![3 => class.prop_map(AfterExpiry::Always), 1 => mix]
}

fn server() -> impl Strategy<Value = ServerConfig> {
    (1_u32..4, tcp(), 1_u32..5, delay(0..50), delay(0..20), delay(0..20)).prop_map(
        |(count, tcp, backlog, accept_cost, heartbeat_cost, message_cost)| ServerConfig {
            count,
            tcp,
            backlog,
            accept_cost,
            heartbeat_cost,
            message_cost,
        },
    )
}

fn traffic() -> impl Strategy<Value = TrafficConfig> {
    (prop::option::of(span(5..300)), prop::option::of(span(5..300))).prop_map(|(up, down)| TrafficConfig { up, down })
}

fn fault() -> impl Strategy<Value = FaultConfig> {
    let when = prop_oneof![
        prop::collection::vec(delay(0..DURATION * 1_000), 1..4).prop_map(When::At),
        (delay(0..600_000), span(601..DURATION)).prop_map(|(from, to)| When::Within { from, to }),
        span(100..1_000).prop_map(When::Every),
    ];
    let lasts = prop::option::weighted(0.9, millis(1..300_000).prop_map(Distribution::Constant));
    let link = prop_oneof![Just(LinkName::Access), Just(LinkName::Core)];
    let direction = prop_oneof![Just(Direction::Both), Just(Direction::Up), Just(Direction::Down)];
    (0..7, when, lasts, link, direction, span(5..200)).prop_map(|(kind, when, lasts, link, direction, established)| {
        let server = || ServerFault { server: None, when: when.clone(), lasts: lasts.clone() };
        match kind {
            0 => FaultConfig::NatFlush(NatFlush { nat: None, when }),
            1 => FaultConfig::Stall(server()),
            2 => FaultConfig::Crash(server()),
            3 => FaultConfig::Vanish(server()),
            4 => FaultConfig::Restart(server()),
            5 => FaultConfig::NatTimeout(NatTimeout { nat: Some(0), when, lasts, established }),
            _ => FaultConfig::Cut(Cut { link, direction, when, lasts }),
        }
    })
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
    let heartbeat = prop_oneof![Just(HeartbeatSpec::None), fixed, idle, keepalive];

    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
        fraction(1.0).prop_map(Jitter::Proportional),
    ];
    let delay_from = prop_oneof![Just(DelayFrom::Failure), Just(DelayFrom::AttemptStart)];
    let reset = prop_oneof![Just(Reset::Connected), span(1..60).prop_map(Reset::Uptime)];
    let exponential = (millis(100..3_000), 1.0..4.0, span(4..200), jitter, delay_from, reset).prop_map(
        |(base, factor, cap, jitter, delay_from, reset)| {
            ReconnectSpec::Exponential(Exponential { base, factor, cap, jitter, delay_from, reset })
        },
    );
    let reconnect = prop_oneof![
        Just(ReconnectSpec::Immediate),
        millis(100..60_000).prop_map(|delay| ReconnectSpec::FixedDelay(FixedDelay { delay })),
        exponential,
    ];
    let reaper =
        (span(10..400), span(1..60)).prop_map(|(idle, scan)| ServerSpec::IdleReaper(IdleReaper { idle, scan }));
    let server = prop_oneof![Just(ServerSpec::None), reaper];
    (heartbeat, reconnect, server, span(1..30)).prop_map(|(heartbeat, reconnect, server, connect_timeout)| {
        StrategySpec {
            name: "random".into(),
            about: String::new(),
            source: String::new(),
            assumptions: Vec::new(),
            connect_timeout,
            heartbeat,
            reconnect,
            server,
        }
    })
}
