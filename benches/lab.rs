//! What the lab costs: `cargo bench --bench lab`. Prints ratios within one run, since absolute times depend on the machine
//! and its neighbours; `docs/benchmarks.md` says what the lines mean. Nothing here is asserted.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use cardiogram::{policies::preset, prelude::*, scenarios::load};
use cardiogram_policies::{
    Network,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    config::{DevicesConfig, Distribution, LinkConfig, WorldConfig},
    known_nat,
};
use rand_chacha::rand_core::SeedableRng;

const DAY: Duration = Duration::from_secs(86_400);
const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);
/// The child process's order to run a world of so many devices for so many seconds, with so many servers and outside addresses of
/// the NAT, and print how long it took, in microseconds, the heartbeat exchanges, and its peak memory in bytes.
const CHILD: &str = "--world-of";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(order) = args.iter().position(|arg| arg == CHILD) {
        let number = |place: usize| args[order + place].parse::<u32>().expect("a number");
        let mut world = world(number(1), Duration::from_secs(number(2).into()));
        (world.server.count, world.nat[0].outside_addresses) = (number(3), number(4));
        let Measured { took, exchanges } = measure(&world, RunOptions::new(Engine::Event));
        println!("{} {exchanges} {}", took.as_micros(), peak_memory_bytes().unwrap_or_default());
        return;
    }
    device_day();
    devices();
    memory();
    silent_crowd();
    crowds();
    storm();
    policy_steps();
    checks();
}

/// Devices with a heartbeat every 270 s on healthy links whose delay is no shorter than a tick of 10 ms.
fn world(devices: u32, duration: Duration) -> WorldConfig {
    let link = |ms| LinkConfig::of_delay(Distribution::Constant(Span::millis(ms)));
    let strategy = preset::find("wechat-270").expect("a built-in preset").spec();
    WorldConfig {
        devices: DevicesConfig { count: devices, start_within: Delay::millis(270_000), ..DevicesConfig::default() },
        ..WorldConfig::new(duration, link(25), link(10), strategy)
    }
}

struct Measured {
    took: Duration,
    exchanges: u64,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn measure(world: &WorldConfig, options: RunOptions) -> Measured {
    let start = Instant::now();
    let outcome = run(world, 1, &options).expect("the world runs");
    Measured { took: start.elapsed(), exchanges: outcome.totals.heartbeats_answered }
}

/// Returns the fastest of several: the one least disturbed.
fn best(times: u32, world: &WorldConfig, options: RunOptions) -> Measured {
    let all = (0..times).map(|_| measure(world, options));
    all.min_by_key(|measured| measured.took).expect("at least one")
}

fn device_day() {
    const TICK: Duration = Duration::from_millis(10);
    const SHARE: u32 = 48;
    let plain = RunOptions { tick: Some(TICK), skip_idle: false, ..RunOptions::new(Engine::Turmoil) };
    let short = best(2, &world(1, DAY / SHARE), plain);
    let plain = short.took * SHARE;
    let day = world(1, DAY);
    let turmoil = best(5, &day, RunOptions::new(Engine::Turmoil));
    let event = best(20, &day, RunOptions::new(Engine::Event));
    println!("one device for a day, a heartbeat every 270 s, measures included");
    println!(
        "  (a) turmoil, every 10 ms tick stepped    {:>10.3} s   (30 min measured, times {SHARE})",
        plain.as_secs_f64()
    );
    for (name, measured) in
        [("(b) turmoil engine                    ", &turmoil), ("(c) event engine                      ", &event)]
    {
        let each = measured.took.as_secs_f64() * 1e6 / measured.exchanges as f64;
        let ratio = plain.as_secs_f64() / measured.took.as_secs_f64();
        println!(
            "  {name}    {:>10.6} s   {ratio:>8.0} times faster than (a), {each:.2} us a heartbeat exchange",
            measured.took.as_secs_f64()
        );
    }
}

fn devices() {
    println!("cost against the number of devices, six hours, event engine");
    let of = |devices| {
        let measured = best(2, &world(devices, Duration::from_secs(21_600)), RunOptions::new(Engine::Event));
        measured.took.as_secs_f64() * 1e6 / measured.exchanges as f64
    };
    let one = of(1);
    for devices in [1, 100, 10_000] {
        let each = of(devices);
        println!(
            "  {devices:>6} devices    {each:>8.2} us a heartbeat exchange   {:>5.2} times that of one device",
            each / one
        );
    }
}

/// A run in a process of its own: what was measured, and its peak memory in bytes.
type OfChild = (Measured, u64);

/// Runs a world of so many devices, servers and outside addresses in a process of its own; `None`: its peak memory cannot be known.
fn in_child(devices: u32, duration: Duration, servers: u32, addresses: u32) -> Option<OfChild> {
    let me = std::env::current_exe().ok()?;
    let order = [u64::from(devices), duration.as_secs(), servers.into(), addresses.into()].map(|it| it.to_string());
    let output = Command::new(me).arg(CHILD).args(order).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [took, exchanges, peak] = numbers[..] else { return None };
    (peak > 0).then_some((Measured { took: Duration::from_micros(took), exchanges }, peak))
}

/// Runs two numbers of devices in processes of their own and compares their peaks.
fn memory() {
    let (few, many) = (1_000_u32, 21_000_u32);
    match (in_child(few, HALF_AN_HOUR, 1, 1), in_child(many, HALF_AN_HOUR, 1, 1)) {
        (Some((_, less)), Some((_, more))) => {
            let each = more.saturating_sub(less) / u64::from(many - few);
            println!("memory: {each} bytes a connection: both ends' TCP, device, session, mapping, timers and record");
        }
        _ => println!("memory: not measured (needs /proc/self/status)"),
    }
}

/// Ten thousand devices for long.
fn silent_crowd() {
    match in_child(10_000, DAY, 1, 1) {
        Some((Measured { took, .. }, peak)) => println!(
            "10,000 silent devices for a day, a heartbeat every 270 s: {:.1} s, {} MiB",
            took.as_secs_f64(),
            peak / (1 << 20)
        ),
        None => println!("10,000 silent devices for a day: not measured (needs /proc/self/status)"),
    }
}

/// As many devices as there may be, and tenths of them.
fn crowds() {
    const HOUR: Duration = Duration::from_hours(1);
    println!("crowds, a heartbeat every 270 s, 16 servers, 64 outside addresses");
    for (devices, duration) in [(1_000, HOUR), (10_000, HOUR), (100_000, HOUR), (1_000_000, HOUR / 4)] {
        let minutes = duration.as_secs() / 60;
        match in_child(devices, duration, 16, 64) {
            Some((Measured { took, exchanges }, peak)) => println!(
                "  {devices:>7} devices for {minutes} min  {:>7.2} s  {:>6.2} us a heartbeat exchange  {:>5} MiB",
                took.as_secs_f64(),
                took.as_secs_f64() * 1e6 / exchanges as f64,
                peak / (1 << 20)
            ),
            None => println!("  {devices:>7} devices: not measured (needs /proc/self/status)"),
        }
    }
}

/// The built-in storm at four times its size, with each of its strategies.
fn storm() {
    let mut storm = load::scenario("reconnect-storm").expect("a built-in scenario");
    let strategies = load::strategies_of(&storm, "reconnect-storm", &Registry::new()).expect("built-in presets");
    storm.value.devices.count *= 4;
    let login = storm.value.server.login.as_mut().expect("a storm of logins");
    login.cpu = Delay::new(Duration::from_micros(15_600)).expect("a short time").into();
    println!("reconnect-storm with {} devices for an hour, event engine", storm.value.devices.count);
    for strategy in &strategies {
        let measured = measure(&storm.value.world(&strategy.value), RunOptions::new(Engine::Event));
        println!("  {:<20}    {:>8.2} s", strategy.value.name, measured.took.as_secs_f64());
    }
}

/// The promises of some presets in 10,000 random worlds each.
#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn checks() {
    println!("a check of a strategy's promises in 10,000 random worlds, on all cores");
    for name in ["netease-30-15", "wechat-270", "mqtt-keepalive", "linux-keepalive", "mars-smart-heartbeat"] {
        let strategy = preset::find(name).expect("a built-in preset").spec();
        let start = Instant::now();
        Check::of(strategy).promises().cases(10_000).quietly().run().expect("presets keep their promises");
        println!("  {name:20} {:8.1} s", start.elapsed().as_secs_f64());
    }
}

/// What a step of each heartbeat policy costs: an event, or a question.
fn policy_steps() {
    let mut costs: Vec<(Duration, &str)> =
        preset::all().iter().filter_map(|preset| Some((policy_step(&preset.spec())?, preset.name))).collect();
    costs.sort_unstable();
    let (median, slowest) = (costs[costs.len() / 2], costs[costs.len() - 1]);
    println!(
        "a step of a heartbeat policy: median {:.0} ns, slowest {:.0} ns ({}), of {} presets that beat",
        median.0.as_nanos(),
        slowest.0.as_nanos(),
        slowest.1,
        costs.len(),
    );
}

/// Returns the mean over many beats, each with its bytes, its reply and the questions that follow; `None`: it sends none.
#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn policy_step(strategy: &StrategySpec) -> Option<Duration> {
    const STEPS: u32 = 200_000;
    let rng = Box::new(rand_chacha::ChaCha8Rng::seed_from_u64(1));
    let mut policy = known_nat::within(&strategy.heartbeat, &world(1, DAY).bounds()).build(rng);
    let connected = Event::Connected { network: Network::cellular(0), server: 0 };
    let (mut now, mut beats, mut steps) = (Time::ZERO, 0_u32, 0);
    policy.on_event(now, &connected);
    let start = Instant::now();
    while steps < STEPS {
        steps += 1;
        match policy.poll(now) {
            Some(Action::SendHeartbeat { id }) => {
                policy.on_event(now, &Event::BytesWritten);
                policy.on_event(now, &Event::HeartbeatReply { id, rtt: Duration::from_millis(70) });
                (beats, steps) = (beats + 1, steps + 2);
            }
            Some(Action::OpenProbe) => policy.on_event(now, &Event::ProbeConnected),
            Some(Action::SendProbe { id }) => {
                policy.on_event(now, &Event::ProbeReply { id, rtt: Duration::from_millis(70) });
            }
            Some(Action::GiveUp(_)) => policy.on_event(now, &connected),
            Some(_) => {}
            None => {
                steps += 1;
                now = policy.deadline()?.max(now);
            }
        }
    }
    (beats > STEPS / 100).then(|| start.elapsed() / steps)
}

/// Returns the most memory this process has had.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1_024)
}
