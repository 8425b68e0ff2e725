//! The CSV file that `traffic.trace` of a scenario names. It is read where the scenario is, and its rows take the place of its name
//! in the text: so the text says all that is run, and results, shards and reports need the file no more.

use std::{ops::Range, path::Path};

use cardiogram_policies::Problem;
use cardiogram_sim::config::TrafficTrace;
use toml::de::{DeTable, DeValue};

use crate::{
    diagnostic::Invalid,
    document,
    load::{self, LoadError},
};

/// Returns the text of a scenario with the rows of its trace in place of the file's name, which starts from `folder`; `name` is
/// what messages call the scenario.
pub(crate) fn inlined(name: &str, folder: Option<&Path>, mut text: String) -> Result<String, LoadError> {
    let Some((span, file)) = named(&text) else { return Ok(text) };
    let path = folder.map_or_else(|| file.clone().into(), |folder| folder.join(&file));
    let invalid = |message: String, help: &str| {
        let problem = Problem::new("traffic.trace", message, help);
        LoadError::from(Invalid::new(name, &text, vec![document::place(&text, problem)]))
    };
    let help = "name a CSV file by its path from the scenario's file";
    let rows = load::read(&path).map_err(|error| invalid(error.to_string(), help))?;
    let trace = TrafficTrace::parse(&rows).map_err(|(line, message)| {
        invalid(format!("{file}:{line}: {message}"), "a row is a time, a direction, bytes")
    })?;
    // Rows are digits, commas and words: nothing but the ends of lines has to be escaped.
    text.replace_range(span, &format!("\"{}\"", trace.to_string().replace('\n', "\\n")));
    Ok(text)
}

/// Returns the place and the value of `traffic.trace`, where it is the name of a file.
fn named(text: &str) -> Option<(Range<usize>, String)> {
    let tree = DeTable::parse(text).ok()?;
    let DeValue::Table(traffic) = tree.get_ref().get("traffic")?.get_ref() else { return None };
    let trace = traffic.get("trace")?;
    let DeValue::String(file) = trace.get_ref() else { return None };
    (!file.contains('\n')).then(|| (trace.span(), file.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SCENARIO: &str = "name = \"traced\"\nstrategies = [\"none\"]\nduration = \"1h\"\naccess = \"wifi\"\ncore = \"backbone\"\n\
                            [traffic]\ntrace = \"office.csv\" # recorded\n";

    fn with(rows: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("traced.toml");
        fs::write(&path, SCENARIO).unwrap();
        fs::write(dir.path().join("office.csv"), rows).unwrap();
        (dir, path)
    }

    #[test]
    fn a_trace_is_read_beside_its_scenario_and_stands_in_the_text_from_then_on() {
        let (dir, path) = with("time_s,direction,bytes\n1.5,up,200\n2,down,300\n");
        let scenario = load::scenario_file(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(scenario.value.traffic.trace.as_ref().unwrap().rows().len(), 2);
        drop(dir);
        let again = load::parse_scenario("again", &scenario.text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again, scenario.value);
        assert!(scenario.text.ends_with("# recorded\n"), "{}", scenario.text);
    }

    #[test]
    fn what_is_wrong_with_a_trace_is_told_with_both_places() {
        let (_dir, path) = with("time_s,direction,bytes\n1.5,up,200\n1,down,300\n");
        let error = load::scenario_file(&path).unwrap_err().to_string();
        assert!(error.contains("office.csv:3: it comes before the row above"), "{error}");
        assert!(error.contains("traced.toml:7:9"), "{error}");
        fs::remove_file(path.with_file_name("office.csv")).unwrap();
        let error = load::scenario_file(&path).unwrap_err().to_string();
        assert!(error.contains("cannot read") && error.contains("traced.toml:7:9"), "{error}");
        let error = load::parse_scenario("text", SCENARIO).unwrap_err().to_string();
        assert!(error.contains("a file's name"), "{error}");
    }
}
