//! The example of `docs/ci.md`, carried out: its commands on the files of `examples/ci`, and every number that the page has of
//! what comes of them.

use std::fs;

use cardiogram::reports::gate::{self, Bands, Metric};
use kit::{place, place::Place};
use serde_json::Value;

use super::{page, root};

const PAGE: &str = "docs/ci.md";

/// Carries out the commands that a page shows, as lines that are set in by four blanks; returns what the last one printed.
fn carry_out(commands: &str, place: &Place) -> String {
    let mut printed = String::new();
    for command in commands.lines().filter_map(|line| line.strip_prefix("    ")) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cd", folder] => {
                for file in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
                    place.write(file.file_name().to_str().unwrap(), fs::read(file.path()).unwrap());
                }
            }
            ["sed", "-i", change, file] => {
                let parts: Vec<&str> = change.split('/').collect();
                let text = fs::read_to_string(place.path(file)).unwrap();
                assert!(text.contains(parts[1]), "{command}");
                place.write(file, text.replace(parts[1], parts[2]));
            }
            // Both engines have the same results; one of them does.
            ["cardiogram", "run", ..] => {
                place.cardiogram(&format!("{} --engine event -q", &words[1..].join(" "))).good();
            }
            ["cardiogram", ..] => printed = place.cardiogram(&words[1..].join(" ")).out,
            _ => panic!("`{command}` is no command that this test knows"),
        }
    }
    printed
}

/// Returns the lines of `shown` that are not what `printed` begins with; `...` stands for the rest of a paragraph.
fn differing(shown: &str, printed: &str) -> Vec<String> {
    let mut printed = printed.lines();
    let mut differing = Vec::new();
    for line in shown.lines() {
        if line.trim() == "..." {
            printed.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            // The blank line is taken from `printed`, and comes next in `shown`.
            continue;
        }
        let is_behind_dots = line.is_empty() && shown.contains("...");
        match printed.clone().next() {
            Some(next) if next == line => drop(printed.next()),
            _ if is_behind_dots => {}
            next => {
                differing.push(format!("{line:?} is {next:?}"));
                printed.next();
            }
        }
    }
    differing
}

/// Returns a metric of the cell of `tunnel` in a baseline.
fn detect_mean(place: &Place, baseline: &str) -> (String, Value) {
    let text = fs::read_to_string(place.path(baseline)).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let is_it = |cell: &&Value| cell["scenario"] == "tunnel";
    let cell = all["cells"].as_array().unwrap().iter().find(is_it).expect("the cell");
    let at = text.find("\"scenario\":\"tunnel\"").unwrap();
    let line = text[at..].lines().find(|line| line.trim_start().starts_with("\"detect_mean_s\"")).expect("its line");
    (line.trim().trim_end_matches(',').to_owned(), cell["metrics"]["detect_mean_s"].clone())
}

#[test]
fn the_example_of_the_gate_is_what_its_commands_come_to() {
    let page = page(PAGE);
    let (_, example) = page.split_once("**An example.**").unwrap();
    let (commands, rest) = example.split_once("The table begins:\n\n").unwrap();
    let (table, _) = rest.split_once("\n\nThe mean of").unwrap();
    let shown = table.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let place = place!();
    let printed = carry_out(commands, &place);
    let mut wrong = differing(&shown, &printed);

    place.cardiogram("baseline now --out later.json -q").good();
    let ((then_line, then), (now_line, now)) =
        (detect_mean(&place, "baseline.json"), detect_mean(&place, "later.json"));
    let seeds = |metric: &Value| -> Vec<f64> {
        metric["seeds"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let d: Vec<f64> = seeds(&now).iter().zip(seeds(&then)).map(|(now, then)| now - then).collect();
    let n = d.len() as f64;
    let mean = d.iter().sum::<f64>() / n;
    let sd = (d.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / (n - 1.0)).sqrt();
    let (before, after) = (gate::Baseline::read(&place.path("baseline.json")), gate::read(&place.path("now")));
    let (before, after) = (before.unwrap(), after.unwrap());
    let comparison = gate::compare(&before, after.baseline(), &Bands::default());
    let metric = |scenario: &str| {
        let cell = comparison.cells.iter().find(|cell| cell.name.scenario == scenario).unwrap();
        cell.metrics.iter().find(|it| it.metric == Metric::DetectMeanS).unwrap()
    };
    let tunnel = metric("tunnel");
    let ((low, high), level) = (tunnel.interval.unwrap(), tunnel.baseline.unwrap());
    let (half, t) = ((high - low) / 2.0, (high - low) / 2.0 * n.sqrt() / sd);
    let nat_reboot = metric("nat-reboot");
    let rises = 100.0 * nat_reboot.difference.unwrap() / nat_reboot.baseline.unwrap();
    let words = |metric: &Value| format!("{} ± {} s", metric["mean"], metric["ci95"]);
    let claims = [
        format!("-{then_line}"),
        format!("+{now_line}"),
        format!("The mean rose from {} to {}", words(&then), words(&now)),
        format!("d = {}", d.iter().map(|it| format!("{it:.1}")).collect::<Vec<_>>().join(", ")),
        format!("with mean {mean:.2} and standard deviation {sd:.3}."),
        format!(
            "With n = {n} and m = {}, t is {t:.2} ({} degrees of freedom, a tail of {:.7})",
            comparison.family,
            n - 1.0,
            comparison.alpha / (2.0 * comparison.family as f64)
        ),
        format!("{mean:.2} ± {t:.2} · {sd:.3} / {:.3} = {mean:.2} ± {half:.2}, or {low:.1} to {high:.1} s", n.sqrt()),
        format!("{:.2} % to {:.2} % of {level:.1} s", 100.0 * low / level, 100.0 * high / level),
        format!("In `nat-reboot` the mean rises by {rises:.0} % and is {}", nat_reboot.verdict.name()),
    ];
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flat_page = flat(&page);
    let missing = claims.into_iter().filter(|claim| !flat_page.contains(&flat(claim)));
    wrong.extend(missing.map(|claim| format!("it does not say: {claim}")));
    assert!(wrong.is_empty(), "{PAGE} is not what its commands come to:\n{}\n\n{printed}", wrong.join("\n"));
}
