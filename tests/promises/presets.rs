//! Every preset keeps what it promises of itself in random worlds, which test each kind of promise that presets make. From 500
//! worlds on, each kind that a preset makes has to be tested in its own.
//! `CARDIOGRAM_CASES` draws more worlds, `CARDIOGRAM_PRESET` looks at one preset alone.
//!
//! `tests/promises/promised.rs` asks the same in a few worlds made for each promise.

use std::{collections::BTreeMap, time::Instant};

use cardiogram::{
    check::{Check, Checked, Failure},
    policies::preset,
};
use rayon::prelude::*;
use tempfile::TempDir;

/// So few that all presets together take seconds; a night's tests draw more.
const CASES: u32 = 100;

#[test]
#[expect(clippy::disallowed_methods, reason = "how fast it went is told and decides nothing")]
fn every_preset_keeps_what_it_promises_of_itself() {
    let folder = TempDir::new().unwrap();
    let only = std::env::var("CARDIOGRAM_PRESET").ok();
    let presets = preset::all().par_iter().filter(|preset| only.as_ref().is_none_or(|only| only == preset.name));
    let begin = Instant::now();
    let results: Vec<(&str, Result<Checked, Failure>)> = presets
        .map(|preset| {
            let check = Check::of(preset.spec()).promises().cases(CASES).keep_in(folder.path()).quietly();
            (preset.name, check.run())
        })
        .collect();
    let mut tested: BTreeMap<String, u64> = BTreeMap::new();
    let mut failures = Vec::new();
    let (mut worlds, mut seed) = (0, 0);
    for (name, result) in results {
        match result {
            Ok(checked) => {
                worlds += checked.cases;
                seed = checked.seed;
                for (kind, times) in checked.coverage.tested {
                    *tested.entry(kind).or_default() += times;
                }
            }
            Err(Failure::Broken(it)) => failures.push(format!("{name}: {it}\n{}", it.text)),
            Err(failure) => failures.push(format!("{name}: {failure}")),
        }
    }
    let rate = f64::from(worlds) / begin.elapsed().as_secs_f64().max(1e-9);
    eprintln!("{worlds} worlds of seed {seed} ({rate:.0} worlds a second) tested {tested:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let kinds: Vec<&str> = tested.keys().map(String::as_str).collect();
    let all = [
        "attempts-within",
        "detects-within",
        "heartbeats-per-hour",
        "nat-safe",
        "no-false-alarm",
        "one-session",
        "reconnects-within",
        "silent-when-given-up",
        "zombies-within",
    ];
    assert!(only.is_some() || kinds == all, "{kinds:?}");
}
