//! What a person is told before anything is paid for, and when something of another kind was named: costs and limits, the right
//! command, forms for other programs, a program's own name.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use insta::assert_snapshot;
use kit::{
    place,
    place::{Done, Place, SCENARIO},
};

/// 244 bytes that once took all memory before anything was simulated.
const SWITCH_BOMB: &str = r#"
name = "switch-bomb"
strategies = ["netease-30-15"]
duration = "1h"
access = "lte-drive"
nat = "cn-mobile-2g3g"
core = { delay = "12ms" }
devices = { count = 50000, start_within = "1s" }
[[faults]]
network-switch = { when.every = "36ms" }
"#;

/// Runs a command with this on its standard input.
fn fed(place: &Place, arguments: &str, text: &str) -> Done {
    let mut command = place.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Done::from(child.wait_with_output().unwrap())
}

#[test]
fn a_plan_is_told_and_its_cost_before_it_is_paid() {
    let place = place!();
    let told = place.cardiogram("run small.toml --seeds 3 --jobs 2 --dry-run --out out").good();
    assert_snapshot!(told, @r#"
    small: qq-fixed-45, netease-30-15
    seeds 1 to 3, engine auto, shard 1/1
    6 runs, 0.250 device-days, about 1s of one processor and 67MiB of memory
    at most 6 strikes of faults and 2 mappings in a run
    into out
    "#);
    assert!(!place.path("out").exists());
    let told = place.cardiogram("run small.toml --seeds 3 --jobs 2 --dry-run").good();
    assert!(told.lines().last().unwrap().starts_with("into cardiogram-out/small-"), "{told}");
    assert!(!place.path("cardiogram-out").exists());
}

#[test]
fn what_would_not_fit_is_refused_with_the_key_to_change() {
    let place = place!();
    place.write("switch-bomb.toml", SWITCH_BOMB);
    for command in ["check switch-bomb.toml", "run switch-bomb.toml", "trace switch-bomb.toml --strategy none"] {
        let message = place.cardiogram(command).failed(2);
        assert!(message.starts_with("error: about 5000000000 strikes are to be drawn for 50000 devices"), "{message}");
        assert!(message.contains("network-switch = { when.every = \"36ms\" }"), "{message}");
    }
    place.write("year.toml", SWITCH_BOMB.replace("1h", "365d").replace("36ms", "300d").replace("switch-bomb", "year"));
    assert_snapshot!(place.cardiogram("run year.toml --jobs 1").failed(2), @r#"
    error: this needs about 74d of one processor, and the limit is 1d: 5 runs of 91250000 device-days in all, with up to 50000 strikes and 50000 mappings in one
      = help: take fewer `devices.count`, a shorter `duration` or fewer `--seeds`, or share it out with `--shard`; `--cpu-limit 74d` allows it
    "#);
    assert!(place.cardiogram("check year.toml").failed(2).contains("`--cpu-limit "), "the key to change");
    place.write("crowd.toml", SWITCH_BOMB.replace("36ms", "20m").replace("switch-bomb", "crowd"));
    assert_snapshot!(place.cardiogram("run crowd.toml --jobs 1 --memory-limit 256MiB").failed(2), @r"
    error: this needs about 659MiB of memory, and the limit is 256MiB: 5 runs of 10417 device-days in all, with up to 150000 strikes and 50000 mappings in one
      = help: take fewer `devices.count`, rarer faults or less at a time (`--jobs`); `--memory-limit 659MiB` allows it
    ");
    assert!(!place.path("cardiogram-out").exists());
}

#[test]
fn a_sweep_whose_texts_no_results_could_hold_is_refused_at_once() {
    let place = place!();
    let long = format!(
        "{SCENARIO}\n{}",
        "# A comment of some length that says nothing at all, again and again.\n".repeat(12_000)
    );
    place.write("long.toml", &long);
    let values = (0..100).map(|at| format!("\"{}s\"", 30 + at)).collect::<Vec<_>>().join(", ");
    place.write(
        "plan.toml",
        format!(
            "name = \"large\"\nabout = \"x\"\nscenario = \"./long.toml\"\nstrategies = [\"netease-30-15\"]\n\
             [[axis]]\nscenario = \"faults[0].cut.lasts\"\nvalues = [{values}]\n\
             [[axis]]\nstrategy = \"heartbeat.fixed.interval\"\nvalues = [{values}]\n"
        ),
    );
    let message = place.cardiogram("check plan.toml").failed(2);
    assert!(message.starts_with("error: 100 copies of the scenario's file have 8"), "{message}");
}

#[test]
fn a_file_that_is_a_pipe_is_read_once() {
    let place = place!();
    let done = fed(&place, "check -", SCENARIO);
    assert!(done.good().starts_with("-: scenario small, good"));
    let strategy = place.cardiogram("show wechat-270").good();
    assert_eq!(fed(&place, "check -", &strategy).good(), "-: strategy wechat-270, good\n");
    #[cfg(unix)]
    {
        let shell = format!("{} check <(cat small.toml)", env!("CARGO_BIN_EXE_cardiogram"));
        if let Ok(output) = Command::new("bash").args(["-c", &shell]).current_dir(place.path("")).output() {
            assert!(Done::from(output).good().contains("scenario small, good"));
        }
    }
    let done = fed(&place, "run - --seeds 1 --out out -q", SCENARIO);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

#[test]
fn something_of_another_kind_is_told_with_the_command_that_takes_it() {
    let place = place!();
    place.write("mine.toml", place.cardiogram("show wechat-270").good());
    place.write("plan.toml", "name = \"p\"\nscenario = \"healthy\"\nstrategies = [\"none\"]\n[[axis]]\nscenario = \"duration\"\nvalues = [\"1h\"]\n");
    let messages = [
        "run mine.toml",
        "run small.toml --strategy small.toml",
        "run plan.toml",
        "sweep small.toml",
        "sweep mine.toml",
        "show small.toml",
        "run wechat-270",
        "run small.toml --strategy elevator",
    ]
    .map(|command| place.cardiogram(command).failed(2));
    assert_snapshot!(messages.concat(), @r#"
    error: mine.toml is a strategy, and a scenario belongs here
      = help: `cardiogram run SCENARIO --strategy mine.toml` compares it, `cardiogram show mine.toml` shows it
    error: small.toml is a scenario, and a strategy belongs here
      = help: `cardiogram run small.toml` runs it
    error: plan.toml is the plan of a sweep, and a scenario belongs here
      = help: `cardiogram sweep plan.toml` carries it out
    error: small.toml is a scenario, and the plan of a sweep belongs here
      = help: `cardiogram run small.toml` runs it
    error: mine.toml is a strategy, and the plan of a sweep belongs here
      = help: `cardiogram run SCENARIO --strategy mine.toml` compares it, `cardiogram show mine.toml` shows it
    error: small.toml is a scenario, and a strategy belongs here
      = help: `cardiogram run small.toml` runs it
    error: wechat-270 is a strategy, and a scenario belongs here
      = help: `cardiogram run SCENARIO --strategy wechat-270` compares it, `cardiogram show wechat-270` shows it
    error: elevator is a scenario, and a strategy belongs here
      = help: `cardiogram run elevator` runs it
    "#);
}

#[test]
fn slips_get_answers_that_help() {
    let place = place!();
    let strategy = "name = \"s\"\nheartbeat.fixed = { interval = \"60s\", timeout = \"10s\" }\n";
    place.write("server.toml", format!("{strategy}server = \"idle-reaper\"\n"));
    place.write("two.toml", format!("{strategy}heartbeat.idle = {{ interval = \"60s\" }}\n"));
    place.write("large.toml", SCENARIO.replace("count = 2", "count = 99999999999999999999"));
    place.write("long.toml", SCENARIO.replace("\"90s\"", "\"10years\""));
    for (file, name) in [("option.toml", "--help"), ("dash.toml", "-"), ("device.toml", "con")] {
        place.write(file, SCENARIO.replace("\"small\"", &format!("\"{name}\"")));
    }
    let files = ["server.toml", "two.toml", "large.toml", "option.toml", "dash.toml", "device.toml"];
    let messages = files.map(|file| place.cardiogram(&format!("check {file}")).failed(2));
    assert_snapshot!(messages.concat(), @r#"
    error: unknown name `idle-reaper`
     --> server.toml:3:10
      |
    3 | server = "idle-reaper"
      |          ^^^^^^^^^^^^^
      |
      = help: write it as a table, as in server.idle-reaper = { ... }; alone in quotes there is only `none`
    error: this table names more than one kind
     --> two.toml:2:1
      |
    2 | heartbeat.fixed = { interval = "60s", timeout = "10s" }
      | ^^^^^^^^^
      |
      = help: there is one `heartbeat`: keep one of `fixed`, `idle`
    error: integer `99999999999999999999` does not belong here
     --> large.toml:7:17
      |
    7 | devices.count = 99999999999999999999
      |                 ^^^^^^^^^^^^^^^^^^^^
      |
      = help: write a whole number, 0 or more
    error: `--help` is not a scenario's name
     --> option.toml:2:8
      |
    2 | name = "--help"
      |        ^^^^^^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, a letter or digit first, and no name that Windows has for a device, as in "silent-nat"
    error: `-` is not a scenario's name
     --> dash.toml:2:8
      |
    2 | name = "-"
      |        ^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, a letter or digit first, and no name that Windows has for a device, as in "silent-nat"
    error: `con` is not a scenario's name
     --> device.toml:2:8
      |
    2 | name = "con"
      |        ^^^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, a letter or digit first, and no name that Windows has for a device, as in "silent-nat"
    "#);
    place.cardiogram("check long.toml").good();

    let wrong = (0..30).map(|at| format!("key{at} = 1\n")).collect::<Vec<_>>().concat();
    place.write("wrong.toml", format!("{wrong}{SCENARIO}"));
    let message = place.cardiogram("check wrong.toml").failed(2);
    assert_eq!(message.matches("error: ").count(), 20);
    assert!(message.ends_with("\nand 10 more in wrong.toml\n"), "{message}");
}

#[test]
fn what_is_said_is_said_to_programs_too() {
    let place = place!();
    place.write("bad.toml", SCENARIO.replace("90s", "90 parsecs"));
    let done = place.cardiogram("check small.toml bad.toml missing.toml --json");
    assert_eq!((done.code, done.err.as_str()), (Some(2), ""));
    let items: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        (&items[0]["good"], &items[0]["kind"], &items[0]["cost"]["runs"]),
        (&true.into(), &"scenario".into(), &10.into())
    );
    let problem = &items[1]["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&10.into(), &37.into()), "{problem}");
    assert!(items[2]["problems"][0]["message"].as_str().unwrap().contains("missing.toml"));

    let shown: serde_json::Value = serde_json::from_str(&place.cardiogram("show wechat-270 --json").good()).unwrap();
    assert_eq!(shown["promises"]["heartbeats_per_hour"], 14);
    let shown: serde_json::Value = serde_json::from_str(&place.cardiogram("show elevator --json").good()).unwrap();
    assert!(shown["text"].as_str().unwrap().contains("name = \"elevator\""));

    place.cardiogram("run small.toml --seeds 5 --engine event --out out -q").good();
    place.cardiogram("baseline out --out baseline.json -q").good();
    let gate = place.cardiogram("gate out --baseline baseline.json --json").good();
    let gate: serde_json::Value = serde_json::from_str(&gate).unwrap();
    assert_eq!((&gate["passes"], &gate["cells"][0]["identical"]), (&true.into(), &true.into()));
}

#[test]
fn colours_are_as_asked() {
    let place = place!();
    assert!(place.cardiogram("run nothing.toml --color always").failed(2).contains("\x1b["));
    assert!(!place.cardiogram("run nothing.toml --color never").failed(2).contains("\x1b["));
    assert!(!place.cardiogram("run nothing.toml").failed(2).contains("\x1b["), "this is no terminal");
}

#[test]
fn shells_and_manuals_know_every_subcommand() {
    let place = place!();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = place.cardiogram(&format!("completions {shell}")).good();
        assert!(["sweep", "baseline", "dry-run"].iter().all(|word| text.contains(word)), "{shell}");
    }
    assert!(place.cardiogram("man").good().contains(".TH cardiogram 1"));
    assert!(place.cardiogram("man run").good().contains("memory\\-limit"));
    assert!(place.cardiogram("man rnu").failed(2).contains("`rnu`"));
}

#[cfg(unix)]
#[test]
fn a_custom_program_is_called_by_its_own_name() {
    let place = place!();
    let own = place.path("own-lab");
    // A link where that can be: a program that has just been written cannot be run while another test starts one.
    let program = env!("CARGO_BIN_EXE_cardiogram");
    fs::hard_link(program, &own).or_else(|_| fs::copy(program, &own).map(drop)).unwrap();
    let run = |arguments: &str| {
        let output = Command::new(&own).args(arguments.split_whitespace()).current_dir(place.path("")).output();
        Done::from(output.unwrap())
    };
    assert!(run("--version").good().starts_with("own-lab with cardiogram 0."));
    assert!(run("run silent-nta").failed(2).contains("`own-lab list scenarios`"));
    assert!(run("--help").good().contains("Usage: own-lab"));
    run("run small.toml --seeds 1 --out out -q").good();
    assert!(
        run("run small.toml --seeds 2 --out out").failed(2).contains("`own-lab run small.toml --seeds 1 --out out -q`")
    );
    let checked = run("check nothing-here.toml wechat-270 --json");
    assert!(!checked.out.contains("`cardiogram "), "{}", checked.out);

    // In the help of every subcommand, in manual pages, on pages, and where the gate shows the worst.
    for subcommand in ["", "run ", "sweep ", "merge ", "report ", "baseline ", "gate ", "man "] {
        let help = run(&format!("{subcommand}--help")).good();
        assert!(!help.contains("`cardiogram ") && !help.contains("Usage: cardiogram"), "{help}");
    }
    assert!(run("man merge").good().contains("own\\-lab run"));
    for strategy in ["netease-30-15", "none"] {
        let text = place.cardiogram(&format!("show {strategy}")).good();
        let text = text.replace(&format!("name = \"{strategy}\""), "name = \"app\"");
        place.write("app.toml", text);
        run(&format!("run small.toml --strategy app.toml --engine event --out {strategy} -q")).good();
    }
    let page = fs::read_to_string(place.path("out/report/scenarios/small.html")).unwrap();
    assert!(page.contains("own-lab trace small.toml --strategy ") && page.contains("own-lab report DIR"), "{page}");
    assert!(!page.contains("cardiogram trace") && !page.contains("cardiogram report DIR"));
    run("baseline netease-30-15 --out baseline.json -q").good();
    let gate = run("gate none --baseline baseline.json --summary summary.md");
    assert_eq!(gate.code, Some(1), "{}", gate.err);
    let summary = fs::read_to_string(place.path("summary.md")).unwrap();
    for told in [&gate.out, &summary] {
        assert!(told.contains("own-lab trace small.toml --strategy app.toml --seed "), "{told}");
        assert!(!told.contains("cardiogram trace"), "{told}");
    }
    assert!(gate.err.contains("`own-lab baseline DIR --out baseline.json`"), "{}", gate.err);
}

#[test]
fn colours_are_those_that_are_asked_for_whatever_else_is_wrong() {
    let place = place!();
    for arguments in ["run --no-such-option", "rnu", "run small.toml --seeds many", "show nothing"] {
        for (colours, has) in
            [("--color always", true), ("--color=always", true), ("--color never", false), ("", false)]
        {
            let message = place.cardiogram(&format!("{arguments} {colours}")).failed(2);
            assert_eq!(message.contains('\u{1b}'), has, "{arguments} {colours}: {message}");
        }
    }
}

#[test]
fn an_engine_says_which_shard_it_is() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 3 --out whole -q").good();
    for index in ["0", "1"] {
        let mut command = place.command(&format!("run small.toml --seeds 3 --shard auto/2 --out part-{index} -q"));
        Done::from(command.env("JOB_COMPLETION_INDEX", index).output().unwrap()).good();
    }
    place.cardiogram("merge part-0 part-1 --out merged -q").good();
    assert!(place.files("merged") == place.files("whole"));
    let message = place.cardiogram("run small.toml --shard auto").failed(2);
    assert!(message.contains("none of CARDIOGRAM_SHARD_INDEX"), "{message}");
}
