//! How often the gate tells chance from change, measured on cells that are made up: their size (what chance alone does) and
//! their power (what a change does). The cell is as bad as real ones: worlds that differ, heavy tails, events that most seeds
//! do not have, costs that share their chance.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;

use super::{Bands, Baseline, CellName, Comparison, Metric, Strictness, Verdict, baseline::Cell, compare};

/// A source of chance.
struct Chance(ChaCha8Rng);

impl Chance {
    fn new(stream: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(stream))
    }

    /// Above 0, below 1.
    fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// The sum of twelve uniform numbers is normal enough.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// Around 1, whatever its spread.
    fn around_one(&mut self, spread: f64) -> f64 {
        libm::exp(spread * self.normal())
    }

    /// So many events on average, by Knuth's product of uniform numbers.
    fn events(&mut self, mean: f64) -> f64 {
        let (limit, mut product, mut count) = (libm::exp(-mean), self.uniform(), 0.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }

    /// Returns how long so many outages last together: Pareto from `least` on, with a mean and without a variance.
    fn outages(&mut self, count: f64, least: f64) -> f64 {
        (0..count as u32).map(|_| least / self.uniform().sqrt()).sum()
    }
}

/// Returns the metrics of one run: `world` is what both sides share, `own` the policy's own chance.
fn run(world: &mut Chance, own: &mut Chance) -> [Option<f64>; Metric::ALL.len()] {
    // A cell of 20 device-days with some 50 breaks.
    let days = 20.0;
    let (place, cuts) = (world.around_one(0.15), 40.0 + world.events(10.0));
    let luck = own.around_one(0.1);
    let detect_mean = 50.0 * place * luck;
    let (missed, expiries, alarms, retries) = (own.events(2.0), own.events(0.3), own.events(0.1), own.events(12.0));
    let unnoticed = cuts * detect_mean / days + own.outages(expiries, 300.0) / days;
    let waiting = own.outages(retries, 5.0) / days;
    let connecting = (0.2 * cuts + own.outages(alarms, 60.0)) / days;
    let unavoidable = world.outages(cuts, 30.0) / days;
    let pushes = 100.0;
    let mut value = |metric: Metric| match metric {
        Metric::DetectMeanS => Some(detect_mean),
        // Too few breaks are noticed for a percentile in one seed of ten.
        Metric::DetectP95S => (missed < 4.0).then(|| 95.0 * place * luck * own.around_one(0.1)),
        Metric::UnnoticedShare => Some(missed / cuts),
        Metric::NatExpiriesPerDay => Some(expiries / days),
        Metric::FalseAlarmsPerDay => Some(alarms / days),
        Metric::RecoverMeanS => Some(detect_mean + own.outages(3.0, 5.0)),
        Metric::UnavailableSPerDay => Some(unavoidable + unnoticed + waiting + connecting),
        Metric::AvoidableSPerDay => Some(unnoticed + waiting + connecting),
        Metric::UnnoticedSPerDay => Some(unnoticed),
        Metric::WaitingSPerDay => Some(waiting),
        Metric::ConnectingSPerDay => Some(connecting),
        Metric::PushDelayMeanS => Some(2.0 * own.around_one(0.5) + own.outages(missed, 1.0)),
        Metric::PushLostShare => Some(own.events(0.5) / pushes),
        // The application asks nothing.
        Metric::MessageDelayMeanS | Metric::MessageDelayP95S | Metric::MessageLostShare => None,
        Metric::PacketsPerH => Some(60.0 * place * own.around_one(0.02)),
        Metric::BytesPerH => Some(5_000.0 * place * own.around_one(0.02)),
        Metric::EnergyJPerH => Some(40.0 * place * own.around_one(0.05)),
        Metric::AttemptsPerH => Some((cuts + retries) / (24.0 * days)),
        Metric::AttemptsPeakPerS => Some(1.0 + own.events(3.0)),
    };
    Metric::ALL.map(|metric| value(metric).map(|value| metric.round(value)))
}

/// Returns a cell of so many seeds in the worlds of a trial, as one of the sides runs it.
fn cell(trial: u64, side: u64, seeds: u64) -> Baseline {
    let name = CellName { scenario: "made-up".to_owned(), strategy: "app".to_owned() };
    let mut columns: [Vec<Option<f64>>; Metric::ALL.len()] = Default::default();
    for seed in 0..seeds {
        let stream = (trial * 100 + seed) * 3;
        let values = run(&mut Chance::new(stream), &mut Chance::new(stream + side));
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    let metrics = Metric::ALL.into_iter().zip(columns).filter(|(_, values)| values.iter().any(Option::is_some));
    Baseline {
        version: String::new(),
        engine: String::new(),
        first_seed: 1,
        seeds,
        scenarios: [(name.scenario.clone(), String::new())].into(),
        strategies: [(name.strategy.clone(), String::new())].into(),
        cells: [(name, Cell { digest: side.to_string(), metrics: metrics.collect() })].into(),
    }
}

fn judge(then: &Baseline, now: &Baseline) -> Comparison {
    compare(then, now, &Bands::default())
}

/// Changes a metric by seed, from 0 on.
fn change(side: &mut Baseline, metric: Metric, to: impl Fn(usize, f64) -> f64) {
    let cell = side.cells.values_mut().next().expect("there is one");
    for (seed, value) in cell.metrics.get_mut(&metric).expect("it is there").iter_mut().enumerate() {
        *value = value.map(|value| metric.round(to(seed, value)));
    }
}

/// In how many of the trials a change is let through, where both sides have chance of their own.
fn let_through(seeds: u64, trials: u64, make: impl Fn(&mut Baseline)) -> usize {
    let passes = |trial: &u64| {
        let mut now = cell(*trial, 2, seeds);
        make(&mut now);
        judge(&cell(*trial, 1, seeds), &now).passes(Strictness::Normal)
    };
    (0..trials).filter(passes).count()
}

/// Returns how many of the trials fail where nothing but chance differs.
fn failed_by_chance(seeds: u64, trials: std::ops::Range<u64>) -> usize {
    let fails = |trial: &u64| !judge(&cell(*trial, 1, seeds), &cell(*trial, 2, seeds)).passes(Strictness::Normal);
    trials.filter(fails).count()
}

#[test]
fn chance_alone_fails_in_two_of_two_hundred_at_most_and_rarely_in_many() {
    for seeds in [5, 10, 20] {
        assert!(failed_by_chance(seeds, 0..200) <= 2, "{seeds} seeds");
        let many = failed_by_chance(seeds, 1_000..3_000);
        assert!(many <= 12, "{seeds} seeds: {many} of 2,000");
    }
}

#[test]
fn a_tail_that_is_a_hundred_times_longer_in_two_seeds_or_more_never_passes() {
    for count in 2..=20 {
        let make = |now: &mut Baseline| {
            change(now, Metric::DetectP95S, |seed, value| if seed < count + 2 { 100.0 * value } else { value });
        };
        assert_eq!(let_through(20, 20, make), 0, "{count} of 20");
    }
}

#[test]
fn one_seed_of_twenty_in_which_nobody_connects_never_passes() {
    for metric in [Metric::UnavailableSPerDay, Metric::AvoidableSPerDay, Metric::ConnectingSPerDay] {
        let make = |now: &mut Baseline| {
            change(now, metric, |seed, value| if seed == 7 { 86_400.0 } else { value });
        };
        assert_eq!(let_through(20, 50, make), 0, "{metric:?}");
    }
}

#[test]
fn three_times_slower_in_every_other_seed_never_passes() {
    let slower = |metric| {
        move |now: &mut Baseline| {
            change(now, metric, |seed, value| if seed % 2 == 0 { 3.0 * value } else { value });
        }
    };
    for seeds in [10, 20] {
        assert_eq!(let_through(seeds, 50, slower(Metric::DetectMeanS)), 0, "{seeds} seeds");
        // With the same chance on both sides.
        for metric in [Metric::DetectMeanS, Metric::PacketsPerH, Metric::EnergyJPerH] {
            for trial in 0..50 {
                let then = cell(trial, 1, seeds);
                let mut now = then.clone();
                now.cells.values_mut().for_each(|it| it.digest = "another".to_owned());
                slower(metric)(&mut now);
                assert!(!judge(&then, &now).passes(Strictness::Normal), "{metric:?}, {seeds} seeds, trial {trial}");
            }
        }
    }
}

/// The percentile of the cell is noisy, and one seed in seven has none: where by chance hardly any of the slower seeds has a
/// value on both sides, nothing can be said.
#[test]
fn three_times_slower_in_every_other_seed_of_a_noisy_percentile_seldom_passes() {
    let slower = |now: &mut Baseline| {
        change(now, Metric::DetectP95S, |seed, value| if seed % 2 == 0 { 3.0 * value } else { value });
    };
    for (seeds, most) in [(10, 60), (20, 10)] {
        let passed = let_through(seeds, 200, slower);
        assert!(passed <= most, "{seeds} seeds: {passed} of 200");
    }
}

#[test]
fn ten_seeds_that_are_all_worse_never_pass() {
    // By the same, by more with each seed, and erratically: two to two hundred times as much.
    let factors: [fn(usize) -> f64; 3] =
        [|_| 3.0, |seed| 1.5 + seed as f64, |seed| [2.0, 200.0, 5.0, 30.0, 80.0][seed % 5]];
    for factor in factors {
        for metric in [Metric::DetectMeanS, Metric::UnavailableSPerDay, Metric::AvoidableSPerDay] {
            let make = |now: &mut Baseline| change(now, metric, |seed, value| factor(seed) * value);
            assert_eq!(let_through(10, 50, make), 0, "{metric:?}");
        }
    }
}

#[test]
fn two_seconds_within_the_band_pass_and_a_shift_beyond_it_does_not() {
    // The same chance on both sides: a pause of two seconds before each heartbeat, say.
    let shifted = |by: f64| {
        let then = cell(1, 1, 10);
        let mut now = then.clone();
        now.cells.values_mut().for_each(|it| it.digest = "another".to_owned());
        change(&mut now, Metric::RecoverMeanS, |_, value| value + by);
        judge(&then, &now)
    };
    let band = shifted(0.0).cells[0].metrics.iter().find(|it| it.metric == Metric::RecoverMeanS).map(|it| it.margin);
    let band = band.expect("it is compared");
    for (by, verdict) in [(0.9 * band, Verdict::Equivalent), (1.1 * band, Verdict::Regression)] {
        let comparison = shifted(by);
        let it = comparison.cells[0].metrics.iter().find(|it| it.metric == Metric::RecoverMeanS);
        assert_eq!(it.map(|it| it.verdict), Some(verdict));
        assert_eq!(comparison.passes(Strictness::Strict), verdict == Verdict::Equivalent);
    }
}
