//! The findings: every world under tests/findings/ breaks the promise that it names, by the run that it records; the page
//! docs/findings.md lists these worlds and no others; and breaks that real products are known for are found anew, from the
//! preset and the promise alone.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use cardiogram::{
    check::{self, Aim, Check, Evidence, Failure, Judgement, claims, kind},
    policies::{Registry, preset},
    sim::{
        outcome::Cause,
        trace::{DeviceEvent, ServerEvent},
    },
};
use rayon::prelude::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn findings() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("tests/findings")).expect("it is part of the tree");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn every_finding_still_breaks_its_promise_by_the_same_run() {
    let findings = findings();
    assert!(findings.len() >= 50, "{} findings", findings.len());
    let wrong: Vec<String> = findings
        .par_iter()
        .filter_map(|path| match check::replay(path, &Registry::default()) {
            Ok(it) if !it.is_same_run => Some(format!("{}: its run is {} today", path.display(), it.trace_hash)),
            Ok(it) if matches!(it.judgement, Judgement::Broken(_)) => None,
            Ok(it) => Some(format!("{}: {:?}", path.display(), it.judgement)),
            Err(error) => Some(format!("{}: {error:?}", path.display())),
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "where that is meant, `cargo run --release --example findings` writes them anew:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_finding_has_three_faults_at_most() {
    for path in findings() {
        let text = fs::read_to_string(&path).expect("it can be read");
        let faults = text.matches("[[faults]]").count();
        assert!(faults <= 3, "{} has {faults} faults", path.display());
    }
}

#[test]
fn the_page_lists_these_findings_and_no_others() {
    let page = fs::read_to_string(root().join("docs/findings.md")).expect("it is part of the tree");
    let linked: BTreeSet<&str> = page
        .split("](../tests/findings/")
        .skip(1)
        .map(|rest| rest.split_once(')').expect("a link ends").0)
        .filter(|name| Path::new(name).extension().is_some_and(|it| it == "toml"))
        .collect();
    let files = findings();
    let names: BTreeSet<&str> =
        files.iter().map(|path| path.file_name().expect("it has one").to_str().expect("it is plain")).collect();
    assert_eq!(linked, names);
}

/// Holds a preset to a claim of this kind, as the findings do.
#[track_caller]
fn is_rediscovered(name: &str, promise: &str) {
    let strategy = preset::find(name).unwrap_or_else(|| panic!("{name} is a preset")).spec();
    let claim = claims(&strategy).into_iter().find(|claim| kind(claim) == promise);
    let claim = claim.unwrap_or_else(|| panic!("{name} is not held to {promise}"));
    let folder = tempfile::tempdir().expect("a folder for what is found");
    let result = cardiogram::check(strategy).promise(claim).cases(400).keep_in(folder.path()).quietly().run();
    match result {
        Err(Failure::Broken(it)) => {
            assert_eq!(it.kind(), promise);
            assert!(it.faults <= 3, "{it}");
        }
        Err(other) => panic!("{name}: {other}"),
        Ok(_) => panic!("{name} keeps {promise}"),
    }
}

macro_rules! rediscovered {
    ($($name:ident: $preset:literal breaks $promise:literal;)*) => {
        $(#[test]
        fn $name() {
            is_rediscovered($preset, $promise);
        })*
    };
}

rediscovered! {
    a_dead_way_up_behind_inbound_messages_is_found_late: "mqtt-starved" breaks "detects-within";
    jitter_that_is_gone_at_the_cap_is_found: "reconnect-socketio" breaks "jittered-waits";
    giving_up_after_42_seconds_is_found: "reconnect-signalr" breaks "ends";
    probes_that_follow_an_answered_one_late_are_found: "tcp-keepalive-windows" breaks "detects-within";
    a_beat_of_28_minutes_behind_a_nat_of_5_is_found: "chromium-gcm" breaks "nat-safe";
    an_alarm_that_never_fires_is_found: "mars-alarm-never-fires" breaks "detects-within";
    applications_that_stall_behind_a_living_kernel_are_found: "tcp-user-timeout" breaks "detects-within";
    waits_without_jitter_are_found: "reconnect-paho-java" breaks "jittered-waits";
    a_timer_that_any_traffic_puts_off_is_found: "idle-45-either" breaks "detects-within";
    intervals_below_which_no_search_goes_are_found: "mars-smart-heartbeat" breaks "learns-interval";
    waits_written_down_one_by_one_are_found: "reconnect-phoenix" breaks "jittered-waits";
}

/// On a healthy path no server closes a session whose device still holds it. What a NAT has forgotten is dead to both.
fn the_living_are_spared(evidence: &Evidence<'_>) -> Judgement {
    let expires = evidence.outcome().episodes.iter().any(|episode| episode.cause == Cause::NatExpiry);
    if expires || !evidence.is_healthy() || !evidence.bounds().steady_host {
        return Judgement::NotTested;
    }
    for (at, _, event) in evidence.server_events() {
        let ServerEvent::Reaped { device, .. } = event else { continue };
        let before = evidence.events_of(device).take_while(|(then, _)| *then <= at);
        let session = before.filter_map(|(_, event)| match event {
            DeviceEvent::Connected { .. } => Some(true),
            DeviceEvent::GivenUp { .. } | DeviceEvent::Lost { .. } => Some(false),
            _ => None,
        });
        if session.last() == Some(true) {
            return Judgement::broken(
                at,
                device,
                "a server closes no session of a client that lives",
                format!(
                    "the server closed the session of device {device} at {at} s, on a path on which nothing is wrong"
                ),
            );
        }
    }
    Judgement::Kept
}

fn spares_the_living(name: &str) -> Check {
    let strategy = preset::find(name).unwrap_or_else(|| panic!("{name} is a preset")).spec();
    cardiogram::check(strategy).own("spares-the-living", Aim::Healthy, the_living_are_spared).cases(400).quietly()
}

#[test]
fn pings_that_inbound_messages_starve_are_found() {
    let folder = tempfile::tempdir().expect("a folder for what is found");
    let Err(Failure::Broken(it)) = spares_the_living("mqtt-starved").keep_in(folder.path()).run() else {
        panic!("the broker closes no client that only listens")
    };
    assert_eq!(it.faults, 0, "{it}");
    assert!(it.text.contains("traffic = { down = "), "{it}");
    // The rule of the specification, pings by what was sent, has no such world.
    assert!(spares_the_living("mqtt-keepalive").keep_in(folder.path()).run().is_ok());
}
