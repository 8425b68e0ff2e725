//! A break that lasts is noticed within a time of its begin.
//!
//! Tested by every episode that struck a session whose path had been well since it began, and that nothing mends within the
//! time: only then has the policy no reason to wait. What a broken path delayed may arrive later than anything a healthy
//! one carries, and feed a judge that takes it for a sign of life. Whoever leaves a session on purpose has nothing to notice.

use std::time::Duration;

use cardiogram_policies::{Time, unit::format_duration};
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>, within: Duration) -> Judgement {
    let mut tested = false;
    for episode in &evidence.outcome().episodes {
        let due = episode.begin + within;
        if due > evidence.end() || !evidence.breaks_a_healthy_session(episode, within) {
            continue;
        }
        let noticed = episode.detection.map(|detection| detection.at);
        if noticed.is_none() && has_left(evidence, episode.device, episode.begin, due) {
            // On purpose, as it would have without a break: there was nothing left to notice.
            continue;
        }
        tested = true;
        if noticed.or(episode.end).is_none_or(|over| over > due) {
            let device = episode.device;
            let what = noticed.map_or_else(
                || "nobody noticed before the end of the run".to_owned(),
                |at| format!("it was noticed {} later", format_duration(at.since(episode.begin))),
            );
            return Judgement::broken(
                due,
                device,
                format!("a break that lasts is noticed within {}", format_duration(within)),
                format!(
                    "the session of device {device} broke at {} s ({}), and {what}",
                    episode.begin,
                    episode.cause.name()
                ),
            );
        }
    }
    Judgement::kept_if(tested)
}

/// Returns whether a device gave its connection up from `begin` to `due`.
fn has_left(evidence: &Evidence<'_>, device: u32, begin: Time, due: Time) -> bool {
    let is_left = |event| matches!(event, DeviceEvent::GivenUp { .. });
    evidence.events_of(device).any(|(at, event)| is_left(event) && (begin..=due).contains(&at))
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;
    use cardiogram_sim::outcome::Cause;

    use crate::{
        Promised,
        testing::{Story, connected},
    };

    const WITHIN: Promised = Promised::DetectsWithin(Span::secs(45));

    /// Returns a link that is cut at ten minutes, and when that was noticed or over.
    fn cut(lasts: &str, noticed: Option<u64>, end: Option<u64>) -> Story {
        Story::cut("none", lasts).told(&[(0, connected(1))]).broke(Cause::Cut, 600, noticed, end)
    }

    #[test]
    fn a_break_that_lasts_is_due_and_one_that_mends_is_not() {
        cut("", Some(645), None).keeps(&WITHIN);
        cut("", Some(646), None).breaks(&WITHIN, 645);
        cut("", None, None).breaks(&WITHIN, 645);
        cut(", lasts = \"30s\"", None, Some(700)).does_not_test(&WITHIN);
        cut(", lasts = \"46s\"", None, Some(700)).breaks(&WITHIN, 645);
    }

    #[test]
    fn a_session_that_began_on_a_broken_path_and_a_run_that_ends_too_soon_say_nothing() {
        let late = Story::cut("none", "").told(&[(605, connected(1))]).broke(Cause::Cut, 610, None, None);
        late.does_not_test(&WITHIN);
        let short = Promised::DetectsWithin(Span::secs(3_001));
        cut("", None, None).does_not_test(&short);
        Story::healthy("netease-30-15").does_not_test(&WITHIN);
    }
}
