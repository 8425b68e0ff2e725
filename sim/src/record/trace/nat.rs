//! What happens to the mappings of a NAT. A new event is a variant with its bytes and its words.

use serde::Serialize;

use crate::record::bytes::Bytes;

/// What happens to a NAT mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatEvent {
    /// A mapping to this outside port was made.
    Created {
        /// The port on the outside.
        outside: u16,
    },
    /// It was idle for too long.
    Expired,
    /// It was lost with the whole table.
    Flushed,
    /// It was pushed out of a full table.
    Evicted,
    /// It reached its greatest age.
    TooOld,
}

impl NatEvent {
    /// Writes what goes into the trace hash: a tag, and every field.
    pub(crate) fn digest(self, out: &mut Vec<u8>) {
        match self {
            Self::Created { outside } => out.u8(0).u16(outside),
            Self::Expired => out.u8(1),
            Self::Flushed => out.u8(2),
            Self::Evicted => out.u8(3),
            Self::TooOld => out.u8(4),
        };
    }

    /// Returns the event in words, without the mapping.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Created { outside } => format!("is made, outside port {outside}"),
            Self::Expired => "expires".into(),
            Self::Flushed => "is lost with the whole table".into(),
            Self::Evicted => "is pushed out of the full table".into(),
            Self::TooOld => "is too old and ends".into(),
        }
    }
}
