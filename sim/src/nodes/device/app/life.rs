//! What a device does about what happens to it: another network, the end of its process, the screen. When it happens is
//! drawn in [`life`](crate::fate::life).

use cardiogram_policies::{AppState, AttemptFailure, Event, LossReason, ReconnectEvent};

use super::{Device, Phase};
use crate::{
    config::{Cause, OldSockets},
    fate::life::{Address, Move},
    nodes::device::{
        Context,
        life_progress::{LINGER, LifeEvent},
    },
    record::trace::DeviceEvent,
    wire::frame::Frame,
};

impl Device {
    /// Lets what happens to the device at this moment happen. Returns whether its process has gone on after a standstill.
    pub(super) fn live(&mut self, context: &mut Context) -> bool {
        let was_still = self.is_still();
        let now = context.now;
        if let Some((old, _)) = self.addresses.lingering.filter(|(_, until)| *until <= now && !was_still) {
            self.addresses.lingering = None;
            self.detached(old, Cause::NetworkSwitch, OldSockets::Abort, context);
        }
        while let Some(what) = self.progress.as_mut().and_then(|progress| progress.pop(now)) {
            self.wake(now);
            context.kernel = self.kernel(now);
            match what {
                LifeEvent::Moves(to) => self.relocate(to, context),
                LifeEvent::Dies => self.die(context),
                LifeEvent::Starts => self.start(context),
                LifeEvent::Turns(state) => self.turn(state, context),
                LifeEvent::SendsMalformed => self.send_malformed(context),
                LifeEvent::StandsStill(is_still) => self.stand_still(is_still, context),
                LifeEvent::Freezes(is_frozen) => self.freeze_up(is_frozen, context),
            }
        }
        was_still && !self.is_still()
    }

    fn relocate(&mut self, Move { to, cause, old_sockets, .. }: Move, context: &mut Context) {
        // Only one old address lingers.
        if let Some((old, _)) = self.addresses.lingering.take() {
            self.detached(old, cause, OldSockets::Abort, context);
        }
        let old = std::mem::replace(&mut self.addresses.current, to);
        if let Some(old) = old {
            if old_sockets == OldSockets::Linger && to.is_some() {
                self.addresses.lingering = Some((old, context.now + LINGER));
            } else {
                self.detached(old, cause, old_sockets, context);
            }
        }
        context.addresses = self.addresses;
        if let Some(Address { network, lease }) = to {
            if old.is_none_or(|old| old.network != network) {
                context.switch_radio(self.index, network, true);
            }
            context.note(self.index, DeviceEvent::Attached { network, lease });
        }
        self.tell_of_network(context);
    }

    /// An address is gone, and with it what `old_sockets` says.
    fn detached(&mut self, old: Address, cause: Cause, old_sockets: OldSockets, context: &mut Context) {
        context.addresses = self.addresses;
        let Address { network, lease } = old;
        if self.addresses.current.is_none_or(|current| current.network != network) {
            context.switch_radio(self.index, network, false);
        }
        context.note(self.index, DeviceEvent::Detached { network, lease, cause });
        if old_sockets == OldSockets::Rot {
            return;
        }
        let ip = old.of(self.index);
        self.orphans.retain(|socket| *socket.transport.local().ip() != ip);
        let probe_is_lost = self.detach_sides(ip, context);
        match self.socket.take_if(|socket| *socket.transport.local().ip() == ip) {
            Some(socket) if matches!(self.phase, Phase::Online) => {
                self.lost(socket.port(), LossReason::Aborted, context);
            }
            Some(_) => self.failed(AttemptFailure::NoNetwork, context),
            None if probe_is_lost => {
                self.heartbeat.on_event(context.now, &Event::ProbeLost);
                self.beat(context);
            }
            None => {}
        }
    }

    fn tell_of_network(&mut self, context: &mut Context) {
        let now = context.now;
        let network = self.addresses.current.map(|address| context.shared.network(address.network));
        match self.phase {
            Phase::Starting { at } if at <= now => self.attempt(context),
            Phase::Starting { .. } | Phase::Dead => {}
            Phase::Online => {
                self.heartbeat.on_event(now, &Event::NetworkChanged(network));
                self.reconnect.on_event(now, &ReconnectEvent::NetworkChanged(network));
                self.beat(context);
            }
            Phase::Connecting { .. } => self.reconnect.on_event(now, &ReconnectEvent::NetworkChanged(network)),
            Phase::Waiting { .. } | Phase::Pausing { .. } | Phase::Checking | Phase::Stopped => {
                self.reconnect.on_event(now, &ReconnectEvent::NetworkChanged(network));
                // Nobody tries without a network: there is nothing to plan until the next one.
                if network.is_some() {
                    self.plan(context);
                }
            }
        }
    }

    fn die(&mut self, context: &mut Context) {
        // A process that has not been started cannot be killed.
        if matches!(self.phase, Phase::Starting { at } if at > context.now) {
            return;
        }
        // Its kernel closes them in the order in which they were opened.
        if self.socket.is_some() {
            self.leave(context);
        }
        self.close_sides(context);
        self.phase = Phase::Dead;
        context.note(self.index, DeviceEvent::Killed);
    }

    pub(super) fn start(&mut self, context: &mut Context) {
        if !matches!(self.phase, Phase::Dead) {
            return;
        }
        self.starts += 1;
        self.last_session = None;
        (self.heartbeat, self.reconnect) = context.shared.policies(self.index, self.starts);
        if let Some(memory) = &self.memory {
            self.heartbeat.recall(memory);
        }
        context.note(self.index, DeviceEvent::Started);
        self.phase = Phase::Starting { at: context.now };
        if let Some(state) = self.app_state {
            self.heartbeat.on_event(context.now, &Event::AppState(state));
            self.reconnect.on_event(context.now, &ReconnectEvent::AppState(state));
        }
        self.attempt(context);
    }

    /// Sends a frame that makes no sense, if anybody listens.
    fn send_malformed(&mut self, context: &mut Context) {
        if matches!(self.phase, Phase::Online) {
            context.note(self.index, DeviceEvent::MalformedSent);
            self.write(Frame::Malformed, context);
        }
    }

    fn turn(&mut self, state: AppState, context: &mut Context) {
        self.app_state = Some(state);
        context.note(self.index, DeviceEvent::AppState(state));
        if matches!(self.phase, Phase::Dead) {
            return;
        }
        self.heartbeat.on_event(context.now, &Event::AppState(state));
        self.reconnect.on_event(context.now, &ReconnectEvent::AppState(state));
        match self.phase {
            // As with another network: without any there is nothing to plan. The answer to a check asks by itself.
            Phase::Waiting { .. } | Phase::Pausing { .. } | Phase::Stopped if self.is_attached() => {
                self.plan_again(context);
            }
            _ => self.beat(context),
        }
    }
}
