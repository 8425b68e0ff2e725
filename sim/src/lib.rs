//! The world of cardiogram: devices behind a NAT, links that fail, servers that hang, and the truth about all of it.
//!
//! [`run`] takes a [`WorldConfig`] and a seed and returns an [`Outcome`]. Equal
//! input gives equal bytes on every machine and on both engines.
//!
//! - [`packet`]: IPv4/TCP packets, to the byte.
//! - [`tcp`]: one end of a TCP connection with Linux's timing.
//! - `link`, `nat`, `server`, `device`: the nodes, sans-IO: they are told the time and handed packets.
//! - [`engine`]: moves packets and time, and nothing else.
//! - [`trace`]: what happened; [`outcome`]: what it means.
//!
//! What is not here: reading scenario files, statistics, anything that performs input or output.

// The worlds of the oracle's cases are those of the whole-program tests, which see the crate from outside.
#[cfg(test)]
extern crate self as cardiogram_sim;

mod accuracy;
mod address;
mod balancer;
mod bounds;
mod check;
mod comeback;
pub mod config;
mod device;
mod digest;
mod distribution;
pub mod engine;
pub mod faults;
mod frame;
mod learning;
mod life;
mod link;
mod link_faults;
mod nat;
mod node;
#[cfg(test)]
mod oracle;
pub mod outcome;
pub mod packet;
mod path;
pub mod pcap;
mod peak;
pub mod perfetto;
mod radio;
mod random;
pub mod reading;
mod schedule;
pub mod series;
mod server;
pub mod tcp;
mod timers;
pub mod trace;
mod trace_json;
mod traffic;
mod truth;
pub mod words;
mod world;

pub use config::WorldConfig;
pub use engine::{Engine, RunError, RunOptions, run};
pub use outcome::Outcome;
