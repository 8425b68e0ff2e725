//! What can be wrong with links and their faults.

use std::time::Duration;

use cardiogram_policies::unit::{Fraction, format_duration};

use super::{Found, STRIKES_MAX};
use crate::config::{
    Answer, Carrier, Direction, Distribution, Flapping, LinkConfig, LinkEffect, LinkName, Rate, WorldConfig,
};

/// The shortest delay of a link: the turmoil engine's windows are as long, and shorter ones would not end.
pub(super) const DELAY_MIN: Duration = Duration::from_micros(100);
/// The lowest and the highest rate: below, a packet takes longer than a connection lives; above, it takes no time here.
const RATES: std::ops::RangeInclusive<u64> = 1_000..=10_000_000_000;
/// The most times down that a flapping link is expected to make.
const CYCLES_MAX: u32 = 10_000;
/// The longest packet, with its headers.
const PACKET_MAX: usize = 1_500;
/// The shortest time constant of a drift: what changes faster is jitter.
const TAU_MIN: Duration = Duration::from_millis(10);

/// Returns the longest that a packet takes on a healthy link, its wait in the queue included.
pub(crate) fn delay_max(link: &LinkConfig) -> Duration {
    let base = link.base_delay.as_ref().map_or(Duration::ZERO, Distribution::practical_max);
    let queue = link.rate.map_or(Duration::ZERO, |rate| rate.queue.get() + rate.time_for(PACKET_MAX));
    let drift = link.drift.as_ref().map_or(Duration::ZERO, |drift| drift.delay.practical_max());
    base + link.delay.practical_max() + drift + queue
}

/// Returns whether a healthy link never loses a packet.
pub(crate) fn is_lossless(link: &LinkConfig) -> bool {
    link.packet_loss.get() <= 0.0 && link.burst_loss.is_none() && link.rate.is_none()
}

impl Found {
    pub(super) fn link(&mut self, name: &str, link: &LinkConfig) {
        if let Some(base) = &link.base_delay {
            self.distribution(&format!("{name}.base_delay"), base);
        }
        self.distribution(&format!("{name}.delay"), &link.delay);
        if link.delay_min() < DELAY_MIN {
            let (is, least) = (format_duration(link.delay_min()), format_duration(DELAY_MIN));
            let key = if matches!(link.delay, Distribution::Constant(_)) { "" } else { ", as its `min`" };
            self.add(
                format!("{name}.delay"),
                format!("a delay of this link can be as short as {is}; the shortest there is here is {least}"),
                format!("write at least \"{least}\"{key}"),
            );
        }
        if let Some(drift) = &link.drift {
            self.distribution(&format!("{name}.drift.delay"), &drift.delay);
            if drift.tau.get() < TAU_MIN {
                self.add(
                    format!("{name}.drift.tau"),
                    format!("what drifts within {} differs from packet to packet", drift.tau),
                    format!("use at least \"{}\", or put it into `delay`", format_duration(TAU_MIN)),
                );
            }
        }
        if let Some(rate) = link.rate {
            self.rate(&format!("{name}.rate"), rate);
        }
    }

    fn rate(&mut self, path: &str, Rate { bits_per_second, .. }: Rate) {
        if !RATES.contains(&bits_per_second) {
            self.add(
                format!("{path}.bits_per_second"),
                format!("a rate of {bits_per_second} bits a second"),
                format!("use {} to {}", RATES.start(), RATES.end()),
            );
        }
    }

    /// A fault at `path` of a link.
    pub(super) fn link_fault(
        &mut self,
        path: &str,
        link: &LinkName,
        direction: Direction,
        effect: LinkEffect<'_>,
        world: &WorldConfig,
    ) {
        if let LinkName::Network(name) = link
            && world.network_number(name).is_none()
        {
            let networks: Vec<String> = world.all_networks().map(|network| format!("`{}`", network.name)).collect();
            self.add(
                format!("{path}.link"),
                format!("there is no link `{name}`"),
                format!("use `access`, `core`, or the name of a network: {}", networks.join(", ")),
            );
        }
        match effect {
            LinkEffect::Loses(loss) if loss >= Fraction::ONE => self.add(
                format!("{path}.loss"),
                "a link that loses every packet is not lossy, it is cut",
                "use the fault `cut`, which counts as a break, or a loss below 1",
            ),
            LinkEffect::Delays(delay) | LinkEffect::HoldsBack(_, delay) | LinkEffect::Copies(_, delay) => {
                self.distribution(&format!("{path}.delay"), delay);
            }
            LinkEffect::Limits(rate) => self.rate(path, rate),
            LinkEffect::Cuts(answers, Carrier::Lost) => {
                let path = format!("{path}.carrier");
                if *link == LinkName::Core {
                    self.add(path, "a device sees its own link alone", "leave it out, or cut `access` or a network");
                } else if direction != Direction::Both {
                    self.add(path, "a link without a carrier carries nothing either way", "leave out `direction`");
                } else if answers != Answer::Nothing {
                    self.add(path, "what has not left the device meets no router", "leave out `answers`, or `carrier`");
                }
            }
            LinkEffect::Loses(_) | LinkEffect::Cuts(..) | LinkEffect::Holds => {}
        }
    }

    /// A link at `path` that goes down and up.
    pub(super) fn flapping(&mut self, path: &str, spec: &Flapping, world: &WorldConfig) {
        if let Some(lasts) = &spec.lasts {
            self.distribution(&format!("{path}.lasts"), lasts);
        }
        let cycle = spec.down.get() + spec.up.get();
        if world.duration.as_micros() / cycle.as_micros() > STRIKES_MAX {
            self.add(
                format!("{path}.down"),
                format!("going down and up once in {} is too often in a run", format_duration(cycle)),
                format!("at most {STRIKES_MAX} times are expected of one"),
            );
        }
        match spec.cycles {
            Some(_) if spec.lasts.is_some() => self.add(
                format!("{path}.cycles"),
                "both `lasts` and `cycles` say when the flapping ends",
                "leave one of them out",
            ),
            Some(cycles) if !(1..=CYCLES_MAX).contains(&cycles) => {
                self.add(format!("{path}.cycles"), format!("{cycles} cycles"), format!("use 1 to {CYCLES_MAX}"));
            }
            _ => {}
        }
    }
}
