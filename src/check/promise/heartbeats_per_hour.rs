//! So many heartbeats at most in any hour of one connection. A new connection begins its own count.

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
                DeviceEvent::Connected { .. } => beats.clear(),
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
