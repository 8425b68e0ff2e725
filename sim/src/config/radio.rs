//! The radio of a device as data: what its states last and cost. How packets drive it is the business of
//! [`radio`](crate::nodes::radio).

use cardiogram_policies::{
    Problem,
    unit::{Delay, Span},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The radio of every device: a machine of states (RRC) that cost power. Asleep until a packet wakes it, it is promoted,
/// carries packets, and stays up for its tail before it sleeps again. Powers are of the device's radio alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RadioConfig {
    /// From asleep to up; packets wait for it. At most 1 min.
    pub promotion: Delay,
    /// Power of the promotion, in mW.
    pub promotion_mw: u32,
    /// A sleeping radio hears that there is something for it at a random moment within this time. Default 0, at most
    /// 1 min.
    #[serde(default)]
    pub paging_cycle: Delay,
    /// Power while a packet is carried, in mW. A packet takes 1 ms or its length at the rate, whichever is longer.
    pub active_mw: u32,
    /// Power on top of it for each Mbit/s sent, in mW. Default 0.
    #[serde(default)]
    pub up_mw_per_mbps: u32,
    /// Power on top of it for each Mbit/s received, in mW. Default 0.
    #[serde(default)]
    pub down_mw_per_mbps: u32,
    /// Rate of sending, in kbit/s: how long a packet keeps the radio active. (It does not delay the packet.)
    pub up_kbps: u32,
    /// Rate of receiving, in kbit/s.
    pub down_kbps: u32,
    /// What the radio goes through after the last packet: 1 to 4 stages.
    pub tail: Vec<TailStage>,
    /// Mean power asleep, the listening for pages included, in mW.
    pub idle_mw: u32,
}

/// A stage of a radio's tail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TailStage {
    /// How long it lasts without a packet.
    pub lasts: Span,
    /// Its power, in mW.
    pub mw: u32,
    /// Packets of fewer bytes than this (IPv4 header included) are carried in this stage, at its power, and restart it;
    /// others bring the radio back to full power and to the first stage. Default 0: all do.
    #[serde(default)]
    pub carries_below: u16,
}

/// The most power a radio may have, in mW.
const POWER_MAX: u32 = 100_000;
/// The longest promotion and the longest paging cycle.
const WAIT_MAX: Delay = Delay::millis(60_000);
/// The most stages of a tail.
const STAGES_MAX: usize = 4;

impl RadioConfig {
    /// Returns everything that contradicts itself, with paths as in a scenario file.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |path: String, message: String, help: String| {
            problems.push(Problem::new(format!("radio.{path}"), message, help));
        };
        for (key, wait) in [("promotion", self.promotion), ("paging_cycle", self.paging_cycle)] {
            if wait > WAIT_MAX {
                add(
                    key.into(),
                    format!("{wait} is longer than any radio takes"),
                    format!("use at most \"{WAIT_MAX}\""),
                );
            }
        }
        let powers = [
            ("promotion_mw", self.promotion_mw),
            ("active_mw", self.active_mw),
            ("up_mw_per_mbps", self.up_mw_per_mbps),
            ("down_mw_per_mbps", self.down_mw_per_mbps),
            ("idle_mw", self.idle_mw),
        ];
        let powers = powers.map(|(key, power)| (key.to_owned(), power)).into_iter();
        let tail = self.tail.iter().enumerate().map(|(at, stage)| (format!("tail[{at}].mw"), stage.mw));
        for (path, power) in powers.chain(tail).filter(|(_, power)| *power > POWER_MAX) {
            add(path, format!("{power} mW is more than any radio takes"), format!("use at most {POWER_MAX}"));
        }
        for (key, rate) in [("up_kbps", self.up_kbps), ("down_kbps", self.down_kbps)] {
            if rate == 0 {
                add(key.into(), "a radio without a rate carries nothing".into(), "use at least 1".into());
            }
        }
        let stages = self.tail.len();
        if stages == 0 || stages > STAGES_MAX {
            add("tail".into(), format!("a tail of {stages} stages"), format!("give it 1 to {STAGES_MAX}"));
        }
        for (at, stage) in self.tail.iter().enumerate() {
            if stage.mw < self.idle_mw {
                add(
                    format!("tail[{at}].mw"),
                    format!("this stage takes {} mW, less than sleeping: idle_mw is {}", stage.mw, self.idle_mw),
                    "let the tail take at least as much as sleeping".into(),
                );
            }
            if at == 0 && stage.carries_below > 0 {
                add(
                    "tail[0].carries_below".into(),
                    "the first stage carries all packets".into(),
                    "leave it out here; it belongs to later stages".into(),
                );
            }
        }
        problems
    }
}
