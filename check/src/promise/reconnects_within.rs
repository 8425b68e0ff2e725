//! Heal, then converge: once nothing is wrong any more, every device whose session broke has a usable one within a time. Two
//! promises say so: how soon a policy is back, and that it is back at all.
//!
//! Tested by worlds in which everything that goes wrong has an end that is known, followed by at least that time.

use std::time::Duration;

use cardiogram_policies::{Time, unit::format_duration};

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>, within: Duration) -> Judgement {
    let promised =
        || format!("once nothing is wrong any more, every device is connected within {}", format_duration(within));
    back_by(evidence, within, promised)
}

pub(super) fn judge_end(evidence: &Evidence<'_>, within: Duration) -> Judgement {
    let promised = || {
        format!(
            "no device is stuck for ever: once nothing is wrong any more, each is connected in the end ({} were waited)",
            format_duration(within)
        )
    };
    back_by(evidence, within, promised)
}

fn back_by(evidence: &Evidence<'_>, within: Duration, promised: impl FnOnce() -> String) -> Judgement {
    let Some(healed) = evidence.healed() else { return Judgement::NotTested };
    let due = healed + within;
    if due > evidence.end() {
        return Judgement::NotTested;
    }
    let episodes = evidence.outcome().episodes.iter().map(|it| (it.device, it.begin, it.end));
    let false_alarms = evidence.outcome().false_alarms.iter().map(|it| (it.device, it.at, it.end));
    let mut tested = false;
    for (device, begin, end) in episodes.chain(false_alarms).filter(|(_, begin, _)| *begin <= healed) {
        tested = true;
        if end.is_none_or(|end| end > due) {
            return Judgement::broken(due, device, promised(), happened(device, begin, healed, end));
        }
    }
    Judgement::kept_if(tested)
}

fn happened(device: u32, begin: Time, healed: Time, end: Option<Time>) -> String {
    let back = end.map_or_else(
        || "was not back when the run ended".to_owned(),
        |end| format!("was back {} later", format_duration(end.since(healed))),
    );
    format!("device {device} lost its session at {begin} s, all was well from {healed} s on, and it {back}")
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;
    use cardiogram_sim::outcome::Cause;

    use crate::{Promised, testing::Story};

    /// Returns a cut from 600 s to 660 s, and when the device was back.
    fn back(end: Option<u64>) -> Story {
        Story::cut("none", ", lasts = \"1m\"").broke(Cause::Cut, 600, Some(601), end)
    }

    #[test]
    fn the_time_runs_from_when_all_is_well_again() {
        for promise in [Promised::ReconnectsWithin(Span::secs(30)), Promised::Ends(Span::secs(30))] {
            back(Some(690)).keeps(&promise);
            back(Some(691)).breaks(&promise, 690);
            back(None).breaks(&promise, 690);
            Story::cut("none", "").broke(Cause::Cut, 600, None, None).does_not_test(&promise);
            Story::healthy("netease-30-15").does_not_test(&promise);
        }
        // The run is over before it is due.
        back(None).does_not_test(&Promised::ReconnectsWithin(Span::secs(2_941)));
    }
}
