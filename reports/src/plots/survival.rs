//! How long breaks last: for each strategy the share that nobody has noticed yet, and the share that is not over yet, against
//! the time since the break. A mean hides whether all breaks are noticed late or a few never.

use cardiogram_results::survival::{Curve, Estimated, Observation, Sample};

use super::{
    Figure, Looks, TIME_MIN_S, cells, note,
    pick::{LINES_MAX, colors, pick},
    time, tip,
};
use crate::{
    chart::{Axis, Chart, Height, Mark, Point, Scale, Values},
    data::{Cell, Episode, Outcome, ScenarioResults},
    number::{list, percent},
    statistics::{bootstrap::Interval, incidence::Incidence},
    summary::{CellStats, ScenarioStats},
};

/// The number of times at which curves are compared and bands are drawn.
const TIMES: u32 = 64;

/// The least step of a curve that is drawn, in percent: a pixel and a half.
const STEP_MIN: f64 = 0.35;

/// Curves that are nowhere further apart than this share of the breaks look the same.
const ALIKE: f64 = 0.05;

/// Fewer seeds say too little of their spread for a band.
const SEEDS_MIN: usize = 5;

/// What breaks are watched for.
struct Wait {
    suffix: &'static str,
    /// What the plot is called, after the scenario.
    title: &'static str,
    /// What has happened to a break then.
    done: &'static str,
    /// What is censored, as the subject of a sentence.
    censored: &'static str,
    /// Until when a break was watched, in seconds, and whether it happened then.
    of: fn(&Episode) -> (f64, bool),
    /// The share of breaks to which it has happened, with its band.
    curve: fn(&CellStats) -> Option<&Incidence>,
    /// A further sentence.
    more: fn(&ScenarioStats, &[Strategy<'_>]) -> Option<String>,
}

const NOTICED: Wait = Wait {
    suffix: "survival",
    title: "how long breaks go unnoticed",
    done: "noticed",
    censored: "a break that was ridden out, or that the run's end cut off, counts",
    of: |episode| (episode.latency_s, episode.outcome == Outcome::Detected),
    curve: |stats| stats.detected_within.as_ref(),
    more: longest,
};

const OVER: Wait = Wait {
    suffix: "recovery",
    title: "how long until there is a usable session again",
    done: "over",
    censored: "a break that the run's end cut off counts",
    of: |episode| (episode.recovery_s, episode.recovered),
    curve: |stats| stats.recovered_within.as_ref(),
    more: |_, _| None,
};

/// A strategy with its breaks.
struct Strategy<'a> {
    wait: &'static Wait,
    stats: &'a CellStats,
    cell: &'a Cell,
    observations: Vec<Observation>,
    curve: Curve,
}

/// Returns how long breaks go unnoticed; `None` where none was noticed.
pub(super) fn detection(scenario: &ScenarioStats, results: &ScenarioResults, looks: &Looks) -> Option<Figure> {
    figure(&NOTICED, scenario, results, looks)
}

/// Returns how long there is no usable session; `None` where no break was over before the run was.
pub(super) fn recovery(scenario: &ScenarioStats, results: &ScenarioResults, looks: &Looks) -> Option<Figure> {
    figure(&OVER, scenario, results, looks)
}

fn figure(wait: &'static Wait, scenario: &ScenarioStats, results: &ScenarioResults, looks: &Looks) -> Option<Figure> {
    let Wait { title, done, censored, .. } = wait;
    let strategies: Vec<Strategy<'_>> =
        cells(scenario, results).into_iter().filter_map(|(stats, cell)| strategy(wait, stats, cell)).collect();
    if !strategies.iter().any(|it| it.observations.iter().any(|observation| observation.happened)) {
        return None;
    }
    let longest_s = strategies.iter().flat_map(|it| &it.observations).map(|it| it.time).fold(TIME_MIN_S, f64::max);
    // Where the first curve begins to fall, breaks that were noticed at once apart: these fall at the left edge, and a few
    // early ones would stretch the axis over decades.
    let begins = |it: &Strategy<'_>| {
        let at_first = at(&it.curve, &[TIME_MIN_S])[0];
        let falls = |(time, share): &&Values| *time > TIME_MIN_S && *share <= 0.99 * at_first;
        Some(it.curve.steps().iter().find(falls)?.0)
    };
    let soonest = strategies.iter().filter_map(begins);
    let shortest_s = soonest.fold(longest_s, f64::min).max(TIME_MIN_S);
    let x = Scale::log_time_around([shortest_s, longest_s]);
    let &Scale::LogTime { min: from_s, .. } = &x else { panic!("the scale was just made") };
    let times: Vec<f64> = (0..TIMES)
        .map(|index| shortest_s * libm::pow(longest_s / shortest_s, f64::from(index) / f64::from(TIMES - 1)))
        .collect();

    let shapes: Vec<Vec<f64>> = strategies.iter().map(|it| at(&it.curve, &times)).collect();
    let front = (0..strategies.len()).filter(|&place| strategies[place].stats.on_front);
    let chosen = pick(&shapes, &colors(strategies.iter().map(|it| it.stats), looks), front, LINES_MAX, ALIKE);
    let drawn: Vec<&Strategy<'_>> = chosen.iter().map(|&place| &strategies[place]).collect();

    let mut marks: Vec<Mark> = drawn.iter().flat_map(|it| it.bands(&times, looks)).collect();
    marks.extend(drawn.iter().map(|it| Mark::Curve {
        points: it.points(from_s),
        identity: looks.get(&it.stats.strategy),
        tip: tip(it.stats, &it.words()),
    }));
    marks.extend(drawn.iter().map(|it| Mark::Point(it.point(looks))));
    let left_out = (0..strategies.len()).filter(|place| !chosen.contains(place));
    let left_out = note(
        "Left out, as those most like one that is drawn or of its colour",
        left_out.map(|place| strategies[place].stats.strategy.as_str()),
    );
    let unbroken = scenario.cells.iter().filter(|cell| cell.episodes() == 0).map(|cell| cell.strategy.as_str());
    let notes = left_out.into_iter().chain(note("No session broke", unbroken)).collect();
    let y = Axis::new(&format!("share of breaks not yet {done} (%)"), Scale::Linear { min: 0.0, max: 100.0 });
    let described: Vec<String> = drawn.iter().map(|it| format!("{}: {}", it.stats.strategy, it.words())).collect();
    Some(Figure {
        suffix: wait.suffix,
        caption: format!(
            "Left and below is better. Kaplan-Meier: {censored} as long as it was watched. The marker stands where half of the \
             breaks were {done}, or at the curve's end. Bands are pointwise 95 % intervals, seeds being what varies, drawn \
             with {SEEDS_MIN} seeds or more.{}",
            (wait.more)(scenario, &strategies).unwrap_or_default()
        ),
        description: format!("{}: {title}. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks,
            notes,
            ..Chart::new(format!("{}: {title}", scenario.name), Axis::new("time since the break (logarithmic)", x), y)
        },
    })
}

/// Returns a strategy with its breaks; `None` where no session broke.
fn strategy<'a>(wait: &'static Wait, stats: &'a CellStats, cell: &'a Cell) -> Option<Strategy<'a>> {
    let of_run = |(replicate, run): (u32, &'a crate::data::Run)| {
        run.episodes.iter().map(move |episode| {
            let (time, happened) = (wait.of)(episode);
            Observation { time, happened, replicate }
        })
    };
    let observations: Vec<Observation> = (0..).zip(&cell.runs).flat_map(of_run).collect();
    let curve = Sample::new(observations.clone()).curve()?;
    Some(Strategy { wait, stats, cell, observations, curve })
}

impl Strategy<'_> {
    /// Returns the longest time for which a break was watched.
    fn watched_s(&self) -> f64 {
        self.observations.iter().map(|it| it.time).fold(TIME_MIN_S, f64::max)
    }

    /// Returns the curve as stairs, in percent.
    fn points(&self, from_s: f64) -> Vec<Values> {
        let mut points = vec![(from_s, 100.0)];
        let mut last = 100.0;
        let steps = self.curve.steps();
        for (index, (time_s, share)) in steps.iter().enumerate() {
            let share = 100.0 * share;
            if last - share >= STEP_MIN || index + 1 == steps.len() {
                points.extend([(time_s.max(from_s), last), (time_s.max(from_s), share)]);
                last = share;
            }
        }
        if last > 0.0 {
            points.push((self.watched_s(), last));
        }
        points
    }

    /// Returns the band of the statistics, in as many pieces as it has.
    fn bands(&self, times: &[f64], looks: &Looks) -> Vec<Mark> {
        let curve = (self.wait.curve)(self.stats).filter(|_| self.stats.seeds >= SEEDS_MIN);
        let at = |time: f64| curve?.at(time)?.band.filter(|_| time <= self.watched_s());
        let known: Vec<Option<(f64, Interval)>> = times.iter().map(|&time| Some((time, at(time)?))).collect();
        let pieces = known.split(Option::is_none).filter(|piece| piece.len() > 1);
        // What it has not happened to yet is what is left.
        let left = |share: f64| 100.0 * (1.0 - share);
        let band = |piece: &[Option<(f64, Interval)>]| Mark::Band {
            ends: piece
                .iter()
                .flatten()
                .map(|(time, it)| (*time, Interval { low: left(it.high), high: left(it.low) }))
                .collect(),
            name: self.stats.strategy.clone(),
            identity: looks.get(&self.stats.strategy),
        };
        pieces.map(band).collect()
    }

    /// Returns the marker with the name: at the median, or at the end where that is unknown.
    fn point(&self, looks: &Looks) -> Point {
        let (x, share) = match self.curve.quantile(0.5) {
            Estimated::Known(median_s) => (median_s.max(TIME_MIN_S), at(&self.curve, &[median_s])[0]),
            Estimated::AtLeast(end_s) => (end_s.max(TIME_MIN_S), at(&self.curve, &[end_s])[0]),
        };
        Point {
            x,
            x_interval: None,
            y: Height::At { value: 100.0 * share, interval: None },
            identity: looks.get(&self.stats.strategy),
            name: self.stats.strategy.clone(),
            leads: self.stats.on_front,
            tip: tip(self.stats, &self.words()),
        }
    }

    fn words(&self) -> String {
        let end = self.curve.steps().last().map_or(1.0, |(_, share)| *share);
        let quantile = |q: f64| match self.curve.quantile(q) {
            Estimated::Known(value) => time(value),
            Estimated::AtLeast(_) => "never seen".to_owned(),
        };
        format!(
            "half {} after {}, 95 % after {}, {} not at all while watched",
            self.wait.done,
            quantile(0.5),
            quantile(0.95),
            percent(end.max(0.0))
        )
    }
}

/// Returns the values of the curve at `times`, which ascend.
fn at(curve: &Curve, times: &[f64]) -> Vec<f64> {
    let (mut steps, mut value) = (curve.steps().iter().peekable(), 1.0);
    let mut value_at = |time: f64| {
        while let Some((_, next)) = steps.next_if(|(step, _)| *step <= time) {
            value = *next;
        }
        value
    };
    times.iter().map(|&time| value_at(time)).collect()
}

/// Returns a sentence on the break that was noticed last, so that it can be looked at.
fn longest(scenario: &ScenarioStats, strategies: &[Strategy<'_>]) -> Option<String> {
    let detected = strategies.iter().flat_map(|it| {
        it.cell.runs.iter().flat_map(move |run| run.episodes.iter().map(move |episode| (it, run, episode)))
    });
    let (it, run, episode) = detected
        .filter(|(_, _, episode)| episode.outcome == Outcome::Detected)
        .max_by(|a, b| a.2.latency_s.total_cmp(&b.2.latency_s))?;
    let place = list(&[
        &format!("strategy {}", it.stats.strategy),
        &format!("seed {}", run.seed),
        &format!("device {}", episode.device),
    ]);
    Some(format!(
        " The break that was noticed last: {place} in {}, {} after it came at {:.0} s.",
        scenario.name,
        time(episode.latency_s),
        episode.begin_s,
    ))
}
