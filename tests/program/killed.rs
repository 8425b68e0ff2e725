//! Commands that are killed at random moments, several times in a row: after each kill the directory has the old, the new, or says
//! what is unfinished, and in the end the same command comes to the bytes of one that nobody disturbed, and repeats no finished
//! run. `disk.rs` kills at every change of the file system; here the moment may be any, that in the middle of a write included.
//!
//! `CARDIOGRAM_KILLS` is how many places each command is killed in. Which moments these are, `CARDIOGRAM_SEED` says, as far as a
//! machine is as fast the next time.

use std::{
    fs,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use kit::{place, place::Place};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

use crate::halted::Halted;

/// The most kills in one place, one after the other.
const IN_A_ROW: u64 = 3;

/// Long enough that kills meet runs under way, and short enough that they meet what is made of them.
const SCENARIO: &str = r#"
name = "tiny"
strategies = ["netease-30-15"]
duration = "12h"
access = "lte-near"
core = "backbone"
devices.count = 4

[[faults]]
cut = { when.at = ["1m"], lasts = "90s" }
"#;

const PLAN: &str = r#"
name = "swept"
about = "Three points."
scenario = "./tiny.toml"
strategies = ["netease-30-15"]

[[axis]]
scenario = "faults[0].cut.lasts"
values = ["30s", "60s", "90s"]
"#;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn place_with_files() -> Place {
    let place = place!();
    place.write("tiny.toml", SCENARIO);
    place.write("plan.toml", PLAN);
    place
}

/// A place in which commands were carried out.
fn place_after(commands: &[&str]) -> Place {
    let place = place_with_files();
    for command in commands {
        place.cardiogram(&format!("{command} -q")).good();
    }
    place
}

/// Draws moments up to the end of a command that takes so long.
struct Moments {
    rng: ChaCha8Rng,
    takes: Duration,
}

impl Moments {
    /// Takes the time of `command` in a place for it.
    #[expect(clippy::disallowed_methods, reason = "a kill comes at a moment of real time")]
    fn of(command: &str, place: &Place) -> Self {
        let begin = Instant::now();
        place.cardiogram(&format!("{command} -q")).good();
        Self { rng: ChaCha8Rng::seed_from_u64(number("CARDIOGRAM_SEED", 1)), takes: begin.elapsed() }
    }

    fn next(&mut self) -> Duration {
        self.takes.mul_f64(f64::from(self.rng.next_u32()) / f64::from(u32::MAX))
    }

    /// Starts a command and kills it at a random moment, if it has not come to its end by then. Returns that moment.
    fn kill(&mut self, place: &Place, command: &str) -> Duration {
        let mut child = place.command(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let moment = self.next();
        sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        moment
    }
}

/// Kills a command that writes to `out` in several places, each with what is there `before`, and lets it come to its end in each.
fn kill(command: &str, before: &Place, runs: usize) {
    let mut moments = Moments::of(command, &before.copy());
    let halted = Halted::new(command, &before.copy(), runs);
    for at in 0..number("CARDIOGRAM_KILLS", 3) {
        let place = before.copy();
        for _ in 0..=at % IN_A_ROW {
            let after = format!("a kill at {:?}", moments.kill(&place, command));
            halted.check_between(&place, &after);
        }
        halted.check_end(&place, "the last kill");
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_and_repeats_nothing() {
    kill("run tiny.toml --seeds 12 --engine event --jobs 2 --out out", &place_with_files(), 12);
}

#[test]
fn a_run_over_other_results_that_is_killed_at_any_moment_leaves_them_or_its_own() {
    let before = place_after(&["run tiny.toml --seeds 2 --engine event --out out"]);
    kill("run tiny.toml --seeds 6 --engine event --jobs 2 --out out --force", &before, 0);
}

#[test]
fn a_sweep_that_is_killed_at_any_moment_goes_on_and_repeats_nothing() {
    kill("sweep plan.toml --seeds 4 --engine event --jobs 2 --out out", &place_with_files(), 12);
}

#[test]
fn a_merge_that_is_killed_at_any_moment_is_done_again() {
    let before = place_after(&[
        "run tiny.toml --seeds 8 --engine event --shard 1/2 --out 1",
        "run tiny.toml --seeds 8 --engine event --shard 2/2 --out 2",
    ]);
    kill("merge 1 2 --out out", &before, 0);
}

#[test]
fn a_report_that_is_killed_at_any_moment_is_written_again() {
    // Another report than the one that is to come.
    let before = place_after(&["run tiny.toml --seeds 4 --engine event --out out", "report out --latex"]);
    kill("report out", &before, 0);
}

#[test]
fn a_baseline_that_is_killed_at_any_moment_is_the_old_one_or_the_new_one() {
    let place = place_after(&["run tiny.toml --seeds 20 --engine event --out out", "baseline out --out good.json"]);
    let good = fs::read(place.path("good.json")).unwrap();
    let command = "baseline out --out baseline.json";
    let mut moments = Moments::of(command, &place);
    for _ in 0..4 * number("CARDIOGRAM_KILLS", 3) {
        place.write("baseline.json", "old");
        let moment = moments.kill(&place, command);
        let now = fs::read(place.path("baseline.json")).unwrap();
        assert!(now == b"old" || now == good, "after a kill at {moment:?}");
    }
    place.cardiogram(command).good();
    assert!(fs::read(place.path("baseline.json")).unwrap() == good);
    let names = place.names();
    assert!(names.iter().all(|name| !name.contains("-new")), "nothing is left beside it: {names:?}");
}
