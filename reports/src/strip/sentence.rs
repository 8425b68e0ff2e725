//! What happened in the window of a strip chart, in words: what broke, whether and how it was noticed, and how long the
//! device was without a usable session.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::Time;
use cardiogram_sim::{
    Outcome,
    outcome::{Episode, EpisodeOutcome},
};

use super::{View, Window, signals::Signals};
use crate::chart;

/// How many breaks are told one by one; more are summed up.
const TOLD: usize = 2;

pub(super) fn sentence(outcome: &Outcome, view: &View<'_>) -> String {
    let window = Window { from: view.from, to: view.to };
    let trace = outcome.trace.as_ref().expect("the trace was kept");
    let within = |begin: Time, end: Option<Time>| window.clip((begin, end.unwrap_or(trace.end))).is_some();
    let episodes: Vec<&Episode> =
        outcome.episodes.iter().filter(|of| of.device == view.device && within(of.begin, of.end)).collect();
    let alarms = outcome.false_alarms.iter().filter(|of| of.device == view.device && window.has(of.at)).count();

    let mut words = vec![match &episodes[..] {
        [] => "No session broke.".to_owned(),
        few if few.len() <= TOLD => few.iter().map(|episode| told(episode)).collect::<Vec<_>>().join(" "),
        many => summed(many),
    }];
    match alarms {
        0 => {}
        1 => words.push("One usable session was given up.".to_owned()),
        several => words.push(format!("{several} usable sessions were given up.")),
    }
    let usable = trace.usable.iter().filter(|of| of.device == view.device);
    let clipped = usable.filter_map(|of| window.clip((of.begin, of.end)));
    let usable: Duration = clipped.map(|(begin, end)| end.since(begin)).sum();
    let share = share(usable, window);
    words.push(format!("A usable session for {share} % of the time shown."));
    words.join(" ")
}

/// Tells what a link went through, as far as it knows itself.
pub(super) fn of_record(signals: &Signals, window: Window) -> String {
    let of = |number: usize, one: &str, several: &str| format!("{number} {}", if number == 1 { one } else { several });
    let sessions: Vec<_> = signals.sessions.iter().filter_map(|session| window.clip(*session)).collect();
    let ends = signals.ends.iter().filter(|(at, _)| window.has(*at)).count();
    let failed = signals.attempts.iter().filter(|it| it.failed && window.clip(it.span).is_some()).count();
    let believed: Duration = sessions.iter().map(|(begin, end)| end.since(*begin)).sum();
    format!(
        "{}, of which {} given up or lost; {}. It believed in a session for {} % of the time shown.",
        of(sessions.len(), "session", "sessions"),
        of(ends, "was", "were"),
        of(failed, "attempt failed", "attempts failed"),
        share(believed, window),
    )
}

/// Returns how much of a window a time is, in percent; rounded down: what is not all must not be called 100 %.
fn share(of: Duration, window: Window) -> f64 {
    libm::floor(100.0 * of.as_secs_f64() / window.span().as_secs_f64() * 100.0) / 100.0
}

fn moment(at: Time) -> String {
    chart::moment(at.as_micros())
}

fn length(span: Duration) -> String {
    chart::length(span.as_secs_f64())
}

/// Tells one break.
fn told(episode: &Episode) -> String {
    let begin = format!("At {} the session broke ({})", moment(episode.begin), episode.cause.name());
    let noticed = match (episode.detection, episode.outcome()) {
        (Some(detection), _) => {
            let latency = length(detection.at.since(episode.begin));
            format!("; noticed after {latency} by {}", detection.by)
        }
        (None, EpisodeOutcome::RiddenOut) => "; healed before anyone noticed".into(),
        (None, _) => "; never noticed".into(),
    };
    let end = match episode.end {
        Some(end) => format!("; usable again after {}.", length(end.since(episode.begin))),
        None => "; not usable again in this run.".into(),
    };
    begin + &noticed + &end
}

/// Sums many breaks up.
fn summed(episodes: &[&Episode]) -> String {
    let counted = |names: &mut dyn Iterator<Item = String>| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        let counts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
        counts.join(", ")
    };
    let causes = counted(&mut episodes.iter().map(|episode| episode.cause.name().to_owned()));
    let detections = || episodes.iter().filter_map(|episode| episode.detection.map(|of| (of, episode.begin)));
    let mut latencies: Vec<Duration> = detections().map(|(of, begin)| of.at.since(begin)).collect();
    latencies.sort_unstable();
    let mut words = vec![format!("{} breaks ({causes})", episodes.len())];
    if let [shortest, .., longest] = latencies[..] {
        let by = counted(&mut detections().map(|(of, _)| of.by.to_string()));
        let (count, shortest, longest) = (latencies.len(), length(shortest), length(longest));
        words.push(format!("{count} noticed, after {shortest} to {longest}, by {by}"));
    } else {
        words.push(format!("{} noticed", latencies.len()));
    }
    let healed = episodes.iter().filter(|episode| episode.outcome() == EpisodeOutcome::RiddenOut).count();
    if healed > 0 {
        words.push(format!("{healed} healed before anyone noticed"));
    }
    words.join("; ") + "."
}
