//! The command line with this package's policies in it, end to end.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Runs the binary in the package's folder.
fn own_policy(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_own-policy"));
    command.args(arguments.split_whitespace()).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
}

#[track_caller]
fn good(arguments: &str) -> String {
    let output = own_policy(arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command that refuses its input.
#[track_caller]
fn refused(arguments: &str) -> String {
    let output = own_policy(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder for the results of one test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The columns of that name of `runs.csv`, for the rows that `wanted` picks by scenario and strategy.
fn column(results: &Path, name: &str, wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let text = fs::read_to_string(results.join("runs.csv")).unwrap();
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let place = header.iter().position(|it| *it == name).unwrap();
    rows.filter(|row| wanted(row[0], row[1])).map(|row| row[place].to_owned()).collect()
}

#[test]
fn the_strategy_is_compared_in_built_in_scenarios_and_in_our_own() {
    let out = folder("compared");
    // The default engine runs the first seed on both engines, and fails where they disagree: a policy that looked at
    // anything but its events would be found out here.
    let table = good(&format!("run silent-nat scenarios/pocket.toml --seeds 2 --out {}", out.display()));
    assert!(table.contains("two-speed"), "{table}");
    for scenario in ["silent-nat", "pocket"] {
        assert_eq!(column(&out, "seed", |s, strategy| s == scenario && strategy == "two-speed"), ["1", "2"]);
        assert_eq!(column(&out, "seed", |s, strategy| s == scenario && strategy == "wechat-270"), ["1", "2"]);
    }
    for file in ["episodes.csv", "report/index.html", "report/plots/pocket.svg", "report/plots/pocket.png"] {
        assert!(out.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    // The results say what they are the results of, our parameters included.
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    assert!(manifest.contains("[heartbeat.custom.two-speed]") && manifest.contains("[reconnect.custom.fibonacci]"));
}

#[test]
fn it_keeps_its_promises() {
    let out = folder("promises");
    good(&format!("run scenarios/pocket.toml --strategy two-speed --seeds 5 -q --out {}", out.join("cut").display()));
    let slowest: Vec<f64> =
        column(&out.join("cut"), "detect_max_s", |_, _| true).iter().map(|seconds| seconds.parse().unwrap()).collect();
    assert_eq!(slowest.len(), 5);
    assert!(slowest.iter().all(|seconds| *seconds <= 280.0), "{slowest:?}");

    // The same phones on a link that is never cut.
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/pocket.toml")).unwrap();
    let (healthy, _) = text.split_once("[[faults]]").unwrap();
    let scenario = out.join("healthy.toml");
    fs::write(&scenario, healthy).unwrap();
    let (scenario, results) = (scenario.display(), out.join("healthy"));
    good(&format!("run {scenario} --strategy two-speed --seeds 5 -q --out {}", results.display()));
    assert_eq!(column(&results, "false_alarms", |_, _| true), ["0"; 5]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_shards_join() {
    let out = folder("same");
    let run = |name: &str, more: &str| {
        good(&format!("run scenarios/pocket.toml --seeds 2 -q --out {} {more}", out.join(name).display()));
    };
    run("whole", "--jobs 1");
    run("one", "--shard 1/2");
    run("two", "--shard 2/2");
    let path = |name: &str| out.join(name).display().to_string();
    good(&format!("merge {} {} -q --out {}", path("one"), path("two"), path("merged")));
    for file in ["runs.csv", "episodes.csv", "manifest.json"] {
        let read = |name: &str| fs::read(out.join(name).join(file)).unwrap();
        assert!(read("whole") == read("merged"), "{file}");
    }
}

#[test]
fn the_strategy_stands_in_the_list_and_is_shown_in_full() {
    let list = good("list strategies");
    assert!(list.contains("\nstrategies without a family:\ntwo-speed "), "{list}");
    let shown = good("show two-speed --scenario scenarios/pocket.toml");
    for words in [
        "[heartbeat.custom.two-speed]\n",
        // A parameter that the file left to its default.
        "lively = \"1m\"\n",
        "# Heartbeat: Sends a heartbeat every 10s for 1m after",
        "# A permanent break is noticed within             4m40s\n",
        "# A connection on a healthy path is given up      never\n",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // What is shown is a strategy file.
    let file = folder("shown").join("shown.toml");
    fs::write(&file, shown).unwrap();
    good(&format!("check {}", file.display()));
}

#[test]
fn mistakes_in_our_parameters_are_shown_like_all_others() {
    let file = folder("mistakes").join("mistakes.toml");
    let message = |lines: &str| {
        fs::write(&file, format!("name = \"mistakes\"\n{lines}\n")).unwrap();
        refused(&format!("check {}", file.display()))
    };
    let unknown = message("heartbeat.custom.two-sped = {}");
    assert!(unknown.contains("no heartbeat policy is registered as `two-sped`"), "{unknown}");
    assert!(unknown.contains("did you mean `two-speed`?"), "{unknown}");
    let slip = message("heartbeat.custom.two-speed = { fats = \"5s\" }");
    assert!(slip.contains("mistakes.toml:2:32") && slip.contains("did you mean `fast`?"), "{slip}");
    let contradiction = message("heartbeat.custom.two-speed = { fast = \"5s\" }");
    assert!(contradiction.contains("a timeout of 10s is longer than the 5s to the next heartbeat"), "{contradiction}");
}
