//! Between giving a connection up and its next session a device says nothing: no heartbeat, no message, no answer is handed to
//! TCP. What the kernel still owes the peer, a FIN or data that was written before, is the kernel's business.

use std::collections::BTreeMap;

use cardiogram_policies::Time;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>) -> Judgement {
    let mut given_up: BTreeMap<u32, (u16, Time)> = BTreeMap::new();
    let mut tested = false;
    for (at, device, event) in evidence.device_events() {
        let said = match event {
            DeviceEvent::GivenUp { port, .. } => {
                given_up.insert(device, (port, at));
                tested = true;
                continue;
            }
            DeviceEvent::Connected { .. } => {
                given_up.remove(&device);
                continue;
            }
            DeviceEvent::HeartbeatSent { .. } | DeviceEvent::NoticeSent => "a heartbeat",
            DeviceEvent::MessageSent { .. } => "a message",
            DeviceEvent::PingAnswered => "an answer to the server's ping",
            DeviceEvent::MalformedSent => "a frame",
            _ => continue,
        };
        if let Some((port, since)) = given_up.get(&device) {
            return Judgement::broken(
                at,
                device,
                "nothing is sent between giving a connection up and the next session",
                format!("device {device} gave the connection of port {port} up at {since} s and sent {said} at {at} s"),
            );
        }
    }
    Judgement::kept_if(tested)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Promised,
        testing::{BEAT, Story, connected, given_up},
    };

    #[test]
    fn nothing_is_said_between_giving_up_and_the_next_session() {
        let told = |events: &[(u64, DeviceEvent)]| Story::healthy("none").told(events);
        let silent = Promised::SilentWhenGivenUp;
        told(&[(0, connected(1)), (10, BEAT), (20, given_up(1)), (25, connected(2)), (30, BEAT)]).keeps(&silent);
        for said in [BEAT, DeviceEvent::MessageSent { id: 0 }, DeviceEvent::PingAnswered, DeviceEvent::NoticeSent] {
            told(&[(0, connected(1)), (20, given_up(1)), (21, said), (25, connected(2))]).breaks(&silent, 21);
        }
        told(&[(0, connected(1)), (10, BEAT)]).does_not_test(&silent);
    }
}
