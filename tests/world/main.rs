//! The world at its boundary, whole runs of it: one file a part of the world or a law. Files say what they hold; what they
//! share is in `tests/kit`.

mod accuracy;
mod ages;
mod balancer;
mod catalogue;
mod downtime;
mod driver;
mod engines;
mod environment;
mod frames;
mod host;
mod invariants;
mod life;
mod links;
mod liveness;
mod memory;
mod metamorphic;
mod nat;
mod oracle;
mod paired;
mod polling;
mod proxy;
mod radio;
mod reconnect_rules;
mod reported;
mod reported_standstills;
mod search_costs;
mod server;
mod server_policies;
mod sleep;
mod some_devices;
mod standstill;
mod theory;
mod truth;
mod validation;
mod wakeup;
