//! A device holds one session at a time: who connects anew has left the old one first.

use cardiogram_policies::Time;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>) -> Judgement {
    for device in 0..evidence.world().devices.count {
        let mut held: Option<(u16, Time)> = None;
        for (at, event) in evidence.events_of(device) {
            match event {
                // A race replaces the session that it wins against.
                DeviceEvent::RaceStarted { .. } | DeviceEvent::Killed => held = None,
                DeviceEvent::GivenUp { port, .. } | DeviceEvent::Lost { port, .. }
                    if held.is_some_and(|(own, _)| own == port) =>
                {
                    held = None;
                }
                DeviceEvent::Connected { port, .. } => {
                    if let Some((other, since)) = held.filter(|(other, _)| *other != port) {
                        return Judgement::broken(
                            at,
                            device,
                            "a device holds one session at a time",
                            format!(
                                "device {device} was welcomed on port {port} at {at} s while it held the session of port \
                                 {other} of {since} s"
                            ),
                        );
                    }
                    held = Some((port, at));
                }
                _ => {}
            }
        }
    }
    Judgement::kept_if(evidence.outcome().totals.sessions > u64::from(evidence.world().devices.count))
}
