//! What the results say: one [`CellStats`] for each strategy in each scenario, and what follows for the scenario.
//!
//! Rates are sums over sums (all packets by all hours), never means of per-run rates. Latencies are pooled over seeds
//! and estimated with censoring ([`cardiogram_results::survival`], [`crate::statistics::incidence`]); intervals draw
//! seeds again ([`crate::statistics::bootstrap`]), all strategies together, so that what compares them is paired.

pub(crate) mod bound;
mod causes;
mod cell;
mod compare;
mod sessions;
mod verdict;
mod warning;

use std::collections::{BTreeMap, BTreeSet};

use cardiogram_policies::{HeartbeatSpec, Registry};
use cardiogram_results::{manifest::ManifestStrategy, survival::Estimated};
use cardiogram_scenarios::{Scenario, load};
use rayon::prelude::*;

use crate::{
    data::{Episode, Label, Results, ScenarioResults},
    statistics::{bootstrap::Interval, incidence::Incidence, pareto::Membership},
};

use self::bound::{Bound, KeepAlive};
pub(crate) use self::{
    causes::CauseStats,
    compare::{Comparison, Hypervolume, Paired},
    verdict::{Cost, Overall, UNUSABLE_S_PER_DAY, better, mark_fronts, overall},
    warning::{Number, Warning},
};

/// Of every interval and band in a report.
pub(crate) const LEVEL: f64 = 0.95;

/// All of a report's numbers.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Version that wrote the results.
    pub(crate) version: String,
    /// Engine of the runs.
    pub(crate) engine: String,
    /// In the manifest's order.
    pub(crate) scenarios: Vec<ScenarioStats>,
}

/// One scenario.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioStats {
    pub(crate) name: String,
    /// What happens in it, from the scenario file; may be empty.
    pub(crate) about: String,
    /// What a good strategy shows in it, from the scenario file; may be empty.
    pub(crate) expect: String,
    /// Length of a run in seconds.
    pub(crate) duration_s: f64,
    /// By packets per device-hour, fewest first.
    pub(crate) cells: Vec<CellStats>,
    /// What no policy can beat.
    pub(crate) bound: Bound,
    /// What it takes to keep the NAT's mapping alive, where sessions broke because it was forgotten.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// What strategies pay, as the front and the ranks count it.
    pub(crate) cost: Cost,
    /// The strategy that the others are compared with.
    pub(crate) reference: String,
    /// Why it is this one.
    pub(crate) reference_is: Reference,
    /// How much of what the bound allows the strategies together reach; `None` where there is no bound.
    pub(crate) hypervolume: Option<Hypervolume>,
    /// What concerns the scenario and no single cell.
    pub(crate) warnings: Vec<Warning>,
}

/// Why a strategy is the one that others are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// Whoever makes the report asked for it.
    Asked,
    /// The scenario names it.
    Named,
    /// It is the best by avoidable downtime, then by cost, of those with a heartbeat: one without is there to show what happens
    /// without, and is best only where nothing does.
    Best,
    /// It is the first that the scenario lists, for the results do not tell downtime.
    First,
}

impl Reference {
    /// Returns the reason, to stand behind the strategy's name.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Asked => "as asked for",
            Self::Named => "which the scenario names",
            Self::Best => "the best by avoidable downtime, then by cost, of those with a heartbeat",
            Self::First => "the first that the scenario lists",
        }
    }
}

/// One strategy in one scenario. Intervals are of 95 % ([`LEVEL`]) and absent with one seed.
#[derive(Debug, Clone)]
pub(crate) struct CellStats {
    pub(crate) strategy: String,
    /// Its place in the manifest: its colour and marker in every plot.
    pub(crate) strategy_index: usize,
    /// The family of those that it is compared with, such as `mqtt`.
    pub(crate) family: Option<String>,
    /// Why a healthy connection cannot live under it, or why it never comes back, as the manifest says; mostly empty.
    pub(crate) unfit: Vec<String>,
    pub(crate) seeds: usize,
    pub(crate) device_hours: f64,
    pub(crate) detected: u64,
    pub(crate) ridden_out: u64,
    pub(crate) undetected: u64,
    pub(crate) false_alarms: u64,
    /// Both directions.
    pub(crate) packets_per_device_hour: f64,
    pub(crate) packets_interval: Option<Interval>,
    pub(crate) heartbeats_per_device_hour: f64,
    pub(crate) heartbeats_interval: Option<Interval>,
    /// Both directions, headers included.
    pub(crate) bytes_per_device_day: f64,
    pub(crate) bytes_interval: Option<Interval>,
    pub(crate) false_alarms_per_device_day: f64,
    /// Where there was none, from 0 to what the rule of three leaves possible.
    pub(crate) false_alarms_interval: Option<Interval>,
    /// Share of the device time with a usable session.
    pub(crate) availability: f64,
    pub(crate) availability_interval: Option<Interval>,
    /// Energy of the radio in joules per device-hour, sleep included; `None` where some run has no radio.
    pub(crate) energy_j_per_device_hour: Option<f64>,
    pub(crate) energy_interval: Option<Interval>,
    /// From a break to its detection; `None` without breaks.
    pub(crate) detect_mean_s: Option<Estimated>,
    /// Of the mean, where that is known.
    pub(crate) detect_interval_s: Option<Interval>,
    pub(crate) detect_p50_s: Option<Estimated>,
    /// Without assumptions on the distribution; `None` where the data cannot tell both ends.
    pub(crate) detect_p50_interval_s: Option<Interval>,
    pub(crate) detect_p95_s: Option<Estimated>,
    /// As for the median.
    pub(crate) detect_p95_interval_s: Option<Interval>,
    /// Share of breaks detected within t seconds, had every break lasted (1 - Kaplan-Meier; ridden-out and undetected breaks
    /// are censored). `None` without breaks. Thinned to at most some 250 steps, like the next two.
    pub(crate) detected_within: Option<Incidence>,
    /// Share of breaks that were detected within t seconds: riding one out is a competing event, after which it cannot be
    /// detected (Aalen-Johansen). Its end is the share that is ever detected. `None` without breaks.
    pub(crate) noticed_within: Option<Incidence>,
    /// Share of sessions left for no reason within t seconds of becoming usable, with breaks as competing events
    /// (Aalen-Johansen). `None` where the scenario's file does not say how many devices there are.
    pub(crate) false_alarm_within: Option<Incidence>,
    /// From a break to a usable session; `None` without breaks.
    pub(crate) recover_mean_s: Option<Estimated>,
    /// Share of breaks that were over within t seconds (1 - Kaplan-Meier). `None` without breaks. Thinned like the others.
    pub(crate) recovered_within: Option<Incidence>,
    /// The breaks by what broke.
    pub(crate) by_cause: BTreeMap<Label, CauseStats>,
    /// Time without a usable session; `None` in results of versions that do not tell it.
    pub(crate) downtime: Option<Downtime>,
    /// What became of the devices' own messages; `None` where there were none, and in results of versions that do not tell.
    pub(crate) requests: Option<Requests>,
    /// Its place by avoidable downtime, counted from 1; strategies that the seeds do not tell apart share one. 0 where the
    /// downtime is not known.
    pub(crate) rank: usize,
    /// Whether no other strategy of the scenario is at least as good in avoidable downtime and cost and better in one, and it does
    /// not lose a tenth of the time, and under it a healthy connection lives.
    pub(crate) on_front: bool,
    /// The share of the resamples in which it is on the front; `None` where its downtime is not known or a tenth of the time, and
    /// with one seed.
    pub(crate) front_share: Option<f64>,
    /// Whether no other strategy is at least as good in packets and mean latency and better in one. A strategy that lost no
    /// session has a latency of zero; one whose mean is not known is not compared.
    pub(crate) on_latency_front: bool,
    /// Against the scenario's reference on the same seeds. `None` for the reference itself, and where the seeds differ.
    pub(crate) versus_reference: Option<Comparison>,
    pub(crate) warnings: Vec<Warning>,
}

/// Time without a usable session, in seconds per device-day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Downtime {
    /// What a policy can do something about: the sum of the next three.
    pub(crate) avoidable_s_per_day: f64,
    /// Of the avoidable downtime.
    pub(crate) interval: Option<Interval>,
    /// The device believed in a dead session.
    pub(crate) unnoticed_s_per_day: f64,
    /// The device knew, and made no attempt.
    pub(crate) waiting_s_per_day: f64,
    /// An attempt was under way.
    pub(crate) connecting_s_per_day: f64,
    /// What no policy can avoid.
    pub(crate) unavoidable_s_per_day: f64,
    /// No part of it: without a session on purpose, while nothing waited. 0 where the results do not tell.
    pub(crate) away_s_per_day: f64,
}

/// Messages of devices as their senders feel them, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Requests {
    pub(crate) created: f64,
    pub(crate) answered: f64,
    /// Answered within a second of their creation.
    pub(crate) prompt: f64,
    /// Given up when their deadline passed.
    pub(crate) failed: f64,
    /// Neither answered nor given up by the end of the run.
    pub(crate) waiting: f64,
    pub(crate) deadlines_passed: f64,
    /// From creation to the answer; `None` where none was answered, like the next two.
    pub(crate) delay_mean_s: Option<f64>,
    /// 95th percentile of the run in which it is longest: quantiles of runs do not add up.
    pub(crate) delay_p95_s: Option<f64>,
    pub(crate) delay_max_s: Option<f64>,
}

impl ScenarioStats {
    /// Returns what no policy can avoid, in seconds per device-day: the least of all strategies, since it differs a little
    /// where sessions outlive what keeps newcomers out. `None` where no strategy tells its downtime.
    pub(crate) fn unavoidable_s_per_day(&self) -> Option<f64> {
        self.cells.iter().filter_map(|cell| Some(cell.downtime?.unavoidable_s_per_day)).reduce(f64::min)
    }
}

impl CellStats {
    /// Breaks of usable sessions.
    pub(crate) const fn episodes(&self) -> u64 {
        self.detected + self.ridden_out + self.undetected
    }

    /// Returns where it stands in the trade-off, if both numbers are known: packets per device-hour, mean latency in seconds.
    pub(crate) fn point(&self) -> Option<(f64, f64)> {
        Some((self.packets_per_device_hour, self.detect_mean_s?.known()?))
    }

    /// Returns how sure it is that it is on the front, or is not.
    pub(crate) fn front_membership(&self) -> Option<Membership> {
        self.front_share.map(Membership::of)
    }
}

/// Computes everything a report shows, strategies being compared with `reference` in all scenarios where that ran.
pub(crate) fn summarize(results: &Results, reference: Option<&str>) -> Summary {
    let silent: Vec<bool> = results.manifest.strategies.iter().map(has_no_heartbeat).collect();
    let stats = |scenario| scenario_stats(results, scenario, &silent, reference);
    Summary {
        version: results.manifest.version.clone(),
        engine: results.manifest.engine.clone(),
        scenarios: results.scenarios.par_iter().map(stats).collect(),
    }
}

/// `silent` says of each strategy of the manifest whether it has no heartbeat, and `asked` which one is to be the reference.
fn scenario_stats(
    results: &Results,
    scenario: &ScenarioResults,
    silent: &[bool],
    asked: Option<&str>,
) -> ScenarioStats {
    let entry = &results.manifest.scenarios[scenario.scenario];
    // A file of another version may not be readable here; its numbers are all the same.
    let file = load::parse_scenario(&entry.name, &entry.text).ok();
    let devices = file.as_ref().map(|file| file.devices.count);

    let replications = cell::replicate(&scenario.cells);
    let mut cells: Vec<CellStats> = scenario
        .cells
        .par_iter()
        .zip(&replications)
        .map(|(cell, replications)| {
            let strategy = &results.manifest.strategies[cell.strategy];
            let extent = sessions::Extent { devices, duration_s: entry.duration_s };
            CellStats {
                family: strategy.family.clone(),
                unfit: strategy.warnings.clone(),
                ..cell::stats(cell, &strategy.name, replications, extent)
            }
        })
        .collect();
    let listed = |cell: &CellStats| entry.strategies.iter().position(|name| *name == cell.strategy);
    let cost = verdict::judge(&mut cells, &replications);
    let is_asked_for = |cell: &CellStats| Some(cell.strategy.as_str()) == asked;
    let best = || {
        let silent = |index: usize| silent[cells[index].strategy_index];
        let by_list = |index: usize| (listed(&cells[index]).unwrap_or(usize::MAX), index);
        let by = |&a: &usize, &b: &usize| {
            let of_both = silent(a).cmp(&silent(b)).then_with(|| better(cost, &cells[a], &cells[b]));
            of_both.then_with(|| by_list(a).cmp(&by_list(b)))
        };
        (0..cells.len()).min_by(by).expect("a scenario with results has cells")
    };
    let is_named = |cell: &CellStats| Some(&cell.strategy) == entry.reference.as_ref();
    let asked = cells.iter().position(is_asked_for).map(|place| (place, Reference::Asked));
    let named = || cells.iter().position(is_named).map(|place| (place, Reference::Named));
    let tells_downtime = cells.iter().any(|cell| cell.downtime.is_some());
    let by_itself = || (best(), if tells_downtime { Reference::Best } else { Reference::First });
    let (reference, reference_is) = asked.or_else(named).unwrap_or_else(by_itself);
    compare::with_reference(&mut cells, &scenario.cells, &replications, reference);

    let words = |word: fn(&Episode) -> Label| {
        let all: BTreeSet<Label> = scenario.cells.iter().flat_map(cell::episodes).map(word).collect();
        all.into_iter().collect::<Vec<_>>()
    };
    let noticing: Vec<f64> = cells.iter().filter(|cell| cell.detected > 0).map(|cell| cell.availability).collect();
    let causes = words(|episode| episode.cause);
    let bound = Bound::decide(&causes, &words(|episode| episode.detected_by), &noticing);
    let hypervolume = compare::hypervolume(&cells, &replications, bound);
    let warnings = file.as_ref().map_or_else(Vec::new, |file| warning::of_scenario(file, &cells));
    let reference = cells[reference].strategy.clone();
    // Stable: strategies of equal cost stay in the manifest's order.
    cells.sort_by(|a, b| a.packets_per_device_hour.total_cmp(&b.packets_per_device_hour));
    let prose = |of: fn(&Scenario) -> &str| file.as_ref().map_or_else(String::new, |file| of(file).trim().to_owned());
    ScenarioStats {
        name: entry.name.clone(),
        about: prose(|file| &file.about),
        expect: prose(|file| &file.expect),
        duration_s: entry.duration_s,
        keep_alive: file.as_ref().and_then(|file| KeepAlive::decide(file, &causes)),
        cells,
        bound,
        cost,
        reference,
        reference_is,
        hypervolume,
        warnings,
    }
}

/// Returns whether a strategy has no heartbeat at all, as its file says; one that cannot be read here may have one.
fn has_no_heartbeat(strategy: &ManifestStrategy) -> bool {
    let file = load::parse_strategy(&strategy.name, &strategy.text, &Registry::default());
    file.is_ok_and(|file| matches!(file.heartbeat, HeartbeatSpec::None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data, fixture};

    /// One strategy `s` in one scenario `w` of 100 s; two seeds of 1 and 3 device-hours.
    ///
    /// Detected after 10, 20 and 60 s; ridden out after 30 s; undetected for the last 40 s of a run.
    const RUNS: [&str; 2] = [
        "w,s,1,event,1,3,2,1,0,0,,,,,,0.5,40,20,1000,500,7,1,00",
        "w,s,2,event,3,2,1,0,1,2,,,,,,0.9,100,80,2000,1500,13,1,00",
    ];
    const EPISODES: [&str; 7] = [
        "w,s,1,0,cut,0,12,detected,heartbeat,10,12",
        "w,s,1,0,cut,20,50,ridden-out,,,30",
        "w,s,1,0,cut,50,78,detected,heartbeat,20,28",
        "w,s,2,0,cut,0,61,detected,silence,60,61",
        "w,s,2,0,cut,60,,undetected,,,",
        "w,s,2,0,,5,,false-alarm,heartbeat,,",
        "w,s,2,0,,6,,false-alarm,heartbeat,,",
    ];

    fn summary(runs: &[&str], episodes: &[&str]) -> Summary {
        let dir = tempfile::tempdir().unwrap();
        fixture::write_rows(dir.path(), &["w"], &["s", "t", "u"], 100.0, runs, episodes);
        summarize(&data::read(dir.path()).unwrap(), None)
    }

    #[track_caller]
    fn assert_close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9 * expected.abs().max(1.0), "{value} instead of {expected}");
    }

    #[test]
    fn a_strategy_without_a_heartbeat_is_no_reference_unless_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let runs: Vec<String> = [("none", 1), ("a", 5), ("b", 9)]
            .iter()
            .flat_map(|(strategy, packets)| {
                let run = move |seed| {
                    format!("w,{strategy},{seed},event,24,0,0,0,0,0,,,,,,1,{packets},0,1,1,1,1,00,0,0,0,0,0")
                };
                [run(1), run(2)]
            })
            .collect();
        fixture::write_rows(dir.path(), &["w"], &["none", "a", "b"], 86_400.0, &[], &[]);
        let columns = "downtime_s,unavoidable_s,unnoticed_s,waiting_s,connecting_s";
        let header = fixture::header::<cardiogram_results::rows::RunColumn>();
        std::fs::write(dir.path().join("runs.csv"), format!("{header},{columns}\n{}\n", runs.join("\n"))).unwrap();
        let mut results = data::read(dir.path()).unwrap();
        results.manifest.strategies[0].text = "name = \"none\"\nheartbeat = \"none\"\n".to_owned();
        let of = |asked| {
            let summary = summarize(&results, asked);
            (summary.scenarios[0].reference.clone(), summary.scenarios[0].reference_is)
        };
        assert_eq!(of(None), ("a".to_owned(), Reference::Best));
        assert_eq!(of(Some("none")), ("none".to_owned(), Reference::Asked));
        assert_eq!(of(Some("b")), ("b".to_owned(), Reference::Asked));
    }

    #[test]
    fn rates_are_sums_over_sums() {
        let summary = summary(&RUNS, &EPISODES);
        let cell = &summary.scenarios[0].cells[0];
        assert_close(cell.packets_per_device_hour, 240.0 / 4.0);
        assert_close(cell.heartbeats_per_device_hour, 20.0 / 4.0);
        assert_close(cell.bytes_per_device_day, 24.0 * 5_000.0 / 4.0);
        assert_close(cell.false_alarms_per_device_day, 24.0 * 2.0 / 4.0);
        assert_close(cell.availability, (0.5 + 3.0 * 0.9) / 4.0);
        assert_eq!((cell.detected, cell.ridden_out, cell.undetected, cell.false_alarms), (3, 1, 1, 2));
    }

    #[test]
    fn unnoticed_breaks_are_censored_and_not_left_out() {
        let summary = summary(&RUNS, &EPISODES);
        let cell = &summary.scenarios[0].cells[0];
        // By hand: 10 (4/5), 20 (3/5), 30 and 40 censored, 60 (0): 10 + 10 * 4/5 + 40 * 3/5.
        assert_close(cell.detect_mean_s.unwrap().known().unwrap(), 42.0);
        assert_eq!(cell.detect_p95_s, Some(Estimated::Known(60.0)));
        // Recovered after 12, 28, 30 and 61 s, once not within 40 s: 12 + 16 * 4/5 + 2 * 3/5 + 31 * 2/5.
        assert_close(cell.recover_mean_s.unwrap().known().unwrap(), 12.0 + 12.8 + 1.2 + 12.4);
        assert_eq!(cell.warnings, [Warning::TooFewSeeds { seeds: 2 }, Warning::HeavyCensoring { share: 0.4 }]);
    }

    #[test]
    fn two_seeds_span_the_interval_between_them() {
        let summary = summary(&RUNS, &EPISODES);
        let cell = &summary.scenarios[0].cells[0];
        // Twice seed 1, or twice seed 2; each is a quarter of the resamples.
        assert_eq!(cell.packets_interval, Some(Interval { low: 60.0, high: 60.0 }));
        // Seed 1: 10 (2/3), 20 (1/3), 30 censored: 10 + 20/3 + 10/3. Seed 2: 40 censored, 60 (0).
        let interval = cell.detect_interval_s.unwrap();
        assert_close(interval.low, 20.0);
        assert_close(interval.high, 60.0);
    }

    #[test]
    fn one_seed_has_no_interval_and_says_so() {
        let summary = summary(&RUNS[..1], &EPISODES[..3]);
        let cell = &summary.scenarios[0].cells[0];
        assert_eq!((cell.packets_interval, cell.detect_interval_s), (None, None));
        assert!(cell.warnings.contains(&Warning::TooFewSeeds { seeds: 1 }));
        // The longest wait was ridden out: the mean is a bound.
        assert!(matches!(cell.detect_mean_s, Some(Estimated::AtLeast(mean)) if (mean - 20.0).abs() < 1e-9));
    }

    #[test]
    fn without_breaks_there_is_no_latency() {
        let summary = summary(&["w,s,1,event,1,0,0,0,0,0,,,,,,1,3,2,100,80,0,1,00"], &[]);
        let cell = &summary.scenarios[0].cells[0];
        assert_eq!((cell.detect_mean_s, cell.detect_p95_s, cell.recover_mean_s), (None, None, None));
        assert!(cell.warnings.contains(&Warning::NoEpisodes));
        assert_eq!(summary.scenarios[0].bound, Bound::NothingNoticed);
    }

    #[test]
    fn the_front_of_latencies_holds_those_with_a_known_mean_that_nothing_beats() {
        // s: 60 packets, 10 s. t: 70 packets, 12 s, beaten. u: 5 packets, nothing noticed: no mean to compare.
        let summary = summary(
            &[
                "w,s,1,event,1,1,1,0,0,0,,,,,,1,40,20,1,1,1,1,00",
                "w,t,1,event,1,1,1,0,0,0,,,,,,0.8,40,30,1,1,1,1,00",
                "w,u,1,event,1,1,0,0,1,0,,,,,,0.1,4,1,1,1,1,1,00",
            ],
            &[
                "w,s,1,0,cut,0,12,detected,heartbeat,10,12",
                "w,t,1,0,cut,0,14,detected,heartbeat,12,14",
                "w,u,1,0,cut,0,,undetected,,,",
            ],
        );
        let cells: Vec<(&str, bool)> =
            summary.scenarios[0].cells.iter().map(|cell| (cell.strategy.as_str(), cell.on_latency_front)).collect();
        assert_eq!(cells, [("u", false), ("s", true), ("t", false)]);
        assert_eq!(summary.scenarios[0].cells[0].warnings[1], Warning::NothingDetected);
        // The smallest availability among those that noticed.
        assert_eq!(summary.scenarios[0].bound, Bound::Holds { availability: 0.8 });
    }

    #[test]
    fn without_false_alarms_the_rule_of_three_says_how_many_there_may_be() {
        let mut runs = RUNS;
        runs[1] = "w,s,2,event,3,2,1,0,1,0,,,,,,0.9,100,80,2000,1500,13,1,00";
        let summary = summary(&runs, &EPISODES[..5]);
        let interval = summary.scenarios[0].cells[0].false_alarms_interval.unwrap();
        // 2.996 in 4 hours.
        assert_close(interval.low, 0.0);
        assert_close(interval.high, 24.0 * 2.996 / 4.0);
    }

    #[test]
    fn what_is_ridden_out_is_never_noticed_but_would_have_been() {
        let summary = summary(&RUNS, &EPISODES);
        let cell = &summary.scenarios[0].cells[0];
        let end = |curve: &Option<Incidence>| curve.as_ref().unwrap().steps.last().unwrap().value;
        // 10 (1/5), 20 (2/5), 30 ridden out (of 3), 40 the run ends, 60: all that is left, 3/5 or 2/5.
        assert_close(end(&cell.detected_within), 1.0);
        assert_close(end(&cell.noticed_within), 0.8);
        // The file of this scenario is empty: nobody knows how many devices there are.
        assert_eq!(cell.false_alarm_within, None);
        // Two seeds tell no quantile's upper end.
        assert_eq!(cell.detect_p95_interval_s, None);
    }

    #[test]
    fn energy_is_joules_by_hours_where_every_run_has_a_radio() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &RUNS, &EPISODES);
        let runs = std::fs::read_to_string(dir.path().join("runs.csv")).unwrap();
        let with = |values: [&str; 3]| {
            let lines: Vec<String> = runs.lines().zip(values).map(|(line, value)| format!("{line},{value}")).collect();
            std::fs::write(dir.path().join("runs.csv"), lines.join("\n")).unwrap();
            let summary = summarize(&data::read(dir.path()).unwrap(), None);
            summary.scenarios[0].cells[0].energy_j_per_device_hour
        };
        assert_eq!(with(["energy_j", "30", "50"]), Some(80.0 / 4.0));
        assert_eq!(with(["energy_j", "30", ""]), None);
    }
}
