//! The findings: every world under tests/findings/ breaks the promise that it names, by the run that it records; they are those
//! of today's presets, each with its reason; and breaks that real products are known for are found anew, from the preset and
//! the promise alone. The page of them is the business of `findings_page`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use cardiogram::{
    check::{Aim, Check, Counterexample, Evidence, Failure, Judgement, Promised, claims, judge, kind, replay},
    policies::{Registry, preset, unit::Span},
    scenarios::load,
    sim::outcome::Cause,
};
use kit::findings::{Held, Verdict, digest, file};
use rayon::prelude::*;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/findings")
}

/// Returns what came of holding the presets to their claims.
pub(crate) fn held() -> Vec<Held> {
    kit::findings::read(&fs::read_to_string(folder().join("held.csv")).expect("it is part of the tree"))
}

/// Why presets break promises.
pub(crate) struct Reason<'a> {
    /// Their names, with blanks between.
    pub(crate) presets: &'a str,
    /// The promises, with blanks between: all of these presets break each of them.
    pub(crate) promises: &'a str,
    /// Where somebody has read it; `=`: the preset's own source.
    pub(crate) source: &'a str,
    pub(crate) why: &'a str,
}

impl Reason<'_> {
    pub(crate) fn is_about(&self, preset: &str, promise: &str) -> bool {
        self.presets.split(' ').any(|name| name == preset) && self.promises.split(' ').any(|name| name == promise)
    }
}

/// Returns the lines of `presets;promises;source;why`.
pub(crate) fn reasons(explained: &str) -> Vec<Reason<'_>> {
    let reason = |line| {
        let parts: Vec<&str> = str::splitn(line, 4, ';').collect();
        let [presets, promises, source, why] = parts[..] else { panic!("not four parts: {line}") };
        Reason { presets, promises, source, why }
    };
    explained.lines().skip(1).map(reason).collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("it has one").to_string_lossy().into_owned()
}

fn findings() -> Vec<PathBuf> {
    let files = fs::read_dir(folder()).expect("it is part of the tree");
    let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("it can be read").path()).collect();
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
        .filter_map(|path| match replay(path, &Registry::default()) {
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

/// A preset that has changed has to be held to its claims anew.
#[test]
fn the_findings_are_those_of_todays_presets() {
    let held = held();
    let today: Vec<&str> = preset::all().iter().map(|preset| preset.name).collect();
    assert_eq!(held.iter().map(|it| it.preset.as_str()).collect::<Vec<_>>(), today);
    let mut changed = Vec::new();
    let mut broken = BTreeSet::new();
    for (it, preset) in held.iter().zip(preset::all()) {
        let spec = preset.spec();
        let claimed: BTreeSet<&str> = claims(&spec).iter().map(kind).collect();
        if it.strategy != digest(&spec) || it.verdicts.keys().map(String::as_str).collect::<BTreeSet<_>>() != claimed {
            changed.push(preset.name);
        }
        let of_preset = it.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Broken);
        broken.extend(of_preset.map(|(claim, _)| file(&it.preset, claim)));
    }
    assert!(changed.is_empty(), "to hold them anew: cargo run --release --example findings -- {}", changed.join(" "));
    let files: BTreeSet<String> = findings().iter().map(|path| name(path)).collect();
    assert_eq!(broken, files);
}

/// Holds a preset to a claim of this kind, as the findings do.
#[track_caller]
fn is_rediscovered(name: &str, promise: &str) -> Counterexample {
    let strategy = preset::find(name).unwrap_or_else(|| panic!("{name} is a preset")).spec();
    let claim = claims(&strategy).into_iter().find(|claim| kind(claim) == promise);
    let claim = claim.unwrap_or_else(|| panic!("{name} is not held to {promise}"));
    let folder = tempfile::tempdir().expect("a folder for what is found");
    let result = Check::of(strategy).promise(claim).cases(400).keep_in(folder.path()).quietly().run();
    match result {
        Err(Failure::Broken(it)) => {
            assert_eq!(it.kind(), promise);
            assert!(it.faults <= 3, "{it}");
            *it
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
    pings_that_come_too_often_for_a_server_are_found: "grpc-too-many-pings" breaks "no-false-kill";
    a_first_beat_that_comes_twice_as_late_is_found: "rabbitmq-amqp-pre-3-7-11" breaks "no-false-alarm";
    jitter_that_is_drawn_once_per_process_is_found: "reconnect-rws-pladaria" breaks "jittered-waits";
}

#[test]
fn pings_that_inbound_messages_starve_are_found() {
    let found = is_rediscovered("mqtt-starved", "no-false-kill");
    assert_eq!(found.faults, 0, "{found}");
    // What the server pushes, or how it answers what the client says.
    assert!(found.text.contains("traffic = { "), "{found}");
    // The rule of the specification, pings by what was sent, has no such world.
    let folder = tempfile::tempdir().expect("a folder for what is found");
    let strategy = preset::find("mqtt-keepalive").expect("a preset").spec();
    let check = Check::of(strategy).promise(Promised::NoFalseKill).cases(600).quietly();
    assert!(check.keep_in(folder.path()).run().is_ok());
}

#[test]
fn probes_that_wait_while_data_is_unacknowledged_are_found() {
    let strategy = preset::find("whatsapp-tcp-10s").expect("a preset").spec();
    // Nine probes 75 s apart, and 75 s more, since an answered one is followed by the next after that time.
    let within = Promised::DetectsWithin(Span::secs(10 + 10 * 75 + 1));
    let judged = within.clone();
    // An application that stalls is another story: its kernel goes on answering.
    let dead_path = move |evidence: &Evidence<'_>| {
        let stalls = evidence.outcome().episodes.iter().any(|episode| episode.cause == Cause::ServerStall);
        if stalls { Judgement::NotTested } else { judge(&judged, evidence) }
    };
    let folder = tempfile::tempdir().expect("a folder for what is found");
    let aim = Aim::BreaksFor { lasts: Duration::from_secs(1_200) };
    let check = Check::of(strategy).own("probes", aim, dead_path).cases(400).quietly();
    let Err(Failure::Broken(it)) = check.keep_in(folder.path()).run() else { panic!("the probes do not wait") };
    // Without data they find it in time.
    assert!(it.text.contains("traffic = { up = ") || it.text.contains("traffic = { down = "), "{it}");
    assert_eq!(it.faults, 1, "{it}");
}

#[test]
fn a_timeout_below_the_peers_interval_is_warned_of_before_any_world() {
    let preset = preset::find("signalr-15-30").expect("a preset");
    let hasty = preset.toml.replace("judge.silence.limit = \"30s\"", "judge.silence.limit = \"14s\"");
    let hasty = load::parse_strategy("hasty", &hasty, &Registry::default()).expect("products ship such numbers");
    let told = hasty.short_lived();
    let [warning] = &told[..] else { panic!("it gives up for ever: {told:?}") };
    assert!(
        warning.message.contains("14s") && warning.message.contains("`server.pings.interval` lets 15s pass"),
        "{warning:?}"
    );
    assert!(warning.help.contains("use more than \"15s\", twice as much to be safe"), "{warning:?}");
}

#[test]
fn every_break_has_its_reason_and_every_reason_its_break() {
    let text = fs::read_to_string(folder().join("explained.csv")).expect("it is part of the tree");
    let reasons = reasons(&text);
    let mut explained: Vec<String> = Vec::new();
    for Reason { presets, promises, source, why } in &reasons {
        assert!(!source.is_empty() && !why.is_empty() && !why.ends_with('.'), "{presets}: {why}");
        for preset in presets.split(' ') {
            explained.extend(promises.split(' ').map(|promise| file(preset, promise)));
        }
    }
    let mut once = explained.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), explained.len(), "a break is explained once");
    let found: Vec<String> = findings().iter().map(|path| name(path)).collect();
    let missing: Vec<&String> = found.iter().filter(|it| !explained.contains(it)).collect();
    let stale: Vec<&String> = explained.iter().filter(|it| !found.contains(it)).collect();
    assert!(missing.is_empty() && stale.is_empty(), "without a reason: {missing:#?}\nnot found: {stale:#?}");
}
