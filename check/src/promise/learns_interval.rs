//! A policy that looks for its interval ends up below the NAT's timeout, and not much below it. A beat is still under way, or
//! its answer, when the mapping's time begins anew, so that an interval may be a round trip longer than the timeout.
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
        if interval > timeout + evidence.bounds().rtt_max || interval + step.get() < best {
            return Judgement::broken(
                evidence.end(),
                device,
                format!(
                    "after {after} the interval is no longer than the NAT's timeout and a round trip, and within {step} of it or \
                     of {longest}, whichever is less"
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cardiogram_policies::unit::Span;
    use cardiogram_sim::outcome::Learning;

    use super::*;
    use crate::{Promised, testing::Story};

    /// Returns what a NAT of five minutes taught.
    fn learnt(interval_s: Option<u64>) -> Story {
        let mut story = Story::healthy("none");
        let (interval, nat_timeout) = (interval_s.map(Duration::from_secs), Some(Duration::from_secs(300)));
        story.outcome.learning = vec![Learning { interval, nat_timeout }];
        story
    }

    fn within(longest_s: u64, after_s: u64) -> Promised {
        Promised::LearnsInterval(Learns {
            step: Span::secs(30),
            longest: Span::secs(longest_s),
            after: Span::secs(after_s),
        })
    }

    #[test]
    fn it_is_below_the_timeout_and_not_far_below() {
        learnt(Some(270)).keeps(&within(3_600, 3_600));
        learnt(Some(301)).breaks(&within(3_600, 3_600), 3_600);
        let mut late = learnt(None);
        late.outcome.learning[0].interval = Some(Duration::from_millis(300_080));
        late.keeps(&within(3_600, 3_600));
        late.outcome.learning[0].interval = Some(Duration::from_millis(300_081));
        late.breaks(&within(3_600, 3_600), 3_600);
        learnt(Some(269)).breaks(&within(3_600, 3_600), 3_600);
        // The longest that it uses may be shorter than the best.
        learnt(Some(150)).keeps(&within(180, 3_600));
        learnt(None).does_not_test(&within(3_600, 3_600));
        learnt(Some(20)).does_not_test(&within(3_600, 3_601));
    }
}
