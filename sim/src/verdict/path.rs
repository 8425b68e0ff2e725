//! Whose connection uses which mapping, through all NATs in a row. A NAT behind the first knows nothing of devices: its
//! records name a port of the NAT in front of it, and who had that port at the time is worked out here, after the run.

use std::collections::BTreeMap;

use cardiogram_policies::Time;

use crate::record::trace::{Fact, NatEvent};

/// Something happened to a mapping on the path of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) device: u32,
    pub(crate) at: Time,
    /// Which mapping.
    pub(crate) mapping: Key,
    pub(crate) event: NatEvent,
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
    /// Whose connection comes through the port.
    device: Option<u32>,
    /// The port on the outside, while the mapping exists.
    outside: Option<u16>,
}

/// The steps in the records of the NATs, in the order of time; records come in the order of the nodes.
pub(crate) fn steps(mut records: Vec<(Time, Fact)>) -> Vec<Step> {
    // Stable: at one moment the NAT nearer to the devices comes first.
    records.sort_by_key(|(at, _)| *at);
    let mut hops: BTreeMap<Key, Hop> = BTreeMap::new();
    let mut steps = Vec::with_capacity(records.len());
    for (at, fact) in records {
        let (mapping, device, event) = match fact {
            Fact::Nat { network, device, port, server, event } => {
                (Key { network, nat: 0, port, server }, device, event)
            }
            Fact::OuterNat { network, nat, port, server, event } => {
                let key = Key { network, nat, port, server };
                let hop = hops.entry(key).or_default();
                hop.outside = if let NatEvent::Created { outside } = event { Some(outside) } else { None };
                let Some(device) = hop.device else { continue };
                (key, device, event)
            }
            Fact::Device { .. } | Fact::Server { .. } => continue,
        };
        steps.push(Step { device, at, mapping, event });
        if let NatEvent::Created { outside } = event {
            claim(&mut hops, device, at, mapping.behind(outside), &mut steps);
        }
    }
    steps
}

/// The port at the inside of a further NAT is a device's now, and with it the mapping that may be left there from whoever
/// had the port before.
fn claim(hops: &mut BTreeMap<Key, Hop>, device: u32, at: Time, mut mapping: Key, steps: &mut Vec<Step>) {
    loop {
        let hop = hops.entry(mapping).or_default();
        hop.device = Some(device);
        let Some(outside) = hop.outside else { return };
        steps.push(Step { device, at, mapping, event: NatEvent::Created { outside } });
        mapping = mapping.behind(outside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(device: u32, port: u16, outside: u16) -> Fact {
        Fact::Nat { network: 0, device, port, server: 0, event: NatEvent::Created { outside } }
    }

    fn outer(nat: u32, port: u16, event: NatEvent) -> Fact {
        Fact::OuterNat { network: 0, nat, port, server: 0, event }
    }

    #[test]
    fn what_happens_further_out_is_the_business_of_the_device_that_has_the_port() {
        let created = |outside| NatEvent::Created { outside };
        let of = |secs, fact| (Time::from_secs(secs), fact);
        let records = vec![
            of(1, made(0, 100, 200)),
            of(9, made(1, 101, 200)),
            of(2, outer(1, 200, created(300))),
            of(4, outer(1, 200, NatEvent::Expired)),
            of(5, outer(1, 200, created(301))),
            of(10, outer(1, 200, NatEvent::Flushed)),
            of(3, outer(2, 300, created(400))),
            of(6, outer(2, 301, created(401))),
        ];
        let found: Vec<_> = steps(records)
            .into_iter()
            .map(|s| (s.at.as_micros() / 1_000_000, s.device, s.mapping.nat, s.event))
            .collect();
        let expected = [
            (1, 0, 0, created(200)),
            (2, 0, 1, created(300)),
            (3, 0, 2, created(400)),
            (4, 0, 1, NatEvent::Expired),
            (5, 0, 1, created(301)),
            (6, 0, 2, created(401)),
            // The second device finds the way that the first has left behind.
            (9, 1, 0, created(200)),
            (9, 1, 1, created(301)),
            (9, 1, 2, created(401)),
            (10, 1, 1, NatEvent::Flushed),
        ];
        assert_eq!(found, expected);
    }
}
