//! Holds presets to every claim, and writes what came of it under tests/findings/: held.csv, and for each break the world that
//! breaks it. The page docs/findings.md is made from these files, and from the reasons in explained.csv, by
//! `cargo xtask bless docs`.
//!
//! ```text
//! cargo run --release --example findings                      # all presets
//! cargo run --release --example findings -- okhttp pika       # these alone; what is known of the others stays
//! cargo run --release --example findings -- 2000 okhttp       # in 2000 worlds; prints, and writes to the current directory
//! ```
//!
//! The same worlds are drawn every time, on every machine: the same number of them gives the same files. Why a product breaks
//! a promise is a matter of reading its source, and kept by hand in tests/findings/explained.csv.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cardiogram::{
    check::{Check, Failure, Promised, claims, kind},
    policies::{ReconnectRules, ReconnectSpec, StrategySpec, preset},
};
use kit::findings::{self, Held, Verdict, WORLDS};
use rayon::prelude::*;

/// The preset that stands for all that have the lab's default reconnect policy.
const DEFAULT_RECONNECT: &str = "wechat-270";

fn main() {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let other_number = names.first().and_then(|first| first.parse::<u32>().ok());
    if other_number.is_some() {
        names.remove(0);
    }
    let unknown: Vec<&String> = names.iter().filter(|name| preset::find(name).is_none()).collect();
    assert!(unknown.is_empty(), "no presets: {unknown:?}");
    let is_meant = |name: &str| names.is_empty() || names.iter().any(|it| it == name);

    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/findings");
    let files = if other_number.is_some() { PathBuf::from(".") } else { tree.clone() };
    let list = tree.join("held.csv");
    let mut held: BTreeMap<String, Held> = fs::read_to_string(&list)
        .map(|text| findings::read(&text).into_iter().map(|it| (it.preset.clone(), it)).collect())
        .unwrap_or_default();
    if other_number.is_none() {
        held.retain(|name, _| !is_meant(name) && preset::all().iter().any(|it| it.name == name));
        forget(&tree, &held);
    }
    let found: Vec<Held> = preset::all()
        .par_iter()
        .filter(|preset| is_meant(preset.name))
        .map(|preset| {
            let held = hold(&preset.spec(), other_number.unwrap_or(WORLDS), &files);
            let broken = held.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Broken);
            eprintln!("{}: {}", preset.name, broken.map(|(claim, _)| claim.as_str()).collect::<Vec<_>>().join(" "));
            held
        })
        .collect();
    if other_number.is_none() {
        held.extend(found.into_iter().map(|it| (it.preset.clone(), it)));
        let in_order: Vec<Held> = preset::all().iter().filter_map(|preset| held.remove(preset.name)).collect();
        fs::write(&list, findings::write(&in_order)).expect("the tree can be written to");
    }
}

/// Removes the worlds of presets that are to be held anew, or are no more.
fn forget(files: &Path, kept: &BTreeMap<String, Held>) {
    let named: Vec<String> = kept
        .values()
        .flat_map(|it| {
            let broken = it.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Broken);
            broken.map(move |(claim, _)| findings::file(&it.preset, claim))
        })
        .collect();
    for entry in fs::read_dir(files).expect("the folder is part of the tree") {
        let path = entry.expect("its entries can be read").path();
        let name = path.file_name().expect("it has one").to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "toml") && !named.contains(&name) {
            fs::remove_file(path).expect("the tree can be written to");
        }
    }
}

fn hold(strategy: &StrategySpec, worlds: u32, files: &Path) -> Held {
    let verdict = |claim: &Promised| (kind(claim).to_owned(), judge(strategy, claim, worlds, files));
    let verdicts = claims(strategy).iter().map(verdict).collect();
    Held { preset: strategy.name.clone(), strategy: findings::digest(strategy), verdicts }
}

fn judge(strategy: &StrategySpec, claim: &Promised, worlds: u32, files: &Path) -> Verdict {
    let is_about_waits = matches!(
        claim,
        Promised::AttemptsWithin(_)
            | Promised::ResetsAfterHealth(_)
            | Promised::NoLockStep(_)
            | Promised::JitteredWaits(_)
    );
    let is_default = has_default_waits(strategy) && strategy.reconnect_rules == ReconnectRules::default();
    if is_about_waits && is_default && strategy.name != DEFAULT_RECONNECT {
        return Verdict::Shared;
    }
    let file = findings::file(&strategy.name, kind(claim));
    let name = file.strip_suffix(".toml").expect("it is a file of TOML");
    let check = Check::of(strategy.clone()).promise(claim.clone()).cases(worlds).named(name);
    match check.keep_in(files).quietly().run() {
        Ok(checked) if checked.coverage.tested.is_empty() => Verdict::NotTested,
        Ok(_) => Verdict::Kept,
        Err(Failure::Unmet(_)) => Verdict::NotTested,
        Err(Failure::Broken(it)) => {
            assert!(it.path.ends_with(&file), "{file} is found by its name, not {}", it.path.display());
            Verdict::Broken
        }
        Err(Failure::File(message) | Failure::Unusable(message)) => panic!("{message}"),
    }
}

/// Whether its waits are the lab's own, whatever makes it begin to wait.
fn has_default_waits(strategy: &StrategySpec) -> bool {
    match &strategy.reconnect {
        ReconnectSpec::OnCall(waits) => ReconnectSpec::Exponential(waits.clone()) == ReconnectSpec::default(),
        other => *other == ReconnectSpec::default(),
    }
}
