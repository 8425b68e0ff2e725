//! `cardiogram baseline` and `cardiogram gate` end to end: real changes are found in the cell where they are, chance is
//! not taken for one, and what cannot be compared is refused.

use std::{fs, path::Path, sync::atomic::AtomicBool};

use cardiogram::{
    policies::Registry,
    reports::gate::{self, Bands, Comparison, Strictness, Verdict},
    results::{
        Claim,
        manifest::{self, Manifest},
    },
    scenarios::{
        load,
        plan::{Contest, EngineChoice, Plan, Shard},
        runner::{self, RunnerOptions},
    },
};
use cardiogram_sim::Engine;
use insta::assert_snapshot;
use kit::{
    place,
    place::{Place, SCENARIO},
};

/// Enough breaks for ten seeds to show a change of a few percent, and a bystander whom no change touches.
const CUTS: &str = r#"
name = "cuts"
strategies = ["beat.toml", "known-nat-timeout"]
duration = "12h"
access = "lte-near"
core = "backbone"
nat = { established = "5d" }
devices.count = 40

[[faults]]
cut = { when.every = "20m", lasts = "6m" }
"#;

/// A server whose return everybody notices at once.
const STORM: &str = r#"
name = "storm"
strategies = ["beat.toml"]
duration = "30m"
access = "lte-near"
core = "backbone"
devices = { count = 200, start_within = "3m" }
server.login = { round_trips = 2, cpu = "50ms" }

[[faults]]
server-restart = { when.at = ["10m"], lasts = "20s" }
"#;

/// A NAT whose timeout the strategy just respects.
const NAT: &str = r#"
name = "quiet"
strategies = ["beat.toml"]
duration = "3h"
access = "lte-near"
core = "backbone"
nat = { established = "150s" }
devices.count = 4
"#;

const BEAT: &str = r#"
name = "beat"
about = "A heartbeat every two minutes."

[heartbeat.fixed]
interval = "120s"
timeout = "10s"
misses = 2
first_beat = "random-phase"

[reconnect.exponential]
base = "2s"
cap = "1m"
jitter = "full"
"#;

/// Returns a place with a scenario, its strategy, results in `then` and their baseline.
fn place(scenario: &str) -> Place {
    let place = place!();
    place.write("scenario.toml", scenario);
    place.write("beat.toml", BEAT);
    run(&place, "then");
    place.cardiogram("baseline then --out baseline.json -q").good();
    place
}

fn run(place: &Place, out: &str) {
    place.cardiogram(&format!("run scenario.toml --seeds 10 --engine event --out {out} --force -q")).good();
}

/// Replaces `from` by `to` in a file, which must have it.
fn edit(place: &Place, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(place.path(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    place.write(file, text.replace(from, to));
}

/// Returns what the gate says of results in `now`: its exit code and its table.
fn judge(place: &Place, arguments: &str) -> (Option<i32>, String) {
    let done = place.cardiogram(&format!("gate now --baseline baseline.json {arguments}"));
    (done.code, done.out)
}

/// Returns the lines of a table below a title, each as the words in it.
fn below<'a>(table: &'a str, title: &str) -> Vec<Vec<&'a str>> {
    let lines = table.lines().skip_while(|line| *line != title).skip(2).take_while(|line| !line.is_empty());
    lines.map(|line| line.split_whitespace().collect()).collect()
}

/// That a table has this regression, that no other cell has one, and that the run is shown.
#[track_caller]
fn assert_regression(table: &str, scenario: &str, metric: &str) {
    let regressions = below(table, "Regressions");
    assert!(regressions.iter().all(|row| row[..2] == [scenario, "beat"]), "{table}");
    assert!(regressions.iter().any(|row| row[2] == metric), "{table}");
    assert!(table.contains(&format!("cardiogram trace {scenario}.toml --strategy beat.toml --seed ")), "{table}");
}

#[test]
fn an_unchanged_tree_passes_and_everything_is_the_same_twice() {
    let place = place(NAT);
    run(&place, "now");
    for again in ["a", "b"] {
        place.cardiogram(&format!("baseline now --out {again}.json -q")).good();
        let files = format!("--strict --junit {again}.xml --summary {again}.md");
        let (code, table) = judge(&place, &files);
        assert_eq!(code, Some(0));
        assert_eq!(table, "1 cell, identical to the baseline in every run.\n");
    }
    for (a, b) in [("a.json", "baseline.json"), ("a.json", "b.json"), ("a.xml", "b.xml"), ("a.md", "b.md")] {
        assert!(fs::read(place.path(a)).unwrap() == fs::read(place.path(b)).unwrap(), "{a} {b}");
    }
    assert_snapshot!(place.cardiogram("baseline now --out a.json").good(), @"a.json: cells: 1, scenarios: 1, seeds: 10");
    assert_eq!(judge(&place, "-q"), (Some(0), String::new()));
}

#[test]
fn a_slower_heartbeat_or_another_miss_fails_and_a_shorter_timeout_passes() {
    let place = place(CUTS);
    edit(&place, "beat.toml", "interval = \"120s\"", "interval = \"132s\"");
    run(&place, "now");
    let (code, table) = judge(&place, "");
    assert_eq!(code, Some(1));
    assert_regression(&table, "cuts", "detect_mean_s");
    assert!(table.starts_with("2 cells: 1 identical to the baseline in every run, 1 not. "), "{table}");

    place.write("beat.toml", BEAT.replace("misses = 2", "misses = 3"));
    run(&place, "now");
    let (code, table) = judge(&place, "");
    assert_eq!(code, Some(1));
    assert_regression(&table, "cuts", "detect_mean_s");

    place.write("beat.toml", BEAT.replace("timeout = \"10s\"", "timeout = \"2s\""));
    run(&place, "now");
    // Who notices sooner tries again sooner: a few more attempts, which are undecided.
    let (code, table) = judge(&place, "--allow-undecided");
    assert_eq!(code, Some(0), "{table}");
    assert!(below(&table, "Improvements").iter().any(|row| row[..3] == ["cuts", "beat", "detect_mean_s"]), "{table}");
    assert!(!table.contains("Regressions"), "{table}");
}

#[test]
fn what_is_within_noise_passes_and_fails_the_strict() {
    let place = place(CUTS);
    // A second of patience more is less than the band of what takes minutes.
    edit(&place, "beat.toml", "timeout = \"10s\"", "timeout = \"11s\"");
    run(&place, "now");
    let (code, table) = judge(&place, "");
    assert_eq!(code, Some(0), "{table}");
    assert!(table.contains(" 0 regressions, 0 gross, 0 improvements, 0 undecided, "), "{table}");
    let within = below(&table, "Within noise");
    assert!(!within.is_empty() && within.iter().all(|row| row[..2] == ["cuts", "beat"]), "{table}");
    for (arguments, fails) in [("--allow-undecided", false), ("--strict", true)] {
        let (code, same) = judge(&place, arguments);
        assert_eq!((code, &same), (Some(i32::from(fails)), &table), "{arguments}");
    }
    // It is what is within noise that fails: without it, strictness has nothing to say.
    let names = within.iter().map(|row| format!("\"{}\"", row[2])).collect::<Vec<_>>().join(", ");
    place.write("bands.toml", format!("ignore = [{names}]\n"));
    assert_eq!(judge(&place, "--strict --bands bands.toml").0, Some(0));
}

#[test]
fn a_jitter_that_is_removed_fails() {
    let place = place(STORM);
    edit(&place, "beat.toml", "jitter = \"full\"", "jitter = \"none\"");
    run(&place, "now");
    let (code, table) = judge(&place, "--junit gate.xml --summary gate.md");
    assert_eq!(code, Some(1));
    assert_regression(&table, "storm", "attempts_peak_per_s");
    assert_snapshot!(table, @r#"
    1 cell: 0 identical to the baseline in every run, 1 not. Of their 15 metrics: 8 regressions, 0 gross, 0 improvements, 0 undecided, 1 within noise, 6 equivalent.

    Regressions
      scenario  strategy  metric                 baseline    now  change                    allowed
      storm     beat      recover_mean_s             34.2   72.0  +110 % (+57.8 to +163)     2.00 %
      storm     beat      unavailable_s_per_day      1747   3655  +109 % (+57.1 to +161)     2.00 %
      storm     beat      avoidable_s_per_day         737   2645  +259 % (+135 to +383)      2.00 %
      storm     beat      waiting_s_per_day           698   1793  +157 % (+65.5 to +248)     2.00 %
      storm     beat      connecting_s_per_day       38.7    852  +814 (+539 to +1088)         10.0
      storm     beat      packets_per_h               185    214  +15.7 % (+9.43 to +22.1)   2.00 %
      storm     beat      bytes_per_h               27724  35997  +29.8 % (+17.3 to +42.4)   2.00 %
      storm     beat      attempts_peak_per_s         136    200  +47.5 % (+36.1 to +58.9)   5.00 %

    Within noise
      scenario  strategy  metric          baseline   now  change                    allowed
      storm     beat      attempts_per_h      12.6  12.2  -3.04 % (-10.1 to +4.06)   2.00 %  about 500 seeds would tell

    To see the worst
      storm, beat: avoidable_s_per_day +259 %
        cardiogram trace storm.toml --strategy beat.toml --seed 3
      Where a name ends in .toml, write the path of the file that was run.
    "#);
    assert_snapshot!(fs::read_to_string(place.path("gate.md")).unwrap(), @r#"
    ## cardiogram gate: failed

    1 cell: 0 identical to the baseline in every run, 1 not. Of their 15 metrics: 8 regressions, 0 gross, 0 improvements, 0 undecided, 1 within noise, 6 equivalent.

    ### Regressions

    | scenario | strategy | metric | baseline | now | change | allowed |
    |---|---|---|--:|--:|---|--:|
    | storm | beat | `recover_mean_s` | 34.2 | 72.0 | +110 % (+57.8 to +163) | 2.00 % |
    | storm | beat | `unavailable_s_per_day` | 1747 | 3655 | +109 % (+57.1 to +161) | 2.00 % |
    | storm | beat | `avoidable_s_per_day` | 737 | 2645 | +259 % (+135 to +383) | 2.00 % |
    | storm | beat | `waiting_s_per_day` | 698 | 1793 | +157 % (+65.5 to +248) | 2.00 % |
    | storm | beat | `connecting_s_per_day` | 38.7 | 852 | +814 (+539 to +1088) | 10.0 |
    | storm | beat | `packets_per_h` | 185 | 214 | +15.7 % (+9.43 to +22.1) | 2.00 % |
    | storm | beat | `bytes_per_h` | 27724 | 35997 | +29.8 % (+17.3 to +42.4) | 2.00 % |
    | storm | beat | `attempts_peak_per_s` | 136 | 200 | +47.5 % (+36.1 to +58.9) | 5.00 % |

    <details><summary>Within noise: 1</summary>

    | scenario | strategy | metric | baseline | now | change | allowed | |
    |---|---|---|--:|--:|---|--:|---|
    | storm | beat | `attempts_per_h` | 12.6 | 12.2 | -3.04 % (-10.1 to +4.06) | 2.00 % | about 500 seeds would tell |

    </details>

    <details><summary>Equivalent: 6</summary>

    | scenario | strategy | metric | baseline | now | change | allowed |
    |---|---|---|--:|--:|---|--:|
    | storm | beat | `detect_mean_s` | 0.0384 | 0.0384 | 0 | 0.0500 |
    | storm | beat | `detect_p95_s` | 0.0725 | 0.0725 | 0 | 0.0500 |
    | storm | beat | `unnoticed_share` | 0 | 0 | 0 | 0.00500 |
    | storm | beat | `nat_expiries_per_day` | 0 | 0 | 0 | 0.0200 |
    | storm | beat | `false_alarms_per_day` | 0 | 0 | 0 | 0.0200 |
    | storm | beat | `unnoticed_s_per_day` | 0 | 0 | 0 | 10.0 |

    </details>

    ### To see the worst

    - storm, beat: avoidable_s_per_day +259 %

    ```sh
    cardiogram trace storm.toml --strategy beat.toml --seed 3
    ```

    Where a name ends in .toml, write the path of the file that was run.

    Intervals are of paired differences over 10 seeds and hold together, all 15, with a chance of 99.9 %. Every metric is a cost: less is better.
    "#);
    assert_snapshot!(fs::read_to_string(place.path("gate.xml")).unwrap(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="cardiogram gate" tests="1" failures="1" errors="0" skipped="0" time="0">
      <testsuite name="storm" tests="1" failures="1" errors="0" skipped="0" time="0">
        <testcase classname="storm" name="beat" time="0">
          <failure type="regression" message="recover_mean_s +110 %, unavailable_s_per_day +109 %, avoidable_s_per_day +259 %, waiting_s_per_day +157 %, connecting_s_per_day +814, packets_per_h +15.7 %, bytes_per_h +29.8 %, attempts_peak_per_s +47.5 %">recover_mean_s: regression, 34.2 before, 72.0 now, +110 % (+57.8 to +163), allowed 2.00 %
    unavailable_s_per_day: regression, 1747 before, 3655 now, +109 % (+57.1 to +161), allowed 2.00 %
    avoidable_s_per_day: regression, 737 before, 2645 now, +259 % (+135 to +383), allowed 2.00 %
    waiting_s_per_day: regression, 698 before, 1793 now, +157 % (+65.5 to +248), allowed 2.00 %
    connecting_s_per_day: regression, 38.7 before, 852 now, +814 (+539 to +1088), allowed 10.0
    packets_per_h: regression, 185 before, 214 now, +15.7 % (+9.43 to +22.1), allowed 2.00 %
    bytes_per_h: regression, 27724 before, 35997 now, +29.8 % (+17.3 to +42.4), allowed 2.00 %
    attempts_peak_per_s: regression, 136 before, 200 now, +47.5 % (+36.1 to +58.9), allowed 5.00 %
    </failure>
          <system-out>detect_mean_s: equivalent, 0.0384 before, 0.0384 now, 0, allowed 0.0500
    detect_p95_s: equivalent, 0.0725 before, 0.0725 now, 0, allowed 0.0500
    unnoticed_share: equivalent, 0 before, 0 now, 0, allowed 0.00500
    nat_expiries_per_day: equivalent, 0 before, 0 now, 0, allowed 0.0200
    false_alarms_per_day: equivalent, 0 before, 0 now, 0, allowed 0.0200
    unnoticed_s_per_day: equivalent, 0 before, 0 now, 0, allowed 10.0
    attempts_per_h: within noise, 12.6 before, 12.2 now, -3.04 % (-10.1 to +4.06), allowed 2.00 %; about 500 seeds would tell
    </system-out>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn a_simulator_that_misreads_the_timeout_of_nats_fails() {
    let place = place(NAT);
    edit(&place, "scenario.toml", "150s", "90s");
    run(&place, "now");
    // What a bug of ours would leave behind: results of another world under the name and text of the same.
    let path = place.path("now/manifest.json");
    let mut manifest: Manifest = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    manifest.scenarios[0].text = NAT.into();
    manifest.scenarios[0].hash = manifest::hash(NAT);
    fs::write(&path, serde_json::to_string(&manifest).unwrap()).unwrap();
    let (code, table) = judge(&place, "");
    assert_eq!(code, Some(1));
    assert_regression(&table, "quiet", "nat_expiries_per_day");
}

/// What chance alone does: 200 comparisons of ten seeds with ten others, all of the same strategies in the same world.
#[test]
fn chance_alone_hardly_ever_fails() {
    const SEEDS: u64 = 400;
    let place = place!();
    let scenario =
        SCENARIO.replace("\"10m\"", "\"5m\"").replace("\"90s\"", "{ uniform = { min = \"20s\", max = \"3m\" } }");
    place.write("small.toml", scenario);
    let all = place.path("all");
    run_seeds(&place.path("small.toml"), SEEDS, &all);
    let text = fs::read_to_string(all.join("runs.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let mut manifest: Manifest = serde_json::from_str(&fs::read_to_string(all.join("manifest.json")).unwrap()).unwrap();
    manifest.seeds = 10;
    manifest.files.clear();
    let manifest = serde_json::to_string(&manifest).unwrap();

    // Bands next to nothing: then it is the intervals alone that tell chance from change.
    let narrow = gate::Metric::ALL.map(|it| format!("{} = {{ relative = 0.001, absolute = 0 }}", it.name()));
    place.write("narrow.toml", format!("[band]\n{}\n", narrow.join("\n")));
    let narrow = Bands::read(&place.path("narrow.toml")).unwrap();

    let mut state = 1_u64;
    let (mut within_noise, mut failed, mut mistaken) = (0, 0, 0);
    for _ in 0..200 {
        let seeds = draw(&mut state, SEEDS, 20);
        let sides = [&seeds[..10], &seeds[10..]].map(|seeds| {
            let dir = place.path("side");
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("manifest.json"), &manifest).unwrap();
            fs::write(dir.join("runs.csv"), relabelled(header, rows, seeds)).unwrap();
            gate::read(&dir).unwrap()
        });
        let comparison = gate::compare(sides[0].baseline(), sides[1].baseline(), &Bands::default());
        assert!(comparison.family > 20, "something is compared");
        within_noise += comparison.count(Verdict::WithinNoise);
        failed += u32::from(!comparison.passes(Strictness::Normal));
        let narrow = gate::compare(sides[0].baseline(), sides[1].baseline(), &narrow);
        mistaken += u32::from(narrow.count(Verdict::Regression) > 0);
    }
    assert!(within_noise > 0, "chance is there");
    assert!(failed <= 2, "{failed}");
    // One in a thousand may be, and half of those are improvements.
    assert!(mistaken <= 1, "{mistaken}");
}

/// Carries out the plan of a scenario's file with so many seeds, without a report.
fn run_seeds(scenario: &Path, seeds: u64, out: &Path) {
    let origin = scenario.display().to_string();
    let scenario = load::scenario_file(scenario).unwrap();
    let strategies = load::strategies_of(&scenario, &origin, &Registry::new()).unwrap();
    let contest = Contest { origin, scenario, strategies };
    let plan = Plan::new(vec![contest], 1, seeds, EngineChoice::Only(Engine::Event), Shard::WHOLE).unwrap();
    let claim = Claim::take(out, "a test").unwrap();
    let stop = AtomicBool::new(false);
    let options =
        RunnerOptions { command: "a test", force: false, jobs: 0, stop: &stop, progress: &|_| {}, note: &|_| {} };
    runner::run(&plan, &claim, &options).unwrap();
    claim.finish().unwrap();
}

/// So many different seeds from 1 to `most`, by Knuth's generator (MMIX).
fn draw(state: &mut u64, most: u64, count: usize) -> Vec<u64> {
    let mut seeds = Vec::new();
    while seeds.len() < count {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let seed = 1 + (*state >> 33) % most;
        if !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }
    seeds
}

/// Returns the rows of these seeds under the seeds 1, 2, and so on.
fn relabelled(header: &str, rows: &str, seeds: &[u64]) -> String {
    let mut out = format!("{header}\n");
    for row in rows.lines() {
        let mut fields: Vec<&str> = row.split(',').collect();
        let place = seeds.iter().position(|seed| fields[2] == seed.to_string());
        if let Some(place) = place {
            let label = (place + 1).to_string();
            fields[2] = &label;
            out.push_str(&fields.join(","));
            out.push('\n');
        }
    }
    out
}

#[test]
fn strictness_and_bands_are_the_users() {
    let place = place(NAT);
    run(&place, "now");
    place.unseal("now");
    edit(&place, "now/runs.csv", "quiet,beat,3,event,", "quiet,beat,3,event,1");
    assert_snapshot!(place.cardiogram("gate now --baseline baseline.json").failed(2), @r#"
    error: now/runs.csv: line 4: `device_hours` is 111.97523; all devices of the scenario have 12 together
      = help: run again: the file was changed or cut short, or the files are of different runs
    "#);
    place.write("bands.toml", "alpha = 0.5\nignore = [\"speed\"]\n\n[band]\npackets_per_h = { relative = 0 }\nbytes_per_hour = { relative = 0.1, absolute = 1 }\n");
    assert_snapshot!(place.cardiogram("gate now --baseline baseline.json --bands bands.toml").failed(2), @r#"
    error: unknown name `speed`
     --> bands.toml:2:11
      |
    2 | ignore = ["speed"]
      |           ^^^^^^^
      |
      = help: possible here are: `detect_mean_s`, `detect_p95_s`, `unnoticed_share`, `nat_expiries_per_day`, `false_alarms_per_day`, `recover_mean_s`, `unavailable_s_per_day`, `avoidable_s_per_day`, `unnoticed_s_per_day`, `waiting_s_per_day`, `connecting_s_per_day`, `push_delay_mean_s`, `push_lost_share`, `message_delay_mean_s`, `message_delay_p95_s`, `message_lost_share`, `packets_per_h`, `bytes_per_h`, `energy_j_per_h`, `attempts_per_h`, `attempts_peak_per_s`

    error: the key `absolute` is missing
     --> bands.toml:5:17
      |
    5 | packets_per_h = { relative = 0 }
      |                 ^^^^^^^^^^^^^^^^

    error: unknown name `bytes_per_hour`
     --> bands.toml:6:1
      |
    6 | bytes_per_hour = { relative = 0.1, absolute = 1 }
      | ^^^^^^^^^^^^^^
      |
      = help: did you mean `bytes_per_h`? possible here are: `detect_mean_s`, `detect_p95_s`, `unnoticed_share`, `nat_expiries_per_day`, `false_alarms_per_day`, `recover_mean_s`, `unavailable_s_per_day`, `avoidable_s_per_day`, `unnoticed_s_per_day`, `waiting_s_per_day`, `connecting_s_per_day`, `push_delay_mean_s`, `push_lost_share`, `message_delay_mean_s`, `message_delay_p95_s`, `message_lost_share`, `packets_per_h`, `bytes_per_h`, `energy_j_per_h`, `attempts_per_h`, `attempts_peak_per_s`
    "#);
    place.write("bands.toml", "alpha = 0.5\n\n[band]\npackets_per_h = { relative = 0, absolute = -1 }\n");
    assert_snapshot!(place.cardiogram("gate now --baseline baseline.json --bands bands.toml").failed(2), @r#"
    error: a chance of 0.5 for a false alarm
     --> bands.toml:1:9
      |
    1 | alpha = 0.5
      |         ^^^
      |
      = help: use 1e-9 to 0.1; the default is 0.001

    error: a band of 0
     --> bands.toml:4:30
      |
    4 | packets_per_h = { relative = 0, absolute = -1 }
      |                              ^
      |
      = help: use 0.001 to 10

    error: a band of -1
     --> bands.toml:4:44
      |
    4 | packets_per_h = { relative = 0, absolute = -1 }
      |                                            ^^
      |
      = help: use 0 to 1000000000000
    "#);
}

/// Returns what the gate says where it must refuse.
fn refusal(place: &Place, dir: &str) -> String {
    let message = place.cardiogram(&format!("gate {dir} --baseline baseline.json --junit x --summary y")).failed(2);
    assert!(!place.path("x").exists() && !place.path("y").exists(), "nothing is written");
    message
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason_and_the_fix() {
    let place = place!();
    place.write("other.toml", SCENARIO.replace("\"small\"", "\"other\""));
    let run = |arguments: &str| place.cardiogram(&format!("run {arguments} --force -q")).good();
    run("small.toml --seeds 5 --engine event --out then");
    place.cardiogram("baseline then --out baseline.json -q").good();
    let cases = [
        "small.toml --seeds 5 --engine auto",
        "small.toml --seeds 6 --engine event",
        "small.toml --seeds 5 --first-seed 2 --engine event",
        "other.toml --seeds 5 --engine event",
        "small.toml other.toml --seeds 5 --engine event",
        "small.toml --seeds 5 --engine event --strategy known-nat-timeout --strategy netease-30-15",
    ];
    let messages = cases.map(|arguments| {
        fs::remove_dir_all(place.path("now")).ok();
        run(&format!("{arguments} --out now"));
        refusal(&place, "now")
    });
    assert_snapshot!(messages.concat(), @r#"
    error: the baseline is of the engine `event`, and this run of `auto`
      = help: run again with `--engine event`, or write a new baseline
    error: the baseline has 5 seeds from 1 on, and this run 6 from 1 on
      = help: seeds are compared in pairs: run again with `--first-seed 1 --seeds 5`, or write a new baseline
    error: the baseline has 5 seeds from 1 on, and this run 5 from 2 on
      = help: seeds are compared in pairs: run again with `--first-seed 1 --seeds 5`, or write a new baseline
    error: the baseline has scenarios that this run has not: `small`
      = help: run them too, or write a new baseline
    error: this run has scenarios that the baseline has not: `other`
      = help: run only those of the baseline, or write a new baseline
    error: the baseline has strategies that this run has not: `qq-fixed-45` in `small`
      = help: run them too; if they are gone on purpose, write a new baseline
    "#);

    run("small.toml --seeds 5 --engine event --shard 1/2 --out shard");
    assert_snapshot!(refusal(&place, "shard"), @r#"
    error: shard/manifest.json is of shard 1/2, which is not the whole plan
      = help: `cardiogram merge DIR... --out DIR` joins all shards: use what it writes
    "#);
    assert_snapshot!(place.cardiogram("baseline shard --out shard.json").failed(2), @r#"
    error: shard/manifest.json is of shard 1/2, which is not the whole plan
      = help: `cardiogram merge DIR... --out DIR` joins all shards: use what it writes
    "#);
    assert!(!place.path("shard.json").exists());
    place.write("then/.cardiogram/journal", "");
    assert_snapshot!(refusal(&place, "then"), @r#"
    error: then has no finished results: its journal is damaged
      = help: the same command goes on there
    "#);
    fs::remove_file(place.path("then/.cardiogram/journal")).unwrap();
    assert_snapshot!(refusal(&place, "nowhere"), @r#"
    error: nowhere has no finished results: there is no manifest.json in it
      = help: name a directory that `cardiogram run --out DIR` wrote
    "#);
    place.write("small.toml", SCENARIO.replace("90s", "91s"));
    run("small.toml --seeds 5 --engine event --out now");
    assert_snapshot!(refusal(&place, "now"), @r#"
    error: the files of these scenarios are not those of the baseline: `small`
      = help: other worlds have other results: restore the files; if they are meant to change, write a new baseline, in a commit that changes no strategy
    "#);
    for (from, to) in [("\"format\": 1", "\"format\": 2"), ("\"format\": 2", "format: 2")] {
        edit(&place, "baseline.json", from, to);
        let message = refusal(&place, "then");
        assert!(message.starts_with("error: baseline.json: "), "{message}");
    }
    fs::remove_file(place.path("baseline.json")).unwrap();
    assert_snapshot!(refusal(&place, "then"), @r#"
    error: cannot read baseline.json: No such file or directory (os error 2)
      = help: `cardiogram baseline DIR --out FILE` writes a baseline from the results in DIR
    "#);
}

#[test]
fn files_that_cannot_be_written_are_told_and_nothing_else_is_written() {
    let place = place(NAT);
    run(&place, "now");
    let done = place.cardiogram("gate now --baseline baseline.json --junit good.xml --summary missing/gate.md");
    assert_snapshot!(done.failed(2), @r"
    error: cannot write to missing/gate.md: No such file or directory (os error 2)
      = help: what was there before is untouched
    ");
    assert!(!place.path("good.xml").exists());
    assert_snapshot!(place.cardiogram("baseline now --out then").failed(2), @r"
    error: cannot write to then: is a directory
      = help: what was there before is untouched
    ");
}

#[test]
fn a_strategy_that_is_new_is_named_and_not_compared() {
    let place = place!();
    place.cardiogram("run small.toml --strategy qq-fixed-45 --seeds 5 --out then -q").good();
    place.cardiogram("baseline then --out baseline.json -q").good();
    place.cardiogram("run small.toml --seeds 5 --out now -q").good();
    let table = place.cardiogram("gate now --baseline baseline.json --strict").good();
    assert_snapshot!(table, @r#"
    1 cell, identical to the baseline in every run.
    Not in the baseline and not compared: netease-30-15 in small. A new baseline takes them in.
    "#);
}

#[test]
fn the_documentation_names_every_metric_and_its_bands_can_be_read() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    let (_, table) = page.split_once("## What is compared").unwrap();
    for metric in gate::Metric::ALL {
        assert!(table.contains(&format!("`{}`", metric.name())), "{}", metric.name());
    }
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let place = place!();
    place.write("bands.toml", example);
    Bands::read(&place.path("bands.toml")).unwrap();
}

#[test]
fn commands_name_what_is_built_in_and_files_of_the_rest() {
    let place = place!();
    place.write("beat.toml", BEAT);
    place.cardiogram("run healthy --strategy none --strategy beat.toml --seeds 1 --engine event --out now -q").good();
    let results = gate::read(&place.path("now")).unwrap();
    let comparison: Comparison = gate::compare(results.baseline(), results.baseline(), &Bands::default());
    let commands: Vec<String> = comparison.cells.iter().map(|cell| results.command(&cell.name, 7)).collect();
    assert_eq!(
        commands,
        ["cardiogram trace healthy --strategy beat.toml --seed 7", "cardiogram trace healthy --strategy none --seed 7"]
    );
}
