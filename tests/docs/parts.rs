//! The table of presets in docs/policies.md, made from the presets: of which parts each one is.

use std::fmt::Write;

use cardiogram::policies::{
    HeartbeatSpec, StrategySpec,
    heartbeat::{Composed, ScheduleSpec},
    preset,
};
use serde_json::{Map, Value};

/// Every preset under its family, both in the order of the presets.
pub(crate) fn tables() -> String {
    let mut families: Vec<(&str, Vec<StrategySpec>)> = Vec::new();
    for preset in preset::all() {
        let spec = preset.spec();
        let family = preset.family(&spec);
        match families.iter_mut().find(|(name, _)| *name == family) {
            Some((_, specs)) => specs.push(spec),
            None => families.push((family, vec![spec])),
        }
    }
    let mut text = String::new();
    for (family, specs) in families {
        let mut letters = family.chars();
        let first = letters.next().expect("a family has a name").to_uppercase();
        write!(text, "\n### {first}{}\n\n", letters.as_str()).expect("strings take everything");
        text.push_str("| Preset | Schedule, or machine | Judges | Modifiers | Reconnect | Server | Source |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
        for spec in specs {
            let cells = [format!("`{}`", spec.name)].into_iter().chain(cells(&spec));
            let row: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            writeln!(text, "| {} |", row.join(" | ")).expect("strings take everything");
        }
    }
    text.push('\n');
    text
}

fn cells(spec: &StrategySpec) -> [String; 6] {
    let strategy = concise(&in_parts(spec.clone()));
    let part = |key: &str| strategy.get(key).map(words).unwrap_or_default();
    let (schedule, judges, modifiers) = match &strategy["heartbeat"] {
        Value::Object(heartbeat) if heartbeat.contains_key("composed") => {
            let mut parts = heartbeat["composed"].as_object().expect("parts have names").clone();
            let mut take = |key: &str| parts.remove(key).as_ref().map(words).unwrap_or_default();
            let (schedule, judges) = (take("schedule"), take("judge"));
            let judges = if judges.is_empty() { "none".into() } else { judges };
            parts.extend(strategy.get("frames").map(|frames| ("frames".into(), frames.clone())));
            (schedule, judges, words(&Value::Object(parts)))
        }
        machine => (words(machine), "its own".into(), String::new()),
    };
    let timeout = strategy.get("connect_timeout").map(|span| format!("attempts of {}", words(span)));
    let waits = strategy.get("reconnect").map_or_else(|| "the default".into(), words);
    let rules = strategy.get("reconnect_rules").map(|rules| format!("rules: {}", words(rules)));
    let reconnect = [Some(waits), rules, timeout].into_iter().flatten().collect::<Vec<_>>().join("; ");
    [schedule, judges, modifiers, reconnect, part("server"), spec.source.clone()]
}

/// The same strategy, its heartbeat taken apart where its name is short for parts.
fn in_parts(mut spec: StrategySpec) -> StrategySpec {
    spec.heartbeat = match spec.heartbeat {
        HeartbeatSpec::None => HeartbeatSpec::Composed(Box::new(Composed::new(ScheduleSpec::PeerSends))),
        HeartbeatSpec::Fixed(short) => HeartbeatSpec::Composed(Box::new(short.parts())),
        HeartbeatSpec::Idle(short) => HeartbeatSpec::Composed(Box::new(short.parts())),
        HeartbeatSpec::TcpKeepalive(short) => HeartbeatSpec::Composed(Box::new(short.parts())),
        HeartbeatSpec::LeaveWhenQuiet(short) => HeartbeatSpec::Composed(Box::new(short.parts())),
        whole => whole,
    };
    spec
}

/// A strategy as its file would say it that leaves out whatever goes without saying.
fn concise(spec: &StrategySpec) -> Value {
    let mut whole = serde_json::to_value(spec).expect("a strategy is data");
    let mut paths = Vec::new();
    paths_in(&whole, &mut Vec::new(), &mut paths);
    for path in paths {
        let mut less = whole.clone();
        remove(&mut less, &path);
        if serde_json::from_value::<StrategySpec>(less.clone()).is_ok_and(|read| read == *spec) {
            whole = less;
        }
    }
    whole
}

/// The path of every key, that of a table before those in it.
fn paths_in(value: &Value, here: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        here.push(key.clone());
        paths.push(here.clone());
        paths_in(value, here, paths);
        here.pop();
    }
}

/// Removes what is at a path, if it is still there.
fn remove(value: &mut Value, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    let Some(table) = value.as_object_mut() else { return };
    if rest.is_empty() {
        table.remove(key);
    } else if let Some(inner) = table.get_mut(key) {
        remove(inner, rest);
    }
}

/// A value in a few words: names as in files, tables in parentheses where they have several keys.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(table) => entries(table).join(", "),
        other => other.to_string(),
    }
}

fn entries(table: &Map<String, Value>) -> Vec<String> {
    let entry = |(key, value): (&String, &Value)| match value {
        Value::Object(inner) if inner.is_empty() => key.clone(),
        Value::Object(inner) if inner.len() > 1 => format!("{key} ({})", words(value)),
        Value::Bool(true) => key.clone(),
        Value::Bool(false) => format!("not {key}"),
        Value::Array(values) if values.len() > 1 => format!("{key} ({})", words(value)),
        _ => format!("{key} {}", words(value)),
    };
    table.iter().map(entry).collect()
}
