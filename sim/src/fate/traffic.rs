//! Messages of the application: when each is created is a function of seed, direction and device, so that every strategy
//! has the same to say and to hear.

use std::time::Duration;

use cardiogram_policies::Time;
use rand_chacha::ChaCha8Rng;

use crate::fate::{random, schedule::exponential};

/// The messages of one device in one direction, in order of creation, numbered from 0.
pub(crate) struct Messages {
    mean: Duration,
    rng: ChaCha8Rng,
    next: Message,
}

/// A message of the application, before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u32,
    pub(crate) created: Time,
}

impl Messages {
    /// What a device has to say, from its start on, on average once in `mean`.
    pub(crate) fn up(seed: u64, device: u32, start: Time, mean: Duration) -> Self {
        Self::new(random::stream(seed, "traffic/up", u64::from(device)), start, mean)
    }

    /// What there is for a device to hear, from its start on, on average once in `mean`.
    pub(crate) fn down(seed: u64, device: u32, start: Time, mean: Duration) -> Self {
        Self::new(random::stream(seed, "traffic/down", u64::from(device)), start, mean)
    }

    fn new(mut rng: ChaCha8Rng, start: Time, mean: Duration) -> Self {
        let created = start + exponential(mean, &mut rng);
        Self { mean, rng, next: Message { id: 0, created } }
    }

    /// Returns the next message.
    pub(crate) const fn peek(&self) -> Message {
        self.next
    }

    /// Takes the next message if it has been created by `now`.
    pub(crate) fn take(&mut self, now: Time) -> Option<Message> {
        (self.next.created <= now).then(|| {
            let created = self.next.created + exponential(self.mean, &mut self.rng);
            let id = self.next.id + 1;
            std::mem::replace(&mut self.next, Message { id, created })
        })
    }
}

/// Returns when a device starts: at a random moment within `within`.
pub(crate) fn start(seed: u64, device: u32, within: Duration) -> Time {
    let u = random::draw(&mut random::stream(seed, "device/start", u64::from(device)));
    Time::from_micros((within.as_micros() as f64 * u) as u64)
}
