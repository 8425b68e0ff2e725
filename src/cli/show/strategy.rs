//! A strategy in full: its file with every value spelled out, and below, as comments, how it works in words and what it
//! promises in a scenario. The whole is a strategy file.

use std::{fmt::Write, time::Duration};

use cardiogram_policies::{
    Bounds, Promises, StrategySpec, measured, preset, strategy::Evidence, unit::format_duration,
};
use cardiogram_scenarios::{Scenario, load};
use serde_json::{Value, json};

/// The width of the comments, in characters.
const WIDTH: usize = 100;
/// The words where a strategy cannot promise something.
const NO_PROMISE: &str = "no promise";

/// Everything there is to say about `spec`, its promises within the bounds of `scenario`.
pub(super) fn in_full(spec: &StrategySpec, scenario: &Scenario) -> String {
    let mut text = load::strategy_text(spec);
    evidence(&mut text, spec);
    text.push_str("\n# How it works\n");
    let parts = [
        ("Heartbeat", spec.heartbeat.describe()),
        ("Reconnect", spec.describe_reconnect()),
        ("Server", spec.server.describe()),
    ];
    for (part, words) in parts {
        text.push_str("#\n");
        comment(&mut text, &format!("{part}: {words}"));
    }

    let mut warnings = spec.warnings();
    warnings.extend(spec.called_by_nobody().filter(|_| !scenario.calls_back()));
    if !warnings.is_empty() {
        text.push_str("\n# What is unwise about it\n");
        for warning in warnings {
            text.push_str("#\n");
            comment(&mut text, &format!("{}: {}; {}.", warning.path, warning.message, warning.help));
        }
    }

    let world = scenario.world(spec);
    let bounds = world.bounds();
    writeln!(text, "\n# What it promises in the scenario `{}`", scenario.name).expect("strings take everything");
    text.push_str("#\n");
    let reaps_within = spec.server.reaps_within(spec.heartbeat.announced_interval(), &bounds);
    let promises = promises(&world.promises(), reaps_within);
    let width = promises.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    for (what, promise) in promises {
        writeln!(text, "# {what:width$}  {promise}").expect("strings take everything");
    }
    text.push_str("#\n");
    comment(&mut text, &format!("It counts on this: {}.", words_of(&bounds).join("; ")));
    text
}

/// How it is known that the product does this, where that is told.
fn evidence(text: &mut String, spec: &StrategySpec) {
    let Some(kind) = spec.evidence else { return };
    let preset = preset::find(&spec.name);
    let told = match kind {
        Evidence::Measured => {
            let products = preset.map(measured::of).unwrap_or_default();
            format!("Measured: its times are those of {}.", products.join(", "))
        }
        Evidence::Read => "Read, in what `source` names, and not run.".into(),
        _ => "Assumed: the numbers were chosen here, or are known from memory.".into(),
    };
    text.push_str("\n# How it is known\n#\n");
    comment(text, &told);
    for (product, what, why) in preset.map(measured::differences).unwrap_or_default() {
        text.push_str("#\n");
        comment(text, &format!("It differs from {product}. {what} {why}"));
    }
}

/// Returns the same for programs; spans in seconds, `null` where there is no promise.
pub(super) fn json(spec: &StrategySpec, scenario: &Scenario) -> Value {
    let world = scenario.world(spec);
    let promises = world.promises();
    let reaps_within = spec.server.reaps_within(spec.heartbeat.announced_interval(), &world.bounds());
    let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
    let warnings = spec.warnings();
    let warnings = warnings.iter().map(|it| json!({ "path": it.path, "message": it.message, "help": it.help }));
    json!({
        "kind": "strategy",
        "name": spec.name,
        "about": spec.about,
        "source": spec.source,
        "assumptions": spec.assumptions,
        "text": load::strategy_text(spec),
        "heartbeat": spec.heartbeat.describe(),
        "reconnect": spec.describe_reconnect(),
        "server": spec.server.describe(),
        "warnings": warnings.collect::<Vec<_>>(),
        "scenario": scenario.name,
        "promises": {
            "detects_within_s": seconds(promises.detects_within),
            "reconnects_within_s": seconds(promises.reconnects_within),
            "no_false_alarm": promises.no_false_alarm,
            "heartbeats_per_hour": promises.heartbeats_per_hour,
            "attempts": promises.attempts.map(|limit| json!({ "count": limit.count, "window_s": limit.window.as_secs_f64() })),
            "server_closes_within_s": seconds(reaps_within),
        },
    })
}

/// Returns each promise and how far it goes.
fn promises(promises: &Promises, reaps_within: Option<Duration>) -> [(&'static str, String); 6] {
    let or_none = |promise: Option<String>| promise.unwrap_or_else(|| NO_PROMISE.into());
    let attempts = promises.attempts.map(|limit| format!("{} in any {}", limit.count, rounded_down(limit.window)));
    [
        ("A permanent break is noticed within", or_none(promises.detects_within.map(rounded_up))),
        ("Connected again, once that is possible, within", or_none(promises.reconnects_within.map(rounded_up))),
        ("A connection on a healthy path is given up", or_none(promises.no_false_alarm.then(|| "never".into()))),
        ("Heartbeats in an hour, at most", or_none(promises.heartbeats_per_hour.map(|count| count.to_string()))),
        ("Connection attempts, at most", or_none(attempts)),
        ("The server closes a silent session within", or_none(reaps_within.map(rounded_up))),
    ]
}

/// Writes an upper bound to the millisecond: what is promised still holds of it.
fn rounded_up(span: Duration) -> String {
    let over = Duration::from_nanos(u64::from(span.subsec_nanos() % 1_000_000));
    let rest = if over.is_zero() { over } else { Duration::from_millis(1).saturating_sub(over) };
    format_duration(span.saturating_add(rest))
}

/// Writes a window in which something happens at most a number of times, to the millisecond: what is promised of the window
/// holds of a shorter one. One below a millisecond is written as it is.
fn rounded_down(span: Duration) -> String {
    let over = Duration::from_nanos(u64::from(span.subsec_nanos() % 1_000_000));
    format_duration(if span == over { span } else { span.saturating_sub(over) })
}

/// Returns what the scenario guarantees, and what it does not.
fn words_of(bounds: &Bounds) -> Vec<String> {
    let either = |holds: bool, yes: &str, no: &str| String::from(if holds { yes } else { no });
    let handshake = match bounds.handshake_max {
        Duration::MAX => "no handshake is certain to succeed".into(),
        longest => format!("a handshake takes at most {}", rounded_up(longest)),
    };
    let nat = bounds.nat_timeout.map_or_else(
        || "no NAT forgets".into(),
        |timeout| format!("a NAT forgets after {} at the earliest", format_duration(timeout)),
    );
    let impatient = (!bounds.patient_kernels).then(|| "kernels give up before an answer is certain".into());
    let words = vec![
        format!("a healthy round trip takes at most {}", rounded_up(bounds.rtt_max)),
        either(bounds.loss_free, "no packet is lost on a healthy path", "packets are lost on a healthy path too"),
        nat,
        handshake,
        either(bounds.servers == 1, "there is one server", &format!("there are {} servers", bounds.servers)),
        either(bounds.silent_app, "the application is silent", "the application talks"),
        either(bounds.steady_host, "timers run when they are due", "timers run late, or processes are killed"),
    ];
    words.into_iter().chain(impatient).collect()
}

/// Adds `words` as lines of comment.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_written_to_the_millisecond_and_still_hold() {
        let micros = Duration::from_micros;
        assert_eq!(rounded_up(micros(338_222_432)), "5m38s223ms");
        assert_eq!(rounded_up(micros(338_222_000)), "5m38s222ms");
        assert_eq!(rounded_down(micros(800_999)), "800ms");
        assert_eq!(rounded_down(micros(999)), "999us");
    }
}
