//! Small worlds for the whole-program tests: one path with constant delays, so that every time can be worked out by hand.
//! What the tests claim is in their own files.

pub mod kept;

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, LossReason, ReconnectSpec, StrategySpec, Time,
    heartbeat::{FirstBeat, Fixed, LateReply},
    preset::{self, Preset},
    reconnect::FixedDelay,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Engine, Outcome, RunOptions, WorldConfig,
    config::{
        Answer, Carrier, Cut, DevicesConfig, Direction, Distribution, FaultConfig, LinkConfig, LinkName, NatFlush,
        ServerFault, When,
    },
    outcome::{Cause, DetectedBy, Detection},
    packet::Packet,
    run,
    trace::{DeviceEvent, DropReason, Entry, Fact, NatEvent, NodeId, ServerEvent, What},
};

/// The nodes of a world with one server, in the order of the record.
pub const DEVICES: NodeId = NodeId(0);
/// See [`DEVICES`].
pub const NAT: NodeId = NodeId(1);
/// See [`DEVICES`].
pub const SERVER: NodeId = NodeId(2);

/// One-way delay between device and NAT.
pub const ACCESS: Duration = Duration::from_millis(20);
/// One-way delay between NAT and server.
pub const CORE: Duration = Duration::from_millis(30);
/// There and back.
pub const RTT: Duration = Duration::from_millis(100);
/// When a device that starts at zero has its session: SYN and SYN-ACK, hello and welcome.
pub const CONNECTED: Time = Time::from_millis(200);

/// One device that starts at time zero and goes back at once when its session ends, on a path without loss, for an hour.
pub fn world(heartbeat: HeartbeatSpec) -> WorldConfig {
    WorldConfig {
        devices: DevicesConfig { start_within: Delay::ZERO, ..DevicesConfig::default() },
        ..WorldConfig::new(Duration::from_hours(1), link(ACCESS), link(CORE), strategy("tested", heartbeat))
    }
}

/// Returns a link of constant delay and without loss.
pub fn link(delay: Duration) -> LinkConfig {
    LinkConfig::of_delay(constant(delay))
}

/// Reconnects at once; the server keeps every session.
pub fn strategy(name: &str, heartbeat: HeartbeatSpec) -> StrategySpec {
    StrategySpec::new(name, heartbeat).with_reconnect(ReconnectSpec::Immediate)
}

/// Returns the presets that keep a connection, those that leave it on purpose apart.
pub fn lasting_presets() -> impl Iterator<Item = &'static Preset> {
    preset::all().iter().filter(|preset| match preset.spec().heartbeat {
        HeartbeatSpec::LeaveWhenQuiet(_) => false,
        HeartbeatSpec::Composed(parts) => parts.leave.is_none(),
        _ => true,
    })
}

/// The presets that show how a product or its server ends connections with which nothing is wrong.
pub const PITFALLS: [&str; 4] =
    ["server-idle-reaper-heartbeats", "mqtt-starved", "rabbitmq-amqp-pre-3-7-11", "grpc-too-many-pings"];

/// Returns the lasting presets under which a connection lasts as long as nothing is wrong with it.
pub fn sound_presets() -> impl Iterator<Item = &'static Preset> {
    lasting_presets().filter(|preset| !PITFALLS.contains(&preset.name))
}

/// Returns the world with a preset's strategy, its reconnect policy included.
pub fn world_of(preset: &Preset) -> WorldConfig {
    WorldConfig { strategy: preset.spec(), ..world(HeartbeatSpec::None) }
}

/// Returns the fixed heartbeat, first beat after an interval, late replies ignored.
pub fn fixed(interval: Duration, timeout: Duration, misses: u32) -> HeartbeatSpec {
    HeartbeatSpec::Fixed(Fixed {
        interval: span(interval),
        timeout: span(timeout),
        misses,
        first_beat: FirstBeat::Interval,
        late_reply: LateReply::Ignored,
    })
}

/// Panics where it is zero or finer than a microsecond: for tests.
pub fn span(span: Duration) -> Span {
    Span::new(span).expect("a span of a test is a span")
}

/// Always this delay.
pub fn constant(delay: Duration) -> Distribution {
    Distribution::Constant(span(delay))
}

/// Returns a span in seconds.
pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns a span in milliseconds.
pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Since the start of the run.
pub fn age(at: Time) -> Duration {
    at.since(Time::ZERO)
}

/// At exactly this moment.
pub fn at(time: Time) -> When {
    When::At(vec![Delay::new(age(time)).expect("a test is shorter than ten years")])
}

/// One session only: whoever loses it waits until the run is over.
pub fn one_session(heartbeat: HeartbeatSpec) -> WorldConfig {
    let mut world = world(heartbeat);
    world.duration = Duration::from_hours(2);
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: span(Duration::from_hours(24)) });
    world
}

/// Returns a cut of the access link both ways; `None`: to the end of the run.
pub fn cut(begin: Time, lasts: Option<Duration>) -> FaultConfig {
    cut_of(LinkName::Access, Direction::Both, begin, lasts)
}

/// Returns a cut of any link; `lasts` as for [`cut`].
pub fn cut_of(link: LinkName, direction: Direction, begin: Time, lasts: Option<Duration>) -> FaultConfig {
    FaultConfig::Cut(Cut {
        devices: None,
        link,
        direction,
        when: at(begin),
        lasts: lasts.map(constant),
        answers: Answer::Nothing,
        carrier: Carrier::Kept,
    })
}

/// Returns every NAT forgets every mapping.
pub fn flush(when: Time) -> FaultConfig {
    FaultConfig::NatFlush(NatFlush { network: None, nat: None, when: at(when) })
}

/// Returns a fault of all servers; wrap it in its kind.
pub fn server_fault(begin: Time, lasts: Option<Duration>) -> ServerFault {
    ServerFault { devices: None, server: None, when: at(begin), lasts: lasts.map(constant) }
}

/// Runs a world on the event engine.
pub fn go(world: &WorldConfig, seed: u64) -> Outcome {
    run(world, seed, &RunOptions::new(Engine::Event)).expect("the event engine does not fail")
}

/// Runs a world on the event engine and keeps the record.
pub fn go_traced(world: &WorldConfig, seed: u64) -> Outcome {
    let options = RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) };
    run(world, seed, &options).expect("the event engine does not fail")
}

/// Returns the record of a run, which must have been kept.
pub fn entries(outcome: &Outcome) -> &[Entry] {
    &outcome.trace.as_ref().expect("the record was asked for").entries
}

/// Returns what happened to devices, with the time and whose it is.
pub fn device_events(outcome: &Outcome) -> impl Iterator<Item = (Time, u32, DeviceEvent)> + '_ {
    entries(outcome).iter().filter_map(|entry| match entry.what {
        What::Fact(Fact::Device { device, event }) => Some((entry.at, device, event)),
        _ => None,
    })
}

/// Returns what happened to servers, with the time.
pub fn server_events(outcome: &Outcome) -> impl Iterator<Item = (Time, ServerEvent)> + '_ {
    entries(outcome).iter().filter_map(|entry| match entry.what {
        What::Fact(Fact::Server { event, .. }) => Some((entry.at, event)),
        _ => None,
    })
}

/// Returns what happened to mappings, with the time.
pub fn nat_events(outcome: &Outcome) -> impl Iterator<Item = (Time, NatEvent)> + '_ {
    entries(outcome).iter().filter_map(|entry| match entry.what {
        What::Fact(Fact::Nat { event, .. }) => Some((entry.at, event)),
        _ => None,
    })
}

/// Returns what a node received, with the time.
pub fn received(outcome: &Outcome, by: NodeId) -> Vec<(Time, &Packet)> {
    let packets = entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Received { packet, .. } if entry.node == by => Some((entry.at, packet)),
        _ => None,
    });
    packets.collect()
}

/// Returns what a node put on its links, with the time.
pub fn sent(outcome: &Outcome, by: NodeId) -> Vec<(Time, &Packet)> {
    let packets = entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, .. } if entry.node == by => Some((entry.at, packet)),
        _ => None,
    });
    packets.collect()
}

/// Returns what a node threw away: when, and why.
pub fn dropped(outcome: &Outcome, by: NodeId) -> Vec<(Time, DropReason)> {
    let packets = entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Dropped { reason, .. } if entry.node == by => Some((entry.at, *reason)),
        _ => None,
    });
    packets.collect()
}

/// Returns the only episode of a run.
#[track_caller]
pub fn only_episode(outcome: &Outcome) -> (Time, Cause, Option<Detection>) {
    let [episode] = outcome.episodes[..] else { panic!("one episode: {:?}", outcome.episodes) };
    (episode.begin, episode.cause, episode.detection)
}

/// Returns when servers closed sessions.
pub fn sessions_closed(outcome: &Outcome) -> Vec<Time> {
    let closed = server_events(outcome).filter(|(_, event)| matches!(event, ServerEvent::SessionClosed { .. }));
    closed.map(|(at, _)| at).collect()
}

/// Returns a detection by RST.
pub fn reset(at: Time) -> Detection {
    Detection { at, by: DetectedBy::Transport(LossReason::Reset) }
}

/// Returns when the messages that devices sent were handed to TCP: at their creation, where there was a session.
pub fn sent_messages(outcome: &Outcome) -> Vec<Time> {
    let sent = device_events(outcome).filter(|(.., event)| matches!(event, DeviceEvent::MessageSent { .. }));
    sent.map(|(at, ..)| at).collect()
}

/// Returns when the messages that were delivered to devices had been created.
pub fn created_pushes(outcome: &Outcome) -> Vec<Time> {
    device_events(outcome)
        .filter_map(|(at, _, event)| match event {
            DeviceEvent::MessageDelivered { delay, .. } => Some(at - delay),
            _ => None,
        })
        .collect()
}

/// A mean and its standard error.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

impl Estimate {
    /// Of independent samples.
    pub fn of(samples: &[f64]) -> Self {
        let pairs: Vec<(f64, f64)> = samples.iter().map(|x| (*x, 1.0)).collect();
        Self::ratio(&pairs)
    }

    /// Of sum over sum, with pairs from independent devices: the linearised (delta method) standard error.
    pub fn ratio(pairs: &[(f64, f64)]) -> Self {
        let (above, below) = pairs.iter().fold((0.0, 0.0), |(y, x), pair| (y + pair.0, x + pair.1));
        let (mean, n) = (above / below, pairs.len() as f64);
        let squares: f64 = pairs.iter().map(|(y, x)| (y - mean * x) * (y - mean * x)).sum();
        Self { mean, error: (squares * n / (n - 1.0)).sqrt() / below }
    }

    /// Fails where `expected` is further away than 4.5 standard errors (a chance of 7e-6 for a seed, 0 for a seed that
    /// passed once), or where the estimate is too coarse to tell: `power` is the largest relative standard error allowed.
    #[track_caller]
    pub fn expect(self, what: &str, expected: f64, power: f64) {
        let Self { mean, error } = self;
        assert!(error <= power * expected.abs(), "{what}: {mean} +- {error} tells too little about {expected}");
        assert!((mean - expected).abs() <= 4.5 * error, "{what}: {mean} +- {error}, the formula says {expected}");
    }
}
