//! All that CI does with fixed seeds, deeper and with seeds that nobody has seen, for a given time: property tests, checks of
//! promises, two commands at once, fuzzing. Each failure is told with the seed that shows it again.
//!
//! It is for a night, not for CI: what it finds is not the fault of the change at hand.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{cargo, root};

/// One kind of test: what it is called, and how it is run with a seed.
struct Kind {
    name: &'static str,
    command: fn(seed: &str) -> Command,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "property tests",
        command: |seed| {
            let mut command = cargo(&["test", "--workspace", "--release", "--no-fail-fast"]);
            command.env("PROPTEST_RNG_SEED", seed).env("PROPTEST_CASES", "5000").env("CARDIOGRAM_INPUTS", "20000");
            command
        },
    },
    Kind {
        name: "checks of promises",
        command: |seed| {
            let mut command = cargo(&["test", "--release", "--test", "promises", "--no-fail-fast"]);
            command.env("CARDIOGRAM_SEED", seed).env("CARDIOGRAM_CASES", "10000");
            command
        },
    },
    Kind {
        name: "two commands at once",
        command: |_| {
            // A debug build: there a test can stop the program anywhere.
            let mut command = cargo(&["test", "--test", "program", "together::", "disk::"]);
            command.env("CARDIOGRAM_ROUNDS", "200");
            command
        },
    },
    Kind {
        name: "fuzzing",
        command: |_| {
            let mut command = Command::new(root().join("fuzz/run"));
            command.arg("120");
            command
        },
    },
];

/// Repeats everything until so many minutes have passed, each time with another seed.
pub(crate) fn soak(minutes: &str) -> Result<(), String> {
    let minutes: u64 = minutes.parse().map_err(|_| format!("`{minutes}` is no number of minutes"))?;
    let begin = now();
    let mut failures = Vec::new();
    let mut round = 0;
    while round == 0 || now().saturating_sub(begin) < Duration::from_secs(60 * minutes) {
        round += 1;
        for kind in &KINDS {
            let seed = (now().as_nanos() as u64 % 1_000_000_000_000).to_string();
            println!("== round {round}: {}, seed {seed}", kind.name);
            let status = (kind.command)(&seed).current_dir(root()).status();
            if !status.map_err(|error| format!("{}: {error}", kind.name))?.success() {
                println!("== FAILED: {} with seed {seed}", kind.name);
                failures.push(format!("{} with seed {seed}", kind.name));
            }
        }
    }
    if failures.is_empty() {
        println!("== {round} rounds without a failure");
        return Ok(());
    }
    Err(format!("failed in {round} rounds:\n  {}", failures.join("\n  ")))
}

#[expect(
    clippy::disallowed_methods,
    reason = "it ends when its time is over, and its seeds are those that nobody has seen"
)]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right")
}
