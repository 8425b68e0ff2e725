//! A process that is half dead for some or all: it answers heartbeats, and neither takes messages nor pushes any. Whoever looks
//! at it from outside finds it well: it accepts, welcomes, pings, and is answered for.

use std::collections::BTreeSet;

use cardiogram_policies::SessionId;

use super::{App, Context, Session};
use crate::{config::HalfDead, fate::struck::Struck, record::trace::ServerEvent};

/// Who gets nothing but answers to heartbeats.
#[derive(Default)]
pub(super) struct HalfDeaths {
    under_way: Vec<UnderWay>,
    /// Nobody is answered any more: a frozen world asks by a heartbeat whether anything could be exchanged.
    is_frozen: bool,
}

/// A fault under way.
struct UnderWay {
    struck: Struck,
    /// The sessions that it struck; `None`: every one of those devices.
    sessions: Option<BTreeSet<SessionId>>,
}

impl UnderWay {
    fn strikes(&self, device: u32, session: Option<SessionId>) -> bool {
        let is_of = |sessions: &BTreeSet<SessionId>| session.is_some_and(|session| sessions.contains(&session));
        self.struck.has(device) && self.sessions.as_ref().is_none_or(is_of)
    }
}

impl HalfDeaths {
    /// Returns whether nothing but heartbeats goes through a device's session, or through none.
    pub(super) fn has(&self, device: u32, session: Option<SessionId>) -> bool {
        self.under_way.iter().any(|fault| fault.strikes(device, session))
    }

    pub(super) fn answers_heartbeats(&self, device: u32, session: SessionId) -> bool {
        !self.is_frozen || !self.has(device, Some(session))
    }

    /// Returns whether a device that comes is welcomed. In a frozen world one that would get nothing is not, so that it goes on to the next
    /// server.
    pub(super) fn welcomes(&self, device: u32) -> bool {
        !self.is_frozen || !self.has(device, None)
    }

    pub(super) const fn freeze(&mut self) {
        self.is_frozen = true;
    }

    /// Returns whether a session has been struck for itself, and not with all of its device.
    fn has_lost(&self, session: SessionId) -> bool {
        let sessions = self.under_way.iter().filter_map(|fault| fault.sessions.as_ref());
        sessions.into_iter().any(|sessions| sessions.contains(&session))
    }
}

impl App {
    /// It is half dead for those who are struck from now on, or no longer.
    pub(in crate::nodes::server) fn half_die(
        &mut self,
        struck: &Struck,
        of: HalfDead,
        begins: bool,
        context: &mut Context,
    ) {
        let all: Vec<Session> = self.sessions.values().filter_map(|slot| self.connections[slot].session).collect();
        let before: BTreeSet<SessionId> =
            all.iter().map(|session| session.id).filter(|id| self.half_dead.has_lost(*id)).collect();
        if begins {
            let ids = || all.iter().filter(|session| struck.has(session.device)).map(|session| session.id).collect();
            let sessions = (of == HalfDead::Sessions).then(ids);
            self.half_dead.under_way.push(UnderWay { struck: struck.clone(), sessions });
        } else {
            let is_it =
                |fault: &UnderWay| fault.struck == *struck && fault.sessions.is_some() == (of == HalfDead::Sessions);
            let place = self.half_dead.under_way.iter().position(is_it).expect("what ends has begun");
            self.half_dead.under_way.remove(place);
        }
        for Session { id, device, network, outside } in all {
            let is_lost = self.half_dead.has_lost(id);
            if is_lost != before.contains(&id) {
                context.note(ServerEvent::HalfDead { device, network, outside, begins: is_lost });
            }
        }
        if !begins && !self.stalled {
            let devices: Vec<u32> = self.pushes.keys().copied().filter(|device| struck.has(*device)).collect();
            for device in devices {
                self.push(device, context);
            }
        }
    }

    /// Returns whether nothing is pushed to a device now.
    pub(super) fn is_half_dead_for(&self, device: u32) -> bool {
        let slot = self.online.get(&device);
        let session = slot.and_then(|slot| self.connections[slot].session).map(|session| session.id);
        self.half_dead.has(device, session)
    }
}
