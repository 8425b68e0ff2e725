//! Files that somebody has damaged or pushed to extremes: valid scenarios, strategies and sweeps with lines gone, repeated or
//! swapped, and with values no author would write. Each is refused with words, or is a world that can be used, checked and
//! run for a moment; nothing panics.
//!
//! `fuzz/` looks for the same by coverage, byte by byte; here the changes know TOML, so that most get past its parser.
//! `CARDIOGRAM_INPUTS` is how many changed files each test tries.

use cardiogram_policies::preset;
use cardiogram_scenarios::library;
use kit::entries;
use proptest::{
    prelude::*,
    sample::{Index, select},
};

/// What values are replaced with, as TOML.
const EXTREMES: [&str; 32] = [
    "0",
    "-1",
    "1",
    "65535",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "0.0",
    "-0.0",
    "1.0",
    "1e308",
    "-1e308",
    "5e-324",
    "inf",
    "nan",
    "true",
    "\"\"",
    "\"0s\"",
    "\"1us\"",
    "\"1ms\"",
    "\"10years\"",
    "\"99999999y\"",
    "\"18446744073709551615s\"",
    "\"-1s\"",
    "\"no-such-name\"",
    "\"\u{e9}\u{1f600}\\u0000\"",
    "1979-05-27T07:32:00Z",
    "[]",
    "{}",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    "{ a = { b = { c = { d = { e = {} } } } } }",
];

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    /// A line is gone.
    Delete(Index),
    /// A line is there twice.
    Repeat(Index),
    /// Two lines change places.
    Swap(Index, Index),
    /// What follows the n-th `=`, up to the next comma, bracket or end of line, is something else.
    Value(Index, &'static str),
    /// Everything after this place is gone.
    Cut(Index),
    /// The n-th line is there this many times.
    Flood(Index, usize),
    /// This many brackets at the end of the n-th line.
    Nest(Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        2 => at().prop_map(Change::Delete),
        1 => at().prop_map(Change::Repeat),
        1 => (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
        12 => (at(), select(&EXTREMES[..])).prop_map(|(at, value)| Change::Value(at, value)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), select(&[100, 1_500][..])).prop_map(|(at, count)| Change::Flood(at, count)),
        1 => (at(), select(&[70, 90, 5_000][..])).prop_map(|(at, depth)| Change::Nest(at, depth)),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return String::new();
    }
    let count = lines.len();
    match change {
        Change::Delete(at) => drop(lines.remove(at.index(count))),
        Change::Repeat(at) => lines.insert(at.index(count), lines[at.index(count)]),
        Change::Swap(a, b) => lines.swap(a.index(count), b.index(count)),
        Change::Flood(at, times) => {
            let line = lines[at.index(count)];
            return [text, &format!("\n{line}").repeat(*times)].concat();
        }
        Change::Value(at, value) => {
            let places: Vec<usize> = text.match_indices('=').map(|(place, _)| place + 1).collect();
            if places.is_empty() {
                return text.to_owned();
            }
            let from = places[at.index(places.len())];
            let rest = &text[from..];
            // Of an inline table, the inner keys can be chosen too.
            let len = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
            return format!("{} {value}{}", &text[..from], &rest[len..]);
        }
        Change::Cut(at) => {
            let letters: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            return text[..letters[at.index(letters.len())]].to_owned();
        }
        Change::Nest(at, depth) => {
            let at = at.index(count);
            let nested = format!("{} {}", lines[at], "[".repeat(*depth));
            lines[at] = &nested;
            return lines.join("\n");
        }
    }
    lines.join("\n")
}

/// One of `texts` with one to three changes; mostly one, since what is refused at once hides the rest.
fn changed(texts: Vec<String>) -> impl Strategy<Value = String> {
    let changes = prop_oneof![
        4 => prop::collection::vec(change(), 1),
        2 => prop::collection::vec(change(), 2),
        1 => prop::collection::vec(change(), 3),
    ];
    (select(texts), changes).prop_map(|(text, changes)| changes.iter().fold(text, |text, change| apply(&text, change)))
}

fn inputs() -> ProptestConfig {
    let cases = std::env::var("CARDIOGRAM_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn scenarios() -> Vec<String> {
    library::names().map(|name| library::text(name).expect("it is named").to_owned()).collect()
}

fn strategies() -> Vec<String> {
    preset::all().iter().map(|preset| preset.toml.to_owned()).collect()
}

/// Returns the example, with its paths taken out, and one axis of each kind.
fn sweeps() -> Vec<String> {
    let of = |axes: &str| {
        format!("name = \"x\"\nabout = \"y\"\nscenario = \"silent-nat\"\nstrategies = [\"wechat-270\"]\n{axes}")
    };
    vec![
        include_str!("../../examples/sweeps/interval-against-nat.toml").to_owned(),
        of("[[axis]]\nscenario = \"devices.count\"\nfrom = 1\nto = 9\nstep = 2\n"),
        of("[[axis]]\nstrategy = \"heartbeat.fixed.interval\"\nfrom = \"15s\"\nto = \"20m\"\nlog_steps = 4\n"),
        of("[[axis]]\nscenario = \"access\"\nvalues = [\"wifi\", \"lte-drive\"]\nlabel = \"link\"\n"),
    ]
}

proptest! {
    #![proptest_config(inputs())]

    #[test]
    fn a_changed_scenario_is_refused_or_runs(text in changed(scenarios())) {
        entries::scenario(text.as_bytes());
    }

    #[test]
    fn a_changed_strategy_is_refused_or_runs(text in changed(strategies())) {
        entries::strategy(text.as_bytes());
    }

    #[test]
    fn a_changed_sweep_is_refused_or_makes_its_points(text in changed(sweeps())) {
        entries::sweep(text.as_bytes());
    }
}
