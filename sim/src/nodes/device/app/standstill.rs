//! A device whose process stands still: its kernel takes what comes, as long as that runs, and the application learns of it
//! when it goes on. When that is is drawn in [`life`](crate::fate::life).

use cardiogram_policies::AttemptFailure;

use super::{Device, Phase};
use crate::{
    config::OnWaking,
    nodes::device::Context,
    record::trace::DeviceEvent,
    wire::{address, packet::Packet, tap::Tap, tcp},
};

impl Device {
    /// Returns whether its process stands still.
    pub(super) fn is_still(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.is_still())
    }

    /// Returns whether the whole device does: nothing comes in.
    pub(in crate::nodes::device) fn is_frozen(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.is_frozen())
    }

    /// Its process stands still from now on, or goes on.
    pub(super) fn stand_still(&mut self, is_still: bool, context: &mut Context) {
        self.progress.iter_mut().for_each(|progress| progress.stand_still(is_still));
        context.note(self.index, if is_still { DeviceEvent::StandsStill } else { DeviceEvent::GoesOn });
    }

    /// The whole device stands still from now on, or goes on: its radios are off meanwhile, with all that waits for them.
    pub(super) fn freeze_up(&mut self, is_frozen: bool, context: &mut Context) {
        self.progress.iter_mut().for_each(|progress| progress.freeze_up(is_frozen));
        let lingering = self.addresses.lingering.map(|(address, _)| address);
        for address in [self.addresses.current, lingering].into_iter().flatten() {
            context.switch_radio(self.index, address.network, !is_frozen);
        }
    }

    /// A packet comes while the process stands still: the kernel handles it alone.
    pub(super) fn kernel_takes(&mut self, packet: &Packet, context: &mut Context) {
        if packet.src == address::PUSH_SERVICE {
            // It was on its way when the process stopped, and waited for the radio. The system keeps it.
            self.progress.iter_mut().for_each(|progress| progress.keep(packet.clone()));
            return;
        }
        self.wake(context.now);
        context.kernel = self.kernel(context.now);
        let others = self.orphans.iter_mut().chain(self.sides.iter_mut().map(|side| &mut side.socket));
        match self.socket.as_deref_mut().into_iter().chain(others).find(|socket| socket.is_of(packet)) {
            Some(socket) => socket.on_packet(self.index, packet, context),
            None => {
                if let Some(reset) = tcp::reset_for(packet) {
                    context.send(self.index, &mut Tap::default(), reset);
                }
            }
        }
        self.forget_closed_orphans();
    }

    /// The process goes on, and does first what its runtime does first. What has arrived is read in either case.
    pub(super) fn catch_up(&mut self, context: &mut Context) {
        if context.shared.on_waking == OnWaking::TimersFirst {
            self.let_timers_fire(context);
        }
        let kept = self.progress.as_mut().map(|progress| progress.take_kept());
        for packet in kept.into_iter().flatten() {
            self.on_wakeup(&packet, context);
        }
    }

    fn let_timers_fire(&mut self, context: &mut Context) {
        self.heed_deadlines(context);
        match self.phase {
            Phase::Online => self.beat(context),
            Phase::Connecting { deadline, .. } if deadline <= context.now => {
                self.attempt_failed(AttemptFailure::Timeout, context);
            }
            _ => {}
        }
    }
}
