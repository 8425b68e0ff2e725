//! What came of holding every preset to every claim: tests/findings/held.csv, which `examples/findings.rs` writes and tests
//! read. The worlds that break a promise are files beside it; why products break theirs is in explained.csv, by hand.

use std::collections::BTreeMap;

use cardiogram_policies::StrategySpec;

/// How many worlds each claim is held against.
pub const WORLDS: u32 = 200;

const HEAD: &str = "preset;strategy;kept;broken;not_tested;shared";

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No world broke it.
    Kept,
    /// Its [`file()`] holds a world that does.
    Broken,
    /// No world tested it.
    NotTested,
    /// It is about the reconnect policy that many presets share, and is judged once.
    Shared,
}

impl Verdict {
    /// All of them, in the order of the columns.
    const ALL: [Self; 4] = [Self::Kept, Self::Broken, Self::NotTested, Self::Shared];
}

/// One preset, held to its claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The preset's name.
    pub preset: String,
    /// [`digest`] of the preset that was held.
    pub strategy: String,
    /// By the kind of promise.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// Returns the name of the world in which a preset breaks a promise. Names of checks have no point.
pub fn file(preset: &str, promise: &str) -> String {
    format!("{}-{promise}.toml", preset.replace('.', "-"))
}

/// Returns what tells one behaviour from another: a number made of everything in a strategy but its texts.
pub fn digest(spec: &StrategySpec) -> String {
    let mut bare = spec.clone();
    (bare.about, bare.source, bare.assumptions) = (String::new(), String::new(), Vec::new());
    (bare.family, bare.evidence) = (None, None);
    let text = toml::to_string(&bare).expect("a strategy is a table");
    // FNV-1a, 64 bits.
    let number = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |number, byte| (number ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{number:016x}")
}

/// Returns the file's text.
pub fn write(held: &[Held]) -> String {
    let line = |it: &Held| {
        let of = |verdict: Verdict| {
            let names = it.verdicts.iter().filter(|(_, is)| **is == verdict).map(|(name, _)| name.as_str());
            names.collect::<Vec<_>>().join(" ")
        };
        format!("{};{};{}\n", it.preset, it.strategy, Verdict::ALL.map(of).join(";"))
    };
    format!("{HEAD}\n{}", held.iter().map(line).collect::<String>())
}

/// Returns what the file's text says.
pub fn read(text: &str) -> Vec<Held> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(HEAD), "the head of held.csv");
    let row = |line: &str| {
        let mut columns = line.split(';').map(str::to_owned);
        let mut next = || columns.next().unwrap_or_else(|| panic!("too few columns: {line}"));
        let (preset, strategy) = (next(), next());
        let mut verdicts = BTreeMap::new();
        for verdict in Verdict::ALL {
            verdicts.extend(next().split_whitespace().map(|name| (name.to_owned(), verdict)));
        }
        Held { preset, strategy, verdicts }
    };
    lines.map(row).collect()
}
