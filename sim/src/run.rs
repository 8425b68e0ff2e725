//! A run from a world and a seed to its outcome: what is drawn, the nodes that an engine drives, the record, the verdict.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{
    config::WorldConfig,
    engine::{self, RunError, RunOptions},
    fate::{
        Schedule, spans,
        traffic::{self, Messages},
    },
    nodes::{
        node::{Finished, Host},
        world,
    },
    record::{counts::Totals, recorder, trace::Trace},
    verdict::{
        learning,
        outcome::{Outcome, Peaks, Pushes},
        peak, truth,
    },
    wire::layout::{DEVICES, node_names},
};

/// Runs the world of `seed`.
///
/// It fails on a world with [problems](WorldConfig::problems), and where an engine does.
pub fn run(config: &WorldConfig, seed: u64, options: &RunOptions) -> Result<Outcome, RunError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(RunError::World(problems));
    }
    let schedule = Schedule::draw(config, seed);
    let hosts = world::hosts(config, seed, &schedule, options.keep_trace);
    let hosts = engine::drive(hosts, Time::ZERO + config.duration, config.lookahead(), seed, options)?;
    let finished: Vec<Finished> = hosts.into_iter().map(Host::finish).collect();
    Ok(outcome(config, seed, &schedule, finished, options.keep_trace))
}

fn outcome(config: &WorldConfig, seed: u64, schedule: &Schedule, finished: Vec<Finished>, keep_trace: bool) -> Outcome {
    let trace_hash = recorder::combine(finished.iter().map(|host| host.digest));
    let end = Time::ZERO + config.duration;
    let starts: Vec<Time> = (0..config.devices.count)
        .map(|device| traffic::start(seed, device, config.devices.start_within.get()))
        .collect();
    let clues = || finished.iter().map(|host| &host.clues[..]);
    let verdict = truth::judge(config, schedule, clues());
    let mut peaks = Peaks { sessions: peak::sessions(clues()), ..Peaks::default() };

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
        if node == DEVICES.0 as usize {
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
        nodes: node_names(config),
        networks: config.all_networks().map(|network| network.name.to_owned()).collect(),
        end,
        entries,
        faults: spans::spans(config, schedule, seed),
        usable: truth::spans(&verdict.turns, end),
    });
    Outcome {
        trace_hash,
        device_time: starts.iter().map(|start| end.since(*start)).sum(),
        episodes: verdict.episodes,
        false_alarms: verdict.false_alarms,
        accuracy: verdict.accuracy,
        usable_time: verdict.usable_time,
        downtime: verdict.downtime,
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
