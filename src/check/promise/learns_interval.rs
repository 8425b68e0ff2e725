//! A policy that looks for its interval ends up below the NAT's timeout, and not much below it.
//!
//! Tested by runs that are long enough, on paths on which nothing else is wrong.

use cardiogram_policies::unit::format_duration;
use cardiogram_scenarios::replay::Learns;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>, how_well: Learns) -> Judgement {
    let Learns { step, longest, after } = how_well;
    if evidence.world().duration < after.get() || !evidence.is_healthy() {
        return Judgement::NotTested;
    }
    let mut tested = false;
    for (device, learnt) in (0..).zip(&evidence.outcome().learning) {
        let Some((interval, timeout)) = learnt.interval.zip(learnt.nat_timeout) else { continue };
        tested = true;
        let best = timeout.min(longest.get());
        if interval > timeout || interval + step.get() < best {
            return Judgement::broken(
                evidence.end(),
                device,
                format!(
                    "after {after} the interval is at most the NAT's timeout, and within {step} of it or of {longest}, \
                     whichever is less"
                ),
                format!(
                    "device {device} beats every {}, and the NAT forgets after {}",
                    format_duration(interval),
                    format_duration(timeout)
                ),
            );
        }
    }
    Judgement::kept_if(tested)
}
