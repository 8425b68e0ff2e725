//! A device begins at most a given number of connection attempts in any window of a given length.
//!
//! Wake-ups of a push service begin attempts that no policy asked for: worlds that have one test nothing.

use cardiogram_policies::{Time, unit::format_duration};
use cardiogram_scenarios::replay::Attempts;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>, limit: Attempts) -> Judgement {
    if evidence.world().wakeup.is_some() {
        return Judgement::NotTested;
    }
    let (most, window) = (limit.count as usize, limit.window.get());
    let mut tested = false;
    for device in 0..evidence.world().devices.count {
        let attempts = attempts_of(evidence, device);
        // The first one is no retry: one alone says nothing.
        tested |= attempts.len() > 1;
        if let Some(crowd) = attempts.windows(most + 1).find(|times| times[most].since(times[0]) < window) {
            return Judgement::broken(
                crowd[most],
                device,
                format!("at most {most} connection attempts in {}", format_duration(window)),
                format!("device {device} began {} from {} s to {} s", most + 1, crowd[0], crowd[most]),
            );
        }
    }
    Judgement::kept_if(tested)
}

/// Returns when a device began to connect.
pub(super) fn attempts_of(evidence: &Evidence<'_>, device: u32) -> Vec<Time> {
    let is_attempt = |event| matches!(event, DeviceEvent::AttemptStarted { .. });
    evidence.events_of(device).filter(|(_, event)| is_attempt(*event)).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;

    use super::*;
    use crate::{
        Promised,
        testing::{ATTEMPT, Story},
    };

    const LIMIT: Promised = Promised::AttemptsWithin(Attempts { count: 2, window: MINUTE });
    const MINUTE: Span = Span::secs(60);

    #[test]
    fn the_window_is_half_open_and_one_attempt_alone_says_nothing() {
        let told =
            |times: &[u64]| Story::healthy("none").told(&times.iter().map(|at| (*at, ATTEMPT)).collect::<Vec<_>>());
        told(&[0, 30, 59]).breaks(&LIMIT, 59);
        told(&[0, 30, 60, 90]).keeps(&LIMIT);
        told(&[0]).does_not_test(&LIMIT);
        // Each device has its own.
        let two = "nat = { established = \"5m\" }\ndevices = { count = 2 }";
        let alternating = [(0, 0, ATTEMPT), (1_000, 1, ATTEMPT), (2_000, 0, ATTEMPT), (3_000, 1, ATTEMPT)];
        Story::of("none", two).told_of(&alternating).keeps(&LIMIT);
    }
}
