//! All that CI does with fixed seeds, deeper and with seeds that nobody has seen, for a given time: property tests, checks of
//! promises, commands at once and killed at any moment, fuzzing. Each failure is told with what shows it again.
//!
//! It is for a night, not for CI: what it finds is not the fault of the change at hand. Everything is built first, which does not
//! count. Then kinds of tests take turns, each for its share of the time; a round tries twice as much as the one before.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{cargo, root};

/// One kind of test.
struct Kind {
    name: &'static str,
    /// The tests, as `cargo test --workspace` takes them: in a debug build, which finds overflows and in which a test can stop the
    /// program anywhere. None: the fuzzers.
    tests: &'static [&'static str],
    /// The environment: a variable, and what it is in the first round and at most. Without numbers it is the seed.
    variables: &'static [(&'static str, Option<(u64, u64)>)],
}

const SEED: Option<(u64, u64)> = None;

const KINDS: [Kind; 7] = [
    Kind {
        name: "properties of policies, the simulator and statistics",
        tests: &["--lib", "--test", "packet", "--test", "smoltcp", "--test", "reconnect_promises"],
        variables: &[("PROPTEST_RNG_SEED", SEED), ("PROPTEST_CASES", Some((300, 5_000)))],
    },
    Kind {
        name: "random worlds",
        tests: &["--test", "world"],
        variables: &[("PROPTEST_RNG_SEED", SEED), ("PROPTEST_CASES", Some((100, 5_000)))],
    },
    Kind {
        name: "changed files",
        tests: &["--test", "program", "--", "any_input::"],
        variables: &[("PROPTEST_RNG_SEED", SEED), ("CARDIOGRAM_INPUTS", Some((1_000, 20_000)))],
    },
    Kind {
        name: "checks of promises",
        tests: &["--test", "promises"],
        variables: &[
            ("CARDIOGRAM_SEED", SEED),
            ("CARDIOGRAM_CASES", Some((200, 10_000))),
            ("PROPTEST_RNG_SEED", SEED),
            ("PROPTEST_CASES", Some((300, 5_000))),
        ],
    },
    Kind {
        name: "two commands at once",
        tests: &["--test", "program", "--", "together::", "disk::"],
        variables: &[("CARDIOGRAM_ROUNDS", Some((10, 200)))],
    },
    Kind {
        name: "commands killed at any moment",
        tests: &["--test", "program", "--", "killed::"],
        variables: &[("CARDIOGRAM_SEED", SEED), ("CARDIOGRAM_KILLS", Some((6, 60)))],
    },
    Kind { name: "fuzzing", tests: &[], variables: &[] },
];

/// Repeats everything until so many minutes have passed, each time with another seed.
pub(crate) fn soak(minutes: &str) -> Result<(), String> {
    let minutes: u64 = minutes.parse().map_err(|_| format!("`{minutes}` is no number of minutes"))?;
    let total = Duration::from_secs(60 * minutes);
    build()?;
    let begin = now();
    let left = || total.saturating_sub(now().saturating_sub(begin));
    let mut failures = Vec::new();
    let mut round = 0;
    while left() > Duration::ZERO {
        for (place, kind) in KINDS.iter().enumerate() {
            // A share of what is left of this round's time, which is all there is where rounds take longer than that.
            let share = left() / (KINDS.len() - place) as u32;
            let seed = (now().as_nanos() as u64 % 1_000_000_000_000).to_string();
            let (command, shown) = kind.command(round, &seed, share);
            println!("== round {}, {} for {} s at most: {shown}", round + 1, kind.name, share.as_secs());
            let ended = run(command, share).map_err(|error| format!("{}: {error}", kind.name))?;
            match ended {
                Ended::Passed => {}
                Ended::Failed => {
                    println!("== FAILED: {}: {shown}", kind.name);
                    failures.push(format!("{}: {shown}", kind.name));
                }
                Ended::Cut => println!("== {}: its time is over; what had ended by then passed", kind.name),
            }
        }
        round += 1;
    }
    if failures.is_empty() {
        println!("== {round} rounds without a failure");
        return Ok(());
    }
    Err(format!("failed in {round} rounds, which this shows again:\n  {}", failures.join("\n  ")))
}

/// Builds all that is run.
fn build() -> Result<(), String> {
    let tests = cargo(&["test", "--workspace", "--no-run"]).status();
    let fuzzers = Command::new(root().join("fuzz/run")).arg("build").status();
    for status in [tests, fuzzers] {
        if !status.map_err(|error| error.to_string())?.success() {
            return Err("not everything can be built".into());
        }
    }
    Ok(())
}

impl Kind {
    /// Returns the command of a round, counted from 0, and what a person writes for it.
    fn command(&self, round: u32, seed: &str, share: Duration) -> (Command, String) {
        if self.tests.is_empty() {
            let targets = std::fs::read_dir(root().join("fuzz/corpus")).map_or(1, Iterator::count) as u64;
            let seconds = (share.as_secs() / targets).max(1).to_string();
            let mut command = Command::new(root().join("fuzz/run"));
            command.arg(&seconds);
            return (command, format!("fuzz/run {seconds}"));
        }
        let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
        let mut shown = Vec::new();
        for (name, depth) in self.variables {
            let value =
                depth.map_or_else(|| seed.to_owned(), |(first, most)| (first << round.min(20)).min(most).to_string());
            shown.push(format!("{name}={value}"));
            command.env(name, value);
        }
        command.args(self.tests);
        shown.push("cargo test --workspace".into());
        shown.extend(self.tests.iter().map(|it| (*it).to_owned()));
        (command, shown.join(" "))
    }
}

/// How a command ended.
enum Ended {
    Passed,
    Failed,
    /// It was ended when its time was over, and no test had failed.
    Cut,
}

/// Runs a command for so long at most, and prints what it says. With it end those that it has started.
fn run(mut command: Command, most: Duration) -> std::io::Result<Ended> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.current_dir(root()).stdout(Stdio::piped()).spawn()?;
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    // A test that has failed is told of long before the end, which may not come.
    let reader = std::thread::spawn(move || {
        let mut has_failed = false;
        for line in output.lines().map_while(Result::ok) {
            has_failed |= line.ends_with("... FAILED");
            println!("{line}");
        }
        has_failed
    });
    let begin = now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if now().saturating_sub(begin) > most {
            end(&mut child)?;
            break None;
        }
        sleep(Duration::from_millis(200));
    };
    let has_failed = reader.join().expect("it only reads");
    Ok(match status {
        Some(status) if status.success() => Ended::Passed,
        None if !has_failed => Ended::Cut,
        _ => Ended::Failed,
    })
}

/// Ends a child and, where the system has groups of processes, what it has started.
fn end(child: &mut Child) -> std::io::Result<()> {
    if cfg!(unix) {
        Command::new("kill").args(["-TERM", "--", &format!("-{}", child.id())]).status()?;
    } else {
        child.kill()?;
    }
    child.wait().map(drop)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it ends when its time is over, and its seeds are those that nobody has seen"
)]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right")
}
