//! A results directory as `cardiogram run` writes it, for tests: a few scenarios with strategies that beat at fixed
//! intervals, computed instead of simulated.

use std::{fmt::Write as _, fs, path::Path};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;

use cardiogram_results::{
    Claim, Column,
    manifest::{Manifest, ManifestScenario, ManifestStrategy, hash},
    rows::{EpisodeColumn, RunColumn, SeriesColumn},
};

/// The columns that follow in [`write`]'s `runs.csv`, as they would in that of a run.
const MORE_COLUMNS: &str = "data_up,pure_ack_up,syn_up,fin_up,rst_up,retransmission_up,probe_up,data_down,\
    pure_ack_down,syn_down,fin_down,rst_down,retransmission_down,probe_down,energy_j,pushes_created,pushes_delivered,\
    push_delay_mean_s,pushes_within_1s,pushes_within_10s,pushes_within_1min,pushes_within_10min,downtime_s,unavoidable_s,unnoticed_s,waiting_s,connecting_s";

/// Returns the stable columns of a table: what every file has.
pub(crate) fn header<C: Column>() -> String {
    C::ALL[..C::STABLE].iter().map(|column| column.name()).collect::<Vec<_>>().join(",")
}

const DURATION_S: f64 = 86_400.0;

/// Beats so often, waits so long for the reply, gives up after so many misses.
struct Beat {
    name: &'static str,
    interval_s: f64,
    timeout_s: f64,
    misses: u32,
}

const BEATS: [Beat; 9] = [
    Beat { name: "none", interval_s: f64::INFINITY, timeout_s: 0.0, misses: 1 },
    Beat { name: "linux-keepalive", interval_s: 7_200.0, timeout_s: 75.0, misses: 9 },
    Beat { name: "whatsapp-tcp-10s", interval_s: 10.0, timeout_s: 10.0, misses: 2 },
    Beat { name: "netease-30-15", interval_s: 30.0, timeout_s: 15.0, misses: 2 },
    Beat { name: "qq-fixed-45", interval_s: 45.0, timeout_s: 10.0, misses: 1 },
    Beat { name: "idle-45-either", interval_s: 45.0, timeout_s: 12.0, misses: 1 },
    Beat { name: "weibo-120", interval_s: 120.0, timeout_s: 30.0, misses: 1 },
    Beat { name: "wechat-270", interval_s: 270.0, timeout_s: 30.0, misses: 2 },
    Beat { name: "knower", interval_s: 60.0, timeout_s: 0.1, misses: 1 },
];

/// A scenario: its cause of breaks, how many a run, how long they last, what notices them at once, and how often one
/// must beat to be spared.
struct World {
    name: &'static str,
    cause: &'static str,
    breaks: u32,
    lasts_s: f64,
    at_once: Option<&'static str>,
    spared_below_s: f64,
    /// What every other break comes from instead.
    other_cause: Option<&'static str>,
    devices: u32,
    has_radio: bool,
}

const HEALTHY: World = World {
    name: "healthy",
    cause: "cut",
    breaks: 0,
    lasts_s: 0.0,
    at_once: None,
    spared_below_s: 0.0,
    other_cause: None,
    devices: 1,
    has_radio: false,
};

const WORLDS: [World; 7] = [
    HEALTHY,
    World { name: "silent-nat", cause: "nat-expiry", breaks: 3, lasts_s: 9_000.0, spared_below_s: 300.0, ..HEALTHY },
    World { name: "elevator", breaks: 6, lasts_s: 90.0, has_radio: true, ..HEALTHY },
    World { name: "cable-cut", breaks: 2, lasts_s: 20_000.0, ..HEALTHY },
    World { name: "deaf-server", cause: "server-stall", breaks: 3, lasts_s: 9_000.0, ..HEALTHY },
    World {
        name: "server-crash",
        cause: "server-crash",
        breaks: 4,
        lasts_s: 600.0,
        at_once: Some("fin"),
        devices: 50,
        ..HEALTHY
    },
    World { name: "two-faults", other_cause: Some("server-stall"), breaks: 6, lasts_s: 3_000.0, ..HEALTHY },
];

/// Returns the right to write a report of the results in `dir`.
pub(crate) fn claim(dir: &Path) -> Claim {
    Claim::take(dir, "a test").unwrap()
}

/// Writes results of `seeds` seeds into `dir`.
pub(crate) fn write(dir: &Path, seeds: u64) {
    drop(claim(dir));
    let (mut runs, mut episodes) =
        (format!("{},{MORE_COLUMNS}\n", header::<RunColumn>()), format!("{}\n", header::<EpisodeColumn>()));
    let mut series = format!("{}\n", header::<SeriesColumn>());
    for world in &WORLDS {
        for beat in &BEATS {
            for seed in 1..=seeds {
                write_run(&mut runs, &mut episodes, world, beat, seed);
            }
            write_series(&mut series, world, beat);
        }
    }
    fs::write(dir.join("runs.csv"), runs).unwrap();
    fs::write(dir.join("episodes.csv"), episodes).unwrap();
    fs::write(dir.join("series.csv"), series).unwrap();
    let scenarios = WORLDS.iter().map(|world| (world.name, text(world), DURATION_S));
    let manifest = manifest(seeds, scenarios, BEATS.iter().map(|beat| beat.name));
    fs::write(dir.join("manifest.json"), manifest).unwrap();
}

/// Returns the names of all scenarios and strategies of [`write`].
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    WORLDS.iter().map(|world| world.name).chain(BEATS.iter().map(|beat| beat.name))
}

/// Writes results of just these rows into `dir`; every scenario lasts `duration_s`.
pub(crate) fn write_rows(
    dir: &Path,
    scenarios: &[&str],
    strategies: &[&str],
    duration_s: f64,
    runs: &[&str],
    episodes: &[&str],
) {
    drop(claim(dir));
    let file = |header: &str, rows: &[&str]| [&[header], rows].concat().join("\n");
    let scenarios = scenarios.iter().map(|&name| (name, String::new(), duration_s));
    let manifest = manifest(2, scenarios, strategies.iter().copied());
    fs::write(dir.join("runs.csv"), file(&header::<RunColumn>(), runs)).unwrap();
    fs::write(dir.join("episodes.csv"), file(&header::<EpisodeColumn>(), episodes)).unwrap();
    fs::write(dir.join("manifest.json"), manifest).unwrap();
}

/// Returns a manifest of scenarios (name, file, seconds) and strategies.
fn manifest<'a>(
    seeds: u64,
    scenarios: impl Iterator<Item = (&'a str, String, f64)>,
    strategies: impl Iterator<Item = &'a str>,
) -> String {
    let strategies: Vec<ManifestStrategy> = strategies
        .map(|name| ManifestStrategy {
            name: name.to_owned(),
            built_in: false,
            family: None,
            warnings: Vec::new(),
            hash: hash(""),
            text: String::new(),
        })
        .collect();
    let scenario = |(name, text, duration_s): (&str, String, f64)| ManifestScenario {
        name: name.to_owned(),
        duration_s,
        strategies: strategies.iter().map(|strategy| strategy.name.clone()).collect(),
        reference: None,
        built_in: false,
        hash: hash(&text),
        text,
    };
    let manifest = Manifest {
        version: "0.1.0".to_owned(),
        engine: "auto".to_owned(),
        first_seed: 1,
        seeds,
        shard: "1/1".to_owned(),
        scenarios: scenarios.map(scenario).collect(),
        strategies,
        sweep: None,
        files: Vec::new(),
    };
    serde_json::to_string_pretty(&manifest).unwrap()
}

/// Returns the file of a world.
fn text(world: &World) -> String {
    format!(
        r#"
name = {:?}
about = "A world of {} breaks <a day>."
expect = "Frequent beats & short timeouts."
strategies = ["none"]
duration = "24h"
access = "lte-near"
core = "backbone"
nat = "cn-mobile-2g3g"
"#,
        world.name, world.breaks
    )
}

fn write_run(runs: &mut String, episodes: &mut String, world: &World, beat: &Beat, seed: u64) {
    // Keyed by the world and the seed alone: every strategy meets the same breaks.
    let mut rng = ChaCha8Rng::seed_from_u64(seed * 1_000 + u64::from(world.breaks));
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let prefix = format!("{},{},{seed}", world.name, beat.name);
    let (mut detected, mut ridden_out, mut undetected, mut unusable_s, mut unnoticed_s) = (0, 0, 0, 0.0, 0.0);
    let breaks = if beat.interval_s < world.spared_below_s { 0 } else { world.breaks };
    for index in 0..breaks {
        let begin_s = DURATION_S * (f64::from(index) + uniform()) / f64::from(breaks);
        let lasts_s = (world.lasts_s * (0.5 + uniform())).min(DURATION_S - begin_s);
        let until_beat_s = beat.interval_s - begin_s % beat.interval_s;
        let noticed_s = if world.at_once.is_some() {
            0.025 + 0.05 * uniform()
        } else {
            until_beat_s + beat.timeout_s * f64::from(beat.misses)
        };
        let by = world.at_once.unwrap_or("heartbeat");
        let cause = world.other_cause.filter(|_| index % 2 == 1).unwrap_or(world.cause);
        write!(episodes, "{prefix},0,{cause},{begin_s:.6},").unwrap();
        if noticed_s < lasts_s {
            detected += 1;
            let ended = begin_s + lasts_s < DURATION_S;
            let end = if ended { format!("{:.6}", begin_s + lasts_s) } else { String::new() };
            let recovery = if ended { format!("{lasts_s:.6}") } else { String::new() };
            writeln!(episodes, "{end},detected,{by},{noticed_s:.6},{recovery}").unwrap();
        } else if begin_s + lasts_s < DURATION_S {
            ridden_out += 1;
            writeln!(episodes, "{:.6},ridden-out,,,{lasts_s:.6}", begin_s + lasts_s).unwrap();
        } else {
            undetected += 1;
            writeln!(episodes, ",undetected,,,").unwrap();
        }
        unusable_s += lasts_s;
        unnoticed_s += 0.4 * noticed_s.min(lasts_s);
    }
    let false_alarms = u32::from(beat.name == "knower" && uniform() < 0.3);
    if false_alarms > 0 {
        writeln!(episodes, "{prefix},0,,{:.6},,false-alarm,heartbeat,,", 1_000.0).unwrap();
    }
    let heartbeats = (DURATION_S - unusable_s) / beat.interval_s;
    let (up, down) = (2.0 * heartbeats + 3.0 + uniform() * 9.0, heartbeats + 2.0);
    write!(
        runs,
        "{prefix},event,{},{},{detected},{ridden_out},{undetected},{false_alarms},,,,,,\
         {:.6},{:.0},{:.0},{:.0},{:.0},{:.0},1,{:032x}",
        24 * world.devices,
        breaks,
        1.0 - unusable_s / DURATION_S,
        up,
        down,
        up * 45.0,
        down * 45.0,
        heartbeats,
        seed,
    )
    .unwrap();
    // Of three packets up, two carry data; one in a hundred is sent again.
    let (sent, again) = ((2.0 * up / 3.0).floor(), (up / 100.0).floor());
    let energy = if world.has_radio { format!("{:.6}", 40.0 + 3.0 * heartbeats) } else { String::new() };
    // Of a break, at least half is nobody's fault.
    let (waiting_s, connecting_s) = (0.05 * unusable_s, 0.02 * unusable_s);
    let unavoidable_s = unusable_s - waiting_s - connecting_s - unnoticed_s;
    let delay_s = 0.05 + unusable_s / 1_000.0 + beat.interval_s.min(7_200.0) / 60.0;
    writeln!(
        runs,
        ",{sent},{},1,0,0,{again},0,{:.0},0,0,0,0,0,0,{energy},96,90,{delay_s:.6},{},{},{},90,\
         {unusable_s:.6},{unavoidable_s:.6},{unnoticed_s:.6},{waiting_s:.6},{connecting_s:.6}",
        up.round() - sent - 1.0 - again,
        down.round(),
        if delay_s < 1.0 { 80 } else { 8 },
        if delay_s < 10.0 { 85 } else { 40 },
        if delay_s < 60.0 { 90 } else { 75 },
    )
    .unwrap();
}

/// How many stretches a run has in `series.csv`.
const BINS: u32 = 48;

/// The run of seed 1 over time: `wechat-270` finds its interval within six hours, and whoever beats often is reconnected
/// all at once when a crash is over.
fn write_series(series: &mut String, world: &World, beat: &Beat) {
    let width_s = DURATION_S / f64::from(BINS);
    for bin in 0..BINS {
        let share = (f64::from(bin) / f64::from(BINS / 4)).min(1.0);
        let interval_s = if beat.name == "wechat-270" { 60.0 + 210.0 * share } else { beat.interval_s };
        let interval = if interval_s < width_s { format!("{interval_s:.6}") } else { String::new() };
        let has_crashed = world.breaks > 0 && bin % 12 == 7;
        let peak = if has_crashed { (f64::from(world.devices) * 20.0 / beat.interval_s).ceil() } else { 0.0 };
        let timeout = if world.cause == "nat-expiry" { "300.000000" } else { "" };
        writeln!(
            series,
            "{},{},1,{:.6},{width_s:.6},{},{peak},{interval},{timeout}",
            world.name,
            beat.name,
            f64::from(bin) * width_s,
            2.0 * peak,
        )
        .unwrap();
    }
}
