//! When a device lets its program run. A timer of the program waits for the alarm grid or the doze, as those of the lab's own device
//! do; whatever else the program is told lets it run at that moment, its overdue timers with it. A program that waits is not polled,
//! and neither it nor a task of it gets through to a socket.

use std::task::Waker;

use cardiogram_policies::Time;

use super::{kernel::Kernel, socket::Holder, waits::Waits};
use crate::wire::tcp::State;

impl Kernel {
    /// Returns whether the program has to wait; if so, `waker` is woken when it need not any more.
    pub(super) fn holds_back(&mut self, waker: &Waker, now: Time) -> bool {
        let holds = self.is_held(now);
        if holds {
            self.waits.held.push(waker.clone());
        }
        holds
    }

    /// The program drops a connection. While it has to wait, its kernel does not learn it.
    pub(super) fn let_go(&mut self, slot: u32, now: Time) {
        if self.is_held(now) {
            self.waits.put_off.push(slot);
        } else {
            self.close(slot, now);
        }
    }

    fn is_held(&mut self, now: Time) -> bool {
        if self.waits.is_still {
            return true;
        }
        // An attempt under way keeps the device awake.
        if self.waits.roused == Some(now) || self.life.is_none() {
            return false;
        }
        let fires = self.life.as_ref().filter(|_| !self.is_connecting()).map_or(now, |life| life.fires(now));
        if fires <= now {
            self.ring(now);
            return false;
        }
        if self.waits.alarm.is_none_or(|alarm| fires < alarm) {
            self.waits.alarm = Some(fires);
            // The engine has to know before the clock goes on.
            self.gate.touch();
            self.post();
        }
        true
    }

    fn is_connecting(&self) -> bool {
        let mut held = self.sockets.iter().flatten().filter(|socket| socket.holder == Holder::Program);
        held.any(|socket| socket.tcp.state() == State::SynSent)
    }

    /// Returns when an alarm is due.
    pub(super) const fn next_alarm(&self) -> Option<Time> {
        self.waits.alarm
    }

    /// Lets the program run, whose alarm is due or which is started.
    pub(super) fn ring(&mut self, now: Time) {
        if let Some(life) = &mut self.life {
            life.fired(now);
        }
        self.wake_processor(now);
        self.rouse(now);
    }

    /// The program is told something.
    pub(super) const fn rouse(&mut self, now: Time) {
        self.waits.roused = Some(now);
        self.waits.was_told |= self.waits.is_still;
    }

    /// Something other than the kernel's timers keeps the processor awake for a while, so that the kernel's clock goes on.
    pub(super) fn wake_processor(&mut self, now: Time) {
        let Some(life) = self.life.as_mut() else { return };
        life.wake(now);
        for slot in 0..self.sockets.len() as u32 {
            self.set_timer(slot);
        }
        self.post();
    }

    /// Lets those go on who wait, if the program has been told something at this moment.
    pub(super) fn go_on_if_roused(&mut self, now: Time) {
        if self.waits.roused == Some(now) && !self.waits.is_still {
            self.go_on(now);
        }
    }

    /// The process stands still from now on, or goes on.
    pub(super) fn set_still(&mut self, is_still: bool, now: Time) {
        self.waits.is_still = is_still;
        if !is_still {
            if std::mem::take(&mut self.waits.was_told) {
                self.rouse(now);
            }
            self.go_on(now);
        }
    }

    fn go_on(&mut self, now: Time) {
        self.waits.alarm = None;
        self.waits.held.drain(..).for_each(|waker| self.gate.wake(waker));
        for slot in std::mem::take(&mut self.waits.put_off) {
            self.close(slot, now);
        }
        self.post();
    }

    /// The process is gone: whoever waits learns it.
    pub(super) fn forget_waits(&mut self) {
        self.waits.held.drain(..).for_each(|waker| self.gate.wake(waker));
        self.waits = Waits { is_still: self.waits.is_still, ..Waits::default() };
    }
}
