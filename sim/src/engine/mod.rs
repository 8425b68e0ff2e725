//! Engines: they move packets and time. The nodes decide everything else, so that both engines give the same run.

pub(crate) mod event;
mod turmoil;

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{
    WorldConfig, faults, learning, node,
    outcome::{Outcome, Peaks, Pushes, Totals},
    peak,
    trace::{self, Trace},
    traffic::{self, Messages},
    truth,
    world::{self, Schedule},
};

/// Which engine runs a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Every node is a turmoil host; packets are datagrams of its UDP.
    Turmoil,
    /// No runtime: always the earliest event next.
    Event,
}

/// How to run, as far as it does not change the result.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Which engine.
    pub engine: Engine,
    /// Keep the whole record in [`Outcome::trace`].
    pub keep_trace: bool,
    /// Turmoil only: the tick. Default, and upper limit: the world's [lookahead](WorldConfig::lookahead).
    pub tick: Option<Duration>,
    /// Turmoil only: skip windows in which nothing happens. Default true.
    pub skip_idle: bool,
}

impl RunOptions {
    /// The usual options for `engine`.
    pub const fn new(engine: Engine) -> Self {
        Self { engine, keep_trace: false, tick: None, skip_idle: true }
    }
}

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Turmoil reported an error.
    #[error("turmoil: {0}")]
    Turmoil(String),
}

/// Runs the world of `seed`.
///
/// Panics where the configuration has [problems](WorldConfig::problems), which a caller shows to its user first.
pub fn run(config: &WorldConfig, seed: u64, options: &RunOptions) -> Result<Outcome, RunError> {
    let problems = config.problems();
    assert!(problems.is_empty(), "a world with problems cannot run: {problems:?}");
    let schedule = Schedule::draw(config, seed);
    let mut hosts = world::hosts(config, seed, &schedule, options.keep_trace);
    let end = Time::ZERO + config.duration;
    match options.engine {
        Engine::Event => event::run(&mut hosts, end),
        Engine::Turmoil => {
            let lookahead = config.lookahead();
            let tick = options.tick.map_or(lookahead, |tick| tick.clamp(Duration::from_micros(1), lookahead));
            hosts = turmoil::run(hosts, end, tick, options.skip_idle, seed)?;
        }
    }
    let finished: Vec<node::Finished> = hosts.into_iter().map(node::Host::finish).collect();
    Ok(outcome(config, seed, &schedule, finished, options.keep_trace))
}

fn outcome(
    config: &WorldConfig,
    seed: u64,
    schedule: &Schedule,
    finished: Vec<node::Finished>,
    keep_trace: bool,
) -> Outcome {
    let trace_hash = trace::combine(finished.iter().map(|host| host.digest));
    let end = Time::ZERO + config.duration;
    let starts: Vec<Time> = (0..config.devices.count)
        .map(|device| traffic::start(seed, device, config.devices.start_within.get()))
        .collect();
    let facts = || finished.iter().map(|host| &host.facts[..]);
    let verdict = truth::judge(config, schedule, facts());
    let mut peaks = Peaks { sessions: peak::sessions(facts()), ..Peaks::default() };

    let created = config.traffic.down.map_or(0, |mean| {
        let created = |(device, start): (usize, &Time)| {
            let mut messages = Messages::down(seed, device as u32, *start, mean.get());
            std::iter::from_fn(|| messages.take(end).filter(|message| message.created < end)).count() as u64
        };
        starts.iter().enumerate().map(created).sum()
    });
    let mut totals = Totals::default();
    let mut radio = None;
    let mut server_busy = Duration::ZERO;
    let mut delays = Vec::new();
    let (mut learning, mut series) = (Vec::new(), Vec::new());
    let mut entries = Vec::new();
    for (node, host) in finished.into_iter().enumerate() {
        // The devices count what they pay and feel; no other node has totals.
        if node == world::DEVICES.0 as usize {
            totals = host.counts.totals;
            radio = host.counts.radio;
            learning = learning::learnings(config, schedule, host.counts.intervals);
            series = host.counts.series.finish();
            learning::add_timeouts(config, schedule, &mut series);
            peaks.attempts_per_s = series.iter().map(|bin| bin.attempts_peak_per_s).max().unwrap_or(0);
        }
        server_busy += host.counts.server_busy;
        delays.extend(host.counts.push_delays);
        entries.extend(host.entries);
    }
    delays.sort_unstable();
    // Stable: within a node the order of its events is kept.
    entries.sort_by_key(|entry| (entry.at, entry.node));
    let trace = keep_trace.then(|| Trace {
        nodes: world::node_names(config),
        networks: config.all_networks().map(|network| network.name.to_owned()).collect(),
        end,
        entries,
        faults: faults::spans(config, schedule, seed),
        usable: truth::spans(&verdict.turns, end),
    });
    Outcome {
        trace_hash,
        device_time: starts.iter().map(|start| end.since(*start)).sum(),
        episodes: verdict.episodes,
        false_alarms: verdict.false_alarms,
        accuracy: verdict.accuracy,
        usable_time: verdict.usable_time,
        zombie_time: verdict.zombie_time,
        server_busy,
        peaks,
        totals,
        radio,
        learning,
        series,
        pushes: Pushes { created, delays },
        trace,
    }
}
