//! What breaks sessions, by name. A cause that only one kind of fault brings about has the name of that fault.

use serde::{Deserialize, Serialize};

/// Each cause with its name in files and tables, and its byte in the hash of a run. The order is that of precedence within
/// the servers' causes; the bytes are never used anew.
macro_rules! causes {
    ($($(#[$doc:meta])+ $cause:ident = $name:literal, $tag:literal;)+) => {
        /// What broke a session.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])+ #[serde(rename = $name)] $cause,)+
        }

        impl Cause {
            /// All causes, in this order.
            pub const ALL: &[Self] = &[$(Self::$cause),+];

            /// Returns the name in files and tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)+
                }
            }

            /// Returns its byte in the hash of a run.
            pub(crate) const fn tag(self) -> u8 {
                match self {
                    $(Self::$cause => $tag,)+
                }
            }
        }
    };
}

causes! {
    /// The server's host went silent.
    ServerVanish = "server-vanish", 0;
    /// The server's process died.
    ServerCrash = "server-crash", 1;
    /// The server's process was restarted.
    ServerRestart = "server-restart", 2;
    /// The server was drained for a restart.
    ServerDrain = "server-drain", 11;
    /// The server's application stopped.
    ServerStall = "server-stall", 3;
    /// The server's application paused.
    ServerPause = "server-pause", 10;
    /// The server answered heartbeats, and nothing else.
    ServerHalfDead = "server-half-dead", 50;
    /// The server had less capacity. No session breaks of that, so no episode has this cause; it names the fault in the
    /// trace.
    ServerOverload = "server-overload", 12;
    /// The server's replies to heartbeats were late. No session breaks of that, so no episode has this cause; it names the fault in the
    /// trace.
    ServerLateReply = "server-late-reply", 51;
    /// The process of the proxy in front of the servers was restarted.
    ProxyRestart = "proxy-restart", 20;
    /// The proxy got a new configuration, and its old process ended the connection.
    ProxyDrain = "proxy-drain", 21;
    /// The link carries nothing.
    Cut = "cut", 4;
    /// The link carries nothing from the device to the server.
    CutUp = "cut-up", 5;
    /// The link carries nothing from the server to the device.
    CutDown = "cut-down", 6;
    /// The NAT's idle timeout passed.
    NatExpiry = "nat-expiry", 7;
    /// The NAT lost its table.
    NatFlush = "nat-flush", 8;
    /// The NAT's table was full, and other connections pushed this one out.
    NatEvicted = "nat-evicted", 13;
    /// The connection reached the greatest age that the server, a box or a proxy on its way allows.
    MaxAge = "max-age", 18;
    /// One of the proxy's timers for silence ran out.
    ProxyTimeout = "proxy-timeout", 19;
    /// The server closed the session, or its kernel gave it up; a proxy's kernel counts as its own.
    ServerClosed = "server-closed", 9;
    /// The device moved to another network, or got another address.
    NetworkSwitch = "network-switch", 14;
    /// The device has no network.
    NoNetwork = "no-network", 15;
    /// The device's address is no longer its own.
    LeaseExpiry = "lease-expiry", 16;
    /// The device's process stood still.
    DeviceStall = "device-stall", 40;
    /// The device stood still.
    DeviceFreeze = "device-freeze", 41;
    /// The device's process was killed.
    ProcessKilled = "process-killed", 17;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_causes_share_a_name_or_a_byte() {
        let names: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        let tags: BTreeSet<u8> = Cause::ALL.iter().map(|cause| cause.tag()).collect();
        assert_eq!((names.len(), tags.len()), (Cause::ALL.len(), Cause::ALL.len()));
    }
}
