//! A broken promise in words: what was promised, what happened, and the last that the device did and met before.

use std::{fmt::Write as _, time::Duration};

use cardiogram_policies::Time;
use cardiogram_sim::{
    Outcome,
    trace::{Entry, Fact, NatEvent, What},
};

use super::promise::Breach;

/// How many lines lead up to the break.
const LINES: usize = 16;
/// What a picture shows before and after them, at least.
const MARGIN: Duration = Duration::from_secs(5);

/// Returns the explanation, several lines.
pub(crate) fn explain(breach: &Breach, outcome: &Outcome) -> String {
    let mut text = format!("promised: {}\nhappened: {}\n", breach.promised, breach.happened);
    let whose = breach.device.map_or_else(|| "of all devices".to_owned(), |device| format!("of device {device}"));
    writeln!(text, "the last {whose} up to {} s:", breach.at).expect("strings take everything");
    for (at, line) in lines(breach, outcome) {
        writeln!(text, "{:>16}  {line}", at.to_string()).expect("strings take everything");
    }
    text
}

/// Returns the part of a run, which ends at `end`, that the explanation tells: from its first line, and a little beyond the
/// break.
pub(crate) fn shown(breach: &Breach, outcome: &Outcome, end: Time) -> (Time, Time) {
    let from = lines(breach, outcome).first().map_or(Time::ZERO, |(at, _)| *at);
    // Whole seconds, with some room.
    let second = |at: Time| Duration::from_secs(at.as_micros() / 1_000_000);
    let from = Time::ZERO + second(from).saturating_sub(MARGIN);
    (from, (Time::ZERO + second(breach.at) + 2 * MARGIN).min(end))
}

/// Returns what the device did, what became of its mappings, and what went wrong around it; packets are for `cardiogram trace`.
fn lines(breach: &Breach, outcome: &Outcome) -> Vec<(Time, String)> {
    let trace = outcome.trace.as_ref().expect("explained runs keep their record");
    let concerns = |device: u32| breach.device.is_none_or(|of| of == device);
    let tells = |entry: &&Entry| match &entry.what {
        What::Fact(Fact::Device { device, .. }) => concerns(*device),
        What::Fact(Fact::Nat { device, event, .. }) => concerns(*device) && !matches!(event, NatEvent::Created { .. }),
        _ => false,
    };
    let events = trace.entries.iter().filter(tells).map(|entry| (entry.at, trace.words(entry)));
    let faults = trace.fault_lines();
    let faults = faults.into_iter().filter(|(_, fault, _)| fault.device.is_none_or(concerns));
    let mut lines: Vec<(Time, String)> = faults.map(|(at, _, line)| (at, line)).chain(events).collect();
    lines.retain(|(at, _)| *at <= breach.at);
    // Stable: what goes wrong at a moment stands before what is done about it.
    lines.sort_by_key(|(at, _)| *at);
    lines.split_off(lines.len().saturating_sub(LINES))
}
