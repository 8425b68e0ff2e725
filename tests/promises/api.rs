//! A check as its user meets it: the macro, the environment, what is the same on every machine, and what it says when
//! something is amiss.

use std::process::{Command, Output};

use cardiogram::{
    check::{Aim, Check, Failure},
    keeps_promises,
    policies::{Bounds, Custom, CustomHeartbeat, Heartbeat, HeartbeatSpec, PolicyRng, Promises, preset, unit::Span},
    prelude::{Judgement, Promised},
};
use kit::faulty::{BeatBug, beats, correct};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

keeps_promises!(a_test_of_one_line, correct());
keeps_promises!(a_test_of_one_line_with_fewer_worlds, preset::find("netease-30-15").unwrap().spec(), 100);

/// All that most tests need.
mod with_the_prelude {
    use cardiogram::prelude::*;

    keeps_promises!(nothing_else_is_needed, super::correct(), 20);

    #[test]
    fn nor_for_a_check_of_several_lines() {
        let check = Check::of(super::correct()).promises().cases(20).quietly();
        check.run().unwrap();
    }
}

/// Runs a test of this program by itself, as `cargo test` would with these variables set.
fn by_itself(test: &str, variables: &[(&str, &str)]) -> (Output, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("api::{test}"), "--exact", "--ignored", "--nocapture"]).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    (output, String::from_utf8(told).unwrap())
}

#[test]
#[ignore = "run by the test of the environment"]
fn twenty_worlds() {
    Check::of(correct()).promises().cases(20).seed(5).run().unwrap();
}

#[test]
fn the_environment_says_how_many_worlds_and_which() {
    let (output, told) = by_itself("twenty_worlds", &[]);
    assert!(output.status.success() && told.contains("faulty keeps its promises in 20 worlds of seed 5"), "{told}");
    let (output, told) = by_itself("twenty_worlds", &[("CARDIOGRAM_CASES", "70"), ("CARDIOGRAM_SEED", "9")]);
    assert!(output.status.success() && told.contains("in 70 worlds of seed 9 ("), "{told}");
    let (output, told) = by_itself("twenty_worlds", &[("CARDIOGRAM_CASES", "many")]);
    assert!(
        !output.status.success() && told.contains("CARDIOGRAM_CASES is many; it has to be a whole number"),
        "{told}"
    );
}

/// A policy that is not there yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Unwritten {}

impl CustomHeartbeat for Unwritten {
    fn build(&self, _: PolicyRng) -> Box<dyn Heartbeat> {
        panic!("not written yet")
    }

    fn promises(&self, _: &Bounds) -> Promises {
        Promises::default()
    }

    fn describe(&self) -> String {
        "Nothing.".into()
    }
}

#[test]
#[ignore = "run by the test of panics"]
fn panics() {
    let heartbeat = HeartbeatSpec::Custom(Custom::<dyn CustomHeartbeat>::new("unwritten", Unwritten {}));
    let strategy = correct().with_heartbeat(heartbeat);
    let _ = Check::of(strategy).promises().cases(1).run();
}

#[test]
fn a_strategy_that_panics_leaves_its_world_behind() {
    let (output, told) = by_itself("panics", &[]);
    assert!(!output.status.success() && told.contains("not written yet"), "{told}");
    assert!(told.contains("faulty panicked with seed 1 in this world:\nname = \"drawn\"\n"), "{told}");
}

#[test]
fn what_is_found_does_not_depend_on_how_many_cores_there_are() {
    let found = |threads: usize| {
        let folder = TempDir::new().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let check = Check::of(beats(BeatBug::BiasedPhase)).promises().keep_in(folder.path()).quietly();
        match pool.install(|| check.run()) {
            Err(Failure::Broken(found)) => found.text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(found(1), found(3));
}

#[test]
fn a_check_that_could_find_nothing_fails() {
    let folder = TempDir::new().unwrap();
    let silent = || Check::of(preset::find("none").unwrap().spec()).cases(600).keep_in(folder.path()).quietly();
    let Err(failure) = silent().promise(Promised::HeartbeatsPerHour(10)).run() else { panic!("it sends none") };
    let told = failure.to_string();
    assert!(told.contains("`heartbeats-per-hour` was never tested: no world brought about what it is about"), "{told}");
    let Err(failure) = silent().own("mine", Aim::Healthy, |_| Judgement::NotTested).run() else { panic!("never") };
    assert!(failure.to_string().contains("`mine` was never tested"), "{failure}");
}

#[test]
fn worlds_last_as_long_as_a_promise_that_is_named() {
    let folder = TempDir::new().unwrap();
    let hour = Promised::Ends(Span::secs(3_600));
    let checked = Check::of(correct()).promise(hour).cases(300).keep_in(folder.path()).quietly().run().unwrap();
    assert!(checked.coverage.tested["ends"] > 100, "{checked:?}");
}

#[test]
fn where_nothing_can_be_written_what_was_found_is_told_all_the_same() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let check = Check::of(beats(BeatBug::TwiceAsOften)).promises().keep_in(file.join("below")).quietly();
    let Err(Failure::File(message)) = check.run() else { panic!("it cannot be written") };
    assert!(message.starts_with("faulty breaks its promise `heartbeats-per-hour`\npromised: at most 121"), "{message}");
    assert!(message.contains("and the counterexample cannot be written to "), "{message}");
}
