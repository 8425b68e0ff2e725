//! A server that nothing ails holds no session for longer than a time after it has heard the last of its client.
//!
//! Tested by sessions whose device falls silent: it has left them, or nothing of it arrives any more.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{Time, unit::format_duration};
use cardiogram_sim::{
    config::{Direction, FaultConfig, LinkName},
    trace::ServerEvent,
};

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>, within: Duration) -> Judgement {
    let Some(begin) = silent_from(evidence) else { return Judgement::NotTested };
    let due = begin + within;
    if due > evidence.end() {
        return Judgement::NotTested;
    }
    let mut open: BTreeMap<(u32, u32, u16), Time> = BTreeMap::new();
    for (at, server, event) in evidence.server_events().take_while(|(at, ..)| *at <= due) {
        match event {
            ServerEvent::SessionOpened { device, outside, .. } if at <= begin => {
                open.insert((server, device, outside), at);
            }
            ServerEvent::SessionClosed { device, outside, .. } => {
                open.remove(&(server, device, outside));
            }
            _ => {}
        }
    }
    let opened = evidence
        .server_events()
        .any(|(at, _, event)| at <= begin && matches!(event, ServerEvent::SessionOpened { .. }));
    match open.first_key_value() {
        None => Judgement::kept_if(opened),
        Some(((server, device, _), since)) => Judgement::broken(
            due,
            *device,
            format!("a server closes the session of a client that is silent within {}", format_duration(within)),
            format!(
                "server {server} heard nothing of device {device} from {begin} s on, and still held its session of {since} s"
            ),
        ),
    }
}

/// From when on no server hears of any device: the one fault of the world, a cut from the devices to the servers that does
/// not end.
fn silent_from(evidence: &Evidence<'_>) -> Option<Time> {
    let [FaultConfig::Cut(cut)] = &evidence.world().faults[..] else { return None };
    let [period] = evidence.periods()? else { return None };
    let is_everyone = matches!(cut.link, LinkName::Access | LinkName::Core) && evidence.world().networks.is_empty();
    let silences = is_everyone && cut.direction != Direction::Down && period.end.is_none();
    silences.then_some(period.begin)
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;

    use super::*;
    use crate::{Promised, testing::Story};

    const OPENED: ServerEvent = ServerEvent::SessionOpened { device: 0, network: 0, outside: 7 };
    const CLOSED: ServerEvent = ServerEvent::SessionClosed { device: 0, network: 0, outside: 7 };
    const WITHIN: Promised = Promised::ZombiesWithin(Span::secs(90));

    #[test]
    fn a_session_of_the_silent_is_closed_in_time_or_it_is_a_zombie() {
        // Cut for good at 600 s.
        let told = |events: &[(u64, ServerEvent)]| Story::cut("none", "").told_by_server(events);
        told(&[(1, OPENED), (690, CLOSED)]).keeps(&WITHIN);
        told(&[(1, OPENED), (691, CLOSED)]).breaks(&WITHIN, 690);
        told(&[(1, OPENED)]).breaks(&WITHIN, 690);
        told(&[]).does_not_test(&WITHIN);
        // What opens later is another story, and so is a cut that ends.
        told(&[(601, OPENED)]).does_not_test(&WITHIN);
        Story::cut("none", ", lasts = \"1m\"").told_by_server(&[(1, OPENED)]).does_not_test(&WITHIN);
        Story::healthy("none").told_by_server(&[(1, OPENED)]).does_not_test(&WITHIN);
    }
}
