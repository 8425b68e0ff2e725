//! The parts of the world at work, sans-IO: they are told the time and handed packets. Devices, NATs, servers, the links
//! between them, and the host that runs one of them under any engine.

pub(crate) mod device;
mod icmp_limit;
pub(crate) mod inbox;
pub(crate) mod last_router;
mod link;
mod nat;
pub(crate) mod neighbour;
pub(crate) mod node;
pub(crate) mod numbers;
pub(crate) mod proxy;
mod radio;
mod server;
pub(crate) mod timers;
pub(crate) mod world;
