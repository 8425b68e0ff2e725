//! The documentation against the program: columns, keys, names, examples, links. Whether a sentence is true is not
//! checked here, only that nothing is missing, gone or broken.

mod architecture;
mod ci_example;
mod code_names;
mod parts;
mod shipping;

use std::{collections::BTreeSet, fs, path::Path};

use cardiogram::{
    policies::preset,
    results::{
        Column,
        metric::{Band, Metric},
        rows::{EpisodeColumn, RunColumn, SeriesColumn},
    },
    scenarios::{library, load},
};
use cardiogram_scenarios::network::{networks, servers};
use cardiogram_sim::config::{AtExpiry, Cause, FaultKind, FromInside, FromOutside, NatClass};
use kit::{committed::assert_committed, place};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns what stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the cells of the first table below a heading, by row.
fn rows<'a>(page: &'a str, heading: &str) -> impl Iterator<Item = Vec<&'a str>> {
    let (_, section) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let table = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.skip(2).map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
}

/// Returns the first cells of the first table below a heading.
fn first_cells<'a>(page: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    rows(page, heading).map(|cells| cells[0])
}

#[test]
fn every_column_is_defined_in_its_order() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 1 --quiet").good();
    let results = page("docs/results.md");
    for file in ["runs.csv", "episodes.csv", "series.csv"] {
        let text = fs::read_to_string(place.path("cardiogram-out/latest").join(file)).unwrap();
        let columns: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
        let defined: Vec<&str> = first_cells(&results, &format!("## `{file}`")).flat_map(code).collect();
        assert_eq!(defined, columns, "{file}");
    }
}

/// Adds the keys and the named values of a JSON Schema.
fn words_of(schema: &Value, words: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => words.extend(properties.keys().cloned()),
                    ("const", Value::String(name)) => words.extend([name.clone()]),
                    ("enum", Value::Array(names)) => {
                        words.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => {}
                }
                words_of(value, words);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| words_of(value, words)),
        _ => {}
    }
}

/// Those of `words` that a page does not have.
fn missing<'a>(page: &str, words: &'a BTreeSet<String>) -> Vec<&'a String> {
    let there: BTreeSet<&str> = page.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).collect();
    words.iter().filter(|word| !there.contains(word.as_str())).collect()
}

/// Returns the keys and named values of what the command line prints as a JSON Schema.
fn schema(what: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let text = place!().cardiogram(&format!("schema {what}")).good();
    words_of(&serde_json::from_str(&text).unwrap(), &mut words);
    words
}

#[test]
fn the_page_of_scenario_files_has_every_key_and_every_name() {
    let mut words = schema("scenario");
    assert!(words.contains("burst_loss") && words.contains("drop-silent"), "{words:?}");
    words.extend(library::names().map(Into::into));
    let presets = networks();
    let names = presets.link.keys().chain(presets.radio.keys()).chain(presets.nat.keys());
    words.extend(names.chain(presets.proxy.keys()).chain(servers().keys()).cloned());
    assert_eq!(missing(&page("docs/scenarios.md"), &words), Vec::<&String>::new());
}

/// The keys that are explained for all kinds together stand in the table below.
#[test]
fn the_table_of_faults_is_every_kind_in_its_order_with_its_own_keys() {
    const COMMON: [&str; 6] = ["when", "lasts", "link", "direction", "server", "devices"];
    let page = page("docs/scenarios.md");
    let told: Vec<&str> = first_cells(&page, "### `faults`").flat_map(code).collect();
    let kinds: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(told, kinds);
    let schema: Value = serde_json::from_str(&place!().cardiogram("schema scenario").good()).unwrap();
    for variant in schema["$defs"]["FaultConfig"]["oneOf"].as_array().expect("an enum") {
        let (kind, keys) = variant["properties"].as_object().and_then(|it| it.iter().next()).expect("a table a kind");
        let of_kind = keys["$ref"].as_str().and_then(|path| path.rsplit('/').next()).expect("a struct of its own");
        let keys = schema["$defs"][of_kind]["properties"].as_object().expect("keys").keys();
        let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` |"))).expect("a row");
        let told = row.split('|').nth(2).expect("a second cell");
        for key in keys.filter(|key| !COMMON.contains(&key.as_str())) {
            assert!(code(told).any(|it| it == key), "{kind}: {key} is missing");
        }
    }
}

#[test]
fn every_cause_of_an_episode_is_named() {
    let page = page("docs/results.md");
    let (_, causes) = page.split_once("\nCauses are ").expect("a paragraph of causes");
    let told: BTreeSet<&str> = code(causes.split("\n\n").next().expect("a paragraph")).collect();
    // Who is slow or late breaks no session.
    let breaks = |cause: &&Cause| !matches!(cause, Cause::ServerOverload | Cause::ServerLateReply);
    let causes = Cause::ALL.iter().filter(breaks).map(|cause| cause.name());
    assert_eq!(told, causes.collect());
}

#[test]
fn the_page_of_strategy_files_has_every_key_and_every_named_value() {
    let words = schema("strategy");
    assert!(words.contains("first_beat") && words.contains("random-phase"), "{words:?}");
    assert_eq!(missing(&page("docs/strategies.md"), &words), Vec::<&String>::new());
}

#[test]
fn the_page_of_sweeps_has_every_key_of_a_plan_file() {
    let words = schema("sweep");
    assert!(words.contains("log_steps") && words.contains("strategies"), "{words:?}");
    assert_eq!(missing(&page("docs/sweeps.md"), &words), Vec::<&String>::new());
}

/// Holds what stands on a page between the marks of `name` to what is made from the program itself. After a change to that,
/// `cargo xtask bless docs` writes it anew.
fn check_made(file: &str, name: &str, made: &str) {
    let page = page(file);
    let (begin, end) = (format!("<!-- {name}: made by tests/docs/main.rs -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).expect("the begin of what is made");
    let (_, after) = rest.split_once(&end).expect("the end of what is made");
    assert_committed(file, &format!("{before}{begin}{made}{end}{after}"));
}

#[test]
fn the_citation_names_the_version_that_is_here() {
    let citation = page("CITATION.cff");
    let line = citation.lines().find_map(|line| line.strip_prefix("version: "));
    assert_eq!(line, Some(env!("CARGO_PKG_VERSION")));
    assert!(page("CHANGELOG.md").contains("CITATION.cff"));
}

#[test]
fn the_table_of_presets_and_their_parts_is_current() {
    check_made("docs/policies.md", "presets", &parts::tables());
}

#[test]
fn the_page_of_conformance_is_current() {
    check_made("docs/conformance.md", "conformance", &parts::conformance());
    check_made("docs/conformance.md", "methods", &parts::methods());
}

#[test]
fn the_tables_of_columns_and_of_the_metrics_made_from_them_are_current() {
    // One after another, since the tables of a page are written anew into the same file.
    check_made("docs/results.md", RunColumn::FILE, &columns::<RunColumn>());
    check_made("docs/results.md", EpisodeColumn::FILE, &columns::<EpisodeColumn>());
    check_made("docs/results.md", SeriesColumn::FILE, &columns::<SeriesColumn>());
    check_made("docs/ci.md", "metrics", &metrics());
}

fn columns<C: Column>() -> String {
    let rows = C::ALL.iter().map(|it| format!("| `{}` | {} | {} |\n", it.name(), it.unit(), it.meaning()));
    format!("| Column | Unit | Meaning |\n|---|---|---|\n{}", rows.collect::<String>())
}

fn metrics() -> String {
    let rows = Metric::ALL.iter().map(|it| {
        let Band { relative, absolute } = it.default_band();
        let near_zero = format!("{absolute} {}", it.unit());
        format!("| `{}` | {} | {} % | {} |\n", it.name(), it.formula(), 100.0 * relative, near_zero.trim_end())
    });
    let head =
        "| Metric | From the columns of [`runs.csv`](results.md) | Allowed | Allowed near zero |\n|---|---|---|---|\n";
    format!("{head}{}", rows.collect::<String>())
}

#[test]
fn the_classes_of_nats_are_told_with_their_three_choices() {
    let at_expiry = |class: NatClass| match class.at_expiry() {
        AtExpiry::Nothing => "",
        AtExpiry::ResetBoth => "RST to both ends",
        AtExpiry::FinInside => "FIN to the inside",
    };
    let from_inside = |class: NatClass| match class.from_inside() {
        FromInside::Drop => "is dropped",
        FromInside::Reset => "draws RST",
        FromInside::SamePort => "maps again to the same port",
        FromInside::NewPort => "maps to a random port",
    };
    let from_outside = |class: NatClass| match class.from_outside() {
        FromOutside::Drop => "is dropped",
        FromOutside::Reset => "draws RST",
    };
    let name = |class: &NatClass| serde_json::to_value(class).unwrap().as_str().expect("a name").to_owned();
    let page_of_nats = page("docs/model/nat.md");
    let rows: Vec<Vec<&str>> = rows(&page_of_nats, "## After the end of a mapping").collect();
    assert_eq!(rows.len(), NatClass::ALL.len());
    for (class, row) in NatClass::ALL.iter().zip(&rows) {
        let of = name(class);
        assert_eq!(row[0], format!("`{of}`"));
        assert_eq!(row[1], at_expiry(*class), "{of}");
        assert!(row[2].starts_with(from_inside(*class)), "{of}: {}", row[2]);
        assert!(row[3].starts_with(from_outside(*class)), "{of}: {}", row[3]);
    }
    let page_of_scenarios = page("docs/scenarios.md");
    let (_, classes) = page_of_scenarios.split_once("\nClasses: ").expect("a list of classes");
    let told: Vec<&str> = code(classes.split_once("; [model/nat.md]").expect("the list's end").0).collect();
    assert_eq!(told, NatClass::ALL.iter().map(name).collect::<Vec<_>>());
}

#[test]
fn the_table_of_scenarios_is_the_library_in_its_order() {
    let page = page("docs/scenarios.md");
    let told: Vec<&str> = first_cells(&page, "## The built-in scenarios").flat_map(code).collect();
    assert_eq!(told, library::names().collect::<Vec<_>>());
}

/// Examples that are a part of a scenario are put below what they leave out.
#[test]
fn every_example_is_valid() {
    const REST: &str = "name = \"part\"\nstrategies = [\"none\"]\nduration = \"6h\"\ncore = \"backbone\"\n";
    let place = place!();
    for name in ["README.md", "docs/scenarios.md", "docs/strategies.md", "docs/policies.md"] {
        let page = page(name);
        let examples = page.split("\n```toml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or(rest));
        for example in examples {
            let own = example.strip_prefix("name = \"").and_then(|rest| rest.split('"').next());
            let access = if example.starts_with("[access]") { "" } else { "access = \"lte-near\"\n" };
            let file = format!("{}.toml", own.unwrap_or("part"));
            place.write(&file, if own.is_some() { example.into() } else { [REST, access, example].concat() });
            place.cardiogram(&format!("check {file}")).good();
        }
    }
}

/// A guide's code is its example's: each part of it stands in the file that was linked last before it. Returns how many parts
/// there are.
fn check_guide(guide: &str) -> usize {
    let guide = page(guide);
    let mut parts = 0;
    let mut file = String::new();
    for (place, text) in guide.split("\n```").enumerate() {
        if place % 2 == 0 {
            let links = text.split("](../").skip(1).filter_map(|rest| rest.split(')').next());
            if let Some(target) = links.filter(|target| root().join(target).is_file()).last() {
                file = page(target);
            }
        } else if let Some(code) = text.strip_prefix("rust\n").or_else(|| text.strip_prefix("toml\n")) {
            assert!(format!("\n{file}").contains(&format!("\n{code}\n")), "the example has no such lines:\n{code}");
            parts += 1;
        }
    }
    parts
}

#[test]
fn the_guide_to_own_policies_shows_the_code_of_the_example() {
    let parts = check_guide("docs/own-policy.md");
    assert!(parts >= 10, "{parts}");
}

#[test]
fn the_page_on_real_clients_shows_the_code_of_the_example() {
    assert_eq!(check_guide("docs/real-clients.md"), 7);
}

/// Returns the name that a heading has in links, as on GitHub.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(|c: char| !(c.is_alphanumeric() || " -_".contains(c)), "");
    kept.replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let folders = ["", "docs", "docs/model"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let pages: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    assert!(pages.len() > 10, "{pages:?}");
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(file) };
            assert!(file.exists(), "{}: {target}", path.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&file).unwrap();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
                assert!(anchors.any(|it| it == heading), "{}: {target}", path.display());
            }
        }
    }
}

/// Returns what stands in square brackets and is no link: keys of sources, as `[yuan]`.
fn citations(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    let is_key =
        |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    after.filter(move |(key, rest)| is_key(key) && !rest.starts_with('(')).map(|(key, _)| key)
}

#[test]
fn every_source_that_is_cited_is_in_the_bibliography() {
    let bibliography = page("docs/bibliography.md");
    let keys: BTreeSet<&str> = bibliography.split("| `[").skip(1).filter_map(|rest| rest.split(']').next()).collect();
    assert!(keys.len() > 10 && keys.contains("yuan"), "{keys:?}");
    let scenarios = library::names().map(|name| load::scenario(name).expect("a built-in scenario").value.source);
    let mut sources: Vec<String> = scenarios.chain(preset::all().iter().map(|preset| preset.spec().source)).collect();
    sources.extend(["docs/model.md", "docs/model/device.md", "docs/model/server.md"].map(page));
    let unknown: BTreeSet<&str> =
        sources.iter().flat_map(|source| citations(source)).filter(|key| !keys.contains(key)).collect();
    assert_eq!(unknown, BTreeSet::new());
}
