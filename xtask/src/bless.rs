//! The committed files that the code makes, and how each is made anew. A test compares each of them with what the code
//! makes (`tests/kit/src/committed.rs`); with [`VARIABLE`] set, it writes the file instead.

use crate::cargo;

/// Read by `tests/kit/src/committed.rs` and nowhere else.
const VARIABLE: &str = "CARDIOGRAM_BLESS";

struct Blessed {
    name: &'static str,
    about: &'static str,
    how: How,
}

enum How {
    /// By these tests of the root package, wherever they are.
    Tests(&'static [&'static str]),
    /// By this command, which takes minutes: only when it is asked for.
    Cargo(&'static [&'static str]),
}

const ALL: [Blessed; 5] = [
    Blessed {
        name: "golden",
        about: "trace hashes of the built-in scenarios (tests/golden/hashes.txt); CONTRIBUTING.md says when they may change",
        how: How::Tests(&["every_built_in_scenario_runs_as_it_did"]),
    },
    Blessed {
        name: "docs",
        about: "what the code makes in docs/: presets, their conformance, columns, metrics, findings",
        how: How::Tests(&[
            "the_table_of_presets_and_their_parts_is_current",
            "the_page_of_conformance_is_current",
            "the_page_of_findings_is_current",
            "the_tables_of_columns_and_of_the_metrics_made_from_them_are_current",
        ]),
    },
    Blessed {
        name: "search-costs",
        about: "what searches cost (docs/search-costs.md)",
        how: How::Tests(&["the_committed_table_is_what_the_searches_cost"]),
    },
    Blessed {
        name: "schema",
        about: "JSON Schemas of scenario, strategy and sweep files (scenarios/schema/)",
        how: How::Tests(&["the_committed_schemas_are_those_that_are_printed"]),
    },
    Blessed {
        name: "findings",
        about: "presets held to claims (tests/findings/): many minutes, in a release build; `docs` makes a page of it",
        how: How::Cargo(&["run", "--release", "--locked", "--example", "findings"]),
    },
];

/// Returns what can be written anew, one line each.
pub(crate) fn list() -> String {
    let lines: Vec<_> = ALL.iter().map(|it| format!("{:14}{}", it.name, it.about)).collect();
    lines.join("\n")
}

/// Writes these files anew; without names, those that tests write.
pub(crate) fn bless(names: &[&str]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|name| ALL.iter().all(|it| it.name != **name)) {
        return Err(format!("`{unknown}` is not among\n{}", list()));
    }
    let mut tests: Vec<&str> = Vec::new();
    for it in &ALL {
        match it.how {
            How::Tests(of) if names.is_empty() || names.contains(&it.name) => tests.extend(of),
            How::Cargo(arguments) if names.contains(&it.name) => succeeds(&mut cargo(arguments))?,
            How::Tests(_) | How::Cargo(_) => {}
        }
    }
    if tests.is_empty() {
        return Ok(());
    }
    let arguments = ["test", "--quiet", "--locked", "--package", "cardiogram", "--tests", "--"];
    succeeds(cargo(&arguments).args(tests).env(VARIABLE, "1"))
}

fn succeeds(command: &mut std::process::Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|it| it == "rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_test_that_blesses_is_there() {
        let mut text = String::new();
        sources(&crate::root().join("tests"), &mut text);
        for it in &ALL {
            if let How::Tests(tests) = it.how {
                let gone: Vec<_> = tests.iter().filter(|test| !text.contains(&format!("fn {test}()"))).collect();
                assert!(gone.is_empty(), "{gone:?}");
            }
        }
        assert!(text.contains(&format!("\"{VARIABLE}\"")));
    }
}
