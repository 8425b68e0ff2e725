//! What can be wrong with a wake-up channel.

use cardiogram_policies::unit::{Fraction, format_duration};

use super::{Found, link::DELAY_MIN};
use crate::config::{FrameSizes, Undelivered, WorldConfig};

impl Found {
    pub(super) fn wakeup(&mut self, world: &WorldConfig) {
        let Some(wakeup) = &world.wakeup else { return };
        self.distribution("wakeup.delay", &wakeup.delay);
        if wakeup.delay.min() < DELAY_MIN {
            let (is, least) = (format_duration(wakeup.delay.min()), format_duration(DELAY_MIN));
            let message = format!("a wake-up can take as little as {is}; the least there is here is {least}");
            self.add("wakeup.delay", message, format!("give it a `min` of at least \"{least}\""));
        }
        if wakeup.loss >= Fraction::ONE {
            self.add("wakeup.loss", "every wake-up is lost", "use a number below 1, or leave `wakeup` out");
        }
        if !(FrameSizes::WAKEUP_MIN..=FrameSizes::MAX).contains(&wakeup.bytes) {
            let help = format!("use {} to {}", FrameSizes::WAKEUP_MIN, FrameSizes::MAX);
            self.add("wakeup.bytes", format!("a signal of {} bytes", wakeup.bytes), help);
        }
        if !world.traffic.has_down() {
            let help = "say how often in `traffic.down`, or leave `wakeup` out";
            self.add("wakeup", "the server has nothing to wake a device for: there are no messages to devices", help);
        }
        if world.server.undelivered == Undelivered::Lost {
            let help = "use \"retry\", or leave `wakeup` out";
            let message = "a message that is forgotten without a session cannot be what a device is woken for";
            self.add("server.undelivered", message, help);
        }
        if world.server.count > 1 {
            let message = format!(
                "{} servers and a wake-up channel: servers do not tell each other who has a session, so each would wake \
                 the devices of the others",
                world.server.count
            );
            self.add("server.count", message, "use one server, or leave `wakeup` out");
        }
    }
}
