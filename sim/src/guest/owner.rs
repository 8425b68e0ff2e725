//! Whose a host is.

use std::fmt;

/// Whose host it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Device(u32),
    Server(u32),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "device {device}"),
            Self::Server(server) => write!(f, "server {server}"),
        }
    }
}
