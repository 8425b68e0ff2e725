//! What is to be run: which strategies in which scenarios with which seeds, and in which order. Decided completely
//! before anything runs; running is the business of `runner`.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    fmt,
    str::FromStr,
    time::Duration,
};

use cardiogram_policies::{HeartbeatSpec, StrategySpec};
use cardiogram_results::{
    Column as _,
    manifest::{Manifest, ManifestScenario, ManifestStrategy, ManifestSweep, VERSION, hash},
    rows::{RunColumn, RunName},
};
use cardiogram_sim::{Engine, WorldConfig, config::WorldCost};

pub use crate::contest::Contest;
use crate::{
    cost::{Limits, PlanCost, size},
    diagnostic::Invalid,
    load::Loaded,
    measure::engine_name,
};

/// The most runs of one plan: those that results can be read of.
pub const CELLS_MAX: u64 = RunColumn::ROWS_MAX;
/// Of how many pairs of scenario and strategy, the first of the plan, results have the first run over time: more than the
/// library has, and some 25 MB.
pub const SERIES_PAIRS_MAX: u64 = 1_000;

/// The most bytes of the texts of a plan's files: what a manifest can hold, with what JSON adds to them.
pub const TEXTS_BYTES_MAX: u64 = 48 << 20;

/// What a cell costs beside its simulation: measures, rows, the journal.
const CELL_OVERHEAD: Duration = Duration::from_micros(300);
/// How many times as long as the event engine turmoil takes (docs/benchmarks.md: 17 times for one device; less where there are many).
const TURMOIL_TIMES: u32 = 15;
/// Memory of the program with its report, of an episode's row and of a run's, which are kept to the end (measured: 60 MB; 300 and
/// 1,000 bytes, and as much again for the report).
const PROGRAM_BYTES: u64 = 64 << 20;
const EPISODE_BYTES: u64 = 400;
const RUN_BYTES: u64 = 2_000;

/// The most characters of a scenario's or sweep's name in [`Plan::directory`].
const DIRECTORY_NAME_MAX: usize = 40;

/// Which engine runs the cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The event engine; one run of every scenario also on turmoil, and both must agree: its first seed, of another strategy
    /// from scenario to scenario. Turmoil takes many times as long, so that more would take as long as all else.
    #[default]
    Auto,
    /// The event engine; the first seed of every strategy in every scenario also on turmoil, and both must agree.
    Both,
    /// All cells run on this engine.
    Only(Engine),
}

impl EngineChoice {
    /// Returns the engine whose outcome counts.
    pub const fn engine(self) -> Engine {
        match self {
            Self::Auto | Self::Both => Engine::Event,
            Self::Only(engine) => engine,
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Both => "both",
            Self::Only(engine) => engine_name(*engine),
        })
    }
}

/// A part of a plan: the `index`-th of `of`, counted from 1. Written `2/8`. All parts cost about the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl Shard {
    /// The plan in one piece.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Returns the `index`-th of `of` parts, counted from 1; `None` where there is no such part.
    pub fn new(index: u64, of: u64) -> Option<Self> {
        (1..=of).contains(&index).then_some(Self { index, of })
    }

    /// Returns which part it is, counted from 1.
    pub(crate) const fn index(self) -> u64 {
        self.index
    }

    /// Returns how many parts there are.
    pub(crate) const fn of(self) -> u64 {
        self.of
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('/')
            .and_then(|(index, of)| Self::new(index.parse().ok()?, of.parse().ok()?))
            .ok_or_else(|| format!("`{text}` is not a shard; write I/N with I from 1 to N, as in 2/8"))
    }
}

/// Returns whether a strategy is a real program.
pub(crate) const fn is_guest(strategy: &StrategySpec) -> bool {
    matches!(strategy.heartbeat, HeartbeatSpec::Guest(_))
}

/// Everything that decides the results of a `run`.
#[derive(Clone, Debug)]
pub struct Plan {
    contests: Vec<Contest>,
    first_seed: u64,
    seeds: u64,
    engine: EngineChoice,
    shard: Shard,
    sweep: Option<ManifestSweep>,
}

/// A run to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    contest: usize,
    strategy: usize,
    seed: u64,
    /// It also runs on the other engine, or once more where it is a guest's, and both must agree.
    pub(crate) cross_check: bool,
    /// Its results have it over time too.
    pub(crate) has_series: bool,
}

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Two different files say that they are the same.
    #[error("two different {kind} are named `{name}`; results could not tell them apart, rename one")]
    SameName {
        /// `scenarios` or `strategies`.
        kind: &'static str,
        /// The name that both have.
        name: String,
    },
    /// There is no seed, or none after the last.
    #[error("seeds are counted from --first-seed up: take at least one, and none above 18446744073709551615")]
    Seeds,
    /// More runs than [`CELLS_MAX`].
    #[error("{cells} runs are more than the {CELLS_MAX} of one plan; take fewer seeds, or split the scenarios")]
    TooMany {
        /// How many it would be.
        cells: u64,
    },
    /// The files of all scenarios and strategies are more than results can hold.
    #[error("the texts of the plan's files have {} together, and results hold {}", size(*.bytes), size(TEXTS_BYTES_MAX))]
    Texts {
        /// How many bytes they have.
        bytes: u64,
    },
    /// It costs more than it may.
    #[error("{problem}")]
    TooDear {
        /// What is too much.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// A guest is to run on turmoil.
    #[error(
        "{strategy} is a guest, a program of its own, and runs on the event engine alone; use --engine event, or auto"
    )]
    GuestOnTurmoil {
        /// The strategy that names the guest.
        strategy: String,
    },
    /// A scenario contradicts a strategy.
    #[error("{0}")]
    Invalid(#[from] Invalid),
}

impl Plan {
    /// Returns a plan for all contests, each with `seeds` seeds from `first_seed` up. The same scenario twice counts once, and
    /// so does the same strategy.
    pub fn new(
        contests: Vec<Contest>,
        first_seed: u64,
        seeds: u64,
        engine: EngineChoice,
        shard: Shard,
    ) -> Result<Self, PlanError> {
        if seeds == 0 || first_seed.checked_add(seeds - 1).is_none() {
            return Err(PlanError::Seeds);
        }
        let mut kept: Vec<Contest> = Vec::new();
        // The texts by name.
        let (mut scenarios, mut known) = (BTreeMap::new(), BTreeMap::new());
        for mut contest in contests {
            let scenario = &contest.scenario;
            match insert(&mut scenarios, &scenario.value.name, &scenario.text) {
                Some(true) => continue,
                Some(false) => {
                    return Err(PlanError::SameName { kind: "scenarios", name: contest.scenario.value.name });
                }
                None => {}
            }
            let mut here = BTreeSet::new();
            let mut strategies: Vec<Loaded<StrategySpec>> = Vec::new();
            for strategy in contest.strategies {
                if insert(&mut known, &strategy.value.name, &strategy.text) == Some(false) {
                    return Err(PlanError::SameName { kind: "strategies", name: strategy.value.name });
                }
                if engine == EngineChoice::Only(Engine::Turmoil) && is_guest(&strategy.value) {
                    return Err(PlanError::GuestOnTurmoil { strategy: strategy.value.name });
                }
                if here.insert(strategy.value.name.clone()) {
                    strategies.push(strategy);
                }
            }
            contest.strategies = strategies;
            contest.check()?;
            kept.push(contest);
        }
        let bytes = scenarios.values().chain(known.values()).map(|text| text.len() as u64).sum();
        if bytes > TEXTS_BYTES_MAX {
            return Err(PlanError::Texts { bytes });
        }
        let pairs: u64 = kept.iter().map(|contest| contest.strategies.len() as u64).sum();
        let cells = pairs.saturating_mul(seeds);
        if cells > CELLS_MAX {
            return Err(PlanError::TooMany { cells });
        }
        Ok(Self { contests: kept, first_seed, seeds, engine, shard, sweep: None })
    }

    /// Returns this plan, with its contests as the points of a sweep.
    #[must_use]
    pub fn with_sweep(self, sweep: Option<ManifestSweep>) -> Self {
        Self { sweep, ..self }
    }

    /// Returns the engine that was asked for.
    pub const fn engine(&self) -> EngineChoice {
        self.engine
    }

    /// Returns which part of it is to be carried out.
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// Returns this plan with all its parts.
    pub(crate) fn whole(&self) -> Self {
        Self { shard: Shard::WHOLE, ..self.clone() }
    }

    /// Returns the runs of this plan's shard in their order: by scenario, then strategy, then seed.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let cells = self.all_cells();
        if self.shard == Shard::WHOLE {
            return cells;
        }
        let owners = self.owners(&cells);
        let own = self.shard.index - 1;
        cells.into_iter().zip(owners).filter(|(_, owner)| *owner == own).map(|(cell, _)| cell).collect()
    }

    /// Returns the runs of the whole plan.
    fn all_cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        let mut pair = 0;
        for (contest, it) in self.contests.iter().enumerate() {
            for strategy in 0..it.strategies.len() {
                // Every strategy has its turn where scenarios compare the same ones.
                let is_checked = match self.engine {
                    // What a guest does is not the lab's own code, so each shows that it is the same again.
                    EngineChoice::Auto => {
                        strategy == contest % it.strategies.len() || is_guest(&it.strategies[strategy].value)
                    }
                    EngineChoice::Both => true,
                    EngineChoice::Only(_) => false,
                };
                for seed in self.first_seed..=self.first_seed + (self.seeds - 1) {
                    let cross_check = is_checked && seed == self.first_seed;
                    let has_series = seed == self.first_seed && pair < SERIES_PAIRS_MAX;
                    cells.push(Cell { contest, strategy, seed, cross_check, has_series });
                }
                pair += 1;
            }
        }
        cells
    }

    /// Returns which shard each cell of the whole plan belongs to, counted from 0: the dearest first, each to the shard that
    /// has the least so far. (Graham's rule of the longest processing time.)
    pub(crate) fn owners(&self, cells: &[Cell]) -> Vec<u64> {
        let costs = self.pair_costs();
        let cost = |cell: &Cell| self.cpu(&costs[cell.contest][cell.strategy], *cell);
        let mut dearest: Vec<(Reverse<Duration>, usize)> =
            cells.iter().enumerate().map(|(place, cell)| (Reverse(cost(cell)), place)).collect();
        dearest.sort_unstable();
        // Shards beyond the number of cells get none.
        let shards = self.shard.of.min(cells.len() as u64);
        let mut loads: BinaryHeap<Reverse<(Duration, u64)>> =
            (0..shards).map(|of| Reverse((Duration::ZERO, of))).collect();
        let mut owners = vec![0; cells.len()];
        for (Reverse(cost), place) in dearest {
            let Reverse((load, of)) = loads.pop().expect("there is a shard for each cell");
            owners[place] = of;
            loads.push(Reverse((load.saturating_add(cost), of)));
        }
        owners
    }

    /// Returns what a run costs, by contest and strategy.
    fn pair_costs(&self) -> Vec<Vec<WorldCost>> {
        let of = |contest: &Contest| {
            let mut strategies = contest.strategies.iter().map(|strategy| &strategy.value);
            let world = strategies.clone().next().map(|first| contest.scenario.value.world(first));
            world.map_or_else(Vec::new, |world| world.costs(&mut strategies))
        };
        self.contests.iter().map(of).collect()
    }

    /// Returns the processor time of a cell.
    fn cpu(&self, cost: &WorldCost, cell: Cell) -> Duration {
        let on_event = cost.cpu.saturating_add(CELL_OVERHEAD);
        let on_turmoil = on_event.saturating_mul(TURMOIL_TIMES);
        match self.engine.engine() {
            Engine::Event if cell.cross_check => on_event.saturating_add(on_turmoil),
            Engine::Event => on_event,
            Engine::Turmoil => on_turmoil,
        }
    }

    /// Returns what the plan's shard costs with so many runs at a time.
    pub fn cost(&self, jobs: usize) -> PlanCost {
        let costs = self.pair_costs();
        let mut all = PlanCost::default();
        let (mut largest, mut rows) = (0, 0_u64);
        for cell in self.cells() {
            let of = &costs[cell.contest][cell.strategy];
            all.runs += 1;
            all.device_time = all.device_time.saturating_add(of.device_time);
            all.strikes = all.strikes.max(of.strikes);
            all.mappings = all.mappings.max(of.mappings);
            all.cpu = all.cpu.saturating_add(self.cpu(of, cell));
            largest = largest.max(of.memory_bytes);
            rows = rows.saturating_add(of.breaks.saturating_mul(EPISODE_BYTES)).saturating_add(RUN_BYTES);
        }
        let at_once = all.runs.min(jobs as u64);
        all.memory_bytes = PROGRAM_BYTES.saturating_add(largest.saturating_mul(at_once)).saturating_add(rows);
        all
    }

    /// Refuses a plan that costs more than it may, with so many runs at a time.
    ///
    /// # Errors
    ///
    /// What is too much, and which key or option to change.
    pub fn check_cost(&self, jobs: usize, limits: &Limits) -> Result<PlanCost, PlanError> {
        let cost = self.cost(jobs);
        match cost.excess(limits) {
            Some((problem, help)) => Err(PlanError::TooDear { problem, help }),
            None => Ok(cost),
        }
    }

    /// Returns what tables call the run `cell`.
    pub(crate) fn name(&self, cell: Cell) -> RunName {
        let contest = &self.contests[cell.contest];
        RunName {
            scenario: contest.scenario.value.name.clone(),
            strategy: contest.strategies[cell.strategy].value.name.clone(),
            seed: cell.seed,
        }
    }

    /// Returns how long the run `cell` lasts.
    pub(crate) fn duration(&self, cell: Cell) -> Duration {
        self.contests[cell.contest].scenario.value.duration
    }

    /// Returns the world of the run `cell`.
    pub(crate) fn world(&self, cell: Cell) -> WorldConfig {
        let contest = &self.contests[cell.contest];
        contest.scenario.value.world(&contest.strategies[cell.strategy].value)
    }

    /// Returns what its guests were told besides their programs, with their names; empty where that is nothing.
    pub(crate) fn guest_parameters(&self) -> String {
        let strategies = self.contests.iter().flat_map(|contest| &contest.strategies);
        let told = strategies.filter_map(|strategy| {
            let told = cardiogram_sim::guest_parameters(&strategy.value);
            (!told.is_empty()).then_some((strategy.value.name.as_str(), told))
        });
        // Each once.
        let told: BTreeMap<&str, &str> = told.collect();
        told.iter().flat_map(|(name, told)| [*name, ": ", *told, "\n"]).collect()
    }

    /// Returns what the results say about where they come from.
    pub fn manifest(&self) -> Manifest {
        let mut strategies: Vec<ManifestStrategy> = Vec::new();
        let mut known = BTreeSet::new();
        for strategy in self.contests.iter().flat_map(|contest| &contest.strategies) {
            if known.insert(&strategy.value.name) {
                strategies.push(ManifestStrategy {
                    name: strategy.value.name.clone(),
                    built_in: strategy.built_in,
                    family: strategy.value.family.clone(),
                    warnings: self.warnings(&strategy.value),
                    hash: hash(&strategy.text),
                    text: strategy.text.clone(),
                });
            }
        }
        let scenarios = self.contests.iter().map(|contest| ManifestScenario {
            name: contest.scenario.value.name.clone(),
            duration_s: contest.scenario.value.duration.as_secs_f64(),
            strategies: contest.strategies.iter().map(|strategy| strategy.value.name.clone()).collect(),
            reference: contest.reference().map(str::to_owned),
            built_in: contest.scenario.built_in,
            hash: hash(&contest.scenario.text),
            text: contest.scenario.text.clone(),
        });
        Manifest {
            version: VERSION.into(),
            engine: self.engine.to_string(),
            first_seed: self.first_seed,
            seeds: self.seeds,
            shard: self.shard.to_string(),
            scenarios: scenarios.collect(),
            strategies,
            sweep: self.sweep.clone(),
            files: Vec::new(),
        }
    }

    /// Returns what the results say against a strategy.
    fn warnings(&self, strategy: &StrategySpec) -> Vec<String> {
        let meets = |contest: &&Contest| contest.strategies.iter().any(|it| it.value.name == strategy.name);
        let uncalled = || self.contests.iter().filter(meets).any(|contest| !contest.scenario.value.calls_back());
        let nobody = strategy.called_by_nobody().filter(|_| uncalled());
        strategy.short_lived().into_iter().chain(nobody).map(|it| it.message).collect()
    }

    /// Returns the name of a directory for its results: what it is of, and the begin of its fingerprint.
    pub fn directory(&self) -> String {
        let names: Vec<&str> = match &self.sweep {
            Some(sweep) => vec![&sweep.name],
            None => self.contests.iter().map(|contest| contest.scenario.value.name.as_str()).collect(),
        };
        let first: String = names[0].chars().take(DIRECTORY_NAME_MAX).collect();
        let more = if names.len() > 1 { format!("-and-{}-more", names.len() - 1) } else { String::new() };
        let shard = if self.shard == Shard::WHOLE {
            String::new()
        } else {
            format!("-{}-of-{}", self.shard.index(), self.shard.of())
        };
        format!("{first}{more}{shard}-{}", &self.manifest().fingerprint()[..8])
    }
}

/// Notes a text by its name; returns whether it is the one that was there before, where there was one.
fn insert(texts: &mut BTreeMap<String, String>, name: &str, text: &str) -> Option<bool> {
    if let Some(before) = texts.get(name) {
        return Some(before == text);
    }
    texts.insert(name.into(), text.into());
    None
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::Registry;

    use super::*;
    use crate::load;

    fn plan(shard: Shard) -> Plan {
        let contests = ["healthy", "elevator"].map(|name| Contest {
            origin: name.into(),
            scenario: load::scenario(name).unwrap(),
            strategies: ["none", "wechat-270"]
                .map(|name| load::strategy(name, None, &Registry::new()).unwrap())
                .to_vec(),
        });
        Plan::new(contests.to_vec(), 5, 3, EngineChoice::Auto, shard).unwrap()
    }

    fn names(plan: &Plan) -> Vec<RunName> {
        plan.cells().into_iter().map(|cell| plan.name(cell)).collect()
    }

    #[test]
    fn shards_share_the_plan_out_without_gap_or_overlap() {
        let whole = names(&plan(Shard::WHOLE));
        assert_eq!(whole.len(), 12);
        let mut parts: Vec<RunName> =
            (1..=5).flat_map(|index| names(&plan(format!("{index}/5").parse().unwrap()))).collect();
        parts.sort_by_key(|name| whole.iter().position(|other| other == name));
        assert_eq!(parts, whole);
    }

    #[test]
    fn shards_cost_about_the_same() {
        let loads: Vec<Duration> =
            (1..=3).map(|index| plan(format!("{index}/3").parse().unwrap()).cost(1).cpu).collect();
        let whole = plan(Shard::WHOLE).cost(1).cpu;
        assert_eq!(loads.iter().sum::<Duration>(), whole);
        // No shard has more than an even share and one run.
        let dearest = plan(Shard::WHOLE).cells().len() as u32;
        assert!(loads.iter().all(|load| *load <= whole / 3 + whole * 4 / dearest), "{loads:?} of {whole:?}");
    }

    #[test]
    fn no_more_runs_are_at_work_at_a_time_than_there_are() {
        let plan = plan(Shard::WHOLE);
        let memory = |jobs| plan.cost(jobs).memory_bytes;
        assert!(memory(1) < memory(2) && memory(2) < memory(12));
        assert_eq!(memory(12), memory(64));
    }

    #[test]
    fn shards_that_do_not_exist_are_refused() {
        for text in ["0/2", "3/2", "1/0", "1", "a/b", "-1/2", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_seed_of_every_pair_or_of_one_in_each_scenario_is_run_on_both_engines() {
        let checked = |engine| {
            let cells = Plan { engine, ..plan(Shard::WHOLE) }.cells();
            let checked = cells.into_iter().filter(|cell| cell.cross_check);
            checked.map(|cell| (cell.contest, cell.strategy, cell.seed)).collect::<Vec<_>>()
        };
        assert_eq!(checked(EngineChoice::Both), [(0, 0, 5), (0, 1, 5), (1, 0, 5), (1, 1, 5)]);
        assert_eq!(checked(EngineChoice::Auto), [(0, 0, 5), (1, 1, 5)]);
        assert_eq!(checked(EngineChoice::Only(Engine::Event)), []);
    }

    #[test]
    fn a_plan_is_named_by_everything_that_decides_its_results() {
        let base = plan(Shard::WHOLE);
        assert_eq!(base.manifest().fingerprint(), plan(Shard::WHOLE).manifest().fingerprint());
        let other = Plan { first_seed: 6, ..base.clone() };
        assert_ne!(base.manifest().fingerprint(), other.manifest().fingerprint());
        let other = Plan { engine: EngineChoice::Only(Engine::Event), ..base.clone() };
        assert_ne!(base.manifest().fingerprint(), other.manifest().fingerprint());
        let mut other = base.clone();
        other.contests[0].scenario.text += "# changed\n";
        assert_ne!(base.manifest().fingerprint(), other.manifest().fingerprint());
    }

    #[test]
    fn different_files_of_one_name_are_refused() {
        let mut contests = plan(Shard::WHOLE).contests;
        contests[1].strategies[0].text += "# changed\n";
        let error = Plan::new(contests, 1, 1, EngineChoice::Auto, Shard::WHOLE).unwrap_err();
        assert!(matches!(error, PlanError::SameName { kind: "strategies", .. }), "{error}");
    }
}
