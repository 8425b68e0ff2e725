//! What nodes count while they run: packets, actions, what radios cost, work.

use std::{ops::AddAssign, time::Duration};

use serde::{Deserialize, Serialize};

use super::series::Tally;
use crate::wire::tap::PacketCounts;

/// What a node has counted by the end of a run.
pub(crate) enum Counts {
    Devices(Box<DeviceCounts>),
    Server {
        /// Time that its process spent on work.
        busy: Duration,
    },
    Nothing,
}

/// What all devices together pay and feel.
#[derive(Default)]
pub(crate) struct DeviceCounts {
    pub(crate) totals: Totals,
    /// From creation to delivery, of messages delivered.
    pub(crate) push_delays: Vec<Duration>,
    /// From creation to the server's acknowledgement, of messages of devices.
    pub(crate) answer_delays: Vec<Duration>,
    pub(crate) radio: Option<RadioUse>,
    pub(crate) series: Tally,
    /// For each device, the time between its last two heartbeats on one connection.
    pub(crate) intervals: Vec<Option<Duration>>,
}

/// Counts over all devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Packets that devices put on their access links.
    pub up: PacketCounts,
    /// Packets that devices took off their access links.
    pub down: PacketCounts,
    /// Heartbeats handed to TCP: on sessions, those that want no answer included, and on probe connections.
    pub heartbeats_sent: u64,
    /// Replies to them that arrived.
    pub heartbeats_answered: u64,
    /// Connection attempts begun, those of probe connections and races included.
    pub connect_attempts: u64,
    /// Attempts that ended in a session.
    pub sessions: u64,
    /// Wake-ups of the push service that arrived.
    pub wakeups: u64,
    /// Messages that arrived once more, over either way, and were not delivered again.
    pub duplicates: u64,
    /// Messages of devices that were given up when their deadline passed.
    pub messages_failed: u64,
    /// Deadlines of messages that passed: of those that were given up, and those with which a connection was left.
    pub deadlines_passed: u64,
}

/// What radios did and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RadioUse {
    /// Energy in nJ, from each device's start to the end of the run, sleep included.
    pub energy_nj: u128,
    /// How many promotions from sleep were completed.
    pub wakeups: u64,
    /// Time in promotion, carrying packets, or in the tail.
    pub on: Duration,
}

impl AddAssign for RadioUse {
    fn add_assign(&mut self, other: Self) {
        self.energy_nj += other.energy_nj;
        self.wakeups += other.wakeups;
        self.on += other.on;
    }
}
