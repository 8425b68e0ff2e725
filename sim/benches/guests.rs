//! What guests cost: `cargo bench -p cardiogram-sim --features guests --bench guests`. Both ends are programs, a client that sends
//! a byte from time to time and a server that sends it back; the lab's own hosts do the same beside them. CPU time of this
//! process, since the machine has other work (Linux only: it reads `/proc/self`). `docs/benchmarks.md` says what the lines mean.
//! Nothing here is asserted.

use std::{io, process::Command, time::Duration};

use cardiogram_policies::unit::Span;
use cardiogram_sim::{
    Engine, Outcome, RunOptions,
    config::{DevicesConfig, Distribution, LinkConfig, WorldConfig},
    guest::{Guests, Machine},
    run, run_guests,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep, sleep_until, timeout},
};

const DAY: Duration = Duration::from_secs(86_400);
/// The child process's order to run so many guests for a day and print its CPU time in milliseconds and its peak memory in KiB.
const CHILD: &str = "--guests";
/// Ticks a second of the kernel's count of CPU time (`USER_HZ`).
const TICKS: u64 = 100;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(order) = args.iter().position(|arg| arg == CHILD) {
        let devices = args[order + 1].parse().expect("a number");
        let took = cpu_of(|| guests(&world(devices, DAY, 270), 270));
        println!("{} {}", took.as_millis(), status_kib("VmHWM:"));
        return;
    }
    line("one device, a ping every 30 s, 5 days ", &world(1, 5 * DAY, 30), 30);
    line("100 devices, a ping every 270 s, a day", &world(100, DAY, 270), 270);
    crowd(1_000);
}

/// Devices behind a NAT that keeps them all, with this heartbeat where they are the lab's own.
fn world(devices: u32, duration: Duration, every_s: u64) -> WorldConfig {
    let link = |ms| LinkConfig::of_delay(Distribution::Constant(Span::millis(ms)));
    let text = format!("name = 'pings'\nheartbeat.fixed = {{ interval = '{every_s}s', timeout = '20s' }}");
    let strategy = toml::from_str(&text).expect("a strategy");
    WorldConfig {
        devices: DevicesConfig { count: devices, ..DevicesConfig::default() },
        ..WorldConfig::new(duration, link(25), link(10), strategy)
    }
}

fn guests(world: &WorldConfig, every_s: u64) -> Outcome {
    let every = Duration::from_secs(every_s);
    let client = move |machine: Machine| async move {
        loop {
            // Whatever ended it, the client comes back.
            let _ = session(&machine, every).await;
            sleep(Duration::from_secs(1)).await;
        }
    };
    let server = async |machine: Machine| {
        let listener = machine.listen(443)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    stream.write_u8(byte).await?;
                }
                io::Result::Ok(())
            });
        }
    };
    run_guests(world, 1, &RunOptions::new(Engine::Event), &Guests::new().devices(client).servers(server))
        .expect("the guests do what guests have to")
}

async fn session(machine: &Machine, every: Duration) -> io::Result<()> {
    let mut stream = machine.connect(machine.server(0)).await?;
    let mut next = Instant::now();
    loop {
        next += every;
        sleep_until(next).await;
        stream.write_u8(0).await?;
        timeout(Duration::from_secs(20), stream.read_u8()).await??;
    }
}

fn line(what: &str, world: &WorldConfig, every_s: u64) {
    let days = world.duration.as_secs_f64() / DAY.as_secs_f64() * f64::from(world.devices.count);
    let exchanges = days * DAY.as_secs_f64() / every_s as f64;
    let told = |took: Duration| {
        let (each, day) = (took.as_secs_f64() * 1e6 / exchanges, took.as_secs_f64() * 1e3 / days);
        format!("{each:>6.2} us an exchange, {day:>6.2} ms a device-day")
    };
    let of_guests = best(|| guests(world, every_s));
    let of_the_lab = best(|| run(world, 1, &RunOptions::new(Engine::Event)).expect("the world runs"));
    println!("{what}    guests {}    the lab's own {}", told(of_guests), told(of_the_lab));
}

/// So many guests for a day, in a process of their own.
fn crowd(devices: u32) {
    let me = std::env::current_exe().expect("it runs");
    let output = Command::new(me).args([CHILD, &devices.to_string()]).output().expect("a child process");
    let text = String::from_utf8(output.stdout).expect("text");
    let (took, peak) = text.trim().split_once(' ').expect("two numbers");
    let number = |text: &str| text.parse::<f64>().expect("a number");
    println!(
        "{devices} guests and their sessions, a ping every 270 s, a day: {:.1} s, {:.0} MiB",
        number(took) / 1e3,
        number(peak) / 1_024.0
    );
}

/// Returns the least CPU time of three.
fn best(mut work: impl FnMut() -> Outcome) -> Duration {
    (0..3).map(|_| cpu_of(&mut work)).min().expect("three")
}

fn cpu_of(work: impl FnOnce() -> Outcome) -> Duration {
    let before = cpu();
    drop(work());
    cpu().saturating_sub(before)
}

/// Returns the CPU time of this process: the fields `utime` and `stime` of `/proc/self/stat`.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
    Duration::from_millis(ticks.sum::<u64>() * 1_000 / TICKS)
}

fn status_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(key)).expect("the kernel tells it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
