//! What the process does for some devices otherwise than for others: a part of it stands still, or is gone, or closes what it
//! has. Its policy, which runs by the clock, goes on for all.

use std::time::Duration;

use super::{App, Context};
use crate::fate::struck::Struck;

impl App {
    /// From now on nothing is done for those who are struck: what they send is not read, nothing is pushed, nobody is woken.
    /// What is being worked on is finished.
    pub(in crate::nodes::server) fn is_away_for(&mut self, struck: Struck) {
        self.away_for.push(struck);
    }

    /// It is done again, and what has piled up comes first.
    pub(in crate::nodes::server) fn is_back_for(&mut self, struck: &Struck, context: &mut Context) {
        let place = self.away_for.iter().position(|other| other == struck).expect("it was away");
        self.away_for.remove(place);
        let slots: Vec<u32> = self.slots_of(struck, context).collect();
        for slot in slots {
            // Of those who say something, whoever is turned away where it is busy.
            if context.kernel.end(slot).readable() > 0 {
                self.enqueue(slot);
            }
        }
        let devices: Vec<u32> = self.pushes.keys().copied().filter(|device| struck.has(*device)).collect();
        for device in devices {
            self.push(device, context);
        }
    }

    /// Returns whether nothing is done for a device now.
    pub(super) fn is_away_from(&self, device: Option<u32>) -> bool {
        device.is_some_and(|device| self.away_for.iter().any(|struck| struck.has(device)))
    }

    /// The sessions of those who are struck are gone, with all that the process knew of them.
    pub(in crate::nodes::server) fn die_for(&mut self, struck: &Struck, context: &mut Context) {
        let slots: Vec<u32> = self.slots_of(struck, context).collect();
        for slot in slots {
            self.forget(slot, context);
        }
        self.ended.retain(|device, _| !struck.has(*device));
    }

    /// Closes the sessions of those who are struck over a span that begins now, evenly, the oldest first.
    pub(in crate::nodes::server) fn drain_some(&mut self, struck: &Struck, over: Duration, context: &mut Context) {
        let is_struck = |slot: u32| context.kernel.device(slot).is_some_and(|device| struck.has(device));
        let sessions: Vec<_> =
            self.sessions.iter().filter(|(_, slot)| is_struck(**slot)).map(|(session, _)| *session).collect();
        let count = sessions.len() as u32;
        let close = |(place, session)| (context.now + over * place / count, session);
        self.leaving.extend((0..).zip(sessions).map(close));
        self.leaving.make_contiguous().sort_by_key(|(at, _)| *at);
    }

    fn slots_of<'a>(&'a self, struck: &'a Struck, context: &'a Context) -> impl Iterator<Item = u32> + 'a {
        let is_struck = |slot: &u32| context.kernel.device(*slot).is_some_and(|device| struck.has(device));
        self.connections.keys().copied().filter(is_struck)
    }
}
