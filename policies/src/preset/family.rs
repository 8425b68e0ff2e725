//! Families: what is worth comparing with each other.

/// What strategies are compared with: those that stand for the same kind of product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The name that files and command lines have, as in `mqtt/*`.
    pub name: &'static str,
    /// What its members are, in a few words.
    pub about: &'static str,
}

/// The family of what strategies are measured by, and of what is nobody's choice: no heartbeat at all, and one that knows what no
/// product can.
pub const YARDSTICKS: &str = "baseline";

/// The families of the presets, in the order in which lists have them.
pub const FAMILIES: &[Family] = &[
    Family { name: YARDSTICKS, about: "without a heartbeat, and one that knows what no product can" },
    Family { name: "tcp", about: "the kernel's keepalive" },
    Family { name: "im", about: "messengers" },
    Family { name: "idle", about: "which traffic spares a heartbeat" },
    Family { name: "polling", about: "no lasting connection: polling and push services" },
    Family { name: "mqtt", about: "MQTT" },
    Family { name: "broker", about: "brokers" },
    Family { name: "websocket", about: "WebSockets and what runs in browsers" },
    Family { name: "grpc", about: "remote calls" },
    Family { name: "queue", about: "queues" },
    Family { name: "database", about: "databases and coordination" },
    Family { name: "transport", about: "transports' own schedules" },
    Family { name: "detector", about: "failure detectors of the literature" },
    Family { name: "adaptive", about: "products that learn their interval" },
    Family { name: "search", about: "searches of the literature for the longest interval" },
    Family { name: "reconnect", about: "reconnect policies under one heartbeat" },
];
