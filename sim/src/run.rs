//! A run of the lab's own hosts, from a world and a seed to its outcome: what is drawn, the nodes that an engine drives, the record,
//! the verdict.

use std::{cell::RefCell, rc::Rc, time::Duration};

use cardiogram_policies::Time;

use crate::{
    config::{TrafficConfig, WorldConfig},
    engine::{self, RunError, RunOptions},
    fate::{
        Schedule, spans,
        traffic::{self, Messages},
    },
    nodes::{
        node::{Finished, Host},
        world,
    },
    record::{
        counts::{Counts, DeviceCounts},
        recorder::{self, Uses},
        trace::Trace,
    },
    verdict::{
        learning,
        outcome::{Outcome, Peaks, Pushes, Requests},
        truth::{self, Truth, Turns, Verdict},
    },
    wire::layout::node_names,
};

/// Runs the world of `seed` with the lab's own hosts.
pub(crate) fn run_own(config: &WorldConfig, seed: u64, options: &RunOptions) -> Result<Outcome, RunError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(RunError::World(problems));
    }
    run_whatever(config, seed, options)
}

/// Runs a world that nobody has looked at.
pub(crate) fn run_whatever(config: &WorldConfig, seed: u64, options: &RunOptions) -> Result<Outcome, RunError> {
    let judged = Judged::new(config, seed, options.keep_trace);
    let hosts = world::hosts(config, seed, &judged.schedule, &judged.uses());
    let hosts = engine::drive(hosts, Time::ZERO + config.duration, config.lookahead(), seed, options)?;
    let finished = hosts.into_iter().map(Host::finish).collect();
    Ok(judged.outcome(config, seed, finished))
}

/// A run that is judged while it goes on.
pub(crate) struct Judged {
    pub(crate) schedule: Rc<Schedule>,
    truth: Rc<RefCell<Truth>>,
    keep_trace: bool,
}

impl Judged {
    pub(crate) fn new(config: &WorldConfig, seed: u64, keep_trace: bool) -> Self {
        let schedule = Rc::new(Schedule::draw(config, seed));
        let turns = if keep_trace { Turns::Kept } else { Turns::Dropped };
        let truth = Truth::new(config, seed, schedule.clone(), turns);
        Self::by(truth, schedule, keep_trace)
    }

    /// A run of what is drawn in `schedule`, which `truth` judges.
    pub(crate) fn by(truth: Truth, schedule: Rc<Schedule>, keep_trace: bool) -> Self {
        Self { schedule, truth: Rc::new(RefCell::new(truth)), keep_trace }
    }

    /// Returns what its hosts' records are used for.
    pub(crate) fn uses(&self) -> Uses {
        Uses { kept: self.keep_trace, hears: Some(self.truth.clone()) }
    }

    /// Returns the verdict, once the hosts are gone.
    pub(crate) fn verdict(self) -> Verdict {
        let truth = Rc::into_inner(self.truth).expect("the hosts are gone, and their records with them");
        truth.into_inner().verdict()
    }

    /// Returns the outcome, from what the hosts have left behind.
    pub(crate) fn outcome(self, config: &WorldConfig, seed: u64, finished: Vec<Finished>) -> Outcome {
        let (schedule, keep_trace) = (self.schedule.clone(), self.keep_trace);
        outcome(config, seed, &schedule, self.verdict(), finished, keep_trace)
    }
}

fn outcome(
    config: &WorldConfig,
    seed: u64,
    schedule: &Schedule,
    verdict: Verdict,
    finished: Vec<Finished>,
    keep_trace: bool,
) -> Outcome {
    let trace_hash = recorder::combine(finished.iter().map(|host| host.digest));
    let end = Time::ZERO + config.duration;
    let starts: Vec<Time> = (0..config.devices.count)
        .map(|device| traffic::start(seed, device, config.devices.start_within.get()))
        .collect();
    let created = |messages: fn(u64, u32, Time, &TrafficConfig) -> Option<Messages>| {
        let of_device = |(device, start): (u32, &Time)| {
            let mut messages = messages(seed, device, *start, &config.traffic)?;
            Some(std::iter::from_fn(|| messages.take(end).filter(|message| message.created < end)).count() as u64)
        };
        (0..).zip(&starts).filter_map(of_device).sum()
    };
    let (requests_created, pushes_created) = (created(Messages::up), created(Messages::down));
    let mut devices = None;
    let mut server_busy = Duration::ZERO;
    let mut entries = Vec::new();
    for host in finished {
        match host.counts {
            Counts::Devices(counts) => devices = Some(*counts),
            Counts::Server { busy } => server_busy += busy,
            Counts::Nothing => {}
        }
        entries.extend(host.entries);
    }
    let DeviceCounts { totals, mut push_delays, mut answer_delays, radio, series, intervals } =
        devices.expect("the first node is the devices'");
    let mut series = series.finish();
    learning::add_timeouts(config, schedule, &mut series);
    let attempts = series.iter().map(|bin| bin.attempts_peak_per_s);
    let peaks = Peaks { sessions: verdict.sessions_peak, attempts_per_s: attempts.max().unwrap_or(0) };
    push_delays.sort_unstable();
    answer_delays.sort_unstable();
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
        away_time: verdict.away_time,
        zombie_time: verdict.zombie_time,
        server_busy,
        peaks,
        totals,
        radio,
        learning: learning::learnings(config, schedule, intervals),
        series,
        pushes: Pushes { created: pushes_created, delays: push_delays },
        requests: Requests {
            created: requests_created,
            delays: answer_delays,
            failed: totals.messages_failed,
            deadlines_passed: totals.deadlines_passed,
        },
        trace,
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;

    use super::*;
    use crate::{
        config::{Distribution, LinkConfig},
        engine::Engine,
    };

    fn world(duration: Duration) -> WorldConfig {
        let link = LinkConfig::of_delay(Distribution::Constant(Span::millis(25)));
        let strategy = toml::from_str("name = 'none'\nheartbeat = 'none'").expect("a strategy");
        WorldConfig::new(duration, link.clone(), link, strategy)
    }

    #[test]
    fn a_world_that_contradicts_itself_is_an_error_that_names_its_keys() {
        let error = run_own(&world(Duration::ZERO), 1, &RunOptions::new(Engine::Event)).expect_err("no time to run");
        assert!(matches!(&error, RunError::World(problems) if problems[0].path == "duration"), "{error:?}");
        assert!(
            error.to_string().starts_with("the world contradicts itself: `duration`: the run lasts no time"),
            "{error}"
        );
    }

    #[test]
    fn turmoil_runs_where_it_is_built_and_is_an_error_elsewhere() {
        let outcome = run_own(&world(Duration::from_secs(120)), 1, &RunOptions::new(Engine::Turmoil));
        assert_eq!(outcome.is_ok(), cfg!(feature = "turmoil"), "{:?}", outcome.err());
    }
}
