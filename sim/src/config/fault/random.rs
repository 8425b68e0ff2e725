//! Random faults, as strategies of proptest: for worlds in which anything may go wrong. What a world needs of their times
//! and sizes is the caller's to say.

use std::time::Duration;

use cardiogram_policies::unit::{Fraction, Span};
use proptest::{option, prelude::*};

use super::{
    Answer, Carrier, Cut, DelaySpike, Direction, Duplication, FaultConfig, FaultKind, Flapping, HalfDead, Handover,
    HandoverMode, LeaseExpiry, LossBurst, Malformed, NatFlush, NatTimeout, NetworkSwitch, ProcessKilled, ProxyDrain,
    ProxyRestart, RateLimit, Reordering, ServerDrain, ServerFault, ServerHalfDead, ServerLateReply, ServerOverload,
    ServerVanish, Standstill, When, Whom,
};
use crate::config::{Distribution, LinkName, NO_NETWORK, OldSockets, Rate};

/// What the keys of random faults are drawn from.
#[derive(Clone, Debug)]
pub struct FaultDraws {
    /// When they strike.
    pub when: BoxedStrategy<When>,
    /// How long they last; `None`: to the end of the run, where a fault of the kind can last to the end.
    pub lasts: BoxedStrategy<Option<Distribution>>,
    /// The links that they strike.
    pub link: BoxedStrategy<LinkName>,
    /// How late packets are.
    pub delay: BoxedStrategy<Distribution>,
    /// How likely it is that something happens to a packet; below 1.
    pub probability: BoxedStrategy<Fraction>,
    /// How much a link carries.
    pub rate: BoxedStrategy<Rate>,
    /// Every other length of time: a NAT's timeout, how long a flapping link is up.
    pub span: BoxedStrategy<Span>,
    /// The names of networks that devices may be on, `none` among them or not.
    pub network: BoxedStrategy<String>,
    /// What routers answer, where they can.
    pub answers: BoxedStrategy<Answer>,
    /// Whether devices see cuts of their own links, where they can.
    pub carrier: BoxedStrategy<Carrier>,
    /// The devices that they strike, where they can strike some; `None`: all.
    pub devices: BoxedStrategy<Option<Whom>>,
}

impl FaultKind {
    /// Returns how long such a fault lasts at most in a world that is drawn to be believed: what goes on for longer is another
    /// kind of fault. `None`: as long as it likes.
    pub const fn longest(self) -> Option<Duration> {
        match self {
            Self::Handover | Self::NetworkSwitch | Self::ServerPause => Some(Duration::from_secs(20)),
            Self::ProcessKilled | Self::ServerRestart | Self::ProxyRestart => Some(Duration::from_secs(60)),
            Self::Cut
            | Self::Flapping
            | Self::LossBurst
            | Self::DelaySpike
            | Self::Duplication
            | Self::Reordering
            | Self::RateLimit
            | Self::NatFlush
            | Self::NatTimeout
            | Self::LeaseExpiry
            | Self::DeviceStall
            | Self::DeviceFreeze
            | Self::Malformed
            | Self::ServerStall
            | Self::ServerHalfDead
            | Self::ServerCrash
            | Self::ServerVanish
            | Self::ServerOverload
            | Self::ServerLateReply
            | Self::ServerDrain
            | Self::ProxyDrain => None,
        }
    }

    /// Returns whether heartbeats are answered while it lasts: no heartbeat promises to notice it.
    pub const fn answers_heartbeats(self) -> bool {
        matches!(self, Self::ServerHalfDead)
    }

    /// Returns whether it keeps a device's process from running: it then notices nothing, and what it promises is off.
    pub const fn stops_devices(self) -> bool {
        matches!(self, Self::ProcessKilled | Self::DeviceStall | Self::DeviceFreeze)
    }

    /// Faults of this kind. They contradict nothing, if what they are drawn from does not.
    pub fn any(self, of: &FaultDraws) -> BoxedStrategy<FaultConfig> {
        let FaultDraws { when, lasts, link, delay, probability, rate, span, network, answers, carrier, devices } =
            of.clone();
        let on_link = (link.clone(), direction(), devices.clone(), when.clone(), lasts.clone());
        let of_server = |kind: fn(ServerFault) -> FaultConfig| {
            (devices.clone(), when.clone(), lasts.clone())
                .prop_map(move |(devices, when, lasts)| kind(ServerFault { server: None, devices, when, lasts }))
                .boxed()
        };
        let shortly = (delay.clone(), lasts.clone()).prop_map(|(delay, lasts)| lasts.unwrap_or(delay));
        match self {
            Self::Cut => (on_link, answers, carrier)
                .prop_map(|((link, direction, devices, when, lasts), answers, carrier)| {
                    let carrier = of_cut(carrier, &link, direction, answers);
                    FaultConfig::Cut(Cut { link, direction, devices, when, lasts, answers, carrier })
                })
                .boxed(),
            Self::Flapping => (on_link, 1_u32..20, span.clone(), span, answers, carrier)
                .prop_map(|((link, direction, devices, when, lasts), cycles, down, up, answers, carrier)| {
                    let carrier = of_cut(carrier, &link, direction, answers);
                    let cycles = lasts.is_none().then_some(cycles);
                    FaultConfig::Flapping(Flapping {
                        link,
                        direction,
                        devices,
                        when,
                        lasts,
                        cycles,
                        down,
                        up,
                        answers,
                        carrier,
                    })
                })
                .boxed(),
            Self::Handover => {
                (link, devices, when, delay, prop_oneof![Just(HandoverMode::Buffered), Just(HandoverMode::Lossy)])
                    .prop_map(|(link, devices, when, lasts, mode)| {
                        FaultConfig::Handover(Handover { link, devices, when, lasts, mode })
                    })
                    .boxed()
            }
            Self::LossBurst => (on_link, probability)
                .prop_map(|((link, direction, devices, when, lasts), loss)| {
                    FaultConfig::LossBurst(LossBurst { link, direction, devices, when, lasts, loss })
                })
                .boxed(),
            Self::DelaySpike => (on_link, delay)
                .prop_map(|((link, direction, devices, when, lasts), delay)| {
                    FaultConfig::DelaySpike(DelaySpike { link, direction, devices, when, lasts, delay })
                })
                .boxed(),
            Self::Duplication => (on_link, probability, delay)
                .prop_map(|((link, direction, devices, when, lasts), probability, delay)| {
                    FaultConfig::Duplication(Duplication { link, direction, devices, when, lasts, probability, delay })
                })
                .boxed(),
            Self::Reordering => (on_link, probability, delay)
                .prop_map(|((link, direction, devices, when, lasts), probability, delay)| {
                    FaultConfig::Reordering(Reordering { link, direction, devices, when, lasts, probability, delay })
                })
                .boxed(),
            Self::RateLimit => (on_link, rate)
                .prop_map(|((link, direction, devices, when, lasts), Rate { bits_per_second, queue })| {
                    FaultConfig::RateLimit(RateLimit { link, direction, devices, when, lasts, bits_per_second, queue })
                })
                .boxed(),
            Self::NatFlush => {
                when.prop_map(|when| FaultConfig::NatFlush(NatFlush { network: None, nat: None, when })).boxed()
            }
            Self::NatTimeout => (when, lasts, span, option::of(Just(0)))
                .prop_map(|(when, lasts, established, nat)| {
                    FaultConfig::NatTimeout(NatTimeout { network: None, nat, when, lasts, established })
                })
                .boxed(),
            Self::NetworkSwitch => (devices, when, lasts, option::of(network), option::of(delay), old_sockets())
                .prop_map(|(devices, when, lasts, to, gap, old_sockets)| {
                    let lasts = lasts.filter(|_| to.is_some());
                    // They linger only beside another network that is there at once.
                    let lingers = gap.is_none() && to.as_deref().is_some_and(|to| to != NO_NETWORK);
                    let is_alone = old_sockets == OldSockets::Linger && !lingers;
                    let old_sockets = if is_alone { OldSockets::Rot } else { old_sockets };
                    FaultConfig::NetworkSwitch(NetworkSwitch { devices, when, to, lasts, gap, old_sockets })
                })
                .boxed(),
            Self::LeaseExpiry => (devices, when, lasts)
                .prop_map(|(devices, when, lasts)| {
                    FaultConfig::LeaseExpiry(LeaseExpiry { devices, when, lasts, network: None })
                })
                .boxed(),
            Self::ProcessKilled => (devices, when, lasts)
                .prop_map(|(devices, when, lasts)| FaultConfig::ProcessKilled(ProcessKilled { devices, when, lasts }))
                .boxed(),
            Self::DeviceStall | Self::DeviceFreeze => (devices, when, lasts)
                .prop_map(move |(devices, when, lasts)| {
                    let standstill = Standstill { devices, when, lasts };
                    if self == Self::DeviceStall {
                        FaultConfig::DeviceStall(standstill)
                    } else {
                        FaultConfig::DeviceFreeze(standstill)
                    }
                })
                .boxed(),
            Self::Malformed => {
                (devices, when).prop_map(|(devices, when)| FaultConfig::Malformed(Malformed { devices, when })).boxed()
            }
            Self::ServerStall => of_server(FaultConfig::ServerStall),
            Self::ServerPause => (devices, when, shortly)
                .prop_map(|(devices, when, lasts)| {
                    FaultConfig::ServerPause(ServerFault { server: None, devices, when, lasts: Some(lasts) })
                })
                .boxed(),
            Self::ServerHalfDead => {
                (devices, when, lasts, prop_oneof![Just(HalfDead::Service), Just(HalfDead::Sessions)])
                    .prop_map(|(devices, when, lasts, of)| {
                        FaultConfig::ServerHalfDead(ServerHalfDead { server: None, devices, when, lasts, of })
                    })
                    .boxed()
            }
            Self::ServerCrash => of_server(FaultConfig::ServerCrash),
            Self::ServerVanish => (devices, when, lasts, answers)
                .prop_map(|(devices, when, lasts, answers)| {
                    // Only a host that is gone for all has a router that asks for it, and that says one thing alone.
                    let is_told = devices.is_none() && answers != Answer::Nothing;
                    let answers = if is_told { Answer::HostUnreachable } else { Answer::Nothing };
                    FaultConfig::ServerVanish(ServerVanish { server: None, devices, when, lasts, answers })
                })
                .boxed(),
            Self::ServerRestart => of_server(FaultConfig::ServerRestart),
            Self::ServerOverload => (devices, when, lasts, probability, option::of(span))
                .prop_map(|(devices, when, lasts, taken, ramp)| {
                    let capacity = Fraction::new(1.0 - taken.get()).expect("taken is below 1");
                    FaultConfig::ServerOverload(ServerOverload { server: None, devices, when, lasts, capacity, ramp })
                })
                .boxed(),
            Self::ServerLateReply => (devices, when, lasts, span)
                .prop_map(|(devices, when, lasts, by)| {
                    FaultConfig::ServerLateReply(ServerLateReply { server: None, devices, when, lasts, by })
                })
                .boxed(),
            Self::ProxyRestart => {
                (when, lasts).prop_map(|(when, lasts)| FaultConfig::ProxyRestart(ProxyRestart { when, lasts })).boxed()
            }
            Self::ProxyDrain => {
                (when, span).prop_map(|(when, over)| FaultConfig::ProxyDrain(ProxyDrain { when, over })).boxed()
            }
            Self::ServerDrain => (devices, when, lasts, span)
                .prop_map(|(devices, when, lasts, restart)| {
                    let over = lasts.map_or(Span::secs(60), |lasts| Span::at_least(lasts.min()));
                    FaultConfig::ServerDrain(ServerDrain { server: None, devices, when, over, restart })
                })
                .boxed(),
        }
    }
}

/// Returns what a device may see of such a cut.
fn of_cut(carrier: Carrier, link: &LinkName, direction: Direction, answers: Answer) -> Carrier {
    let may_see = *link != LinkName::Core && direction == Direction::Both && answers == Answer::Nothing;
    if may_see { carrier } else { Carrier::Kept }
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Both), Just(Direction::Up), Just(Direction::Down)]
}

fn old_sockets() -> impl Strategy<Value = OldSockets> {
    prop_oneof![Just(OldSockets::Abort), Just(OldSockets::Linger), Just(OldSockets::Rot)]
}
