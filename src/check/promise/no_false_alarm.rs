//! On a path on which nothing is ever wrong, no usable session is given up.

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>) -> Judgement {
    if !evidence.is_healthy() {
        return Judgement::NotTested;
    }
    let promised = "a session on a healthy path is never given up";
    match evidence.outcome().false_alarms.first() {
        None => Judgement::kept_if(evidence.outcome().totals.sessions > 0),
        Some(alarm) => Judgement::broken(
            alarm.at,
            alarm.device,
            promised,
            format!("device {} gave a usable session up at {} s ({})", alarm.device, alarm.at, alarm.by),
        ),
    }
}
