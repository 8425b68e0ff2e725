//! What can go wrong with devices, as data: each device has its own draws. What a device makes of it is in `fate::life` and
//! `nodes::device`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fault, Lasts, Target, When, Whom};
use crate::config::{Distribution, OldSockets};

/// What a fault does to a device.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeviceEffect<'a> {
    /// It goes to another network, or gets another address.
    Moves(&'a NetworkSwitch),
    /// Its address is dead on this network; `None`: on whatever network it is.
    LosesAddress(Option<&'a str>),
    /// There is no process of the application.
    Kills,
    /// The application's process stands still, and its kernel goes on.
    Stalls,
    /// The whole device stands still.
    Freezes,
    /// The application sends a frame that makes no sense.
    SendsMalformed,
}

/// The devices move to another network for a while, or get a new address on the one they are on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkSwitch {
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When, each device for itself.
    pub when: When,
    /// The network's name, `main`, or `none` (airplane mode). Default: the one it is on, with a new address.
    #[serde(default)]
    pub to: Option<String>,
    /// How long it lasts; then the device goes where it would be without it. Default: to the end of the run. Only with `to`.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// How long it has no network before the new one. Default: not at all. (Wi-Fi lost to cellular up: 0.3 s to 2 s, A.)
    #[serde(default)]
    pub gap: Option<Distribution>,
    /// What becomes of connections over the old address. Default `abort`.
    #[serde(default)]
    pub old_sockets: OldSockets,
}

impl NetworkSwitch {
    pub(super) fn facts(&self) -> Fault<'_> {
        Fault {
            when: &self.when,
            // A move to another network lasts, one to another address is over at once.
            lasts: if self.to.is_some() { Lasts::of(self.lasts.as_ref()) } else { Lasts::Instant },
            aftermath: self.gap.as_ref().map_or(Duration::ZERO, Distribution::practical_max),
            whom: self.devices.as_ref(),
            target: Target::Device(DeviceEffect::Moves(self)),
        }
    }
}

/// A device's address on a network is no longer its own, and its system does not notice (Android before its DHCP client was
/// mended, as `[carson]` and `[wechat]` report it): nothing passes, until it gets a new address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseExpiry {
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When, each device for itself.
    pub when: When,
    /// How long until the system gets a new address; connections over the old one are then ended. Default: to the end of
    /// the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// On which network. Default: on whatever one the device is.
    #[serde(default)]
    pub network: Option<String>,
}

impl LeaseExpiry {
    pub(super) fn facts(&self) -> Fault<'_> {
        on_device(
            self.devices.as_ref(),
            &self.when,
            Lasts::of(self.lasts.as_ref()),
            DeviceEffect::LosesAddress(self.network.as_deref()),
        )
    }
}

/// The application's process is killed, its connections are closed by the kernel, and it is started again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessKilled {
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When, each device for itself.
    pub when: When,
    /// How long until it is started again. Default: never.
    #[serde(default)]
    pub lasts: Option<Distribution>,
}

impl ProcessKilled {
    pub(super) fn facts(&self) -> Fault<'_> {
        on_device(self.devices.as_ref(), &self.when, Lasts::of(self.lasts.as_ref()), DeviceEffect::Kills)
    }
}

/// A device that stands still for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standstill {
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When, each device for itself.
    pub when: When,
    /// How long until it goes on. Default: never.
    #[serde(default)]
    pub lasts: Option<Distribution>,
}

impl Standstill {
    pub(super) fn facts<'a>(&'a self, effect: DeviceEffect<'a>) -> Fault<'a> {
        on_device(self.devices.as_ref(), &self.when, Lasts::of(self.lasts.as_ref()), effect)
    }
}

/// The application sends a frame that makes no sense, by a defect or out of malice; it has the size of a heartbeat. What
/// the server does about it is part of the strategy. A device without a session sends nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Malformed {
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When, each device for itself.
    pub when: When,
}

impl Malformed {
    pub(super) fn facts(&self) -> Fault<'_> {
        on_device(self.devices.as_ref(), &self.when, Lasts::Instant, DeviceEffect::SendsMalformed)
    }
}

fn on_device<'a>(whom: Option<&'a Whom>, when: &'a When, lasts: Lasts<'a>, effect: DeviceEffect<'a>) -> Fault<'a> {
    Fault { when, lasts, aftermath: Duration::ZERO, whom, target: Target::Device(effect) }
}
