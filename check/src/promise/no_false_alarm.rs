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

#[cfg(test)]
mod tests {
    use cardiogram_policies::{GiveUp, Time};
    use cardiogram_sim::outcome::{DetectedBy, FalseAlarm};

    use crate::{Promised, testing::Story};

    #[test]
    fn one_alarm_on_a_healthy_path_is_one_too_many() {
        Story::healthy("netease-30-15").keeps(&Promised::NoFalseAlarm);
        let alarm =
            FalseAlarm { device: 0, at: Time::from_secs(77), by: DetectedBy::Heartbeat(GiveUp::NoReply), end: None };
        let mut alarmed = Story::healthy("netease-30-15");
        alarmed.outcome.false_alarms = vec![alarm];
        alarmed.breaks(&Promised::NoFalseAlarm, 77);
        let mut cut = Story::cut("netease-30-15", ", lasts = \"1m\"");
        cut.outcome.false_alarms = vec![alarm];
        cut.does_not_test(&Promised::NoFalseAlarm);
        let mut nobody = Story::healthy("netease-30-15");
        nobody.outcome.totals.sessions = 0;
        nobody.does_not_test(&Promised::NoFalseAlarm);
    }
}
