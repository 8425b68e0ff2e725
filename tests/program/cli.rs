//! Plans that are carried out, end to end: `run` and `report`, their exit codes, files and messages, and what an interruption leaves.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use insta::assert_snapshot;
use kit::{
    place,
    place::{Done, Place, SCENARIO},
};

#[test]
fn a_run_writes_its_results_and_says_where() {
    let place = place!();
    let out = place.cardiogram("run small.toml --seeds 3").good();
    assert!(out.contains("netease-30-15"), "{out}");
    let report = out.lines().last().and_then(|line| line.strip_prefix("Report: ")).unwrap();
    assert!(report.starts_with("cardiogram-out/small-"), "{out}");
    assert!(place.path(report).is_file());
    let files = place.files("cardiogram-out/latest");
    for name in ["runs.csv", "episodes.csv", "series.csv", "manifest.json", "report/index.html"] {
        assert!(files.contains_key(Path::new(name)), "{name} is missing");
    }
    assert!(!place.path("cardiogram-out/latest/.cardiogram/journal").exists(), "a complete run needs no journal");
    let runs = String::from_utf8_lossy(&files[Path::new("runs.csv")]);
    assert_eq!(runs.lines().count(), 1 + 2 * 3);
}

#[test]
fn a_built_in_scenario_runs_by_name_and_quietly() {
    let place = place!();
    let out = place.cardiogram("run server-crash --strategy wechat-270 --seeds 1 --out here --quiet").good();
    assert_eq!(out, "");
    assert_eq!(place.names(), ["here", "small.toml"]);
}

#[test]
fn threads_and_processes_do_not_show_in_the_results() {
    let place = place!();
    place.cardiogram("run small.toml elevator --strategy weibo-120 --seeds 4 --jobs 1 --out one -q").good();
    place.cardiogram("run small.toml elevator --strategy weibo-120 --seeds 4 --jobs 4 --out four -q").good();
    assert!(place.files("one") == place.files("four"));
}

#[test]
fn engines_come_to_the_same_results() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 2 --engine event --out event -q").good();
    place.cardiogram("run small.toml --seeds 2 --engine turmoil --out turmoil -q").good();
    let turmoil: Vec<String> = place.rows("turmoil").iter().map(|row| row.replace(",turmoil,", ",event,")).collect();
    assert_eq!(place.rows("event"), turmoil);
}

#[test]
fn another_strategy_changes_no_row_of_the_others() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 3 --strategy weibo-120 --out few -q").good();
    place.cardiogram("run small.toml --seeds 3 --strategy none --strategy weibo-120 --out more -q").good();
    let kept: Vec<String> = place.rows("more").into_iter().filter(|row| !row.contains(",none,")).collect();
    assert_eq!(place.rows("few"), kept);
}

#[test]
fn a_former_name_is_read_and_show_says_so() {
    let place = place!();
    let shown = place.cardiogram("show oracle").good();
    assert!(
        shown.starts_with("# Formerly `oracle`, a name that is still read. It knows")
            && shown.contains("\nname = \"known-nat-timeout\"\n"),
        "{shown}"
    );
    assert_eq!(place.cardiogram("show known-nat-timeout").good(), shown);
    place.write("former.toml", "name = \"former\"\nheartbeat = { oracle = { misses = 2 } }\n");
    place.cardiogram("run small.toml --seeds 1 --strategy oracle --strategy former.toml --out out -q").good();
    let rows = place.rows("out");
    assert!(
        rows.iter().any(|row| row.contains(",known-nat-timeout,")) && rows.iter().any(|row| row.contains(",former,"))
    );
    assert!(place.cardiogram("show former.toml").good().contains("[heartbeat.known-nat-timeout]"));
}

#[test]
fn a_report_compares_with_the_reference_that_the_scenario_names() {
    let place = place!();
    place.write("named.toml", SCENARIO.replace("duration =", "reference = \"netease-30-15\"\nduration ="));
    place.cardiogram("run named.toml --seeds 3 --engine event --out named -q").good();
    let manifest = fs::read_to_string(place.path("named/manifest.json")).unwrap();
    assert!(manifest.contains("\"reference\": \"netease-30-15\""), "{manifest}");
    let page = fs::read_to_string(place.path("named/report/scenarios/small.html")).unwrap();
    assert!(page.contains("Against <strong>netease-30-15</strong>, which the scenario names, "), "{page}");
    // Whoever makes the report has the last word.
    place.cardiogram("report named --reference qq-fixed-45 -q").good();
    let page = fs::read_to_string(place.path("named/report/scenarios/small.html")).unwrap();
    assert!(page.contains("Against <strong>qq-fixed-45</strong>, as asked for, "), "{page}");
}

#[test]
fn a_strategy_compared_with_itself_does_not_differ() {
    let place = place!();
    let text = place.cardiogram("show qq-fixed-45").good();
    place.write("twin.toml", text.replace("name = \"qq-fixed-45\"", "name = \"twin\""));
    place.cardiogram("run small.toml --seeds 3 --strategy qq-fixed-45 --strategy twin.toml -q").good();
    let of = |name: &str| -> Vec<String> {
        let name = format!(",{name},");
        let rows = place.rows("cardiogram-out/latest").into_iter().filter(|row| row.contains(&name));
        rows.map(|row| row.replace(&name, ",*,")).collect()
    };
    assert!(!of("twin").is_empty());
    assert_eq!(of("qq-fixed-45"), of("twin"));
}

#[test]
fn shards_together_are_the_whole() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 3 --out whole -q").good();
    let mut parts = Vec::new();
    for shard in ["1/2", "2/2"] {
        place.cardiogram(&format!("run small.toml --seeds 3 --out part -q --force --shard {shard}")).good();
        parts.extend(place.rows("part"));
    }
    let mut whole = place.rows("whole");
    whole.sort();
    parts.sort();
    assert_eq!(whole, parts);
}

/// Starts a run and waits until some of its cells are finished; it takes a while longer.
#[cfg(unix)]
fn begun(place: &Place) -> std::process::Child {
    let mut child = place
        .command("run healthy elevator --strategy netease-30-15 --seeds 30 --engine event --jobs 1 --out here")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let journal = place.path("here/.cardiogram/journal");
    while fs::read_to_string(&journal).unwrap_or_default().lines().count() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it was interrupted");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

/// Lets the run that `begun` began come to its end, and compares it with one that was never interrupted.
#[cfg(unix)]
fn goes_on(place: &Place) {
    let done =
        place.cardiogram("run healthy elevator --strategy netease-30-15 --seeds 30 --engine event --jobs 2 --out here");
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.err.starts_with("going on: "), "{}", done.err);
    place
        .cardiogram("run healthy elevator --strategy netease-30-15 --seeds 30 --engine event --out straight -q")
        .good();
    assert!(place.files("here") == place.files("straight"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_is_finished() {
    let place = place!();
    let child = begun(&place);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let done = Done::from(child.wait_with_output().unwrap());
    assert!(done.err.contains("; Ctrl-C again to end now\n"), "{}", done.err);
    assert!(done.err.contains("are kept in here; the same command goes on there"), "{}", done.err);
    done.failed(130);
    goes_on(&place);
}

#[test]
fn bad_input_touches_nothing() {
    let place = place!();
    place.write("bad.toml", SCENARIO.replace("90s", "90 parsecs").replace("devices.count", "devices.cuont"));
    let before = place.names();
    assert_snapshot!(place.cardiogram("run bad.toml").failed(2), @r#"
    error: unknown key `cuont`
     --> bad.toml:7:9
      |
    7 | devices.cuont = 2
      |         ^^^^^
      |
      = help: did you mean `count`? the keys here are: `count`, `start_within`, `tcp`, `on_waking`, `frames`

    error: `90 parsecs` is not a duration (unknown time unit "parsecs", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations))
      --> bad.toml:10:37
       |
    10 | cut = { when.every = "10m", lasts = "90 parsecs" }
       |                                     ^^^^^^^^^^^^
       |
       = help: write it as "90s", "4m30s", "24h" or "40ms"
    "#);
    assert_snapshot!(place.cardiogram("run silent-nta").failed(2), @r"
    error: there is no scenario named `silent-nta`
      = help: did you mean `silent-nat`? `cardiogram list scenarios` shows those built in, a file's path ends in `.toml`
    ");
    assert_snapshot!(place.cardiogram("run small.toml --strategy wechat").failed(2), @r"
    error: there is no strategy named `wechat`
      = help: did you mean `wechat-270`? `cardiogram list strategies` shows those built in, a file's path ends in `.toml`
    ");
    assert_snapshot!(place.cardiogram("run small.toml --seeds 0").failed(2), @"error: seeds are counted from --first-seed up: take at least one, and none above 18446744073709551615");
    assert_snapshot!(place.cardiogram("run small.toml --shard 3/2").failed(2), @r"
    error: invalid value '3/2' for '--shard <I/N>': `3/2` is not a shard; write I/N with I from 1 to N, as in 2/8, or auto or auto/N

    For more information, try '--help'.
    ");
    assert_eq!(place.names(), before);
}

#[test]
fn an_output_directory_that_cannot_be_written_leaves_earlier_results_alone() {
    let place = place!();
    assert_snapshot!(place.cardiogram("run small.toml --seeds 1 --out small.toml/below").failed(2), @r"
    error: cannot write to small.toml/below: Not a directory (os error 20)
      = help: what was there before is untouched
    ");
    place.cardiogram("run small.toml --seeds 1 --out here -q").good();
    let earlier = place.files("here");
    fs::create_dir(place.path("here/.cardiogram/journal")).unwrap();
    assert_snapshot!(place.cardiogram("run small.toml --seeds 2 --out here").failed(2), @r"
    error: here/.cardiogram/journal is in the way: something of this name is to be written there
      = help: move it away, or name another directory: nothing was written
    ");
    assert!(place.files("here") == earlier);
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_that_keeps_earlier_results_and_what_is_finished() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 1 --out here -q").good();
    let earlier = place.files("here");
    // Files may grow to 256 blocks and no further, as if the disk were full then.
    let command = format!(
        "trap '' XFSZ; ulimit -f 256; exec {} run small.toml --seeds 40 --out here --force",
        env!("CARGO_BIN_EXE_cardiogram")
    );
    let mut shell = Command::new("sh");
    let error = Done::from(shell.args(["-c", &command]).current_dir(place.path("")).output().unwrap()).failed(2);
    assert!(error.starts_with("error: cannot write to here: "), "{error}");
    assert!(place.files("here") == earlier);
    assert!(
        place.cardiogram("run small.toml --seeds 40 --out here").err.starts_with("going on: "),
        "what is finished is kept"
    );
}

#[test]
fn a_family_stands_for_its_members_on_a_command_line_and_in_a_scenario() {
    let place = place!();
    let names = |manifest: &str| {
        let manifest: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(place.path(manifest)).unwrap()).unwrap();
        let strategies = manifest["strategies"].as_array().unwrap().clone();
        strategies.iter().map(|it| (it["name"].clone(), it["family"].clone())).collect::<Vec<_>>()
    };
    place.cardiogram("run small.toml --seeds 1 --quiet --strategy tcp/* --out a").good();
    let of_tcp = names("a/manifest.json");
    assert!(of_tcp.len() >= 4 && of_tcp.iter().all(|(_, family)| family == "tcp"), "{of_tcp:?}");
    place.write(
        "family.toml",
        SCENARIO
            .replace("name = \"small\"", "name = \"family\"")
            .replace("[\"qq-fixed-45\", \"netease-30-15\"]", "[\"tcp/*\"]"),
    );
    place.cardiogram("run family.toml --seeds 1 --quiet --out b").good();
    assert_eq!(names("b/manifest.json"), of_tcp);
    let refused = place.cardiogram("run small.toml --strategy mqt/*").failed(2);
    assert!(refused.contains("no family named `mqt`") && refused.contains("did you mean `mqtt`?"), "{refused}");
}

#[test]
fn who_cannot_live_is_warned_of_and_runs() {
    let place = place!();
    let deaf = "name = \"deaf\"\n[heartbeat.composed]\nschedule = \"peer-sends\"\n\
                judge.silence = { limit = \"30s\", fed_by = \"pings\" }\n";
    place.write("deaf.toml", deaf);
    let told = "warning: a healthy connection cannot live: the client gives it up after 30s";
    assert!(place.cardiogram("check deaf.toml").err.starts_with(told));
    let run = place.cardiogram("run small.toml --seeds 1 --strategy deaf.toml --out deaf");
    assert!(run.err.contains(told), "{}", run.err);
    assert!(fs::read_to_string(place.path("deaf/manifest.json")).unwrap().contains("a healthy connection cannot live"));
    place.write(
        "called.toml",
        "name = \"called\"\nheartbeat.leave-when-quiet = { after = \"3m\" }\nreconnect.on-call = {}\n",
    );
    let alone = place.cardiogram("check called.toml").err;
    assert!(alone.contains("in a scenario without `wakeup` and `traffic.up` nobody calls"), "{alone}");
    let uncalled = place.cardiogram("run small.toml --seeds 1 --strategy called.toml --out called").err;
    assert!(uncalled.contains("nobody calls: the scenario has no `wakeup`"), "{uncalled}");
}

#[test]
fn a_report_has_what_its_options_ask_for_and_says_what_they_can() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 2 -q").good();
    place.write(
        "plots.toml",
        "[[plot]]\nname = \"fig-1\"\nscenario = \"small\"\nx = \"packets_per_h\"\ny = \"availability\"\n",
    );
    place.cardiogram("report cardiogram-out/latest --plots plots.toml --latex --reference qq-fixed-45 -q").good();
    let figure = fs::read_to_string(place.path("cardiogram-out/latest/report/figures/fig-1.svg")).unwrap();
    assert!(figure.contains("width=\"8.5cm\""), "{figure}");
    let table = fs::read_to_string(place.path("cardiogram-out/latest/report/tables/small.tex")).unwrap();
    assert!(table.contains("qq-fixed-45") && table.contains("\\toprule"), "{table}");
    let page = fs::read_to_string(place.path("cardiogram-out/latest/report/scenarios/small.html")).unwrap();
    assert!(page.contains("Against <strong>qq-fixed-45</strong>, as asked for"), "{page}");
    let refused = place.cardiogram("report cardiogram-out/latest --reference qq").failed(2);
    assert!(refused.contains("`qq`") && refused.contains("use one of qq-fixed-45, netease-30-15"), "{refused}");
    place.write("plots.toml", "[[plot]]\nname = \"fig-1\"\nscenario = \"smal\"\nshow = \"parts\"\n");
    let refused = place.cardiogram("report cardiogram-out/latest --plots plots.toml").failed(2);
    assert!(refused.contains("plots.toml:3:") && refused.contains("do you mean `small`"), "{refused}");
}

#[test]
fn a_report_is_written_anew_and_only_of_results() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 2 -q").good();
    let first = place.files("cardiogram-out/latest");
    fs::remove_dir_all(place.path("cardiogram-out/latest/report")).unwrap();
    place.cardiogram("report cardiogram-out/latest").good();
    assert!(place.files("cardiogram-out/latest") == first);
    assert!(place.cardiogram("report nowhere").failed(2).contains("nowhere"));
}

#[test]
fn usage_that_makes_no_sense_is_refused() {
    let place = place!();
    for arguments in ["", "rnu", "run --seed", "list", "trace healthy", "check"] {
        let done = place.cardiogram(arguments);
        assert_eq!(done.code, Some(2), "{arguments}");
        assert!(done.err.contains("Usage: cardiogram"), "{arguments}: {}", done.err);
    }
    assert!(place.cardiogram("run --engine warp").failed(2).contains("[possible values: auto, both, turmoil, event]"));
    assert!(place.cardiogram("--version").good().starts_with("cardiogram 0."));
    assert!(place.cardiogram("run --help").good().contains("--shard"));
}
