//! `examples/pandas`: what its script says of wrong arguments, and, where pandas is installed, that script and notebook run on
//! results of today.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use insta::assert_snapshot;
use kit::{place, place::Place};

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pandas").join(file)
}

/// Runs Python in a place; `None`, with a notice, where there is none.
fn python(place: &Place, arguments: &[&str]) -> Option<Output> {
    let run = Command::new("python3").args(arguments).current_dir(place.path("")).output();
    run.map_err(|error| eprintln!("skipped: python3: {error}")).ok()
}

/// Returns whether Python has what the example needs; a notice where it has not.
fn has_pandas(place: &Place) -> bool {
    let has = python(place, &["-c", "import matplotlib, pandas"]).is_some_and(|done| done.status.success());
    if !has {
        eprintln!("skipped: python3 has no pandas and matplotlib");
    }
    has
}

fn headline(place: &Place, arguments: &str) -> Option<Output> {
    let script = example("headline.py");
    let arguments: Vec<&str> = [script.to_str().unwrap()].into_iter().chain(arguments.split_whitespace()).collect();
    python(place, &arguments)
}

#[test]
fn a_wrong_argument_is_told_in_a_line_without_a_traceback() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 2 --engine event --out out -q").good();
    let said = |arguments: &str| {
        let done = headline(&place, arguments)?;
        let message = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{message}");
        assert!(!message.contains("Traceback"), "{message}");
        Some(message.lines().last().unwrap_or_default().to_owned())
    };
    let Some(no_arguments) = said("") else { return };
    assert_snapshot!(no_arguments, @"headline.py: error: the following arguments are required: results, scenario, picture");
    assert_snapshot!(said("nowhere small x.png").unwrap(), @"headline.py: error: nowhere/report/summary.csv: No such file or directory; `cardiogram report nowhere` writes it");
    assert_snapshot!(said("out smal x.png").unwrap(), @"headline.py: error: out/report/summary.csv has no scenario `smal`; it has small");
    assert_snapshot!(said("out small x.jpg").unwrap(), @"headline.py: error: the name `x.jpg` says no kind of picture; end it in .pdf, .png, .svg");
    assert_snapshot!(said("out small nowhere/x.png").unwrap(), @"headline.py: error: there is no folder nowhere to write x.png to");
    fs::write(place.path("out/report/summary.csv"), [0xff, 0xfe, b'\n', 0xff]).unwrap();
    assert_snapshot!(said("out small x.png").unwrap(), @"headline.py: error: out/report/summary.csv is no text; `cardiogram report out` writes it anew");
}

#[test]
fn the_script_and_the_notebook_run_on_results_of_today() {
    let place = place!();
    if !has_pandas(&place) {
        return;
    }
    place.cardiogram("run nat-reboot --seeds 2 --engine event --out cardiogram-out -q").good();
    let done = headline(&place, "cardiogram-out nat-reboot headline.png").unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let table = String::from_utf8(done.stdout).unwrap();
    assert!(table.contains("avoidable_s_per_day") && table.contains("wechat-270"), "{table}");
    assert!(fs::read(place.path("headline.png")).unwrap().starts_with(b"\x89PNG"));

    let text = fs::read_to_string(example("results.ipynb")).unwrap();
    assert!(text.len() < 100_000, "the outputs are small");
    let notebook: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut code = String::from("import matplotlib\nmatplotlib.use('Agg')\n");
    for cell in notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code") {
        assert_ne!(cell["outputs"], serde_json::json!([]), "every cell was run");
        code.extend(cell["source"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()));
        code.push('\n');
    }
    place.write("notebook.py", code);
    let done = python(&place, &["notebook.py"]).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains(" breaks that both noticed: "));
}
