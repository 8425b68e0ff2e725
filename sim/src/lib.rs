//! The world of cardiogram: devices behind a NAT, links that fail, servers that hang, and the truth about all of it.
//!
//! [`run`] takes a [`WorldConfig`] and a seed and returns an [`Outcome`]. Equal
//! input gives equal bytes on every machine and on both engines.
//!
//! The folders are layers; each uses those above it in this list, and no other:
//!
//! - `config`: a world as data, its contradictions, what it guarantees;
//! - `wire`: addresses, packets to the byte, TCP with Linux's timing, the application's frames;
//! - `record`: what is noted while a run goes on, its hash, counts;
//! - `fate`: everything that is drawn from the seed before the run;
//! - `nodes`: devices, NATs, servers and links, sans-IO: they are told the time and handed packets;
//! - `engine`: moves packets and time, and nothing else;
//! - `verdict`: what a run meant: the truth about sessions, and what detectors made of it;
//! - `show`: a record in words, as JSON, as a capture, as a timeline;
//! - `run`: one run of the lab's own hosts, through all of them;
//! - `guest`: runs in which real programs stand in place of devices and servers (feature `guests`);
//! - `simulate`: a run of either kind.
//!
//! What is not here: reading scenario files, statistics, anything that performs input or output.

#[cfg(test)]
mod captures;
pub mod config;
mod engine;
mod fate;
#[doc(hidden)]
pub mod frozen;
#[cfg(feature = "guests")]
pub mod guest;
mod nodes;
mod record;
mod run;
mod show;
mod simulate;
mod verdict;
mod wire;

pub use config::{WorldConfig, known_nat};
pub use engine::{Engine, RunError, RunOptions};
#[cfg(feature = "guests")]
pub use guest::run_guests;
pub use record::{faults, series, trace};
pub use show::{pcap, perfetto, reading, recorded, words};
pub use simulate::{first_difference, guest_parameters, guest_problems, run};
pub use verdict::outcome::{self, Outcome};
pub use wire::{packet, tcp};
