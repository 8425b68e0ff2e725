//! What came out of a run: the truth beside what the policy made of it, and what it cost.

use std::{fmt, time::Duration};

use cardiogram_policies::{GiveUp, LossReason, Time};
use serde::{Deserialize, Serialize};

use crate::record::trace::Trace;
pub use crate::{
    config::Cause,
    record::{
        counts::{RadioUse, Totals},
        series::SeriesBin,
        trace::TraceHash,
    },
    verdict::downtime::Downtime,
    wire::tap::{PacketCounts, TcpCounts},
};

/// The result of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Digest of everything that happened: equal worlds and equal policies give equal hashes on every engine.
    pub trace_hash: TraceHash,
    /// Time from each device's start to the end of the run, summed.
    pub device_time: Duration,
    /// Breaks of usable sessions, by device, then by time.
    pub episodes: Vec<Episode>,
    /// Usable sessions that were given up, by device, then by time.
    pub false_alarms: Vec<FalseAlarm>,
    /// What the detectors' outputs were worth while nothing was broken.
    pub accuracy: Accuracy,
    /// Time during which a device had a usable session, summed over devices.
    pub usable_time: Duration,
    /// Time without a usable session, and who is to blame for it.
    pub downtime: Downtime,
    /// Time during which a device had left its session on purpose and nothing waited for it, a message of its own or one for it, summed.
    /// It is no part of the downtime. Where nothing is ever sent there is none.
    pub away_time: Duration,
    /// Time during which the server held a session that its device had already left, summed.
    pub zombie_time: Duration,
    /// Time the servers' processes spent on work: accepting, heartbeats, messages, at the scenario's costs.
    pub server_busy: Duration,
    /// The servers' worst moments.
    pub peaks: Peaks,
    /// Packets and actions, summed over devices.
    pub totals: Totals,
    /// What the devices' radios did and cost, summed; `None` where the world has no radios.
    pub radio: Option<RadioUse>,
    /// What each device's interval came to.
    pub learning: Vec<Learning>,
    /// The run over time: at most [`series::BINS_MAX`](crate::record::series::BINS_MAX) bins from its begin to its end.
    pub series: Vec<SeriesBin>,
    /// What the user of the application felt.
    pub pushes: Pushes,
    /// What became of the devices' own messages.
    pub requests: Requests,
    /// The whole record; `None` unless [`RunOptions`](crate::RunOptions) ask for it.
    pub trace: Option<Trace>,
}

/// What the interval of a device's policy came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    /// The time between its last two heartbeats on one connection; `None`: there were no two.
    pub interval: Option<Duration>,
    /// The shortest idle timeout of established connections on the network it was on at the end of the run; `None`: it had
    /// no network.
    pub nat_timeout: Option<Duration>,
}

/// A time without a usable session, begun by a break of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The device.
    pub device: u32,
    /// What broke first.
    pub cause: Cause,
    /// The strike that began it, by its number among all that may break a session of the device, planned moves included, in
    /// the order of time from 0. It is drawn with the world, so that it is the same whatever the strategy. `None`: nothing
    /// struck; a NAT forgot the connection by its own rules, or the server closed it.
    pub fault: Option<u32>,
    /// When the session stopped being usable.
    pub begin: Time,
    /// When the device had a usable session again; `None`: not before the end of the run.
    pub end: Option<Time>,
    /// When and how the device gave the connection up; `None`: it did not.
    pub detection: Option<Detection>,
    /// When the detector's output turned to suspect for the last time before the device left or the episode was over
    /// (the detection time `T_D` runs to it); the begin, if it was suspect then; `None`: it trusted.
    pub suspected: Option<Time>,
}

/// How an episode went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EpisodeOutcome {
    /// The device gave the dead connection up.
    Detected,
    /// The connection became usable again before anyone noticed.
    RiddenOut,
    /// The run ended first.
    Undetected,
}

impl Episode {
    /// Returns how it went.
    pub const fn outcome(&self) -> EpisodeOutcome {
        match (self.detection, self.end) {
            (Some(_), _) => EpisodeOutcome::Detected,
            (None, Some(_)) => EpisodeOutcome::RiddenOut,
            (None, None) => EpisodeOutcome::Undetected,
        }
    }
}

/// When and how a device left a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// The moment it left.
    pub at: Time,
    /// The mechanism that made it leave.
    pub by: DetectedBy,
}

/// Which mechanism made a device leave a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectedBy {
    /// The heartbeat policy.
    Heartbeat(GiveUp),
    /// TCP, or a packet that ended the connection.
    Transport(LossReason),
}

impl fmt::Display for DetectedBy {
    /// As in the column `detected_by`: `heartbeat`, `silence`, `service-dead`, `network-dead`, `reset`, `fin`, `keepalive`,
    /// `retransmission`, `user-timeout`, `aborted`, `too-many-pings`, `deadline`,
    /// `unreachable`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heartbeat(GiveUp::NoReply) => "heartbeat",
            Self::Heartbeat(GiveUp::Silence) => "silence",
            Self::Heartbeat(GiveUp::ServiceDead) => "service-dead",
            Self::Heartbeat(GiveUp::NetworkDead) => "network-dead",
            Self::Transport(LossReason::Reset) => "reset",
            Self::Transport(LossReason::Closed) => "fin",
            Self::Transport(LossReason::KeepaliveTimeout) => "keepalive",
            Self::Transport(LossReason::RetransmissionTimeout) => "retransmission",
            Self::Transport(LossReason::UserTimeout) => "user-timeout",
            Self::Transport(LossReason::Aborted) => "aborted",
            Self::Transport(LossReason::TooManyPings) => "too-many-pings",
            Self::Transport(LossReason::DeadlinePassed) => "deadline",
            Self::Transport(LossReason::Unreachable) => "unreachable",
            Self::Heartbeat(GiveUp::Done) => "other",
        })
    }
}

/// A usable session that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FalseAlarm {
    /// The device that gave it up.
    pub device: u32,
    /// The moment at which it did.
    pub at: Time,
    /// The mechanism that made it do so.
    pub by: DetectedBy,
    /// When the device had a usable session again.
    pub end: Option<Time>,
}

/// What the detectors' outputs were worth while nothing was broken. Defined in `accuracy`'s head comment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Turns of an output from trust to suspect, at any time, summed over devices.
    pub suspicions: u64,
    /// Time in which nothing was broken and the output was trust, or suspect by mistake, summed over devices.
    pub observed: Duration,
    /// The part of `observed` in which the output was trust.
    pub trusted: Duration,
    /// Turns to suspect while the session was usable, by device, then by time.
    pub mistakes: Vec<Mistake>,
}

/// A time in which a detector suspected without a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// The device.
    pub device: u32,
    /// When the output turned to suspect.
    pub begin: Time,
    /// When it turned to trust again, or as far as it was seen.
    pub end: Time,
    /// It turned to trust; else something broke, or the run ended, before it did.
    pub corrected: bool,
}

/// The most of something that there was at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peaks {
    /// Connection attempts that devices began in one whole second of the run.
    pub attempts_per_s: u64,
    /// Sessions that the servers held at once, zombies included.
    pub sessions: u64,
}

/// Messages from the server to devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushes {
    /// Created before the end of the run for a device that had started.
    pub created: u64,
    /// From creation to delivery to the device's application, of those delivered, sorted.
    pub delays: Vec<Duration>,
}

impl Pushes {
    /// Created, and not delivered by the end of the run.
    pub fn undelivered(&self) -> u64 {
        self.created - self.delays.len() as u64
    }
}

/// Messages from devices to the server, as their senders feel them: each is a request, and the server's word that it has it is
/// the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Created before the end of the run.
    pub created: u64,
    /// From creation to the answer, of those answered, sorted.
    pub delays: Vec<Duration>,
    /// Given up when their deadline passed.
    pub failed: u64,
    /// How often a deadline passed: messages that failed, and connections that were left to send one again.
    pub deadlines_passed: u64,
}

impl Requests {
    /// Created, and neither answered nor failed by the end of the run.
    pub fn waiting(&self) -> u64 {
        self.created - self.delays.len() as u64 - self.failed
    }
}
