//! After a disconnect of everyone, retries are spread: no more than a share of the devices begins its n-th retry in one
//! second. The first minute is let off: many go back soon by design, and waits of a second or two cannot spread anybody
//! over more, with whatever jitter. So is what comes after a session.
//!
//! Tested where at least eight devices made the same attempt after that minute.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::Time;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

/// How long after the disconnect retries may still be together.
const SPREADING: Duration = Duration::from_secs(60);
/// Fewer devices than this are no crowd.
pub(super) const CROWD: usize = 8;

pub(super) fn judge(evidence: &Evidence<'_>, share: f64) -> Judgement {
    let Some(disconnect) = disconnect_of_everyone(evidence) else { return Judgement::NotTested };
    let mut retries = by_number(evidence, |event| matches!(event, DeviceEvent::AttemptStarted { .. }).then_some(()));
    for times in retries.values_mut() {
        times.retain(|(at, ())| at.since(disconnect) >= SPREADING);
    }
    let most = share * f64::from(evidence.world().devices.count);
    let mut tested = false;
    for (number, mut times) in retries.into_iter().filter(|(_, times)| times.len() >= CROWD) {
        tested = true;
        times.sort_unstable();
        let times: Vec<Time> = times.into_iter().map(|(at, ())| at).collect();
        for (place, first) in times.iter().enumerate() {
            let together = times[place..].iter().take_while(|at| at.since(*first) < Duration::from_secs(1)).count();
            if together as f64 > most {
                return Judgement::broken(
                    *first,
                    None,
                    format!(
                        "from a minute after a disconnect of everyone on, no more than {share} of the devices begin their \
                         n-th retry in one second"
                    ),
                    format!(
                        "{together} devices began attempt {number} after the disconnect within a second of {first} s"
                    ),
                );
            }
        }
    }
    Judgement::kept_if(tested)
}

/// Returns what `word` makes of the events that follow the disconnect of everyone, by their number at each device (from the
/// second on), with their times. A device that has a session again is through.
pub(super) fn by_number<T>(
    evidence: &Evidence<'_>,
    word: impl Fn(DeviceEvent) -> Option<T>,
) -> BTreeMap<usize, Vec<(Time, T)>> {
    let mut numbered: BTreeMap<usize, Vec<(Time, T)>> = BTreeMap::new();
    let Some(disconnect) = disconnect_of_everyone(evidence) else { return numbered };
    for device in 0..evidence.world().devices.count {
        let later = evidence.events_of(device).filter(|(at, _)| *at >= disconnect);
        let until_back = later.take_while(|(_, event)| !matches!(event, DeviceEvent::Connected { .. }));
        let words = until_back.filter_map(|(at, event)| Some((at, word(event)?)));
        for (number, it) in (1..).zip(words).filter(|(number, _)| *number >= 2) {
            numbered.entry(number).or_default().push(it);
        }
    }
    numbered
}

/// Returns the first moment in whose following second half of the devices or more lose their sessions.
fn disconnect_of_everyone(evidence: &Evidence<'_>) -> Option<Time> {
    let is_end = |event| matches!(event, DeviceEvent::Lost { .. } | DeviceEvent::GivenUp { .. });
    let ends: Vec<Time> = evidence.device_events().filter(|(.., event)| is_end(*event)).map(|(at, ..)| at).collect();
    let half = (evidence.world().devices.count as usize).div_ceil(2).max(CROWD);
    ends.windows(half).find(|ends| ends[half - 1].since(ends[0]) < Duration::from_secs(1)).map(|ends| ends[0])
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Fraction;

    use super::*;
    use crate::{
        Promised,
        testing::{ATTEMPT, Story, connected, lost},
    };

    /// Ten devices that lose their sessions together and try twice, the second time when this says.
    fn crowd(second_ms: impl Fn(u32) -> u64) -> Story {
        let mut events: Vec<(u64, u32, DeviceEvent)> = (0..10).map(|device| (0, device, connected(1))).collect();
        events.extend((0..10).map(|device| (60_000, device, lost(1))));
        events.extend((0..10).map(|device| (60_000, device, ATTEMPT)));
        events.extend((0..10).map(|device| (second_ms(device), device, ATTEMPT)));
        Story::of("none", "nat = { established = \"5m\" }\ndevices = { count = 10 }").told_of(&events)
    }

    #[test]
    fn the_first_attempts_may_come_together_and_the_others_may_not() {
        let half = Promised::NoLockStep(Fraction::new(0.5).unwrap());
        crowd(|device| 125_000 + 1_000 * u64::from(device)).keeps(&half);
        crowd(|device| 125_000 + 1_000 * u64::from(device / 5)).keeps(&half);
        crowd(|device| 125_000 + 1_000 * u64::from(device / 6)).breaks(&half, 125);
        // Within the first minute they may be together.
        crowd(|_| 119_000).does_not_test(&half);
        // Whoever has a session again is through.
        let mut events = vec![];
        for device in 0..10 {
            events.extend([(0, device, connected(1)), (1_000, device, lost(1)), (2_000, device, ATTEMPT)]);
            events.extend([(2_500, device, connected(1)), (99_000, device, ATTEMPT)]);
        }
        events.sort_by_key(|(at, ..)| *at);
        let through = Story::of("none", "nat = { established = \"5m\" }\ndevices = { count = 10 }").told_of(&events);
        through.does_not_test(&half);
        Story::healthy("none").does_not_test(&half);
    }
}
