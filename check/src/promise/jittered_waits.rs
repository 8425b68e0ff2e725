//! The waits before an n-th retry differ between devices. Waits that are all alike keep a crowd together that once came
//! together, however it was dispersed before; a jitter that is gone at the cap shows here first.
//!
//! Tested where at least eight devices, and half of those there are, waited for a second retry or a later one after a
//! disconnect of everyone. Who is left of a crowd after many retries is who waited alike: that says nothing.

use std::collections::BTreeMap;

use cardiogram_policies::unit::format_duration;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement, no_lock_step};

pub(super) fn judge(evidence: &Evidence<'_>, share: f64) -> Judgement {
    let waits = no_lock_step::by_number(evidence, |event| match event {
        DeviceEvent::RetryAfter(wait) => Some(wait),
        _ => None,
    });
    let crowd = no_lock_step::CROWD.max((evidence.world().devices.count as usize).div_ceil(2));
    let mut tested = false;
    for (number, waits) in waits.into_iter().filter(|(_, waits)| waits.len() >= crowd) {
        tested = true;
        let mut equal: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, wait) in &waits {
            equal.entry(*wait).or_default().push(*at);
        }
        let (wait, alike) = equal.iter().max_by_key(|(_, alike)| alike.len()).expect("there are eight at least");
        if alike.len() as f64 > share * waits.len() as f64 {
            return Judgement::broken(
                alike[0],
                None,
                format!("no more than {share} of the devices wait equally long before their n-th retry"),
                format!(
                    "{} of {} devices waited {} before retry {number}",
                    alike.len(),
                    waits.len(),
                    format_duration(*wait)
                ),
            );
        }
    }
    Judgement::kept_if(tested)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cardiogram_policies::unit::Fraction;
    use cardiogram_sim::trace::DeviceEvent;

    use crate::{
        Judgement, Promised,
        testing::{Story, connected, lost},
    };

    /// Eight devices that lose their sessions together and wait twice, the second time as long as this says.
    fn crowd(wait_ms: impl Fn(u32) -> u64) -> Story {
        let mut events: Vec<(u64, u32, DeviceEvent)> = (0..8).map(|device| (0, device, connected(1))).collect();
        events.extend((0..8).map(|device| (60_000, device, lost(1))));
        let wait = |ms| DeviceEvent::RetryAfter(Duration::from_millis(ms));
        events.extend((0..8).map(|device| (60_000, device, wait(1_000))));
        events.extend((0..8).map(|device| (61_000, device, wait(wait_ms(device)))));
        Story::of("none", "nat = { established = \"5m\" }\ndevices = { count = 8 }").told_of(&events)
    }

    #[test]
    fn the_first_waits_may_be_alike_and_the_others_may_not() {
        let half = Promised::JitteredWaits(Fraction::new(0.5).unwrap());
        crowd(|device| 2_000 + u64::from(device)).keeps(&half);
        crowd(|device| 2_000 + u64::from(device / 4)).keeps(&half);
        crowd(|device| 2_000 + u64::from(device / 5)).breaks(&half, 61);
        assert_eq!(Story::healthy("none").judge(&half), Judgement::NotTested);
    }
}
