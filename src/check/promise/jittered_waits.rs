//! The waits before an n-th retry differ between devices. Waits that are all alike keep a crowd together that once came
//! together, however it was dispersed before; a jitter that is gone at the cap shows here first.
//!
//! Tested where at least eight devices waited for a second retry or a later one after a disconnect of everyone.

use std::collections::BTreeMap;

use cardiogram_policies::unit::format_duration;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement, no_lock_step};

pub(super) fn judge(evidence: &Evidence<'_>, share: f64) -> Judgement {
    let waits = no_lock_step::by_number(evidence, |event| match event {
        DeviceEvent::RetryAfter(wait) => Some(wait),
        _ => None,
    });
    let mut tested = false;
    for (number, waits) in waits.into_iter().filter(|(_, waits)| waits.len() >= no_lock_step::CROWD) {
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
