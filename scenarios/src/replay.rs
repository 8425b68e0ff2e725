//! The table `[replay]` of a scenario file: what a counterexample says beside its world. A run of the scenario with this
//! seed breaks this promise; `cardiogram replay` runs it and looks whether it still does.
//!
//! Here is what a file can say. How a promise is checked is the business of whoever checks.

use cardiogram_policies::unit::{Fraction, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run that breaks a promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The seed of the run.
    pub seed: u64,
    /// Digest of everything that happened in it when it was found, 32 hexadecimal digits. Another one today means that
    /// something that the run touches behaves differently.
    pub trace_hash: String,
    /// What was promised.
    pub promise: Promised,
}

/// Something that a strategy can be held to. In a file: a table with one key, or the word alone where there is nothing to
/// say beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Promised {
    /// A break that lasts is noticed within this time of its begin.
    DetectsWithin(Span),
    /// No more heartbeats than this in any hour of one connection.
    HeartbeatsPerHour(u32),
    /// No more connection attempts of a device than this in any window.
    AttemptsWithin(Attempts),
    /// Once nothing is wrong any more, every device has a usable session within this time.
    ReconnectsWithin(Span),
    /// On a path on which nothing is wrong, no usable session is given up.
    NoFalseAlarm,
    /// On a path on which nothing is wrong, no server closes the session of a device that lives.
    NoFalseKill,
    /// No NAT that keeps idle mappings for at least this time forgets a session, on a path that loses nothing.
    NatSafe(Span),
    /// The interval that was learnt, at the end of the run, is below the NAT's timeout and no more than a step below it.
    LearnsInterval(Learns),
    /// A server holds no session for longer than this after its device has left it.
    ZombiesWithin(Span),
    /// A device holds one session at a time.
    OneSession,
    /// Once a connection has been given up, nothing new is sent on it.
    SilentWhenGivenUp,
    /// While sessions end soon after they began, attempts stay few: waits grow until a session has proved its health.
    ResetsAfterHealth(Health),
    /// After a disconnect of everyone, no more than this share of the devices begins its n-th retry in one second.
    NoLockStep(Fraction),
    /// The waits before an n-th retry differ between devices: no more than this share of them waits equally long.
    JitteredWaits(Fraction),
    /// Once nothing is wrong any more, every device has a usable session in the end: within this time, however long.
    Ends(Span),
    /// A promise that is code of its owner's; the test that found the counterexample is the one that can check it.
    Own(String),
}

/// A limit of connection attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    /// The most attempts that may begin.
    pub count: u32,
    /// In any window of this length.
    pub window: Span,
}

/// How well an interval is to be learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Learns {
    /// How far below the timeout it may stay, or below the longest interval that the policy uses, whichever is less.
    pub step: Span,
    /// The longest interval that the policy uses.
    pub longest: Span,
    /// How long it takes to learn at most; shorter runs say nothing.
    pub after: Span,
}

/// What it takes for a session to count as healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// A session that lasted less than this proves nothing.
    pub uptime: Span,
    /// The most attempts that may follow such sessions
    pub count: u32,
    /// in any window of this length.
    pub window: Span,
}
