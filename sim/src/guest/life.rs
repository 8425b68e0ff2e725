//! What happens to the device of a guest: another network, a link without a carrier, the screen, a standstill. When it happens is drawn in
//! [`life`](crate::fate::life); what its kernel makes of it is what the lab's own device does (`nodes/device/app/life.rs`).

use cardiogram_policies::{AppState, AttemptFailure, LossReason, Time};

use super::{
    kernel::{Kernel, Out},
    owner::Owner,
    sessions::End,
    socket::Cut,
};
use crate::{
    config::{Cause, OldSockets},
    fate::life::{Address, Move},
    nodes::device::{
        life_progress::{LINGER, LifeEvent, LifeProgress},
        next_hops::{Counted, Waited},
    },
    record::trace::{DeviceEvent, Fact},
};

/// A radio that is switched: of this network, on or off.
pub(super) type Switch = (u32, bool);

impl Kernel {
    /// Returns when something happens to the device next.
    pub(super) fn next_of_life(&self) -> Option<Time> {
        let is_still = self.life.as_ref().is_some_and(LifeProgress::is_still);
        let linger = self.addresses.lingering.map(|(_, until)| until).filter(|_| !is_still);
        let happens = self.life.as_ref().and_then(LifeProgress::next);
        linger.into_iter().chain(happens).min()
    }

    /// Takes what happens to the device at `now`, one after the other.
    pub(super) fn pop_life(&mut self, now: Time) -> Option<LifeEvent> {
        self.life.as_mut()?.pop(now)
    }

    /// The address before works no longer, if its time is up.
    pub(super) fn end_linger(&mut self, now: Time, radios: &mut Vec<Switch>) {
        let is_still = self.life.as_ref().is_some_and(LifeProgress::is_still);
        if let Some((old, _)) = self.addresses.lingering.filter(|(_, until)| *until <= now && !is_still) {
            self.addresses.lingering = None;
            self.detach(old, Cause::NetworkSwitch, OldSockets::Abort, now, radios);
        }
    }

    /// The device goes to another network, to none, or gets another address.
    pub(super) fn relocate(&mut self, to: &Move, now: Time, radios: &mut Vec<Switch>) {
        let Move { to, cause, old_sockets, .. } = *to;
        // Only one old address lingers.
        if let Some((old, _)) = self.addresses.lingering.take() {
            self.detach(old, cause, OldSockets::Abort, now, radios);
        }
        let old = std::mem::replace(&mut self.addresses.current, to);
        if let Some(old) = old {
            if old_sockets == OldSockets::Linger && to.is_some() {
                self.addresses.lingering = Some((old, now + LINGER));
            } else {
                self.detach(old, cause, old_sockets, now, radios);
            }
        }
        if let Some(Address { network, lease }) = to {
            if old.is_none_or(|old| old.network != network) {
                radios.push((network, true));
            }
            self.tell(DeviceEvent::Attached { network, lease }, now);
        }
        self.tell_of_network(now);
    }

    /// An address is gone, and with it what `old_sockets` says.
    fn detach(&mut self, old: Address, cause: Cause, old_sockets: OldSockets, now: Time, radios: &mut Vec<Switch>) {
        let Owner::Device(device) = self.owner else { return };
        let Address { network, lease } = old;
        if self.addresses.current.is_none_or(|current| current.network != network) {
            radios.push((network, false));
        }
        self.tell(DeviceEvent::Detached { network, lease, cause }, now);
        if old_sockets == OldSockets::Rot {
            return;
        }
        let ip = old.of(device);
        for slot in 0..self.sockets.len() as u32 {
            let Some(socket) = self.sockets[slot as usize].as_mut() else { continue };
            if *socket.tcp.local().ip() != ip || socket.cut.is_some() {
                continue;
            }
            socket.cut = Some(Cut::Aborted);
            let port = socket.tcp.local().port();
            let end = End::Failed(LossReason::Aborted, AttemptFailure::NoNetwork);
            self.session(now, |sessions, note| sessions.end(port, end, note));
            self.settle(slot, now);
        }
    }

    /// Returns a packet of a device's that may leave at once; else it waits for its next hop.
    pub(super) fn send_to_next_hop(&mut self, counted: Counted, has_carrier: bool, now: Time) -> Option<Counted> {
        let ready = self.next_hops.send(self.shows(now), counted, has_carrier, &self.tcp);
        if ready.is_none() {
            self.post();
        }
        ready
    }

    /// Returns what has waited for its next hop for long enough. To be called until there is none.
    pub(super) fn run_next_hops(&mut self, has_carrier: impl Fn(u32) -> bool, now: Time) -> Option<Waited> {
        let waited = self.next_hops.run(self.shows(now), has_carrier, &self.tcp);
        self.post();
        waited
    }

    /// The application comes on the screen, or leaves it.
    pub(super) fn turn(&mut self, state: AppState, now: Time) {
        self.tell(DeviceEvent::AppState(state), now);
        self.tell_of_state(state, now);
    }

    /// The process of a device stands still from now on, or goes on.
    pub(super) fn stand_still(&mut self, is_still: bool, now: Time) {
        if let Some(life) = &mut self.life {
            life.stand_still(is_still);
        }
        self.set_still(is_still, now);
        self.tell(if is_still { DeviceEvent::StandsStill } else { DeviceEvent::GoesOn }, now);
    }

    /// All of the device stands still from now on, or goes on: its radios are off meanwhile.
    pub(super) fn freeze_up(&mut self, is_frozen: bool, radios: &mut Vec<Switch>) {
        if let Some(life) = &mut self.life {
            life.freeze_up(is_frozen);
        }
        let lingering = self.addresses.lingering.map(|(address, _)| address);
        let addresses = [self.addresses.current, lingering].into_iter().flatten();
        radios.extend(addresses.map(|address| (address.network, !is_frozen)));
    }

    /// Returns whether all of it stands still: nothing comes in.
    pub(super) fn is_frozen(&self) -> bool {
        self.life.as_ref().is_some_and(LifeProgress::is_frozen)
    }

    fn tell(&mut self, event: DeviceEvent, now: Time) {
        if let Owner::Device(device) = self.owner {
            self.push(Out::Fact(Fact::Device { device, event }), now);
        }
    }
}
