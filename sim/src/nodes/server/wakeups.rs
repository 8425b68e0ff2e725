//! When the server calls a device over the wake-up channel: once for what is new, when it believes the device's session
//! dead, and no more often than the channel allows. What waits and who has a session is the application's business.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddrV4,
    time::Duration,
};

use cardiogram_policies::Time;

use crate::{
    config::{Carries, FrameSizes, WakeupConfig},
    fate::traffic::Message,
    nodes::timers::Timers,
    wire::{
        address,
        frame::Frame,
        packet::{Flags, Options, Packet},
    },
};

pub(super) struct Wakeups {
    config: WakeupConfig,
    frames: FrameSizes,
    calls: BTreeMap<u32, Calls>,
    /// When each device is called next.
    timers: Timers,
}

/// The calls of one device.
#[derive(Default)]
struct Calls {
    last: Option<Time>,
    /// The first message that it was not called for.
    next: u32,
}

impl Wakeups {
    pub(super) fn new(config: WakeupConfig, frames: FrameSizes) -> Self {
        Self { config, frames, calls: BTreeMap::new(), timers: Timers::default() }
    }

    /// Returns how long a session may owe an acknowledgement until it is believed dead.
    pub(super) const fn patience(&self) -> Duration {
        self.config.after.get()
    }

    /// Decides when to call a device whose messages `waiting` are not acknowledged and whose session is believed dead from
    /// `dead` on, if it comes to that.
    pub(super) fn plan(&mut self, device: u32, waiting: &VecDeque<Message>, dead: Option<Time>) {
        let Calls { last, next } = self.calls.entry(device).or_default();
        let has_news = waiting.back().is_some_and(|message| message.id >= *next);
        let allowed = last.map_or(Time::ZERO, |last| last + self.config.every.get());
        self.timers.set(device, dead.filter(|_| has_news).map(|dead| dead.max(allowed)));
    }

    /// Returns when someone is to be called next.
    pub(super) fn next(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Takes a device that is to be called now.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<u32> {
        self.timers.pop_due(now)
    }

    /// Calls a device: the packet for the push service to deliver.
    pub(super) fn call(&mut self, device: u32, now: Time, waiting: &VecDeque<Message>) -> Packet {
        let calls = self.calls.entry(device).or_default();
        let message = match self.config.carries {
            Carries::Signal => waiting.back(),
            Carries::Message => waiting.iter().find(|message| message.id >= calls.next),
        };
        let Message { id, created, bytes } = *message.expect("a device is called for a message");
        *calls = Calls { last: Some(now), next: id + 1 };
        let frame = match self.config.carries {
            Carries::Signal => Frame::Wakeup { size: self.config.bytes },
            Carries::Message => Frame::Message { id, created },
        };
        let mut payload = Vec::new();
        frame.encode(&self.frames.with_message(bytes), &mut payload);
        Packet {
            src: address::PUSH_SERVICE,
            dst: SocketAddrV4::new(address::device(0, 0, device), address::PUSH_SERVICE.port()),
            seq: 0,
            ack: 0,
            flags: Flags::PSH | Flags::ACK,
            window: u16::MAX,
            options: Options::default(),
            payload,
            unreachable: None,
            device: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::{Delay, Span};

    use super::*;
    use crate::config::Distribution;

    fn waiting(ids: std::ops::Range<u32>) -> VecDeque<Message> {
        ids.map(|id| Message { id, created: Time::from_secs(u64::from(id)), bytes: 0 }).collect()
    }

    fn wakeups(carries: Carries) -> Wakeups {
        let channel = WakeupConfig::of_delay(Distribution::Constant(Span::secs(1)));
        Wakeups::new(WakeupConfig { every: Delay::millis(60_000), carries, ..channel }, FrameSizes::default())
    }

    fn frame(packet: &Packet) -> Option<Frame> {
        Frame::take(&mut packet.payload.clone())
    }

    #[test]
    fn a_signal_is_sent_once_for_all_that_waits_and_again_for_what_is_new() {
        let mut wakeups = wakeups(Carries::Signal);
        let at = Time::from_secs;
        wakeups.plan(3, &waiting(0..3), Some(at(100)));
        assert_eq!((wakeups.pop_due(at(99)), wakeups.pop_due(at(100))), (None, Some(3)));
        let packet = wakeups.call(3, at(100), &waiting(0..3));
        assert_eq!(frame(&packet), Some(Frame::Wakeup { size: 64 }));
        wakeups.plan(3, &waiting(0..3), Some(Time::ZERO));
        assert_eq!(wakeups.next(), None, "it was called for those");
        // The session is dead long since, but the service takes one call a minute.
        wakeups.plan(3, &waiting(0..4), Some(Time::ZERO));
        assert_eq!(wakeups.next(), Some(at(160)));
        wakeups.plan(3, &waiting(0..4), None);
        assert_eq!(wakeups.next(), None, "its session is well");
    }

    #[test]
    fn messages_are_carried_one_by_one_in_order() {
        let mut wakeups = wakeups(Carries::Message);
        for (at, id) in [(100, 5), (160, 6)] {
            wakeups.plan(3, &waiting(5..7), Some(Time::ZERO));
            let packet = wakeups.call(3, Time::from_secs(at), &waiting(5..7));
            assert_eq!(frame(&packet), Some(Frame::Message { id, created: Time::from_secs(u64::from(id)) }));
        }
        wakeups.plan(3, &waiting(5..7), Some(Time::ZERO));
        assert_eq!(wakeups.next(), None);
    }
}
