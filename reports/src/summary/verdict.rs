//! Who is best in a scenario, and over all of them: by avoidable downtime and by what it costs.
//!
//! The mean detection latency does not say it: a strategy that never loses a session has none, and one that brings breaks on
//! itself and notices them at once has a short one.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{CellStats, LEVEL, ScenarioStats, Summary, cell::Replications};
use crate::statistics::{
    bootstrap::{Interval, Replicated},
    pareto,
};

/// What strategies pay for less downtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Packets per device-hour.
    Packets,
    /// Joules per device-hour: of a scenario in which every strategy has a radio.
    Energy,
}

impl Cost {
    /// Returns the cost of a strategy.
    pub(crate) fn of(self, cell: &CellStats) -> f64 {
        match self {
            Self::Packets => cell.packets_per_device_hour,
            Self::Energy => cell.energy_j_per_device_hour.unwrap_or(f64::NAN),
        }
    }

    /// Returns its 95 % interval.
    pub(crate) const fn interval(self, cell: &CellStats) -> Option<Interval> {
        match self {
            Self::Packets => cell.packets_interval,
            Self::Energy => cell.energy_interval,
        }
    }

    fn replicated(self, replications: &Replications) -> &Replicated {
        match self {
            Self::Packets => &replications.packets,
            Self::Energy => &replications.energy,
        }
    }

    /// Returns the unit, as it stands behind a number.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Packets => "packets/h",
            Self::Energy => "J/h",
        }
    }
}

/// What no user bears, in seconds a day: a tenth of the time. Who loses that much by his own fault is on no front, however little
/// he sends.
pub(crate) const UNUSABLE_S_PER_DAY: f64 = 8_640.0;

/// Returns whether a healthy connection lives under the strategy, and a user could bear what it loses, as far as that is known.
/// Who is not usable is on no front, and takes nobody's place there.
fn is_usable(cell: &CellStats) -> bool {
    cell.unfit.is_empty() && cell.downtime.is_none_or(|it| it.avoidable_s_per_day < UNUSABLE_S_PER_DAY)
}

/// Returns which of two strategies is better: less avoidable downtime, then less cost. Whose downtime is known is better.
pub(crate) fn better(cost: Cost, a: &CellStats, b: &CellStats) -> Ordering {
    let avoidable = |cell: &CellStats| cell.downtime.map_or(f64::INFINITY, |it| it.avoidable_s_per_day);
    let by_cost = || {
        if a.downtime.is_some() { cost.of(a).total_cmp(&cost.of(b)) } else { Ordering::Equal }
    };
    avoidable(a).total_cmp(&avoidable(b)).then_with(by_cost)
}

/// Ranks the strategies of a scenario and marks both fronts; returns the cost that counts. `replications` in the order of
/// `cells`.
pub(super) fn judge(cells: &mut [CellStats], replications: &[Replications]) -> Cost {
    let has_radio = cells.iter().all(|cell| cell.energy_j_per_device_hour.is_some());
    let cost = if has_radio { Cost::Energy } else { Cost::Packets };
    let known: Vec<usize> = (0..cells.len()).filter(|&index| cells[index].downtime.is_some()).collect();
    let usable: Vec<usize> = known.iter().copied().filter(|&index| is_usable(&cells[index])).collect();
    let costs: Vec<_> =
        usable.iter().map(|&index| (cost.replicated(&replications[index]), &replications[index].avoidable)).collect();
    for (&index, share) in usable.iter().zip(pareto::membership(&costs)) {
        cells[index].front_share = Some(share);
    }
    mark_fronts(cells, cost);
    rank(cells, replications, cost, known);
    cost
}

/// Marks those on both fronts among `cells`.
pub(crate) fn mark_fronts(cells: &mut [CellStats], cost: Cost) {
    mark_latency_front(cells);
    let avoidable = |cell: &CellStats| cell.downtime.map_or(f64::NAN, |it| it.avoidable_s_per_day);
    let point = |cell: &CellStats| (cost.of(cell), if is_usable(cell) { avoidable(cell) } else { f64::NAN });
    let points: Vec<_> = cells.iter().map(point).collect();
    for (cell, on_front) in cells.iter_mut().zip(pareto::front(&points)) {
        cell.on_front = on_front;
    }
}

/// A strategy that lost no session notices whatever breaks at once: nothing does.
fn mark_latency_front(cells: &mut [CellStats]) {
    let latency_s = |cell: &CellStats| {
        let known = cell.point().map(|(_, latency_s)| latency_s);
        match known {
            _ if !is_usable(cell) => f64::NAN,
            _ if cell.episodes() == 0 => 0.0,
            known => known.unwrap_or(f64::NAN),
        }
    };
    let points: Vec<_> = cells.iter().map(|cell| (cell.packets_per_device_hour, latency_s(cell))).collect();
    for (cell, on_front) in cells.iter_mut().zip(pareto::front(&points)) {
        cell.on_latency_front = on_front;
    }
}

/// Gives places by avoidable downtime. A strategy shares the place of the best one before it from which the paired
/// differences of the seeds do not tell it.
fn rank(cells: &mut [CellStats], replications: &[Replications], cost: Cost, mut known: Vec<usize>) {
    known.sort_by(|&a, &b| better(cost, &cells[a], &cells[b]));
    let mut leader: Option<(usize, usize)> = None;
    for (place, &index) in known.iter().enumerate() {
        let ties = |of: usize| {
            let (this, other) = (&replications[index].avoidable, &replications[of].avoidable);
            let interval = (this.replicates == other.replicates)
                .then(|| this.with(other, |this, other| this - other))
                .and_then(|difference| difference.interval(LEVEL));
            interval.map_or_else(|| this.estimate.total_cmp(&other.estimate).is_eq(), |interval| interval.low <= 0.0)
        };
        let (_, rank) = *match leader {
            Some((of, rank)) if ties(of) => leader.insert((of, rank)),
            _ => leader.insert((index, place + 1)),
        };
        cells[index].rank = rank;
    }
}

/// A strategy over all scenarios in which its downtime is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Overall<'a> {
    pub(crate) strategy: &'a str,
    /// The family of those that it is compared with.
    pub(crate) family: Option<&'a str>,
    /// Why a healthy connection cannot live under it, or why it never comes back; mostly empty.
    pub(crate) unfit: &'a [String],
    /// In how many scenarios it ran.
    pub(crate) scenarios: usize,
    /// Whether these are at least half of those that tell downtime: of who met fewer nobody knows how he does in the others.
    pub(crate) met_most: bool,
    /// Mean over its scenarios of how many strategies are better there: 0 where none is, 1 where all others are.
    pub(crate) beaten_by: f64,
    /// Mean over its scenarios, in seconds per device-day.
    pub(crate) avoidable_s_per_day: f64,
    /// The most in one scenario, and where that was.
    pub(crate) worst: (f64, &'a str),
    /// What it waited for there most: one of the parts of avoidable downtime, in words.
    pub(crate) worst_part: &'static str,
    /// Mean over its scenarios.
    pub(crate) packets_per_device_hour: f64,
}

/// Returns the strategies, best first: by how many others are better, on average over a strategy's scenarios.
pub(crate) fn overall(summary: &Summary) -> Vec<Overall<'_>> {
    let mut cells: BTreeMap<&str, Vec<(&ScenarioStats, &CellStats)>> = BTreeMap::new();
    for scenario in &summary.scenarios {
        for cell in scenario.cells.iter().filter(|cell| cell.downtime.is_some()) {
            cells.entry(&cell.strategy).or_default().push((scenario, cell));
        }
    }
    let tells_downtime = |it: &&ScenarioStats| it.cells.iter().any(|cell| cell.downtime.is_some());
    let scenarios = summary.scenarios.iter().filter(tells_downtime).count();
    let mut all: Vec<Overall<'_>> =
        cells.iter().map(|(strategy, cells)| of_strategy(strategy, cells, scenarios)).collect();
    all.sort_by(|a, b| {
        let key = |it: &Overall<'_>| [it.beaten_by, it.avoidable_s_per_day, it.packets_per_device_hour];
        let pairs = key(a).into_iter().zip(key(b));
        pairs.map(|(a, b)| a.total_cmp(&b)).find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
    });
    all
}

/// `cells` are those of the strategy whose downtime is known, at least one; `scenarios` is how many tell any.
fn of_strategy<'a>(strategy: &'a str, cells: &[(&'a ScenarioStats, &'a CellStats)], scenarios: usize) -> Overall<'a> {
    let mean = |of: &dyn Fn(&ScenarioStats, &CellStats) -> f64| {
        cells.iter().map(|(scenario, cell)| of(scenario, cell)).sum::<f64>() / cells.len() as f64
    };
    let downtime = |cell: &CellStats| cell.downtime.expect("only such cells are here");
    let avoidable = |cell: &CellStats| downtime(cell).avoidable_s_per_day;
    let (scenario, worst) = *cells.iter().max_by(|a, b| avoidable(a.1).total_cmp(&avoidable(b.1))).expect("it has run");
    let parts = downtime(worst);
    let parts = [
        (parts.unnoticed_s_per_day, "it did not notice that its session was dead"),
        (parts.waiting_s_per_day, "it made no attempt"),
        (parts.connecting_s_per_day, "its attempts took long or failed"),
    ];
    Overall {
        strategy,
        family: worst.family.as_deref(),
        unfit: &worst.unfit,
        scenarios: cells.len(),
        met_most: 2 * cells.len() >= scenarios,
        beaten_by: mean(&|scenario, cell| {
            let others = scenario.cells.iter().filter(|it| it.downtime.is_some()).count() - 1;
            (cell.rank - 1) as f64 / others.max(1) as f64
        }),
        avoidable_s_per_day: mean(&|_, cell| avoidable(cell)),
        worst: (avoidable(worst), &scenario.name),
        worst_part: parts.iter().max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are three").1,
        packets_per_device_hour: mean(&|_, cell| cell.packets_per_device_hour),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{data, fixture, summary};

    /// Returns a strategy in a scenario of one day and one device: packets, avoidable downtime and breaks in each of five
    /// worlds.
    fn stats(strategies: &[(u32, [u32; 5])]) -> Summary {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..strategies.len()).map(|it| format!("s{it}")).collect();
        let mut runs = Vec::new();
        for (name, (packets, avoidable)) in names.iter().zip(strategies) {
            for (seed, seconds) in (1..).zip(avoidable) {
                let available = 1.0 - f64::from(*seconds) / 86_400.0;
                runs.push(format!(
                    "w,{name},{seed},event,24,0,0,0,0,0,,,,,,{available:.6},{packets},0,1,1,1,1,00,{seconds},0,{seconds},0,0"
                ));
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        fixture::write_rows(dir.path(), &["w"], &names, 86_400.0, &[], &[]);
        let columns = "downtime_s,unavoidable_s,unnoticed_s,waiting_s,connecting_s";
        let header = fixture::header::<cardiogram_results::rows::RunColumn>();
        let text = format!("{header},{columns}\n{}\n", runs.join("\n"));
        std::fs::write(dir.path().join("runs.csv"), text).unwrap();
        summary::summarize(&data::read(dir.path()).unwrap(), None)
    }

    fn cell<'a>(summary: &'a Summary, strategy: &str) -> &'a CellStats {
        summary.scenarios[0].cells.iter().find(|cell| cell.strategy == strategy).unwrap()
    }

    #[test]
    fn who_loses_nothing_and_costs_less_stands_alone_on_the_front() {
        let summary = stats(&[(90, [2_000, 2_500, 2_400, 2_600, 2_300]), (36, [1, 1, 1, 1, 1])]);
        assert!(cell(&summary, "s1").on_front && !cell(&summary, "s0").on_front);
        assert_eq!((cell(&summary, "s1").rank, cell(&summary, "s0").rank), (1, 2));
        assert_eq!(summary.scenarios[0].reference, "s1");
    }

    #[test]
    fn who_loses_a_tenth_of_the_time_is_on_no_front_however_cheap() {
        let summary = stats(&[(2, [60_000; 5]), (36, [100; 5]), (90, [1; 5])]);
        let on_front = ["s0", "s1", "s2"].map(|name| (cell(&summary, name).on_front, cell(&summary, name).front_share));
        assert_eq!(on_front, [(false, None), (true, Some(1.0)), (true, Some(1.0))]);
        assert!(!cell(&summary, "s0").on_latency_front);
    }

    #[test]
    fn who_cannot_live_is_on_no_front_and_takes_nobodys_place_there() {
        let mut cells = stats(&[(20, [10; 5]), (36, [100; 5])]).scenarios.remove(0).cells;
        let fronts = |cells: &mut [CellStats]| {
            mark_fronts(cells, Cost::Packets);
            cells.iter().map(|cell| cell.on_front).collect::<Vec<_>>()
        };
        assert_eq!(fronts(&mut cells), [true, false]);
        cells[0].unfit = vec!["the server waits 30s for a ping that comes every 50s".into()];
        assert_eq!(fronts(&mut cells), [false, true]);
    }

    #[test]
    fn membership_comes_from_resamples_of_all_together() {
        // b is cheaper in every world, a and its twin lose less.
        let a = (100, [20, 70, 40, 90, 30]);
        let summary = stats(&[a, a, (80, [30, 80, 50, 100, 40])]);
        for strategy in ["s0", "s1", "s2"] {
            assert_eq!(cell(&summary, strategy).front_share, Some(1.0), "{strategy}");
            assert_eq!(cell(&summary, strategy).front_membership(), Some(pareto::Membership::On));
        }
    }

    #[test]
    fn strategies_that_the_seeds_do_not_tell_apart_share_a_place() {
        let summary = stats(&[(10, [5, 9, 5, 9, 7]), (20, [9, 5, 9, 5, 8]), (30, [90, 95, 99, 91, 92])]);
        assert_eq!(["s0", "s1", "s2"].map(|name| cell(&summary, name).rank), [1, 1, 3]);
    }

    #[test]
    fn overall_the_best_is_first_and_the_worst_has_its_reason() {
        let summary = stats(&[(10, [50_000; 5]), (20, [10; 5]), (30, [500; 5])]);
        let all = overall(&summary);
        assert_eq!(all.iter().map(|it| it.strategy).collect::<Vec<_>>(), ["s1", "s2", "s0"]);
        assert_eq!((all[0].beaten_by, all[2].beaten_by), (0.0, 1.0));
        assert_eq!(
            (all[2].worst.0.round() as u32, all[2].worst_part),
            (50_000, "it did not notice that its session was dead")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// Whoever joins with more downtime and more cost than another changes nothing for those who were there.
        #[test]
        fn a_dominated_newcomer_changes_nobodys_verdict(
            worlds in prop::collection::vec((1..50_u32, prop::array::uniform5(0..5_000_u32)), 1..5),
            which in any::<prop::sample::Index>(),
        ) {
            let verdicts = |summary: &Summary| -> Vec<(String, bool, usize)> {
                let mut all: Vec<_> = summary.scenarios[0]
                    .cells
                    .iter()
                    .map(|cell| (cell.strategy.clone(), cell.on_front, cell.rank))
                    .collect();
                all.sort();
                all
            };
            let before = stats(&worlds);
            let (packets, avoidable) = *which.get(&worlds);
            let mut more = worlds.clone();
            let worst = worlds.iter().flat_map(|(_, avoidable)| avoidable).max().copied().unwrap_or(0);
            more.push((packets + 1, avoidable.map(|_| worst + 10_000)));
            let after = stats(&more);
            let newcomer = format!("s{}", worlds.len());
            prop_assert!(!cell(&after, &newcomer).on_front);
            let rest: Vec<_> = verdicts(&after).into_iter().filter(|(name, ..)| *name != newcomer).collect();
            prop_assert_eq!(verdicts(&before), rest);
        }
    }
}
