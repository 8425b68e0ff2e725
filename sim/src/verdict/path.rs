//! Whose connection uses which mapping, through all NATs in a row. A NAT behind the first knows nothing of devices: its
//! records name a port of the NAT in front of it, and who had that port at the time is worked out here.

use std::collections::BTreeMap;

use cardiogram_policies::Time;

use crate::{
    config::Cause,
    fate::nat,
    record::trace::{Clue, Fact, NatEvent, PortFact},
};

/// Something happened to a mapping on the path of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) device: u32,
    pub(crate) at: Time,
    /// The mapping that it happens to.
    pub(crate) mapping: Key,
    pub(crate) happens: MappingEvent,
}

/// What happens to a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MappingEvent {
    /// It has this outside port now.
    Made { outside: u16 },
    /// It is forgotten, for this cause, and would not come back on its port.
    Ended(Cause),
    /// It is forgotten, and would come back on its port from now on, or would not.
    Returns(bool),
}

impl From<NatEvent> for MappingEvent {
    fn from(event: NatEvent) -> Self {
        match event {
            NatEvent::Created { outside } => Self::Made { outside },
            NatEvent::Expired => Self::Ended(Cause::NatExpiry),
            NatEvent::Flushed => Self::Ended(Cause::NatFlush),
            NatEvent::Evicted => Self::Ended(Cause::NatEvicted),
            NatEvent::TooOld => Self::Ended(Cause::MaxAge),
        }
    }
}

/// A mapping: the network and the NAT's place there, the port on its inside, the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) network: u32,
    pub(crate) nat: u32,
    pub(crate) port: u16,
    pub(crate) server: u32,
}

impl Key {
    /// The mapping behind this one, whose outside port is `outside`.
    pub(crate) const fn behind(self, outside: u16) -> Self {
        Self { nat: self.nat + 1, port: outside, ..self }
    }
}

/// What is known of a mapping behind the first NAT.
#[derive(Default)]
struct Hop {
    /// The device whose connection comes through the port.
    device: Option<u32>,
    /// The device whose connection used the mapping last.
    user: Option<u32>,
    /// The port on the outside, while the mapping exists.
    outside: Option<u16>,
}

/// The ways through the NATs, and whose they are.
pub(crate) struct Paths {
    /// By network, how many subscribers each NAT has.
    subscribers: Vec<Vec<u32>>,
    /// Mappings behind the first NAT, each with the number of the address on its inside. There are no more than ports.
    hops: BTreeMap<(u32, Key), Hop>,
}

impl Paths {
    /// No way yet; `subscribers`: by network, how many each NAT has.
    pub(crate) const fn new(subscribers: Vec<Vec<u32>>) -> Self {
        Self { subscribers, hops: BTreeMap::new() }
    }

    /// Goes on by what a NAT has recorded, and adds the steps in it. Calls are in the order of time; at one moment the NAT nearer to
    /// the devices comes first.
    pub(crate) fn hear(&mut self, at: Time, clue: Clue, steps: &mut Vec<Step>) {
        let (mapping, device, happens) = match clue {
            Clue::Fact(Fact::Nat { network, device, port, server, event }) => {
                (Key { network, nat: 0, port, server }, Some(device), event.into())
            }
            Clue::Fact(Fact::OuterNat { network, nat, address, port, server, event }) => {
                let key = Key { network, nat, port, server };
                let hop = self.hops.entry((address, key)).or_default();
                hop.outside = if let NatEvent::Created { outside } = event { Some(outside) } else { None };
                hop.user = hop.device.or(hop.user);
                (key, hop.device, event.into())
            }
            Clue::Port(PortFact { network, nat, subscriber, port, server, returns }) => {
                let key = Key { network, nat, port, server };
                let hop = || self.hops.get(&(subscriber, key));
                let user = if nat == 0 { Some(subscriber) } else { hop().and_then(|hop| hop.user) };
                (key, user, MappingEvent::Returns(returns))
            }
            Clue::Fact(Fact::Device { .. } | Fact::Proxy { .. } | Fact::Server { .. }) | Clue::Away(_) => return,
        };
        let Some(device) = device else { return };
        steps.push(Step { device, at, mapping, happens });
        if let MappingEvent::Made { outside } = happens {
            self.claim(device, at, mapping.behind(outside), steps);
        }
    }

    /// The port at the inside of a further NAT is a device's now, and with it the mapping that may be left there from whoever
    /// had the port before.
    fn claim(&mut self, device: u32, at: Time, mut mapping: Key, steps: &mut Vec<Step>) {
        let of_network = self.subscribers[mapping.network as usize].iter().copied();
        for address in nat::subscribers_for(device, of_network).skip(mapping.nat as usize) {
            let hop = self.hops.entry((address, mapping)).or_default();
            hop.device = Some(device);
            let Some(outside) = hop.outside else { return };
            hop.user = Some(device);
            steps.push(Step { device, at, mapping, happens: MappingEvent::Made { outside } });
            mapping = mapping.behind(outside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(device: u32, port: u16, outside: u16) -> Clue {
        Clue::Fact(Fact::Nat { network: 0, device, port, server: 0, event: NatEvent::Created { outside } })
    }

    fn outer(nat: u32, port: u16, event: NatEvent) -> Clue {
        outer_of(0, nat, port, event)
    }

    fn outer_of(address: u32, nat: u32, port: u16, event: NatEvent) -> Clue {
        Clue::Fact(Fact::OuterNat { network: 0, nat, address, port, server: 0, event })
    }

    /// Returns the second, the device, the NAT and what happens, of each step. Devices from 100 on have the second address.
    fn found(records: impl IntoIterator<Item = (u64, Clue)>) -> Vec<(u64, u32, u32, MappingEvent)> {
        let mut records: Vec<(u64, Clue)> = records.into_iter().collect();
        records.sort_by_key(|(secs, _)| *secs);
        let (mut paths, mut steps) = (Paths::new(vec![vec![200, 2, 1]]), Vec::new());
        for (secs, clue) in records {
            paths.hear(Time::from_secs(secs), clue, &mut steps);
        }
        steps.into_iter().map(|s| (s.at.as_micros() / 1_000_000, s.device, s.mapping.nat, s.happens)).collect()
    }

    #[test]
    fn what_happens_further_out_is_the_business_of_the_device_that_has_the_port() {
        let created = |outside| NatEvent::Created { outside };
        let records = [
            (1, made(0, 100, 200)),
            (9, made(1, 101, 200)),
            (2, outer(1, 200, created(300))),
            (4, outer(1, 200, NatEvent::Expired)),
            (5, outer(1, 200, created(301))),
            (10, outer(1, 200, NatEvent::Flushed)),
            (3, outer(2, 300, created(400))),
            (6, outer(2, 301, created(401))),
        ];
        let made = |outside| MappingEvent::Made { outside };
        let expected = [
            (1, 0, 0, made(200)),
            (2, 0, 1, made(300)),
            (3, 0, 2, made(400)),
            (4, 0, 1, MappingEvent::Ended(Cause::NatExpiry)),
            (5, 0, 1, made(301)),
            (6, 0, 2, made(401)),
            // The second device finds the way that the first has left behind.
            (9, 1, 0, made(200)),
            (9, 1, 1, made(301)),
            (9, 1, 2, made(401)),
            (10, 1, 1, MappingEvent::Ended(Cause::NatFlush)),
        ];
        assert_eq!(found(records), expected);
    }

    #[test]
    fn the_same_port_of_two_addresses_is_that_of_two_devices() {
        let created = |outside| NatEvent::Created { outside };
        let records = [
            (1, made(0, 100, 200)),
            (1, made(100, 100, 200)),
            (2, outer_of(0, 1, 200, created(300))),
            (3, outer_of(1, 1, 200, created(301))),
            (4, outer_of(0, 1, 200, NatEvent::Expired)),
            (5, Clue::Port(PortFact { network: 0, nat: 1, subscriber: 1, port: 200, server: 0, returns: true })),
        ];
        let made = |outside| MappingEvent::Made { outside };
        let expected = [
            (1, 0, 0, made(200)),
            (1, 100, 0, made(200)),
            (2, 0, 1, made(300)),
            (3, 100, 1, made(301)),
            (4, 0, 1, MappingEvent::Ended(Cause::NatExpiry)),
            (5, 100, 1, MappingEvent::Returns(true)),
        ];
        assert_eq!(found(records), expected);
    }

    #[test]
    fn a_port_comes_back_to_the_device_that_used_the_mapping() {
        let returns = |nat, subscriber, port, returns| {
            Clue::Port(PortFact { network: 0, nat, subscriber, port, server: 0, returns })
        };
        let records = [
            (1, made(7, 100, 200)),
            (2, outer(1, 200, NatEvent::Created { outside: 300 })),
            (3, outer(1, 200, NatEvent::Expired)),
            (3, returns(1, 0, 200, true)),
            // Another device has the way in front meanwhile, and has not used it.
            (4, made(8, 101, 200)),
            (5, returns(1, 0, 200, false)),
            (6, returns(0, 9, 102, true)),
        ];
        let expected = [
            (1, 7, 0, MappingEvent::Made { outside: 200 }),
            (2, 7, 1, MappingEvent::Made { outside: 300 }),
            (3, 7, 1, MappingEvent::Ended(Cause::NatExpiry)),
            (3, 7, 1, MappingEvent::Returns(true)),
            (4, 8, 0, MappingEvent::Made { outside: 200 }),
            (5, 7, 1, MappingEvent::Returns(false)),
            (6, 9, 0, MappingEvent::Returns(true)),
        ];
        assert_eq!(found(records), expected);
    }
}
