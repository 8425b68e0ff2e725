//! The runs of a scenario that are worth a look: the breaks that were noticed last or never, sessions that were left for no
//! reason, the device-time without a session. Each with the command that shows it, around the moment that matters.

use std::{cmp::Reverse, collections::BTreeSet, time::Duration};

use cardiogram_policies::unit::format_duration;
use cardiogram_results::manifest::Manifest;

use crate::{
    commands,
    data::{Cell, Episode, Outcome, Run, ScenarioResults},
    number::{percent, short},
};

/// A run that is worth a look.
#[derive(Debug)]
pub(crate) struct Outlier {
    /// What happened in it.
    pub(crate) words: String,
    /// The command that shows it.
    pub(crate) command: String,
}

/// The greatest number of outliers of one kind, each of another strategy.
const EACH: usize = 3;
/// What is shown before and after an event, at least.
const MARGIN_S: f64 = 60.0;
/// The longest stretch that is shown.
const STRETCH_MAX_S: f64 = 6.0 * 3_600.0;

/// Where the outliers of a scenario come from.
struct Place<'a> {
    program: &'a str,
    manifest: &'a Manifest,
    scenario: &'a str,
    duration_s: f64,
}

/// Returns the outliers of a scenario, the most telling first, with commands of the program of that name.
pub(crate) fn outliers(program: &str, manifest: &Manifest, results: &ScenarioResults) -> Vec<Outlier> {
    let entry = &manifest.scenarios[results.scenario];
    let place = Place { program, manifest, scenario: &entry.name, duration_s: entry.duration_s };
    let episodes = |wanted: fn(&Episode) -> bool| {
        let all = results.cells.iter().flat_map(|cell| cell.runs.iter().map(move |run| (cell, run)));
        let all = all.flat_map(move |(cell, run)| run.episodes.iter().map(move |episode| (cell, run, episode)));
        let mut found: Vec<_> = all.filter(|(.., episode)| wanted(episode)).collect();
        // Stable: of equal ones the first.
        found.sort_by(|a, b| b.2.latency_s.total_cmp(&a.2.latency_s));
        of_different_strategies(found, |(cell, ..)| cell.strategy)
    };
    let late = episodes(|episode| episode.outcome == Outcome::Detected);
    let never = episodes(|episode| episode.outcome != Outcome::Detected);
    let late = late.into_iter().map(|(cell, run, episode)| {
        let seconds = short(episode.latency_s);
        place.around(
            cell,
            run,
            episode,
            &format!("noticed only after {seconds} s, by {}", episode.detected_by.as_str()),
        )
    });
    let never = never.into_iter().map(|(cell, run, episode)| {
        place.around(cell, run, episode, &format!("not noticed while watched for {} s", short(episode.latency_s)))
    });
    let mut alarmed: Vec<(&Cell, &Run)> =
        results.cells.iter().flat_map(|cell| cell.runs.iter().map(move |run| (cell, run))).collect();
    let mut worst = alarmed.clone();
    alarmed.retain(|(_, run)| !run.false_alarm_rows.is_empty());
    alarmed.sort_by_key(|(_, run)| Reverse(run.false_alarms));
    let alarmed = of_different_strategies(alarmed, |(cell, _)| cell.strategy);
    let alarmed = alarmed.into_iter().map(|(cell, run)| {
        let alarm = &run.false_alarm_rows[0];
        let words = format!(
            "{}, seed {}: device {} gives a usable session up at {:.0} s, the first of {} such in this run",
            place.strategy(cell),
            run.seed,
            alarm.device,
            alarm.begin_s,
            run.false_alarms
        );
        place.outlier(cell, run, Some((alarm.device, alarm.begin_s, alarm.begin_s)), words)
    });
    worst.sort_by(|a, b| a.1.availability.total_cmp(&b.1.availability));
    let worst = worst.into_iter().take(1).filter(|(_, run)| run.availability < 1.0).map(|(cell, run)| {
        let share = percent(run.availability);
        let words =
            format!("{}, seed {}: a usable session for only {share} of the time", place.strategy(cell), run.seed);
        place.outlier(cell, run, None, words)
    });
    late.chain(never).chain(alarmed).chain(worst).collect()
}

/// Returns the first [`EACH`], at most one of each strategy.
fn of_different_strategies<T>(all: Vec<T>, strategy: impl Fn(&T) -> usize) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|it| seen.insert(strategy(it))).take(EACH).collect()
}

impl Place<'_> {
    fn strategy(&self, cell: &Cell) -> &str {
        &self.manifest.strategies[cell.strategy].name
    }

    fn around(&self, cell: &Cell, run: &Run, episode: &Episode, what: &str) -> Outlier {
        let words = format!(
            "{}, seed {}: the session of device {} breaks at {:.0} s ({}), {what}",
            self.strategy(cell),
            run.seed,
            episode.device,
            episode.begin_s,
            episode.cause.as_str()
        );
        let end_s = episode.begin_s + episode.latency_s;
        self.outlier(cell, run, Some((episode.device, episode.begin_s, end_s)), words)
    }

    /// Returns an outlier. `when` is the device with the begin and end to show; `None` for the whole run.
    fn outlier(&self, cell: &Cell, run: &Run, when: Option<(u32, f64, f64)>, words: String) -> Outlier {
        let base = commands::trace(self.program, self.manifest, self.scenario, self.strategy(cell), run.seed);
        let around = when.map_or_else(String::new, |(device, begin_s, end_s)| {
            let margin_s = MARGIN_S.max((end_s - begin_s) / 5.0);
            let from_s = (begin_s - margin_s).max(0.0);
            let to_s = (end_s + margin_s).min(self.duration_s).min(from_s + STRETCH_MAX_S);
            let at = |seconds: f64| format_duration(Duration::from_secs(seconds as u64));
            let from = if from_s >= 1.0 { format!(" --from {}", at(from_s.floor())) } else { String::new() };
            format!(" --device {device}{from} --to {}", at(to_s.ceil().min(self.duration_s.floor())))
        });
        Outlier { words, command: format!("{base}{around} --timeline strip.svg") }
    }
}
