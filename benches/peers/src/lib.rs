//! The work that all peers do, and how it is measured.

use std::time::Duration;

/// From a device's heartbeat to its next.
pub const INTERVAL: Duration = Duration::from_secs(270);
/// What a device sends, and the server sends back.
pub const BEAT: &[u8; 5] = b"hbeat";
/// From a device to the NAT, and from there to the server.
pub const ACCESS: Duration = Duration::from_millis(25);
pub const CORE: Duration = Duration::from_millis(10);
/// Few devices have to run for long to be measured at all.
const EXCHANGES_MIN: u32 = 100_000;
const DURATION_MIN: Duration = Duration::from_secs(2 * 3_600);

/// How many devices there are, as the command line says, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub devices: u32,
    pub duration: Duration,
}

impl Work {
    /// What the command line asks for.
    pub fn asked() -> Self {
        let devices = std::env::args().nth(1).and_then(|it| it.parse().ok()).expect("usage: PEER DEVICES");
        Self { devices, duration: (INTERVAL * (EXCHANGES_MIN / devices)).max(DURATION_MIN) }
    }

    /// When a device starts: anywhere within an interval, and the same in every program (SplitMix64).
    pub fn start(self, device: u32) -> Duration {
        let mut state = (u64::from(device) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_micros((state ^ (state >> 31)) % INTERVAL.as_micros() as u64)
    }

    /// Runs a peer, which returns how many exchanges there were, and prints what one costs.
    pub fn measure(self, name: &str, run: impl FnOnce(Self) -> u64) {
        let before = cpu();
        let exchanges = run(self);
        let each = (cpu() - before).as_secs_f64() * 1e6 / exchanges as f64;
        let Self { devices, duration } = self;
        let hours = duration.as_secs_f64() / 3_600.0;
        println!(
            "{name:<26} {devices:>6} devices, {hours:>9.2} h  {each:>10.2} us an exchange  {:>5} MiB",
            peak() >> 20
        );
    }
}

/// The CPU time of this process so far, as the scheduler counts it.
fn cpu() -> Duration {
    // Counted up when the thread leaves the processor.
    std::thread::sleep(Duration::from_millis(1));
    let line = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    Duration::from_nanos(line.split_whitespace().next().and_then(|it| it.parse().ok()).expect("nanoseconds first"))
}

/// The most memory that this process had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high-water mark");
    line.split_whitespace().next().and_then(|it| it.parse::<u64>().ok()).expect("kibibytes") << 10
}
