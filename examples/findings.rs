//! Holds every preset to every claim, and writes what came of it: the table docs/findings.md, and for each break the world
//! that breaks it, under tests/findings/.
//!
//! ```text
//! cargo run --release --example findings                 # 200 worlds for each claim
//! cargo run --release --example findings -- 2000         # more
//! cargo run --release --example findings -- 400 okhttp   # one preset alone; prints, and writes to the current directory
//! ```
//!
//! The same worlds are drawn every time, on every machine: the same number of them gives the same files. Why a product breaks
//! a promise is a matter of reading its source, and kept by hand in tests/findings/explained.csv.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use cardiogram::{
    check::{Check, Counterexample, Failure, Promised, claims, kind},
    policies::{ReconnectRules, ReconnectSpec, StrategySpec, preset},
};
use rayon::prelude::*;

/// How many worlds each claim is held against.
const WORLDS: u32 = 200;
/// The preset that stands for all that have the lab's default reconnect policy.
const DEFAULT_RECONNECT: &str = "wechat-270";

/// What came of a claim.
enum Found {
    Kept,
    NotTested,
    Broken {
        file: String,
        promised: String,
        happened: String,
    },
    /// Its reconnect policy is the default that many share: see there.
    Shared,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let worlds = arguments.next().map_or(WORLDS, |count| count.parse().expect("how many worlds, as a number"));
    let only = arguments.next();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = only.as_ref().map_or_else(|| root.join("tests/findings"), |_| PathBuf::from("."));
    if only.is_none() {
        forget(&files);
    }
    let presets = preset::all().par_iter().filter(|preset| only.as_ref().is_none_or(|name| name == preset.name));
    let rows: Vec<(&str, BTreeMap<&str, Found>)> = presets
        .map(|preset| {
            let strategy = preset.spec();
            let row: BTreeMap<&str, Found> =
                claims(&strategy).iter().map(|claim| (kind(claim), hold(&strategy, claim, worlds, &files))).collect();
            let broken = row.iter().filter(|(_, found)| matches!(found, Found::Broken { .. }));
            eprintln!("{}: {}", preset.name, broken.map(|(claim, _)| *claim).collect::<Vec<_>>().join(" "));
            (preset.name, row)
        })
        .collect();
    let mut order: Vec<&str> = rows.iter().flat_map(|(_, row)| row.keys().copied()).collect();
    order.sort_unstable();
    order.dedup();
    order.sort_by_key(|name| ORDER.iter().position(|it| it == name));
    if only.is_none() {
        let explained = fs::read_to_string(root.join("tests/findings/explained.csv")).expect("it is part of the tree");
        let page = page(worlds, &order, &rows, &explained);
        fs::write(root.join("docs/findings.md"), page).expect("the tree can be written to");
    }
}

/// The promises as the table has them.
const ORDER: [&str; 15] = [
    "detects-within",
    "no-false-alarm",
    "no-false-kill",
    "heartbeats-per-hour",
    "nat-safe",
    "learns-interval",
    "zombies-within",
    "one-session",
    "silent-when-given-up",
    "reconnects-within",
    "ends",
    "attempts-within",
    "resets-after-health",
    "no-lock-step",
    "jittered-waits",
];

/// Removes the worlds that were found before.
fn forget(files: &Path) {
    for entry in fs::read_dir(files).expect("the folder is part of the tree") {
        let path = entry.expect("its entries can be read").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            fs::remove_file(path).expect("the tree can be written to");
        }
    }
}

fn hold(strategy: &StrategySpec, claim: &Promised, worlds: u32, files: &Path) -> Found {
    let is_about_waits = matches!(
        claim,
        Promised::AttemptsWithin(_)
            | Promised::ResetsAfterHealth(_)
            | Promised::NoLockStep(_)
            | Promised::JitteredWaits(_)
    );
    let is_default = has_default_waits(strategy) && strategy.reconnect_rules == ReconnectRules::default();
    if is_about_waits && is_default && strategy.name != DEFAULT_RECONNECT {
        return Found::Shared;
    }
    let name = format!("{}-{}", strategy.name, kind(claim));
    let check = Check::of(strategy.clone()).promise(claim.clone()).cases(worlds).named(&name);
    match check.keep_in(files).quietly().run() {
        Ok(checked) if checked.coverage.tested.is_empty() => Found::NotTested,
        Ok(_) => Found::Kept,
        Err(Failure::Unmet(_)) => Found::NotTested,
        Err(Failure::Broken(it)) => {
            let Counterexample { path, breach, .. } = *it;
            let file = path.file_name().expect("it has one").to_string_lossy().into_owned();
            Found::Broken { file, promised: breach.promised, happened: breach.happened }
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

fn page(worlds: u32, order: &[&str], rows: &[(&str, BTreeMap<&str, Found>)], explained: &str) -> String {
    let mut page = HEAD.replace("WORLDS", &worlds.to_string());
    page.push_str(
        "\n## Kept and broken, by promise\n\n| Promise | Kept | Broken | Not tested |\n|---|---:|---:|---:|\n",
    );
    for claim in order {
        let count = |is: fn(&Found) -> bool| rows.iter().filter(|(_, row)| row.get(claim).is_some_and(is)).count();
        let kept = count(|it| matches!(it, Found::Kept));
        let broken = count(|it| matches!(it, Found::Broken { .. }));
        let untested = count(|it| matches!(it, Found::NotTested));
        push(&mut page, &format!("| `{claim}` | {kept} | {broken} | {untested} |"));
    }
    page.push_str("\n## Preset by preset\n\n");
    push(&mut page, &format!("| Preset | {} |", order.join(" | ")));
    push(&mut page, &format!("|---|{}", ":-:|".repeat(order.len())));
    for (name, row) in rows {
        let cells = order.iter().map(|claim| match row.get(claim) {
            None => String::new(),
            Some(Found::Kept) => "kept".to_owned(),
            Some(Found::NotTested) => "·".to_owned(),
            Some(Found::Shared) => "=".to_owned(),
            Some(Found::Broken { file, .. }) => format!("[broken](../tests/findings/{file})"),
        });
        push(&mut page, &format!("| `{name}` | {} |", cells.collect::<Vec<_>>().join(" | ")));
    }
    page.push_str(BREAKS);
    let reasons = reasons(explained);
    let mut used = vec![false; reasons.len()];
    for claim in order {
        let broken: Vec<(&str, &Found)> = rows
            .iter()
            .filter_map(|(name, row)| Some((*name, row.get(claim)?)))
            .filter(|(_, found)| matches!(found, Found::Broken { .. }))
            .collect();
        if !broken.is_empty() {
            push(&mut page, &format!("\n### `{claim}`\n"));
        }
        for (name, found) in broken {
            let Found::Broken { promised, happened, .. } = found else { continue };
            let reason = reasons.iter().position(|it| it.is_about(name, claim));
            let why = reason.map_or_else(String::new, |place| {
                used[place] = true;
                let Reason { source, why, .. } = &reasons[place];
                let own = || preset::find(name).expect("a preset").spec().source.trim_end_matches('.').to_owned();
                let source = if *source == "=" { own() } else { (*source).to_owned() };
                format!(" **{why}** ({source})")
            });
            push(&mut page, &format!("- `{name}`: promised: {promised}; {happened}.{why}"));
        }
    }
    for (reason, _) in reasons.iter().zip(used).filter(|(_, used)| !used) {
        eprintln!("explained, but not found: {} {}", reason.presets, reason.promise);
    }
    page
}

const HEAD: &str = "# Findings

Every preset, held to what a reader of its documentation would expect of it, in random worlds (see properties.md for how). A
promise that a preset makes in an ideal world, without loss, traffic or late timers, is held here against worlds that are
none; where it makes none, a yardstick is taken that `check/src/claims.rs` names and gives reasons for. A break is therefore
not always a bug: it is a world of which its owner should have heard. What the presets promise *given* what a world
guarantees, all of them keep: `cargo test --test promises promised::`.

This page and the files under tests/findings/ are written by

    cargo run --release --example findings

with WORLDS worlds for each claim. `cardiogram replay tests/findings/FILE` runs one and explains it; `cargo test
--test promises findings::` runs them all. `kept`: no world broke it. `·`: no world tested it. Empty: neither promised nor expected. `=`: its
source names no reconnect policy, so it has the lab's default, which is judged once, in the row of `wechat-270`.
";

const BREAKS: &str = "
## What breaks them

In bold what the source of a product says about it, where somebody has read it.
";

/// Why presets break a promise.
struct Reason<'a> {
    /// Their names, with blanks between; `*` for all.
    presets: &'a str,
    promise: &'a str,
    source: &'a str,
    why: &'a str,
}

impl Reason<'_> {
    fn is_about(&self, preset: &str, promise: &str) -> bool {
        self.promise == promise && (self.presets == "*" || self.presets.split(' ').any(|name| name == preset))
    }
}

/// Lines of `presets;promise;source;why`, the first that fits; `=` for a source is the preset's own.
fn reasons(explained: &str) -> Vec<Reason<'_>> {
    let reason = |line| {
        let parts: Vec<&str> = str::splitn(line, 4, ';').collect();
        let [presets, promise, source, why] = parts[..] else { panic!("not four parts: {line}") };
        Reason { presets, promise, source, why }
    };
    explained.lines().skip(1).filter(|line| !line.is_empty()).map(reason).collect()
}

fn push(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("strings take everything");
}
