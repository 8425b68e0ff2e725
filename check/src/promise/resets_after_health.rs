//! Waits begin anew only after a session has proved its health: where sessions end soon after they began, attempts stay few.
//! A policy that counts every welcome as a success goes in circles at its shortest wait around a server that accepts and
//! closes.
//!
//! Tested by three sessions in a row of one device that ended before they had proved anything.

use cardiogram_policies::{Time, unit::format_duration};
use cardiogram_scenarios::replay::Health;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

/// Fewer short sessions in a row than this are bad luck.
const IN_A_ROW: u32 = 3;

pub(super) fn judge(evidence: &Evidence<'_>, health: Health) -> Judgement {
    let (most, window) = (health.count as usize, health.window.get());
    let mut tested = false;
    for device in 0..evidence.world().devices.count {
        let mut since: Option<Time> = None;
        let mut short = 0;
        // Attempts since the last session that was healthy.
        let mut attempts: Vec<Time> = Vec::new();
        for (at, event) in evidence.events_of(device) {
            match event {
                DeviceEvent::AttemptStarted { .. } => attempts.push(at),
                DeviceEvent::Connected { .. } => since = Some(at),
                // What the policy remembers is gone with the process.
                DeviceEvent::Killed => (since, short) = (None, 0),
                DeviceEvent::GivenUp { .. } | DeviceEvent::Lost { .. } => {
                    let Some(begin) = since.take() else { continue };
                    if at.since(begin) < health.uptime.get() {
                        short += 1;
                    } else {
                        short = 0;
                        attempts.clear();
                    }
                }
                _ => {}
            }
            tested |= short >= IN_A_ROW;
            let Some(first) = attempts.len().checked_sub(most + 1).filter(|_| short >= IN_A_ROW) else { continue };
            if at.since(attempts[first]) < window {
                return Judgement::broken(
                    at,
                    device,
                    format!(
                        "after sessions that end within {} there are at most {most} attempts in {}",
                        health.uptime,
                        format_duration(window)
                    ),
                    format!(
                        "device {device} had {short} such sessions in a row, and began {} attempts from {} s to {at} s",
                        most + 1,
                        attempts[first]
                    ),
                );
            }
        }
    }
    Judgement::kept_if(tested)
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;

    use super::*;
    use crate::{
        Promised,
        testing::{ATTEMPT, Story, connected, lost},
    };

    const FEW: Promised =
        Promised::ResetsAfterHealth(Health { uptime: Span::secs(5), count: 3, window: Span::secs(60) });

    /// Returns `count` sessions that begin `apart` seconds from each other, each of which lasts `lasts` seconds.
    fn sessions(apart: u64, lasts: u64, count: u64) -> Story {
        let of = |number: u64| {
            let at = apart * number;
            [(at, ATTEMPT), (at + 1, connected(1)), (at + 1 + lasts, lost(1))]
        };
        Story::healthy("none").told(&(0..count).flat_map(of).collect::<Vec<_>>())
    }

    #[test]
    fn attempts_stay_few_while_sessions_prove_nothing() {
        sessions(10, 2, 6).breaks(&FEW, 30);
        sessions(30, 2, 6).keeps(&FEW);
        // Healthy ones may come as often as they like.
        sessions(10, 6, 6).does_not_test(&FEW);
        sessions(10, 2, 2).does_not_test(&FEW);
    }

    #[test]
    fn who_starts_anew_remembers_nothing() {
        let mut events = vec![];
        for at in [0, 10, 20, 30, 40] {
            events.extend([(at, ATTEMPT), (at + 1, connected(1)), (at + 3, DeviceEvent::Killed)]);
        }
        Story::healthy("none").told(&events).does_not_test(&FEW);
    }
}
