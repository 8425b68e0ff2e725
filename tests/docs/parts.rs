//! The tables of presets in docs/policies.md and docs/conformance.md, made from the presets: of which parts each one is, and
//! how far each does what its product does.

use std::fmt::Write;

use cardiogram::policies::{
    HeartbeatSpec, StrategySpec,
    heartbeat::{Composed, ScheduleSpec},
    measured::{self, Measurement},
    preset::{self, Preset},
    strategy::Evidence,
};
use serde_json::{Map, Value};

/// Returns every preset under its family, both in the order of the presets.
pub(crate) fn tables() -> String {
    let mut text = String::new();
    for family in preset::FAMILIES {
        let mut letters = family.about.chars();
        let first = letters.next().expect("a family is told").to_uppercase();
        write!(text, "\n### {first}{}: `{}/*`\n\n", letters.as_str(), family.name).expect("strings take everything");
        text.push_str(
            "| Preset | Schedule, or machine | Judges | Modifiers | Reconnect | Server | Evidence | Source |\n",
        );
        text.push_str("|---|---|---|---|---|---|---|---|\n");
        let specs = preset::all().iter().map(Preset::spec);
        for spec in specs.filter(|spec| spec.family.as_deref() == Some(family.name)) {
            let cells = [format!("`{}`", spec.name)].into_iter().chain(cells(&spec));
            let row: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            writeln!(text, "| {} |", row.join(" | ")).expect("strings take everything");
        }
    }
    text.push('\n');
    text
}

/// Returns every preset whose product was run: what of it agrees with what was seen, and what does not and why.
pub(crate) fn conformance() -> String {
    let mut text =
        String::from("| Preset | Product | Version | What agrees | What does not, and why |\n|---|---|---|---|---|\n");
    let products = measured::all();
    for preset in preset::all() {
        for product in &products {
            let of_preset = |it: &&Measurement| it.presets.iter().any(|name| name == preset.name);
            let (differ, agree): (Vec<_>, Vec<_>) =
                product.measurements.iter().filter(of_preset).partition(|it| it.differs.is_some());
            if agree.is_empty() && differ.is_empty() {
                continue;
            }
            let agree: Vec<&str> = agree.iter().map(|it| it.what.as_str()).collect();
            let differ: Vec<String> = differ
                .iter()
                .map(|it| format!("{} *{}*", it.what, it.differs.as_deref().expect("it differs")))
                .collect();
            let cells = [
                format!("`{}`", preset.name),
                product.product.clone(),
                product.version.clone(),
                agree.join("<br>"),
                differ.join("<br>"),
            ];
            let row: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            writeln!(text, "| {} |", row.join(" | ")).expect("strings take everything");
        }
    }
    text
}

/// Returns how each product was run.
pub(crate) fn methods() -> String {
    let mut text = String::from("| Product | Version | How it was run | When |\n|---|---|---|---|\n");
    for product in measured::all() {
        writeln!(text, "| {} | {} | {} | {} |", product.product, product.version, product.how, product.date)
            .expect("strings take everything");
    }
    text
}

fn cells(spec: &StrategySpec) -> [String; 7] {
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
    let evidence = spec.evidence.map_or("", Evidence::name).to_owned();
    [schedule, judges, modifiers, reconnect, part("server"), evidence, spec.source.clone()]
}

/// Returns the same strategy, its heartbeat taken apart where its name is short for parts.
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

/// Returns a strategy as its file would say it that leaves out whatever goes without saying.
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

/// Returns a value in a few words: names as in files, tables in parentheses where they have several keys.
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
