//! The page docs/findings.md, made of what is under tests/findings/: what came of each claim, the worlds that break one, and
//! why products break them. That these files are right is the business of `findings`.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use kit::{
    committed::assert_committed,
    findings::{Held, Verdict, WORLDS, file},
};

use super::findings::{self, Reason};

/// The promises as the table has them.
const ORDER: [&str; 15] = [
    "detects-within",
    "no-false-alarm",
    "no-false-kill",
    "heartbeats-per-hour",
    "nat-safe",
    "learns-interval",
    "zombies-within",
    "one-session",
    "silent-when-given-up",
    "reconnects-within",
    "ends",
    "attempts-within",
    "resets-after-health",
    "no-lock-step",
    "jittered-waits",
];

const HEAD: &str = "# Findings

Every preset, held to what a reader of its documentation would expect of it, in random worlds (see [properties.md](properties.md)
for how). A promise that a preset makes in an ideal world, without loss, traffic or late timers, is held here against worlds that
are none; where it makes none, a yardstick is taken that `check/src/claims.rs` names and gives reasons for. A break is therefore
not always a bug: it is a world of which its owner should have heard. What the presets promise *given* what a world
guarantees, all of them keep: `cargo test --test promises promised::`.

What came of it is under tests/findings/, written by

    cargo run --release --example findings [-- PRESET ...]

with WORLDS worlds for each claim; `cargo xtask bless docs` makes this page of it. `cardiogram replay tests/findings/FILE` runs one
world and explains it; `cargo test --test promises findings::` runs them all. `kept`: no world broke it. `·`: no world tested it.
Empty: neither promised nor expected. `=`: it has the lab's default reconnect policy, which is judged once, in the row of
`wechat-270`.
";

const BREAKS: &str = "
## What breaks them

Below each promise, in bold, why its breaks come about, with the place where somebody has read it; then the breaks that come about
so, one world each.
";

#[test]
fn the_page_of_findings_is_current() {
    let text = fs::read_to_string(findings::folder().join("explained.csv")).expect("it is part of the tree");
    assert_committed("docs/findings.md", &page(&findings::held(), &findings::reasons(&text)));
}

fn page(held: &[Held], reasons: &[Reason<'_>]) -> String {
    let mut page = HEAD.replace("WORLDS", &WORLDS.to_string());
    page.push_str(
        "\n## Kept and broken, by promise\n\n| Promise | Kept | Broken | Not tested |\n|---|---:|---:|---:|\n",
    );
    for claim in ORDER {
        let count = |verdict| held.iter().filter(|it| it.verdicts.get(claim) == Some(&verdict)).count();
        let [kept, broken, untested] = [Verdict::Kept, Verdict::Broken, Verdict::NotTested].map(count);
        push(&mut page, &format!("| `{claim}` | {kept} | {broken} | {untested} |"));
    }
    page.push_str("\n## Preset by preset\n\n");
    push(&mut page, &format!("| Preset | {} |", ORDER.join(" | ")));
    push(&mut page, &format!("|---|{}", ":-:|".repeat(ORDER.len())));
    for Held { preset, verdicts, .. } in held {
        assert!(verdicts.keys().all(|claim| ORDER.contains(&claim.as_str())), "{verdicts:?}");
        let cells = ORDER.map(|claim| match verdicts.get(claim) {
            None => String::new(),
            Some(Verdict::Kept) => "kept".to_owned(),
            Some(Verdict::NotTested) => "·".to_owned(),
            Some(Verdict::Shared) => "=".to_owned(),
            Some(Verdict::Broken) => format!("[broken](../tests/findings/{})", file(preset, claim)),
        });
        push(&mut page, &format!("| `{preset}` | {} |", cells.join(" | ")));
    }
    page.push_str(BREAKS);
    for claim in ORDER {
        let of_claim = of_claim(claim, held, reasons);
        if !of_claim.is_empty() {
            push(&mut page, &format!("\n### `{claim}`"));
        }
        for (reason, lines) in of_claim {
            let Reason { source, why, .. } = &reasons[reason];
            let source = if *source == "=" { "the source of each, as `show` names it" } else { source };
            push(&mut page, &format!("\n**{}{}.** ({source})\n", why[..1].to_uppercase(), &why[1..]));
            for line in lines {
                push(&mut page, &line);
            }
        }
    }
    page
}

/// Returns the breaks of a claim, below the number of their reason.
fn of_claim(claim: &str, held: &[Held], reasons: &[Reason<'_>]) -> BTreeMap<usize, Vec<String>> {
    let mut lines: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for Held { preset, verdicts, .. } in held {
        if verdicts.get(claim) != Some(&Verdict::Broken) {
            continue;
        }
        let reason = reasons.iter().position(|it| it.is_about(preset, claim));
        let reason = reason.unwrap_or_else(|| panic!("explained.csv has no reason why {preset} breaks {claim}"));
        let text = fs::read_to_string(findings::folder().join(file(preset, claim))).expect("its world");
        let told = |what: &str| text.lines().find_map(|line| line.strip_prefix(what)).expect("it is told in its head");
        let (promised, happened) = (told("# promised: "), told("# happened: "));
        lines.entry(reason).or_default().push(format!("- `{preset}`: promised: {promised}; {happened}."));
    }
    lines
}

fn push(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("strings take everything");
}
