//! Where nothing can be written: every command that writes says so, names the file, and leaves what was there before.

use std::path::Path;

use kit::place;

/// A folder in which nobody can make a file, whatever his rights.
const READ_ONLY: &str = "/proc";

#[test]
fn every_command_that_writes_says_what_it_cannot_write() {
    if !Path::new(READ_ONLY).is_dir() {
        eprintln!("skipped: there is no {READ_ONLY} here");
        return;
    }
    let place = place!();
    place.cardiogram("run small.toml --seeds 5 -q").good();
    place.cardiogram("baseline cardiogram-out/latest --out baseline.json -q").good();
    let before = place.files(".");
    for command in [
        "run small.toml --seeds 1 --out /proc/cardiogram",
        "merge cardiogram-out/latest --out /proc/cardiogram",
        "baseline cardiogram-out/latest --out /proc/baseline.json",
        "gate cardiogram-out/latest --baseline baseline.json --junit /proc/junit.xml -q",
        "gate cardiogram-out/latest --baseline baseline.json --summary /proc/summary.md -q",
        "trace small.toml --strategy none --json /proc/trace.json",
        "trace small.toml --strategy none --pcap /proc/trace.pcapng",
        "trace small.toml --strategy none --perfetto /proc/trace.perfetto",
        "trace small.toml --strategy none --timeline /proc/strip.svg",
    ] {
        let done = place.cardiogram(command);
        assert_eq!(done.code, Some(2), "{command}: {}", done.err);
        assert!(done.err.starts_with("error: ") && done.err.contains("/proc/"), "{command}: {}", done.err);
    }
    assert!(place.files(".") == before, "nothing that was there has changed");
}

#[test]
fn results_of_another_version_are_read_where_they_can_be_and_refused_where_they_would_mislead() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 1 -q").good();
    place.cardiogram("baseline cardiogram-out/latest --out baseline.json -q").good();
    let manifest = std::fs::read_to_string(place.path("cardiogram-out/latest/manifest.json")).unwrap();
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    place.write("cardiogram-out/latest/manifest.json", manifest.replacen(version, "\"version\": \"0.0.1\"", 1));
    // The report reads columns by name.
    place.cardiogram("report cardiogram-out/latest -q").good();
    let before = place.files("cardiogram-out/latest");
    // To join or to compare results of different programs would mix what was measured differently.
    for command in ["merge cardiogram-out/latest --out merged", "gate cardiogram-out/latest --baseline baseline.json"] {
        let message = place.cardiogram(command).failed(2);
        assert!(message.contains("0.0.1"), "{command}: {message}");
    }
    assert!(place.files("cardiogram-out/latest") == before);
}
