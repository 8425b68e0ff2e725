//! Whether a run kept what its strategy promised. What worlds the promises are held against is the tests' business.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{AttemptLimit, Promises, Time};
use cardiogram_sim::{
    Outcome,
    trace::{DeviceEvent, ServerEvent},
};

use super::{device_events, server_events};

/// The error tells what was broken and by what.
pub type Kept = Result<(), String>;

fn ensure(is_kept: bool, broken: impl FnOnce() -> String) -> Kept {
    if is_kept { Ok(()) } else { Err(broken()) }
}

/// Promise: a connection on a healthy path is never given up.
pub fn raises_no_alarm(outcome: &Outcome) -> Kept {
    ensure(outcome.false_alarms.is_empty(), || format!("false alarms: {:?}", outcome.false_alarms))
}

/// Promise: a permanent break is noticed within a time. It is held against those that began by `until`.
pub fn notices(outcome: &Outcome, until: Time, within: Duration) -> Kept {
    outcome.episodes.iter().filter(|episode| episode.begin <= until).try_for_each(|episode| {
        let over = episode.detection.map(|detection| detection.at).or(episode.end);
        let is_kept = over.is_some_and(|over| over.since(episode.begin) <= within);
        ensure(is_kept, || format!("{episode:?}, promised to be noticed within {within:?}"))
    })
}

/// Promise: once everything is well for good, which it is at `healed`, there is a session within a time.
pub fn is_back(outcome: &Outcome, healed: Time, within: Duration) -> Kept {
    outcome.episodes.iter().filter(|episode| episode.begin <= healed).try_for_each(|episode| {
        let back = episode.end.map(|end| end.since(healed));
        let is_kept = back.is_some_and(|back| back <= within);
        ensure(is_kept, || format!("{episode:?}, healed at {healed}, promised to be over within {within:?}"))
    })
}

/// Promise: so many heartbeats in an hour of a connection, so many connection attempts in a window. Needs the record.
pub fn spends_no_more(outcome: &Outcome, devices: u32, promises: &Promises) -> Kept {
    (0..devices).try_for_each(|device| {
        attempts_are_spread(outcome, device, promises.attempts)?;
        heartbeats_are_few(outcome, device, promises.heartbeats_per_hour)
    })
}

fn attempts_are_spread(outcome: &Outcome, device: u32, limit: Option<AttemptLimit>) -> Kept {
    let Some(AttemptLimit { count, window }) = limit else { return Ok(()) };
    let is_attempt = |event| matches!(event, DeviceEvent::AttemptStarted { .. });
    let attempts: Vec<Time> =
        device_events(outcome).filter(|it| it.1 == device && is_attempt(it.2)).map(|(at, ..)| at).collect();
    let most = count as usize;
    let crowded = attempts.windows(most + 1).find(|times| times[most].since(times[0]) < window);
    ensure(crowded.is_none(), || format!("promised {most} attempts in {window:?}, but {crowded:?}"))
}

/// Within one connection: a new one begins its own grid.
fn heartbeats_are_few(outcome: &Outcome, device: u32, most: Option<u32>) -> Kept {
    let Some(most) = most else { return Ok(()) };
    let mut beats: Vec<Time> = Vec::new();
    for (at, _, event) in device_events(outcome).filter(|(_, of, _)| *of == device) {
        match event {
            DeviceEvent::Connected { .. } => beats.clear(),
            DeviceEvent::HeartbeatSent { .. } | DeviceEvent::NoticeSent => beats.push(at),
            _ => continue,
        }
        // One more than promised, of which this is the last.
        if let Some(first) = beats.len().checked_sub(most as usize + 1) {
            let took = at.since(beats[first]);
            ensure(took >= Duration::from_hours(1), || format!("more than {most} heartbeats in {took:?} up to {at}"))?;
        }
    }
    Ok(())
}

/// Promise of a server's policy: the session of a client that is silent from `begin` on is closed within a time. Needs the
/// record.
pub fn reaps(outcome: &Outcome, begin: Time, within: Duration) -> Kept {
    let mut open = BTreeMap::new();
    for (at, event) in server_events(outcome).take_while(|(at, _)| *at <= begin + within) {
        match event {
            ServerEvent::SessionOpened { device, outside, .. } if at <= begin => _ = open.insert((device, outside), at),
            ServerEvent::SessionClosed { device, outside, .. } => _ = open.remove(&(device, outside)),
            _ => {}
        }
    }
    ensure(open.is_empty(), || format!("open {within:?} after the cut at {begin}, as device, port, begin: {open:?}"))
}
