//! How large the application's frames are. Their bytes are in `wire::frame`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WorldConfig;

/// Sizes in bytes of the application's frames on the TCP stream. The smallest possible sizes are in `docs/model.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FrameSizes {
    /// The client's first frame (login). Default 64, at least 11.
    pub hello: u16,
    /// The server's answer to it. Default 32, at least 7.
    pub welcome: u16,
    /// A heartbeat. Default 5 (the worked example of `[netease]`), at least 5.
    pub heartbeat: u16,
    /// The answer to a heartbeat. Default 5, at least 5.
    pub reply: u16,
    /// A message of the application, either way. Default 120, at least 15.
    pub message: u16,
    /// The application's acknowledgement of a message. Default 7, at least 7.
    pub ack: u16,
}

impl Default for FrameSizes {
    fn default() -> Self {
        Self { hello: 64, welcome: 32, heartbeat: 5, reply: 5, message: 120, ack: 7 }
    }
}

impl FrameSizes {
    /// The smallest size of each frame.
    pub(crate) const MIN: Self = Self { hello: 11, welcome: 7, heartbeat: 5, reply: 5, message: 15, ack: 7 };
    /// The smallest size of a login's frames.
    pub(crate) const CHALLENGE_MIN: u16 = 6;
    pub(crate) const RESPONSE_MIN: u16 = 4;
    /// The smallest size of a signal.
    pub(crate) const WAKEUP_MIN: u16 = 4;
    /// The largest size of a frame: above it, a frame is a file.
    pub(crate) const MAX: u16 = 16_384;

    /// Returns these sizes for a message of so many bytes; 0: of as many as usual.
    pub(crate) fn with_message(self, bytes: u16) -> Self {
        Self { message: if bytes == 0 { self.message } else { bytes }, ..self }
    }
}

impl WorldConfig {
    /// Returns the sizes of frames: those of the scenario, but for what the strategy says of its own.
    pub(crate) fn frames(&self) -> FrameSizes {
        let (sizes, own) = (self.devices.frames, self.strategy.frames);
        FrameSizes {
            heartbeat: own.heartbeat.map_or(sizes.heartbeat, |size| size.max(FrameSizes::MIN.heartbeat)),
            reply: own.reply.map_or(sizes.reply, |size| size.max(FrameSizes::MIN.reply)),
            ..sizes
        }
    }
}
