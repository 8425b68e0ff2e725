//! Everything that can go wrong, as data: what a file says of each kind of fault, and what the rest of the house has to know
//! of it. A new kind is a line in the table below, an arm of [`FaultConfig::facts`], and a struct with its keys in the file
//! of its family. How faults are drawn is in `fate`; what they do, in `nodes`.

mod cause;
mod device;
mod link;
mod nat;
mod proxy;
#[cfg(any(test, feature = "proptest"))]
mod random;
mod server;
mod timing;
mod whom;

use std::time::Duration;

use cardiogram_policies::{Time, unit::Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(any(test, feature = "proptest"))]
pub use self::random::FaultDraws;
pub use self::{
    cause::Cause,
    device::{LeaseExpiry, Malformed, NetworkSwitch, ProcessKilled, Standstill},
    link::{
        Answer, Carrier, Cut, DelaySpike, Direction, Duplication, Flapping, Handover, HandoverMode, LossBurst,
        RateLimit, Reordering,
    },
    nat::{NatFlush, NatTimeout},
    proxy::{ProxyDrain, ProxyRestart},
    server::{HalfDead, ServerDrain, ServerFault, ServerHalfDead, ServerLateReply, ServerOverload, ServerVanish},
    timing::When,
    whom::Whom,
};
pub(crate) use self::{
    device::DeviceEffect, link::LinkEffect, nat::NatEffect, proxy::ProxyEffect, server::ServerEffect, timing::Lasts,
};
use super::{Distribution, LinkName};

/// The kinds of faults, each with its keys, its name in files, records and results, and the name that it had in files of
/// before.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident($keys:ty) = $name:literal $(, formerly $former:literal)?;)+) => {
        /// Something that goes wrong. In a file: `[[faults]]` with one table named for its kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum FaultConfig {
            $($(#[$doc])+ #[serde(rename = $name $(, alias = $former)?)] $kind($keys),)+
        }

        /// A kind of fault. New kinds will come; a table of all kinds is to know of them when it is compiled, so that this
        /// is not `non_exhaustive`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each is told beside its keys, in FaultConfig")]
        pub enum FaultKind {
            $($kind,)+
        }

        impl FaultKind {
            /// All kinds, in this order.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Returns whether such a fault is one of a proxy, which not every world has.
            pub const fn is_of_proxy(self) -> bool {
                matches!(self, Self::ProxyRestart | Self::ProxyDrain)
            }

            /// Returns the name in files, in the record and in results.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// Names that files of earlier versions have for it; they are still read.
            pub const fn former_names(self) -> &'static [&'static str] {
                match self {
                    $(Self::$kind => &[$($former)?],)+
                }
            }
        }

        impl FaultConfig {
            /// Returns the kind of this fault.
            pub const fn kind(&self) -> FaultKind {
                match self {
                    $(Self::$kind(_) => FaultKind::$kind,)+
                }
            }
        }
    };
}

kinds! {
    /// A link carries nothing; what is under way on it is lost.
    Cut(Cut) = "cut";
    /// A link goes down and up again and again.
    Flapping(Flapping) = "flapping";
    /// For a moment nothing passes a link.
    Handover(Handover) = "handover";
    /// A link loses packets by chance.
    LossBurst(LossBurst) = "loss-burst";
    /// A link takes longer.
    DelaySpike(DelaySpike) = "delay-spike";
    /// Packets of a link arrive twice.
    Duplication(Duplication) = "duplication";
    /// Packets of a link overtake others.
    Reordering(Reordering) = "reordering";
    /// A link carries a limited number of bits a second.
    RateLimit(RateLimit) = "rate-limit";
    /// The NAT forgets all mappings at once (reboot, failover).
    NatFlush(NatFlush) = "nat-flush";
    /// The NAT's timeout of established connections is another one for a while.
    NatTimeout(NatTimeout) = "nat-timeout";
    /// Devices move to another network, or get another address.
    NetworkSwitch(NetworkSwitch) = "network-switch", formerly "switch";
    /// A device's address is dead, and its system does not notice.
    LeaseExpiry(LeaseExpiry) = "lease-expiry";
    /// A device's process is killed, and started again.
    ProcessKilled(ProcessKilled) = "process-killed", formerly "kill";
    /// A device's process stands still; its kernel goes on (a blocked loop, a collection pause, a throttled tab).
    DeviceStall(Standstill) = "device-stall";
    /// A device stands still, kernel and all, and what is sent to it is lost (a laptop asleep, a suspended phone).
    DeviceFreeze(Standstill) = "device-freeze";
    /// A device sends a frame that makes no sense.
    Malformed(Malformed) = "malformed";
    /// The server's application stops; its kernel goes on (deadlock).
    ServerStall(ServerFault) = "server-stall", formerly "stall";
    /// The server's application stops for a moment (garbage collection, a blocked event loop); its kernel goes on.
    ServerPause(ServerFault) = "server-pause", formerly "pause";
    /// The server answers heartbeats, but messages and pushes are gone (a lost subscription, a dead worker behind a living gateway).
    ServerHalfDead(ServerHalfDead) = "server-half-dead";
    /// The server's process dies; its kernel closes the connections and refuses new ones until the process is back.
    ServerCrash(ServerFault) = "server-crash", formerly "crash";
    /// The server's host goes silent and loses all state; afterwards it is back with a fresh process.
    ServerVanish(ServerVanish) = "server-vanish", formerly "vanish";
    /// The server's process is restarted, as in a deployment: it closes its sessions, and listens again after `lasts`,
    /// by default 2 s. On the wire it looks like a crash; it is told apart in the record.
    ServerRestart(ServerFault) = "server-restart", formerly "restart";
    /// The server's work takes longer: other work wants the same machine.
    ServerOverload(ServerOverload) = "server-overload", formerly "overload";
    /// The server answers heartbeats late, and says everything else in time (a busy event loop, a proxy that buffers).
    ServerLateReply(ServerLateReply) = "server-late-reply";
    /// The server closes its sessions one after the other and refuses new ones; then its process is restarted.
    ServerDrain(ServerDrain) = "server-drain", formerly "drain";
    /// The proxy's process is restarted: it ends every connection, and refuses new ones meanwhile.
    ProxyRestart(ProxyRestart) = "proxy-restart";
    /// The proxy gets a new configuration: it ends the connections that it has over a time.
    ProxyDrain(ProxyDrain) = "proxy-drain";
}

/// What the rest of the world has to know of a fault.
#[derive(Clone, Debug)]
pub(crate) struct Fault<'a> {
    /// When it strikes.
    pub(crate) when: &'a When,
    /// How long each strike lasts.
    pub(crate) lasts: Lasts<'a>,
    /// How much longer it may take until nothing is late or short-lived because of it.
    pub(crate) aftermath: Duration,
    /// The devices that it strikes; `None`: all.
    pub(crate) whom: Option<&'a Whom>,
    /// The place that it strikes, and what it does there.
    pub(crate) target: Target<'a>,
}

/// The place that a fault strikes, and what it does there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// A link, in one direction or both.
    Link { link: &'a LinkName, direction: Direction, effect: LinkEffect<'a> },
    /// A NAT of a network; `None`: all.
    Nat { network: Option<&'a str>, nat: Option<u32>, effect: NatEffect },
    /// Every device for itself.
    Device(DeviceEffect<'a>),
    /// A server; `None`: all. The cause tells faults apart that do the same.
    Server { server: Option<u32>, cause: Cause, effect: ServerEffect },
    /// The proxy in front of the servers.
    Proxy(ProxyEffect),
}

impl FaultConfig {
    /// Returns what the rest of the world has to know of it.
    pub(crate) fn facts(&self) -> Fault<'_> {
        match self {
            Self::Cut(it) => it.facts(),
            Self::Flapping(it) => it.facts(),
            Self::Handover(it) => it.facts(),
            Self::LossBurst(it) => it.facts(),
            Self::DelaySpike(it) => it.facts(),
            Self::Duplication(it) => it.facts(),
            Self::Reordering(it) => it.facts(),
            Self::RateLimit(it) => it.facts(),
            Self::NatFlush(it) => it.facts(),
            Self::NatTimeout(it) => it.facts(),
            Self::NetworkSwitch(it) => it.facts(),
            Self::LeaseExpiry(it) => it.facts(),
            Self::ProcessKilled(it) => it.facts(),
            Self::DeviceStall(it) => it.facts(DeviceEffect::Stalls),
            Self::DeviceFreeze(it) => it.facts(DeviceEffect::Freezes),
            Self::Malformed(it) => it.facts(),
            Self::ServerStall(it) => it.facts(Cause::ServerStall, ServerEffect::Stops),
            Self::ServerPause(it) => it.facts(Cause::ServerPause, ServerEffect::Stops),
            Self::ServerHalfDead(it) => it.facts(Cause::ServerHalfDead, ServerEffect::HalfDies(it.of)),
            Self::ServerCrash(it) => it.facts(Cause::ServerCrash, ServerEffect::Dies),
            Self::ServerVanish(it) => it.facts(Cause::ServerVanish, ServerEffect::Silences(it.answers)),
            Self::ServerRestart(it) => it.restart_facts(),
            Self::ServerOverload(it) => it.facts(Cause::ServerOverload, it.effect()),
            Self::ServerLateReply(it) => {
                it.facts(Cause::ServerLateReply, ServerEffect::RepliesLate { by: it.by.get() })
            }
            Self::ServerDrain(it) => it.facts(),
            Self::ProxyRestart(it) => it.facts(),
            Self::ProxyDrain(it) => it.facts(),
        }
    }

    /// The fault at other times, and lasting this long each time. Without a length: to the end of the run, if its kind can
    /// last so long, else as long as before. A change of address has no length; its gap without a network takes the place.
    #[must_use]
    pub fn struck(mut self, when: When, lasts: Option<Span>) -> Self {
        let drawn = lasts.map(Distribution::Constant);
        match &mut self {
            Self::Cut(it) => (it.when, it.lasts) = (when, drawn),
            Self::Flapping(it) => (it.when, it.lasts, it.cycles) = (when, drawn, None),
            Self::Handover(it) => (it.when, it.lasts) = (when, drawn.unwrap_or_else(|| it.lasts.clone())),
            Self::LossBurst(it) => (it.when, it.lasts) = (when, drawn),
            Self::DelaySpike(it) => (it.when, it.lasts) = (when, drawn),
            Self::Duplication(it) => (it.when, it.lasts) = (when, drawn),
            Self::Reordering(it) => (it.when, it.lasts) = (when, drawn),
            Self::RateLimit(it) => (it.when, it.lasts) = (when, drawn),
            Self::NatFlush(it) => it.when = when,
            Self::NatTimeout(it) => (it.when, it.lasts) = (when, drawn),
            Self::NetworkSwitch(it) if it.to.is_none() => (it.when, it.gap) = (when, drawn.or_else(|| it.gap.take())),
            Self::NetworkSwitch(it) => (it.when, it.lasts) = (when, drawn),
            Self::LeaseExpiry(it) => (it.when, it.lasts) = (when, drawn),
            Self::ProcessKilled(it) => (it.when, it.lasts) = (when, drawn),
            Self::DeviceStall(it) | Self::DeviceFreeze(it) => (it.when, it.lasts) = (when, drawn),
            Self::Malformed(it) => it.when = when,
            Self::ServerPause(it) | Self::ServerRestart(it) => {
                (it.when, it.lasts) = (when, drawn.or_else(|| it.lasts.take()));
            }
            Self::ServerStall(it) | Self::ServerCrash(it) => (it.when, it.lasts) = (when, drawn),
            Self::ServerVanish(it) => (it.when, it.lasts) = (when, drawn),
            Self::ServerHalfDead(it) => (it.when, it.lasts) = (when, drawn),
            Self::ServerOverload(it) => (it.when, it.lasts) = (when, drawn),
            Self::ServerLateReply(it) => (it.when, it.lasts) = (when, drawn),
            Self::ServerDrain(it) => (it.when, it.over) = (when, lasts.unwrap_or(it.over)),
            Self::ProxyRestart(it) => (it.when, it.lasts) = (when, drawn.or_else(|| it.lasts.take())),
            Self::ProxyDrain(it) => (it.when, it.over) = (when, lasts.unwrap_or(it.over)),
        }
        self
    }

    /// Returns the causes that an episode which it began may have; none where it only loses, delays or slows down.
    pub fn causes(&self) -> Vec<Cause> {
        match self.facts().target {
            Target::Link { direction, effect, .. } if effect.cuts_off() => match direction {
                // Two faults together may cut what each cuts one way.
                Direction::Both => vec![Cause::Cut, Cause::CutUp, Cause::CutDown],
                Direction::Up => vec![Cause::CutUp, Cause::Cut],
                Direction::Down => vec![Cause::CutDown, Cause::Cut],
            },
            Target::Nat { effect: NatEffect::Forgets, .. } => vec![Cause::NatFlush],
            Target::Nat { effect: NatEffect::TimesOut(_), .. } => vec![Cause::NatExpiry],
            Target::Device(DeviceEffect::Moves(_)) => vec![Cause::NetworkSwitch, Cause::NoNetwork],
            Target::Device(DeviceEffect::LosesAddress(_)) => vec![Cause::LeaseExpiry],
            Target::Device(DeviceEffect::Kills) => vec![Cause::ProcessKilled],
            Target::Device(DeviceEffect::Stalls) => vec![Cause::DeviceStall],
            Target::Device(DeviceEffect::Freezes) => vec![Cause::DeviceFreeze],
            Target::Link { .. } | Target::Device(DeviceEffect::SendsMalformed) => Vec::new(),
            Target::Server { cause, effect, .. } => match effect {
                ServerEffect::Stops
                | ServerEffect::Dies
                | ServerEffect::Silences(_)
                | ServerEffect::Drains { .. }
                | ServerEffect::HalfDies(_) => vec![cause],
                ServerEffect::Slows { .. } | ServerEffect::RepliesLate { .. } => Vec::new(),
            },
            Target::Proxy(ProxyEffect::Dies) => vec![Cause::ProxyRestart],
            Target::Proxy(ProxyEffect::Drains { .. }) => vec![Cause::ProxyDrain],
        }
    }

    /// Returns whether every usable session that it strikes breaks. One that only shortens a NAT's timeout breaks those that
    /// are idle for longer.
    pub fn is_break(&self) -> bool {
        !self.causes().is_empty() && !self.causes().contains(&Cause::NatExpiry)
    }

    /// Returns the times in which it is at work, its aftermath included: each begin with its end, `None` where there is no end.
    /// `None` for all where only the draws know.
    pub fn periods(&self) -> Option<Vec<(Time, Option<Time>)>> {
        let Fault { when, lasts, aftermath, .. } = self.facts();
        timing::periods(when, &lasts, aftermath)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_kinds_share_a_name_of_today_or_of_before() {
        let names = FaultKind::ALL.iter().flat_map(|kind| [&[kind.name()], kind.former_names()].concat());
        let names: Vec<&str> = names.collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn a_name_of_before_is_read_as_the_kind_of_today() {
        for kind in FaultKind::ALL {
            for name in kind.former_names() {
                let read = |name: &str| {
                    toml::from_str::<FaultConfig>(&format!("[{name}]\nwhen.every = \"1h\"\n{}", keys(*kind)))
                };
                let (now, before) = (read(kind.name()).unwrap(), read(name).unwrap());
                assert_eq!((now.kind(), &now), (*kind, &before));
            }
        }
    }

    /// Returns the keys that a kind requires.
    fn keys(kind: FaultKind) -> &'static str {
        match kind {
            FaultKind::ServerOverload => "capacity = 0.5",
            FaultKind::ServerLateReply => "by = \"1s\"",
            _ => "",
        }
    }

    /// Where a kind of fault and a cause have one name, the one explains the other.
    #[test]
    fn a_fault_explains_the_cause_of_its_name() {
        for cause in Cause::ALL {
            let Some(kind) = FaultKind::ALL.iter().find(|kind| kind.name() == cause.name()) else { continue };
            let text = format!("[{}]\nwhen.every = \"1h\"\n{}", kind.name(), keys(*kind));
            let fault: FaultConfig = toml::from_str(&text).unwrap();
            // Who is slow or late breaks nothing; the cause names the fault in the record.
            let breaks = !matches!(kind, FaultKind::ServerOverload | FaultKind::ServerLateReply);
            assert_eq!(fault.causes().contains(cause), breaks, "{kind:?}");
        }
    }
}
