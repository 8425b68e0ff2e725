//! Changes that a gate once let pass, and results that cannot be: each is refused or fails.

use std::fs;

use insta::assert_snapshot;
use kit::{place, place::Place};

const MINUTE: &str =
    "name = \"app\"\nabout = \"A heartbeat a minute.\"\n\n[heartbeat.fixed]\ninterval = \"60s\"\ntimeout = \"10s\"\n";

/// Results of the strategy in a scenario and their baseline.
fn place_of(scenario: &str, seeds: u32) -> Place {
    let place = place!();
    run(&place, scenario, MINUTE, seeds, "then");
    place.cardiogram("baseline then --out baseline.json -q").good();
    place
}

fn run(place: &Place, scenario: &str, strategy: &str, seeds: u32, out: &str) {
    place.write("app.toml", strategy);
    place
        .cardiogram(&format!(
            "run {scenario} --strategy app.toml --seeds {seeds} --engine event --out {out} --force -q"
        ))
        .good();
}

#[test]
fn a_client_that_gives_up_for_good_fails() {
    let place = place_of("server-crash", 10);
    run(&place, "server-crash", &format!("{MINUTE}\n[reconnect_rules.give_up]\nattempts = 4\n"), 10, "now");
    for arguments in ["", "--allow-undecided"] {
        let done = place.cardiogram(&format!("gate now --baseline baseline.json {arguments}"));
        assert_eq!(done.code, Some(1), "{}", done.out);
        assert!(done.out.contains("avoidable_s_per_day"), "{}", done.out);
        assert!(done.out.contains("  server-crash, app: "), "{}", done.out);
    }
}

#[test]
fn a_heartbeat_that_is_hardly_there_is_refused_with_few_seeds_and_fails_with_five() {
    let slow = MINUTE.replace("60s", "45m");
    for seeds in [1, 2, 3] {
        let place = place_of("silent-nat", seeds);
        run(&place, "silent-nat", &slow, seeds, "now");
        let message = place.cardiogram("gate now --baseline baseline.json --junit x.xml").failed(2);
        assert!(
            message.contains(&format!("5 seeds are needed to tell a change from chance, and there are {seeds}")),
            "{message}"
        );
        assert!(!place.path("x.xml").exists());
    }
    let place = place_of("silent-nat", 5);
    run(&place, "silent-nat", &slow, 5, "now");
    let done = place.cardiogram("gate now --baseline baseline.json");
    assert_eq!(done.code, Some(1), "{}", done.out);
}

/// Writes a value into a column of the row of a seed, or of every row.
fn set(place: &Place, seed: Option<u32>, column: &str, value: &str) {
    place.unseal("now");
    let path = place.path("now/runs.csv");
    let text = fs::read_to_string(&path).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let at = header.split(',').position(|name| name == column).unwrap();
    let rows = rows.lines().map(|row| {
        let mut fields: Vec<&str> = row.split(',').collect();
        if seed.is_none_or(|seed| fields[2] == seed.to_string()) {
            fields[at] = value;
        }
        fields.join(",") + "\n"
    });
    fs::write(&path, format!("{header}\n{}", rows.collect::<String>())).unwrap();
}

#[test]
fn a_value_that_is_gone_fails_and_passes_visibly_where_that_is_allowed() {
    let place = place_of("server-crash", 5);
    run(&place, "server-crash", MINUTE, 5, "now");
    set(&place, None, "recover_mean_s", "");
    let files = "--summary gate.md --junit gate.xml";
    let done = place.cardiogram(&format!("gate now --baseline baseline.json {files}"));
    assert_eq!(done.code, Some(1));
    assert_snapshot!(done.err, @r#"
    error: 1 of the metrics are undecided: worse than baseline.json or gone, and hardly by chance
      = help: run more seeds on both sides; if the change is meant, write the baseline anew in the same commit; `--allow-undecided` lets it pass, and tells it
    "#);
    let done = place.cardiogram(&format!("gate now --baseline baseline.json --allow-undecided {files}"));
    assert_eq!(done.code, Some(0));
    assert!(done.out.ends_with("\n1 undecided, let through by --allow-undecided.\n"), "{}", done.out);
    let summary = fs::read_to_string(place.path("gate.md")).unwrap();
    assert!(summary.contains("**1 undecided, let through by `--allow-undecided`.**"), "{summary}");
    let junit = fs::read_to_string(place.path("gate.xml")).unwrap();
    assert!(
        junit.contains("skipped=\"1\"")
            && junit.contains("<skipped message=\"undecided, and allowed to pass: recover_mean_s gone\"/>"),
        "{junit}"
    );
    place.cardiogram("gate now --baseline baseline.json --allow-undecided --strict").failed(2);
}

#[test]
fn rows_that_cannot_be_are_refused_with_their_line() {
    let place = place_of("server-crash", 5);
    let cases = [
        ("availability", "2"),
        ("detected", "4000000"),
        ("pushes_delivered", "10000000"),
        ("device_hours", "0"),
        ("device_hours", "24000"),
        ("trace_hash", "none"),
        ("unnoticed_s", "5000000"),
    ];
    let messages = cases.map(|(column, value)| {
        run(&place, "server-crash", MINUTE, 5, "now");
        set(&place, Some(3), column, value);
        place.cardiogram("gate now --baseline baseline.json").failed(2)
    });
    assert_snapshot!(messages.concat(), @r#"
    error: now/runs.csv: line 4: `availability` is 2; a share is at most 1
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: now/runs.csv: line 4: `detected` is 4000000, more than `episodes`, which is 36
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: now/runs.csv: line 4: `pushes_delivered` is 10000000, more than `pushes_created`, which is 267
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: now/runs.csv: line 4: `device_hours` is 0; a run is longer than zero
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: now/runs.csv: line 4: `device_hours` is 24000; all devices of the scenario have 72 together
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: now/runs.csv: line 4: `trace_hash` is `none`; it should be a hash: 32 hexadecimal digits
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: now/runs.csv: line 4: `downtime_s` is 699.231087; `unavoidable_s`, `unnoticed_s`, `waiting_s`, `connecting_s` are 5000699.231087 together
      = help: run again: the file was changed or cut short, or the files are of different runs
    "#);
    let text = fs::read_to_string(place.path("baseline.json")).unwrap();
    let (head, _) = text.split_once("\"metrics\":{").unwrap();
    place.write("empty.json", format!("{head}\"metrics\":{{\n}}}}\n]\n}}\n"));
    assert_snapshot!(place.cardiogram("gate now --baseline empty.json").failed(2), @r#"
    error: empty.json: line 14: scenario `server-crash`, strategy `app`: it has no metrics
      = help: restore it from version control, or write it anew with `cardiogram baseline DIR --out FILE`
    "#);
}
