//! What the lab leaves alone: other people's files, results of another plan, what is unfinished, and whatever a person names that
//! is no regular file.

use std::fs;

use insta::assert_snapshot;
use kit::place;

#[test]
fn a_directory_with_files_of_the_users_is_refused_and_left_alone() {
    let place = place!();
    fs::create_dir(place.path("report")).unwrap();
    place.write("report/thesis.tex", "mine");
    let before = place.files(".");
    for command in ["run small.toml --out .", "run small.toml --out . --force", "report ."] {
        let message = place.cardiogram(command).failed(2);
        assert!(place.files(".") == before, "{command}");
        if command.starts_with("run") {
            assert!(
                message.starts_with("error: . has files that are not the lab's: report, small.toml\n"),
                "{message}"
            );
        }
    }
    assert!(!place.path(".cardiogram").exists());
    assert_snapshot!(place.cardiogram("run small.toml --out .").failed(2), @r"
    error: . has files that are not the lab's: report, small.toml
      = help: name a directory that is new or empty, or move these away: nothing was written
    ");

    place.cardiogram("run small.toml --seeds 1 --out out -q").good();
    place.write("out/notes.md", "mine");
    place.write("out/report/thesis.tex", "mine");
    assert_snapshot!(place.cardiogram("report out").failed(2), @r"
    error: out/report has files that are not the lab's: thesis.tex
      = help: name a directory that is new or empty, or move these away: nothing was written
    ");
    fs::remove_file(place.path("out/report/thesis.tex")).unwrap();
    place.cardiogram("run small.toml --seeds 2 --out out --force -q").good();
    assert_eq!(fs::read_to_string(place.path("out/notes.md")).unwrap(), "mine");
}

#[test]
fn another_plan_and_what_is_unfinished_are_not_replaced_in_silence() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 1 --out out -q").good();
    let first = place.files("out");
    assert_snapshot!(place.cardiogram("run small.toml --seeds 2 --out out").failed(2), @r"
    error: out has the results of another plan, those of `cardiogram run small.toml --seeds 1 --out out -q`
      = help: `--force` replaces them; `--out DIR` writes elsewhere
    ");
    let again = place.cardiogram("run small.toml --seeds 1 --out out");
    assert_eq!((again.code, again.err.as_str()), (Some(0), "going on: 2 of 2 runs are finished already\n"));
    assert!(place.files("out") == first);

    // Two plans have two places.
    place.cardiogram("run small.toml --seeds 1 -q").good();
    place.cardiogram("run small.toml --seeds 2 -q").good();
    assert_eq!(fs::read_dir(place.path("cardiogram-out")).unwrap().count(), if cfg!(unix) { 3 } else { 2 });
}

#[cfg(unix)]
#[test]
fn what_a_person_names_is_written_through_links_pipes_and_devices() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 6 --engine event --out whole -q").good();
    place.cardiogram("baseline whole --out baseline.json -q").good();
    place.write("target.json", "old");
    std::os::unix::fs::symlink("target.json", place.path("link.json")).unwrap();
    place.cardiogram("baseline whole --out link.json -q").good();
    assert!(place.path("link.json").is_symlink());
    let expected = fs::read(place.path("baseline.json")).unwrap();
    assert!(fs::read(place.path("target.json")).unwrap() == expected);
    for out in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let printed = place.cardiogram(&format!("baseline whole --out {out} -q")).good();
        assert!(printed.as_bytes() == expected, "{out}");
    }
    place.cardiogram("gate whole --baseline baseline.json --junit /dev/null --summary /dev/null -q").good();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    for (command, words) in [
        ("gate whole --baseline baseline.json --junit a --summary ./a", "--junit and --summary would both write ./a"),
        (
            "gate whole --baseline baseline.json --junit baseline.json",
            "--junit would write over baseline.json, which is the baseline",
        ),
        (
            "gate whole --baseline target.json --summary link.json",
            "--summary would write over link.json, which is the baseline",
        ),
        (
            "baseline whole --out whole/runs.csv",
            "--out would write over whole/runs.csv, which is a file of the results",
        ),
    ] {
        let message = place.cardiogram(command).failed(2);
        assert!(message.contains(words), "{command}: {message}");
    }
}
