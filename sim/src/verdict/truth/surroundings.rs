//! What is wrong around one device at a moment: its process, its addresses, the links, the servers. It says what breaks a
//! session, and what would keep a new connection from becoming one. What became of a session's own path is not in here.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Obstacle;
use crate::{config::Cause, fate::life::Address, record::faults::FaultPlace};

/// The state of everything around a device that does not depend on its policy.
pub(super) struct Surroundings {
    /// How many servers there are.
    servers: u32,
    /// The device's addresses, and the one it got last.
    addresses: BTreeSet<Address>,
    address: Address,
    /// Why it lost the address that it lost last.
    detached_by: Cause,
    /// There is no process.
    is_killed: bool,
    /// The obstacles under way, each with the number of times over.
    obstacles: BTreeMap<Obstacle, u32>,
}

impl Surroundings {
    pub(super) fn new(servers: u32) -> Self {
        Self {
            servers,
            addresses: BTreeSet::from([Address::FIRST]),
            address: Address::FIRST,
            detached_by: Cause::NetworkSwitch,
            is_killed: false,
            obstacles: BTreeMap::new(),
        }
    }

    /// Returns the address that a new connection would have.
    pub(super) const fn address(&self) -> Address {
        self.address
    }

    pub(super) const fn is_killed(&self) -> bool {
        self.is_killed
    }

    pub(super) const fn kill(&mut self) {
        self.is_killed = true;
    }

    pub(super) const fn start(&mut self) {
        self.is_killed = false;
    }

    pub(super) fn attach(&mut self, address: Address) {
        self.address = address;
        self.addresses.insert(address);
    }

    pub(super) fn detach(&mut self, address: Address, cause: Cause) {
        self.addresses.remove(&address);
        self.detached_by = cause;
    }

    /// An obstacle begins or ends.
    pub(super) fn turn(&mut self, obstacle: Obstacle, begins: bool) {
        let count = self.obstacles.entry(obstacle).or_default();
        if begins {
            *count += 1;
        } else {
            *count -= 1;
            if *count == 0 {
                self.obstacles.remove(&obstacle);
            }
        }
    }

    /// Returns whether the obstacle is there now.
    pub(super) fn has(&self, obstacle: Obstacle) -> bool {
        self.obstacles.contains_key(&obstacle)
    }

    /// Returns what breaks a session from this address with this server, if anything does.
    pub(super) fn breaks(&self, address: Address, server: u32) -> Option<Cause> {
        if let Some(cause) = self.standstill() {
            return Some(cause);
        }
        if !self.addresses.contains(&address) {
            return Some(self.detached_by);
        }
        if let Some(cause) = self.fault_of(server) {
            return Some(cause);
        }
        if self.has(Obstacle::ProxyRestart) {
            return Some(Cause::ProxyRestart);
        }
        let network = address.network;
        let is_cut = |up| [None, Some(network)].iter().any(|&network| self.has(Obstacle::Cut { network, up }));
        match (is_cut(true), is_cut(false)) {
            (true, true) => Some(Cause::Cut),
            (true, false) => Some(Cause::CutUp),
            (false, true) => Some(Cause::CutDown),
            (false, false) => self.has(Obstacle::DeadLease { network }).then_some(Cause::LeaseExpiry),
        }
    }

    /// Returns the link that is cut between a network and the servers.
    pub(super) fn cut_link(&self, network: u32) -> FaultPlace {
        let is_core = [true, false].iter().any(|&up| self.has(Obstacle::Cut { network: None, up }));
        if is_core { FaultPlace::CoreLink } else { FaultPlace::AccessLink { network } }
    }

    /// Returns whether something breaks sessions now: of any server, over any network.
    pub(super) fn breaks_something(&self) -> bool {
        self.addresses.is_empty()
            || self.obstacles.keys().any(|obstacle| match obstacle {
                Obstacle::Fault { .. }
                | Obstacle::ProxyRestart
                | Obstacle::Cut { .. }
                | Obstacle::Standstill { .. }
                | Obstacle::DeadLease { .. } => true,
                Obstacle::Drain { .. } | Obstacle::Closed { .. } => false,
            })
    }

    /// Returns whether a connection that the device opened now could not become a usable session: it has no process or no
    /// network, nothing passes on the way, or no server that it may get to takes newcomers and answers them.
    pub(super) fn keep_newcomers_out(&self) -> bool {
        let takes_newcomers =
            |server: u32| self.breaks(self.address, server).is_none() && !self.has(Obstacle::Drain { server });
        let is_open = |server: &u32| !self.has(Obstacle::Closed { server: *server });
        // A balancer to which no server seems good leads to any.
        let all_closed = !(0..self.servers).any(|server| is_open(&server));
        let mut candidates = (0..self.servers).filter(|server| all_closed || is_open(server));
        self.is_killed || !candidates.any(takes_newcomers)
    }

    /// Returns what is wrong with a server, if anything is.
    fn fault_of(&self, server: u32) -> Option<Cause> {
        self.obstacles.keys().find_map(|obstacle| match obstacle {
            Obstacle::Fault { server: of, cause } if *of == server => Some(*cause),
            Obstacle::Fault { .. }
            | Obstacle::ProxyRestart
            | Obstacle::Drain { .. }
            | Obstacle::Closed { .. }
            | Obstacle::Cut { .. }
            | Obstacle::Standstill { .. }
            | Obstacle::DeadLease { .. } => None,
        })
    }

    /// Returns why the device's process stands still, if it does.
    fn standstill(&self) -> Option<Cause> {
        [Cause::DeviceFreeze, Cause::DeviceStall].into_iter().find(|&cause| self.has(Obstacle::Standstill { cause }))
    }
}
