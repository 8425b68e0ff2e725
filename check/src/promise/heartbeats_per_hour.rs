//! A device sends at most a given number of heartbeats in any hour of one connection. A new connection begins its own count.

use std::time::Duration;

use cardiogram_policies::Time;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn judge(evidence: &Evidence<'_>, most: u32) -> Judgement {
    let mut tested = false;
    for device in 0..evidence.world().devices.count {
        let mut beats: Vec<Time> = Vec::new();
        for (at, event) in evidence.events_of(device) {
            match event {
                DeviceEvent::Connected { .. } => {
                    beats.clear();
                    // To send none is to keep this on any connection.
                    tested |= most == 0;
                }
                DeviceEvent::HeartbeatSent { .. } | DeviceEvent::NoticeSent => {
                    beats.push(at);
                    tested = true;
                }
                _ => continue,
            }
            // One more than promised, of which this is the last.
            let Some(first) = beats.len().checked_sub(most as usize + 1) else { continue };
            let took = at.since(beats[first]);
            if took < HOUR {
                return Judgement::broken(
                    at,
                    device,
                    format!("at most {most} heartbeats in an hour of a connection"),
                    format!("device {device} sent {} in the {} s up to {at} s", most + 1, took.as_secs_f64()),
                );
            }
        }
    }
    Judgement::kept_if(tested)
}

#[cfg(test)]
mod tests {
    use crate::{
        Promised,
        testing::{BEAT, Story, connected, lost},
    };

    const TWO: Promised = Promised::HeartbeatsPerHour(2);

    #[test]
    fn each_connection_has_its_own_count() {
        let healthy = || Story::healthy("none");
        healthy().told(&[(0, connected(1)), (10, BEAT), (1_800, BEAT), (3_599, BEAT)]).breaks(&TWO, 3_599);
        let two = [(0, connected(1)), (10, BEAT), (20, BEAT), (30, lost(1)), (31, connected(2)), (40, BEAT)];
        healthy().told(&two).keeps(&TWO);
        healthy().told(&[(0, connected(1))]).does_not_test(&TWO);
        healthy().told(&[(0, connected(1))]).keeps(&Promised::HeartbeatsPerHour(0));
        healthy().told(&[(0, connected(1)), (10, BEAT)]).breaks(&Promised::HeartbeatsPerHour(0), 10);
    }

    #[test]
    fn what_the_lab_records_counts_too() {
        Story::healthy("netease-30-15").keeps(&Promised::HeartbeatsPerHour(120));
        assert!(matches!(
            Story::healthy("netease-30-15").judge(&Promised::HeartbeatsPerHour(100)),
            crate::Judgement::Broken(_)
        ));
    }
}
